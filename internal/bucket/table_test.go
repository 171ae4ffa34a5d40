package bucket_test

import (
	"fmt"
	"math"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/routeguard/guard/internal/bucket"
)

const µs = time.Microsecond

// fivePerMinute is an op of cost 1 with a token every 12 s.
func fivePerMinute(key bucket.Key) bucket.Op {
	return bucket.Op{Key: key, Count: 5, Per: time.Minute, Cost: 1}
}

// key returns the i-th of some keys.
func key(i int) bucket.Key { return bucket.Key{Hi: 1, Lo: uint64(i)} }

// costs returns op with other costs, one op for each.
func costs(op bucket.Op, costs ...int) []bucket.Op {
	ops := make([]bucket.Op, len(costs))
	for i, c := range costs {
		ops[i] = op
		ops[i].Cost = c
	}
	return ops
}

func takeOne(t *bucket.Table, op bucket.Op) bucket.Result {
	var out [1]bucket.Result
	if ok := t.Take([]bucket.Op{op}, out[:]); ok != out[0].Allowed {
		panic("Take and its only result differ")
	}
	return out[0]
}

func TestTakeReportsTheBucket(t *testing.T) {
	t.Parallel()
	const s = time.Second
	tests := []struct {
		name    string
		advance time.Duration
		cost    int
		want    bucket.Result
	}{
		{name: "a look at a key never seen finds a full bucket", cost: 0, want: bucket.Result{Allowed: true, Remaining: 5}},
		{name: "the first token", cost: 1, want: bucket.Result{Allowed: true, Remaining: 4, Next: 12*s + µs, Full: 12*s + µs}},
		{name: "three at once", cost: 3, want: bucket.Result{Allowed: true, Remaining: 1, Next: 12*s + µs, Full: 48*s + µs}},
		{name: "one more than there are", cost: 2, want: bucket.Result{Remaining: 1, RetryAfter: 12*s + µs, Next: 12*s + µs, Full: 48*s + µs}},
		{name: "the refusal cost nothing", cost: 1, want: bucket.Result{Allowed: true, Remaining: 0, Next: 12*s + µs, Full: 60*s + µs}},
		{name: "empty", cost: 1, want: bucket.Result{RetryAfter: 12*s + µs, Next: 12*s + µs, Full: 60*s + µs}},
		{name: "a look at an empty bucket is allowed", cost: 0, want: bucket.Result{Allowed: true, Next: 12*s + µs, Full: 60*s + µs}},
		{name: "more than the burst never fits", cost: 6, want: bucket.Result{RetryAfter: -1, Next: 12*s + µs, Full: 60*s + µs}},
		{name: "a quarter of a token later", advance: 3 * s, cost: 1, want: bucket.Result{RetryAfter: 9*s + µs, Next: 9*s + µs, Full: 57*s + µs}},
		{name: "exactly one token later", advance: 9 * s, cost: 1, want: bucket.Result{Allowed: true, Next: 12*s + µs, Full: 60*s + µs}},
		{name: "time that goes back gives nothing", advance: -6 * s, cost: 1, want: bucket.Result{RetryAfter: 12*s + µs, Next: 12*s + µs, Full: 60*s + µs}},
		{name: "nor when it comes back", advance: 6 * s, cost: 1, want: bucket.Result{RetryAfter: 12*s + µs, Next: 12*s + µs, Full: 60*s + µs}},
		{name: "full again", advance: 60 * s, cost: 5, want: bucket.Result{Allowed: true, Next: 12*s + µs, Full: 60*s + µs}},
		{name: "never more than full", advance: time.Hour, cost: 0, want: bucket.Result{Allowed: true, Remaining: 5}},
	}
	c := &clock{}
	table := c.table(0, 0, 0)
	op := fivePerMinute(table.Text("login", "ada"))
	for _, tt := range tests {
		c.Add(tt.advance)
		op.Cost = tt.cost
		if got := takeOne(table, op); got != tt.want {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.name, got, tt.want)
		}
	}
}

func TestTakeRefusesInvalidOps(t *testing.T) {
	t.Parallel()
	good := bucket.Op{Key: key(1), Count: 5, Per: time.Minute, Burst: 5, Cost: 1}
	tests := []struct {
		name  string
		edit  func(*bucket.Op)
		check bool // Check sees it too
	}{
		{name: "the zero op", edit: func(o *bucket.Op) { *o = bucket.Op{} }, check: true},
		{name: "no key", edit: func(o *bucket.Op) { o.Key = bucket.Key{} }},
		{name: "no key and a look", edit: func(o *bucket.Op) { o.Key, o.Cost = bucket.Key{}, 0 }},
		{name: "count 0", edit: func(o *bucket.Op) { o.Count = 0 }, check: true},
		{name: "count and burst 0", edit: func(o *bucket.Op) { o.Count, o.Burst = 0, 0 }, check: true},
		{name: "negative count", edit: func(o *bucket.Op) { o.Count = -5 }, check: true},
		{name: "period 0", edit: func(o *bucket.Op) { o.Per = 0 }, check: true},
		{name: "negative period", edit: func(o *bucket.Op) { o.Per = -time.Minute }, check: true},
		{name: "negative count and period", edit: func(o *bucket.Op) { o.Count, o.Per = -5, -time.Minute }, check: true},
		{name: "negative burst", edit: func(o *bucket.Op) { o.Burst = -1 }, check: true},
		{name: "negative cost", edit: func(o *bucket.Op) { o.Cost = -1 }},
		{name: "most negative cost", edit: func(o *bucket.Op) { o.Cost = math.MinInt }},
		{name: "a bucket that fills too slowly", edit: func(o *bucket.Op) { o.Count, o.Burst, o.Per = 1, 2, 201*24*time.Hour }, check: true},
		{name: "the slowest bucket there is", edit: func(o *bucket.Op) { o.Count, o.Burst, o.Per = 1, math.MaxInt, math.MaxInt64 }, check: true},
		{name: "more than the burst", edit: func(o *bucket.Op) { o.Cost = 6 }},
		{name: "far more than the burst", edit: func(o *bucket.Op) { o.Cost = math.MaxInt }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := (&clock{}).table(0, 0, 0)
			bad := good
			tt.edit(&bad)
			if got := takeOne(table, bad); got.Allowed || got.RetryAfter != -1 {
				t.Errorf("got %+v, want a refusal for ever", got)
			}
			if err := bucket.Check(bad.Count, bad.Per, bad.Burst); (err != nil) != tt.check {
				t.Errorf("Check: got %v, want an error: %v", err, tt.check)
			}

			var out [3]bucket.Result
			other := fivePerMinute(key(2))
			if table.Take([]bucket.Op{other, bad, other}, out[:]) {
				t.Error("a Take with this op was allowed")
			}
			if !out[0].Allowed || out[1].Allowed || !out[2].Allowed {
				t.Errorf("got %+v, want only the op in the middle refused", out)
			}
			other.Cost = 0
			if got := takeOne(table, other).Remaining; got != 5 {
				t.Errorf("the other op was charged: %d tokens left, want 5", got)
			}
			table.Refund([]bucket.Op{bad})
		})
	}
}

func TestCheckAcceptsWhatTakeAllows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		count int
		per   time.Duration
		burst int
	}{
		{name: "one a month", count: 1, per: 30 * 24 * time.Hour},
		{name: "ten a day", count: 10, per: 24 * time.Hour, burst: 20},
		{name: "the longest fill", count: 1, per: bucket.MaxFill},
		{name: "a thousand a millisecond", count: 1000, per: time.Millisecond},
		{name: "a burst of one", count: 1 << 30, per: time.Nanosecond, burst: 1},
		{name: "as many as there are", count: math.MaxInt32, per: time.Nanosecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := bucket.Check(tt.count, tt.per, tt.burst); err != nil {
				t.Errorf("Check: got %v, want no error", err)
			}
			op := bucket.Op{Key: key(1), Count: tt.count, Per: tt.per, Burst: tt.burst}
			op.Cost = burstOf(&op)
			table := (&clock{}).table(0, 0, 0)
			if got := takeOne(table, op); !got.Allowed {
				t.Errorf("the whole burst: got %+v, want it allowed", got)
			}
			if got := takeOne(table, op); got.Allowed && tt.per > µs {
				t.Errorf("the whole burst again: got %+v, want it refused", got)
			}
		})
	}
}

func TestTakeIsAllOrNothing(t *testing.T) {
	t.Parallel()
	wide := bucket.Op{Key: key(1), Count: 100, Per: time.Minute, Cost: 1}
	narrow := bucket.Op{Key: key(2), Count: 3, Per: time.Minute, Cost: 1}
	for _, ops := range [][]bucket.Op{{wide, narrow}, {narrow, wide}} {
		table := (&clock{}).table(0, 0, 0)
		var out [2]bucket.Result
		allowed := 0
		for range 10 {
			if table.Take(ops, out[:]) {
				allowed++
			}
		}
		if allowed != 3 {
			t.Errorf("got %d allowed, want 3", allowed)
		}
		for i, op := range ops {
			if op.Key == wide.Key && (!out[i].Allowed || out[i].Remaining != 97) {
				t.Errorf("the wide limit: got %+v, want it allowed with 97 left", out[i])
			}
			if op.Key == narrow.Key && (out[i].Allowed || out[i].RetryAfter != 20*time.Second+µs) {
				t.Errorf("the narrow limit: got %+v, want a refusal for 20 s", out[i])
			}
		}
	}
}

func TestTakeChargesARepeatedKeyInTotal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		costs []int
		want  []bucket.Result // without Next and Full
		left  int
	}{
		{
			name: "both fit", costs: []int{2, 3}, left: 0,
			want: []bucket.Result{{Allowed: true}, {Allowed: true}},
		},
		{
			name: "the second fits alone but not on top", costs: []int{3, 3}, left: 5,
			want: []bucket.Result{{Allowed: true, Remaining: 5}, {Remaining: 5, RetryAfter: -1}},
		},
		{
			name: "looks among charges", costs: []int{0, 1, 0, 1}, left: 3,
			want: []bucket.Result{{Allowed: true, Remaining: 3}, {Allowed: true, Remaining: 3}, {Allowed: true, Remaining: 3}, {Allowed: true, Remaining: 3}},
		},
		{
			name: "looks only", costs: []int{0, 0}, left: 5,
			want: []bucket.Result{{Allowed: true, Remaining: 5}, {Allowed: true, Remaining: 5}},
		},
		{
			name: "one too many", costs: []int{1, 1, 1, 1, 1, 1}, left: 5,
			want: []bucket.Result{
				{Allowed: true, Remaining: 5}, {Allowed: true, Remaining: 5}, {Allowed: true, Remaining: 5},
				{Allowed: true, Remaining: 5}, {Allowed: true, Remaining: 5}, {Remaining: 5, RetryAfter: -1},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := (&clock{}).table(0, 0, 0)
			out := make([]bucket.Result, len(tt.costs))
			table.Take(costs(fivePerMinute(key(1)), tt.costs...), out)
			for i := range out {
				out[i].Next, out[i].Full = 0, 0
				if out[i] != tt.want[i] {
					t.Errorf("op %d: got %+v, want %+v", i, out[i], tt.want[i])
				}
			}
			if got := takeOne(table, costs(fivePerMinute(key(1)), 0)[0]).Remaining; got != tt.left {
				t.Errorf("got %d tokens left, want %d", got, tt.left)
			}
		})
	}
}

func TestTakeARepeatedKeyRetryCountsBoth(t *testing.T) {
	t.Parallel()
	c := &clock{}
	table := c.table(0, 0, 0)
	op := fivePerMinute(key(1))
	table.Take(costs(op, 4), nil)
	var out [2]bucket.Result
	if table.Take(costs(op, 1, 2), out[:]) {
		t.Error("three tokens of one were allowed")
	}
	if got, want := out[1].RetryAfter, 24*time.Second+µs; got != want {
		t.Errorf("got RetryAfter %v, want %v", got, want)
	}
	c.Add(out[1].RetryAfter)
	if !table.Take(costs(op, 1, 2), out[:]) {
		t.Error("refused after waiting RetryAfter")
	}
}

func TestTakeAnyNumberOfOps(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 7, 8, 9, 40} {
		// Few slots, so that new keys of one call compete for them.
		for _, exact := range []int{1, 8, 65536} {
			t.Run(fmt.Sprintf("%d ops in %d slots", n, exact), func(t *testing.T) {
				t.Parallel()
				c := &clock{}
				table := c.table(exact, 1<<16, 0)
				ops, out := make([]bucket.Op, n), make([]bucket.Result, n)
				for i := range ops {
					ops[i] = fivePerMinute(key(i))
				}
				for i := range 6 {
					c.Add(time.Millisecond) // for the rounding of parked times
					if got, want := table.Take(ops, out), i < 5; got != want {
						t.Fatalf("take %d: got %v, want %v: %+v", i, got, want, out)
					}
				}
			})
		}
	}
}

func TestTakeWritesOnlyTheResultsAskedFor(t *testing.T) {
	t.Parallel()
	table := (&clock{}).table(0, 0, 0)
	ops := []bucket.Op{fivePerMinute(key(1)), fivePerMinute(key(2))}
	if table.Take(nil, nil) || table.Take([]bucket.Op{}, make([]bucket.Result, 1)) {
		t.Error("a Take of nothing was allowed")
	}
	if !table.Take(ops[:1], nil) || !table.Take(ops, nil) {
		t.Error("a Take without results was refused")
	}
	var out [3]bucket.Result
	if !table.Take(ops, out[:1]) || out[0].Remaining != 2 || out[1] != (bucket.Result{}) {
		t.Errorf("got %+v, want only the first", out)
	}
	if !table.Take(ops, out[:]) || out[1].Remaining != 2 || out[2] != (bucket.Result{}) {
		t.Errorf("got %+v, want the first two", out)
	}
}

func TestRefund(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		take   int
		after  time.Duration
		refund []int
		want   int
	}{
		{name: "all", take: 3, refund: []int{3}, want: 5},
		{name: "a part", take: 5, refund: []int{1, 1}, want: 2},
		{name: "never above the burst", take: 1, refund: []int{4}, want: 5},
		{name: "after tokens came back", take: 5, after: 24 * time.Second, refund: []int{2}, want: 4},
		{name: "after the bucket is full", take: 5, after: time.Hour, refund: []int{5}, want: 5},
		{name: "nothing for a key never seen", refund: []int{5}, want: 5},
		{name: "nothing for cost 0", take: 2, refund: []int{0}, want: 3},
		{name: "nothing for a negative cost", take: 2, refund: []int{-2}, want: 3},
		{name: "more than an int can hold twice", take: 2, refund: []int{math.MaxInt, math.MaxInt}, want: 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &clock{}
			table := c.table(0, 0, 0)
			op := fivePerMinute(key(1))
			table.Take(costs(op, tt.take), nil)
			c.Add(tt.after)
			table.Refund(costs(op, tt.refund...))
			if got := takeOne(table, costs(op, 0)[0]).Remaining; got != tt.want {
				t.Errorf("got %d left, want %d", got, tt.want)
			}
			allowed := 0
			for range 10 {
				if takeOne(table, op).Allowed {
					allowed++
				}
			}
			if allowed != tt.want {
				t.Errorf("got %d allowed, want %d", allowed, tt.want)
			}
		})
	}
}

func TestRatesThatShareAKey(t *testing.T) {
	t.Parallel()
	perMinute := bucket.Op{Key: key(1), Count: 5, Per: time.Minute, Cost: 1}
	perHour := bucket.Op{Key: key(1), Count: 20, Per: time.Hour, Cost: 1}
	drain := func(table *bucket.Table, op bucket.Op) int {
		n := 0
		for takeOne(table, op).Allowed {
			n++
		}
		return n
	}
	t.Run("what one spends the other finds spent", func(t *testing.T) {
		t.Parallel()
		table := (&clock{}).table(0, 0, 0)
		got := [...]int{drain(table, perMinute), drain(table, perHour), drain(table, perMinute)}
		if want := [...]int{5, 15, 0}; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("the larger burst first leaves nothing", func(t *testing.T) {
		t.Parallel()
		table := (&clock{}).table(0, 0, 0)
		got := [...]int{drain(table, perHour), drain(table, perMinute)}
		if want := [...]int{20, 0}; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("the faster rate does not repay the slower limit", func(t *testing.T) {
		t.Parallel()
		c := &clock{}
		table := c.table(0, 0, 0)
		fast := bucket.Op{Key: key(1), Count: 1000, Per: time.Second, Cost: 1}
		drain(table, perHour)
		takeOne(table, fast)
		c.Add(time.Minute)
		if got := drain(table, perHour); got != 0 {
			t.Errorf("got %d of 20 an hour again after a minute, want 0", got)
		}
		c.Add(time.Hour)
		if got := drain(table, perHour); got != 20 {
			t.Errorf("got %d after an hour, want 20", got)
		}
	})
	t.Run("a debt of centuries at the other rate", func(t *testing.T) {
		t.Parallel()
		table := (&clock{}).table(0, 0, 0)
		fast := bucket.Op{Key: key(1), Count: math.MaxInt32, Per: time.Hour, Cost: math.MaxInt32}
		slow := bucket.Op{Key: key(1), Count: 1, Per: bucket.MaxFill, Cost: 1}
		takeOne(table, fast)
		if got := takeOne(table, slow); got.Allowed || min(got.RetryAfter, got.Next, got.Full) < bucket.MaxFill {
			t.Errorf("got %+v, want a refusal for long", got)
		}
	})
	t.Run("in one call", func(t *testing.T) {
		t.Parallel()
		table := (&clock{}).table(0, 0, 0)
		allowed := 0
		for range 10 {
			if table.Take([]bucket.Op{perMinute, perHour}, nil) {
				allowed++
			}
		}
		// Two tokens a call: the third call's first is the fifth of five.
		if allowed != 3 {
			t.Errorf("got %d allowed, want 3", allowed)
		}
	})
}

func TestARefusedTakeStoresNothing(t *testing.T) {
	t.Parallel()
	table := (&clock{}).table(0, 0, 0)
	spent := fivePerMinute(key(1))
	table.Take(costs(spent, 5), nil)
	for i := range 1000 {
		fresh := fivePerMinute(key(i + 2))
		table.Take([]bucket.Op{fresh, spent}, nil)
		table.Take([]bucket.Op{spent, fresh}, nil)
		table.Take(costs(fresh, 6), nil)
		table.Take(costs(fresh, 0), nil)
		table.Take(costs(fresh, 0, 0), nil)
	}
	if got, want := table.Stats(), (bucket.Stats{Live: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAFullBucketLosesItsSlotFirst(t *testing.T) {
	t.Parallel()
	c := &clock{}
	table := c.table(8, 1, 0)
	for i := range 8 {
		op := fivePerMinute(key(i))
		op.Cost = 1 + i%2*4 // every other is full after 12 s
		table.Take([]bucket.Op{op}, nil)
	}
	c.Add(12*time.Second + µs)
	if got, want := table.Stats(), (bucket.Stats{Live: 4}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for i := range 4 {
		takeOne(table, fivePerMinute(key(100+i)))
	}
	if got, want := table.Stats(), (bucket.Stats{Live: 8, Reclaimed: 4}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	takeOne(table, fivePerMinute(key(200)))
	if got, want := table.Stats(), (bucket.Stats{Live: 8, Reclaimed: 4, Evicted: 1, Parked: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for i := 1; i < 8; i += 2 {
		if got := takeOne(table, costs(fivePerMinute(key(i)), 0)[0]).Remaining; got != 1 {
			t.Errorf("an exhausted key after a token: %d left, want 1", got)
		}
	}
}

func TestAParkedDebtIsKept(t *testing.T) {
	t.Parallel()
	c := &clock{}
	table := bucket.NewPlaced(bucket.Config{Exact: 1, Parked: 1 << 16, Now: c.Now}) // no two keys share a tag
	for i := range 100 {
		table.Take(costs(fivePerMinute(key(i)), 4), nil)
	}
	if got := table.Stats(); got.Evicted != 99 || got.Forgotten != 0 {
		t.Errorf("got %+v, want 99 evicted and none forgotten", got)
	}
	c.Add(6 * time.Second)
	for i := range 100 {
		// A parked time is rounded up to 65 µs.
		got := takeOne(table, costs(fivePerMinute(key(i)), 2)[0])
		if early := 6*time.Second + µs - got.RetryAfter; got.Allowed || got.Remaining != 1 || early > 0 || early < -100*µs {
			t.Errorf("key %d: got %+v, want 1 left and a retry after 6 s", i, got)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	table, other := bucket.New(bucket.Config{}), bucket.New(bucket.Config{})
	addr := netip.MustParseAddr
	same := func(name string, a, b bucket.Key) {
		if a != b {
			t.Errorf("%s: keys differ", name)
		}
	}
	differ := func(name string, a, b bucket.Key) {
		if a == b {
			t.Errorf("%s: one key", name)
		}
	}
	same("a text twice", table.Text("login", "ada"), table.Text("login", "ada"))
	differ("two texts", table.Text("login", "ada"), table.Text("login", "bob"))
	differ("two limits", table.Text("login", "ada"), table.Text("reset", "ada"))
	differ("another border", table.Text("ab", "c"), table.Text("a", "bc"))
	differ("nothing before and after", table.Text("ab", ""), table.Text("", "ab"))
	differ("no texts and no key", table.Text("", ""), bucket.Key{})
	differ("two tables", table.Text("login", "ada"), other.Text("login", "ada"))
	differ("both halves", bucket.Key{Hi: table.Text("a", "b").Hi}, bucket.Key{Hi: table.Text("a", "b").Lo})

	same("an address twice", table.Addr("ip", addr("192.0.2.1")), table.Addr("ip", addr("192.0.2.1")))
	same("a mapped address", table.Addr("ip", addr("192.0.2.1")), table.Addr("ip", addr("::ffff:192.0.2.1")))
	same("a zone", table.Addr("ip", addr("fe80::1%eth0")), table.Addr("ip", addr("fe80::1")))
	same("no address", table.Addr("ip", netip.Addr{}), bucket.Key{})
	differ("two addresses", table.Addr("ip", addr("192.0.2.1")), table.Addr("ip", addr("192.0.2.2")))
	differ("two limits on an address", table.Addr("ip", addr("192.0.2.1")), table.Addr("net", addr("192.0.2.1")))
	differ("an address and its text", table.Addr("ip", addr("192.0.2.1")), table.Text("ip", "192.0.2.1"))
	bytes := addr("192.0.2.1").As16()
	differ("an address and its bytes", table.Addr("ip", addr("192.0.2.1")), table.Text("ip", string(bytes[:])))
}

func TestConfigTakesAnySize(t *testing.T) {
	t.Parallel()
	for _, cfg := range []bucket.Config{
		{}, {Exact: -1, Parked: -1, Shards: -1}, {Exact: 1, Parked: 1, Shards: 1},
		{Exact: 100, Shards: 1000}, {Exact: math.MaxInt, Parked: 1 << 20, Shards: 1 << 30},
		{Exact: 1000, Parked: 10, Shards: 7},
	} {
		table := bucket.New(cfg)
		for i := range 2000 {
			if !takeOne(table, fivePerMinute(key(i))).Allowed && cfg.Parked > 1000 {
				t.Errorf("%+v: key %d was refused", cfg, i)
				break
			}
		}
		if got := table.Stats().Live; cfg.Exact > 0 && got > cfg.Exact {
			t.Errorf("%+v: got %d live, want at most Exact", cfg, got)
		}
	}
}

func TestTheDefaultClockIsMonotonicTime(t *testing.T) {
	t.Parallel()
	table := bucket.New(bucket.Config{})
	op := bucket.Op{Key: key(1), Count: 1, Per: time.Microsecond, Cost: 1}
	for range 1000 {
		deadline := time.Now().Add(time.Minute)
		for !takeOne(table, op).Allowed {
			if time.Now().After(deadline) {
				t.Fatal("no token came back in a minute, want one each µs")
			}
		}
	}
}

func TestAClockAtItsLimits(t *testing.T) {
	t.Parallel()
	c := &clock{}
	table := c.table(8, 8, 0)
	slow := bucket.Op{Count: 1, Per: bucket.MaxFill, Cost: 1}
	for i, now := range []int64{math.MinInt64, -1, 0, 1, 1 << 50, 1 << 61, 1 << 62, 1<<62 + 1, math.MaxInt64, 5, math.MinInt64} {
		c.Set(time.Duration(now))
		for j := range 40 {
			slow.Key, slow.Cost = key(100*i+j), 1
			takeOne(table, slow)
			if got := takeOne(table, slow); got.Allowed || got.RetryAfter < 0 || got.RetryAfter > 2*bucket.MaxFill {
				t.Errorf("at %d: got %+v, want a refusal", now, got)
			}
		}
		table.Stats()
	}
}

func TestConcurrentTakesAndRefunds(t *testing.T) {
	t.Parallel()
	const keys, workers, limit = 8, 16, 50
	table := (&clock{}).table(4, 1<<12, 4) // the time stands still; slots are short
	var kept [keys]int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			var mine [keys]int
			for i := range 500 {
				a, b := (w+i)%keys, (w*3+i*5)%keys
				ops := []bucket.Op{
					{Key: key(a), Count: limit, Per: time.Hour, Cost: 1},
					{Key: key(b), Count: limit, Per: time.Hour, Cost: 1},
				}
				if !table.Take(ops, nil) {
					continue
				}
				if i%3 == 0 {
					table.Refund(ops)
					continue
				}
				mine[a]++
				mine[b]++
			}
			table.Stats()
			mu.Lock()
			defer mu.Unlock()
			for k, n := range mine {
				kept[k] += n
			}
		})
	}
	wg.Wait()
	for k, n := range kept {
		if n > limit || n == 0 {
			t.Errorf("key %d: got %d kept, want 1 to %d", k, n, limit)
		}
	}
}

// TestReserveThenRefundCountsOnlyFailures is how a login limit must be used:
// checking first and charging after lets all parallel guesses through.
func TestReserveThenRefundCountsOnlyFailures(t *testing.T) {
	t.Parallel()
	table := (&clock{}).table(0, 0, 0)
	op := []bucket.Op{fivePerMinute(table.Text("login", "ada"))}
	for range 1000 {
		if !table.Take(op, nil) {
			t.Fatal("a success that was refunded counted")
		}
		table.Refund(op)
	}
	var tried, wg sync.WaitGroup
	var mu sync.Mutex
	allowed := 0
	tried.Add(200)
	for range 200 {
		wg.Go(func() {
			ok := table.Take(op, nil)
			tried.Done()
			tried.Wait() // no outcome is known before all have reserved
			mu.Lock()
			defer mu.Unlock()
			if ok {
				allowed++
			}
		})
	}
	wg.Wait()
	if allowed != 5 {
		t.Errorf("got %d of 200 parallel guesses, want 5", allowed)
	}
}

func TestTakeDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c := &clock{}
	table := c.table(128, 1<<10, 0)
	fresh := 0
	tests := []struct {
		name string
		n    int
		op   bucket.Op
	}{
		{name: "one op", n: 1, op: bucket.Op{Count: 1e6, Per: time.Second, Cost: 1}},
		{name: "two ops", n: 2, op: bucket.Op{Count: 1e6, Per: time.Second, Cost: 1}},
		{name: "eight ops", n: 8, op: bucket.Op{Count: 1e6, Per: time.Second, Cost: 1}},
		{name: "a refusal", n: 1, op: bucket.Op{Count: 1, Per: time.Hour, Cost: 1}},
		{name: "eight refusals", n: 8, op: bucket.Op{Count: 1, Per: time.Hour, Cost: 1}},
	}
	for i := range 10_000 { // all chunks and the parked tier exist
		takeOne(table, fivePerMinute(key(-i)))
	}
	for _, tt := range tests {
		ops, out := make([]bucket.Op, tt.n), make([]bucket.Result, tt.n)
		for _, flood := range []bool{false, true} {
			got := testing.AllocsPerRun(1000, func() {
				for i := range ops {
					ops[i] = tt.op
					ops[i].Key = key(i)
					if flood {
						fresh++
						ops[i].Key = key(fresh)
					}
				}
				table.Take(ops, out)
				table.Refund(ops)
			})
			if got != 0 {
				t.Errorf("%s, new keys %v: got %v allocations, want 0", tt.name, flood, got)
			}
		}
	}
	ip := netip.MustParseAddr("2001:db8::1")
	name := fmt.Sprint("some", "one")
	if got := testing.AllocsPerRun(1000, func() { table.Text("login", name); table.Addr("login", ip) }); got != 0 {
		t.Errorf("keys: got %v allocations, want 0", got)
	}
}
