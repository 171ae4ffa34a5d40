package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/routeguard/guard"
)

var _ guard.Store = (*Store)(nil)

// maxFill is the longest time in which an empty bucket may fill, as in the process's
// own table. Microseconds of it are far below what Lua's numbers hold exactly.
const maxFill = 400 * 24 * time.Hour

// Take implements guard.Store. A charge that is not valid is refused for ever.
func (s *Store) Take(ctx context.Context, charges []guard.Charge, out []guard.Decision) (bool, error) {
	if len(out) < len(charges) {
		return false, fmt.Errorf("redisstore: take: %d charges, but room for %d decisions", len(charges), len(out))
	}
	clear(out)
	if len(charges) == 0 {
		return false, nil
	}
	if !allValid(charges, out) {
		return false, nil
	}
	keys := make([]string, len(charges))
	args := make([]any, 0, 2*len(charges))
	for i := range charges {
		c := &charges[i]
		keys[i] = s.bucket(kindLimit, c)
		args = append(args, inTime(c), perToken(c)*int64(c.Burst))
	}
	reply, err := s.run(ctx, takeScript, keys, args...)
	if err != nil {
		return false, fmt.Errorf("redisstore: take: %w", err)
	}
	ok, err := decode(reply, keys, charges, out)
	if err != nil {
		clear(out)
		return false, fmt.Errorf("redisstore: take: %w", err)
	}
	return ok, nil
}

// allValid reports whether all charges can be asked for. If not, it refuses those that
// cannot, and no other is looked at.
func allValid(charges []guard.Charge, out []guard.Decision) bool {
	valid := true
	for i := range charges {
		if !isValid(&charges[i]) {
			valid = false
			out[i].RetryAfter = -1
		}
	}
	if valid {
		return true
	}
	for i := range charges {
		out[i].Allowed = out[i].RetryAfter == 0
	}
	return false
}

// isValid also keeps the numbers of the script within 2⁵³.
func isValid(c *guard.Charge) bool {
	if c.Count < 1 || c.Per <= 0 || c.Burst < 1 || c.Cost < 0 || c.Key == (guard.Key{}) {
		return false
	}
	token := perToken(c)
	return token <= int64(maxFill/time.Microsecond)/int64(c.Burst)
}

// inTime is the microseconds that a charge costs. One above the burst is refused
// whatever it is.
func inTime(c *guard.Charge) int64 {
	return perToken(c) * min(int64(c.Cost), int64(c.Burst)+1)
}

// perToken is the microseconds in which one token comes back, rounded up: never more
// than the limit.
func perToken(c *guard.Charge) int64 {
	ns := (int64(c.Per)-1)/int64(c.Count) + 1
	return (ns-1)/int64(time.Microsecond) + 1
}

// bucket is the key of a charge, for tokens or for places.
func (s *Store) bucket(kind string, c *guard.Charge) string {
	addr := ""
	if c.Key.Addr.IsValid() {
		addr = c.Key.Addr.String()
	}
	return s.key(kind, c.Limit, c.Key.Scope, c.Key.Rule, addr, c.Key.Text)
}

var errReply = errors.New("redis sent a reply of another shape")

func decode(reply any, keys []string, charges []guard.Charge, out []guard.Decision) (bool, error) {
	values, _ := reply.([]any)
	if len(values) != 1+2*len(charges) {
		return false, errReply
	}
	var room [9]int64
	numbers := room[:0]
	for _, v := range values {
		n, ok := v.(int64)
		if !ok || n < 0 {
			return false, errReply
		}
		numbers = append(numbers, n)
	}
	all := numbers[0] == 1
	for i := range charges {
		wait, lack := numbers[1+2*i], numbers[2+2*i]
		if all && wait != 0 {
			return false, errReply
		}
		earlier, later := others(i, keys, charges)
		if all {
			lack += inTime(&charges[i]) + later
		} else {
			lack -= earlier
		}
		out[i] = decision(&charges[i], wait, max(0, lack))
		if wait > 0 && earlier+inTime(&charges[i]) > perToken(&charges[i])*int64(charges[i].Burst) {
			out[i].RetryAfter = -1 // not even into a full bucket
		}
	}
	return all, nil
}

// others is what the other charges on the bucket of charge i cost, in microseconds.
func others(i int, keys []string, charges []guard.Charge) (earlier, later int64) {
	for j := range charges {
		switch {
		case j == i || keys[j] != keys[i]:
		case j < i:
			earlier += inTime(&charges[j])
		default:
			later += inTime(&charges[j])
		}
	}
	return earlier, later
}

// decision is what a bucket says that lacks some microseconds of being full.
func decision(c *guard.Charge, wait, lack int64) guard.Decision {
	token := perToken(c)
	d := guard.Decision{Allowed: wait == 0, RetryAfter: micros(wait), Full: micros(lack)}
	// In whole tokens, rounded up. A bucket that another rate has charged may lack
	// more than it can hold.
	missing := (lack + token - 1) / token
	d.Remaining = int(max(0, int64(c.Burst)-missing))
	if missing > 0 {
		d.Next = micros(lack - int64(c.Burst-d.Remaining-1)*token)
	}
	return d
}

func micros(n int64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
}

// Refund implements guard.Store. It is not repeated when it fails: giving back twice
// would admit too much.
func (s *Store) Refund(ctx context.Context, charges []guard.Charge) error {
	var keys []string
	var args []any
	for i := range charges {
		if c := &charges[i]; isValid(c) && 0 < c.Cost && c.Cost <= c.Burst {
			keys = append(keys, s.bucket(kindLimit, c))
			args = append(args, inTime(c))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	if _, err := s.run(ctx, refundScript, keys, args...); err != nil {
		return fmt.Errorf("redisstore: refund: %w", err)
	}
	return nil
}

// Acquire implements guard.Store. A place whose instance dies is free after ttl, and
// so is one whose holder runs longer, or whose answer was lost.
func (s *Store) Acquire(ctx context.Context, charge guard.Charge, most int, ttl time.Duration) (func(), bool, error) {
	if most < 1 || charge.Key == (guard.Key{}) {
		return nil, false, nil
	}
	if ttl < time.Millisecond || ttl > maxFill {
		return nil, false, fmt.Errorf("redisstore: acquire: ttl is %s: use 1ms to %s", ttl, maxFill)
	}
	key, member := s.bucket(kindPlace, &charge), rand.Text()
	reply, err := s.run(ctx, acquireScript, []string{key}, most, ttl.Microseconds(), member)
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("redisstore: acquire: %w", err)
	case reply == int64(0):
		return nil, false, nil
	case reply != int64(1):
		return nil, false, fmt.Errorf("redisstore: acquire: %w", errReply)
	}
	return sync.OnceFunc(func() { s.leave(key, member) }), true, nil
}

// leave frees a place. It has no error to return: a place that could not be freed ends
// with its time.
func (s *Store) leave(key, member string) {
	_ = s.ask(context.Background(), func(ctx context.Context) error {
		return s.client.ZRem(ctx, key, member).Err()
	})
}
