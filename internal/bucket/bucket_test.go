package bucket_test

import (
	"sync/atomic"
	"time"

	"github.com/routeguard/guard/internal/bucket"
)

// A clock is a fake time, safe for concurrent use.
type clock struct{ ns atomic.Int64 }

func (c *clock) Now() time.Duration  { return time.Duration(c.ns.Load()) }
func (c *clock) Add(d time.Duration) { c.ns.Add(int64(d)) }
func (c *clock) Set(d time.Duration) { c.ns.Store(int64(d)) }
func (c *clock) table(exact, parked, shards int) *bucket.Table {
	return bucket.New(bucket.Config{Exact: exact, Parked: parked, Shards: shards, Now: c.Now})
}

// scale returns n, or a part of it where tests must be quick.
func scale(short bool, n int) int {
	if short || raceEnabled {
		return n / 10
	}
	return n
}

// gcra is the reference: an independent token bucket in integers, which needs
// periods that are a multiple of the count.
type gcra struct{ tat int64 }

// debt returns the time until the bucket is full.
func (g *gcra) debt(now int64) int64 { return max(0, g.tat-now) }

// short returns how long cost does not fit; at most 0 if it fits now.
func (g *gcra) short(op *bucket.Op, now int64) int64 {
	perToken := int64(op.Per) / int64(op.Count)
	return g.debt(now) + int64(op.Cost)*perToken - int64(burstOf(op))*perToken
}

func (g *gcra) add(op *bucket.Op, tokens int, now int64) {
	perToken := int64(op.Per) / int64(op.Count)
	g.tat = now + max(0, g.debt(now)+int64(tokens)*perToken)
}

func burstOf(op *bucket.Op) int {
	if op.Burst == 0 {
		return op.Count
	}
	return op.Burst
}
