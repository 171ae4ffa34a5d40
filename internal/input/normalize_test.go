package input_test

import (
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/input"
)

type nick string

type normalized struct {
	Trim     string                 `json:"trim" normalize:"trim"`
	Lower    string                 `json:"lower" normalize:"lower"`
	Upper    string                 `json:"upper" normalize:"upper"`
	NFC      string                 `json:"nfc" normalize:"nfc"`
	Collapse string                 `json:"collapse" normalize:"collapse"`
	All      string                 `json:"all" normalize:"trim,lower,nfc,collapse"`
	Ptr      *string                `json:"ptr" normalize:"trim"`
	List     []string               `json:"list" normalize:"trim"`
	Opt      input.Optional[string] `json:"opt" normalize:"trim"`
	Nick     nick                   `json:"nick" normalize:"trim"`
	Map      map[string]string      `json:"map" normalize:"trim" validate:"max=3"`
	Nested   []struct {
		In string `json:"in" normalize:"trim"`
	} `json:"nested"`
	Rule  string `json:"rule" normalize:"trim" validate:"omitempty,min=3,max=3"`
	Blank string `json:"blank" normalize:"trim" validate:"omitempty,notblank"`
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	p := compile[normalized](t, input.Config{Kind: input.JSON})
	one := func(field string) func(normalized) string {
		return map[string]func(normalized) string{
			"trim": func(n normalized) string { return n.Trim }, "lower": func(n normalized) string { return n.Lower },
			"upper": func(n normalized) string { return n.Upper }, "nfc": func(n normalized) string { return n.NFC },
			"collapse": func(n normalized) string { return n.Collapse }, "all": func(n normalized) string { return n.All },
		}[field]
	}
	tests := []struct{ name, field, text, want string }{
		{name: "spaces", field: "trim", text: "  a b  ", want: "a b"},
		{name: "tabs and line breaks", field: "trim", text: `\t\r\na\n`, want: "a"},
		{name: "nothing to trim", field: "trim", text: "a", want: "a"},
		{name: "nothing at all", field: "trim", text: "", want: ""},
		{name: "only spaces", field: "trim", text: "   ", want: ""},
		{name: "no-break space", field: "trim", text: `\u00a0a\u00a0`, want: "a"},
		{name: "ideographic space", field: "trim", text: `\u3000a\u2003`, want: "a"},
		{name: "zero-width spaces", field: "trim", text: `\u200b\u200ca\u200d\u2060`, want: "a"},
		{name: "a byte order mark", field: "trim", text: `\ufeffa\ufeff`, want: "a"},
		{name: "directional marks", field: "trim", text: `\u202ea\u202c\u200e`, want: "a"},
		{name: "fillers", field: "trim", text: `\u3164a\u2800\u115f`, want: "a"},
		{name: "control characters", field: "trim", text: `\u0000\u001fa\u007f\u0085`, want: "a"},
		{name: "a joiner inside stays", field: "trim", text: `a\u200db`, want: "a\u200db"},
		{name: "a variation selector stays", field: "trim", text: `\u2764\ufe0f`, want: "❤\ufe0f"},
		{name: "lower", field: "lower", text: "ÀÉΣ x", want: "àéσ x"},
		{name: "upper", field: "upper", text: "àé x", want: "ÀÉ X"},
		{name: "compose", field: "nfc", text: `e\u0301`, want: "é"},
		{name: "compatibility characters stay", field: "nfc", text: `\ufb01`, want: "ﬁ"},
		{name: "collapse", field: "collapse", text: `a  b\t\nc`, want: "a b c"},
		{name: "collapse keeps the ends", field: "collapse", text: `  a  `, want: " a "},
		{name: "collapse of other spaces", field: "collapse", text: `a\u2003\u00a0b`, want: "a b"},
		{name: "all of them", field: "all", text: ` \u200b A\u00a0 \t E\u0301 `, want: "a é"},
	}
	for _, tt := range tests {
		got, fail := decode[normalized](t, p, jsonRequest(`{"`+tt.field+`":"`+tt.text+`"}`))
		if fail != nil || one(tt.field)(got) != tt.want {
			t.Errorf("%s: got %q, %s, want %q", tt.name, one(tt.field)(got), verdict(fail), tt.want)
		}
	}
}

func TestNormalizeEveryShape(t *testing.T) {
	t.Parallel()
	p := compile[normalized](t, input.Config{Kind: input.JSON})
	got, fail := decode[normalized](t, p, jsonRequest(
		`{"ptr":" a ","list":[" b "," c "],"opt":" d ","nick":" e ","map":{" k ":" f "},"nested":[{"in":" g "}],"rule":" hij "}`))
	if fail != nil {
		t.Fatal(verdict(fail))
	}
	if v, _ := got.Opt.Value(); *got.Ptr != "a" || strings.Join(got.List, "") != "bc" || v != "d" || got.Nick != "e" ||
		got.Map[" k "] != "f" || got.Nested[0].In != "g" || got.Rule != "hij" {
		t.Errorf("got %+v", got)
	}
}

// TestRulesSeeNormalizedText pins the order: normalize, then validate.
func TestRulesSeeNormalizedText(t *testing.T) {
	t.Parallel()
	p := compile[normalized](t, input.Config{Kind: input.JSON})
	tests := []struct{ name, body, want string }{
		{name: "spaces do not count", body: `{"rule":"   a   "}`, want: "400 invalid_body: /rule=min"},
		{name: "zero-width characters do not count", body: `{"rule":"\u200b\u200bab\u200b"}`, want: "400 invalid_body: /rule=min"},
		{name: "spaces do not make it too long", body: `{"rule":"  abc  "}`, want: "ok"},
		{name: "characters count, not bytes", body: `{"rule":"éü😀"}`, want: "ok"},
		{name: "one character too many", body: `{"rule":"éü😀x"}`, want: "400 invalid_body: /rule=max"},
	}
	for _, tt := range tests {
		if _, fail := decode[normalized](t, p, jsonRequest(tt.body)); verdict(fail) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, verdict(fail), tt.want)
		}
	}
}

type softSpots struct {
	Email    string            `json:"email" validate:"omitempty,email"`
	Emails   []string          `json:"emails" validate:"max=3,dive,email"`
	EmailPtr *string           `json:"emailPtr" validate:"omitnil,email"`
	EmailMap map[string]string `json:"emailMap" validate:"max=3,dive,email"`
	URL      string            `json:"url" validate:"omitempty,url"`
	URI      string            `json:"uri" validate:"omitempty,uri"`
	WebURL   string            `json:"webURL" validate:"omitempty,web_url"`
	IPv4     string            `json:"ipv4" validate:"omitempty,ipv4"`
	Blank    string            `json:"blank" validate:"omitempty,notblank"`
	Line     string            `json:"line" validate:"omitempty,single_line"`
}

// TestSoftSpots covers what validator's own rules let pass, and the rules that this package offers instead.
func TestSoftSpots(t *testing.T) {
	t.Parallel()
	p := compile[softSpots](t, input.Config{Kind: input.JSON})
	local64 := strings.Repeat("a", 64)
	domain := strings.Repeat("b.", 94) + "co" // 190 bytes
	tests := []struct {
		field     string
		good, bad []string
	}{
		{
			field: "email",
			good:  []string{"a@b.co", "a.b+c@example.com", local64 + "@b.co", local64[:63] + "@" + domain},
			bad:   []string{"a", "@b.co", "a@", "a b@c.de", "A <a@b.co>", local64 + "a@b.co", local64 + "@" + domain, "a@b.co\n", "a@b.co,c@d.co", strings.Repeat("a", 200<<10) + "@b.co", "a@" + strings.Repeat("b", 200<<10)},
		},
		{
			field: "url",
			good:  []string{"https://example.com/a?b=c#d", "http://example.com", "ftp://example.com/x"},
			bad: []string{"javascript:alert(1)", "JavaScript:alert(1)", "javascript://example.com/%0aalert(1)", "vbscript:x", "data:text/html,x", "file:///etc/passwd",
				"blob:https://example.com/x", " javascript:alert(1)", "\u200bjavascript:alert(1)", "java\\tscript:alert(1)", "view-source:https://example.com", "example.com"},
		},
		{
			field: "uri",
			good:  []string{"https://example.com", "/path"},
			bad:   []string{"javascript:alert(1)", "data:text/html,x", "file:///etc/passwd"},
		},
		{
			field: "webURL",
			good: []string{"https://example.com", "http://example.com:8080/a/b?c=d&e=%20#f", "https://192.0.2.1/", "https://[2001:db8::1]:443/", "https://xn--bcher-kva.example/", "https://example.com.",
				"HTTPS://EXAMPLE.COM", "http://localhost"},
			bad: []string{"", "example.com", "//example.com", "/path", "https:", "https://", "https:///path", "https:example.com", "javascript:alert(1)", "ftp://example.com", "https://user@example.com", "https://user:pass@example.com",
				"https://@example.com", "https://example.com\\\\@evil.com", "https://exa mple.com", "https://example.com/a b", "https://example.com/\\u0000", "https://example.com:99999", "https://example.com:", "https://example.com:080", "https://-a.com", "https://a-.com", "https://a..b",
				"https://[fe80::1%25eth0]/", "https://[::1", "https://example.com%2f@evil.com", "https://ex%61mple.com", "https://example.com/%zz", " https://example.com", "https://example.com\\u200b", "https://" + strings.Repeat("a", 64) + ".com", "https://example.com/" + strings.Repeat("a", 2048)},
		},
		{field: "ipv4", good: []string{"192.0.2.1"}, bad: []string{"::ffff:192.0.2.1", "192.0.2", "::1"}},
		{field: "blank", good: []string{"a", " a ", "é"}, bad: []string{" ", "\\t\\n", "\\u00a0", "\\u200b\\u200b", "\\ufeff", "\\u3164", "\\u2800", "\\u0000", "\\u202e"}},
		{field: "line", good: []string{"a", "a b", "é😀", "a\\u200d\\u200e\\u200fb", "\\u061ca", "a\\u2027b", "a\\u202fb", "a\\u2065b", "a\\u206ab"},
			bad: []string{"a\\nb", "a\\r", "\\u0000", "\\u001b[31m", "a\\u0085b", "a\\tb", "a\\u007fb", "a\\u2028b", "a\\u2029b", "a\\u202ab", "a\\u202bb", "a\\u202cb", "a\\u202db",
				"a\\u202eb", "a\\u2066b", "a\\u2067b", "a\\u2068b", "a\\u2069b"}},
	}
	for _, tt := range tests {
		for _, text := range tt.good {
			if _, fail := decode[softSpots](t, p, jsonRequest(`{"`+tt.field+`":"`+text+`"}`)); fail != nil {
				t.Errorf("%s %q: got %s, want ok", tt.field, text, verdict(fail))
			}
		}
		for _, text := range tt.bad {
			if text == "" {
				continue
			}
			text = strings.ReplaceAll(text, "\n", `\n`)
			_, fail := decode[softSpots](t, p, jsonRequest(`{"`+tt.field+`":"`+text+`"}`))
			if fail == nil || fail.Status != 400 || fail.Violations[0].Pointer != "/"+tt.field {
				t.Errorf("%s %.60q: got %s, want a violation", tt.field, text, verdict(fail))
			}
		}
	}
}

// TestLongEmailsNeverReachTheExpression covers every shape, and that other fields are still judged.
func TestLongEmailsNeverReachTheExpression(t *testing.T) {
	t.Parallel()
	p := compile[softSpots](t, input.Config{Kind: input.JSON})
	long := strings.Repeat("a", 65) + "@b.co"
	_, fail := decode[softSpots](t, p, jsonRequest(
		`{"email":"`+long+`","emails":["a@b.co","`+long+`"],"emailPtr":"`+long+`","emailMap":{"k":"`+long+`"},"line":"a\nb"}`))
	const want = "400 invalid_body: =syntax"
	if verdict(fail) == want {
		t.Fatal("the body is not JSON")
	}
	if got := verdict(fail); got != "400 invalid_body: /email=email, /emails/1=email, /emailPtr=email, /emailMap=email, /line=single_line" {
		t.Errorf("got %s", got)
	}
}
