package guardtest

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/routeguard/guard"
)

func storeCases() []storeCase {
	return append([]storeCase{
		{"a full bucket admits its burst and no more",
			"that is what a limit is; a bucket that nobody has used is full", theBurst},
		{"all buckets of a call are charged or none",
			"one limit must not burn its quota while another refuses the request", allOrNone},
		{"a bucket that a call names twice is charged twice",
			"two rules may meet in one bucket, and each must fit on top of the other", sameBucketTwice},
		{"a refused call charges nothing",
			"a client that keeps knocking would never be let in again", refusalsAreFree},
		{"a cost of 0 looks without taking",
			"the service shows what is left without using it up", looking},
		{"a cost above the burst is refused for ever",
			"waiting does not help, so a Retry-After would be a lie", neverFits},
		{"a charge that makes no sense is refused and gives nothing back",
			"a negative cost would fill buckets, and a zero rate must not be read as no limit", nonsense},
		{"no charges are no admission",
			"nothing was decided, so nothing may pass on it", noCharges},
		{"the decision says what is left",
			"responses and logs show it", theDecision},
		{"waiting exactly RetryAfter is enough",
			"a client that does as it was told must not be refused again", exactRetry},
		{"tokens come back evenly and only up to the burst",
			"a window that resets at once admits twice the limit around its edge", refill},
		{"a refund gives back, never above the burst",
			"a login that succeeded must not count, and must not buy more guesses", refunds},
		{"buckets of different limits, scopes, rules, addresses or texts are apart",
			"a client must not use up the quota of another, or have two", apart},
		{"one bucket at two rates enforces each of them",
			"instances run old and new settings side by side during a deployment", twoRates},
		{"a call whose context has ended admits nothing that it does not charge",
			"an error must never be read as an answer", ended},
	}, append(concurrentCases(), leaseCases()...)...)
}

func theBurst(s *storeSuite) {
	for range 5 {
		s.want(true, slow("a"))
	}
	s.want(false, slow("a"))
	s.want(true, costing(slow("b"), 5))
	s.want(false, slow("b"))
}

func allOrNone(s *storeSuite) {
	s.want(true, costing(slow("empty"), 5))
	for range 3 {
		out := s.want(false, slow("a"), slow("empty"), costing(slow("b"), 2))
		if !out[0].Allowed || out[1].Allowed || !out[2].Allowed {
			s.T.Errorf("got %+v, want only the second refused", out)
		}
		if out[0].Remaining != 5 || out[2].Remaining != 5 {
			s.T.Errorf("got %+v, want 5 left where nothing was charged", out)
		}
	}
	s.wantLeft(slow("a"), 5)
	s.wantLeft(slow("b"), 5)
	s.want(true, slow("a"), costing(slow("b"), 2))
	s.wantLeft(slow("a"), 4)
	s.wantLeft(slow("b"), 3)
}

func sameBucketTwice(s *storeSuite) {
	s.want(true, costing(slow("a"), 2), costing(slow("a"), 2))
	s.wantLeft(slow("a"), 1)
	out := s.want(false, slow("a"), slow("a"))
	if !out[0].Allowed || out[1].Allowed || out[1].RetryAfter <= 0 {
		s.T.Errorf("got %+v, want the second refused for some time", out)
	}
	s.wantLeft(slow("a"), 1)
	out = s.want(false, costing(slow("b"), 3), costing(slow("b"), 3))
	if out[1].RetryAfter >= 0 {
		s.T.Errorf("got %v, want a negative RetryAfter: 6 never fit into 5", out[1].RetryAfter)
	}
	s.wantLeft(slow("b"), 5)
}

func refusalsAreFree(s *storeSuite) {
	s.want(true, costing(slow("a"), 3))
	for range 20 {
		s.want(false, costing(slow("a"), 3))
	}
	s.wantLeft(slow("a"), 2)
	s.want(true, costing(slow("a"), 2))
}

func looking(s *storeSuite) {
	for range 10 {
		s.wantLeft(slow("new"), 5)
	}
	s.want(true, costing(slow("a"), 5))
	out := s.want(true, costing(slow("a"), 0))
	if out[0].Remaining != 0 || out[0].RetryAfter != 0 || out[0].Full <= 0 {
		s.T.Errorf("got %+v, want nothing left, and allowed", out[0])
	}
}

func neverFits(s *storeSuite) {
	for _, cost := range []int{6, 1000, math.MaxInt32} {
		out := s.want(false, costing(slow("a"), cost))
		if out[0].RetryAfter >= 0 {
			s.T.Errorf("cost %d of 5: RetryAfter is %v, want a negative one", cost, out[0].RetryAfter)
		}
	}
	s.wantLeft(slow("a"), 5)
}

func nonsense(s *storeSuite) {
	s.want(true, costing(slow("a"), 3))
	good := slow("a")
	for name, change := range map[string]func(*guard.Charge){
		"a negative cost":   func(c *guard.Charge) { c.Cost = -3 },
		"the lowest cost":   func(c *guard.Charge) { c.Cost = math.MinInt32 },
		"no count":          func(c *guard.Charge) { c.Count = 0 },
		"a negative count":  func(c *guard.Charge) { c.Count = -1 },
		"no period":         func(c *guard.Charge) { c.Per = 0 },
		"a negative period": func(c *guard.Charge) { c.Per = -time.Minute },
		"a negative burst":  func(c *guard.Charge) { c.Burst = -1 },
	} {
		bad := good
		change(&bad)
		for _, charges := range [][]guard.Charge{{bad}, {bad, slow("b")}, {slow("b"), bad}} {
			ok, err := s.store().Take(context.Background(), charges, make([]guard.Decision, len(charges)))
			if ok {
				s.T.Errorf("%s: Take is true (%v), want false", name, err)
			}
		}
		if bad.Cost < 0 { // an error is as good as doing nothing
			_ = s.store().Refund(context.Background(), []guard.Charge{bad})
		}
	}
	s.wantLeft(slow("a"), 2)
	s.wantLeft(slow("b"), 5)
}

func noCharges(s *storeSuite) {
	if ok, _ := s.store().Take(context.Background(), nil, nil); ok {
		s.T.Errorf("Take of no charges is true, want false")
	}
	s.refund()
}

func theDecision(s *storeSuite) {
	c := slow("a")
	day := c.Per / time.Duration(c.Count)
	if d := s.want(true, costing(c, 0))[0]; d.Remaining != 5 || d.Next != 0 || d.Full != 0 {
		s.T.Errorf("a full bucket is %+v, want 5 left and no time to wait for", d)
	}
	for taken := 1; taken <= 5; taken++ {
		d := s.want(true, c)[0]
		if d.Remaining != 5-taken || d.RetryAfter != 0 {
			s.T.Errorf("after %d: got %+v, want %d left", taken, d, 5-taken)
		}
		s.wantAbout("Full", d.Full, time.Duration(taken)*day)
		s.wantAbout("Next", d.Next, day)
	}
	d := s.want(false, costing(c, 2))[0]
	if d.Remaining != 0 {
		s.T.Errorf("got %d left, want 0", d.Remaining)
	}
	s.wantAbout("RetryAfter", d.RetryAfter, 2*day)
	s.wantAbout("Full", d.Full, 5*day)
}

// wantAbout allows for rounding up, and for the time that has passed by a real clock.
func (s *storeSuite) wantAbout(what string, got, want time.Duration) {
	s.T.Helper()
	early := 10 * time.Microsecond
	if s.clock.isReal() {
		early = time.Minute
	}
	if got < want-early || got > want+10*time.Microsecond {
		s.T.Errorf("%s is %v, want %v", what, got, want)
	}
}

func exactRetry(s *storeSuite) {
	for i := range 12 {
		c := s.fast(fmt.Sprint(i))
		cost := 1 + i%3
		s.want(true, costing(c, 3))
		s.clock.wait(time.Duration(i) * s.clock.unit() / 100)
		ok, out := s.take(costing(c, cost))
		for tries := 0; !ok; tries++ {
			if tries == 1 {
				s.T.Errorf("refused again after waiting for RetryAfter: %+v", out[0])
				break
			}
			wait := out[0].RetryAfter
			if wait <= 0 || wait > time.Duration(cost)*s.clock.unit()+10*time.Microsecond {
				s.T.Errorf("RetryAfter is %v, want more than 0 and at most %v", wait, time.Duration(cost)*s.clock.unit())
				break
			}
			if !s.clock.isReal() {
				s.clock.wait(wait - 10*time.Microsecond)
				s.want(false, costing(c, cost))
				wait = 10 * time.Microsecond
			}
			s.clock.wait(wait)
			ok, out = s.take(costing(c, cost))
		}
	}
}

func refill(s *storeSuite) {
	c := s.fast("a")
	began := s.clock.Now()
	admitted := 0
	for range 30 {
		if ok, _ := s.take(c); ok {
			admitted++
		}
		s.clock.wait(c.Per / 4)
	}
	s.wantWithin(c, admitted, began)
	if least := 3 + 6; admitted < least { // 30 quarters are 7 units
		s.T.Errorf("%d were admitted in %v, want at least %d", admitted, s.clock.Now().Sub(began), least)
	}
	s.clock.wait(5 * c.Per)
	if got := s.left(c); got != 3 {
		s.T.Errorf("%d tokens are left after a long wait, want the burst of 3", got)
	}
}

// wantWithin checks the guarantee: burst + rate × time.
func (s *storeSuite) wantWithin(c guard.Charge, admitted int, began time.Time) {
	s.T.Helper()
	passed := s.clock.Now().Sub(began)
	most := c.Burst + int(passed*time.Duration(c.Count)/c.Per)
	if admitted > most {
		s.T.Errorf("%d were admitted in %v, want at most %d", admitted, passed, most)
	}
}

func refunds(s *storeSuite) {
	s.want(true, costing(slow("a"), 4), costing(slow("b"), 2))
	s.refund(slow("a"))
	s.wantLeft(slow("a"), 2)
	s.refund(costing(slow("a"), 2), slow("b"))
	s.wantLeft(slow("a"), 4)
	s.wantLeft(slow("b"), 4)
	s.refund(costing(slow("a"), 0))
	s.wantLeft(slow("a"), 4)
	for range 3 {
		s.refund(costing(slow("a"), 5), slow("unknown"))
	}
	s.wantLeft(slow("a"), 5)
	s.wantLeft(slow("unknown"), 5)
	s.want(true, costing(slow("a"), 5))
	s.want(false, slow("a"))
}

func apart(s *storeSuite) {
	key := func(change func(*guard.Charge)) guard.Charge {
		c := slow("text")
		change(&c)
		return c
	}
	addr := func(text string) guard.Charge {
		return key(func(c *guard.Charge) { c.Key.Addr = netip.MustParseAddr(text) })
	}
	all := []guard.Charge{
		slow("text"),
		slow("Text"),
		slow("text "),
		slow("te\x00xt"),
		key(func(c *guard.Charge) { c.Limit = "slo"; c.Key.Scope = "wcaller" }),
		key(func(c *guard.Charge) { c.Limit = "slow:caller"; c.Key.Scope = "" }),
		key(func(c *guard.Charge) { c.Limit = "other" }),
		key(func(c *guard.Charge) { c.Key.Scope = "key" }),
		key(func(c *guard.Charge) { c.Key.Rule = "5/1m0s" }),
		key(func(c *guard.Charge) { c.Key.Rule = "text"; c.Key.Text = "" }),
		key(func(c *guard.Charge) { c.Key.Scope = "callert"; c.Key.Text = "ext" }),
		key(func(c *guard.Charge) { c.Key.Text = "" }),
		addr("192.0.2.1"),
		addr("192.0.2.2"),
		addr("2001:db8::1"),
		addr("2001:db8:0:1::"),
		key(func(c *guard.Charge) { c.Key.Text = "192.0.2.1text" }),
		key(func(c *guard.Charge) { c.Key.Addr = netip.MustParseAddr("192.0.2.1"); c.Key.Text = "" }),
	}
	for i, c := range all {
		s.wantLeft(c, 5)
		s.want(true, costing(c, 1+i%5))
	}
	for i, c := range all {
		s.wantLeft(c, 4-i%5)
	}
	s.want(true, costing(slow("c"), 2), costing(slow("d"), 3))
	s.wantLeft(slow("c"), 3)
	s.wantLeft(slow("d"), 2)
}

func twoRates(s *storeSuite) {
	narrow, wide := slow("a"), slow("a")
	wide.Burst = 50
	for range 5 {
		s.want(true, narrow)
	}
	s.want(false, narrow)
	if ok, _ := s.take(costing(wide, 50)); ok {
		s.T.Errorf("a wider rate finds a full bucket where a narrower one has spent")
	}
	s.want(false, narrow)
}

func ended(s *storeSuite) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	admitted := 0
	for range 20 {
		ok, err := s.store().Take(ctx, []guard.Charge{slow("a")}, make([]guard.Decision, 1))
		if ok && err != nil {
			s.T.Errorf("Take is true with the error %v, want one or the other", err)
		}
		if ok {
			admitted++
		}
		release, ok, err := s.store().Acquire(ctx, slow("a"), 1, time.Hour)
		if ok && (err != nil || release == nil) {
			s.T.Errorf("Acquire is true with the error %v, want one or the other", err)
		}
		if ok {
			release()
		}
	}
	if admitted > 5 {
		s.T.Errorf("%d were admitted, want at most 5", admitted)
	}
}
