// Package bucket is a bounded table of token buckets for one process.
//
// The guarantee: no key ever gets more than Burst + Count/Per × time, whatever
// the size of the table and whatever the flood. What the bounds cost shows as
// refusals of keys that the table does not know, and [Table.Stats] counts them.
//
// A bucket that is full equals no bucket, so the table keeps only keys in debt,
// in three tiers:
//
//   - exact: a [rate.Limiter] per key, about 140 bytes;
//   - parked: when the exact tier is at capacity, the fullest of eight buckets
//     leaves it and its debt is kept in 8 bytes;
//   - floor: when parking is at capacity as well, the smallest debt is forgotten,
//     and every key that is unknown to its cache line inherits that debt.
//
// A refused take stores nothing, so an attacker who is over its limit costs no
// memory. The table has no goroutine and no timer, and needs no Close.
//
// All times inside are nanoseconds of the table's clock. Each shard clamps them
// to be monotone under its lock, because a time that steps back creates tokens
// in x/time/rate (golang/go#56287, #71360).
package bucket

import (
	"math/bits"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	defaultExact  = 65536
	defaultParked = 1 << 20
	defaultShards = 256

	maxTier   = 1 << 28 // keys per tier; keeps slot numbers within 32 bits
	maxShards = 1 << 12

	// maxClock keeps sums of a clock reading and a debt far from overflow.
	// 146 years of uptime: beyond it the table's time stands still, so it closes.
	maxClock = 1 << 62
)

// Config sizes a [Table]. The zero value is ready for use.
type Config struct {
	// Exact is the number of keys with a bucket of their own; 0 or less means
	// 65,536, and more than 1<<28 means 1<<28.
	Exact int

	// Parked is the number of debts kept in 8 bytes each once Exact is reached,
	// allocated when first needed; 0 or less means 1<<20, more than 1<<28 means
	// 1<<28. Each shard has room for a multiple of seven.
	Parked int

	// Shards is the number of locks, rounded down to a power of two; 0 or less
	// means 256. A table with fewer than 64 exact keys a shard gets fewer shards.
	Shards int

	// Now is the time since an arbitrary start; nil means the monotonic clock.
	// It must be safe for concurrent use. Steps back are ignored; a negative
	// time counts as 0.
	Now func() time.Duration
}

// A Table holds token buckets by key. Create one with [New].
//
// It is safe for concurrent use. A nil or zero Table is not usable.
type Table struct {
	now    func() time.Duration
	shift  uint // 64 - log2(number of shards)
	shards []shard
	leases [leaseShards]leases

	place seed        // picks shard and slot
	text  digestSeeds // of the keys from Text
	addr  digestSeeds // of the keys from Addr

	parkOnce sync.Once
	lines    []line // the parked tier of all shards, allocated at the first eviction
	perShard int    // lines of one shard
}

// New returns an empty Table.
func New(cfg Config) *Table {
	exact := orDefault(cfg.Exact, defaultExact, maxTier)
	parked := orDefault(cfg.Parked, defaultParked, maxTier)
	shards := orDefault(cfg.Shards, defaultShards, maxShards)
	shards = max(1, min(shards, exact/chunkSlots))
	shards = 1 << (bits.Len(uint(shards)) - 1)

	t := &Table{
		now:      cfg.Now,
		shift:    uint(64 - bits.TrailingZeros(uint(shards))),
		shards:   make([]shard, shards),
		place:    newSeed(),
		text:     newDigestSeeds(),
		addr:     newDigestSeeds(),
		perShard: (parked/shards + debtsPerLine - 1) / debtsPerLine,
	}
	t.perShard = max(1, t.perShard)
	if t.now == nil {
		start := time.Now()
		t.now = func() time.Duration { return time.Since(start) }
	}
	parkSeed := newSeed()
	for i := range t.shards {
		s := &t.shards[i]
		s.capacity = exact / shards
		if i < exact%shards {
			s.capacity++
		}
		s.place = t.place
		s.park.seed = parkSeed
		s.park.alloc = func() []line { return t.region(i) }
	}
	return t
}

// orDefault returns n within its bounds, or the default for n <= 0.
func orDefault(n, def, most int) int {
	if n <= 0 {
		return def
	}
	return min(n, most)
}

// region returns the parked lines of one shard. One allocation serves all
// shards: rounding up 256 allocations to size classes would cost a tenth more.
func (t *Table) region(shard int) []line {
	t.parkOnce.Do(func() { t.lines = make([]line, t.perShard*len(t.shards)) })
	return t.lines[shard*t.perShard:][:t.perShard:t.perShard]
}

// shardOf returns the number of the shard for a hash: its highest bits.
func (t *Table) shardOf(hash uint64) uint32 {
	return uint32(hash >> t.shift)
}

// clock returns the current time, before a shard makes it monotone.
func (t *Table) clock() int64 {
	return min(max(int64(t.now()), 0), maxClock)
}

// Take charges every op or none and reports whether all were allowed.
//
// It writes the outcome of ops[i] to out[i]; out may be shorter than ops or nil.
// No ops is false: nothing was decided. Ops may repeat a key: each is charged,
// and each must fit on top of those before it. A refused Take changes nothing
// but the table's counters. It allocates nothing for up to eight ops.
func (t *Table) Take(ops []Op, out []Result) bool {
	switch len(ops) {
	case 0:
		return false
	case 1:
		if len(out) == 0 {
			out = make([]Result, 1)
		}
		return t.takeOne(&ops[0], &out[0])
	default:
		return t.takeAll(ops, out)
	}
}

// takeOne is Take for a single op, the usual case.
func (t *Table) takeOne(op *Op, res *Result) bool {
	r, ok := op.rule()
	if !ok {
		*res = Result{RetryAfter: never}
		return false
	}
	hash := t.place.mix(op.Key)
	s := &t.shards[t.shardOf(hash)]
	clock := t.clock()

	s.mu.Lock()
	now := s.clamp(clock)
	b := s.look(op.Key, hash, r, now)
	debt := b.debt
	if !r.fits(debt, op.Cost) {
		if b.floored {
			s.overload++
		}
		s.mu.Unlock()
		r.refuse(res, debt, 0, op.Cost)
		return false
	}
	if op.Cost > 0 {
		s.charge(s.open(op.Key, hash, r, b, now), r, op.Cost, debt, now)
		debt += float64(op.Cost)
	}
	s.mu.Unlock()
	r.allow(res, debt)
	return true
}

// Refund gives back the cost of ops that an earlier Take charged.
//
// A bucket never holds more than its burst. An op that Take would refuse as
// invalid is ignored. So is a key without a bucket in the exact tier: either it
// is full already, or it was evicted since it was charged and its parked debt
// stays, because a parked debt may be shared by keys whose tags collide.
func (t *Table) Refund(ops []Op) {
	clock := t.clock()
	for i := range ops {
		op := &ops[i]
		if _, ok := op.rule(); !ok || op.Cost == 0 {
			continue
		}
		hash := t.place.mix(op.Key)
		s := &t.shards[t.shardOf(hash)]
		s.mu.Lock()
		s.refund(op.Key, hash, op.Cost, s.clamp(clock))
		s.mu.Unlock()
	}
}

// Stats counts what a [Table] holds and did since [New].
type Stats struct {
	Live      int    // buckets in debt in the exact tier, now
	Parked    int    // debts in the parked tier that are not repaid, now; some keys are in both
	Reclaimed uint64 // full buckets whose slot another key took, at no loss
	Evicted   uint64 // buckets in debt that were parked
	Forgotten uint64 // debts forgotten, each of which raised a floor
	Overload  uint64 // ops refused because a floor stood in for an unknown key
}

// Stats returns the table's counters. It visits every slot, one shard at a time:
// fit for a metric that is read every few seconds, not for every request.
func (t *Table) Stats() Stats {
	var sum Stats
	clock := t.clock()
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		s.addStats(&sum, s.clamp(clock))
		s.mu.Unlock()
	}
	return sum
}

// A seed makes placement in the table unpredictable from outside.
type seed [2]uint64

func newSeed() seed { return seed{rand.Uint64(), rand.Uint64()} }

// mix hashes a key. Keys from Text and Addr are digests already; mixing also
// covers keys that a caller composed itself, such as consecutive numbers, which
// one multiplication alone may leave in clumps.
func (s seed) mix(k Key) uint64 {
	hi, lo := bits.Mul64(k.Hi^s[0], k.Lo^s[1])
	h := hi ^ lo
	h = (h ^ h>>32) * 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	return h ^ h>>32
}
