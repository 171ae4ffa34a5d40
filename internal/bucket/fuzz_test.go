package bucket_test

import (
	"testing"
	"time"

	"github.com/routeguard/guard/internal/bucket"
)

// FuzzTake throws arbitrary ops at a small table. Invariants: no panic; only a
// valid op is allowed; a result stays within its bounds; an allowed op was
// charged, so that the whole burst does not fit again at the same time.
func FuzzTake(f *testing.F) {
	f.Add(uint64(1), uint64(2), 5, int64(time.Minute), 0, 1, int64(0))
	f.Add(uint64(0), uint64(0), 0, int64(0), 0, 0, int64(-1))
	f.Add(uint64(1), uint64(1), 1<<30, int64(1), 1<<30, 1<<30, int64(1)<<62)
	f.Add(uint64(1), uint64(1), 1, int64(bucket.MaxFill), 1, 1, int64(1)<<55)
	f.Add(uint64(1), uint64(1), -5, int64(-1), -5, -5, int64(1)<<40)
	f.Fuzz(func(t *testing.T, hi, lo uint64, count int, per int64, burst, cost int, now int64) {
		clock := now
		table := bucket.New(bucket.Config{Exact: 2, Parked: 1, Now: func() time.Duration { return time.Duration(clock) }})
		ops := make([]bucket.Op, 3)
		for i := range ops {
			ops[i] = bucket.Op{
				Key:   bucket.Key{Hi: hi, Lo: lo + uint64(i/2)},
				Count: count, Per: time.Duration(per), Burst: burst, Cost: cost,
			}
		}
		out := make([]bucket.Result, 3)
		for n := range 4 {
			ok := table.Take(ops[n%3:], out[n%3:])
			for i, res := range out[n%3:] {
				op := ops[n%3+i]
				most := burstOf(&op)
				valid := bucket.Check(op.Count, op.Per, op.Burst) == nil && op.Key != (bucket.Key{}) && op.Cost >= 0
				if ok && !res.Allowed || res.Allowed && (!valid || op.Cost > most) {
					t.Errorf("take %v of %+v: got %+v", ok, op, res)
				}
				if valid && (res.Remaining < 0 || res.Remaining > most) ||
					res.Allowed != (res.RetryAfter == 0) || res.RetryAfter < -1 ||
					res.Next < 0 || res.Next > res.Full || res.Full > 3*bucket.MaxFill {
					t.Errorf("take %v of %+v: got %+v", ok, op, res)
				}
			}
			if ok && n%3 < 2 && cost > 0 && per >= int64(count) {
				all := ops[n%3]
				all.Cost = burstOf(&all)
				if table.Take([]bucket.Op{all}, nil) {
					t.Errorf("the whole burst fits after %+v was charged", ops[n%3])
				}
			}
			clock += now / 3
			table.Refund(ops[:n%3])
		}
		table.Stats()
	})
}
