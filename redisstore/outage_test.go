package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/redisstore"
)

// load asks a store 400 times a second, as requests that come whether or not the
// earlier ones have ended.
type load struct {
	store    *redisstore.Store
	inFlight atomic.Int64
	peak     atomic.Int64

	mu    sync.Mutex
	calls []call
	took  time.Duration // by the last run
	wg    sync.WaitGroup
}

type call struct {
	took time.Duration
	err  error
}

// run makes at least some calls, however little of the time the machine leaves it.
func (l *load) run(for_ time.Duration) {
	const least = 8
	l.calls, l.peak = nil, atomic.Int64{}
	began := time.Now()
	for n := 0; n < least || time.Since(began) < for_; n++ {
		l.wg.Go(l.one)
		time.Sleep(2500 * time.Microsecond)
	}
	l.wg.Wait()
	l.took = time.Since(began)
}

func (l *load) one() {
	n := l.inFlight.Add(1)
	defer l.inFlight.Add(-1)
	for peak := l.peak.Load(); n > peak && !l.peak.CompareAndSwap(peak, n); peak = l.peak.Load() {
	}
	began := time.Now()
	_, err := l.store.Take(context.Background(), []guard.Charge{charge("GET /", "key", 1000, time.Second)}, make([]guard.Decision, 1))
	l.mu.Lock()
	l.calls = append(l.calls, call{time.Since(began), err})
	l.mu.Unlock()
}

func (l *load) median() time.Duration { return l.sorted()[len(l.calls)/2] }
func (l *load) worst() time.Duration  { return l.sorted()[len(l.calls)-1] }

func (l *load) sorted() []time.Duration {
	all := make([]time.Duration, len(l.calls))
	for i, c := range l.calls {
		all[i] = c.took
	}
	slices.Sort(all)
	return all
}

// asked is how many calls were not refused by the breaker.
func (l *load) asked() (n int) {
	for _, c := range l.calls {
		if !errors.Is(c.err, redisstore.ErrDown) {
			n++
		}
	}
	return n
}

func (l *load) failed() (n int) {
	for _, c := range l.calls {
		if c.err != nil {
			n++
		}
	}
	return n
}

// The limits are wide for a busy machine: a median of microseconds is a property of
// not asking, and what is in flight is what comes within the timeout.
func TestOutagesCostLittle(t *testing.T) {
	const timeout = 25 * time.Millisecond
	tests := []struct {
		name  string
		begin func(*server, *slowProxy)
		end   func(*server, *slowProxy)
	}{
		{name: "killed", begin: func(s *server, _ *slowProxy) { s.kill() }, end: func(s *server, _ *slowProxy) { s.start() }},
		{name: "paused", begin: func(s *server, _ *slowProxy) { s.signal(syscall.SIGSTOP) }, end: func(s *server, _ *slowProxy) { s.signal(syscall.SIGCONT) }},
		// So slow that no pause of this process makes an answer come in time.
		{name: "slow", begin: func(_ *server, p *slowProxy) { p.slow(10 * time.Second) }, end: func(_ *server, p *slowProxy) { p.slow(0) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := startServer(t)
			proxy := startProxy(t, srv.addr)
			var states []error
			var mu sync.Mutex
			s := connect(t, "redis://"+proxy.addr, redisstore.Options{Timeout: timeout, OnState: func(cause error) {
				mu.Lock()
				states = append(states, cause)
				mu.Unlock()
			}})
			l := &load{store: s}
			l.run(100 * time.Millisecond) // connects
			eventually(t, "Redis answers", func() bool { l.run(20 * time.Millisecond); return l.failed() == 0 })
			mu.Lock()
			states = nil
			mu.Unlock()

			tt.begin(srv, proxy)
			l.run(1500 * time.Millisecond)
			t.Logf("median %v, worst %v, at most %d in flight, %d of %d asked", l.median(), l.worst(), l.peak.Load(), l.asked(), len(l.calls))
			if l.failed() < len(l.calls)/2 {
				t.Errorf("%d of %d failed: this is no outage", l.failed(), len(l.calls))
			}
			// Times are logged, not judged: the machine may be busy. What an open breaker
			// saves is seen in how few of the calls asked Redis at all.
			// It opens after three failures, while others are in flight, and then asks once in half a second.
			if got, most := l.asked(), 3+int(l.peak.Load())+int(l.took/(500*time.Millisecond))+1; got > most {
				t.Errorf("%d of %d calls asked Redis, want at most %d: the breaker did not open", got, len(l.calls), most)
			}
			if got := l.peak.Load(); got > 50*slack {
				t.Errorf("%d were in flight, want at most 50", got)
			}

			tt.end(srv, proxy)
			eventually(t, "Redis is asked again", func() bool { l.run(20 * time.Millisecond); return l.failed() == 0 })
			mu.Lock()
			defer mu.Unlock()
			for i, cause := range states { // on a busy machine there are more than two
				if down := i%2 == 0; (cause != nil) != down || len(states)%2 != 0 {
					t.Errorf("got states %v, want errors and nil by turns, nil at last", states)
					break
				}
			}
			if len(states) == 0 {
				t.Error("got no states, want an error, then nil")
			}
		})
	}
}

func TestARequestThatGoesAwayIsNoFailure(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := connect(t, srv.url(), redisstore.Options{Timeout: patient, OnState: func(cause error) { t.Errorf("state changed: %v", cause) }})
	for range 10 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
		if ok, err := s.Take(ctx, []guard.Charge{charge("GET /", "key", 5, time.Hour)}, make([]guard.Decision, 1)); ok || err == nil {
			t.Errorf("Take is %v, %v; want an error", ok, err)
		}
		cancel()
	}
	if _, out := take(t, s, charge("GET /", "key", 5, time.Hour)); out[0].Remaining != 4 {
		t.Errorf("got %d left, want 4", out[0].Remaining)
	}
}

// A caller with a shorter time limit than the store's must not keep the breaker shut.
func TestShortDeadlinesOfCallersOpenTheBreakerToo(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	proxy := startProxy(t, srv.addr)
	s := connect(t, "redis://"+proxy.addr, redisstore.Options{Timeout: 200 * time.Millisecond})
	proxy.slow(time.Second)
	eventually(t, "the store stops asking", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_, err := s.Take(ctx, []guard.Charge{charge("GET /", "key", 5, time.Hour)}, make([]guard.Decision, 1))
		return errors.Is(err, redisstore.ErrDown)
	})
}

// The client repeats what fails, and New cannot see that: the command must forbid it.
func TestATakeWhoseAnswerIsLostIsNotRepeated(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	take(t, connect(t, srv.url(), redisstore.Options{Timeout: patient}), charge("warm", "up", 5, time.Hour))
	proxy := startProxy(t, srv.addr)
	repeating := redis.NewClient(&redis.Options{Addr: proxy.addr, ContextTimeoutEnabled: true, MaxRetries: 5})
	t.Cleanup(func() { repeating.Close() })
	s, err := redisstore.New(struct{ redis.UniversalClient }{repeating}, redisstore.Options{Timeout: patient})
	if err != nil {
		t.Fatal(err)
	}
	take(t, s, charge("warm", "up", 5, time.Hour)) // connects
	before := srv.calls("evalsha")
	proxy.loseAnswer()
	if ok, err := s.Take(context.Background(), []guard.Charge{charge("GET /", "key", 5, time.Hour)}, make([]guard.Decision, 1)); ok || err == nil {
		t.Errorf("Take is %v, %v; want an error", ok, err)
	}
	if got := srv.calls("evalsha") - before; got != 1 {
		t.Errorf("the script ran %d times, want 1", got)
	}
}

// route is a service with one limit, and what it logs.
func route(limits *guard.Limiter, limit guard.Limit) (http.Handler, *log) {
	l := &log{}
	tell := &guard.Responder{Log: slog.New(slog.NewTextHandler(l, nil))}
	mux := guard.NewMux(tell)
	mux.Handle("GET /", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limit, tell,
		func(context.Context, *guard.Call[guard.Anonymous, guard.None, guard.None]) (guard.None, error) {
			return guard.None{}, nil
		}))
	return mux, l
}

type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), fmt.Sprintf("msg=%q", message))
}

func statuses(h http.Handler, n int) map[int]int {
	got := map[int]int{}
	for range n {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		got[w.Code]++
	}
	return got
}

func TestLimiterWithoutRedis(t *testing.T) {
	t.Parallel()
	tests := []struct {
		outage guard.Outage
		want   map[int]int
	}{
		{outage: guard.OutageLocal, want: map[int]int{204: 3, 429: 7}},
		{outage: guard.OutageOpen, want: map[int]int{204: 10}},
		{outage: guard.OutageClosed, want: map[int]int{503: 10}},
	}
	for _, tt := range tests {
		t.Run(tt.outage.String(), func(t *testing.T) {
			t.Parallel()
			srv := startServer(t)
			s := connect(t, srv.url(), redisstore.Options{})
			limits := &guard.Limiter{Store: s, Outage: tt.outage}
			h, log := route(limits, limits.PerIP(3, time.Hour))
			srv.kill()
			got := statuses(h, 10)
			for status, n := range tt.want {
				if got[status] != n {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			}
			if n := log.count("limit store failed"); n != 1 {
				t.Errorf("the outage was logged %d times, want once", n)
			}
			srv.start()
			eventually(t, "Redis is back", func() bool { statuses(h, 1); return log.count("limit store is back") == 1 })
		})
	}
}

func TestInstancesShareALimit(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	total := map[int]int{}
	for range 3 {
		limits := &guard.Limiter{Store: connect(t, srv.url(), redisstore.Options{Timeout: patient}), StoreTimeout: patient}
		h, _ := route(limits, limits.PerIP(10, time.Hour))
		for status, n := range statuses(h, 10) {
			total[status] += n
		}
	}
	if total[204] != 10 || total[429] != 20 {
		t.Errorf("got %v, want 10 admitted and 20 refused", total)
	}
}
