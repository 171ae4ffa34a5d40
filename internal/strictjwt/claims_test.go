package strictjwt_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard/internal/strictjwt"
)

func TestVerifyRefusesClaims(t *testing.T) {
	t.Parallel()
	// Each row is the base payload with one member replaced.
	claim := func(old, new string) string { return claiming(swap(basePayload, old, new)) }
	exp := func(value string) string { return claim(`"exp":1800003600`, `"exp":`+value) }
	nbf := func(value string) string { return claim(`"nbf":1800000000`, `"nbf":`+value) }
	iat := func(value string) string { return claim(`"iat":1800000000`, `"iat":`+value) }
	iss := func(value string) string { return claim(`"iss":"https://issuer.example"`, `"iss":`+value) }
	aud := func(value string) string { return claim(`"aud":"projects-api"`, `"aud":`+value) }
	sub := func(value string) string { return claim(`"sub":"user-1"`, `"sub":`+value) }
	jti := func(value string) string { return claim(`"jti":"t-1"`, `"jti":`+value) }
	more := func(members string) string { return claim(`"role":"member"`, members) }

	refuseAll(t, config("HS256"), []mangled{
		{name: "no exp", token: claim(`,"exp":1800003600`, ``), want: "exp is missing"},
		{name: "exp null", token: exp(`null`), want: "exp is not a whole number"},
		{name: "exp 0", token: exp(`0`), want: "exp has passed"},
		{name: "exp -1", token: exp(`-1`), want: "exp is not a whole number"},
		{name: "exp -0", token: exp(`-0`), want: "exp is not a whole number"},
		{name: "exp as a string", token: exp(`"1800003600"`), want: "exp is not a whole number"},
		{name: "exp as a boolean", token: exp(`true`), want: "exp is not a whole number"},
		{name: "exp as an array", token: exp(`[1800003600]`), want: "exp is not a whole number"},
		{name: "exp as an object", token: exp(`{}`), want: "exp is not a whole number"},
		{name: "exp with a fraction", token: exp(`1800003600.5`), want: "exp is not a whole number"},
		{name: "exp with a zero fraction", token: exp(`1800003600.0`), want: "exp is not a whole number"},
		{name: "exp 18e8", token: exp(`18e8`), want: "exp is not a whole number"},
		{name: "exp 1e19", token: exp(`1e19`), want: "exp is not a whole number"},
		{name: "exp 1e999", token: exp(`1e999`), want: "exp is not a whole number"},
		{name: "exp in the year 10000", token: exp(`253402300800`), want: "exp is after the year 9999"},
		{name: "exp above an int64", token: exp(`9223372036854775808`), want: "exp is after the year 9999"},
		{name: "exp that wraps to a good uint64", token: exp(`18446744075509555216`), want: "exp is after the year 9999"},
		{name: "exp of 4000 digits", token: exp(strings.Repeat("9", 4000)), want: "exp is after the year 9999"},
		{name: "exp in milliseconds", token: exp(`1800003600000`), want: "exp is after the year 9999"},
		{name: "exp in hexadecimal", token: exp(`0x6b49d210`), want: "not strict JSON"},
		{name: "exp with a leading zero", token: exp(`01800003600`), want: "not strict JSON"},
		{name: "exp with a plus", token: exp(`+1800003600`), want: "not strict JSON"},
		{name: "exp NaN", token: exp(`NaN`), want: "not strict JSON"},
		{name: "exp at the end of the leeway", token: exp(`1799999970`), want: "exp has passed"},
		{name: "EXP instead of exp", token: claim(`"exp"`, `"EXP"`), want: "exp is missing"},
		{name: "EXP after an old exp", token: exp(`1,"EXP":1800003600`), want: "exp has passed"},
		{name: "exp twice, the good one last", token: exp(`1,"exp":1800003600`), want: "duplicate"},
		{name: "exp twice, the good one first", token: exp(`1800003600,"exp":1`), want: "duplicate"},
		{name: "exp twice, once in escapes", token: exp(`1,"\u0065xp":1800003600`), want: "duplicate"},
		{name: "exp in a nested object only", token: claim(`"exp":1800003600`, `"x":{"exp":1800003600}`), want: "exp is missing"},

		{name: "nbf after the leeway", token: nbf(`1800000031`), want: "nbf is in the future"},
		{name: "nbf 1e19", token: nbf(`1e19`), want: "nbf is not a whole number"},
		{name: "nbf 1e300", token: nbf(`1e300`), want: "nbf is not a whole number"},
		{name: "nbf above an int64", token: nbf(`10000000000000000000`), want: "nbf is after the year 9999"},
		{name: "nbf as a string", token: nbf(`"0"`), want: "nbf is not a whole number"},
		{name: "nbf null", token: nbf(`null`), want: "nbf is not a whole number"},
		{name: "nbf negative", token: nbf(`-1`), want: "nbf is not a whole number"},
		{name: "nbf twice", token: nbf(`1,"nbf":1`), want: "duplicate"},
		{name: "iat after the leeway", token: iat(`1800000031`), want: "iat is in the future"},
		{name: "iat 1e19", token: iat(`1e19`), want: "iat is not a whole number"},
		{name: "iat as a string", token: iat(`"1800000000"`), want: "iat is not a whole number"},
		{name: "iat null", token: iat(`null`), want: "iat is not a whole number"},
		{name: "iat with a fraction", token: iat(`1799999999.9`), want: "iat is not a whole number"},

		{name: "no iss", token: claim(`"iss":"https://issuer.example",`, ``), want: "iss"},
		{name: "an empty iss", token: iss(`""`), want: "iss"},
		{name: "iss null", token: iss(`null`), want: "iss is not a string"},
		{name: "iss as an array", token: iss(`["https://issuer.example"]`), want: "iss is not a string"},
		{name: "iss with a trailing slash", token: iss(`"https://issuer.example/"`), want: "iss"},
		{name: "iss in capitals", token: iss(`"HTTPS://ISSUER.EXAMPLE"`), want: "iss"},
		{name: "iss with a port", token: iss(`"https://issuer.example:443"`), want: "iss"},
		{name: "iss with a longer host", token: iss(`"https://issuer.example.attacker.example"`), want: "iss"},
		{name: "iss with a user", token: iss(`"https://issuer.example@attacker.example"`), want: "iss"},
		{name: "iss with a NUL", token: iss(`"https://issuer.example\u0000"`), want: "iss"},
		{name: "iss with a space", token: iss(`" https://issuer.example"`), want: "iss"},
		{name: "iss twice", token: iss(`"x","iss":"https://issuer.example"`), want: "duplicate"},

		{name: "no aud", token: claim(`"aud":"projects-api",`, ``), want: "aud"},
		{name: "an empty aud", token: aud(`""`), want: "aud"},
		{name: "an empty array of aud", token: aud(`[]`), want: "aud"},
		{name: "aud null", token: aud(`null`), want: "aud is neither"},
		{name: "aud as a number", token: aud(`1`), want: "aud is neither"},
		{name: "aud as a boolean", token: aud(`true`), want: "aud is neither"},
		{name: "aud as an object", token: aud(`{"projects-api":true}`), want: "aud is neither"},
		{name: "aud with a number after the right one", token: aud(`["projects-api",1]`), want: "aud has an element"},
		{name: "aud with null after the right one", token: aud(`["projects-api",null]`), want: "aud has an element"},
		{name: "aud with a nested array", token: aud(`[["projects-api"]]`), want: "aud has an element"},
		{name: "a prefix of the audience", token: aud(`"projects"`), want: "aud names no"},
		{name: "the audience as a prefix", token: aud(`"projects-api-internal"`), want: "aud names no"},
		{name: "the audience as a substring", token: aud(`"my projects-api"`), want: "aud names no"},
		{name: "the audience in capitals", token: aud(`"PROJECTS-API"`), want: "aud names no"},
		{name: "the audience with a comma", token: aud(`"projects-api,other"`), want: "aud names no"},
		{name: "the audience with a slash", token: aud(`"projects-api/"`), want: "aud names no"},
		{name: "aud of two others", token: aud(`["a","b"]`), want: "aud names no"},
		{name: "aud cut off", token: claiming(`{"aud":["projects-api"`), want: "not strict JSON"},
		{name: "sub cut off", token: claiming(`{"sub":"user-1`), want: "not strict JSON"},
		{name: "exp cut off", token: claiming(`{"exp":`), want: "not strict JSON"},
		{name: "AUD instead of aud", token: claim(`"aud"`, `"AUD"`), want: "aud"},

		{name: "no sub", token: claim(`"sub":"user-1",`, ``), want: "sub"},
		{name: "an empty sub", token: sub(`""`), want: "sub"},
		{name: "sub null", token: sub(`null`), want: "sub is not a string"},
		{name: "sub as a number", token: sub(`1`), want: "sub is not a string"},
		{name: "sub as a boolean", token: sub(`true`), want: "sub is not a string"},
		{name: "sub as an array", token: sub(`["user-1"]`), want: "sub is not a string"},
		{name: "sub as an object", token: sub(`{"$gt":""}`), want: "sub is not a string"},
		{name: "sub of 256 bytes", token: sub(`"` + strings.Repeat("u", 256) + `"`), want: "sub"},
		{name: "sub of 128 letters of two bytes", token: sub(`"` + strings.Repeat("ü", 128) + `"`), want: "sub"},
		{name: "sub with a line feed", token: sub(`"user-1\nadmin"`), want: "sub"},
		{name: "sub with a NUL", token: sub(`"user-1\u0000"`), want: "sub"},
		{name: "sub with DEL", token: sub(`"user-1\u007f"`), want: "sub"},
		{name: "sub with a C1 control", token: sub(`"user-1\u009b"`), want: "sub"},
		{name: "sub twice", token: sub(`"user-1","sub":"admin"`), want: "duplicate"},
		{name: "Sub instead of sub", token: claim(`"sub"`, `"Sub"`), want: "sub"},
		{name: "a sub with a letter that folds to s", token: claim(`"sub"`, `"ſub"`), want: "sub"},
		{name: "a lone surrogate in sub", token: sub(`"\udfff"`), want: "not strict JSON"},
		{name: "an empty jti", token: jti(`""`), want: "jti"},
		{name: "jti null", token: jti(`null`), want: "jti is not a string"},
		{name: "jti as a number", token: jti(`1`), want: "jti is not a string"},
		{name: "jti of 256 bytes", token: jti(`"` + strings.Repeat("j", 256) + `"`), want: "jti"},
		{name: "jti with a tab", token: jti(`"a\tb"`), want: "jti"},

		{name: "claims null", token: claiming(`null`), want: "not a JSON object"},
		{name: "a claims array", token: claiming(`[` + basePayload + `]`), want: "not a JSON object"},
		{name: "a claims number", token: claiming(`1`), want: "not a JSON object"},
		{name: "a claims string", token: claiming(`"x"`), want: "not a JSON object"},
		{name: "claims true", token: claiming(`true`), want: "not a JSON object"},
		{name: "claims without members", token: claiming(`{}`), want: "iss"},
		{name: "a nested token", token: claiming(mint("HS256")), want: "not a JSON object"},
		{name: "two objects", token: claiming(basePayload + basePayload), want: "not strict JSON"},
		{name: "trailing text", token: claiming(basePayload + "x"), want: "not strict JSON"},
		{name: "a byte order mark", token: claiming("\ufeff" + basePayload), want: "not a JSON object"},
		{name: "bad UTF-8 in a value", token: more("\"role\":\"\xff\""), want: "not strict JSON"},
		{name: "bad UTF-8 in a name", token: more("\"r\xff\":1"), want: "not strict JSON"},
		{name: "a raw control character", token: more("\"role\":\"a\x01\""), want: "not strict JSON"},
		{name: "a duplicate of another claim", token: more(`"role":"member","role":"admin"`), want: "duplicate"},
		{name: "a duplicate in escapes", token: more(`"role":"member","r\u006fle":"admin"`), want: "duplicate"},
		{name: "a duplicate in a nested object", token: more(`"x":{"a":{"b":1,"b":2}}`), want: "duplicate"},
		{name: "a duplicate in an array", token: more(`"x":[1,{"b":1,"b":2}]`), want: "duplicate"},
		{name: "33 levels", token: more(`"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32)), want: "nests too deeply"},
		{name: "2000 levels", token: more(`"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000)), want: "nests too deeply"},
	})
}

func TestVerifyAcceptsClaims(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config("HS256"))
	for _, tt := range []struct{ name, old, new string }{
		{"exp inside the leeway", `"exp":1800003600`, `"exp":1799999971`},
		{"exp in the last second of 9999", `"exp":1800003600`, `"exp":253402300799`},
		{"nbf at the end of the leeway", `"nbf":1800000000`, `"nbf":1800000030`},
		{"iat at the end of the leeway", `"iat":1800000000`, `"iat":1800000030`},
		{"nbf and iat 0", `"nbf":1800000000,"iat":1800000000`, `"nbf":0,"iat":0`},
		{"no nbf, no iat, no jti", `"jti":"t-1","nbf":1800000000,"iat":1800000000,`, ``},
		{"aud among others", `"aud":"projects-api"`, `"aud":["a","projects-api","b"]`},
		{"aud in escapes", `"aud":"projects-api"`, `"aud":"projects\u002dapi"`},
		{"sub of 255 bytes", `"sub":"user-1"`, `"sub":"` + strings.Repeat("u", 255) + `"`},
		{"sub with a space", `"sub":"user-1"`, `"sub":"user 1"`},
		{"names in escapes", `"exp"`, `"\u0065xp"`},
		{"names of another case, ignored", `"role":"member"`, `"EXP":1,"Sub":"admin"`},
		{"fractions in other claims", `"role":"member"`, `"x":1.5e3`},
		{"white space", `{"iss"`, " \r\n\t{ \"iss\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			claims := accepted(t, v, claiming(swap(basePayload, tt.old, tt.new)))
			if claims.Subject == "" || claims.Issuer != "https://issuer.example" {
				t.Errorf("got %q of %q", claims.Subject, claims.Issuer)
			}
		})
	}
}

func TestVerifyHonorsTimeSettings(t *testing.T) {
	t.Parallel()
	const hour = 3600
	for _, tt := range []struct {
		name           string
		leeway, maxAge time.Duration
		after          time.Duration // since iat and nbf; exp is an hour later
		payload        string
		want           string
	}{
		{name: "no leeway, at nbf", leeway: time.Nanosecond},
		{name: "no leeway, just before nbf", leeway: time.Nanosecond, after: -2 * time.Nanosecond, want: "nbf"},
		{name: "no leeway, just before exp", leeway: time.Nanosecond, after: hour*time.Second - time.Nanosecond},
		{name: "no leeway, at exp", leeway: time.Nanosecond, after: hour*time.Second + time.Nanosecond, want: "exp"},
		{name: "a minute, inside", leeway: time.Minute, after: (hour+60)*time.Second - 1},
		{name: "a minute, after", leeway: time.Minute, after: (hour + 60) * time.Second, want: "exp"},
		{name: "the default leeway ends after 30 s", after: (hour + 30) * time.Second, want: "exp"},
		{name: "a maximum age, inside", maxAge: 10 * time.Minute, after: 10*time.Minute + 30*time.Second},
		{name: "a maximum age, after", maxAge: 10 * time.Minute, after: 10*time.Minute + 30*time.Second + 1, want: "maximum age"},
		{name: "a maximum age without iat", maxAge: 10 * time.Minute, payload: swap(basePayload, `"iat":1800000000,`, ``), want: "iat is missing"},
		{name: "a maximum age does not extend exp", maxAge: 10 * time.Hour, after: 2 * time.Hour, want: "exp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config("HS256")
			c.Leeway, c.MaxAge = tt.leeway, tt.maxAge
			c.Now = func() time.Time { return clock().Add(tt.after) }
			token := mint("HS256")
			if tt.payload != "" {
				token = claiming(tt.payload)
			}
			if tt.want == "" {
				accepted(t, newVerifier(t, c), token)
				return
			}
			refused(t, newVerifier(t, c), token, tt.want)
		})
	}
}

func TestDecodeIsStrict(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config("HS256"))
	claims := accepted(t, v, claiming(swap(basePayload, `"role":"member"`, `"role":"member","level":3,"Level":4,"scope":"a b"`)))
	var dst struct {
		Level int    `json:"level"`
		Scope string `json:"scope"`
		Other string `json:"other"`
	}
	if err := claims.Decode(&dst); err != nil || dst.Level != 3 || dst.Scope != "a b" || dst.Other != "" {
		t.Errorf("got %+v, %v", dst, err)
	}

	type wrong struct {
		Role int `json:"role"`
	}
	for _, tt := range []struct {
		name   string
		claims strictjwt.Claims
		dst    any
		want   string
	}{
		{"another type", claims, new(wrong), "the claims do not fit *strictjwt_test.wrong: a JSON string for a Go int"},
		{"no pointer", claims, wrong{}, "the claims do not fit strictjwt_test.wrong"},
		{"nil", claims, nil, "the claims do not fit <nil>"},
		{"the zero Claims", strictjwt.Claims{}, new(wrong), "Decode of Claims that Verify did not return"},
	} {
		err := tt.claims.Decode(tt.dst)
		if !errors.Is(err, strictjwt.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want one about %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "member") {
			t.Errorf("%s: the error %v has a value of the token", tt.name, err)
		}
	}
}

func TestVerifyNeedsAClock(t *testing.T) {
	t.Parallel()
	eternal := claiming(swap(basePayload, `"nbf":1800000000,"iat":1800000000,`, ``))
	for _, now := range []time.Time{{}, time.Unix(0, 0), time.Unix(-1, 0)} {
		c := config("HS256")
		c.Now = func() time.Time { return now }
		if _, err := newVerifier(t, c).Verify(t.Context(), eternal); !errors.Is(err, strictjwt.ErrUnavailable) {
			t.Errorf("got %v at %v, want ErrUnavailable", err, now)
		}
	}
	c := config("HS256")
	c.Now = nil // the real one
	start := time.Now().Unix()
	for token, want := range map[string]bool{
		claiming(swap(swap(basePayload, `"nbf":1800000000,"iat":1800000000,`, ``), "1800003600", strconv.FormatInt(start+600, 10))): true,
		claiming(swap(swap(basePayload, `"nbf":1800000000,"iat":1800000000,`, ``), "1800003600", strconv.FormatInt(start-600, 10))): false,
	} {
		if _, err := newVerifier(t, c).Verify(t.Context(), token); (err == nil) != want {
			t.Errorf("got %v by the real clock, want good to be %v", err, want)
		}
	}
}
