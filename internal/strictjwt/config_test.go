package strictjwt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard/internal/strictjwt"
)

func TestNewRefusesMistakes(t *testing.T) {
	t.Parallel()
	type change = func(*strictjwt.Config)
	key := func(alg string, key any) change {
		return func(c *strictjwt.Config) { c.Algorithms, c.Key = []string{alg}, key }
	}
	pin := func(algs ...string) change { return func(c *strictjwt.Config) { c.Algorithms = algs } }
	keys := func(keys map[string]any) change {
		return func(c *strictjwt.Config) { c.Key, c.Keys = nil, keys }
	}
	rsaPublic := func(change func(*rsa.PublicKey)) *rsa.PublicKey {
		k := &rsa.PublicKey{N: new(big.Int).Set(rsaKey().N), E: rsaKey().E}
		change(k)
		return k
	}
	pkix := must(x509.MarshalPKIXPublicKey(&rsaKey().PublicKey))
	pemText := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	keyfunc := func(*jwt.Token) (any, error) { return secret, nil }

	for _, tt := range []struct {
		name   string
		change change
		want   string
	}{
		{"no issuer", func(c *strictjwt.Config) { c.Issuer = "" }, "Issuer is empty"},
		{"an issuer with a line end", func(c *strictjwt.Config) { c.Issuer += "\n" }, "Issuer \"https://issuer.example\\n\" has space"},
		{"an issuer of spaces", func(c *strictjwt.Config) { c.Issuer = " " }, "Issuer \" \" has space"},
		{"no audience", func(c *strictjwt.Config) { c.Audience = nil }, "Audience is empty"},
		{"an audience without names", func(c *strictjwt.Config) { c.Audience = []string{} }, "Audience is empty"},
		{"an empty audience", func(c *strictjwt.Config) { c.Audience = []string{"a", ""} }, "Audience[1] is empty"},
		{"an audience with a NUL", func(c *strictjwt.Config) { c.Audience = []string{"a\x00"} }, "Audience[0]"},
		{"a type with a space", func(c *strictjwt.Config) { c.Type = "at jwt" }, "Type"},
		{"a type without a subtype", func(c *strictjwt.Config) { c.Type = "application/" }, "Type"},
		{"a type with two slashes", func(c *strictjwt.Config) { c.Type = "a/b/c" }, "Type"},

		{"no algorithm", pin(), "Algorithms is empty"},
		{"none", pin("none"), "nobody signed"},
		{"none beside another", pin("HS256", "none"), "nobody signed"},
		{"None", pin("None"), "nobody signed"},
		{"an unknown algorithm", pin("HS257"), `"HS257" is not known`},
		{"an algorithm in lower case", pin("hs256"), `"hs256" is not known`},
		{"an algorithm of encryption", pin("A256GCM"), "not known"},
		{"secp256k1", pin("ES256K"), "not known"},
		{"an algorithm twice", pin("HS256", "HS256"), "listed twice"},
		{"HMAC with RSA", pin("HS256", "RS256"), "mixed"},
		{"EdDSA with HMAC", pin("EdDSA", "HS512"), "mixed"},
		{"one secret for two algorithms", pin("HS256", "HS384"), "take the same keys"},
		{"one RSA key for two algorithms", func(c *strictjwt.Config) {
			c.Algorithms, c.Key = []string{"RS256", "PS256"}, &rsaKey().PublicKey
		}, "take the same keys"},

		{"no key", func(c *strictjwt.Config) { c.Key = nil }, "0 of Key, Keys and Keyfunc are set"},
		{"a key and keys", func(c *strictjwt.Config) { c.Keys = map[string]any{"k": secret} }, "2 of Key"},
		{"a key and a Keyfunc", func(c *strictjwt.Config) { c.Keyfunc = keyfunc }, "2 of Key"},
		{"all three", func(c *strictjwt.Config) { c.Keyfunc, c.Keys = keyfunc, map[string]any{} }, "3 of Key"},
		{"no keys", keys(map[string]any{}), "Keys is empty"},
		{"an empty kid", keys(map[string]any{"": secret}), `Keys has the kid ""`},
		{"a long kid", keys(map[string]any{strings.Repeat("k", 256): secret}), "Keys has the kid"},
		{"a kid with a line feed", keys(map[string]any{"a\n": secret}), "Keys has the kid"},
		{"a nil key by kid", keys(map[string]any{"k1": nil}), `Keys["k1"]: HS256 needs a key of type []byte, this is nil`},
		{"a short key by kid", keys(map[string]any{"k1": secret, "k2": secret[:31]}), `Keys["k2"]: the HMAC key has 31 bytes`},
		{"a pinned algorithm without a key", func(c *strictjwt.Config) {
			c.Algorithms, c.Key, c.Keys = []string{"RS256", "ES256"}, nil, map[string]any{"k1": &ecKey().PublicKey}
		}, "no key is for RS256"},

		{"a nil secret", key("HS256", []byte(nil)), "has 0 bytes, 32"},
		{"an empty secret", key("HS256", []byte{}), "has 0 bytes, 32"},
		{"HS256 with 31 bytes", key("HS256", secret[:31]), "has 31 bytes, 32"},
		{"HS384 with 47 bytes", key("HS384", secret[:47]), "has 47 bytes, 48"},
		{"HS512 with 63 bytes", key("HS512", secret[:63]), "has 63 bytes, 64"},
		{"a secret of zeros", key("HS256", make([]byte, 32)), "all zeros"},
		{"a secret in a string", key("HS256", string(secret)), "a string: decode it"},
		{"a public key in PEM as the secret", key("HS256", pemText), "PEM text"},
		{"the same after a line end", key("HS256", append([]byte("\n"), pemText...)), "PEM text"},
		{"a public key in DER as the secret", key("HS256", pkix), "public key in DER"},
		{"a public key in PKCS #1 as the secret", key("HS256", x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)), "public key in DER"},
		{"a public key for HMAC", key("HS256", &rsaKey().PublicKey), "HS256 needs a key of type []byte"},
		{"a private RSA key", key("RS256", rsaKey()), "private key (*rsa.PrivateKey): pass its public half"},
		{"a private ECDSA key", key("ES256", ecKey()), "private key (*ecdsa.PrivateKey)"},
		{"a private Ed25519 key", key("EdDSA", edKey()), "private key (ed25519.PrivateKey)"},
		{"an RSA key by value", key("RS256", rsaKey().PublicKey), "pass a pointer"},
		{"a nil RSA key", key("RS256", (*rsa.PublicKey)(nil)), "a nil *rsa.PublicKey"},
		{"a nil ECDSA key", key("ES256", (*ecdsa.PublicKey)(nil)), "a nil *ecdsa.PublicKey"},
		{"a certificate", key("RS256", &x509.Certificate{}), "pass its PublicKey"},
		{"a secret for RSA", key("RS256", secret), "RS256 needs a key of type *rsa.PublicKey"},
		{"an ECDSA key for RSA", key("PS256", &ecKey().PublicKey), "PS256 needs a key of type *rsa.PublicKey"},
		{"a key set for a key", key("RS256", jwt.VerificationKeySet{}), "needs a key of type"},
		{"RSA with 1024 bits", key("RS256", &must(rsa.GenerateKey(rand.Reader, 1024)).PublicKey), "has 1024 bits, 2048 to 8192"},
		{"RSA with 2047 bits", key("RS256", rsaPublic(func(k *rsa.PublicKey) { k.N.SetBit(k.N, 2047, 0).SetBit(k.N, 2046, 1) })), "has 2047 bits"},
		{"RSA with 8193 bits", key("RS256", rsaPublic(func(k *rsa.PublicKey) { k.N.SetBit(k.N, 8192, 1) })), "has 8193 bits"},
		{"RSA with an even modulus", key("RS256", rsaPublic(func(k *rsa.PublicKey) { k.N.SetBit(k.N, 0, 0) })), "even"},
		{"RSA without a modulus", key("RS256", &rsa.PublicKey{E: 65537}), "missing"},
		{"RSA with a negative modulus", key("RS256", rsaPublic(func(k *rsa.PublicKey) { k.N.Neg(k.N) })), "missing"},
		{"RSA with the exponent 0", key("RS256", rsaPublic(func(k *rsa.PublicKey) { k.E = 0 })), "exponent 0"},
		{"RSA with the exponent 1", key("RS256", rsaPublic(func(k *rsa.PublicKey) { k.E = 1 })), "exponent 1"},
		{"RSA with the exponent -3", key("RS256", rsaPublic(func(k *rsa.PublicKey) { k.E = -3 })), "exponent -3"},
		{"RSA with an even exponent", key("RS256", rsaPublic(func(k *rsa.PublicKey) { k.E = 65536 })), "exponent 65536"},
		{"a weak RSA key beside an algorithm of curves", func(c *strictjwt.Config) {
			c.Algorithms, c.Key = []string{"ES256", "RS256", "EdDSA"}, &rsa.PublicKey{N: big.NewInt(15), E: 3}
		}, "has 4 bits"},
		{"P-384 for ES256", key("ES256", &ec384().PublicKey), "on P-384, the algorithm needs P-256"},
		{"P-256 for ES512", key("ES512", &ecKey().PublicKey), "on P-256, the algorithm needs P-521"},
		{"an ECDSA key without a curve", key("ES256", &ecdsa.PublicKey{}), "on no curve"},
		{"an ECDSA key without a point", key("ES256", &ecdsa.PublicKey{Curve: elliptic.P256()}), "no point"},
		//lint:ignore SA1019 the only way to make a key that is not on its curve
		{"a point off the curve", key("ES256", &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}), "not a point on its curve"},
		{"an Ed25519 key of 31 bytes", key("EdDSA", make(ed25519.PublicKey, 31)), "has 31 bytes, 32"},
		{"an Ed25519 key of zeros", key("EdDSA", make(ed25519.PublicKey, 32)), "all zeros"},

		{"a negative leeway", func(c *strictjwt.Config) { c.Leeway = -1 }, "Leeway is -1ns"},
		{"a leeway above a minute", func(c *strictjwt.Config) { c.Leeway = time.Minute + 1 }, "Leeway is"},
		{"a negative maximum age", func(c *strictjwt.Config) { c.MaxAge = -1 }, "MaxAge is"},
		{"a cache of one", func(c *strictjwt.Config) { c.CacheSize = 1 }, "CacheSize is 1"},
		{"a cache above the maximum", func(c *strictjwt.Config) { c.CacheSize = 1<<20 + 1 }, "CacheSize is"},
		{"a negative cache age", func(c *strictjwt.Config) { c.CacheAge = -1 }, "CacheAge is"},
		{"a cache age above an hour", func(c *strictjwt.Config) { c.CacheAge = time.Hour + 1 }, "CacheAge is"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config("HS256")
			tt.change(&c)
			v, err := strictjwt.New(c)
			if err == nil || v != nil {
				t.Fatalf("got %v and error %v, want only an error", v, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %q, want one about %q", err, tt.want)
			}
			if strings.Contains(err.Error(), string(secret[:16])) {
				t.Errorf("the error %q has the key", err)
			}
		})
	}
}

func TestNewListsEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := strictjwt.New(strictjwt.Config{
		Algorithms: []string{"HS256", "RS256", "none", "x"}, Keys: map[string]any{"": secret[:8]},
		Leeway: -1, MaxAge: -1, CacheSize: 1, CacheAge: -1, Type: " ",
	})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %T, want a joined error", err)
	}
	if got := len(joined.Unwrap()); got != 13 {
		t.Errorf("got %d mistakes, want 13:\n%v", got, err)
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, "JWT: ") {
			t.Errorf("got line %q, want a prefix that says where", line)
		}
	}
	if _, err := strictjwt.New(strictjwt.Config{}); err == nil {
		t.Error("got no error for the zero Config")
	}
}

// TestNewCopies changes everything after New that the caller still holds.
func TestNewCopies(t *testing.T) {
	t.Parallel()
	c := config("HS256")
	key := bytes.Clone(secret)
	c.Key = key
	v := newVerifier(t, c)
	clear(key)
	c.Audience[0], c.Algorithms[0] = "x", "x"
	accepted(t, v, mint("HS256"))

	keys := map[string]any{"k1": &rsa.PublicKey{N: new(big.Int).Set(rsaKey().N), E: rsaKey().E}}
	c = config("RS256")
	c.Key, c.Keys = nil, keys
	v = newVerifier(t, c)
	keys["k1"].(*rsa.PublicKey).E = 3
	keys["k1"].(*rsa.PublicKey).N.SetInt64(15)
	keys["k1"] = &otherRSA().PublicKey
	accepted(t, v, mint("RS256"))

	c = config("EdDSA")
	public := ed25519.PublicKey(bytes.Clone(publicKey("EdDSA").(ed25519.PublicKey)))
	c.Key = public
	v = newVerifier(t, c)
	clear(public)
	accepted(t, v, mint("EdDSA"))
}

func TestZeroVerifierRefuses(t *testing.T) {
	t.Parallel()
	for _, v := range []*strictjwt.Verifier{nil, {}} {
		if claims, err := v.Verify(t.Context(), mint("HS256")); err == nil || claims.Subject != "" {
			t.Errorf("got %v, %v, want an error", claims, err)
		}
		v.Forget("x")
		if v != nil && !strings.Contains(v.String(), "refuses all") {
			t.Errorf("got %v for the zero Verifier", v)
		}
	}
}

func TestNothingPrintsKeysOrTokens(t *testing.T) {
	t.Parallel()
	c := config("HS256")
	v := newVerifier(t, c)
	claims := accepted(t, v, mint("HS256"))
	type holder struct{ held any }
	type unexported struct {
		v *strictjwt.Verifier
		c strictjwt.Claims
	}
	values := []any{c, &c, v, *v, claims, &claims, holder{v}, unexported{v, claims}, []strictjwt.Claims{claims}}
	var out bytes.Buffer
	for _, value := range values {
		fmt.Fprintf(&out, "%v %+v %#v %s %q\n", value, value, value, value, value)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "value", value)
	}
	for _, leak := range []string{string(secret[:16]), fmt.Sprint(secret[:8])[1:20], fmt.Sprintf("%x", secret[:8]), "member"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the output has %q:\n%s", leak, out.String())
		}
	}
	if got, want := claims.String(), `claims of "https://issuer.example" until 2027-01-15T09:00:00Z`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
