package guardtest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/routeguard/guard"
)

// storeCase is one rule of the contract, and why it is there.
type storeCase struct {
	name string
	why  string
	run  func(*storeSuite)
}

// storeSuite is a case at work.
type storeSuite struct {
	T      reporter
	clock  *Clock
	stores []guard.Store
	turn   atomic.Uint32
}

// store is the next of the stores that share their data: each call comes from another
// process.
func (s *storeSuite) store() guard.Store {
	return s.stores[int(s.turn.Add(1)-1)%len(s.stores)]
}

// slow is a charge on a bucket of 5 that gives no token back while a test runs.
func slow(text string) guard.Charge {
	return guard.Charge{Limit: "slow", Key: guard.Key{Scope: "caller", Text: text},
		Count: 5, Per: 5 * 24 * time.Hour, Burst: 5, Cost: 1}
}

// fast is a charge on a bucket of 3 that gives a token back in each unit of time.
func (s *storeSuite) fast(text string) guard.Charge {
	return guard.Charge{Limit: "fast", Key: guard.Key{Scope: "caller", Text: text},
		Count: 1, Per: s.clock.unit(), Burst: 3, Cost: 1}
}

func costing(c guard.Charge, cost int) guard.Charge {
	c.Cost = cost
	return c
}

// take is one Take. An error of the store ends the case.
func (s *storeSuite) take(charges ...guard.Charge) (bool, []guard.Decision) {
	s.T.Helper()
	out := make([]guard.Decision, len(charges))
	for i := range out { // what was there before must not shine through
		out[i] = guard.Decision{Allowed: true, Remaining: 77, RetryAfter: 77, Next: 77, Full: 77}
	}
	ok, err := s.store().Take(context.Background(), charges, out)
	if err != nil {
		s.T.Fatalf("Take(%+v): %v", charges, err)
	}
	all := len(out) > 0
	for _, d := range out {
		all = all && d.Allowed
	}
	if ok != all {
		s.T.Errorf("Take(%+v) is %v, but its decisions are %+v", charges, ok, out)
	}
	return ok, out
}

// want is a Take that must be allowed, or refused.
func (s *storeSuite) want(allowed bool, charges ...guard.Charge) []guard.Decision {
	s.T.Helper()
	ok, out := s.take(charges...)
	if ok != allowed {
		s.T.Errorf("Take(%+v) is %v, want %v: %+v", charges, ok, allowed, out)
	}
	return out
}

// left is how many tokens a bucket has.
func (s *storeSuite) left(c guard.Charge) int {
	s.T.Helper()
	return s.want(true, costing(c, 0))[0].Remaining
}

func (s *storeSuite) wantLeft(c guard.Charge, want int) {
	s.T.Helper()
	if got := s.left(c); got != want {
		s.T.Errorf("%s of %s has %d tokens, want %d", c.Key.Text, c.Limit, got, want)
	}
}

func (s *storeSuite) refund(charges ...guard.Charge) {
	s.T.Helper()
	if err := s.store().Refund(context.Background(), charges); err != nil {
		s.T.Fatalf("Refund(%+v): %v", charges, err)
	}
}

func (s *storeSuite) acquire(c guard.Charge, most int, ttl time.Duration) (func(), bool) {
	s.T.Helper()
	release, ok, err := s.store().Acquire(context.Background(), c, most, ttl)
	if err != nil {
		s.T.Fatalf("Acquire(%+v): %v", c, err)
	}
	if ok && release == nil {
		s.T.Fatalf("Acquire is ok, but its release is nil")
	}
	return release, ok
}

// wantPlace is an Acquire that must find a place, or none.
func (s *storeSuite) wantPlace(found bool, c guard.Charge, most int) func() {
	s.T.Helper()
	release, ok := s.acquire(c, most, time.Hour)
	if ok != found {
		s.T.Errorf("Acquire of %s, at most %d, is %v, want %v", c.Key.Text, most, ok, found)
	}
	if !ok {
		return func() {}
	}
	return release
}

// together runs f in n goroutines at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}
