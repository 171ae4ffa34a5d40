package guardtest

import (
	"sync"
	"time"
)

// Clock is the time of a conformance suite.
//
// A store that takes its time from a function uses Now, and the suite moves the time.
// A store with a clock of its own calls RealTime, and the suite waits instead, with
// limits whose tokens come back within milliseconds. It is safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	now  time.Time
	real bool
}

func newClock() *Clock {
	return &Clock{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// Now is the time that the store under test must use.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real {
		return time.Now()
	}
	return c.now
}

// RealTime says that the store has its own clock. Call it before the store is used.
func (c *Clock) RealTime() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.real = true
}

func (c *Clock) isReal() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.real
}

// wait lets d pass: surely not less, and where the clock is real often more.
func (c *Clock) wait(d time.Duration) {
	c.mu.Lock()
	if !c.real {
		c.now = c.now.Add(d)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	time.Sleep(d)
}

// unit is a time in which a fast limit of the suite gives one token back.
func (c *Clock) unit() time.Duration {
	if c.isReal() {
		return 20 * time.Millisecond
	}
	return time.Second
}
