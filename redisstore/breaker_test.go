package redisstore

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

func open(b *breaker) {
	for range failuresToOpen {
		b.failed(errTest)
	}
}

// A report that takes its time is not overtaken by the next one, and holds up no
// other request. What changed while it ran, and back again, is no news.
func TestReportsComeInOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		meanwhile func(*breaker)
		want      []error
	}{
		{name: "nothing changes", meanwhile: func(*breaker) {}, want: []error{errTest}},
		{name: "it closes", meanwhile: (*breaker).succeeded, want: []error{errTest, nil}},
		{name: "it closes and opens", meanwhile: func(b *breaker) { b.succeeded(); open(b) }, want: []error{errTest}},
		{name: "it closes, opens and closes", meanwhile: func(b *breaker) { b.succeeded(); open(b); b.succeeded() }, want: []error{errTest, nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var told []error
				slow := make(chan struct{})
				b := newBreaker(func(cause error) {
					if cause != nil {
						<-slow
					}
					told = append(told, cause)
				})
				go open(&b)
				synctest.Wait() // the report is under way
				tt.meanwhile(&b)
				close(slow)
				synctest.Wait()
				if !slices.Equal(told, tt.want) {
					t.Errorf("got reports %v, want %v", told, tt.want)
				}
			})
		})
	}
}

// A report that panics is its request's alone: the next ones are made.
func TestAReportThatPanicsSilencesNothing(t *testing.T) {
	t.Parallel()
	var told []error
	b := newBreaker(func(cause error) {
		told = append(told, cause)
		if cause != nil {
			panic("broken")
		}
	})
	func() {
		defer func() { _ = recover() }()
		open(&b)
	}()
	b.succeeded()
	if !slices.Equal(told, []error{errTest, nil}) {
		t.Errorf("got reports %v, want an error, then nil", told)
	}
}

// Whatever the order in which requests end, reports alternate, and the last one is true.
func TestReportsOfManyAtOnce(t *testing.T) {
	t.Parallel()
	var told []error // without a lock: reports are one at a time
	b := newBreaker(func(cause error) { told = append(told, cause) })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				open(&b)
				b.succeeded()
			}
		})
	}
	wg.Wait()
	for i, cause := range told {
		if down := i%2 == 0; (cause != nil) != down {
			t.Fatalf("report %d is %v, want errors and nil by turns", i, cause)
		}
	}
	_, closed := b.enter()
	if toldClosed := len(told)%2 == 0; toldClosed != closed {
		t.Errorf("told closed %v, is closed %v", toldClosed, closed)
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
