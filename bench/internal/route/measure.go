package route

import (
	"net/http"
	"runtime"
	"sync"
	"time"
)

// Sample is what a request took, on average over a stretch of time.
type Sample struct {
	Wall   float64 // nanoseconds
	CPU    float64 // nanoseconds of all threads of the process
	Bytes  float64 // allocated
	Allocs float64
}

// measure sends requests of a case for a while. It begins with an empty garbage
// heap, and collections on the way are part of what is measured.
func (c *Case) measure(i Implementation, d time.Duration) (Sample, error) {
	h, from := c.warmUp(i)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := CPUTime(), time.Now()
	n, err := c.sendAll(h, from, start.Add(d))
	wall, cpu := time.Since(start), CPUTime()-cpu
	runtime.ReadMemStats(&after)
	if err != nil {
		return Sample{}, err
	}
	per := func(total float64) float64 { return total / float64(n) }
	return Sample{Wall: per(float64(wall)), CPU: per(float64(cpu)), Bytes: per(float64(after.TotalAlloc - before.TotalAlloc)),
		Allocs: per(float64(after.Mallocs - before.Mallocs))}, nil
}

// sendAll sends requests until the time has come, from as many goroutines as the
// case asks for.
func (c *Case) sendAll(h http.Handler, from int, until time.Time) (int, error) {
	senders := 1
	if c.parallel {
		senders = runtime.GOMAXPROCS(0)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total int
		first error
	)
	for i := range senders {
		wg.Go(func() {
			n, err := c.send(h, from+i*users/senders, untilTime(until))
			mu.Lock()
			defer mu.Unlock()
			total += n
			if first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	return total, first
}

// untilTime looks at the clock every 64 requests only.
func untilTime(t time.Time) func() bool {
	n := 0
	return func() bool {
		n++
		return n%64 != 0 || time.Now().Before(t)
	}
}
