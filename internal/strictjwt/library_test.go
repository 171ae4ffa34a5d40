package strictjwt_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// TestLibrarySoftSpots shows what github.com/golang-jwt/jwt accepts and this
// package does not: the reasons for its existence. A row where the library has
// become stricter is only logged; then the comment at the check may go.
func TestLibrarySoftSpots(t *testing.T) {
	t.Parallel()
	good := mint("HS256")
	dot := strings.LastIndexByte(good, '.') + 1
	withSecret := func(*jwt.Token) (any, error) { return secret, nil }
	withoutSecret := func(*jwt.Token) (any, error) { return []byte{}, nil }
	withNil := func(*jwt.Token) (any, error) { return []byte(nil), nil }
	withRSA := func(*jwt.Token) (any, error) { return &rsaKey().PublicKey, nil }
	digest := sha256.Sum256([]byte(input("PS256")))
	shortSalt := must(rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: 20}))
	long := claiming(swap(basePayload, "member", strings.Repeat("m", 1<<20)))
	timed := jwt.WithTimeFunc(clock)
	claim := func(old, new string) string { return claiming(swap(basePayload, old, new)) }

	for _, tt := range []struct {
		name    string
		token   string
		keyfunc jwt.Keyfunc
		claims  jwt.Claims // MapClaims unless set
		options []jwt.ParserOption
	}{
		{name: "an empty HMAC key", token: sign("HS256", []byte{}, baseHeader, basePayload), keyfunc: withoutSecret},
		{name: "a nil HMAC key", token: sign("HS256", []byte{}, baseHeader, basePayload), keyfunc: withNil},
		{name: "crit of an unknown extension", token: headed(`{"alg":"HS256","crit":["x"],"x":1}`)},
		{name: "b64 false", token: headed(`{"alg":"HS256","b64":false,"crit":["b64"]}`)},
		{name: "a numeric typ", token: headed(`{"alg":"HS256","typ":1}`)},
		{name: "alg twice", token: headed(`{"alg":"none","alg":"HS256"}`)},
		{name: "no exp", token: claim(`,"exp":1800003600`, ``)},
		{name: "exp 0", token: claim(`"exp":1800003600`, `"exp":0`)},
		{name: "exp as a string, in RegisteredClaims", token: claim(`"exp":1800003600`, `"exp":"1800003600"`), claims: &jwt.RegisteredClaims{}},
		{name: "EXP over exp, in RegisteredClaims", token: claim(`"exp":1800003600`, `"exp":1,"EXP":1800003600`), claims: &jwt.RegisteredClaims{}},
		{name: "exp twice", token: claim(`"exp":1800003600`, `"exp":1,"exp":1800003600`)},
		{name: "nbf 1e19", token: claim(`"nbf":1800000000`, `"nbf":1e19`)},
		{name: "nbf 1e300", token: claim(`"nbf":1800000000`, `"nbf":1e300`)},
		{name: "iat in the future", token: claim(`"iat":1800000000`, `"iat":1900000000`)},
		{name: "claims null", token: claiming(`null`)},
		{name: "aud of a wrong type", token: claim(`"aud":"projects-api"`, `"aud":{"x":1}`)},
		{name: "WithIssuer of nothing", token: claim(`"iss":"https://issuer.example"`, `"iss":"x"`), options: []jwt.ParserOption{jwt.WithIssuer("")}},
		{name: "WithAudience of nothing", token: claim(`"aud":"projects-api"`, `"aud":"x"`), options: []jwt.ParserOption{jwt.WithAudience()}},
		{name: "a line end inside, strictly decoded", token: good[:dot+5] + "\r\n" + good[dot+5:], options: []jwt.ParserOption{jwt.WithStrictDecoding()}},
		{name: "a line end at the end", token: good + "\n"},
		{name: "trailing bits", token: good[:dot] + trailingBits(good[dot:])},
		{name: "any pinned method, WithValidMethods(nil)", token: sign("HS512", secret, `{"alg":"HS512"}`, basePayload), options: []jwt.ParserOption{jwt.WithValidMethods(nil)}},
		{name: "PS256 with a short salt", token: bearing("PS256", shortSalt), keyfunc: withRSA},
		{name: "a megabyte", token: long},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keyfunc := tt.keyfunc
			if keyfunc == nil {
				keyfunc = withSecret
			}
			claims := tt.claims
			if claims == nil {
				claims = jwt.MapClaims{}
			}
			if _, err := jwt.ParseWithClaims(tt.token, claims, keyfunc, append(tt.options, timed)...); err != nil {
				t.Logf("the library now refuses it: %v", err)
			}
			alg := "HS256"
			if tt.name == "PS256 with a short salt" {
				alg = "PS256"
			}
			refused(t, newVerifier(t, config(alg)), tt.token, "")
			c := config(alg)
			c.Key, c.Keyfunc = nil, keyfunc
			refused(t, newVerifier(t, c), tt.token, "")
		})
	}
}
