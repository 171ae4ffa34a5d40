package guard_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
)

func TestInFlight(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		limit       func(*guard.Limiter) guard.Limit
		same, other []string
	}{
		{name: "per caller", limit: func(l *guard.Limiter) guard.Limit { return l.InFlightPerCaller(2) },
			same: []string{from("198.51.100.7:1")}, other: []string{bob}},
		{name: "per address", limit: func(l *guard.Limiter) guard.Limit { return l.InFlightPerIP(2) },
			same: []string{bob}, other: []string{from("198.51.100.7:1")}},
		{name: "everyone", limit: func(l *guard.Limiter) guard.Limit { return l.InFlight(2) },
			same: []string{bob, from("198.51.100.7:1")}},
		{name: "per caller and network", limit: func(l *guard.Limiter) guard.Limit { return l.InFlightPerCaller(2).SplitByNetwork() },
			same: []string{from("192.0.2.77:1")}, other: []string{from("198.51.100.7:1")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimited(tt.limit(&guard.Limiter{}))
				end := make(chan struct{})
				l.do = func(context.Context, *tryCall) error { <-end; return nil }
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() { l.expect(t, 1, 204) })
				}
				synctest.Wait()
				r := l.try(tt.same...)
				checkRefusal(t, r, 429, "rate_limited")
				if got := r.Header.Get("Retry-After"); got != "1" {
					t.Errorf("Retry-After: got %q, want 1", got)
				}
				if tt.other != nil {
					wg.Go(func() { l.expect(t, 1, 204, tt.other...) })
					synctest.Wait()
				}
				close(end)
				wg.Wait()
				l.expect(t, 3, 204)
			})
		})
	}
}

// Two places and twelve requests: whichever way they end, the last one gets in.
func TestAPlaceIsFreeHoweverTheRequestEnds(t *testing.T) {
	t.Parallel()
	type handler = func(context.Context, *tryCall) error
	tests := []struct {
		name string
		do   handler
		also func(*guard.Limiter) guard.Limit
		body string
	}{
		{name: "it returns", do: func(context.Context, *tryCall) error { return nil }},
		{name: "it fails", do: func(context.Context, *tryCall) error { return errors.New("broken") }},
		{name: "it panics", do: func(context.Context, *tryCall) error { panic("broken") }},
		{name: "it aborts", do: func(context.Context, *tryCall) error { panic(http.ErrAbortHandler) }},
		{name: "it calls Goexit", do: func(context.Context, *tryCall) error { runtime.Goexit(); return nil }},
		{name: "a later stage refuses", body: `{"unknown":1}`},
		{name: "another limit of the stage refuses", also: func(l *guard.Limiter) guard.Limit { return l.Global(1, time.Hour) }},
		{name: "a limit of a later stage refuses", also: func(l *guard.Limiter) guard.Limit { return l.PerCaller(1, time.Hour) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := &guard.Limiter{}
			limit := limits.InFlightPerIP(2)
			if tt.also != nil {
				limit = guard.And(limit, tt.also(limits))
			}
			l := newLimited(limit)
			l.do = tt.do
			body := `{"account":"a"}`
			if tt.body != "" {
				body = tt.body
			}
			for range 12 {
				done := make(chan struct{})
				go func() { // Goexit and ErrAbortHandler end a goroutine
					defer close(done)
					defer func() { _ = recover() }()
					l.send(body)
				}()
				<-done
			}
			for _, r := range l.log.records(t) {
				if r["limit"] == "ip-in-flight" {
					t.Fatalf("a place was not given back: %v", r)
				}
			}
		})
	}
}

func TestAPlaceIsFreeWhenTheConnectionEnds(t *testing.T) {
	t.Parallel()
	limits := &guard.Limiter{}
	log := &logBuffer{}
	ended := make(chan struct{}, 100)
	errs := &guard.Responder{Log: log.logger(), Observe: func(context.Context, guard.Event) { ended <- struct{}{} }}
	mux := guard.NewMux(errs)
	one := limits.InFlight(1).Named("one")
	mux.Handle("GET /stream", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, one, errs,
		guard.Stream(func(ctx context.Context, _ *guard.Call[guard.Anonymous, guard.None, guard.None], w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			<-ctx.Done() // the client goes away
			return ctx.Err()
		})))
	mux.Handle("GET /short", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, one, errs,
		guard.Stream(func(_ context.Context, _ *guard.Call[guard.Anonymous, guard.None, guard.None], w http.ResponseWriter) error {
			_, err := io.WriteString(w, "data: 1\n\n")
			return err
		})))
	mux.Handle("GET /hijack", guard.Wrap(guard.Anyone, guard.NoPayload, guard.NoResource, one, errs,
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_ = c.Close()
		})))
	server := httptest.NewServer(mux)
	defer server.Close()
	for range 3 {
		for _, path := range []string{"/stream", "/short", "/hijack"} {
			c, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
			status, err := bufio.NewReader(c).ReadString('\n')
			if err != nil || strings.Contains(status, "429") {
				t.Errorf("%s: got %q %v, want a place", path, status, err)
			}
			if path == "/stream" {
				if r, err := http.Get(server.URL + "/short"); err != nil || r.StatusCode != 429 {
					t.Errorf("while the stream is open: got %v %v, want 429", r, err)
				} else {
					r.Body.Close()
				}
				<-ended
			}
			_ = c.Close()
			<-ended
			waitForPlace(t, server.URL, ended)
		}
	}
}

// waitForPlace makes sure that the handler has ended: the place is given back
// just after Observe was called.
func waitForPlace(t *testing.T, url string, ended chan struct{}) {
	t.Helper()
	for start := time.Now(); time.Since(start) < time.Minute; {
		r, err := http.Get(url + "/short")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		<-ended
		if r.StatusCode == 200 {
			return
		}
	}
	t.Fatal("the place was never given back")
}

// A refusal for want of a place charges nothing.
func TestNoPlaceChargesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := &guard.Limiter{}
		l := newLimited(guard.And(limits.PerCaller(3, time.Hour), limits.InFlightPerCaller(1)))
		end := make(chan struct{})
		l.do = func(context.Context, *tryCall) error { <-end; return nil }
		var wg sync.WaitGroup
		wg.Go(func() { l.expect(t, 1, 204) })
		synctest.Wait()
		l.expect(t, 20, 429)
		close(end)
		wg.Wait()
		l.expect(t, 2, 204)
		l.expect(t, 1, 429)
	})
}

// Nor is anything charged that a shared store would have to give back.
func TestPlacesComeBeforeTokens(t *testing.T) {
	t.Parallel()
	store := &fakeStore{noPlace: true}
	limits := &guard.Limiter{Store: store}
	l := newLimited(guard.And(limits.PerIP(3, time.Hour), limits.InFlightPerIP(1)))
	l.expect(t, 1, 429)
	if len(store.takes) != 0 || len(store.refunds) != 0 {
		t.Errorf("got takes %v and refunds %v, want none", store.takes, store.refunds)
	}
}

// A lease outlasts what the handler may take, and not more than Lease.
func TestLeases(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		lease   time.Duration
		timeout time.Duration
		stream  bool
		want    time.Duration
	}{
		{name: "a handler has the Responder's timeout", want: 30 * time.Second},
		{name: "a shorter lease holds", lease: time.Second, want: time.Second},
		{name: "no timeout", timeout: -1, want: 10 * time.Minute},
		{name: "a stream has no timeout", stream: true, want: 10 * time.Minute},
		{name: "a stream with a lease of its own", stream: true, lease: time.Hour, want: time.Hour},
	}
	for _, tt := range tests {
		store := &fakeStore{}
		limits := &guard.Limiter{Store: store, Lease: tt.lease}
		errs := &guard.Responder{Log: (&logBuffer{}).logger(), Timeout: tt.timeout}
		type call = *guard.Call[guard.Anonymous, guard.None, guard.None]
		limit := limits.InFlight(1).Named("n")
		g := guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limit, errs,
			func(context.Context, call) (guard.None, error) { return guard.None{}, nil })
		if tt.stream {
			g = guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limit, errs,
				guard.Stream(func(context.Context, call, http.ResponseWriter) error { return nil }))
		}
		send(g, "GET", "/", "")
		if store.ttl != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, store.ttl, tt.want)
		}
	}
}
