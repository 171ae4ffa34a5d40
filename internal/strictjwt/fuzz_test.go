package strictjwt_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard/internal/strictjwt"
)

// FuzzVerify: no string panics; each is accepted or ErrInvalid; and none is
// accepted that was not minted here, whose signature plain golang-jwt verifies.
func FuzzVerify(f *testing.F) {
	algorithms := []string{"HS256", "RS256", "ES256", "EdDSA"}
	verifiers := map[string]*strictjwt.Verifier{}
	var minted []string
	for _, alg := range algorithms {
		verifiers[alg] = newVerifier(f, config(alg))
		minted = append(minted, mint(alg))
		f.Add(minted[len(minted)-1])
	}
	f.Add("")
	f.Add("..")
	f.Add(minted[0] + "\n")
	f.Add(headed(`{"alg":"none"}`))
	f.Add(claiming(`null`))
	f.Fuzz(func(t *testing.T, token string) {
		for _, alg := range algorithms {
			claims, err := verifiers[alg].Verify(t.Context(), token)
			if err != nil {
				if !errors.Is(err, strictjwt.ErrInvalid) || claims.Subject != "" {
					t.Errorf("got %v with error %v, want ErrInvalid alone", claims, err)
				}
				continue
			}
			if !slices.Contains(minted, token) {
				t.Errorf("%q verified", token)
			}
			keyfunc := func(*jwt.Token) (any, error) { return publicKey(alg), nil }
			if _, err := jwt.Parse(token, keyfunc, jwt.WithTimeFunc(clock), jwt.WithValidMethods([]string{alg})); err != nil {
				t.Errorf("golang-jwt refuses what verified: %v", err)
			}
		}
	})
}

// FuzzMutation: a good token with one part replaced verifies only if that
// changed nothing, whether or not the good one is in the cache.
func FuzzMutation(f *testing.F) {
	algorithms := []string{"HS256", "ES256", "EdDSA"}
	var verifiers []*strictjwt.Verifier
	var minted []string
	for _, alg := range algorithms {
		verifiers = append(verifiers, newVerifier(f, config(alg)))
		minted = append(minted, mint(alg))
	}
	f.Add(uint8(0), uint16(10), uint16(1), "A")
	f.Add(uint8(1), uint16(250), uint16(86), "")
	f.Add(uint8(2), uint16(0), uint16(0), "\n")
	f.Fuzz(func(t *testing.T, which uint8, from, length uint16, replacement string) {
		i := int(which) % len(algorithms)
		good := minted[i]
		start := int(from) % (len(good) + 1)
		end := min(start+int(length), len(good))
		mutated := good[:start] + replacement + good[end:]
		accepted(t, verifiers[i], good)
		if _, err := verifiers[i].Verify(t.Context(), mutated); (err == nil) != (mutated == good) {
			t.Errorf("%s: got %v for %q", algorithms[i], err, mutated)
		}
	})
}

// FuzzSignedJSON: of well signed tokens with any header and payload, those that
// verify have exactly one alg, no crit, and claims that encoding/json reads the
// same way; and the second look, from the cache, is the first.
func FuzzSignedJSON(f *testing.F) {
	f.Add(baseHeader, basePayload)
	f.Add(`{"alg":"HS256","crit":[]}`, `null`)
	f.Add(`{"alg":"HS256","\u0061lg":"none"}`, swap(basePayload, `"exp"`, `"\u0065xp"`))
	f.Add(`{"ALG":"none","alg":"HS256"}`, swap(basePayload, `1800003600`, `1e19`))
	f.Add(" {\"alg\":\"HS256\"}\n", swap(basePayload, `"projects-api"`, `["x","projects-api"]`))
	v := newVerifier(f, config("HS256"))
	f.Fuzz(func(t *testing.T, header, payload string) {
		if header == "" || payload == "" {
			return
		}
		token := sign("HS256", secret, header, payload)
		claims, err := v.Verify(t.Context(), token)
		again, errAgain := v.Verify(t.Context(), token)
		if (err == nil) != (errAgain == nil) || claims.Subject != again.Subject || !slices.Equal(claims.Audience, again.Audience) {
			t.Errorf("got %v, %v and then %v, %v", claims, err, again, errAgain)
		}
		if err != nil {
			return
		}
		// Raw messages, because encoding/json folds case only into structs.
		var h, p map[string]json.RawMessage
		if json.Unmarshal([]byte(header), &h) != nil || json.Unmarshal([]byte(payload), &p) != nil {
			t.Fatalf("encoding/json refuses the JSON of %q", token)
		}
		if text(h["alg"]) != "HS256" || h["crit"] != nil || h["b64"] != nil {
			t.Errorf("the header %s verified", header)
		}
		if text(p["iss"]) != claims.Issuer || text(p["sub"]) != claims.Subject || claims.Subject == "" || text(p["jti"]) != claims.ID {
			t.Errorf("got %q, %q, %q from %s", claims.Issuer, claims.Subject, claims.ID, payload)
		}
		var exp int64
		if json.Unmarshal(p["exp"], &exp) != nil || exp != claims.ExpiresAt.Unix() || exp < clock().Unix()-30 {
			t.Errorf("got exp %v from %s", claims.ExpiresAt, payload)
		}
		if !slices.Contains(claims.Audience, "projects-api") || !strings.Contains(string(p["aud"]), "p") && !strings.Contains(string(p["aud"]), `\u`) {
			t.Errorf("got audience %q from %s", claims.Audience, payload)
		}
	})
}

// text is a JSON string, or "".
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}
