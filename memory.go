package guard

import (
	"context"
	"time"

	"github.com/routeguard/guard/internal/bucket"
)

// memory is the Store of this process.
type memory struct{ table *bucket.Table }

func newMemory() *memory { return &memory{bucket.New(bucket.Config{})} }

const inline = 4 // charges of one stage that need no allocation

func (m *memory) Take(_ context.Context, charges []Charge, out []Decision) (bool, error) {
	return m.take(charges, out), nil
}

func (m *memory) take(charges []Charge, out []Decision) bool {
	var opBuf [inline]bucket.Op
	var resultBuf [inline]bucket.Result
	ops, results := m.ops(opBuf[:0], charges), resultBuf[:]
	if len(ops) > inline {
		results = make([]bucket.Result, len(ops))
	}
	ok := m.table.Take(ops, results[:len(ops)])
	for i, r := range results[:len(ops)] {
		out[i] = Decision(r)
	}
	return ok
}

func (m *memory) Refund(_ context.Context, charges []Charge) error {
	var buf [inline]bucket.Op
	m.table.Refund(m.ops(buf[:0], charges))
	return nil
}

func (m *memory) Acquire(_ context.Context, c Charge, max int, _ time.Duration) (func(), bool, error) {
	release, ok := m.table.Acquire(m.key(&c), max)
	return release, ok, nil
}

func (m *memory) ops(ops []bucket.Op, charges []Charge) []bucket.Op {
	for i := range charges {
		c := &charges[i]
		ops = append(ops, bucket.Op{Key: m.key(c), Count: c.Count, Per: c.Per, Burst: c.Burst, Cost: c.Cost})
	}
	return ops
}

// key is the digest of everything that a bucket is known by.
func (m *memory) key(c *Charge) bucket.Key {
	return bucket.Digest(m.table, struct {
		limit string
		key   Key
	}{c.Limit, c.Key})
}
