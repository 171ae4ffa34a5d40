package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
)

// Try is the input of the routes that test limits.
type Try struct {
	Account string `json:"account" normalize:"trim"`
	Weight  int    `json:"weight"`
}

func (t Try) account() string { return t.Account }
func (t Try) weight() int     { return t.Weight }

type tryCall = guard.Call[User, Try, guard.None]

// limited is one route, "POST /try", behind a limit.
type limited struct {
	service
	mux  *guard.Mux
	log  logBuffer
	runs atomic.Int64
	do   func(context.Context, *tryCall) error // nil succeeds
}

func newLimited(limit guard.Limit, change ...func(*guard.Responder)) *limited {
	l := &limited{}
	errs := &guard.Responder{Log: l.log.logger()}
	for _, f := range change {
		f(errs)
	}
	l.mux = guard.NewMux(errs)
	l.mux.Handle("POST /try", guard.New(guard.Bearer(l.verify), guard.JSON[Try], guard.NoResource, limit, errs,
		func(ctx context.Context, c *tryCall) (guard.None, error) {
			l.runs.Add(1)
			if l.do == nil {
				return guard.None{}, nil
			}
			return guard.None{}, l.do(ctx, c)
		}))
	return l
}

// try sends one request as alice, unless the fields say otherwise.
func (l *limited) try(fields ...string) *http.Response {
	return l.send(`{"account":"a","weight":1}`, fields...)
}

func (l *limited) send(body string, fields ...string) *http.Response {
	if !strings.Contains(strings.Join(fields, "\n"), "Authorization: ") {
		fields = append(fields, alice)
	}
	return send(l.mux, "POST", "/try", body, fields...)
}

// expect sends n requests and checks that all are answered with status.
func (l *limited) expect(t *testing.T, n, status int, fields ...string) {
	t.Helper()
	for i := range n {
		if r := l.try(fields...); r.StatusCode != status {
			t.Fatalf("request %d of %d: got %d %s, want %d", i+1, n, r.StatusCode, readBody(t, r), status)
		}
	}
}

// expectWait checks that a request is refused until wait seconds have passed, and
// told so.
func (l *limited) expectWait(t *testing.T, wait int, fields ...string) {
	t.Helper()
	r := l.try(fields...)
	if got, want := r.Header.Get("Retry-After"), fmt.Sprint(wait); r.StatusCode != 429 || got != want {
		t.Fatalf("got %d with Retry-After %q, want 429 with %s", r.StatusCode, got, want)
	}
	checkRefusal(t, r, 429, "rate_limited")
	time.Sleep(time.Duration(wait)*time.Second - 10*time.Millisecond)
	l.expect(t, 1, 429, fields...)
	time.Sleep(10 * time.Millisecond)
	l.expect(t, 1, 204, fields...)
}

func from(addr string) string { return "Remote: " + addr }

// All times below are those of a synctest bubble: they cost nothing and are exact.

func TestLimitsAreExact(t *testing.T) {
	t.Parallel()
	limits := func() *guard.Limiter { return &guard.Limiter{} }
	path := func(u User, r *http.Request) string { return u.ID + r.URL.Path }
	tests := []struct {
		name  string
		limit guard.Limit
		n     int      // admitted at once
		wait  int      // seconds until one more
		same  []string // fields of a request that shares the bucket
		other []string // fields of one that does not
		loose bool     // the wait is not a whole number of seconds
	}{
		{name: "per address", limit: limits().PerIP(5, time.Minute), n: 5, wait: 12,
			same: []string{from("192.0.2.1:999"), bob}, other: []string{from("192.0.2.2:1")}},
		{name: "per address, a period that does not divide", limit: limits().PerIP(7, time.Minute), n: 7, wait: 9, loose: true, other: []string{from("192.0.2.2:1")}},
		{name: "per network of IPv4", limit: limits().PerNetwork(3, time.Minute), n: 3, wait: 20,
			same: []string{from("192.0.2.254:1")}, other: []string{from("192.0.3.1:1")}},
		{name: "per caller", limit: limits().PerCaller(2, time.Minute), n: 2, wait: 30,
			same: []string{from("198.51.100.7:1")}, other: []string{bob}},
		{name: "per key", limit: guard.PerKey(limits(), path, 1, time.Minute), n: 1, wait: 60, other: []string{bob}},
		{name: "per input", limit: guard.PerInput(limits(), Try.account, 1, time.Minute), n: 1, wait: 60,
			same: []string{bob, from("198.51.100.7:1")}},
		{name: "per input and network", limit: guard.PerInput(limits(), Try.account, 1, time.Minute).SplitByNetwork(), n: 1, wait: 60,
			same: []string{from("192.0.2.77:1")}, other: []string{from("198.51.100.7:1")}},
		{name: "global", limit: limits().Global(3, time.Hour), n: 3, wait: 1200, same: []string{bob, from("198.51.100.7:1")}},
		{name: "a burst below the count", limit: limits().PerIP(60, time.Minute).Burst(2), n: 2, wait: 1},
		{name: "a burst above the count", limit: limits().PerIP(1, time.Minute).Burst(4), n: 4, wait: 60},
		{name: "a fixed cost", limit: limits().PerIP(10, 10*time.Second).Cost(5), n: 2, wait: 5},
		{name: "once a day", limit: limits().PerCaller(1, 24*time.Hour), n: 1, wait: 86400, other: []string{bob}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimited(tt.limit)
				l.expect(t, tt.n, 204)
				if tt.same != nil {
					l.expect(t, 1, 429, tt.same...)
				}
				if tt.other != nil {
					l.expect(t, 1, 204, tt.other...)
				}
				if tt.loose {
					if got := l.try().Header.Get("Retry-After"); got != fmt.Sprint(tt.wait) {
						t.Errorf("got Retry-After %q, want %d", got, tt.wait)
					}
					time.Sleep(time.Duration(tt.wait-1) * time.Second)
					l.expect(t, 1, 429)
					time.Sleep(time.Second)
					l.expect(t, 1, 204)
				} else {
					l.expectWait(t, tt.wait)
				}
				time.Sleep(1000 * 24 * time.Hour)
				l.expect(t, tt.n, 204)
				l.expect(t, 1, 429)
			})
		})
	}
}

func TestAddressesOfOneClientShareABucket(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		wide        bool
		first, then string
		shared      bool
	}{
		{name: "one /64", first: "[2001:db8:1:2::1]:9", then: "[2001:db8:1:2:ffff:ffff:ffff:ffff]:8", shared: true},
		{name: "the next /64", first: "[2001:db8:1:2::1]:9", then: "[2001:db8:1:3::1]:9"},
		{name: "one /48 by network", wide: true, first: "[2001:db8:1:2::1]:9", then: "[2001:db8:1:ffff::1]:9", shared: true},
		{name: "the next /48 by network", wide: true, first: "[2001:db8:1::1]:9", then: "[2001:db8:2::1]:9"},
		{name: "an IPv4-mapped address is its IPv4 address", first: "[::ffff:192.0.2.1]:9", then: "192.0.2.1:9", shared: true},
		{name: "IPv4-mapped addresses are no /64", first: "[::ffff:192.0.2.1]:9", then: "[::ffff:192.0.2.2]:9"},
		{name: "a zone makes no difference", first: "[fe80::1%eth0]:9", then: "[fe80::1%eth1]:9", shared: true},
		{name: "IPv4 neighbors", first: "192.0.2.1:9", then: "192.0.2.2:9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := &guard.Limiter{}
			limit := limits.PerIP(1, time.Hour)
			if tt.wide {
				limit = limits.PerNetwork(1, time.Hour)
			}
			l := newLimited(limit)
			l.expect(t, 1, 204, from(tt.first))
			want := 204
			if tt.shared {
				want = 429
			}
			l.expect(t, 1, want, from(tt.then))
		})
	}
}

// A limit that fails to read its address refuses: one bucket for everybody would
// let one client use up everybody's quota.
func TestPerIPWithoutAnAddress(t *testing.T) {
	t.Parallel()
	limits := &guard.Limiter{}
	for name, limit := range map[string]guard.Limit{
		"PerIP": limits.PerIP(5, time.Minute), "PerNetwork": limits.PerNetwork(5, time.Minute),
		"InFlightPerIP": limits.InFlightPerIP(5), "SplitByNetwork": limits.PerCaller(5, time.Minute).SplitByNetwork(),
	} {
		for _, remote := range []string{"@", "", "/run/service.sock", "not-an-address:80"} {
			l := newLimited(limit)
			checkRefusal(t, l.try(from(remote)), 500, "internal")
			if cause, _ := l.log.records(t)[0]["cause"].(string); !strings.Contains(cause, "Unix socket") {
				t.Errorf("%s: got cause %q, want the reason", name, cause)
			}
		}
	}
}

func TestTwoLimitsOfOneRouteDoNotShareABucket(t *testing.T) {
	t.Parallel()
	everyone := func(User, *http.Request) string { return "all" }
	alsoEveryone := func(User, *http.Request) string { return "all" }
	tests := []struct {
		name  string
		limit func(*guard.Limiter) guard.Limit
	}{
		{name: "other rates", limit: func(l *guard.Limiter) guard.Limit {
			return guard.And(l.PerIP(4, time.Hour), l.PerIP(6, 2*time.Hour))
		}},
		{name: "the same rate twice", limit: func(l *guard.Limiter) guard.Limit {
			return guard.And(l.PerIP(4, time.Hour), l.PerIP(4, time.Hour))
		}},
		{name: "other functions at one rate", limit: func(l *guard.Limiter) guard.Limit {
			return guard.And(guard.PerKey(l, everyone, 4, time.Hour), guard.PerKey(l, alsoEveryone, 4, time.Hour))
		}},
		{name: "other kinds with one name", limit: func(l *guard.Limiter) guard.Limit {
			return guard.And(l.PerIP(4, time.Hour).Named("n"), l.PerCaller(4, time.Hour).Named("n"), l.Global(4, time.Hour).Named("n"), l.InFlight(4).Named("n"))
		}},
		{name: "two Limiters", limit: func(l *guard.Limiter) guard.Limit {
			return guard.And(l.PerIP(4, time.Hour), (&guard.Limiter{}).PerIP(4, time.Hour))
		}},
	}
	for _, tt := range tests {
		l := newLimited(tt.limit(&guard.Limiter{}))
		for i := range 5 {
			if r := l.try(); (r.StatusCode == 204) != (i < 4) {
				t.Errorf("%s: request %d: got %d, want exactly 4 admitted", tt.name, i+1, r.StatusCode)
			}
		}
	}
}

func TestRoutesShareABucketOnlyByName(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{false, true} {
		limits := &guard.Limiter{}
		limit := limits.PerIP(1, time.Hour)
		if named {
			limit = limit.Named("shared")
		}
		errs := &guard.Responder{Log: (&logBuffer{}).logger()}
		mux := guard.NewMux(errs)
		nothing := func(context.Context, *guard.Call[guard.Anonymous, guard.None, guard.None]) (guard.None, error) {
			return guard.None{}, nil
		}
		mux.Handle("GET /a", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limit, errs, nothing))
		mux.Handle("GET /b", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limit, errs, nothing))
		want := 204
		if named {
			want = 429
		}
		if a, b := send(mux, "GET", "/a", ""), send(mux, "GET", "/b", ""); a.StatusCode != 204 || b.StatusCode != want {
			t.Errorf("named %v: got %d and %d, want 204 and %d", named, a.StatusCode, b.StatusCode, want)
		}
	}
}

// What refuses in a stage charges nothing of that stage, and gives nothing back
// of an earlier one. Every case sends requests that are refused by the smallest
// limit, waits for that one alone, and looks at what the others have left.
func TestStagesAreOneDecision(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		limit func(one, two *guard.Limiter) guard.Limit
		left  int // requests that pass after ten refusals
	}{
		{name: "two limits of one stage", limit: func(one, two *guard.Limiter) guard.Limit {
			return guard.And(one.PerIP(5, 1000*time.Hour), one.Global(60, time.Minute).Burst(1))
		}, left: 4},
		{name: "the other order", limit: func(one, two *guard.Limiter) guard.Limit {
			return guard.And(one.Global(60, time.Minute).Burst(1), one.PerIP(5, 1000*time.Hour))
		}, left: 4},
		{name: "two Limiters in one stage", limit: func(one, two *guard.Limiter) guard.Limit {
			return guard.And(one.PerIP(5, 1000*time.Hour), two.Global(60, time.Minute).Burst(1))
		}, left: 4},
		{name: "a later stage gives nothing back", limit: func(one, two *guard.Limiter) guard.Limit {
			return guard.And(one.PerIP(13, 1000*time.Hour), one.PerCaller(60, time.Minute).Burst(1))
		}, left: 2},
		{name: "the input's stage gives nothing back", limit: func(one, two *guard.Limiter) guard.Limit {
			return guard.And(one.PerCaller(13, 1000*time.Hour),
				guard.PerInput(one, Try.account, 60, time.Minute).Burst(1))
		}, left: 2},
		{name: "a weight is decided with the input", limit: func(one, two *guard.Limiter) guard.Limit {
			return guard.And(guard.CostOf(one.PerCaller(5, 1000*time.Hour), Try.weight),
				guard.PerInput(one, Try.account, 60, time.Minute).Burst(1))
		}, left: 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimited(tt.limit(&guard.Limiter{}, &guard.Limiter{}))
				l.expect(t, 1, 204)
				l.expect(t, 10, 429)
				for range tt.left {
					time.Sleep(time.Second)
					l.expect(t, 1, 204)
				}
				time.Sleep(time.Second)
				l.expect(t, 1, 429)
			})
		})
	}
}

func TestRetryAfterIsOfTheLimitThatRefusesLongest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := &guard.Limiter{}
		var events []guard.Event
		l := newLimited(guard.And(limits.Global(1, 10*time.Second), limits.PerIP(1, time.Minute).Named("addresses"), limits.PerNetwork(1, 30*time.Second)),
			func(r *guard.Responder) {
				r.Observe = func(_ context.Context, e guard.Event) { events = append(events, e) }
			})
		l.expect(t, 1, 204)
		l.expectWait(t, 60)
		if events[1].Limit != "addresses" || events[0].Limit != "" {
			t.Errorf("got limits %q and %q in the events, want none and addresses", events[0].Limit, events[1].Limit)
		}
		if got := l.log.records(t)[1]; got["limit"] != "addresses" || got["stage"] != "limit" {
			t.Errorf("got record %v, want the limit and its stage", got)
		}
	})
}

// Whatever the interleaving, the smallest limit decides how many get in, and what
// it refuses leaves the others untouched.
func TestParallelRequestsAreAdmittedExactly(t *testing.T) {
	t.Parallel()
	limits, other := &guard.Limiter{}, &guard.Limiter{}
	l := newLimited(guard.And(limits.PerIP(50, 24*time.Hour), limits.Global(40, 24*time.Hour), other.PerNetwork(60, 24*time.Hour),
		limits.PerCaller(30, 24*time.Hour)))
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if l.try().StatusCode == 204 {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := admitted.Load(); got != 30 {
		t.Errorf("admitted %d of 200, want 30", got)
	}
	// 40 were charged in the first stage and ten of them refused in the second.
	if r := l.try(bob); r.StatusCode != 429 {
		t.Errorf("got %d, want 429: a refusal in a later stage gives nothing back", r.StatusCode)
	}
}

func TestShadowRefusesNothing(t *testing.T) {
	t.Parallel()
	limits := func() *guard.Limiter { return &guard.Limiter{} }
	empty := func(User, *http.Request) string { return "" }
	tests := []struct {
		name  string
		limit guard.Limit
		logs  int
	}{
		{name: "used up", limit: limits().PerIP(2, time.Hour).Shadow(), logs: 3},
		{name: "beside a limit that admits", limit: guard.And(limits().PerIP(2, time.Hour).Shadow(), limits().Global(9, time.Hour)), logs: 3},
		{name: "an empty key", limit: guard.PerKey(limits(), empty, 2, time.Hour).Shadow(), logs: 5},
		{name: "a store that fails closed", limit: (&guard.Limiter{Store: &fakeStore{err: errors.New("down")}, Outage: guard.OutageClosed}).
			PerIP(2, time.Hour).Shadow(), logs: 5},
	}
	for _, tt := range tests {
		l := newLimited(tt.limit)
		l.expect(t, 5, 204)
		logs := 0
		for _, r := range l.log.records(t) {
			if r["msg"] == "limit would refuse" && r["request_id"] != "" && r["limit"] != "" && r["route"] == "POST /try" {
				logs++
			}
		}
		if logs != tt.logs {
			t.Errorf("%s: got %d records of what it would refuse, want %d", tt.name, logs, tt.logs)
		}
	}
}

// Whatever the flood and however small the table, no key gets more than its limit,
// and what that costs is counted.
func TestASmallTableDoesNotAdmitMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := &guard.Limiter{Buckets: 64, Parked: 64}
		errs := &guard.Responder{Log: (&logBuffer{}).logger()}
		admitted := 0
		g := guard.Wrap(guard.Anyone, guard.NoPayload, guard.NoResource, limits.PerIP(5, time.Hour), errs,
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.RemoteAddr == "192.0.2.1:1" {
					admitted++
				}
			}))
		for i := range 20_000 {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1).String()
			if i%100 == 0 {
				r.RemoteAddr = "192.0.2.1:1"
			}
			g.ServeHTTP(httptest.NewRecorder(), r)
		}
		if admitted > 5 {
			t.Errorf("the target was admitted %d times, want at most 5", admitted)
		}
		if s := limits.Stats(); s.Buckets > 64 || s.Evicted == 0 || s.Forgotten == 0 || s.Refused == 0 || s.StoreDown {
			t.Errorf("got %+v, want at most 64 buckets and the rest counted", s)
		}
	})
}
