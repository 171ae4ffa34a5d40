package guard

import (
	"context"
	"sync"
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

	mu     sync.Mutex
	armed  context.Context // nil until somebody waits
	cancel context.CancelFunc
	ended  bool
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
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.armed == nil {
		d.armed, d.cancel = context.WithDeadline(d.parent, d.at)
		if d.ended { // a goroutine that outlived its request
			d.cancel()
		}
	}
	return d.armed
}

// end releases what was armed. It ends the context for whoever still holds it, and
// does nothing to one that was never started.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.cancel != nil {
		d.cancel()
	}
}

func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

func (d *deadline) Done() <-chan struct{} { return d.arm().Done() }

func (d *deadline) Err() error {
	d.mu.Lock()
	armed, ended := d.armed, d.ended
	d.mu.Unlock()
	if armed == nil && !ended && d.parent.Err() == nil && time.Now().Before(d.at) {
		return nil
	}
	return d.arm().Err()
}

// Value goes through the armed context, so that package context finds there what
// Done belongs to, and needs no goroutine to watch it.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	armed := d.armed
	d.mu.Unlock()
	if armed != nil {
		return armed.Value(key)
	}
	return d.parent.Value(key)
}
