package strictjwt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// jwk is a JSON Web Key, for tests only.
type jwk struct {
	Type      string `json:"kty"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv"`
	K         string `json:"k"`
	N         string `json:"n"`
	E         string `json:"e"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

func (k jwk) public() any {
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			panic(err)
		}
		return b
	}
	switch k.Type {
	case "oct":
		return decode(k.K)
	case "RSA":
		return &rsa.PublicKey{N: new(big.Int).SetBytes(decode(k.N)), E: int(new(big.Int).SetBytes(decode(k.E)).Int64())}
	case "OKP":
		return ed25519.PublicKey(decode(k.X))
	}
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Curve]
	size := (curve.Params().BitSize + 7) / 8
	point := make([]byte, 1+2*size)
	point[0] = 4
	copy(point[1+size-len(decode(k.X)):], decode(k.X))
	copy(point[1+2*size-len(decode(k.Y)):], decode(k.Y))
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		panic(err)
	}
	return key
}

func vectorVerifier(algorithm string, key any) (*Verifier, error) {
	return New(Config{
		Issuer: "joe", Audience: []string{"x"}, Algorithms: []string{algorithm}, Key: key,
		Now: func() time.Time { return time.Unix(1300819379, 0) },
	})
}

const hobbits = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
const bilbo = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
const joe = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

// TestPublishedSignatures verifies the examples of RFC 7515, appendix A, of RFC
// 8037, appendix A, and of RFC 7520, section 4. Their payloads are not the
// claims of an access token, so that the step before the claims is called.
func TestPublishedSignatures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, alg string
		key       jwk
		token     string
	}{
		{"RFC 7515 A.1", "HS256",
			jwk{Type: "oct", K: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
			"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + joe + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
		{"RFC 7515 A.2", "RS256",
			jwk{Type: "RSA", E: "AQAB", N: "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
			"eyJhbGciOiJSUzI1NiJ9." + joe + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
		{"RFC 7515 A.3", "ES256",
			jwk{Type: "EC", Curve: "P-256", X: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", Y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
			"eyJhbGciOiJFUzI1NiJ9." + joe + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
		{"RFC 7515 A.4", "ES512",
			jwk{Type: "EC", Curve: "P-521", X: "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk", Y: "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"},
			"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"},
		{"RFC 8037 A.4", "EdDSA",
			jwk{Type: "OKP", Curve: "Ed25519", X: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
		{"RFC 7520 4.1", "RS256",
			jwk{Type: "RSA", E: "AQAB", N: bilbo},
			"eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." + hobbits + ".MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"},
		{"RFC 7520 4.2", "PS384",
			jwk{Type: "RSA", E: "AQAB", N: bilbo},
			"eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." + hobbits + ".cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"},
		{"RFC 7520 4.4", "HS256",
			jwk{Type: "oct", K: "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"},
			"eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9." + hobbits + ".s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := vectorVerifier(tt.alg, tt.key.public())
			if err != nil {
				t.Fatal(err)
			}
			if _, payload, err := v.authenticate(t.Context(), tt.token, new(room)); err != nil || len(payload) == 0 {
				t.Errorf("got payload %q, error %v", payload, err)
			}
			if _, err := v.Verify(t.Context(), tt.token); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v for a token without sub and aud, want ErrInvalid", err)
			}
			i := strings.LastIndexByte(tt.token, '.') + 2
			forged := tt.token[:i] + string(tt.token[i]^1) + tt.token[i+1:]
			if _, _, err := v.authenticate(t.Context(), forged, new(room)); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v for a changed signature, want ErrInvalid", err)
			}
		})
	}
}

// TestWycheproof runs a file of Project Wycheproof, Apache-2.0, named by the
// variable GUARD_WYCHEPROOF: testvectors_v1/json_web_signature_test.json of the
// module github.com/c2sp/wycheproof. It is skipped without one.
func TestWycheproof(t *testing.T) {
	path := os.Getenv("GUARD_WYCHEPROOF")
	if path == "" {
		t.Skip("GUARD_WYCHEPROOF names no file")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Comment string `json:"comment"`
			Public  *jwk   `json:"public"`
			Private *jwk   `json:"private"`
			Tests   []struct {
				ID      int    `json:"tcId"`
				Comment string `json:"comment"`
				JWS     string `json:"jws"`
				Result  string `json:"result"`
			} `json:"tests"`
		} `json:"testGroups"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	run := 0
	for _, group := range file.Groups {
		key := group.Public
		if key == nil {
			key = group.Private
		}
		algorithm := strings.Replace(key.Algorithm, "ES521", "ES512", 1) // a slip of the file
		if algorithm == "" {
			t.Logf("%s: skipped: a JWK for encryption, whose use is lost in a Go key", group.Comment)
			continue
		}
		v, err := vectorVerifier(algorithm, key.public())
		if group.Comment == "base64" { // its HMAC key is all zeros, which New refuses
			if err == nil {
				t.Error("New accepted a key of zeros")
			}
			v, err = vectorVerifier(algorithm, bytes.Repeat([]byte{1}, 32))
			v.keys.single, _ = algorithms[algorithm].bind(key.public())
		}
		if err != nil {
			t.Errorf("%s: %v", group.Comment, err)
			continue
		}
		for _, tc := range group.Tests {
			run++
			_, payload, err := v.authenticate(t.Context(), tc.JWS, new(room))
			want := tc.Result == "valid"
			if why := differs(tc.Comment); why != "" {
				t.Logf("%d %s: not as in the file: %s", tc.ID, tc.Comment, why)
				want = !want
			}
			if good := err == nil; good != want {
				t.Errorf("%d %s %s: got payload %q, error %v, want good to be %v", tc.ID, group.Comment, tc.Comment, payload, err, want)
			}
		}
	}
	t.Logf("%d vectors", run)
}

// differs says why the verdict here is not the one of the file.
func differs(comment string) string {
	switch {
	case comment == "emptyPayload":
		return "refused, since no claims fit into an empty payload"
	case strings.HasPrefix(comment, "InvalidCharacterInserted"):
		return "refused, for a character outside of base64url"
	case comment == "Figure20":
		return "refused, since the JWK says PS256 and the token PS384"
	case strings.HasPrefix(comment, "invalidBase64Padding"):
		return "accepted, being byte for byte the token of ValidMac"
	}
	return ""
}
