package bucket_test

import (
	"math"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/routeguard/guard/internal/bucket"
)

// The targets are ratios to BenchmarkLimiterAllow in the same run: one op and a
// denied op at most 1.5, two ops at most 3.0, all without allocations.

func BenchmarkLimiterAllow(b *testing.B) {
	l := rate.NewLimiter(1e9, 1<<30)
	b.ReportAllocs()
	for b.Loop() {
		l.Allow()
	}
}

// benchmarkTake measures Take on n keys that are in debt but never exhausted,
// or on keys that are exhausted.
func benchmarkTake(b *testing.B, n int, denied bool) {
	t := bucket.New(bucket.Config{})
	ops, out := make([]bucket.Op, n), make([]bucket.Result, n)
	for i := range ops {
		ops[i] = bucket.Op{
			Key:   t.Text("bench", string(rune('a'+i))),
			Count: 1e6, Per: time.Second, Burst: math.MaxInt32, Cost: 1e6,
		}
		if denied {
			ops[i].Count, ops[i].Per, ops[i].Burst, ops[i].Cost = 5, 24*time.Hour, 5, 5
		}
	}
	if !t.Take(ops, out) {
		b.Fatal("the first take was refused")
	}
	for i := range ops {
		ops[i].Cost = 1
	}
	b.ReportAllocs()
	for b.Loop() {
		if t.Take(ops, out) == denied {
			b.Fatalf("got allowed %v, want %v", denied, !denied)
		}
	}
}

func BenchmarkTakeOne(b *testing.B)       { benchmarkTake(b, 1, false) }
func BenchmarkTakeTwo(b *testing.B)       { benchmarkTake(b, 2, false) }
func BenchmarkTakeFive(b *testing.B)      { benchmarkTake(b, 5, false) }
func BenchmarkTakeDenied(b *testing.B)    { benchmarkTake(b, 1, true) }
func BenchmarkTakeTwoDenied(b *testing.B) { benchmarkTake(b, 2, true) }
