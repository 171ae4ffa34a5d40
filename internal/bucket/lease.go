package bucket

import (
	"sync"
	"sync/atomic"
)

const leaseShards = 64 // a power of two

// shrinkAbove is the number of keys above which an empty map is dropped, since a
// Go map keeps the size of its busiest moment.
const shrinkAbove = 256

// leases counts what is in flight, by key. A key is there only while it holds
// one, so memory follows the number of requests in flight, not of clients.
type leases struct {
	mu    sync.Mutex
	count map[Key]int
	peak  int // most keys since the map was made

	_ [32]byte // one cache line each
}

// A lease is one unit of concurrency that was granted.
type lease struct {
	of       *leases
	key      Key
	released atomic.Bool
}

// Acquire takes one of most units of concurrency for a key, and reports success.
//
// Call release when the work ends, however it ends; calling it again does
// nothing. It is never nil, and does nothing when ok is false. The zero Key and
// most < 1 are refused. Units and tokens of one Key are independent.
func (t *Table) Acquire(key Key, most int) (release func(), ok bool) {
	if key == (Key{}) || most < 1 {
		return func() {}, false
	}
	ls := &t.leases[t.place.mix(key)%leaseShards]
	if !ls.add(key, most) {
		return func() {}, false
	}
	return (&lease{of: ls, key: key}).release, true
}

func (l *lease) release() {
	if l.released.CompareAndSwap(false, true) {
		l.of.drop(l.key)
	}
}

func (ls *leases) add(key Key, most int) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	n := ls.count[key]
	if n >= most {
		return false
	}
	if ls.count == nil {
		ls.count, ls.peak = make(map[Key]int), 0
	}
	ls.count[key] = n + 1
	ls.peak = max(ls.peak, len(ls.count))
	return true
}

func (ls *leases) drop(key Key) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if n := ls.count[key]; n > 1 {
		ls.count[key] = n - 1
		return
	}
	delete(ls.count, key)
	if len(ls.count) == 0 && ls.peak > shrinkAbove {
		ls.count = nil
	}
}
