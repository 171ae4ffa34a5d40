package strictjwt_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard/internal/strictjwt"
)

// The clock of the tests stands at second 1800000000, 2027-01-15T08:00:00Z.
func clock() time.Time { return time.Unix(1800000000, 0) }

const (
	baseHeader  = `{"alg":"HS256","typ":"JWT","kid":"k1"}`
	basePayload = `{"iss":"https://issuer.example","aud":"projects-api","sub":"user-1","jti":"t-1",` +
		`"nbf":1800000000,"iat":1800000000,"exp":1800003600,"role":"member"}`
)

// secret is 64 bytes long, enough for HS512.
var secret = []byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

// Keys are made once: an RSA key takes a while.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	ec384    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	ec521    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// privateKey and publicKey are the keys of the tests for an algorithm.
func privateKey(alg string) any {
	switch alg {
	case "ES256":
		return ecKey()
	case "ES384":
		return ec384()
	case "ES512":
		return ec521()
	case "EdDSA":
		return edKey()
	}
	if strings.HasPrefix(alg, "HS") {
		return secret
	}
	return rsaKey()
}

func publicKey(alg string) any {
	key := privateKey(alg)
	signer, ok := key.(crypto.Signer)
	if !ok {
		return key
	}
	return signer.Public()
}

var allAlgorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// sign makes a token of any header and payload; alg is how it is really signed.
func sign(alg string, key any, header, payload string) string {
	input := encode(header) + "." + encode(payload)
	return input + "." + encode(string(must(jwt.GetSigningMethod(alg).Sign(input, key))))
}

// mint makes a good token of an algorithm.
func mint(alg string) string {
	return sign(alg, privateKey(alg), strings.Replace(baseHeader, "HS256", alg, 1), basePayload)
}

// headed and claiming are tokens signed with the right secret, so that nothing
// but the header or the payload can be why they are refused.
func headed(header string) string    { return sign("HS256", secret, header, basePayload) }
func claiming(payload string) string { return sign("HS256", secret, baseHeader, payload) }

// swap is s with one part replaced, which must be there.
func swap(s, old, new string) string {
	if !strings.Contains(s, old) {
		panic("no " + old + " in " + s)
	}
	return strings.Replace(s, old, new, 1)
}

// config accepts mint(alg) at clock.
func config(alg string) strictjwt.Config {
	return strictjwt.Config{
		Issuer: "https://issuer.example", Audience: []string{"projects-api"},
		Algorithms: []string{alg}, Key: publicKey(alg), Now: clock,
	}
}

func newVerifier(t testing.TB, c strictjwt.Config) *strictjwt.Verifier {
	t.Helper()
	v, err := strictjwt.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// refused checks that a token is refused for the reason want, with nothing of it
// in the claims or in the error.
func refused(t *testing.T, v *strictjwt.Verifier, token, want string) {
	t.Helper()
	claims, err := v.Verify(t.Context(), token)
	if !errors.Is(err, strictjwt.ErrInvalid) || errors.Is(err, strictjwt.ErrUnavailable) {
		t.Fatalf("got error %v, want ErrInvalid", err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got error %q, want one about %q", err, want)
	}
	if claims.Subject != "" || claims.Audience != nil || claims.Decode(new(any)) == nil {
		t.Errorf("got claims %#v with the error", claims)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 12 && strings.Contains(err.Error(), part) {
			t.Errorf("the error %q has a part of the token", err)
		}
	}
}

func accepted(t *testing.T, v *strictjwt.Verifier, token string) strictjwt.Claims {
	t.Helper()
	claims, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	return claims
}

// mangled is a row of the tables of refused tokens.
type mangled struct {
	name  string
	token string
	want  string // in the error
}

// refuseAll runs a table against a Verifier that accepts mint("HS256"), and
// makes sure that it does, before and after.
func refuseAll(t *testing.T, c strictjwt.Config, tests []mangled) {
	t.Helper()
	v := newVerifier(t, c)
	good := mint(c.Algorithms[0])
	accepted(t, v, good)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, v, tt.token, tt.want) })
	}
	accepted(t, v, good)
}
