package bucket_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/routeguard/guard/internal/bucket"
)

func TestAcquire(t *testing.T) {
	t.Parallel()
	table := bucket.New(bucket.Config{})
	a, ok := table.Acquire(key(1), 2)
	b, ok2 := table.Acquire(key(1), 2)
	if !ok || !ok2 {
		t.Fatal("two of two were refused")
	}
	refused, ok := table.Acquire(key(1), 2)
	if ok {
		t.Error("a third of two was granted")
	}
	refused() // must not free another's unit
	if _, ok := table.Acquire(key(1), 2); ok {
		t.Error("the release of a refusal freed a unit")
	}
	if _, ok := table.Acquire(key(2), 2); !ok {
		t.Error("another key was refused")
	}
	a()
	a() // the second time it must not free b's unit
	c, ok := table.Acquire(key(1), 2)
	if !ok {
		t.Error("a released unit was refused")
	}
	if _, ok := table.Acquire(key(1), 2); ok {
		t.Error("releasing twice freed two units")
	}
	b()
	c()
	for range 2 {
		if _, ok := table.Acquire(key(1), 2); !ok {
			t.Error("refused after all were released")
		}
	}
}

func TestAcquireRefusesNoKeyAndNoUnits(t *testing.T) {
	t.Parallel()
	table := bucket.New(bucket.Config{})
	tests := []struct {
		name string
		key  bucket.Key
		most int
	}{
		{name: "no key", most: 10},
		{name: "none allowed", key: key(1)},
		{name: "a negative number", key: key(1), most: -1},
	}
	for _, tt := range tests {
		release, ok := table.Acquire(tt.key, tt.most)
		if ok {
			t.Errorf("%s: got a unit", tt.name)
		}
		release()
	}
}

func TestAcquireUnderContention(t *testing.T) {
	t.Parallel()
	const most = 3
	table := bucket.New(bucket.Config{})
	var inside, worst, granted atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 500 {
				release, ok := table.Acquire(key(1), most)
				if ok {
					granted.Add(1)
					n := inside.Add(1)
					for {
						w := worst.Load()
						if n <= w || worst.CompareAndSwap(w, n) {
							break
						}
					}
					runtime.Gosched()
					inside.Add(-1)
				}
				var twice sync.WaitGroup
				twice.Go(release) // a handler and its connection may both end it
				release()
				twice.Wait()
			}
		})
	}
	wg.Wait()
	if got := worst.Load(); got > most || granted.Load() == 0 {
		t.Errorf("got %d at once and %d granted, want at most %d", got, granted.Load(), most)
	}
	for range most {
		if _, ok := table.Acquire(key(1), most); !ok {
			t.Error("a unit was lost")
		}
	}
}

func TestLeasesAreKeptOnlyInFlight(t *testing.T) { // not parallel: it measures the heap
	table := bucket.New(bucket.Config{Exact: 1})
	before := heap()
	for round := range 2 {
		releases := make([]func(), 0, 100_000)
		for i := range cap(releases) {
			release, ok := table.Acquire(key(round*cap(releases)+i), 1)
			if !ok {
				t.Fatal("the only unit of a key was refused")
			}
			releases = append(releases, release)
		}
		for _, release := range releases {
			release()
		}
	}
	for i := range 1_000_000 / 4 {
		release, _ := table.Acquire(key(-i), 1)
		release()
	}
	if got := heap() - before; got > 1<<20 {
		t.Errorf("got %d bytes with nothing in flight, want next to none", got)
	}
	runtime.KeepAlive(table)
}

func BenchmarkAcquire(b *testing.B) {
	table := bucket.New(bucket.Config{})
	b.ReportAllocs()
	for b.Loop() {
		release, _ := table.Acquire(key(1), 1)
		release()
	}
}
