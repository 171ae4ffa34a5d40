package redisstore

import (
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
	if b.retryAt.Load() != 0 && b.retryAt.Swap(0) != 0 {
		b.onState(nil)
	}
}

func (b *breaker) failed(cause error) {
	if b.failures.Add(1) < failuresToOpen {
		return
	}
	if b.retryAt.CompareAndSwap(0, b.now()+int64(openFor)) {
		b.onState(cause)
	}
}

// undecided hands a probe's turn on: its caller went away before there was an answer.
func (b *breaker) undecided(t turn) {
	if t != 0 {
		b.retryAt.CompareAndSwap(int64(t), b.now())
	}
}
