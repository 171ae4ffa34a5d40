package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard/internal/strictjwt"
)

// JWT says which JSON Web Tokens are accepted (RFC 7519, RFC 8725).
//
// A token must have iss, aud, exp and sub; nbf and iat are checked where present.
// Issuer, Audience, Algorithms and one source of keys are required; the zero
// value of every other field is the strict or the usual choice. Its text forms
// hide the keys. Tokens are signed elsewhere, with golang-jwt for example.
type JWT struct {
	// Issuer is the exact iss of every token.
	Issuer string

	// Audience is the names of this service, of which a token's aud has one.
	Audience []string

	// Algorithms is the pinned values of alg: HS256, HS384, HS512, RS256, RS384,
	// RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA. HMAC does not mix
	// with the others. A key in Key or Keys serves one algorithm.
	Algorithms []string

	// Key is the only key: []byte for HMAC, at least as long as the hash;
	// *rsa.PublicKey of 2048 to 8192 bits, *ecdsa.PublicKey or ed25519.PublicKey.
	Key any

	// Keys is the keys by kid, which every token must then have. During a rotation
	// it holds the old key and the new one.
	Keys map[string]any

	// Keyfunc finds the key on each use, for libraries that fetch key sets. It is
	// called before the signature is verified, with a token that has no claims. Its
	// error refuses the token, except that a network or context error, or a panic,
	// is a 503. Forgers choose the kid: it must limit what unknown ones cost.
	Keyfunc jwt.Keyfunc

	// Type is the required typ, such as "at+jwt" for the access tokens of RFC 9068.
	// Empty accepts a token without typ or with JWT.
	Type string

	// Leeway is how far clocks may differ. 0 is 30 s, the maximum is a minute.
	Leeway time.Duration

	// MaxAge is how long after its iat a token is refused, whatever its exp. 0 is
	// no maximum. With one, tokens without iat are refused.
	MaxAge time.Duration

	// CacheSize is how many verified tokens are remembered, signature and claims
	// only, 1 KiB each at most on average. 0 is 32,768; a negative number switches the
	// cache off.
	CacheSize int

	// CacheAge is how long a verified signature is trusted: a withdrawn key stops
	// working within this time. 0 is a minute, the maximum an hour.
	CacheAge time.Duration

	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// String tells issuer, audience and algorithms, never keys.
func (c JWT) String() string { return strictjwt.Config(c).String() }

// GoString is String: the %#v form must not show keys either.
func (c JWT) GoString() string { return c.String() }

// LogValue is String, for [log/slog].
func (c JWT) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Claims is what a verified token says.
//
// Subject, Issuer, ID (jti) and KeyID (kid) are strings, Audience is a list of them,
// ExpiresAt, IssuedAt and NotBefore are times; what is absent is zero. Decode(dst any)
// error decodes all claims, the service's own among them, into a pointer to a struct:
// exact names only, and an error where they do not fit.
//
// Its text forms and its log value leave out everything but issuer and expiry.
type Claims = strictjwt.Claims

// JWTVerifier verifies tokens. Make one with [NewJWT].
//
// It is immutable and safe for concurrent use. A nil or zero one refuses all.
type JWTVerifier struct{ tokens *strictjwt.Verifier }

// NewJWT returns a verifier, or an error that lists every mistake in c.
func NewJWT(c JWT) (*JWTVerifier, error) {
	tokens, err := strictjwt.New(strictjwt.Config(c))
	if err != nil {
		return nil, fmt.Errorf("guard: NewJWT: %w", err)
	}
	return &JWTVerifier{tokens}, nil
}

// Forget drops a token from the cache of verified signatures.
//
// It does not revoke the token: that is the session function's part.
func (v *JWTVerifier) Forget(token string) {
	if v != nil {
		v.tokens.Forget(token)
	}
}

// SessionFrom turns the claims of a verified token into the service's own session.
//
// session runs on every request, cached signature or not: look the subject and,
// where tokens can be revoked, Claims.ID up there, and take roles from there. It
// returns [ErrNoSession] for who may not come in, as [Verifier] says.
func SessionFrom[S Principal](v *JWTVerifier, session func(context.Context, Claims) (S, error)) Verifier[S] {
	mustBe("SessionFrom", check{"the verifier", v != nil}, check{"session", session != nil})
	return func(ctx context.Context, token string) (S, error) {
		var none S
		claims, err := v.tokens.Verify(ctx, token)
		if errors.Is(err, strictjwt.ErrInvalid) {
			return none, &badToken{err}
		}
		if err != nil {
			return none, err
		}
		return session(ctx, claims)
	}
}

// badToken is ErrNoSession with the reason. Its text is made when the log asks for
// it: forged tokens come in floods.
type badToken struct{ reason error }

func (e *badToken) Error() string { return ErrNoSession.Error() + ": " + e.reason.Error() }

func (e *badToken) Is(target error) bool { return target == ErrNoSession }

func (e *badToken) Unwrap() error { return e.reason }
