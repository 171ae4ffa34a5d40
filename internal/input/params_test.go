package input_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard/internal/input"
)

type listQuery struct {
	Q       string                 `query:"q" normalize:"trim,lower"`
	Limit   int                    `query:"limit" default:"20" validate:"min=1,max=50"`
	Page    uint8                  `query:"page"`
	Price   float64                `query:"price"`
	Exact   bool                   `query:"exact"`
	Since   time.Time              `query:"since"`
	Window  time.Duration          `query:"window" default:"1m"`
	From    netip.Addr             `query:"from"`
	Net     netip.Prefix           `query:"net"`
	After   uuid.UUID              `query:"after"`
	Level   textLevel              `query:"level"`
	Ptr     *int                   `query:"ptr"`
	Opt     input.Optional[string] `query:"opt"`
	Tags    []string               `query:"tag" validate:"max=3,dive,min=2"`
	Numbers []int8                 `query:"n"`
	Trace   string                 `header:"X-Trace" validate:"max=8"`
	IfMatch *string                `header:"if-match"`
	Accepts []string               `header:"X-Accepts" validate:"max=2"`
	ID      uuid.UUID              `path:"projectID"`
	Slug    string                 `path:"slug"`
	Version int                    `header:"X-Version" default:"1"`
}

const goodID = "0198f000-0000-7000-8000-00000000a11c"

// listRequest is a valid GET but for its query.
func listRequest(query string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.URL.RawQuery = query
	r.SetPathValue("projectID", goodID)
	r.SetPathValue("slug", "a")
	return r
}

func TestQueryVerdicts(t *testing.T) {
	t.Parallel()
	const head = "400 invalid_parameters: "
	tests := []struct{ name, query, want string }{
		{name: "no query", query: "", want: "ok"},
		{name: "empty pairs mean nothing", query: "&&q=x&", want: "ok"},
		{name: "a name without a value is an empty text", query: "q", want: "ok"},
		{name: "plus is a space", query: "q=a+b", want: "ok"},
		{name: "escapes are decoded once", query: "q=%2541", want: "ok"},
		{name: "an escaped name is the same name", query: "%71=x", want: "ok"},
		{name: "an equals sign in a value", query: "q=a=b", want: "ok"},
		{name: "an escaped semicolon", query: "q=a%3Bb", want: "ok"},
		{name: "an escaped ampersand", query: "q=a%26limit%3D9", want: "ok"},

		{name: "a semicolon", query: "q=a;limit=9", want: head + "query=syntax"},
		{name: "a semicolon alone", query: ";", want: head + "query=syntax"},
		{name: "a bad escape", query: "q=%zz", want: head + "query=syntax"},
		{name: "a cut escape", query: "q=%4", want: head + "query=syntax"},
		{name: "a bare percent sign", query: "q=100%", want: head + "query=syntax"},
		{name: "a bad escape in a name", query: "%=x", want: head + "query=syntax"},
		{name: "a bad escape in an unknown pair", query: "q=x&zz=%", want: head + "query=syntax"},
		{name: "invalid UTF-8", query: "q=%ff", want: head + "query/q=encoding"},
		{name: "an overlong encoding", query: "q=%c0%af", want: head + "query/q=encoding"},
		{name: "NUL", query: "q=%00", want: head + "query/q=characters"},
		{name: "a line break", query: "q=a%0d%0ab", want: head + "query/q=characters"},
		{name: "a tab", query: "q=a%09b", want: head + "query/q=characters"},
		{name: "DEL", query: "q=%7f", want: head + "query/q=characters"},
		{name: "a C1 control character", query: "q=%c2%85", want: head + "query/q=characters"},

		{name: "an unknown name", query: "zz=1", want: head + "query=unknown_parameter"},
		{name: "several unknown names", query: "zz=1&yy=2", want: head + "query=unknown_parameter"},
		{name: "an unknown name with a valid one", query: "limit=5&zz=1", want: head + "query=unknown_parameter"},
		{name: "a name in another case", query: "Limit=5", want: head + "query=unknown_parameter"},
		{name: "a name with brackets", query: "tag[]=aa", want: head + "query=unknown_parameter"},
		{name: "an empty name", query: "=x", want: head + "query=unknown_parameter"},
		{name: "a path field by its name", query: "projectID=x", want: head + "query=unknown_parameter"},
		{name: "a header field by its name", query: "X-Trace=x", want: head + "query=unknown_parameter"},
		{name: "a name with a space", query: "limit+=5", want: head + "query=unknown_parameter"},

		{name: "a repeated scalar", query: "q=a&q=b", want: head + "query/q=repeated"},
		{name: "a repeated scalar with the same value", query: "limit=5&limit=5", want: head + "query/limit=repeated"},
		{name: "a repeated pointer", query: "ptr=1&ptr=1", want: head + "query/ptr=repeated"},
		{name: "a repeated Optional", query: "opt=1&opt=1", want: head + "query/opt=repeated"},
		{name: "a scalar repeated under an escaped name", query: "q=a&%71=b", want: head + "query/q=repeated"},

		{name: "a slice", query: "tag=aa&tag=bb&tag=cc", want: "ok"},
		{name: "a slice over its bound", query: "tag=aa&tag=bb&tag=cc&tag=dd", want: head + "query/tag=max"},
		{name: "a slice item that its rule refuses", query: "tag=aa&tag=b", want: head + "query/tag=min"},
		{name: "a slice of numbers", query: "n=1&n=-1", want: "ok"},
		{name: "a slice of numbers with one bad", query: "n=1&n=x", want: head + "query/n=type"},
		{name: "a slice is not split at commas", query: "n=1,2", want: head + "query/n=type"},

		{name: "at the bound of pairs", query: strings.Repeat("n=1&", input.MaxPairs-1) + "n=1", want: "ok"},
		{name: "over the bound of pairs", query: strings.Repeat("n=1&", input.MaxPairs) + "n=1", want: head + "query=too_many"},
		{name: "empty pairs count", query: strings.Repeat("&", input.MaxPairs), want: head + "query=too_many"},
		{name: "at the bound of length", query: "q=" + strings.Repeat("x", input.MaxQueryBytes-2), want: "ok"},
		{name: "over the bound of length", query: "q=" + strings.Repeat("x", input.MaxQueryBytes-1), want: head + "query=too_long"},

		{name: "a rule", query: "limit=0", want: head + "query/limit=min"},
		{name: "a rule at the other end", query: "limit=51", want: head + "query/limit=max"},
		{name: "several wrong, in struct order", query: "page=-1&zz=1&limit=0&q=%00", want: head + "query=unknown_parameter, query/q=characters, query/limit=min, query/page=type"},
	}
	p := compile[listQuery](t, input.Config{Kind: input.Query})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, fail := decode[listQuery](t, p, listRequest(tt.query)); verdict(fail) != tt.want {
				t.Errorf("got %s, want %s", verdict(fail), tt.want)
			}
		})
	}
}

// TestQueryValues tries every type with spellings that it takes and spellings that it must not take.
func TestQueryValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		good, bad []string
	}{
		{name: "limit", good: []string{"1", "50"}, bad: []string{"", "+5", "05", "0x5", "1_0", "5.0", "5e0", " 5", "5 ", "-0", "five", "٥", "99999999999999999999", "0b11", "1,0"}},
		{name: "page", good: []string{"0", "255"}, bad: []string{"256", "-1", "-0", "+1", "00"}},
		{name: "price", good: []string{"0", "1.5", "1.50", "-0.5", "1e3", "1E-2"}, bad: []string{"", "NaN", "nan", "Inf", "+Inf", "-inf", "infinity", "0x1p-2", "1_0", ".5", "5.", "+1", "01", "1e", "1e999", "1e-999", "9007199254740993"}},
		{name: "exact", good: []string{"true", "false"}, bad: []string{"", "1", "0", "t", "T", "TRUE", "True", "yes", "on", "f"}},
		{name: "since", good: []string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05%2B01:00"}, bad: []string{"", "2006-01-02", "0", "2006-01-02T15:04:05+01:00"}},
		{name: "window", good: []string{"90s", "1h30m"}, bad: []string{"", "90", "%2B5s", "1d"}},
		{name: "from", good: []string{"192.0.2.1", "2001:db8::1"}, bad: []string{"", "192.0.2.01", "::ffff:192.0.2.1", "2001:DB8::1", "fe80::1%25eth0"}},
		{name: "net", good: []string{"10.0.0.0/8"}, bad: []string{"", "10.0.0.1/8", "10.0.0.0/08"}},
		{name: "after", good: []string{goodID}, bad: []string{"", strings.ToUpper(goodID), "{" + goodID + "}", "urn:uuid:" + goodID, strings.ReplaceAll(goodID, "-", ""), "x" + goodID + "y"}},
		{name: "level", good: []string{"high"}, bad: []string{"", "low"}},
		{name: "ptr", good: []string{"0", "-3"}, bad: []string{"", "x", "null", "nil"}},
		{name: "opt", good: []string{"", "x", "null"}},
		{name: "n", good: []string{"127"}, bad: []string{"128", ""}},
	}
	p := compile[listQuery](t, input.Config{Kind: input.Query})
	for _, tt := range tests {
		for _, text := range tt.good {
			if _, fail := decode[listQuery](t, p, listRequest(tt.name+"="+text)); fail != nil {
				t.Errorf("%s=%s: got %s, want ok", tt.name, text, verdict(fail))
			}
		}
		for _, text := range tt.bad {
			_, fail := decode[listQuery](t, p, listRequest(tt.name+"="+strings.ReplaceAll(text, " ", "%20")))
			if fail == nil || fail.Status != 400 || fail.Code != "invalid_parameters" || fail.Violations[0].Pointer != "query/"+tt.name {
				t.Errorf("%s=%s: got %s, want a violation", tt.name, text, verdict(fail))
			}
		}
	}
}

func TestQueryDecodesWhatWasSent(t *testing.T) {
	t.Parallel()
	p := compile[listQuery](t, input.Config{Kind: input.Query})
	r := listRequest("q=+A%20b+&page=7&price=1.5&exact=true&ptr=0&opt=x&tag=aa&tag=bb&level=high&after=" + goodID)
	r.Header.Set("X-Trace", "abc")
	r.Header["X-Accepts"] = []string{"a", "b, c"}
	got, fail := decode[listQuery](t, p, r)
	if fail != nil {
		t.Fatal(verdict(fail))
	}
	if got.Q != "a b" || got.Page != 7 || got.Price != 1.5 || !got.Exact || got.Ptr == nil || *got.Ptr != 0 || got.Level != 3 ||
		got.Opt != input.Some("x") || strings.Join(got.Tags, " ") != "aa bb" || got.After.String() != goodID || got.ID.String() != goodID {
		t.Errorf("got %+v", got)
	}
	if got.Limit != 20 || got.Window != time.Minute || got.Version != 1 {
		t.Errorf("defaults: got %d, %v, %d, want 20, 1m0s, 1", got.Limit, got.Window, got.Version)
	}
	if got.Trace != "abc" || strings.Join(got.Accepts, "|") != "a|b, c" || got.IfMatch != nil || got.Slug != "a" {
		t.Errorf("headers and path: got %+v", got)
	}
}

func TestHeaderVerdicts(t *testing.T) {
	t.Parallel()
	const head = "400 invalid_parameters: "
	tests := []struct {
		name   string
		header http.Header
		want   string
	}{
		{name: "none", want: "ok"},
		{name: "one", header: http.Header{"X-Trace": {"abc"}}, want: "ok"},
		{name: "an unknown field is not input", header: http.Header{"X-Other": {"\x00"}}, want: "ok"},
		{name: "a repeated field", header: http.Header{"X-Trace": {"a", "b"}}, want: head + "header/X-Trace=repeated"},
		{name: "a repeated field with the same value", header: http.Header{"X-Trace": {"a", "a"}}, want: head + "header/X-Trace=repeated"},
		{name: "a repeated pointer", header: http.Header{"If-Match": {"a", "b"}}, want: head + "header/If-Match=repeated"},
		{name: "invalid UTF-8", header: http.Header{"X-Trace": {"\xff"}}, want: head + "header/X-Trace=encoding"},
		{name: "a control character", header: http.Header{"X-Trace": {"a\tb"}}, want: head + "header/X-Trace=characters"},
		{name: "a rule", header: http.Header{"X-Trace": {"123456789"}}, want: head + "header/X-Trace=max"},
		{name: "a slice over its bound", header: http.Header{"X-Accepts": {"a", "b", "c"}}, want: head + "header/X-Accepts=max"},
		{name: "a bad number", header: http.Header{"X-Version": {"+1"}}, want: head + "header/X-Version=type"},
	}
	p := compile[listQuery](t, input.Config{Kind: input.Query})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := listRequest("")
			for name, values := range tt.header {
				r.Header[name] = values
			}
			if _, fail := decode[listQuery](t, p, r); verdict(fail) != tt.want {
				t.Errorf("got %s, want %s", verdict(fail), tt.want)
			}
		})
	}
}

func TestPathVerdicts(t *testing.T) {
	t.Parallel()
	const head = "400 invalid_parameters: "
	tests := []struct{ name, id, slug, want string }{
		{name: "both", id: goodID, slug: "a-b_c.d é", want: "ok"},
		{name: "at the bound of length", id: goodID, slug: strings.Repeat("x", input.MaxPathValueBytes), want: "ok"},
		{name: "over the bound of length", id: goodID, slug: strings.Repeat("x", input.MaxPathValueBytes+1), want: head + "path/slug=max"},
		{name: "empty", id: goodID, slug: "", want: head + "path/slug=required"},
		{name: "an encoded slash", id: goodID, slug: "a/b", want: head + "path/slug=characters"},
		{name: "a dot segment", id: goodID, slug: ".", want: head + "path/slug=characters"},
		{name: "a double dot segment", id: goodID, slug: "..", want: head + "path/slug=characters"},
		{name: "parent directories", id: goodID, slug: "../..", want: head + "path/slug=characters"},
		{name: "NUL", id: goodID, slug: "a\x00", want: head + "path/slug=characters"},
		{name: "a line break", id: goodID, slug: "a\r\nb", want: head + "path/slug=characters"},
		{name: "invalid UTF-8", id: goodID, slug: "\xff", want: head + "path/slug=encoding"},
		{name: "a bad UUID", id: strings.ToUpper(goodID), slug: "a", want: head + "path/projectID=format"},
		{name: "both bad", id: "x", slug: "\x00", want: head + "path/projectID=format, path/slug=characters"},
	}
	p := compile[listQuery](t, input.Config{Kind: input.Query})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := listRequest("")
			r.SetPathValue("projectID", tt.id)
			r.SetPathValue("slug", tt.slug)
			if _, fail := decode[listQuery](t, p, r); verdict(fail) != tt.want {
				t.Errorf("got %s, want %s", verdict(fail), tt.want)
			}
		})
	}
}

// TestParametersThroughServeMux checks what really arrives in a path value.
func TestParametersThroughServeMux(t *testing.T) {
	t.Parallel()
	type in struct {
		ID string `path:"id"`
	}
	p := compile[in](t, input.Config{Kind: input.Query})
	mux := http.NewServeMux()
	var got string
	mux.HandleFunc("GET /x/{id}", func(_ http.ResponseWriter, r *http.Request) {
		v, fail := decode[in](t, p, r)
		got = verdict(fail) + " " + v.ID
	})
	tests := []struct{ path, want string }{
		{path: "/x/a", want: "ok a"},
		{path: "/x/a%20b", want: "ok a b"},
		{path: "/x/a%2Fb", want: "400 invalid_parameters: path/id=characters "},
		{path: "/x/%2e%2e", want: "400 invalid_parameters: path/id=characters "},
		{path: "/x/%2e%2e%2fetc", want: "400 invalid_parameters: path/id=characters "},
		{path: "/x/a%00b", want: "400 invalid_parameters: path/id=characters "},
		{path: "/x/%ff", want: "400 invalid_parameters: path/id=encoding "},
		{path: "/x/a%0Ab", want: "400 invalid_parameters: path/id=characters "},
		{path: "/x/a?y=1", want: "400 invalid_parameters: query=unknown_parameter "},
	}
	for _, tt := range tests {
		got = ""
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, tt.path, nil))
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.path, got, tt.want)
		}
	}
}

// TestUnknownQueryNamesAreRefusedEverywhere covers the kinds that have no query fields.
func TestUnknownQueryNamesAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	type body struct {
		Name string `json:"name"`
	}
	type form struct {
		Name string `form:"name"`
	}
	requests := map[string]func() (*input.Failure, *input.Failure){
		"None": func() (*input.Failure, *input.Failure) {
			p := compile[struct{}](t, input.Config{})
			_, with := decode[struct{}](t, p, httptest.NewRequest(http.MethodGet, "/?x=1", nil))
			_, without := decode[struct{}](t, p, httptest.NewRequest(http.MethodGet, "/", nil))
			return with, without
		},
		"Raw": func() (*input.Failure, *input.Failure) {
			p := compile[struct{}](t, input.Config{Kind: input.Raw, MaxBody: 10})
			_, with := decode[struct{}](t, p, httptest.NewRequest(http.MethodPost, "/?x=1", nil))
			_, without := decode[struct{}](t, p, httptest.NewRequest(http.MethodPost, "/", nil))
			return with, without
		},
		"JSON": func() (*input.Failure, *input.Failure) {
			p := compile[body](t, input.Config{Kind: input.JSON})
			r := jsonRequest(`{"name":"x"}`)
			r.URL.RawQuery = "x=1"
			_, with := decode[body](t, p, r)
			_, without := decode[body](t, p, jsonRequest(`{"name":"x"}`))
			return with, without
		},
		"Form": func() (*input.Failure, *input.Failure) {
			p := compile[form](t, input.Config{Kind: input.Form})
			r := formRequest("name=x")
			r.URL.RawQuery = "name=x"
			_, with := decode[form](t, p, r)
			_, without := decode[form](t, p, formRequest("name=x"))
			return with, without
		},
	}
	for kind, run := range requests {
		with, without := run()
		if verdict(with) != "400 invalid_parameters: query=unknown_parameter" {
			t.Errorf("%s with ?x=1: got %s", kind, verdict(with))
		}
		if without != nil {
			t.Errorf("%s without a query: got %s, want ok", kind, verdict(without))
		}
	}
}

// formRequest is a POST of an urlencoded form.
func formRequest(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}
