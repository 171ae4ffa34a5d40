package strictjwt_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/strictjwt"
)

func TestVerifyRefusesHeaders(t *testing.T) {
	t.Parallel()
	with := func(members string) string { return headed(`{"alg":"HS256",` + members + `}`) }
	unsigned := func(header string) string { return encode(header) + "." + encode(basePayload) + "." }

	refuseAll(t, config("HS256"), []mangled{
		// RFC 8725, section 2.1: the attacks on alg.
		{name: "alg none without a signature", token: unsigned(`{"alg":"none"}`), want: "empty"},
		{name: "alg none with a signature", token: headed(`{"alg":"none"}`), want: "alg"},
		{name: "alg None", token: headed(`{"alg":"None"}`), want: "alg"},
		{name: "alg NONE", token: headed(`{"alg":"NONE"}`), want: "alg"},
		{name: "alg nOnE", token: headed(`{"alg":"nOnE"}`), want: "alg"},
		{name: "alg none in escapes", token: headed(`{"alg":"\u006eone"}`), want: "alg"},
		{name: "alg none with one byte of signature", token: unsigned(`{"alg":"none"}`) + "AA", want: "alg"},
		{name: "no alg", token: headed(`{"typ":"JWT"}`), want: "alg"},
		{name: "an empty alg", token: headed(`{"alg":""}`), want: "alg"},
		{name: "alg null", token: headed(`{"alg":null}`), want: "alg is not a string"},
		{name: "alg as a number", token: headed(`{"alg":256}`), want: "alg is not a string"},
		{name: "alg as a boolean", token: headed(`{"alg":true}`), want: "alg is not a string"},
		{name: "alg as an array", token: headed(`{"alg":["HS256"]}`), want: "alg is not a string"},
		{name: "alg as an object", token: headed(`{"alg":{"HS256":1}}`), want: "alg is not a string"},
		{name: "alg in lower case", token: headed(`{"alg":"hs256"}`), want: "alg"},
		{name: "alg with a space", token: headed(`{"alg":"HS256 "}`), want: "alg"},
		{name: "alg with a NUL", token: headed(`{"alg":"HS256\u0000"}`), want: "alg"},
		{name: "alg with a letter that folds to S", token: headed(`{"alg":"Hſ256"}`), want: "alg"},
		{name: "another HMAC, well signed", token: sign("HS512", secret, `{"alg":"HS512"}`, basePayload), want: "alg"},
		{name: "an algorithm of encryption", token: headed(`{"alg":"dir","enc":"A256GCM"}`), want: "alg"},
		{name: "PBES2 with a huge count", token: headed(`{"alg":"PBES2-HS512+A256KW","p2c":2147483647}`), want: "alg"},
		{name: "ALG instead of alg", token: headed(`{"ALG":"HS256"}`), want: "alg"},

		// RFC 7515, section 4: duplicate names.
		{name: "alg twice", token: headed(`{"alg":"none","alg":"HS256"}`), want: "duplicate"},
		{name: "alg twice, the same", token: headed(`{"alg":"HS256","alg":"HS256"}`), want: "duplicate"},
		{name: "alg twice, once in escapes", token: headed(`{"alg":"HS256","\u0061lg":"none"}`), want: "duplicate"},
		{name: "kid twice", token: with(`"kid":"a","kid":"b"`), want: "duplicate"},
		{name: "an unknown member twice", token: with(`"x":1,"x":2`), want: "duplicate"},
		{name: "a duplicate in a nested object", token: with(`"jwk":{"kty":"oct","kty":"RSA"}`), want: "duplicate"},
		{name: "a duplicate deep in an array", token: with(`"x":[[{"a":1,"\u0061":2}]]`), want: "duplicate"},

		// RFC 7515, section 4.1.11, and RFC 7797.
		{name: "a crit of an extension", token: with(`"crit":["exp2"],"exp2":1`), want: "crit"},
		{name: "a crit of b64", token: with(`"crit":["b64"],"b64":false`), want: "crit"},
		{name: "an empty crit", token: with(`"crit":[]`), want: "crit"},
		{name: "crit null", token: with(`"crit":null`), want: "crit"},
		{name: "crit false", token: with(`"crit":false`), want: "crit"},
		{name: "crit as a string", token: with(`"crit":"exp"`), want: "crit"},
		{name: "crit as an object", token: with(`"crit":{}`), want: "crit"},
		{name: "crit of a known name", token: with(`"crit":["alg"]`), want: "crit"},
		{name: "crit in escapes", token: with(`"cr\u0069t":["x"]`), want: "crit"},
		{name: "b64 false without crit", token: with(`"b64":false`), want: "b64"},
		{name: "b64 true", token: with(`"b64":true`), want: "b64"},
		{name: "b64 null", token: with(`"b64":null`), want: "b64"},

		{name: "typ at+jwt", token: with(`"typ":"at+jwt"`), want: "typ"},
		{name: "typ application/at+jwt", token: with(`"typ":"application/at+jwt"`), want: "typ"},
		{name: "typ of a logout token", token: with(`"typ":"logout+jwt"`), want: "typ"},
		{name: "typ JOSE", token: with(`"typ":"JOSE"`), want: "typ"},
		{name: "an empty typ", token: with(`"typ":""`), want: "typ"},
		{name: "typ null", token: with(`"typ":null`), want: "typ is not a string"},
		{name: "typ as a number", token: with(`"typ":1`), want: "typ is not a string"},
		{name: "typ as an array", token: with(`"typ":["JWT"]`), want: "typ is not a string"},
		{name: "typ with a space", token: with(`"typ":"JWT "`), want: "typ"},

		{name: "kid null", token: with(`"kid":null`), want: "kid is not a string"},
		{name: "kid as a number", token: with(`"kid":1`), want: "kid is not a string"},
		{name: "kid as an object", token: with(`"kid":{"$ne":null}`), want: "kid is not a string"},
		{name: "kid of 256 bytes", token: with(`"kid":"` + strings.Repeat("k", 256) + `"`), want: "kid is too long"},
		{name: "kid with a line feed", token: with(`"kid":"a\nb"`), want: "kid"},
		{name: "kid with a NUL", token: with(`"kid":"k1\u0000"`), want: "kid"},
		{name: "kid with a C1 control", token: with(`"kid":"\u0085"`), want: "kid"},

		{name: "a header null", token: headed(`null`), want: "not a JSON object"},
		{name: "a header array", token: headed(`[{"alg":"HS256"}]`), want: "not a JSON object"},
		{name: "a header string", token: headed(`"HS256"`), want: "not a JSON object"},
		{name: "a header number", token: headed(`1`), want: "not a JSON object"},
		{name: "white space only", token: headed("   "), want: "not a JSON object"},
		{name: "an empty object", token: headed(`{}`), want: "alg"},
		{name: "a truncated object", token: headed(`{"alg":"HS256"`), want: "not strict JSON"},
		{name: "a second object", token: headed(`{"alg":"HS256"}{}`), want: "not strict JSON"},
		{name: "trailing text", token: headed(`{"alg":"HS256"} x`), want: "not strict JSON"},
		{name: "a trailing NUL", token: headed("{\"alg\":\"HS256\"}\x00"), want: "not strict JSON"},
		{name: "a trailing comma", token: headed(`{"alg":"HS256",}`), want: "not strict JSON"},
		{name: "a comment", token: headed(`{"alg":"HS256"/**/}`), want: "not strict JSON"},
		{name: "single quotes", token: headed(`{'alg':'HS256'}`), want: "not strict JSON"},
		{name: "a byte order mark", token: headed("\ufeff{\"alg\":\"HS256\"}"), want: "not a JSON object"},
		{name: "bad UTF-8", token: headed("{\"alg\":\"HS256\",\"x\":\"\xff\"}"), want: "not strict JSON"},
		{name: "overlong UTF-8", token: headed("{\"alg\":\"HS256\",\"x\":\"\xc0\xae\"}"), want: "not strict JSON"},
		{name: "a lone surrogate", token: with(`"x":"\ud800"`), want: "not strict JSON"},
		{name: "UTF-16", token: headed("{\x00\"\x00a\x00l\x00g\x00\"\x00"), want: "not strict JSON"},
		{name: "33 levels", token: with(`"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32)), want: "nests too deeply"},
		{name: "thousands of levels", token: headed(strings.Repeat(`{"a":`, 900) + "1" + strings.Repeat("}", 900)), want: "nests too deeply"},
	})
}

func TestVerifyAcceptsHeaders(t *testing.T) {
	t.Parallel()
	attacker := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
	for _, tt := range []struct{ name, members string }{
		{"no other member", ``},
		{"typ in lower case", `,"typ":"jwt"`},
		{"typ in mixed case", `,"typ":"Jwt"`},
		{"a kid that is ignored, with one key", `,"kid":"../../../../dev/null"`},
		{"a kid in SQL", `,"kid":"x' UNION SELECT 'secret"`},
		{"an empty kid", `,"kid":""`},
		{"a jwk that is ignored", `,"jwk":{"kty":"oct","k":"` + attacker + `"}`},
		{"a jku that is ignored", `,"jku":"https://attacker.example/jwks.json"`},
		{"an x5u that is ignored", `,"x5u":"https://attacker.example/cert.pem"`},
		{"an x5c that is ignored", `,"x5c":["MIIB"]`},
		{"members of another case, ignored", `,"Crit":["x"],"B64":false,"TYP":"at+jwt"`},
		{"32 levels", `,"x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31)},
		{"brackets in a string", `,"x":"` + strings.Repeat(`[{\"`, 40) + `"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			accepted(t, newVerifier(t, config("HS256")), headed(`{"alg":"HS256"`+tt.members+`}`))
		})
	}
}

func TestVerifyHoldsToTheConfiguredType(t *testing.T) {
	t.Parallel()
	var configs [4]strictjwt.Config
	for i, typ := range []string{"at+jwt", "application/AT+JWT", "secevent+jwt", "JWT"} {
		configs[i] = config("HS256")
		configs[i].Type = typ
	}
	for _, tt := range []struct {
		name, header string
		ok           [4]bool // for at+jwt, its long form, secevent+jwt, JWT
	}{
		{"no typ", `{"alg":"HS256"}`, [4]bool{}},
		{"at+jwt", `{"alg":"HS256","typ":"at+jwt"}`, [4]bool{true, true, false, false}},
		{"the long form", `{"alg":"HS256","typ":"application/at+jwt"}`, [4]bool{true, true, false, false}},
		{"capitals", `{"alg":"HS256","typ":"AT+JWT"}`, [4]bool{true, true, false, false}},
		{"the prefix twice", `{"alg":"HS256","typ":"application/application/at+jwt"}`, [4]bool{}},
		{"another top-level type", `{"alg":"HS256","typ":"text/at+jwt"}`, [4]bool{}},
		{"JWT", `{"alg":"HS256","typ":"JWT"}`, [4]bool{false, false, false, true}},
		{"a security event", `{"alg":"HS256","typ":"secevent+jwt"}`, [4]bool{false, false, true, false}},
		{"a letter that folds to s", `{"alg":"HS256","typ":"ſecevent+jwt"}`, [4]bool{}},
		{"a slash in front", `{"alg":"HS256","typ":"/at+jwt"}`, [4]bool{}},
		{"the prefix alone", `{"alg":"HS256","typ":"application/"}`, [4]bool{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got [4]bool
			for i, c := range configs {
				_, err := newVerifier(t, c).Verify(t.Context(), headed(tt.header))
				got[i] = err == nil
			}
			if got != tt.ok {
				t.Errorf("got %v, want %v", got, tt.ok)
			}
		})
	}
}
