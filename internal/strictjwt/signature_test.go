package strictjwt_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// input is what a token of an algorithm signs.
func input(alg string) string {
	return encode(swap(baseHeader, "HS256", alg)) + "." + encode(basePayload)
}

// bearing is a token of an algorithm with a signature of the test's choice.
func bearing(alg string, signature []byte) string {
	return input(alg) + "." + encode(string(signature))
}

func signatureOf(alg string, key any) []byte {
	return must(jwt.GetSigningMethod(alg).Sign(input(alg), key))
}

func TestVerifyAcceptsEveryAlgorithm(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgorithms {
		t.Run(alg, func(t *testing.T) {
			c := config(alg)
			claims := accepted(t, newVerifier(t, c), mint(alg))
			if claims.Subject != "user-1" || claims.KeyID != "k1" || claims.ID != "t-1" {
				t.Errorf("got %q, %q, %q", claims.Subject, claims.KeyID, claims.ID)
			}
			c.Key, c.Keyfunc = nil, func(*jwt.Token) (any, error) { return publicKey(alg), nil }
			accepted(t, newVerifier(t, c), mint(alg))
		})
	}
}

// TestVerifyRefusesTheAlgorithmsOfOthers gives each algorithm the good tokens of
// all others, and tokens that claim one and are signed with another.
func TestVerifyRefusesTheAlgorithmsOfOthers(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgorithms {
		v := newVerifier(t, config(alg))
		for _, other := range allAlgorithms {
			if other == alg {
				continue
			}
			t.Run(alg+" gets "+other, func(t *testing.T) {
				refused(t, v, mint(other), "alg")
				refused(t, v, bearing(alg, signatureOf(other, privateKey(other))), "does not verify")
			})
		}
	}
}

// TestVerifyRefusesEveryChangedSignatureBit flips each bit in turn; for ES256
// this is not the malleability of (r, n-s), which has a test of its own.
func TestVerifyRefusesEveryChangedSignatureBit(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"HS256", "HS512", "ES256", "EdDSA"} {
		v := newVerifier(t, config(alg))
		good := signatureOf(alg, privateKey(alg))
		accepted(t, v, bearing(alg, good))
		for i := range len(good) * 8 {
			bad := bytes.Clone(good)
			bad[i/8] ^= 1 << (i % 8)
			refused(t, v, bearing(alg, bad), "does not verify")
		}
		refused(t, v, bearing(alg, append(bytes.Clone(good), 0)), "does not verify")
		refused(t, v, bearing(alg, append([]byte{0}, good...)), "does not verify")
		refused(t, v, bearing(alg, good[:len(good)-1]), "does not verify")
		refused(t, v, bearing(alg, good[:len(good)/2]), "does not verify")
	}
}

// TestVerifyRefusesPublicKeysAsSecrets is the confusion of RS256 with HS256:
// the attacker knows the public key, in every form it is published in.
func TestVerifyRefusesPublicKeysAsSecrets(t *testing.T) {
	t.Parallel()
	public := &rsaKey().PublicKey
	pkix := must(x509.MarshalPKIXPublicKey(public))
	pkcs1 := x509.MarshalPKCS1PublicKey(public)
	forms := map[string][]byte{
		"PKIX DER":            pkix,
		"PKIX PEM":            pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}),
		"PKIX PEM, trimmed":   bytes.TrimSpace(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})),
		"PKCS #1 DER":         pkcs1,
		"PKCS #1 PEM":         pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
		"the modulus":         public.N.Bytes(),
		"the modulus, base64": []byte(base64.RawURLEncoding.EncodeToString(public.N.Bytes())),
		"the empty key":       {},
	}
	keyfunc := config("RS256")
	keyfunc.Key, keyfunc.Keyfunc = nil, func(*jwt.Token) (any, error) { return public, nil }
	keyed := config("RS256")
	keyed.Key, keyed.Keys = nil, map[string]any{"k1": public}
	// The worst case: HMAC is pinned, and the Keyfunc returns public keys.
	confused := config("HS256")
	confused.Key, confused.Keyfunc = nil, keyfunc.Keyfunc

	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			mac := hmac.New(sha256.New, form)
			mac.Write([]byte(input("HS256")))
			token := bearing("HS256", mac.Sum(nil))
			refused(t, newVerifier(t, config("RS256")), token, "alg is not a pinned one")
			refused(t, newVerifier(t, keyfunc), token, "alg is not a pinned one")
			refused(t, newVerifier(t, keyed), token, "alg is not a pinned one")
			refused(t, newVerifier(t, confused), token, "does not fit the alg")
			refused(t, newVerifier(t, config("HS256")), token, "does not verify")
			careless := config("HS256")
			careless.Key, careless.Keyfunc = nil, func(*jwt.Token) (any, error) { return form, nil }
			if !strings.HasPrefix(name, "the modulus") { // which looks like any secret
				refused(t, newVerifier(t, careless), token, "does not fit the alg")
			}
		})
	}
}

func TestVerifyRefusesRSASignatures(t *testing.T) {
	t.Parallel()
	digest := sha256.Sum256([]byte(input("PS256")))
	salted := func(length int) []byte {
		return must(rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: length}))
	}
	accepted(t, newVerifier(t, config("PS256")), bearing("PS256", salted(32)))
	good := signatureOf("RS256", rsaKey())
	n := rsaKey().N
	plusN := new(big.Int).Add(new(big.Int).SetBytes(good), n)

	for _, tt := range []struct {
		name, alg string
		signature []byte
	}{
		{"PS256 without salt", "PS256", salted(0)},
		{"PS256 with a salt of 20 bytes", "PS256", salted(20)},
		{"PS256 with a salt of 31 bytes", "PS256", salted(31)},
		{"PS256 with a salt of 33 bytes", "PS256", salted(33)},
		{"PS256 with the longest salt", "PS256", salted(256 - 2 - 32)},
		{"an RS256 signature as PS256", "PS256", must(jwt.SigningMethodRS256.Sign(input("PS256"), rsaKey()))},
		{"a PS256 signature as RS256", "RS256", must(jwt.SigningMethodPS256.Sign(input("RS256"), rsaKey()))},
		{"another key", "RS256", signatureOf("RS256", otherRSA())},
		{"zero", "RS256", make([]byte, 256)},
		{"one", "RS256", append(make([]byte, 255), 1)},
		{"the modulus", "RS256", n.Bytes()},
		{"the modulus less one", "RS256", new(big.Int).Sub(n, big.NewInt(1)).Bytes()},
		{"a good one plus the modulus", "RS256", plusN.Bytes()},
		{"a leading zero", "RS256", append([]byte{0}, good...)},
		{"a trailing zero", "RS256", append(bytes.Clone(good), 0)},
		{"one byte less", "RS256", good[1:]},
		{"the digest in the clear", "RS256", digest[:]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refused(t, newVerifier(t, config(tt.alg)), bearing(tt.alg, tt.signature), "does not verify")
		})
	}
}

func TestVerifyRefusesECDSASignatures(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config("ES256"))
	digest := sha256.Sum256([]byte(input("ES256")))
	good := signatureOf("ES256", ecKey())
	n := elliptic.P256().Params().N
	pair := func(r, s *big.Int) []byte {
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out
	}
	r, s := new(big.Int).SetBytes(good[:32]), new(big.Int).SetBytes(good[32:])
	zero, one := new(big.Int), big.NewInt(1)
	padded := append(append(append([]byte{0}, good[:32]...), 0), good[32:]...)

	for name, signature := range map[string][]byte{
		"DER":                           must(ecdsa.SignASN1(rand.Reader, ecKey(), digest[:])),
		"r and s zero (CVE-2022-21449)": make([]byte, 64),
		"r zero":                        pair(zero, s),
		"s zero":                        pair(r, zero),
		"r and s one":                   pair(one, one),
		"r is n":                        pair(n, s),
		"s is n":                        pair(r, n),
		"r is n and s is n":             pair(n, n),
		"s plus n, cut":                 pair(r, new(big.Int).And(new(big.Int).Add(s, n), new(big.Int).Sub(new(big.Int).Lsh(one, 256), one))),
		"r and s swapped":               pair(s, r),
		"a zero in front of each":       padded,
		"r alone":                       good[:32],
		"both twice":                    append(bytes.Clone(good), good...),
		"all ones":                      bytes.Repeat([]byte{0xff}, 64),
		"of another key":                must(jwt.SigningMethodES256.Sign(input("ES256"), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))),
		"of a P-384 key, cut":           signatureOf("ES384", ec384())[:64],
		"of another token":              must(jwt.SigningMethodES256.Sign("x", ecKey())),
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, bearing("ES256", signature), "does not verify") })
	}
}

// TestECDSATokensHaveTwoSpellings pins what cannot be refused: for every ECDSA
// signature (r, s), (r, n-s) is as good, and honest signers make either. So the
// bytes of a token must never identify it in a deny-list; the jti does.
func TestECDSATokensHaveTwoSpellings(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config("ES256"))
	good := signatureOf("ES256", ecKey())
	s := new(big.Int).SetBytes(good[32:])
	twin := append(bytes.Clone(good[:32]), new(big.Int).Sub(elliptic.P256().Params().N, s).FillBytes(make([]byte, 32))...)
	first := accepted(t, v, bearing("ES256", good))
	second := accepted(t, v, bearing("ES256", twin))
	if first.ID != second.ID || first.ID == "" {
		t.Errorf("got jti %q and %q, want the same", first.ID, second.ID)
	}
}

func TestVerifyRefusesEd25519Signatures(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, config("EdDSA"))
	good := signatureOf("EdDSA", edKey())
	// s + L is the same scalar: signers that skip RFC 8032, section 5.1.7, take it.
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := bytes.Clone(good[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	for name, signature := range map[string][]byte{
		"s plus the group order":    append(bytes.Clone(good[:32]), sum...),
		"zeros":                     make([]byte, 64),
		"a point of small order":    append([]byte{1}, make([]byte, 63)...),
		"R alone":                   good[:32],
		"a byte more":               append(bytes.Clone(good), 0),
		"of another message":        must(jwt.SigningMethodEdDSA.Sign("x", edKey())),
		"an HMAC of the public key": must(jwt.SigningMethodHS512.Sign(input("EdDSA"), []byte(edKey()[32:]))),
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, bearing("EdDSA", signature), "does not verify") })
	}
}

// TestVerifyNeverUsesAKeyOfTheToken signs with an attacker's key and offers it
// in each header member that RFC 7515 has for it.
func TestVerifyNeverUsesAKeyOfTheToken(t *testing.T) {
	t.Parallel()
	public := &otherRSA().PublicKey
	jwk := `{"kty":"RSA","n":"` + base64.RawURLEncoding.EncodeToString(public.N.Bytes()) + `","e":"AQAB","alg":"RS256"}`
	der := base64.StdEncoding.EncodeToString(must(x509.MarshalPKIXPublicKey(public)))
	var seen []string
	withKeyfunc := config("RS256")
	withKeyfunc.Key, withKeyfunc.Keyfunc = nil, func(token *jwt.Token) (any, error) {
		for name := range token.Header {
			seen = append(seen, name)
		}
		return &rsaKey().PublicKey, nil
	}
	for _, members := range []string{
		`"jwk":` + jwk,
		`"jku":"https://attacker.example/jwks.json"`,
		`"x5u":"https://attacker.example/cert.pem"`,
		`"x5c":["` + der + `"]`,
		`"jwk":` + jwk + `,"kid":"attacker"`,
		`"x5t#S256":"AAAA","x5t":"AAAA"`,
	} {
		token := sign("RS256", otherRSA(), `{"alg":"RS256",`+members+`}`, basePayload)
		refused(t, newVerifier(t, config("RS256")), token, "does not verify")
		refused(t, newVerifier(t, withKeyfunc), token, "does not verify")
	}
	for _, name := range seen {
		if !strings.Contains(" alg typ kid ", " "+name+" ") {
			t.Errorf("the Keyfunc saw %s", name)
		}
	}
}
