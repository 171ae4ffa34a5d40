package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/routeguard/guard/internal/flight"
)

// Cache says how long [Cached] remembers sessions, and how many.
type Cache struct {
	// Good is how long a session serves, counted from the start of its lookup: a
	// withdrawn one works that much longer. It must be above 0.
	Good time.Duration

	// Bad is how long a refusal serves: a credential that was just made may be
	// refused that much longer. 0 remembers none.
	Bad time.Duration

	// Size is the most sessions, and the most refusals, held at once; each half
	// drops its oldest. 0 is 10,000.
	Size int

	// Lookups is the most lookups under way at once; more are answered with 503.
	// 0 is 1,000.
	Lookups int

	// Timeout ends one lookup, whoever waits for it. 0 is 10 seconds.
	Timeout time.Duration
}

// CachedVerifier is a Verifier with a memory. Make one with [Cached].
//
// It is safe for concurrent use. A zero or nil one answers with an error: 503.
type CachedVerifier[S Principal] struct{ cache *flight.Cache[S] }

// Cached remembers what verify says of opaque tokens and API keys.
//
//	keys := guard.Cached(app.sessionOfKey, guard.Cache{Good: 30 * time.Second, Bad: 5 * time.Second})
//	users := guard.APIKey("X-API-Key", keys.Verify)
//
// Requests with one credential share one lookup. Its context has the values of
// the first of them and nobody's cancellation. What is remembered are sessions and
// what [Verifier] calls good for nothing (ErrNoSession, ErrNotFound), never other
// errors, panics, nil sessions or ones without a Subject. Sessions are shared:
// they must not be changed. Credentials are not held, only keyed hashes of them.
//
// It panics where verify is nil or the times make no sense. A JWT needs no
// Cached: its signature has a cache of its own, and its session is meant to be
// looked up.
func Cached[S Principal](verify Verifier[S], c Cache) *CachedVerifier[S] {
	mustBe("Cached", check{"verify", verify != nil})
	cache, err := flight.New(flight.Config{Good: c.Good, Bad: c.Bad, Size: c.Size, BadSize: c.Size, Lookups: c.Lookups,
		Timeout: c.Timeout, IsBad: isRefusal}, func(ctx context.Context, credential string) (S, error) {
		session, err := verify(ctx, credential)
		if err == nil && isNobody(session) {
			err = errUncached
		}
		return session, err
	})
	if err != nil {
		panic("guard: Cached: " + err.Error())
	}
	return &CachedVerifier[S]{cache}
}

// errUncached is a nil session on its way past the cache: a bug of the verifier
// must not outlive its fix.
var errUncached = fmt.Errorf("guard: not cached: %w", errNobody)

func isRefusal(err error) bool { return errors.Is(err, ErrNoSession) || isNotFound(err) }

// Verify is the [Verifier] to pass to Bearer, APIKey or Cookie.
func (v *CachedVerifier[S]) Verify(ctx context.Context, credential string) (S, error) {
	var none S
	if v == nil {
		return none, errors.New("guard: the CachedVerifier is nil")
	}
	session, err := v.cache.Get(ctx, credential)
	if err == nil {
		return session, nil
	}
	var panicked *flight.PanicError
	switch {
	case errors.Is(err, errUncached):
		return none, fmt.Errorf("%w: %w", ErrNoSession, err)
	case errors.As(err, &panicked):
		// Its value may hold the credential; where it happened does not.
		return none, fmt.Errorf("%w\n%s", err, panicked.Stack)
	}
	return none, err
}

// Forget drops what is known of a credential, such as at sign-out.
//
// A request that begins after it has returned asks anew. Other processes do not
// learn of it: there, Cache.Good is the bound.
func (v *CachedVerifier[S]) Forget(credential string) {
	if v != nil {
		v.cache.Forget(credential)
	}
}
