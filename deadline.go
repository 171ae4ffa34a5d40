package guard

import (
	"context"
	"sync/atomic"
	"time"
)

// deadline is a context.WithDeadline that arms its timer when somebody waits.
//
// Most requests end without anyone asking for Done: a timer, a channel and a
// registration with the parent for each of them is most of what a cheap route
// would cost.
type deadline struct {
	parent context.Context
	at     time.Time
	armed  atomic.Pointer[armed] // nil until somebody waits
	ended  atomic.Bool
}

// armed is the context that a deadline has become.
type armed struct {
	context.Context
	cancel context.CancelFunc
}

// start makes d, which is new, a child of parent that ends at the given time, or
// with an earlier deadline of parent. It is to be released by end.
func (d *deadline) start(parent context.Context, at time.Time) context.Context {
	if earlier, ok := parent.Deadline(); ok && earlier.Before(at) {
		at = earlier
	}
	d.parent, d.at = parent, at
	return d
}

func (d *deadline) arm() context.Context {
	if a := d.armed.Load(); a != nil {
		return a.Context
	}
	ctx, cancel := context.WithDeadline(d.parent, d.at)
	a := &armed{ctx, cancel}
	if !d.armed.CompareAndSwap(nil, a) {
		cancel()
		a = d.armed.Load()
	}
	// Either end sees what was armed, or this sees that it has ended: a goroutine
	// that outlived its request.
	if d.ended.Load() {
		a.cancel()
	}
	return a.Context
}

// end releases what was armed. It ends the context for whoever still holds it, and
// does nothing to one that was never started.
func (d *deadline) end() {
	d.ended.Store(true)
	if a := d.armed.Load(); a != nil {
		a.cancel()
	}
}

func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

func (d *deadline) Done() <-chan struct{} { return d.arm().Done() }

func (d *deadline) Err() error {
	if d.armed.Load() == nil && !d.ended.Load() && d.parent.Err() == nil && time.Now().Before(d.at) {
		return nil
	}
	return d.arm().Err()
}

// Value goes through the armed context, so that package context finds there what
// Done belongs to, and needs no goroutine to watch it.
func (d *deadline) Value(key any) any {
	if a := d.armed.Load(); a != nil {
		return a.Value(key)
	}
	return d.parent.Value(key)
}
