package redisstore

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	failuresToOpen = 3
	openFor        = 500 * time.Millisecond
)

// breaker keeps requests away from a Redis that does not answer.
//
// It opens after three failures in a row. While it is open, one call in each half
// second goes through, and a success closes it. It has no goroutine and no timer.
type breaker struct {
	failures atomic.Int32
	retryAt  atomic.Int64 // 0: closed; otherwise when the next call may try
	now      func() int64 // nanoseconds since the start, above 0
	onState  func(cause error)

	mu      sync.Mutex // of what follows, and of changes; not held while onState runs
	cause   error      // why it is open; nil: closed
	told    bool       // the last that onState was told is that it is open
	telling bool       // onState runs: its goroutine will tell what changes meanwhile
}

func newBreaker(onState func(error)) breaker {
	start := time.Now()
	if onState == nil {
		onState = func(error) {}
	}
	return breaker{onState: onState, now: func() int64 { return int64(time.Since(start)) + 1 }}
}

// A turn is the leave to make a call: the probe's is the time of the next one, and
// that of a closed breaker is 0.
type turn int64

// enter reports whether to make a call. A call that is made must be followed by one
// of succeeded, failed and undecided.
func (b *breaker) enter() (turn, bool) {
	at := b.retryAt.Load()
	if at == 0 {
		return 0, true
	}
	now := b.now()
	if now < at {
		return 0, false
	}
	next := now + int64(openFor)
	return turn(next), b.retryAt.CompareAndSwap(at, next)
}

func (b *breaker) succeeded() {
	b.failures.Store(0)
	if b.retryAt.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retryAt.Store(0)
	b.cause = nil
	b.tell()
}

func (b *breaker) failed(cause error) {
	if b.failures.Add(1) < failuresToOpen || b.retryAt.Load() != 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.retryAt.CompareAndSwap(0, b.now()+int64(openFor)) {
		b.cause = cause
	}
	b.tell()
}

// tell calls onState until it knows the state. It runs on one goroutine at a time, so
// that a report is never overtaken by a later one; others leave it to that goroutine
// and go on. The caller holds the lock.
func (b *breaker) tell() {
	for !b.telling && b.told != (b.cause != nil) {
		b.told = b.cause != nil
		b.call(b.cause)
	}
}

// call holds the lock again when it returns, also where onState panics.
func (b *breaker) call(cause error) {
	b.telling = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.telling = false
	}()
	b.onState(cause)
}

// undecided hands a probe's turn on: its caller went away before there was an answer.
func (b *breaker) undecided(t turn) {
	if t != 0 {
		b.retryAt.CompareAndSwap(int64(t), b.now())
	}
}
