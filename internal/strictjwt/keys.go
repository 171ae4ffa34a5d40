package strictjwt

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/golang-jwt/jwt/v5"
)

// maxKeySet is how many keys of a set are tried for one token.
const maxKeySet = 16

// keySource is one of: a key, keys by kid, a function.
type keySource struct {
	single *boundKey
	byID   map[string]*boundKey
	find   jwt.Keyfunc
}

// boundKey is a configured key, copied, with the one algorithm that it serves.
type boundKey struct {
	algorithm string
	key       any
	macs      *macPool // of an HMAC key
}

// verify checks the signature with a key of the source. A panic of the Keyfunc,
// or of cryptography over a key that it returned, says nothing about the token.
func (s *keySource) verify(ctx context.Context, h header, signed string, signature []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = unavailable("verify the signature", fmt.Errorf("panic: %v", p))
		}
	}()
	if s.find != nil {
		found, err := s.ask(ctx, h)
		if err != nil {
			return err
		}
		return verifyFound(h.algorithm, found, signed, signature)
	}
	key := s.single
	if s.byID != nil {
		key = s.byID[h.kid]
	}
	if key == nil {
		return invalid("no key has its kid")
	}
	// The family of attacks that this ends: a public key as the secret of an
	// HMAC, the key of one algorithm in another (RFC 8725, section 3.1).
	if key.algorithm != h.algorithm.name {
		return invalid("its key is for another alg")
	}
	if key.macs != nil {
		return verdict(key.macs.equal(signed, signature))
	}
	return verdict(h.algorithm.method.Verify(signed, signature, key.key) == nil)
}

func verdict(good bool) error {
	if !good {
		return invalid("the signature does not verify")
	}
	return nil
}

// verifyFound uses what a Keyfunc returned, after the checks that configured
// keys pass once.
func verifyFound(a algorithm, found any, signed string, signature []byte) error {
	if set, ok := found.(jwt.VerificationKeySet); ok {
		return verifyAny(a, set.Keys, signed, signature)
	}
	if err := a.check(found); err != nil {
		return invalid("its key does not fit the alg: " + err.Error())
	}
	return verdict(a.method.Verify(signed, signature, found) == nil)
}

// verifyAny tries the keys of a set that fit, for Keyfuncs that leave the choice
// open where a token has no kid.
func verifyAny(a algorithm, keys []jwt.VerificationKey, signed string, signature []byte) error {
	tried := 0
	for _, key := range keys {
		if a.check(key) != nil {
			continue
		}
		if tried++; tried > maxKeySet {
			return invalid("more keys fit than are tried")
		}
		if a.method.Verify(signed, signature, key) == nil {
			return nil
		}
	}
	return verdict(false)
}

// ask calls the Keyfunc. It gets neither the token, nor its claims, nor the
// header members that offer a key.
func (s *keySource) ask(ctx context.Context, h header) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable("find a key", err)
	}
	members := map[string]any{"alg": h.algorithm.name}
	if h.typ.present {
		members["typ"] = h.typ.value
	}
	if h.kid != "" {
		members["kid"] = h.kid
	}
	key, err := s.find(&jwt.Token{Method: h.algorithm.method, Header: members, Claims: jwt.MapClaims{}})
	if err == nil {
		return key, nil
	}
	if outOfReach(err) || ctx.Err() != nil {
		return nil, unavailable("find a key", err)
	}
	return nil, invalid("the Keyfunc has no key for it")
}

// outOfReach reports whether a Keyfunc failed without the token's doing.
func outOfReach(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, ErrUnavailable) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
