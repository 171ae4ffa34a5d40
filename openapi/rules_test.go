package openapi

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"

	"github.com/routeguard/guard/internal/input"
)

// Each pattern takes the texts that validator's rule takes, and no others: the two are compared on many texts that are near to
// good ones.
func TestPatternsAreValidators(t *testing.T) {
	t.Parallel()
	v := validator.New()
	if err := input.RegisterRules(v); err != nil {
		t.Fatal(err)
	}
	good := map[string]string{
		"uuid": "0198F000-0000-7000-8000-00000000a11c", "uuid_rfc4122": "0198f000-0000-7000-8000-00000000a11c",
		"uuid4": "0198f000-0000-4000-8000-00000000a11c", "uuid5": "0198f000-0000-5000-8000-00000000a11c",
		"uuid7": "0198f000-0000-7000-8000-00000000a11c", "ulid": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
		"alpha": "aZ", "alphaspace": "a Z", "alphanum": "a1Z", "alphanumspace": "a 1", "numeric": "-1.5", "number": "10", "hexadecimal": "0xaF",
		"hexcolor": "#ff8800", "ascii": "a\x00\x7f", "printascii": "a ~", "single_line": "one line", "e164": "+14155550123", "base64": "YWJjZA==",
		"base64url": "_-JjZA==", "base64rawurl": "_-JjZA", "jwt": "aa.bb.cc", "md5": strings.Repeat("a1", 16), "sha256": strings.Repeat("a1", 32),
		"sha384": strings.Repeat("a1", 48), "sha512": strings.Repeat("a1", 64), "mongodb": strings.Repeat("a1", 12), "cve": "CVE-2026-1234",
		"ein": "12-3456789", "bic": "DEUTDEFF500", "semver": "1.2.3-rc.1+build.5",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for tag, keywords := range textRules {
		expression, ok := keywords.get("pattern").(string)
		if !ok {
			continue
		}
		pattern := regexp.MustCompile(expression)
		if good[tag] == "" || v.Var(good[tag], tag) != nil {
			t.Errorf("%s: the test has no good text, got %q", tag, good[tag])
		}
		for range 3000 {
			text := spoiled(random, good[tag])
			if want := v.Var(text, tag) == nil; pattern.MatchString(text) != want {
				t.Errorf("%s: %q: the pattern says %t, validator %t", tag, text, !want, want)
			}
		}
	}
}

// spoiled changes, adds and drops up to three characters.
func spoiled(random *rand.Rand, text string) string {
	alphabet := []rune("aAfFgGzZ019 -_.+=/#~\x00\x1f\x7f\u0085\u00e9\u017f\u212a\u2028\u202e\u2065\u2066\u2069\n:xX")
	letters := []rune(text)
	for range random.IntN(4) {
		at := random.IntN(len(letters) + 1)
		one := alphabet[random.IntN(len(alphabet))]
		switch {
		case at == len(letters):
			letters = append(letters, one)
		case random.IntN(3) == 0:
			letters = append(letters[:at], letters[at+1:]...)
		case random.IntN(2) == 0:
			letters = append(letters[:at], append([]rune{one}, letters[at:]...)...)
		default:
			letters[at] = one
		}
	}
	return string(letters)
}

// What a rule says of text that is normalized must hold for what is sent, before that.
func TestNormalizedTextIsNotRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, rule, normalize, want string }{
		{name: "a maximum before trimming is no maximum", rule: "max=3", normalize: "trim", want: `[] false`},
		{name: "a minimum holds before trimming", rule: "min=3", normalize: "trim", want: `[{minLength 3}] false`},
		{name: "case keeps lengths", rule: "max=3", normalize: "lower", want: `[{maxLength 3}] true`},
		{name: "composing changes lengths", rule: "min=3", normalize: "nfc", want: `[] false`},
		{name: "composing leaves something", rule: "required", normalize: "nfc", want: `[{minLength 1}] true`},
		{name: "a choice may be in another case", rule: "oneof=a b", normalize: "lower", want: `[{examples [a b]}] false`},
		{name: "a pattern may not hold yet", rule: "alpha", normalize: "trim", want: `[] false`},
		{name: "nor a constant", rule: "eq=x", normalize: "upper", want: `[] false`},
		{name: "a format is an annotation", rule: "email", normalize: "trim", want: `[{format email}] true`},
	}
	for _, tt := range tests {
		tag, param, _ := strings.Cut(tt.rule, "=")
		of := subject{shape: input.ShapeString, place: place{normalize: tt.normalize}}
		keywords, exact := of.text(input.Rule{Tag: tag, Param: param})
		if got := fmt.Sprint(keywords, exact); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
