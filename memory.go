package guard

import (
	"context"
	"math"
	"net/netip"
	"time"

	"github.com/routeguard/guard/internal/bucket"
)

// memory is the Store of this process.
type memory struct{ table *bucket.Table }

const inline = 4 // limits of one stage that need no allocation

func (m *memory) Take(_ context.Context, charges []Charge, out []Decision) (bool, error) {
	ops, results := make([]bucket.Op, len(charges)), make([]bucket.Result, len(charges))
	m.ops(ops, charges)
	ok := m.table.Take(ops, results)
	for i, r := range results {
		out[i] = Decision(r)
	}
	return ok, nil
}

func (m *memory) Refund(_ context.Context, charges []Charge) error {
	ops := make([]bucket.Op, len(charges))
	m.ops(ops, charges)
	m.table.Refund(ops)
	return nil
}

// Acquire needs no lease: when the process dies, so do its requests.
func (m *memory) Acquire(_ context.Context, c Charge, most int, _ time.Duration) (func(), bool, error) {
	release, ok := m.table.Acquire(m.key(m.under(c.Limit, c.Key.Scope, c.Key.Rule), c.Key.Addr, c.Key.Text), most)
	return release, ok, nil
}

func (m *memory) ops(ops []bucket.Op, charges []Charge) {
	for i := range charges {
		c := &charges[i]
		key := m.key(m.under(c.Limit, c.Key.Scope, c.Key.Rule), c.Key.Addr, c.Key.Text)
		ops[i] = bucket.Op{Key: key, Count: c.Count, Per: c.Per, Burst: c.Burst, Cost: c.Cost}
	}
}

// under is the digest of what the keys of one rule on one route have in common.
func (m *memory) under(limit, scope, rule string) bucket.Key {
	return bucket.Digest(m.table, struct{ limit, scope, rule string }{limit, scope, rule})
}

// key is the digest of everything that a bucket is known by. A netip.Addr holds a
// pointer, which would put it on the heap; its zone is cut off by its prefix.
func (m *memory) key(under bucket.Key, addr netip.Addr, text string) bucket.Key {
	return bucket.Digest(m.table, struct {
		under bucket.Key
		addr  [16]byte
		text  string
	}{under, addr.As16(), text})
}

// share counts an instance's share of each limit while the shared store is down.
type share struct {
	*memory
	instances int
}

func (s *share) Take(ctx context.Context, charges []Charge, out []Decision) (bool, error) {
	return s.memory.Take(ctx, s.own(charges), out)
}

func (s *share) Refund(ctx context.Context, charges []Charge) error {
	return s.memory.Refund(ctx, s.own(charges))
}

func (s *share) Acquire(ctx context.Context, c Charge, most int, ttl time.Duration) (func(), bool, error) {
	return s.memory.Acquire(ctx, c, s.of(most), ttl)
}

// own divides the rate and the burst, which stays enough for what one request costs:
// each instance admits at least one request a bucket.
func (s *share) own(charges []Charge) []Charge {
	scaled := make([]Charge, len(charges))
	for i, c := range charges {
		if c.Per > math.MaxInt64/time.Duration(s.instances) {
			c.Count = s.of(c.Count)
		} else {
			c.Per *= time.Duration(s.instances)
		}
		c.Burst = max(s.of(c.Burst), min(c.Cost, c.Burst))
		scaled[i] = c
	}
	return scaled
}

func (s *share) of(n int) int { return (n + s.instances - 1) / s.instances }
