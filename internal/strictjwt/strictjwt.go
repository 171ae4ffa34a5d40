// Package strictjwt verifies JSON Web Tokens so that no known trick gets past.
//
// Signatures are checked by github.com/golang-jwt/jwt/v5. Everything around
// them is checked here, because that library accepts by default what RFC 8725
// warns of: empty HMAC keys, unknown critical headers, missing expiry, duplicate
// members, a second spelling of the same token. A token is looked at in a fixed
// order, and each step refuses for good:
//
//  1. length, three segments;
//  2. the header: one JSON object, the pinned alg, typ, no crit, no b64;
//  3. the key, from the configuration alone;
//  4. the signature;
//  5. the claims: one JSON object, then exp, nbf, iat, iss, aud, sub, jti.
//
// A segment is decoded, from base64url in its only spelling, when its turn comes.
//
// What is not checked: whether the token was revoked and whether the subject
// still exists. Load the subject on every request for that.
package strictjwt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// MaxTokenBytes is the length above which a token is refused unread.
const MaxTokenBytes = 8 << 10

var (
	// ErrInvalid matches every refusal that is the token's fault.
	//
	// The text of an error that wraps it says what is wrong and is for the log.
	// It never has a part of the token in it.
	ErrInvalid = errors.New("guard: JWT: invalid token")

	// ErrUnavailable matches failures to decide: the token may be good.
	//
	// A caller is not let in, but should learn 503, not 401. A [Config.Keyfunc]
	// wraps it to say that its keys cannot be reached.
	ErrUnavailable = errors.New("guard: JWT: cannot verify now")
)

// invalid is a refusal. As a constant it costs nothing to return, which counts
// where forged tokens arrive in numbers.
type invalid string

func (e invalid) Error() string { return ErrInvalid.Error() + ": " + string(e) }
func (e invalid) Unwrap() error { return ErrInvalid }

// unavailable wraps the reason why no verdict was possible.
func unavailable(doing string, cause error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, cause)
}

// Verifier verifies tokens against one [Config].
//
// Make one with [New]; a nil or zero Verifier refuses every token. It is
// immutable, safe for concurrent use, and starts no goroutine. Its text forms
// hide keys and cached tokens.
type Verifier struct {
	issuer   string
	audience []string
	typ      string // in full and in lower case; "" is the default policy
	leeway   time.Duration
	maxAge   time.Duration
	now      func() time.Time

	// Behind pointers, so that printing a Verifier with fmt shows addresses.
	algorithms *pinned
	keys       *keySource
	headers    *headerMemo
	cache      *cache // nil when switched off
}

// Verify returns the claims of a token that passes every check.
//
// On an error the claims are zero and the error matches [ErrInvalid] or
// [ErrUnavailable]. A [Config.Keyfunc] has no context: it is not called once ctx
// is done, and must bound its own work.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	if v == nil || v.keys == nil {
		return Claims{}, unavailable("look at the Verifier", errors.New("it was not made by New"))
	}
	if len(token) > MaxTokenBytes {
		return Claims{}, invalid("longer than 8 KiB")
	}
	// Without the monotonic reading, which stands still while a virtual machine
	// is suspended and would let cached signatures live longer.
	now := v.now().Round(0)
	if now.Unix() <= 0 {
		// A clock that was never set would keep every expired token alive.
		return Claims{}, unavailable("read the clock", errors.New("it stands before 1970"))
	}

	id := v.cache.id(token)
	if e := v.cache.get(id, now); e != nil {
		if err := v.checkTimes(&e.claims, now); err != nil {
			return Claims{}, err
		}
		return e.claims.copy(), nil
	}

	claims, err := v.look(ctx, token)
	if err != nil {
		return Claims{}, err
	}
	if err := v.checkTimes(&claims, now); err != nil {
		return Claims{}, err
	}
	v.cache.put(id, &claims, now)
	return claims, nil
}

// look returns the claims of a token that was signed by a configured key.
func (v *Verifier) look(ctx context.Context, token string) (Claims, error) {
	r := rooms.Get().(*room)
	defer r.release()
	header, payload, err := v.authenticate(ctx, token, r)
	if err != nil {
		return Claims{}, err
	}
	claims, err := v.readClaims(payload, r)
	claims.KeyID = header.kid
	return claims, err
}

// authenticate returns the header and the payload, in r, of a token that was signed
// by a configured key. Nothing has looked at the payload: parsing what nobody
// vouches for is how parsers are attacked.
func (v *Verifier) authenticate(ctx context.Context, token string, r *room) (header, []byte, error) {
	seg, err := split(token)
	if err != nil {
		return header{}, nil, err
	}
	h, err := v.readHeader(seg.header, r)
	if err != nil {
		return header{}, nil, err
	}
	signature, err := r.decode(seg.signature)
	if err != nil {
		return header{}, nil, invalid("the signature is not canonical base64url")
	}
	if err := v.keys.verify(ctx, h, seg.signed, signature); err != nil {
		return header{}, nil, err
	}
	v.headers.keep(seg.header, h)
	payload, err := r.decode(seg.payload)
	if err != nil {
		return header{}, nil, invalid("the payload is not canonical base64url")
	}
	return h, payload, nil
}

// Forget drops a token from the cache, so that its next use is a full check.
//
// It does not revoke the token: a good signature verifies again. It is a no-op
// for tokens that are not cached and for a nil Verifier.
func (v *Verifier) Forget(token string) {
	if v == nil || v.cache == nil || len(token) > MaxTokenBytes {
		return
	}
	v.cache.forget(v.cache.id(token))
}

// String tells what is accepted, without keys or tokens.
func (v Verifier) String() string {
	if v.keys == nil {
		return "guard.JWT verifier (refuses all)"
	}
	return fmt.Sprintf("guard.JWT verifier (issuer %q, %s)", v.issuer, strings.Join(v.algorithms.names, " "))
}

// GoString is String: the %#v form must not show keys either.
func (v Verifier) GoString() string { return v.String() }

// LogValue is String, for [log/slog].
func (v Verifier) LogValue() slog.Value { return slog.StringValue(v.String()) }
