package strictjwt_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard/internal/strictjwt"
)

func TestKidOnlySelectsAmongConfiguredKeys(t *testing.T) {
	t.Parallel()
	c := config("RS256")
	c.Algorithms = []string{"RS256", "ES256"}
	c.Key, c.Keys = nil, map[string]any{"rsa": &rsaKey().PublicKey, "ec": &ecKey().PublicKey, "rsa-2": &otherRSA().PublicKey}
	v := newVerifier(t, c)
	token := func(alg string, key any, kid string) string {
		return sign(alg, key, `{"alg":"`+alg+`"`+kid+`}`, basePayload)
	}
	accepted(t, v, token("RS256", rsaKey(), `,"kid":"rsa"`))
	accepted(t, v, token("RS256", otherRSA(), `,"kid":"rsa-2"`))
	accepted(t, v, token("ES256", ecKey(), `,"kid":"ec"`))

	for _, tt := range []mangled{
		{name: "no kid", token: token("RS256", rsaKey(), ``), want: "no key has its kid"},
		{name: "an empty kid", token: token("RS256", rsaKey(), `,"kid":""`), want: "no key has its kid"},
		{name: "an unknown kid", token: token("RS256", rsaKey(), `,"kid":"x"`), want: "no key has its kid"},
		{name: "a kid in capitals", token: token("RS256", rsaKey(), `,"kid":"RSA"`), want: "no key has its kid"},
		{name: "a kid with a space", token: token("RS256", rsaKey(), `,"kid":"rsa "`), want: "no key has its kid"},
		{name: "a path", token: token("RS256", rsaKey(), `,"kid":"../../rsa"`), want: "no key has its kid"},
		{name: "a URL", token: token("RS256", rsaKey(), `,"kid":"https://attacker.example/rsa"`), want: "no key has its kid"},
		{name: "the kid of another key", token: token("RS256", rsaKey(), `,"kid":"rsa-2"`), want: "does not verify"},
		{name: "the kid of a key of another algorithm", token: token("RS256", rsaKey(), `,"kid":"ec"`), want: "another alg"},
		{name: "the same the other way", token: token("ES256", ecKey(), `,"kid":"rsa"`), want: "another alg"},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, v, tt.token, tt.want) })
	}
}

type timeout struct{ error }

func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func TestKeyfuncOutcomes(t *testing.T) {
	t.Parallel()
	var set []jwt.VerificationKey
	for range 16 {
		set = append(set, &otherRSA().PublicKey)
	}
	refusal := errors.New("no key with kid k1 in the set")
	for _, tt := range []struct {
		name string
		key  any
		err  error
		fail any // a panic
		want error
		text string
	}{
		{name: "the right key", key: &rsaKey().PublicKey},
		{name: "a set with it", key: jwt.VerificationKeySet{Keys: []jwt.VerificationKey{secret, &otherRSA().PublicKey, &rsaKey().PublicKey}}},
		{name: "a set with it in the 16th place", key: jwt.VerificationKeySet{Keys: append(set[:15:15], &rsaKey().PublicKey)}},
		{name: "a set with it in the 17th place", key: jwt.VerificationKeySet{Keys: append(set[:16:16], &rsaKey().PublicKey)}, want: strictjwt.ErrInvalid, text: "more keys fit"},
		{name: "a set without it", key: jwt.VerificationKeySet{Keys: set[:2]}, want: strictjwt.ErrInvalid, text: "does not verify"},
		{name: "a set of other kinds", key: jwt.VerificationKeySet{Keys: []jwt.VerificationKey{secret, &ecKey().PublicKey, nil}}, want: strictjwt.ErrInvalid, text: "does not verify"},
		{name: "an empty set", key: jwt.VerificationKeySet{}, want: strictjwt.ErrInvalid, text: "does not verify"},
		{name: "another key", key: &otherRSA().PublicKey, want: strictjwt.ErrInvalid, text: "does not verify"},
		{name: "nil", want: strictjwt.ErrInvalid, text: "this is nil"},
		{name: "a nil pointer", key: (*rsa.PublicKey)(nil), want: strictjwt.ErrInvalid, text: "a nil *rsa.PublicKey"},
		{name: "a private key", key: rsaKey(), want: strictjwt.ErrInvalid, text: "private key"},
		{name: "a secret", key: secret, want: strictjwt.ErrInvalid, text: "needs a key of type"},
		{name: "an ECDSA key", key: &ecKey().PublicKey, want: strictjwt.ErrInvalid, text: "needs a key of type"},
		{name: "a weak key", key: &must(rsa.GenerateKey(rand.Reader, 1024)).PublicKey, want: strictjwt.ErrInvalid, text: "1024 bits"},
		{name: "an exponent of 1", key: &rsa.PublicKey{N: rsaKey().N, E: 1}, want: strictjwt.ErrInvalid, text: "exponent 1"},
		{name: "the library's value for none", key: jwt.UnsafeAllowNoneSignatureType, want: strictjwt.ErrInvalid, text: "needs a key of type"},
		{name: "a refusal", err: refusal, want: strictjwt.ErrInvalid, text: "has no key"},
		{name: "a key and a refusal", key: &rsaKey().PublicKey, err: refusal, want: strictjwt.ErrInvalid, text: "has no key"},
		{name: "cancelled", err: fmt.Errorf("fetch: %w", context.Canceled), want: strictjwt.ErrUnavailable, text: "fetch"},
		{name: "a deadline", err: context.DeadlineExceeded, want: strictjwt.ErrUnavailable, text: "deadline"},
		{name: "a network error", err: &net.OpError{Op: "dial", Err: errors.New("refused")}, want: strictjwt.ErrUnavailable, text: "refused"},
		{name: "an HTTP client's error", err: &url.Error{Op: "Get", URL: "https://issuer.example", Err: timeout{errors.New("slow")}}, want: strictjwt.ErrUnavailable, text: "slow"},
		{name: "its own word for it", err: fmt.Errorf("no key set yet: %w", strictjwt.ErrUnavailable), want: strictjwt.ErrUnavailable, text: "no key set yet"},
		{name: "a panic", fail: "nil map", want: strictjwt.ErrUnavailable, text: "nil map"},
		{name: "a panic with an error", fail: refusal, want: strictjwt.ErrUnavailable, text: "panic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config("RS256")
			c.Key, c.Keyfunc = nil, func(*jwt.Token) (any, error) {
				if tt.fail != nil {
					panic(tt.fail)
				}
				return tt.key, tt.err
			}
			claims, err := newVerifier(t, c).Verify(t.Context(), mint("RS256"))
			if !errors.Is(err, tt.want) {
				t.Fatalf("got error %v, want %v", err, tt.want)
			}
			if err != nil && (claims.Subject != "" || !strings.Contains(err.Error(), tt.text)) {
				t.Errorf("got %v and error %q, want one about %q", claims, err, tt.text)
			}
			if errors.Is(err, strictjwt.ErrInvalid) && errors.Is(err, strictjwt.ErrUnavailable) {
				t.Errorf("the error %v is of both kinds", err)
			}
		})
	}
}

// TestKeyfuncKeysCannotPanic hands over keys that break crypto/ecdsa.
func TestKeyfuncKeysCannotPanic(t *testing.T) {
	t.Parallel()
	for _, key := range []*ecdsa.PublicKey{
		{}, {Curve: elliptic.P256()}, {Curve: elliptic.P256(), X: big.NewInt(1)},
		{Curve: elliptic.P256(), X: big.NewInt(-1), Y: big.NewInt(1)},
		{Curve: elliptic.P256(), X: new(big.Int).Lsh(big.NewInt(1), 4096), Y: big.NewInt(1)},
		{Curve: (*elliptic.CurveParams)(nil), X: big.NewInt(1), Y: big.NewInt(1)},
	} {
		c := config("ES256")
		c.Key, c.Keyfunc = nil, func(*jwt.Token) (any, error) { return key, nil }
		if _, err := newVerifier(t, c).Verify(t.Context(), mint("ES256")); err == nil {
			t.Errorf("the key %v verified", key)
		}
	}
}

func TestKeyfuncSeesOnlyTheHeader(t *testing.T) {
	t.Parallel()
	c := config("RS256")
	var seen *jwt.Token
	calls := 0
	c.Key, c.Keyfunc = nil, func(token *jwt.Token) (any, error) {
		seen, calls = token, calls+1
		token.Header["alg"], token.Method = "none", jwt.SigningMethodNone // changes nothing
		return &rsaKey().PublicKey, nil
	}
	c.CacheSize = -1
	v := newVerifier(t, c)
	for range 2 { // the second time with a remembered header
		accepted(t, v, mint("RS256"))
		if kid, typ := seen.Header["kid"], seen.Header["typ"]; kid != "k1" || typ != "JWT" {
			t.Errorf("got kid %v and typ %v", kid, typ)
		}
		if seen.Raw != "" || seen.Signature != nil || seen.Valid || len(seen.Claims.(jwt.MapClaims)) != 0 {
			t.Errorf("the Keyfunc saw %+v", seen)
		}
	}
	if calls != 2 {
		t.Errorf("got %d calls, want 2", calls)
	}

	accepted(t, v, sign("RS256", rsaKey(), `{"alg":"RS256"}`, basePayload))
	if len(seen.Header) != 1 {
		t.Errorf("the Keyfunc saw the header %v, want alg alone", seen.Header)
	}

	calls = 0
	for _, token := range []string{"", "a.b.c", mint("HS256"), headed(`{"alg":"RS256","crit":[]}`)} {
		refused(t, v, token, "")
	}
	if calls != 0 {
		t.Errorf("got %d calls for tokens with a bad format or header, want 0", calls)
	}

	done, cancel := context.WithCancel(t.Context())
	c.Keyfunc = func(*jwt.Token) (any, error) {
		cancel() // in the middle of its work
		return nil, errors.New("gave up")
	}
	if _, err := newVerifier(t, c).Verify(done, mint("RS256")); !errors.Is(err, strictjwt.ErrUnavailable) {
		t.Errorf("got %v from a Keyfunc that was interrupted, want ErrUnavailable", err)
	}
	if _, err := v.Verify(done, mint("RS256")); !errors.Is(err, strictjwt.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v after a cancellation, want ErrUnavailable", err)
	}
	if calls != 0 {
		t.Error("the Keyfunc was called after a cancellation")
	}
}

// TestSetsSkipWeakKeys signs with a key that would verify, were it tried.
func TestSetsSkipWeakKeys(t *testing.T) {
	t.Parallel()
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	c := config("RS256")
	c.Key, c.Keyfunc = nil, func(*jwt.Token) (any, error) {
		return jwt.VerificationKeySet{Keys: []jwt.VerificationKey{&weak.PublicKey, &rsaKey().PublicKey}}, nil
	}
	v := newVerifier(t, c)
	accepted(t, v, mint("RS256"))
	refused(t, v, sign("RS256", weak, `{"alg":"RS256"}`, basePayload), "does not verify")
}

// TestKeyfuncMayServeOneFamily: only a Keyfunc can tell the keys of RS256 from
// those of PS256, by the alg of their JWKs.
func TestKeyfuncMayServeOneFamily(t *testing.T) {
	t.Parallel()
	c := config("RS256")
	c.Algorithms = []string{"RS256", "PS256"}
	c.Key, c.Keyfunc = nil, func(token *jwt.Token) (any, error) {
		if token.Method.Alg() != "PS256" || token.Header["alg"] != "PS256" {
			return nil, errors.New("the alg of this JWK is PS256")
		}
		return &rsaKey().PublicKey, nil
	}
	v := newVerifier(t, c)
	accepted(t, v, mint("PS256"))
	refused(t, v, mint("RS256"), "has no key")
}
