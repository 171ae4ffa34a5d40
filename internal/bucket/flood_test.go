package bucket_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/routeguard/guard/internal/bucket"
)

// TestOverflowNeverOverAdmits takes at random for 60,000 keys on a table that
// remembers 4,096: every admission must be one that the reference allows too.
func TestOverflowNeverOverAdmits(t *testing.T) {
	t.Parallel()
	c := &clock{}
	table := c.table(2048, 2048, 0)
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
	refs := make([]gcra, 60_000)
	allowed, over := 0, 0
	for range scale(testing.Short(), 3_000_000) {
		n := rnd.IntN(len(refs))
		op := fivePerMinute(key(n))
		op.Cost = 1 + rnd.IntN(2)
		now := int64(c.Now())
		if takeOne(table, op).Allowed {
			allowed++
			if refs[n].short(&op, now) > 0 {
				over++
			}
			refs[n].add(&op, op.Cost, now)
		}
		c.Add(time.Duration(rnd.Int64N(int64(time.Millisecond))))
	}
	stats := table.Stats()
	if over != 0 {
		t.Errorf("got %d over-admissions, want 0", over)
	}
	if allowed < 10_000 || stats.Forgotten == 0 || stats.Overload == 0 {
		t.Errorf("got %d allowed and %+v: this is no overflow", allowed, stats)
	}
	t.Logf("%d allowed, %+v", allowed, stats)
}

// TestAnAttackerGainsNothingByAFlood is the adaptive attack on a bounded table:
// exhaust one key, flood the table without touching it, try it again. Peers that
// evict by age give 36 to 80 times the limit.
func TestAnAttackerGainsNothingByAFlood(t *testing.T) {
	t.Parallel()
	const exact, perSecond = 1000, 2000
	duration := time.Duration(scale(testing.Short(), 120)) * time.Second
	for _, parked := range []int{1, exact, 10 * exact, 100 * exact} {
		for _, flood := range []int{exact / 2, 2 * exact, 20 * exact} { // junk between tries
			for _, perKey := range []int{1, 2, 5} { // requests for each junk key
				name := fmt.Sprintf("%d parked, %d requests on %d junk keys between tries", parked, perKey, flood)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					c := &clock{}
					table := c.table(exact, parked, 0)
					target := fivePerMinute(table.Text("login", "admin"))
					gained, junk := 0, 0
					for c.Now() < duration {
						for takeOne(table, target).Allowed {
							gained++
						}
						for range flood * perKey {
							junk++
							takeOne(table, fivePerMinute(key(junk/perKey)))
							c.Add(time.Second / perSecond)
						}
					}
					entitled := 5 + int(c.Now()/(12*time.Second))
					if gained < 5 || gained > entitled {
						t.Errorf("got %d admissions of one key in %v, want 5 to %d: gain %.2f",
							gained, c.Now(), entitled, float64(gained)/float64(entitled))
					}
				})
			}
		}
	}
}

// TestHonestClientsInAFlood is the flood that the default size is meant for: new
// junk keys every second, while regular and new clients go on.
func TestHonestClientsInAFlood(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		junk   int // new keys a second
		perKey int // requests for each
	}{
		{name: "20,000 new keys a second", junk: 20_000, perKey: 1},
		{name: "50,000 new keys a second", junk: 50_000, perKey: 1},
		{name: "4,000 new keys a second, exhausted", junk: 4_000, perKey: 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if raceEnabled {
				tt.junk /= 10
			}
			c := &clock{}
			// With other seeds an honest client has the tag of a junk key once in 1000 runs.
			table := bucket.NewPlaced(bucket.Config{Now: c.Now})
			target := fivePerMinute(bucket.Key{Hi: 4})
			rnd := rand.New(rand.NewPCG(1, 2))
			newcomers, regulars, gained, refused, asked := 0, 1000, 0, 0, 0
			honest := func(kind uint64, i int) {
				asked++
				if !takeOne(table, fivePerMinute(bucket.Key{Hi: kind, Lo: uint64(i)})).Allowed {
					refused++
				}
			}
			junk, seconds := 0, scale(testing.Short(), 30)
			for second := range seconds {
				for range tt.junk {
					junk++
					for range tt.perKey {
						takeOne(table, fivePerMinute(key(junk)))
					}
					c.Add(time.Second / time.Duration(tt.junk))
					if rnd.IntN(tt.junk) < 300 { // a new client with a few requests
						newcomers++
						for range 1 + rnd.IntN(3) {
							honest(2, newcomers)
						}
					}
				}
				for i := range regulars { // a regular client comes every 15 s
					if i%15 == second%15 {
						honest(3, i)
					}
				}
				for takeOne(table, target).Allowed {
					gained++
				}
			}
			if refused != 0 {
				t.Errorf("got %d of %d honest requests refused, want 0: %+v", refused, asked, table.Stats())
			}
			if most := 5 + seconds/12; gained > most {
				t.Errorf("got %d admissions of the attacked key, want at most %d", gained, most)
			}
			t.Logf("%d honest requests, %+v", asked, table.Stats())
		})
	}
}

// TestSlowLimitsDoNotStarveFastOnes overloads the table with debts of days:
// clients of a limit by the minute go on.
func TestSlowLimitsDoNotStarveFastOnes(t *testing.T) {
	t.Parallel()
	c := &clock{}
	table := bucket.NewPlaced(bucket.Config{Exact: 1000, Parked: 2000, Now: c.Now}) // a full line refuses, once in many runs
	refused := 0
	for i := range 50_000 {
		signUp := bucket.Op{Key: bucket.Key{Hi: 2, Lo: uint64(i)}, Count: 10, Per: 24 * time.Hour, Cost: 1}
		takeOne(table, signUp)
		if i%20 == 0 && !takeOne(table, fivePerMinute(key(i))).Allowed {
			refused++
		}
		c.Add(time.Millisecond)
	}
	if stats := table.Stats(); stats.Overload == 0 {
		t.Errorf("got %+v: this is no overload", stats)
	}
	if refused != 0 {
		t.Errorf("got %d of 2500 refused, want 0", refused)
	}
}

// heap returns the bytes of live objects.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestMemoryPerKey(t *testing.T) { // not parallel: it measures the heap
	slow := bucket.Op{Count: 1, Per: 24 * time.Hour, Cost: 1}
	fill := func(cfg bucket.Config, keys int) (*bucket.Table, int64) {
		before := heap()
		table := bucket.New(cfg)
		for i := range keys {
			slow.Key = key(i)
			takeOne(table, slow)
		}
		return table, heap() - before
	}

	table, bytes := fill(bucket.Config{Exact: 1 << 16, Shards: 1}, 1<<16)
	stats := table.Stats()
	if each := float64(bytes) / float64(stats.Live); each > 150 || stats.Evicted != 0 {
		t.Errorf("got %.1f bytes for each exact key, want at most 150: %+v", each, stats)
	} else {
		t.Logf("%.1f bytes for each exact key", each)
	}

	table, bytes = fill(bucket.Config{Exact: 64, Parked: 1 << 16, Shards: 1}, 1<<18)
	stats = table.Stats()
	if each := float64(bytes) / float64(stats.Parked); each > 10 || stats.Parked < 1<<16-1000 {
		t.Errorf("got %.1f bytes for each parked debt, want at most 10: %+v", each, stats)
	} else {
		t.Logf("%.1f bytes for each parked debt, all included", each)
	}
	runtime.KeepAlive(table)
}

// TestLongFloodPeakHeap floods a table of the default size with 10 million keys.
func TestLongFloodPeakHeap(t *testing.T) { // not parallel: it measures the heap
	if testing.Short() || raceEnabled {
		t.Skip("takes several seconds")
	}
	const keys = 10_000_000
	start, goroutines := heap(), runtime.NumGoroutine()
	table := bucket.New(bucket.Config{})
	var peak int64
	ops, out := make([]bucket.Op, 1), make([]bucket.Result, 1)
	began := time.Now()
	for i := range keys {
		ops[0] = fivePerMinute(key(i))
		table.Take(ops, out)
		if i%100_000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, int64(m.HeapAlloc))
		}
	}
	each := time.Since(began) / keys
	if most := int64(20 << 20); peak > most {
		t.Errorf("got a peak heap of %d bytes (%d before), want at most %d", peak, start, most)
	}
	if got := runtime.NumGoroutine(); got > goroutines {
		t.Errorf("got %d goroutines, want the %d from before", got, goroutines)
	}
	t.Logf("peak heap %.1f MiB, %v a key, %+v", float64(peak)/(1<<20), each, table.Stats())
}
