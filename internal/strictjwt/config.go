package strictjwt

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	defaultLeeway   = 30 * time.Second
	maxLeeway       = time.Minute
	defaultCache    = 32768
	maxCache        = 1 << 20
	defaultCacheAge = time.Minute
	maxCacheAge     = time.Hour
)

// Config says which tokens are accepted.
//
// Issuer, Audience, Algorithms and one source of keys are required; the zero
// value of every other field is the strict or the usual choice. [New] copies
// it, keys included. Its text forms hide the keys.
type Config struct {
	// Issuer is the exact iss of every token.
	Issuer string

	// Audience is the names of this service, of which a token's aud has one.
	Audience []string

	// Algorithms is the pinned values of alg.
	//
	// HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256,
	// ES384, ES512 and EdDSA (Ed25519) are known. HMAC does not mix with the
	// others. A key in Key or Keys serves one algorithm (RFC 8725, section 3.1),
	// so two of HS*, or two of RS* and PS*, need a Keyfunc.
	Algorithms []string

	// Key is the only key: []byte for HMAC, at least as long as the hash;
	// *rsa.PublicKey of 2048 to 8192 bits, *ecdsa.PublicKey or ed25519.PublicKey.
	//
	// The kid of a token is then ignored.
	Key any

	// Keys is the keys by kid, which every token must then have.
	//
	// During a rotation it holds the old key and the new one.
	Keys map[string]any

	// Keyfunc finds the key on each use, for libraries that fetch key sets.
	//
	// It is called before the signature is verified, by any number of requests
	// at once, with a token that has Method, the header members alg, typ and kid,
	// and no claims. What it returns is held to the rules of Key; of a
	// [jwt.VerificationKeySet], up to 16 fitting keys are tried. It should honor
	// the alg and use of a JWK, which are lost in the Go key.
	//
	// Its error refuses the token, except that [ErrUnavailable], a [net.Error], a
	// context's error or a panic are [ErrUnavailable]. Forgers choose the kid, so
	// that it must limit what unknown ones cost.
	Keyfunc jwt.Keyfunc

	// Type is the required typ, with or without "application/".
	//
	// Empty accepts a token without typ or with JWT. For access tokens of RFC
	// 9068 it is at+jwt, so that no other kind of token passes for one.
	Type string

	// Leeway is how far clocks may differ, for exp, nbf, iat and MaxAge.
	//
	// 0 is 30 s and the maximum is a minute. For none, use time.Nanosecond.
	Leeway time.Duration

	// MaxAge is how long after its iat a token is refused, whatever its exp.
	//
	// 0 is no maximum. With one, tokens without iat are refused.
	MaxAge time.Duration

	// CacheSize is how many verified tokens are remembered.
	//
	// 0 is 32,768; a negative number switches the cache off; 2 to 1,048,576. It
	// holds a keyed hash and the claims, 1 KiB per token on average at most.
	CacheSize int

	// CacheAge is how long a verified signature is trusted at most.
	//
	// A withdrawn key stops working within this time. 0 is a minute; the maximum
	// is an hour.
	CacheAge time.Duration

	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// New returns a Verifier, or an error that joins every mistake in the Config.
func New(c Config) (*Verifier, error) {
	var m mistakes
	c.checkNames(&m)
	algorithms := c.pin(&m)
	keys := c.takeKeys(&m, algorithms)
	c.checkTimes(&m)
	if len(m) > 0 {
		return nil, errors.Join(m...)
	}
	v := &Verifier{
		issuer:     c.Issuer,
		audience:   slices.Clone(c.Audience),
		leeway:     c.Leeway,
		maxAge:     c.MaxAge,
		now:        c.Now,
		algorithms: algorithms,
		keys:       keys,
		headers:    new(headerMemo),
	}
	if c.Type != "" {
		v.typ = fullType(c.Type)
	}
	if v.leeway == 0 {
		v.leeway = defaultLeeway
	}
	if v.now == nil {
		v.now = time.Now
	}
	v.expectUsual()
	if c.CacheSize >= 0 {
		v.cache = newCache(c.CacheSize, c.CacheAge)
	}
	return v, nil
}

// String tells issuer, audience and algorithms, never keys.
func (c Config) String() string {
	return fmt.Sprintf("guard.JWT{issuer %q, audience %q, algorithms %q}", c.Issuer, c.Audience, c.Algorithms)
}

// GoString is String: the %#v form must not show keys either.
func (c Config) GoString() string { return c.String() }

// LogValue is String, for [log/slog].
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }
