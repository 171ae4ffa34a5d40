package bucket_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/routeguard/guard/internal/bucket"
)

// A model drives a table with random calls and a reference beside it.
type model struct {
	*testing.T
	rnd   *rand.Rand
	clock clock
	table *bucket.Table
	now   int64 // the latest time the table saw: the one that counts
	exact bool  // the table is large enough to equal the reference
	back  bool  // the clock may step back
	refs  map[any]*gcra
	refOf func(*bucket.Op) any

	allowed, refused, charged int
}

func newModel(t *testing.T, cfg bucket.Config, seed uint64) *model {
	m := &model{T: t, rnd: rand.New(rand.NewPCG(seed, 0)), refs: map[any]*gcra{}}
	m.refOf = func(op *bucket.Op) any { return op.Key }
	m.back = cfg.Shards == 1
	cfg.Now = m.clock.Now
	m.table = bucket.New(cfg)
	return m
}

func (m *model) ref(op *bucket.Op) *gcra {
	g := m.refs[m.refOf(op)]
	if g == nil {
		g = &gcra{}
		m.refs[m.refOf(op)] = g
	}
	return g
}

// tick moves the clock, sometimes far, and with one shard sometimes back: which
// time another shard has seen is not known here.
func (m *model) tick(most time.Duration) {
	step := time.Duration(m.rnd.Int64N(int64(most))).Truncate(time.Millisecond)
	switch n := m.rnd.IntN(20); {
	case n == 0 && m.back:
		step = -3 * step
	case n == 1:
		step *= 10
	}
	m.clock.Add(step)
	m.now = max(m.now, int64(m.clock.Now()))
}

// take runs one call and compares it with the reference.
func (m *model) take(ops []bucket.Op) bool {
	out := make([]bucket.Result, len(ops))
	ok := m.table.Take(ops, out)

	want, before := true, map[*gcra]int64{}
	for i := range ops {
		op, g := &ops[i], m.ref(&ops[i])
		perToken := int64(op.Per) / int64(op.Count)
		short := g.short(op, m.now) + before[g]
		fits := op.Cost == 0 || short <= 0
		before[g] += int64(op.Cost) * perToken
		want = want && fits
		if m.exact && out[i].Allowed != fits {
			m.Fatalf("at %d: op %+v: got %+v, want allowed %v", m.now, op, out[i], fits)
		}
		if m.exact && !fits && before[g] <= perToken*int64(burstOf(op)) {
			if early := int64(out[i].RetryAfter) - short; early < 990 || early > 1010 {
				m.Fatalf("at %d: op %+v: got %+v, want RetryAfter %d + 1000 ns", m.now, op, out[i], short)
			}
		}
	}
	if ok && !want {
		m.Fatalf("at %d: over-admission of %+v: %+v", m.now, ops, out)
	}
	if m.exact && ok != want {
		m.Fatalf("at %d: %+v: got %v, want %v", m.now, ops, ok, want)
	}
	if !ok {
		m.refused++
		return false
	}
	m.allowed++
	for i := range ops {
		m.ref(&ops[i]).add(&ops[i], ops[i].Cost, m.now)
		m.charged += ops[i].Cost
	}
	for i := range ops {
		g, perToken := m.ref(&ops[i]), int64(ops[i].Per)/int64(ops[i].Count)
		left := int64(burstOf(&ops[i])) - (g.debt(m.now)+perToken-1)/perToken
		if got := int64(out[i].Remaining); m.exact && got != left || got > left {
			m.Fatalf("at %d: op %+v: got %d remaining, want %d", m.now, ops[i], got, left)
		}
	}
	return true
}

func (m *model) refund(ops []bucket.Op) {
	m.table.Refund(ops)
	for i := range ops {
		m.ref(&ops[i]).add(&ops[i], -ops[i].Cost, m.now)
	}
}

// modelRates have bursts of which float64 tells less than a nanosecond: the reference
// is exact.
var modelRates = []bucket.Op{
	{Count: 5, Per: time.Minute},
	{Count: 20, Per: time.Hour, Burst: 3},
	{Count: 1, Per: 24 * time.Hour},
	{Count: 10, Per: 30 * 24 * time.Hour, Burst: 4},
	{Count: 100, Per: time.Second, Burst: 500},
	{Count: 1, Per: time.Second, Burst: 7},
	{Count: 1000, Per: time.Millisecond},
}

// TestModel compares Take with the reference: never more than it allows, and
// where the table is not overloaded, exactly what it allows.
func TestModel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		cfg   bucket.Config
		keys  int
		exact bool
	}{
		{name: "a table with room equals the reference", cfg: bucket.Config{Exact: 4096, Shards: 1}, keys: 300, exact: true},
		{name: "many shards with room", cfg: bucket.Config{}, keys: 300},
		{name: "evictions to the parked tier", cfg: bucket.Config{Exact: 32, Parked: 4096, Shards: 1}, keys: 300},
		{name: "a full parked tier", cfg: bucket.Config{Exact: 32, Parked: 70, Shards: 1}, keys: 300},
		{name: "next to no memory", cfg: bucket.Config{Exact: 1, Parked: 1, Shards: 1}, keys: 30},
		{name: "full shards", cfg: bucket.Config{Exact: 128, Parked: 300, Shards: 2}, keys: 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			m := newModel(t, tt.cfg, seed)
			m.exact = tt.exact
			var taken [][]bucket.Op
			for range scale(testing.Short(), 100_000) {
				ops := make([]bucket.Op, 1+m.rnd.IntN(3)*m.rnd.IntN(2)*m.rnd.IntN(4))
				for i := range ops {
					// A few keys are hot; each key has one rate.
					n := min(m.rnd.IntN(tt.keys), m.rnd.IntN(tt.keys), m.rnd.IntN(tt.keys))
					ops[i] = modelRates[n%len(modelRates)]
					ops[i].Key = key(n)
					ops[i].Cost = m.rnd.IntN(3) * (1 + m.rnd.IntN(2)*m.rnd.IntN(burstOf(&ops[i])))
				}
				if m.take(ops) && m.rnd.IntN(3) == 0 {
					taken = append(taken, ops)
				}
				if len(taken) > 0 && m.rnd.IntN(4) == 0 {
					i := m.rnd.IntN(len(taken))
					m.refund(taken[i])
					taken[i] = taken[len(taken)-1]
					taken = taken[:len(taken)-1]
				}
				m.tick(2 * time.Second)
			}
			if m.allowed < 100 || m.refused < 100 {
				t.Errorf("got %d allowed and %d refused (seed %d): this tests nothing", m.allowed, m.refused, seed)
			}
			t.Logf("%d allowed, %d refused, %+v", m.allowed, m.refused, m.table.Stats())
		})
	}
}

// TestModelOfRatesThatShareKeys checks that every rate is enforced on its own,
// also when another rate uses the same keys and buckets are evicted.
func TestModelOfRatesThatShareKeys(t *testing.T) {
	t.Parallel()
	for _, cfg := range []bucket.Config{
		{Exact: 4096}, {Exact: 32, Parked: 4096, Shards: 1}, {Exact: 16, Parked: 30, Shards: 1}, {Exact: 1, Parked: 1},
	} {
		t.Run(fmt.Sprintf("%d exact and %d parked", cfg.Exact, cfg.Parked), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, cfg, rand.Uint64())
			type keyAndRate struct {
				key   bucket.Key
				count int
				per   time.Duration
				burst int
			}
			m.refOf = func(op *bucket.Op) any { return keyAndRate{op.Key, op.Count, op.Per, op.Burst} }
			for range scale(testing.Short(), 60_000) {
				ops := make([]bucket.Op, 1+m.rnd.IntN(2))
				for i := range ops {
					ops[i] = modelRates[m.rnd.IntN(len(modelRates))]
					ops[i].Key = key(m.rnd.IntN(60))
					ops[i].Cost = m.rnd.IntN(4)
				}
				m.take(ops)
				m.tick(2 * time.Second)
			}
			if m.allowed < 100 || m.refused < 100 {
				t.Errorf("got %d allowed and %d refused: this tests nothing", m.allowed, m.refused)
			}
			t.Logf("%d allowed, %d refused, %+v", m.allowed, m.refused, m.table.Stats())
		})
	}
}

// TestRatesThatShareAKeyTogetherStayWithinTheLarger checks the bound on the sum,
// which holds while the bucket is not evicted.
func TestRatesThatShareAKeyTogetherStayWithinTheLarger(t *testing.T) {
	t.Parallel()
	for range 200 {
		rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
		c := &clock{}
		table := c.table(64, 64, 1)
		rates := [...]bucket.Op{
			{Key: key(1), Count: 1 + rnd.IntN(50), Per: time.Minute, Burst: 1 + rnd.IntN(50), Cost: 1},
			{Key: key(1), Count: 1 + rnd.IntN(50), Per: time.Minute, Burst: 1 + rnd.IntN(50), Cost: 1},
		}
		most := float64(max(rates[0].Burst, rates[1].Burst))
		perSecond := float64(max(rates[0].Count, rates[1].Count)) / 60
		allowed := 0.0
		for range 500 {
			if takeOne(table, rates[rnd.IntN(2)]).Allowed {
				allowed++
			}
			if bound := most + perSecond*c.Now().Seconds(); allowed > bound+1e-6 {
				t.Fatalf("%+v: got %v allowed after %v, want at most %v", rates, allowed, c.Now(), bound)
			}
			c.Add(time.Duration(rnd.Int64N(int64(2 * time.Second))))
		}
	}
}

// TestRetryAfterIsExact waits as long as it is told: never refused, and never
// allowed 3 µs before.
func TestRetryAfterIsExact(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
	c := &clock{}
	table := c.table(0, 0, 0)
	pers := []time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour, 30 * 24 * time.Hour}
	cases, refused, early := 0, 0, 0
	for n := range scale(testing.Short(), 120_000) {
		if n%50 == 0 { // before the clock reaches its end
			c.Set(0)
			table = c.table(64, 1, 1)
		}
		op := bucket.Op{Key: key(n), Count: 1 + rnd.IntN(1000), Per: pers[rnd.IntN(len(pers))]}
		op.Burst = 1 + rnd.IntN(op.Count)
		if bucket.Check(op.Count, op.Per, op.Burst) != nil {
			continue
		}
		op.Cost = 1 + rnd.IntN(op.Burst)
		for i := 0; takeOne(table, op).Allowed; i++ { // spend it at odd times
			c.Add(time.Duration(rnd.Int64N(int64(op.Per)/int64(op.Count)/4 + 1)))
			if i == 100 {
				op.Cost = op.Burst
			}
		}
		op.Cost = 1 + rnd.IntN(op.Burst)
		res := takeOne(table, op)
		if res.Allowed {
			continue
		}
		cases++
		if res.RetryAfter > 3*µs {
			c.Add(res.RetryAfter - 3*µs)
			if takeOne(table, op).Allowed {
				early++
			}
			c.Add(3 * µs)
		} else {
			c.Add(res.RetryAfter)
		}
		if !takeOne(table, op).Allowed {
			refused++
		}
	}
	if cases < 1000 {
		t.Errorf("got %d cases: this tests nothing", cases)
	}
	if refused != 0 || early != 0 {
		t.Errorf("of %d cases: %d refused after waiting and %d allowed 3 µs early, want 0 and 0", cases, refused, early)
	}
	t.Logf("%d cases", cases)
}

// TestATokenIsBackExactlyInTime waits count periods' worth of single tokens: the
// nanosecond that fits allows makes up for float64.
func TestATokenIsBackExactlyInTime(t *testing.T) {
	t.Parallel()
	for _, per := range []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour} {
		for count := 1; count <= 1000; count++ {
			if int64(per)%int64(count) != 0 {
				continue // there is no exact time
			}
			c := &clock{}
			c.Set(12345 * time.Nanosecond)
			table := c.table(64, 1, 1)
			op := bucket.Op{Key: key(1), Count: count, Per: per, Burst: 3, Cost: 3}
			takeOne(table, op)
			op.Cost = 1
			for n := range 50 {
				c.Add(per/time.Duration(count) - 2)
				if takeOne(table, op).Allowed {
					t.Errorf("%d each %v: token %d was there 2 ns early", count, per, n)
				}
				c.Add(2)
				if got := takeOne(table, op); !got.Allowed {
					t.Errorf("%d each %v: token %d was late: %+v", count, per, n, got)
				}
			}
		}
	}
}

// TestNextAndFullAreExact waits for what they promise.
func TestNextAndFullAreExact(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
	c := &clock{}
	table := c.table(1<<16, 1, 0)
	for n := range scale(testing.Short(), 20_000) {
		op := bucket.Op{Key: key(n), Count: 1 + rnd.IntN(1000), Per: time.Duration(1 + rnd.Int64N(int64(24*time.Hour)))}
		op.Burst = 1 + rnd.IntN(20)
		op.Cost = 1 + rnd.IntN(op.Burst)
		res := takeOne(table, op)
		op.Cost = 0
		if op.Per/time.Duration(op.Count) < 10*µs {
			continue
		}
		c.Add(res.Next)
		if got := takeOne(table, op).Remaining; got != res.Remaining+1 {
			t.Fatalf("%+v: got %d remaining after Next, want one more than %d", op, got, res.Remaining)
		}
		c.Add(res.Full - res.Next)
		if got, want := takeOne(table, op), (bucket.Result{Allowed: true, Remaining: op.Burst}); got != want {
			t.Fatalf("%+v: got %+v after Full, want %+v", op, got, want)
		}
	}
}

// TestStaleTimesAdmitNoMore feeds times taken at the start of requests, 0 to
// 20 ms ago. rate.Limiter alone admitted 6.3 times the limit with them.
func TestStaleTimesAdmitNoMore(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
	now := time.Hour
	table := bucket.New(bucket.Config{Now: func() time.Duration {
		return now - time.Duration(rnd.Int64N(int64(20*time.Millisecond)))
	}})
	op := bucket.Op{Key: key(1), Count: 1000, Per: time.Second, Burst: 20, Cost: 1}
	allowed, step := 0, 50*µs
	for range int(2 * time.Second / step) {
		if takeOne(table, op).Allowed {
			allowed++
		}
		now += step
	}
	if entitled := 2000 + op.Burst + 20; allowed > entitled || allowed < entitled*9/10 {
		t.Errorf("got %d allowed in 2 s, want about and at most %d", allowed, entitled)
	}
}
