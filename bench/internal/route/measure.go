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

// measure sends requests of a case for some CPU time. It begins with an empty garbage
// heap, and collections on the way are part of what is measured.
func (c *Case) measure(i Implementation, d time.Duration) (Sample, error) {
	h, from := c.warmUp(i)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := CPUTime(), time.Now()
	n, err := c.sendAll(h, from, cpu+d)
	wall, cpu := time.Since(start), CPUTime()-cpu
	runtime.ReadMemStats(&after)
	if err != nil {
		return Sample{}, err
	}
	per := func(total float64) float64 { return total / float64(n) }
	return Sample{Wall: per(float64(wall)), CPU: per(float64(cpu)), Bytes: per(float64(after.TotalAlloc - before.TotalAlloc)),
		Allocs: per(float64(after.Mallocs - before.Mallocs))}, nil
}

// sendAll sends requests until the process has used so much CPU time, from as many
// goroutines as the case asks for.
func (c *Case) sendAll(h http.Handler, from int, until time.Duration) (int, error) {
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
			n, err := c.send(h, from+i*users/senders, untilCPU(until))
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

// untilCPU looks at the clock every 256 requests only. It is the CPU's: on a busy
// machine a sample takes longer, and holds as many requests as on an idle one.
func untilCPU(t time.Duration) func() bool {
	n := 0
	return func() bool {
		n++
		return n%256 != 0 || CPUTime() < t
	}
}
