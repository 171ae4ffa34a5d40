package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
)

func weigh(n int) string { return fmt.Sprintf(`{"account":"a","weight":%d}`, n) }

// Each case spends from a bucket of 100 tokens that refills in 100 hours, and then
// counts what is left.
func TestCostOf(t *testing.T) {
	t.Parallel()
	set := func(n int) func(context.Context, *tryCall) error {
		return func(_ context.Context, c *tryCall) error { c.Cost = n; return nil }
	}
	tests := []struct {
		name    string
		weight  int
		do      func(context.Context, *tryCall) error
		status  int
		left    int
		onError bool
	}{
		{name: "the cost of the input", weight: 30, status: 204, left: 70},
		{name: "the whole bucket", weight: 100, status: 204, left: 0},
		{name: "more than the bucket holds", weight: 101, status: 429, left: 100},
		{name: "nothing", weight: 0, status: 500, left: 100},
		{name: "less than nothing", weight: -5, status: 500, left: 100},
		{name: "it did cost less", weight: 30, do: set(12), status: 204, left: 88},
		{name: "it did cost nothing", weight: 30, do: set(0), status: 204, left: 100},
		{name: "it did cost more", weight: 30, do: set(45), status: 204, left: 55},
		{name: "it did cost more than there is", weight: 30, do: set(1_000_000), status: 204, left: 0},
		{name: "it did cost less than nothing", weight: 30, do: set(-1), status: 204, left: 70},
		{name: "the same after all", weight: 30, do: set(30), status: 204, left: 70},
		{name: "an error is charged what it did cost", weight: 30, status: 500, left: 90,
			do: func(_ context.Context, c *tryCall) error { c.Cost = 10; return errors.New("broken") }},
		{name: "a panic gives nothing back", weight: 30, status: 500, left: 70,
			do: func(_ context.Context, c *tryCall) error { c.Cost = 10; panic("broken") }},
		{name: "a panic pays what was spent", weight: 30, status: 500, left: 50,
			do: func(_ context.Context, c *tryCall) error { c.Cost = 50; panic("broken") }},
		{name: "the handler sees the charge", weight: 30, status: 204, left: 100,
			do: func(_ context.Context, c *tryCall) error { c.Cost -= 30; return nil }},
		{name: "success on failure's limit is free", weight: 30, do: set(1000), status: 204, left: 100, onError: true},
		{name: "failure on failure's limit is corrected", weight: 30, status: 500, left: 80, onError: true,
			do: func(_ context.Context, c *tryCall) error { c.Cost = 20; return errors.New("broken") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limits := &guard.Limiter{}
				limit := guard.CostOf(limits.PerCaller(100, 100*time.Hour), Try.weight)
				if tt.onError {
					limit = limit.OnFailure()
				}
				l := newLimited(limit)
				l.do = tt.do
				if r := l.send(weigh(tt.weight)); r.StatusCode != tt.status {
					t.Errorf("got %d, want %d", r.StatusCode, tt.status)
				} else if retry := r.Header.Get("Retry-After"); retry != "" {
					t.Errorf("got Retry-After %q, want none: waiting does not help", retry)
				}
				l.do = func(context.Context, *tryCall) error { return errors.New("charged in any case") }
				left := 0
				for l.send(weigh(1)).StatusCode != 429 {
					left++
				}
				if left != tt.left {
					t.Errorf("got %d tokens left, want %d", left, tt.left)
				}
				if r := l.send(weigh(1), bob); r.StatusCode == 429 {
					t.Error("another caller's bucket was charged")
				}
			})
		})
	}
}

func TestCostOfUnderEveryEnding(t *testing.T) {
	t.Parallel()
	limits := &guard.Limiter{}
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	s := &service{}
	limit := guard.CostOf(limits.PerCaller(100, 100*time.Hour), Try.weight).Named("tokens")
	users := guard.Bearer(s.verify)
	mux := guard.NewMux(errs)
	type owned = guard.Call[User, Try, *Project]
	load := func(context.Context, string) (*Project, error) { return &Project{OwnerID: "alice"}, nil }
	mux.Handle("POST /stream", guard.New(users, guard.JSON[Try], guard.NoResource, limit, errs,
		guard.Stream(func(_ context.Context, c *tryCall, w http.ResponseWriter) error { c.Cost = 1; return nil })))
	mux.Handle("POST /wrap", guard.Wrap(users, guard.JSON[Try], guard.NoResource, limit, errs,
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			c, _ := guard.CallOf[User, Try, guard.None](r.Context())
			c.Cost = 1
		})))
	mux.Handle("POST /owned", guard.New(users, guard.JSON[Try], guard.NoResource, limit, errs,
		guard.OwnedInput(Try.account, load, (*Project).OwnedBy, func(_ context.Context, c *owned) (guard.None, error) {
			c.Cost -= 89
			return guard.None{}, nil
		})))
	for range 3 { // each reserves 90 and costs 1, nine in all
		for _, path := range []string{"/stream", "/wrap", "/owned"} {
			if r := send(mux, "POST", path, weigh(90), alice); r.StatusCode >= 300 {
				t.Errorf("%s: got %d %s, want the rest given back", path, r.StatusCode, readBody(t, r))
			}
		}
	}
	if r := send(mux, "POST", "/stream", weigh(92), alice); r.StatusCode != 429 {
		t.Errorf("got %d, want 429: 91 tokens are left", r.StatusCode)
	}
}

func TestRateLimitFields(t *testing.T) {
	t.Parallel()
	quoted := `say "hi" \ ` + "\u00e9\n"
	tests := []struct {
		name   string
		limit  func(*guard.Limiter) guard.Limit
		off    bool
		policy string
		states []string // of one request after the other
	}{
		{name: "off", off: true, limit: func(l *guard.Limiter) guard.Limit { return l.PerIP(2, time.Minute) }, states: []string{""}},
		{name: "one limit", limit: func(l *guard.Limiter) guard.Limit { return l.PerIP(2, time.Minute) }, policy: `"ip";q=2;w=60`,
			states: []string{`"ip";r=1;t=30`, `"ip";r=0;t=30`, `"ip";r=0;t=30`}},
		{name: "the name is quoted", limit: func(l *guard.Limiter) guard.Limit { return l.PerIP(2, time.Minute).Named(quoted) },
			policy: `"say \"hi\" \\ ??";q=2;w=60`, states: []string{`"say \"hi\" \\ ??";r=1;t=30`}},
		{name: "all of the route, of both stages", limit: func(l *guard.Limiter) guard.Limit {
			return guard.And(l.PerIP(10, time.Minute), l.PerCaller(1, time.Minute), l.InFlightPerCaller(2), l.PerIP(100, time.Hour))
		}, policy: `"ip";q=10;w=60, "caller";q=1;w=60, "caller-in-flight";q=2;qu="concurrent-requests", "ip-2";q=100;w=3600`,
			states: []string{`"ip";r=9;t=6, "ip-2";r=99;t=36, "caller";r=0;t=60`, `"ip";r=8;t=6, "ip-2";r=98;t=36, "caller";r=0;t=60`}},
		{name: "no wait is longer than Retry-After", limit: func(l *guard.Limiter) guard.Limit {
			return guard.And(l.PerIP(1, 10*time.Second), l.PerNetwork(3, time.Hour))
		}, policy: `"ip";q=1;w=10, "network";q=3;w=3600`,
			states: []string{`"ip";r=0;t=10, "network";r=2;t=1200`, `"ip";r=0;t=10, "network";r=2`}},
		{name: "part of a second is rounded up", limit: func(l *guard.Limiter) guard.Limit { return l.PerIP(3, 10*time.Second) },
			policy: `"ip";q=3;w=10`, states: []string{`"ip";r=2;t=4`}},
		{name: "less than a second is one", limit: func(l *guard.Limiter) guard.Limit { return l.PerIP(10, 100*time.Millisecond) },
			policy: `"ip";q=10;w=1`, states: []string{`"ip";r=9;t=1`}},
		{name: "what others spend is not told", limit: func(l *guard.Limiter) guard.Limit {
			return guard.And(l.Global(10, time.Minute), guard.PerInput(l, Try.account, 5, time.Minute))
		}, policy: `"global";q=10;w=60, "input";q=5;w=60`, states: []string{""}},
		{name: "hidden, shadow and weighted limits are not told", limit: func(l *guard.Limiter) guard.Limit {
			return guard.And(l.PerIP(10, time.Minute).Hidden(), l.PerCaller(9, time.Minute).Shadow(), guard.CostOf(l.PerCaller(8, time.Minute), Try.weight))
		}, states: []string{""}},
		{name: "nothing where failures count", limit: func(l *guard.Limiter) guard.Limit {
			return guard.And(l.PerIP(1, time.Minute), guard.SlowDown(l, Try.account))
		}, states: []string{"", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimited(tt.limit(&guard.Limiter{Headers: !tt.off}))
				for i, want := range tt.states {
					r := l.try()
					if got := strings.Join(r.Header.Values("RateLimit"), "|"); got != want {
						t.Errorf("request %d: RateLimit: got %s, want %s", i+1, got, want)
					}
					if got := strings.Join(r.Header.Values("RateLimit-Policy"), "|"); got != tt.policy {
						t.Errorf("request %d: RateLimit-Policy: got %s, want %s", i+1, got, tt.policy)
					}
				}
			})
		})
	}
}

func TestLimitMistakes(t *testing.T) {
	t.Parallel()
	limits := &guard.Limiter{}
	perIP := limits.PerIP(5, time.Minute)
	var none *fakeStore
	route := func(l guard.Limit) { newLimited(l) }
	open := func(l guard.Limit) {
		guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, l, &guard.Responder{},
			func(context.Context, *guard.Call[guard.Anonymous, guard.None, guard.None]) (guard.None, error) {
				return guard.None{}, nil
			})
	}
	tests := []struct {
		name string
		make func()
		want string
	}{
		{name: "no requests", make: func() { limits.PerIP(0, time.Minute) }, want: "0 requests"},
		{name: "no period", make: func() { limits.PerIP(1, 0) }, want: "a period of 0s"},
		{name: "no places", make: func() { limits.InFlight(0) }, want: "InFlight: 0 requests"},
		{name: "no Limiter", make: func() { (*guard.Limiter)(nil).PerIP(1, time.Minute) }, want: "the Limiter is nil"},
		{name: "a nil store", make: func() { (&guard.Limiter{Store: none}).PerIP(1, time.Minute) }, want: "nil *guard_test.fakeStore"},
		{name: "an unknown outage", make: func() { (&guard.Limiter{Outage: 7}).PerIP(1, time.Minute) }, want: "Outage is 7"},
		{name: "too many instances", make: func() { (&guard.Limiter{Instances: 10_001}).PerIP(1, time.Minute) }, want: "Instances is 10001"},
		{name: "a negative timeout", make: func() { (&guard.Limiter{StoreTimeout: -1}).PerIP(1, time.Minute) }, want: "StoreTimeout"},
		{name: "a negative table", make: func() { (&guard.Limiter{Buckets: -1}).PerIP(1, time.Minute) }, want: "Buckets"},
		{name: "no cost", make: func() { perIP.Cost(0) }, want: "Cost: 0"},
		{name: "no burst", make: func() { perIP.Burst(0) }, want: "Burst: 0"},
		{name: "no name", make: func() { perIP.Named("") }, want: "the name is empty"},
		{name: "a long name", make: func() { perIP.Named(strings.Repeat("x", 201)) }, want: "201 bytes"},
		{name: "tokens of places", make: func() { limits.InFlight(1).Burst(2) }, want: "leave Burst out"},
		{name: "failures of places", make: func() { limits.InFlight(1).OnFailure() }, want: "leave OnFailure out"},
		{name: "weights of places", make: func() { guard.CostOf(limits.InFlight(1), Try.weight) }, want: "leave CostOf out"},
		{name: "no cost function", make: func() { guard.CostOf[Try](perIP, nil) }, want: "cost is nil"},
		{name: "no account function", make: func() { guard.SlowDown[Try](limits, nil) }, want: "account is nil"},
		{name: "a change after And", make: func() { guard.And(perIP, perIP).Shadow() }, want: "call it before And"},
		{name: "a cost above the burst", make: func() { route(perIP.Cost(6)) }, want: "costs 6 and the bucket holds 5"},
		{name: "a bucket that fills in years", make: func() { route(limits.PerIP(1, 401*24*time.Hour)) }, want: "fills in more than"},
		{name: "one name for two", make: func() { route(guard.And(perIP.Named("n"), limits.PerIP(6, time.Hour).Named("n"))) }, want: `named "n"`},
		{name: "a caller where nobody is known", make: func() { open(limits.InFlightPerCaller(1)) }, want: "InFlightPerCaller on a route for Anyone"},
		{name: "a key of another caller", make: func() {
			route(guard.PerKey(limits, func(guard.Anonymous, *http.Request) string { return "" }, 1, time.Hour))
		},
			want: "the route's caller is guard_test.User"},
		{name: "a key of another input", make: func() { open(guard.SlowDown(limits, Try.account)) }, want: "SlowDown: its function is a func(guard_test.Try) string"},
		{name: "a cost of another input", make: func() { open(guard.CostOf(perIP, Try.weight)) }, want: "CostOf: its function is a func(guard_test.Try) int"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "guard: ") || !strings.Contains(got, tt.want) {
					t.Errorf("got %q, want a panic with %q", got, tt.want)
				}
			}()
			tt.make()
		})
	}
	newLimited(perIP.Named(strings.Repeat("x", 200)))
}
