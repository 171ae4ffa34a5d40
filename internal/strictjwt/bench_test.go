package strictjwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard/internal/strictjwt"
)

// BenchmarkVerify compares one check with a plain jwt.Parse of the same token:
// hit is a token seen before, miss the first sight of it, forged one whose
// signature is wrong.
func BenchmarkVerify(b *testing.B) {
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
		alg     string
		private crypto.PrivateKey
		public  any
	}{
		{"HS256", secret, secret},
		{"RS256", rsaKey, &rsaKey.PublicKey},
		{"ES256", ecKey, &ecKey.PublicKey},
	} {
		now := time.Now().Unix()
		token := jwt.NewWithClaims(jwt.GetSigningMethod(bm.alg), jwt.MapClaims{
			"iss": "https://issuer.example", "aud": "projects-api", "sub": "0198f0a2-7c1e-7d8a-9a55-0f4a2b6d9c11",
			"iat": now, "nbf": now, "exp": now + 3600, "jti": "0198f0a2-7c1e-7d8a-9a55-0f4a2b6d9c12",
		})
		token.Header["kid"] = "2026-11"
		good, err := token.SignedString(bm.private)
		if err != nil {
			b.Fatal(err)
		}
		forged := forge(good)
		keyfunc := func(*jwt.Token) (any, error) { return bm.public, nil }
		config := strictjwt.Config{
			Issuer: "https://issuer.example", Audience: []string{"projects-api"},
			Algorithms: []string{bm.alg}, Key: bm.public,
		}
		cached, err := strictjwt.New(config)
		if err != nil {
			b.Fatal(err)
		}
		config.CacheSize = -1
		uncached, err := strictjwt.New(config)
		if err != nil {
			b.Fatal(err)
		}

		run := func(name, token string, wantOK bool, verify func(string) error) {
			b.Run(bm.alg+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := verify(token); (err == nil) != wantOK {
						b.Fatalf("got %v, want good to be %v", err, wantOK)
					}
				}
			})
		}
		plain := func(s string) error { _, err := jwt.Parse(s, keyfunc); return err }
		withCache := func(s string) error { _, err := cached.Verify(b.Context(), s); return err }
		without := func(s string) error { _, err := uncached.Verify(b.Context(), s); return err }
		run("hit", good, true, withCache)
		run("miss", good, true, without)
		run("forged", forged, false, withCache)
		run("jwt.Parse", good, true, plain)
		run("jwt.Parse forged", forged, false, plain)
	}
}

// forge changes a byte in the middle of the signature, where every bit counts.
func forge(token string) string {
	i := strings.LastIndexByte(token, '.') + 9
	c := byte('A')
	if token[i] == c {
		c = 'B'
	}
	return token[:i] + string(c) + token[i+1:]
}
