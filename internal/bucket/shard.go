package bucket

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	chunkSlots = 64 // slots allocated together
	sample     = 8  // buckets compared to find one to evict: one cache line of fullAt
)

// A shard is a part of the table under one lock. Methods need the lock held.
type shard struct {
	mu       sync.Mutex
	hi       int64 // the latest time seen
	index    index
	chunks   []chunk
	slots    int // slots handed out so far
	capacity int // most slots
	hand     int // where the next sample starts
	place    seed
	park     park

	reclaimed, evicted, overload uint64

	_ [64]byte // keeps the lock off its neighbor's cache lines
}

// A chunk holds 64 slots. The arrays are apart because they are used apart:
// an eviction reads only fullAt, and the garbage collector only limiters.
type chunk struct {
	limiters *[chunkSlots]rate.Limiter
	owners   *[chunkSlots]owner
	fullAt   *[chunkSlots]int64 // when the bucket is full, never early: GCRA's TAT
}

// An owner is the key of a slot and the rule its limiter is set to.
type owner struct {
	key  Key
	rule rule
}

// A bucket is what a shard knows about a key.
type bucket struct {
	slot    int     // in the exact tier, -1 for none
	debt    float64 // tokens missing to full
	floored bool    // the debt is a floor, not the key's own
}

// clamp makes a clock reading monotone: callers reach the lock in another order
// than they read the clock, and a fake or stepped clock may go back.
func (s *shard) clamp(clock int64) int64 {
	s.hi = max(s.hi, clock)
	return s.hi
}

// at returns the chunk of a slot and the place in it.
func (s *shard) at(slot int) (*chunk, uint) {
	return &s.chunks[uint(slot)/chunkSlots], uint(slot) % chunkSlots
}

// instant converts to the type that rate.Limiter needs: no monotonic reading that
// could interfere, and a nil location.
func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// find returns the slot of a key in the exact tier, or -1.
func (s *shard) find(key Key, hash uint64) int {
	words := s.index.words
	if len(words) == 0 {
		return -1
	}
	want := uint32(hash)
	for i := want; ; i++ {
		w := words[i&uint32(len(words)-1)]
		if w == 0 {
			return -1
		}
		if uint32(w>>32) != want {
			continue
		}
		slot := int(uint32(w)) - 1
		if c, i := s.at(slot); c.owners[i].key == key {
			return slot
		}
	}
}

// look returns what is known about a key, and changes nothing.
func (s *shard) look(key Key, hash uint64, r rule, now int64) bucket {
	slot := s.find(key, hash)
	if slot < 0 {
		return s.parked(key, r, now)
	}
	c, i := s.at(slot)
	b := bucket{slot: slot}
	if c.fullAt[i] > now {
		b.debt = float64(c.owners[i].rule.burst) - c.limiters[i].TokensAt(instant(now))
		b.debt = max(0, b.debt)
	}
	// The slot may have forgotten charges at this rate that another rate's
	// repaid sooner: charge parked them.
	if c.owners[i].rule != r {
		if p := s.parked(key, r, now); p.debt > b.debt {
			b.debt, b.floored = p.debt, p.floored
		}
	}
	return b
}

// parked returns what is known about a key outside the exact tier.
func (s *shard) parked(key Key, r rule, now int64) bucket {
	b := bucket{slot: -1}
	fullAt, floored := s.park.find(key, r, now)
	if fullAt > now {
		b.debt, b.floored = float64(fullAt-now)/r.perToken, floored
	}
	return b
}

// open returns the slot of a key, and gives it one if look found none. Only a
// key that is about to be charged gets a slot.
func (s *shard) open(key Key, hash uint64, r rule, b bucket, now int64) int {
	if b.slot >= 0 {
		return b.slot
	}
	slot := s.vacate(now)
	s.index.insert(uint32(hash), slot)
	s.start(slot, key, r, b.debt, now)
	return slot
}

// start sets a slot to a key and a rule, and its limiter to owe debt now.
func (s *shard) start(slot int, key Key, r rule, debt float64, now int64) {
	c, i := s.at(slot)
	c.owners[i] = owner{key, r}
	c.fullAt[i] = r.fullAt(debt, now)

	// A limiter starts empty, at a time in the past that leaves it with the
	// right tokens now. A microsecond more makes sure that full is full.
	empty := now - int64((float64(r.burst)-debt)*r.perToken)
	if debt == 0 {
		empty -= slack
	}
	t := instant(min(now, empty))
	l := &c.limiters[i]
	*l = rate.Limiter{}
	l.SetBurstAt(t, r.burst)
	l.SetLimitAt(t, r.limit())
}

// charge takes tokens from a slot that owes debt so far. The caller decided that
// they fit. ReserveN, unlike AllowN, cannot disagree by a rounding error: it
// takes any number up to the burst.
func (s *shard) charge(slot int, r rule, cost int, debt float64, now int64) {
	c, i := s.at(slot)
	if o := c.owners[i]; o.rule != r {
		// The debt goes on at the new rate. Parked, it also stays what it is
		// at the old one, which may be slower.
		if c.fullAt[i] > now {
			s.park.put(o.key, o.rule, c.fullAt[i], now)
		}
		s.start(slot, o.key, r, debt, now)
	}
	c.limiters[i].ReserveN(instant(now), cost)
	c.fullAt[i] = r.fullAt(debt+float64(cost), now)
}

// refund returns tokens to a key that has a slot. AllowN with a negative number
// adds tokens, and the limiter caps them at the burst when it next advances;
// Reservation.Cancel does nothing once its time has passed.
func (s *shard) refund(key Key, hash uint64, cost int, now int64) {
	slot := s.find(key, hash)
	if slot < 0 {
		return
	}
	c, i := s.at(slot)
	l, r := &c.limiters[i], c.owners[i].rule
	l.AllowN(instant(now), -cost)
	c.fullAt[i] = r.fullAt(float64(r.burst)-l.TokensAt(instant(now)), now)
}

// limit returns the rate in the unit of x/time/rate.
func (r rule) limit() rate.Limit { return rate.Limit(1e9 / r.perToken) }

// fullAt returns when a debt is repaid, rounded up.
func (r rule) fullAt(debt float64, now int64) int64 {
	if debt <= 0 {
		return now
	}
	return now + int64(debt*r.perToken) + 1
}

// vacate returns a slot that no key uses. It prefers a bucket that is full, then
// a new slot, and then evicts the bucket that would be full soonest: it has the
// least to lose, and an attacker who fills the table loses its own debts first.
func (s *shard) vacate(now int64) int {
	slot, fullAt := s.soonest()
	switch {
	case slot >= 0 && fullAt <= now:
		s.reclaimed++
	case s.slots < s.capacity:
		return s.extend()
	default:
		s.evicted++
		c, i := s.at(slot)
		s.park.put(c.owners[i].key, c.owners[i].rule, fullAt, now)
	}
	c, i := s.at(slot)
	s.index.remove(uint32(s.place.mix(c.owners[i].key)), slot)
	return slot
}

// extend hands out a slot that was never used.
func (s *shard) extend() int {
	if s.slots%chunkSlots == 0 {
		s.chunks = append(s.chunks, chunk{
			new([chunkSlots]rate.Limiter), new([chunkSlots]owner), new([chunkSlots]int64),
		})
	}
	s.slots++
	return s.slots - 1
}

// soonest returns the bucket that is full first among the next eight slots, and
// when; -1 for an empty shard.
func (s *shard) soonest() (slot int, fullAt int64) {
	if s.slots == 0 {
		return -1, 0
	}
	if s.hand >= s.slots {
		s.hand = 0
	}
	first := s.hand
	s.hand += sample
	group := s.chunks[first/chunkSlots].fullAt[first%chunkSlots:]
	group = group[:min(sample, s.slots-first)]
	best := 0
	for i, at := range group {
		if at < group[best] {
			best = i
		}
	}
	return first + best, group[best]
}

func (s *shard) addStats(sum *Stats, now int64) {
	for slot := range s.slots {
		if c, i := s.at(slot); c.fullAt[i] > now {
			sum.Live++
		}
	}
	sum.Parked += s.park.live(now)
	sum.Reclaimed += s.reclaimed
	sum.Evicted += s.evicted
	sum.Forgotten += s.park.forgotten
	sum.Overload += s.overload
}
