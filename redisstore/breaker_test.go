package redisstore

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

var errTest = errors.New("no answer")

// testBreaker is a breaker whose time is a variable, and its changes.
func testBreaker() (b *breaker, now *atomic.Int64, changes *[]error) {
	now, changes = &atomic.Int64{}, &[]error{}
	now.Store(1)
	made := newBreaker(func(cause error) { *changes = append(*changes, cause) })
	b = &made
	b.now = now.Load
	return b, now, changes
}

func TestBreakerOpensAfterThreeFailuresInARow(t *testing.T) {
	t.Parallel()
	b, _, changes := testBreaker()
	for range 10 {
		b.failed(errTest)
		b.failed(errTest)
		b.succeeded()
	}
	if _, ok := b.enter(); !ok || len(*changes) != 0 {
		t.Fatalf("open after two failures in a row: %v", *changes)
	}
	for range 5 {
		b.failed(errTest)
	}
	if _, ok := b.enter(); ok {
		t.Error("closed after five failures in a row")
	}
	if len(*changes) != 1 || (*changes)[0] != errTest {
		t.Errorf("got changes %v, want one, with the cause", *changes)
	}
}

func TestBreakerLetsOneProbeThrough(t *testing.T) {
	t.Parallel()
	b, now, changes := testBreaker()
	for range 3 {
		b.failed(errTest)
	}
	for round := range 3 {
		now.Add(int64(openFor) - 1)
		if _, ok := b.enter(); ok {
			t.Fatalf("round %d: a probe came too early", round)
		}
		now.Add(1)
		var probes atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, ok := b.enter(); ok {
					probes.Add(1)
				}
			})
		}
		wg.Wait()
		if got := probes.Load(); got != 1 {
			t.Fatalf("round %d: got %d probes, want 1", round, got)
		}
		b.failed(errTest)
	}
	now.Add(int64(openFor))
	if _, ok := b.enter(); !ok {
		t.Fatal("no probe")
	}
	b.succeeded()
	if _, ok := b.enter(); !ok {
		t.Error("open after a success")
	}
	if len(*changes) != 2 || (*changes)[1] != nil {
		t.Errorf("got changes %v, want down and up", *changes)
	}
}

func TestBreakerHandsAnUndecidedProbeOn(t *testing.T) {
	t.Parallel()
	b, now, _ := testBreaker()
	for range 3 {
		b.failed(errTest)
	}
	now.Add(int64(openFor))
	turn, ok := b.enter()
	if !ok {
		t.Fatal("no probe")
	}
	if _, ok := b.enter(); ok {
		t.Fatal("two probes")
	}
	b.undecided(turn)
	if _, ok := b.enter(); !ok {
		t.Error("no probe after one that went away")
	}
	b.undecided(0) // of a call from before it opened
	if _, ok := b.enter(); ok {
		t.Error("a call from before hands a turn on")
	}
}

// A longer time limit is one for connecting, too: a dial that takes two of its five seconds is no failure.
func TestADialHasAsLongAsItsCall(t *testing.T) {
	t.Parallel()
	for timeout, want := range map[time.Duration]time.Duration{defaultTimeout: time.Second, 5 * time.Second: 5 * time.Second} {
		var o redis.Options
		if harden(&o, timeout); o.DialTimeout != want {
			t.Errorf("with a Timeout of %s: got %s for a dial, want %s", timeout, o.DialTimeout, want)
		}
	}
}
