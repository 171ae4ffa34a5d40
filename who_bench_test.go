package guard

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

type benchUser string

func (u benchUser) Subject() string { return string(u) }

// BenchmarkWho compares stage 2 for a token that was seen before, header parsing
// and session function included, with a plain jwt.Parse of the same token.
func BenchmarkWho(b *testing.B) {
	secret := make([]byte, 32)
	rand.Read(secret)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	for _, bm := range []struct {
		alg             string
		private, public any
	}{
		{"HS256", secret, secret},
		{"RS256", rsaKey, &rsaKey.PublicKey},
		{"ES256", ecKey, &ecKey.PublicKey},
	} {
		now := time.Now().Unix()
		token, err := jwt.NewWithClaims(jwt.GetSigningMethod(bm.alg), jwt.MapClaims{
			"iss": "https://issuer.example", "aud": "projects-api", "sub": "0198f0a2-7c1e-7d8a-9a55-0f4a2b6d9c11",
			"iat": now, "nbf": now, "exp": now + 3600, "jti": "0198f0a2-7c1e-7d8a-9a55-0f4a2b6d9c12",
		}).SignedString(bm.private)
		if err != nil {
			b.Fatal(err)
		}
		verifier, err := NewJWT(JWT{Issuer: "https://issuer.example", Audience: []string{"projects-api"}, Algorithms: []string{bm.alg}, Key: bm.public})
		if err != nil {
			b.Fatal(err)
		}
		who := Bearer(SessionFrom(verifier, func(_ context.Context, c Claims) (benchUser, error) { return benchUser(c.Subject), nil }))
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		x := &exchange{tell: &Responder{}, r: r}

		b.Run(bm.alg+"/who", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := who.authenticate(b.Context(), x); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bm.alg+"/jwt.Parse", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return bm.public, nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
