package guard_test

import (
	"context"
	"errors"
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

// fakeStore is a shared store that does what a test says. It admits everything.
type fakeStore struct {
	err     error
	answer  func(out []guard.Decision) bool // of Take; nil allows
	hang    bool
	panics  any
	noPlace bool

	mu        sync.Mutex
	takes     [][]guard.Charge
	refunds   []guard.Charge
	acquired  []guard.Charge
	ttl       time.Duration
	refundCtx error // of the last refund
	released  int
}

func (s *fakeStore) call(ctx context.Context) error {
	if s.panics != nil {
		panic(s.panics)
	}
	if s.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.err
}

func (s *fakeStore) Take(ctx context.Context, charges []guard.Charge, out []guard.Decision) (bool, error) {
	s.mu.Lock()
	s.takes = append(s.takes, charges)
	s.mu.Unlock()
	if err := s.call(ctx); err != nil {
		return false, err
	}
	if s.answer != nil {
		return s.answer(out), nil
	}
	for i := range out {
		out[i] = guard.Decision{Allowed: true, Remaining: 1}
	}
	return true, nil
}

func (s *fakeStore) Refund(ctx context.Context, charges []guard.Charge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refunds, s.refundCtx = append(s.refunds, charges...), ctx.Err()
	return s.call(ctx)
}

func (s *fakeStore) Acquire(ctx context.Context, c guard.Charge, _ int, ttl time.Duration) (func(), bool, error) {
	s.mu.Lock()
	s.acquired, s.ttl = append(s.acquired, c), ttl
	s.mu.Unlock()
	if err := s.call(ctx); err != nil || s.noPlace {
		return nil, false, err
	}
	return func() { s.mu.Lock(); s.released++; s.mu.Unlock() }, true, nil
}

func TestStoreAnswers(t *testing.T) {
	t.Parallel()
	down := errors.New("dial 10.0.0.9: connection refused")
	refuses := func(out []guard.Decision) bool {
		out[0] = guard.Decision{RetryAfter: 1500 * time.Millisecond}
		return false
	}
	tests := []struct {
		name   string
		store  *fakeStore
		outage guard.Outage
		places bool

		statuses [3]int // of three requests against a limit of two
		retry    string // of the last
		cause    string // of the last
	}{
		{name: "it admits", store: &fakeStore{}, statuses: [3]int{204, 204, 204}},
		{name: "it refuses", store: &fakeStore{answer: refuses}, statuses: [3]int{429, 429, 429}, retry: "2", cause: "used up"},
		{name: "it refuses without a decision", store: &fakeStore{answer: func(out []guard.Decision) bool { out[0].Allowed = true; return false }},
			statuses: [3]int{429, 429, 429}, retry: "1", cause: "without naming a limit"},
		{name: "it admits and its decision does not", store: &fakeStore{answer: func([]guard.Decision) bool { return true }},
			statuses: [3]int{429, 429, 429}, retry: "1", cause: "used up"},
		{name: "it refuses for ever", store: &fakeStore{answer: func(out []guard.Decision) bool { out[0].RetryAfter = -1; return false }},
			statuses: [3]int{429, 429, 429}, cause: "used up"},
		{name: "it fails, and each instance counts", store: &fakeStore{err: down}, statuses: [3]int{204, 204, 429}, retry: "1800"},
		{name: "it fails open", store: &fakeStore{err: down}, outage: guard.OutageOpen, statuses: [3]int{204, 204, 204}},
		{name: "it fails closed", store: &fakeStore{err: down}, outage: guard.OutageClosed, statuses: [3]int{503, 503, 503}, retry: "1", cause: "refused"},
		{name: "it hangs, and each instance counts", store: &fakeStore{hang: true}, statuses: [3]int{204, 204, 429}, retry: "1800"},
		{name: "it hangs and fails closed", store: &fakeStore{hang: true}, outage: guard.OutageClosed, statuses: [3]int{503, 503, 503}, retry: "1", cause: "deadline"},
		{name: "it panics", store: &fakeStore{panics: "nil map"}, outage: guard.OutageOpen, statuses: [3]int{500, 500, 500}, cause: "nil map"},

		{name: "it has places", places: true, store: &fakeStore{}, statuses: [3]int{204, 204, 204}},
		{name: "it has no place", places: true, store: &fakeStore{noPlace: true}, statuses: [3]int{429, 429, 429}, retry: "1", cause: "2 in flight"},
		{name: "it fails with places, and each instance counts", places: true, store: &fakeStore{err: down}, statuses: [3]int{204, 204, 204}},
		{name: "it fails open with places", places: true, store: &fakeStore{err: down}, outage: guard.OutageOpen, statuses: [3]int{204, 204, 204}},
		{name: "it fails closed with places", places: true, store: &fakeStore{err: down}, outage: guard.OutageClosed,
			statuses: [3]int{503, 503, 503}, retry: "1", cause: "refused"},
		{name: "it hangs with places", places: true, store: &fakeStore{hang: true}, outage: guard.OutageClosed,
			statuses: [3]int{503, 503, 503}, retry: "1", cause: "deadline"},
		{name: "it panics with places", places: true, store: &fakeStore{panics: "nil map"}, statuses: [3]int{500, 500, 500}, cause: "nil map"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limits := &guard.Limiter{Store: tt.store, Outage: tt.outage}
				limit := limits.PerIP(2, time.Hour)
				if tt.places {
					limit = limits.InFlightPerIP(2)
				}
				l := newLimited(limit)
				var r *http.Response
				for i, want := range tt.statuses {
					start := time.Now()
					if r = l.try(); r.StatusCode != want {
						t.Errorf("request %d: got %d, want %d", i+1, r.StatusCode, want)
					}
					if took := time.Since(start); took > 250*time.Millisecond {
						t.Errorf("request %d took %v, want at most the store's timeout", i+1, took)
					}
				}
				if got := r.Header.Get("Retry-After"); got != tt.retry {
					t.Errorf("Retry-After: got %q, want %q", got, tt.retry)
				}
				records := l.log.records(t)
				if cause, _ := records[len(records)-1]["cause"].(string); !strings.Contains(cause, tt.cause) {
					t.Errorf("got cause %q, want %q in it", cause, tt.cause)
				}
				if got := len(tt.store.acquired) - tt.store.released; tt.places && tt.store.err == nil && tt.statuses[0] == 204 && got != 0 {
					t.Errorf("%d places were not given back", got)
				}
			})
		})
	}
}

// A shared store that comes and goes is one record each time, not one a request.
func TestOutageIsLoggedWhenItBeginsAndEnds(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	limits := &guard.Limiter{Store: store}
	l := newLimited(limits.PerIP(100, time.Hour))
	var down []bool
	for _, err := range []error{nil, errors.New("down"), errors.New("down"), nil, nil, errors.New("down"), nil} {
		store.err = err
		l.expect(t, 3, 204)
		down = append(down, limits.Stats().StoreDown)
	}
	var got []string
	for _, r := range l.log.records(t) {
		if m := r["msg"].(string); strings.HasPrefix(m, "limit store") {
			got = append(got, r["level"].(string)+" "+m)
		}
	}
	failed, back := "ERROR limit store failed", "INFO limit store is back"
	if want := strings.Join([]string{failed, back, failed, back}, ", "); strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if want := []bool{false, true, true, false, false, true, false}; !equal(down, want) {
		t.Errorf("StoreDown: got %v, want %v", down, want)
	}
}

func equal[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// While the store is down, each instance admits its share.
func TestOutageLocalGivesEachInstanceItsShare(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		instances, cost int
		want            int
	}{
		{name: "unknown number", instances: 0, cost: 1, want: 10},
		{name: "four instances, rounded up", instances: 4, cost: 1, want: 3},
		{name: "more instances than requests", instances: 100, cost: 1, want: 1},
		{name: "a request that costs more than the share", instances: 4, cost: 5, want: 1},
		{name: "a request that costs the whole limit", instances: 100, cost: 10, want: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limits := &guard.Limiter{Store: &fakeStore{err: errors.New("down")}, Instances: tt.instances}
				l := newLimited(limits.PerIP(10, 10*time.Minute).Cost(tt.cost))
				l.expect(t, tt.want, 204)
				l.expectWait(t, 60*tt.cost*max(1, tt.instances))
			})
		})
	}
}

func TestWhatAStoreIsAsked(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	limits := &guard.Limiter{Store: store}
	l := newLimited(guard.And(limits.PerIP(5, time.Minute), limits.Global(50, time.Minute).Named("all").Burst(70),
		limits.PerCaller(7, time.Minute).Cost(3).OnFailure(), limits.InFlightPerCaller(2)))
	l.expect(t, 1, 204, from("[2001:db8:1:2:3::4]:1"))
	if len(store.takes) != 2 || len(store.takes[0]) != 2 || len(store.takes[1]) != 1 || len(store.acquired) != 1 {
		t.Fatalf("got %d takes, want one call for each stage: %v", len(store.takes), store.takes)
	}
	ip, all, caller := store.takes[0][0], store.takes[0][1], store.takes[1][0]
	if ip.Limit != "POST /try" || ip.Key.Scope != "ip" || ip.Key.Rule == "" || ip.Key.Addr.String() != "2001:db8:1:2::" || ip.Key.Text != "" ||
		ip.Count != 5 || ip.Per != time.Minute || ip.Burst != 5 || ip.Cost != 1 {
		t.Errorf("got %+v for the address", ip)
	}
	if all.Limit != "all" || all.Key != (guard.Key{Scope: "global"}) || all.Burst != 70 {
		t.Errorf("got %+v for everyone", all)
	}
	if caller.Key.Text != "alice" || caller.Cost != 3 {
		t.Errorf("got %+v for the caller", caller)
	}
	if len(store.refunds) != 1 || store.refunds[0] != caller {
		t.Errorf("got refunds %+v, want the OnFailure limit's once", store.refunds)
	}
	if store.ttl != 30*time.Second || store.released != 1 {
		t.Errorf("got a lease of %v, released %d times; want the Responder's timeout, once", store.ttl, store.released)
	}
}

// A refund that fails must not undo a response that is out.
func TestARefundThatFailsIsLogged(t *testing.T) {
	t.Parallel()
	for _, broken := range []*fakeStore{{err: errors.New("down")}, {panics: "nil map"}} {
		store := &fakeStore{}
		limits := &guard.Limiter{Store: store}
		l := newLimited(limits.PerIP(5, time.Minute).OnFailure())
		l.do = func(context.Context, *tryCall) error {
			store.err, store.panics = broken.err, broken.panics
			return nil
		}
		l.expect(t, 1, 204)
		if got := l.log.records(t)[0]; got["level"] != "WARN" || got["msg"] != "limit could not be settled" || got["limit"] != "ip" {
			t.Errorf("got record %v, want a warning", got)
		}
	}
}

// A client that goes away says nothing about the store.
func TestAClientThatGoesAwayIsNoOutage(t *testing.T) {
	t.Parallel()
	for _, outage := range []guard.Outage{guard.OutageLocal, guard.OutageOpen, guard.OutageClosed} {
		limits := &guard.Limiter{Store: &fakeStore{hang: true}, Outage: outage}
		l := newLimited(limits.PerIP(5, time.Minute))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		serveContext(ctx, l.mux, "POST", "/try")
		records := l.log.records(t)
		if len(records) != 1 || records[0]["code"] != "client_gone" || l.runs.Load() != 0 {
			t.Errorf("%s: got %v, want one record of a client that went away", outage, records)
		}
	}
}

// The limits of one stage are one decision, also where they are counted in several
// places: however the later store ends it, the earlier one is given back its charge.
func TestALaterStoreThatFailsChargesNothingBeforeIt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		later  *fakeStore
		status int
	}{
		{name: "it refuses", later: &fakeStore{answer: func([]guard.Decision) bool { return false }}, status: 429},
		{name: "it returns an error", later: &fakeStore{err: errors.New("down")}, status: 503},
		{name: "it panics", later: &fakeStore{panics: "nil map"}, status: 500},
		{name: "it ends its goroutine", later: &fakeStore{answer: func([]guard.Decision) bool { runtime.Goexit(); return true }}, status: 500},
		{name: "it aborts the request", later: &fakeStore{panics: http.ErrAbortHandler}, status: 499},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			here, shared := &guard.Limiter{}, &fakeStore{}
			early := &guard.Limiter{Store: shared}
			late := &guard.Limiter{Store: tt.later, Outage: guard.OutageClosed}
			l := newLimited(guard.And(here.Global(1, time.Hour), early.PerIP(5, time.Hour), late.PerIP(5, time.Hour)))
			for range 3 {
				done := make(chan struct{})
				go func() { // which Goexit ends
					defer close(done)
					defer func() { _ = recover() }() // http.ErrAbortHandler is passed on
					l.try()
				}()
				<-done
			}
			for i, r := range l.log.records(t) {
				if got, _ := r["status"].(float64); int(got) != tt.status && r["msg"] != "limit store failed" {
					t.Errorf("record %d: got %v, want status %d", i, r, tt.status)
				}
			}
			if len(shared.takes) != 3 || len(shared.refunds) != 3 {
				t.Errorf("got %d refunds of %d charges, want all three", len(shared.refunds), len(shared.takes))
			}
			if got := here.Stats().Buckets; got != 0 {
				t.Errorf("got %d buckets in debt in this process, want none", got)
			}
		})
	}
}

// A client that goes away after it signed in has signed in.
func TestARefundOutlivesTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where the store's timeout does not pass by itself
		store := &fakeStore{}
		limits := &guard.Limiter{Store: store}
		l := newLimited(limits.PerIP(5, time.Minute).OnFailure())
		ctx, cancel := context.WithCancel(context.Background())
		l.do = func(context.Context, *tryCall) error {
			cancel()
			return nil
		}
		serveContext(ctx, l.mux, "POST", "/try")
		if len(store.refunds) != 1 || store.refundCtx != nil {
			t.Errorf("got refunds %v with a context that is %v, want one that goes on", store.refunds, store.refundCtx)
		}
	})
}

func TestASharedStoreNeedsANameOrAPattern(t *testing.T) {
	t.Parallel()
	limits := &guard.Limiter{Store: &fakeStore{}}
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	for _, tt := range []struct {
		limit guard.Limit
		want  int
	}{{limits.PerIP(5, time.Minute), 500}, {limits.PerIP(5, time.Minute).Named("n"), 200}} {
		g := guard.Wrap(guard.Anyone, guard.NoPayload, guard.NoResource, tt.limit, errs, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if r := send(g, "GET", "/", ""); r.StatusCode != tt.want {
			t.Errorf("got %d without a pattern, want %d", r.StatusCode, tt.want)
		}
	}
}

func serveContext(ctx context.Context, h http.Handler, method, target string) {
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(`{}`))
	r.Header.Set("Authorization", "Bearer alice-token")
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// What the shared store admitted counts here, too, so that whoever brings it down
// finds no fresh burst.
func TestAnOutageIsNoFreshBurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		limits := &guard.Limiter{Store: store}
		l := newLimited(limits.PerIP(5, 10*time.Minute))
		l.expect(t, 4, 204)
		store.err = errors.New("down")
		l.expect(t, 1, 204)
		l.expect(t, 1, 429)
		l.expect(t, 5, 204, from("192.0.2.99:1"))
	})
}

// What was given back at the shared store is given back here.
func TestARefundReachesTheLocalTable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		limits := &guard.Limiter{Store: store}
		l := newLimited(limits.PerCaller(5, 10*time.Minute).OnFailure())
		l.expect(t, 20, 204) // all succeed: nothing is spent
		store.err = errors.New("down")
		l.expect(t, 20, 204)
	})
}
