package guard

import (
	"context"
	"net/netip"
	"time"
)

// Store keeps token buckets, in this process or shared between instances.
//
// It owns the clock: a bucket holds Burst tokens, refills by Count every Per, and
// a Store that forgets a bucket must forget only full ones. All methods are safe
// for concurrent use, and return when their context ends.
type Store interface {
	// Take charges every bucket or none, in one round trip, and fills out, which
	// has the length of charges. It reports whether all of them allowed it. After
	// an error the state is unknown, and the caller never retries: a lost answer
	// may charge twice, but never admits twice.
	Take(ctx context.Context, charges []Charge, out []Decision) (ok bool, err error)

	// Refund gives back tokens that Take took, never above the burst. A bucket
	// that is not known is full already.
	Refund(ctx context.Context, charges []Charge) error

	// Acquire takes one of max places of a key, for at most ttl. Release gives it
	// back and may be called more than once. It is nil where ok is false.
	Acquire(ctx context.Context, charge Charge, max int, ttl time.Duration) (release func(), ok bool, err error)
}

// Charge is the use of one bucket. The bucket is known by Limit and Key together.
type Charge struct {
	Limit string // the limit's name, or the route's pattern
	Key   Key
	Count int // tokens that come back every Per
	Per   time.Duration
	Burst int // tokens in a full bucket
	Cost  int // tokens to take; 0 looks without taking; above Burst is refused for ever
}

// Key is whom a bucket belongs to.
//
// All fields count. Keys hold personal data and may be as long as an input
// allows: a shared store should keep a digest.
type Key struct {
	Scope string     // what kind of key it is, such as "ip" or "caller"
	Rule  string     // tells unnamed limits of one route apart; empty for named ones
	Addr  netip.Addr // of a limit by address or network, cut to its prefix
	Text  string     // what else the key is made of
}

// Decision is what one bucket answered.
type Decision struct {
	Allowed    bool          // this bucket alone
	Remaining  int           // whole tokens left after the call
	RetryAfter time.Duration // where refused: waiting this long is enough; negative: never
	Next       time.Duration // until one more token
	Full       time.Duration // until the bucket is full
}
