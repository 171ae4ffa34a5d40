package replay

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// DefaultSize is how many keys a Memory holds unless told otherwise.
const DefaultSize = 1 << 16

// sweepAtOnce bounds the work of one call. Each call adds one key at most, so the expired ones cannot pile up.
const sweepAtOnce = 64

// Config bounds a Memory. The zero value is usable.
type Config struct {
	// Size is the most keys held at once, claimed and delivered together. Zero means DefaultSize.
	//
	// With keys and owners of ordinary length a key costs about a quarter of a KiB, at the longest 1 KiB. To keep
	// deliveries for a day, Size must exceed the number of messages of a day.
	Size int

	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Memory is a Store in the memory of one process. It is safe for concurrent use and starts no goroutine.
//
// Several processes behind one address need a shared store: each Memory knows only its own requests, and a restart
// forgets all. A Memory that New did not make returns errors.
type Memory struct {
	size int
	now  func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
	order   expiry // the same entries, the first to end in front
}

// entry is one key. It is delivered if it has no owner.
type entry struct {
	key   string
	owner string
	ends  time.Time
	index int // in the heap
}

var _ Store = (*Memory)(nil)

// errUnmade is what a Memory answers that New did not make.
var errUnmade = errors.New("replay: the store was not made by New")

// New makes an empty Memory. A negative Size is an error.
func New(c Config) (*Memory, error) {
	if c.Size < 0 {
		return nil, fmt.Errorf("replay: Size is %d; use a positive number, or 0 for %d", c.Size, DefaultSize)
	}
	if c.Size == 0 {
		c.Size = DefaultSize
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Memory{size: c.Size, now: c.Now, entries: map[string]*entry{}}, nil
}

// Claim implements Store. It returns ErrFull if there is no room for another key, and ctx's error if ctx has ended.
func (m *Memory) Claim(ctx context.Context, key, owner string, lease time.Duration) (State, error) {
	if err := errors.Join(check(key, lease), checkOwner(owner)); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("replay: claim: %w", err)
	}
	now, err := m.lock()
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()

	e := m.live(key, now)
	switch {
	case e == nil:
		return m.add(key, owner, now.Add(lease))
	case e.owner == "":
		return Delivered, nil
	case e.owner != owner:
		return Running, nil
	}
	return Claimed, nil
}

// Done implements Store. It returns ErrFull if the key's claim has ended and other keys took the room.
//
// It ignores ctx: the work is done, and forgetting that would do it again.
func (m *Memory) Done(_ context.Context, key string, keep time.Duration) error {
	if err := check(key, keep); err != nil {
		return err
	}
	now, err := m.lock()
	if err != nil {
		return err
	}
	defer m.mu.Unlock()

	e := m.live(key, now)
	if e == nil {
		_, err := m.add(key, "", now.Add(keep))
		return err
	}
	e.owner, e.ends = "", now.Add(keep)
	heap.Fix(&m.order, e.index)
	return nil
}

// Release implements Store. It ignores ctx, so that a request that was cut off still frees its claim.
func (m *Memory) Release(_ context.Context, key, owner string) error {
	if err := errors.Join(check(key, 1), checkOwner(owner)); err != nil {
		return err
	}
	now, err := m.lock()
	if err != nil {
		return err
	}
	defer m.mu.Unlock()

	if e := m.live(key, now); e != nil && e.owner == owner {
		m.remove(e)
	}
	return nil
}

// Len is how many keys are held. Expired ones that were not swept yet count.
func (m *Memory) Len() int {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

// lock takes the lock, reads the clock and drops some of the keys whose time has come.
func (m *Memory) lock() (time.Time, error) {
	if m == nil || m.now == nil {
		return time.Time{}, errUnmade
	}
	now := m.now()
	m.mu.Lock()
	for range sweepAtOnce {
		if len(m.order) == 0 || now.Before(m.order[0].ends) {
			break
		}
		m.remove(m.order[0])
	}
	return now, nil
}

// live returns the entry of key unless its time has come, in which case the entry goes. The caller holds the lock.
func (m *Memory) live(key string, now time.Time) *entry {
	e := m.entries[key]
	if e == nil || now.Before(e.ends) {
		return e
	}
	m.remove(e)
	return nil
}

// remove drops an entry. The caller holds the lock.
func (m *Memory) remove(e *entry) {
	heap.Remove(&m.order, e.index)
	delete(m.entries, e.key)
}

// add inserts an absent key. The caller holds the lock.
func (m *Memory) add(key, owner string, ends time.Time) (State, error) {
	if len(m.entries) >= m.size {
		return 0, ErrFull
	}
	e := &entry{key: key, owner: owner, ends: ends}
	m.entries[key] = e
	heap.Push(&m.order, e)
	return Claimed, nil
}

// expiry is a heap of entries by their end.
type expiry []*entry

func (x expiry) Len() int           { return len(x) }
func (x expiry) Less(i, j int) bool { return x[i].ends.Before(x[j].ends) }
func (x expiry) Swap(i, j int) {
	x[i], x[j] = x[j], x[i]
	x[i].index, x[j].index = i, j
}

// Push is for container/heap alone.
func (x *expiry) Push(e any) {
	added := e.(*entry)
	added.index = len(*x)
	*x = append(*x, added)
}

// Pop is for container/heap alone.
func (x *expiry) Pop() any {
	last := len(*x) - 1
	e := (*x)[last]
	(*x)[last] = nil
	*x = (*x)[:last]
	return e
}
