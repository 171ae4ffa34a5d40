package guardtest

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/routeguard/guard"
)

func concurrentCases() []storeCase {
	return []storeCase{
		{"50 at once on one bucket are admitted exactly its burst",
			"checking first and charging after lets all of them through", atOnce},
		{"50 at once on two limits charge both or none",
			"a quota that is charged without an admission locks clients out", twoLimitsAtOnce},
		{"no time admits more than burst + rate × time",
			"that is the promise to whoever set the limit", overTime},
		{"random calls do what a reference does",
			"what the other cases do not think of", randomCalls},
	}
}

func atOnce(s *storeSuite) {
	c := slow("a")
	var admitted atomic.Int64
	together(50, func(int) {
		for range 4 {
			if ok, _ := s.take(c); ok {
				admitted.Add(1)
			}
		}
	})
	if got := admitted.Load(); got != 5 {
		s.T.Errorf("%d were admitted, want 5", got)
	}
}

func twoLimitsAtOnce(s *storeSuite) {
	const keys = 10
	global := slow("")
	global.Limit, global.Burst = "global", 30
	var admitted [keys]atomic.Int64
	together(50, func(i int) {
		for n := range 5 {
			key := (i + n) % keys
			if ok, _ := s.take(slow(fmt.Sprint(key)), global); ok {
				admitted[key].Add(1)
			}
		}
	})
	total := 0
	for key := range admitted {
		n := int(admitted[key].Load())
		total += n
		s.wantLeft(slow(fmt.Sprint(key)), 5-n)
	}
	if total != 30 {
		s.T.Errorf("%d were admitted, want the 30 of the global limit", total)
	}
	s.wantLeft(global, 0)
}

func overTime(s *storeSuite) {
	c := guard.Charge{Limit: "overTime", Key: guard.Key{Scope: "global"},
		Count: 10, Per: s.clock.unit(), Burst: 20, Cost: 1}
	began := s.clock.Now()
	var admitted atomic.Int64
	for range 10 {
		together(20, func(int) {
			for range 5 {
				if ok, _ := s.take(c); ok {
					admitted.Add(1)
				}
			}
		})
		s.clock.wait(s.clock.unit() / 2)
	}
	s.wantWithin(c, int(admitted.Load()), began)
	if got := admitted.Load(); got < 20+40 { // ten halves are five units, the last of them unused
		s.T.Errorf("%d were admitted, want at least 60", got)
	}
}

// reference is a token bucket in whole nanoseconds: the time at which it is full.
type reference struct{ full int64 }

func (r *reference) debt(now int64) int64 { return max(0, r.full-now) }

// randomCalls compares with the reference, one call after the other. A real clock
// stands still in it: the rates are of days.
func randomCalls(s *storeSuite) {
	const keys = 6
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 1))
	refs := map[string]*reference{}
	calls := 300
	if !s.clock.isReal() {
		calls = 5000
	}
	for range calls {
		now := s.clock.Now().UnixNano()
		if s.clock.isReal() {
			now = 0
		}
		charges := make([]guard.Charge, 1+rnd.IntN(3))
		for i := range charges {
			charges[i] = costing(slow(fmt.Sprint(rnd.IntN(keys))), rnd.IntN(4))
		}
		if rnd.IntN(4) == 0 {
			s.refund(charges...)
			for _, c := range charges {
				r := refOf(refs, c)
				r.full = now + max(0, r.debt(now)-tokens(c, c.Cost))
			}
		} else if want := predict(refs, charges, now); s.differs(charges, want) {
			return
		}
		if !s.clock.isReal() && rnd.IntN(3) == 0 {
			s.clock.wait(time.Duration(rnd.Int64N(int64(30 * time.Hour))))
		}
	}
}

// differs reports whether the store decides otherwise, which is a failure.
func (s *storeSuite) differs(charges []guard.Charge, want bool) bool {
	s.T.Helper()
	ok, out := s.take(charges...)
	if ok != want {
		s.T.Errorf("Take(%+v) is %v, but the reference says %v: %+v", charges, ok, want, out)
	}
	return ok != want
}

func refOf(refs map[string]*reference, c guard.Charge) *reference {
	if refs[c.Key.Text] == nil {
		refs[c.Key.Text] = &reference{}
	}
	return refs[c.Key.Text]
}

func tokens(c guard.Charge, n int) int64 {
	return int64(n) * int64(c.Per) / int64(c.Count)
}

// predict decides as the store should, and charges.
func predict(refs map[string]*reference, charges []guard.Charge, now int64) bool {
	before := map[*reference]int64{}
	ok := true
	for _, c := range charges {
		r := refOf(refs, c)
		before[r] += tokens(c, c.Cost)
		if c.Cost > 0 && r.debt(now)+before[r] > tokens(c, c.Burst) {
			ok = false
		}
	}
	if ok {
		for r, add := range before {
			r.full = now + r.debt(now) + add
		}
	}
	return ok
}
