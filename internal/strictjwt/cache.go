package strictjwt

import (
	"crypto/fips140"
	"sync"
	"time"
)

const (
	shardCount     = 16
	shardFrom      = 1024    // entries; a smaller cache has one lock
	bytesPerEntry  = 1 << 10 // the budget of the average entry
	minCacheBytes  = 64 << 10
	entryOverhead  = 480 // an estimate: the structs, the map slot, the headers of strings
	stringOverhead = 16
)

// cache remembers the claims of tokens whose signature was good.
//
// It is keyed by fingerprints of whole tokens, signature included. A hit is as strong
// as a signature only if nobody can make two tokens with one fingerprint: maphash has
// 64 bits and is not made for that. Keeping the tokens themselves would need a
// comparison whose time tells how much of a guess is right, and would leave
// credentials in memory.
//
// Only verified tokens enter, so a forger can push nothing out. Two generations
// per shard bound it: a full young one becomes the old one, whose entries move
// back when they are used and else go with the next change. Nothing is swept in
// the background: without traffic, what is there stays.
type cache struct {
	age          time.Duration
	shards       []shard
	fingerprints *fingerprinter
	types        typeMemo // that the entries were decoded into
}

type shard struct {
	mu         sync.Mutex
	young, old generation
	maxEntries int // of one generation
	maxBytes   int
}

type generation struct {
	entries map[fingerprint]*entry
	bytes   int
	since   time.Time
}

// entry has what a hit reads in one piece of memory, which is cold where there are many.
type entry struct {
	claims   Claims
	at       time.Time // when the signature was verified
	kept     kept      // the payload of claims
	audience [1]string // its memory, where one is all
}

func newCache(size int, age time.Duration) *cache {
	if size == 0 {
		size = defaultCache
	}
	if age == 0 {
		age = defaultCacheAge
	}
	shards := 1
	if size >= shardFrom {
		shards = shardCount
	}
	c := &cache{age: age, shards: make([]shard, shards), fingerprints: newFingerprinter(fips140.Enabled())}
	for i := range c.shards {
		c.shards[i].maxEntries = size / (2 * shards)
		c.shards[i].maxBytes = max(size*bytesPerEntry, minCacheBytes) / (2 * shards)
	}
	return c
}

// id is zero on a nil cache, whose get and put do nothing.
func (c *cache) id(token string) fingerprint {
	if c == nil {
		return fingerprint{}
	}
	return c.fingerprints.of(token)
}

func (c *cache) shard(id fingerprint) *shard { return &c.shards[int(id[0])%len(c.shards)] }

// get returns an entry that is young enough, or nil. Its claims are to be copied.
func (c *cache) get(id fingerprint, now time.Time) *entry {
	if c == nil {
		return nil
	}
	return c.shard(id).find(id, c.age, now)
}

// find looks an entry up, and moves one of the old generation to the young one.
func (s *shard) find(id fingerprint, age time.Duration, now time.Time) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, young := s.young.entries[id]
	if !young {
		e = s.old.entries[id]
	}
	if e == nil || !e.fresh(age, now) {
		return nil
	}
	if !young {
		s.old.remove(id)
		s.add(id, e, age, now)
	}
	return e
}

// fresh reports whether the signature may still be trusted. A clock that went
// back makes an entry look new, so it must not be from the future either.
func (e *entry) fresh(age time.Duration, now time.Time) bool {
	return !now.Before(e.at) && now.Sub(e.at) < age
}

// put remembers the claims of a token that was just verified. What they are decoded into
// from then on is remembered, too.
func (c *cache) put(id fingerprint, claims *Claims, now time.Time) {
	if c == nil {
		return
	}
	e := &entry{at: now}
	e.kept.text, e.kept.types = claims.payload.text, &c.types
	claims.payload = &e.kept // the claims of this request and of those to come
	e.claims = *claims
	e.claims.Audience = append(e.audience[:0], claims.Audience...)
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old.remove(id)
	s.add(id, e, c.age, now)
}

func (c *cache) forget(id fingerprint) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.young.remove(id)
	s.old.remove(id)
}

// add puts an entry into the young generation, after making it the old one if
// it is full, or so long there that the old one has nothing of use. The map of what
// is dropped serves again: to grow a new one would cost as much as its entries.
func (s *shard) add(id fingerprint, e *entry, age time.Duration, now time.Time) {
	s.young.remove(id)
	cost := e.claims.cost()
	if cost > s.maxBytes {
		return
	}
	full := len(s.young.entries) >= s.maxEntries || s.young.bytes+cost > s.maxBytes
	if full || now.Sub(s.young.since) >= age {
		dropped := s.old.entries
		clear(dropped)
		s.old, s.young = s.young, generation{entries: dropped, since: now}
	}
	if s.young.entries == nil {
		s.young.entries = map[fingerprint]*entry{}
	}
	s.young.entries[id] = e
	s.young.bytes += cost
}

func (g *generation) remove(id fingerprint) {
	if e, ok := g.entries[id]; ok {
		g.bytes -= e.claims.cost()
		delete(g.entries, id)
	}
}

// copy separates the claims from those of other requests.
func (c *Claims) copy() Claims {
	own := *c
	own.Audience = make([]string, len(c.Audience)) // slices.Clone takes longer
	copy(own.Audience, c.Audience)
	return own
}

// cost is the bytes that an entry takes, about. The text counts twice, since what
// Decode has made of it may be kept as well.
func (c *Claims) cost() int {
	n := entryOverhead + 2*len(*c.payload.text) + len(c.Subject) + len(c.Issuer) + len(c.ID) + len(c.KeyID)
	for _, name := range c.Audience {
		n += stringOverhead + len(name)
	}
	return n
}
