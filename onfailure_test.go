package guard_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
)

func TestOnFailure(t *testing.T) {
	t.Parallel()
	fail := errors.New("wrong password")
	tests := []struct {
		name    string
		do      func(context.Context, *tryCall) error
		body    string
		status  int
		charged bool
	}{
		{name: "success gives back", status: 204},
		{name: "an error is charged", do: func(context.Context, *tryCall) error { return fail }, status: 500, charged: true},
		{name: "a refusal is charged", do: func(context.Context, *tryCall) error { return guard.Fail(401, "wrong", "Wrong.") }, status: 401, charged: true},
		{name: "a panic stays charged", do: func(context.Context, *tryCall) error { panic(fail) }, status: 500, charged: true},
		{name: "Goexit stays charged", do: func(context.Context, *tryCall) error { runtime.Goexit(); return nil }, status: 500, charged: true},
		{name: "a later stage's refusal stays charged", body: `{"unknown":1}`, status: 400, charged: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := &guard.Limiter{}
			l := newLimited(limits.PerIP(3, time.Hour).OnFailure())
			l.do = tt.do
			body := tt.body
			if body == "" {
				body = `{"account":"a"}`
			}
			for i := range 10 {
				var r *http.Response
				done := make(chan struct{})
				go func() { // Goexit ends a goroutine
					defer close(done)
					defer func() {
						if r == nil {
							r = &http.Response{StatusCode: 500}
						}
					}()
					r = l.send(body)
				}()
				<-done
				want := tt.status
				if tt.charged && i >= 3 {
					want = 429
				}
				if r.StatusCode != want {
					t.Fatalf("try %d: got %d, want %d", i+1, r.StatusCode, want)
				}
			}
		})
	}
}

// A wrapped handler has no error to return: its status says how it went.
func TestOnFailureOfAWrappedHandler(t *testing.T) {
	t.Parallel()
	for status, charged := range map[int]bool{200: false, 303: false, 400: true, 401: true, 503: true} {
		limits := &guard.Limiter{}
		errs := &guard.Responder{Log: (&logBuffer{}).logger()}
		g := guard.Wrap(guard.Anyone, guard.NoPayload, guard.NoResource, limits.PerIP(2, time.Hour).OnFailure(), errs,
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		var last int
		for range 3 {
			last = send(g, "GET", "/", "").StatusCode
		}
		if (last == 429) != charged {
			t.Errorf("status %d: the third request got %d, want charged %v", status, last, charged)
		}
	}
}

// Checking first and charging later let all of them through.
func TestOnFailureWithParallelGuesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := &guard.Limiter{}
		l := newLimited(guard.PerInput(limits, Try.account, 5, time.Hour).OnFailure())
		l.do = func(context.Context, *tryCall) error {
			time.Sleep(time.Second) // the password is being hashed
			return guard.Fail(401, "wrong", "Wrong.")
		}
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { l.try() })
		}
		wg.Wait()
		if got := l.runs.Load(); got != 5 {
			t.Errorf("the handler ran %d times, want 5", got)
		}
	})
}

func TestSlowDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := &guard.Limiter{}
		l := newLimited(guard.SlowDown(limits, Try.account))
		right := false
		l.do = func(context.Context, *tryCall) error {
			if right {
				return nil
			}
			return guard.Fail(401, "wrong", "Wrong.")
		}
		l.expect(t, 5, 401)
		for i, want := range []string{"4", "4", "8", "14", "30", "30", "30"} {
			r := l.try()
			if got := r.Header.Get("Retry-After"); r.StatusCode != 429 || got != want {
				t.Fatalf("delay %d: got %d with %q, want 429 with %s", i+1, r.StatusCode, got, want)
			}
			d, _ := time.ParseDuration(want + "s")
			time.Sleep(d)
			l.expect(t, 1, 401)
		}
		// An attacker keeps knocking: refused tries cost nothing, so the wait does not grow.
		for range 1000 {
			l.expect(t, 1, 429, from("192.0.2.200:1"))
			time.Sleep(10 * time.Millisecond)
		}
		right = true
		l.expect(t, 20, 204, from("198.51.100.7:1")) // the owner, elsewhere
		time.Sleep(20 * time.Second)                 // 30 after the last failed try
		l.expect(t, 1, 204)
		l.expect(t, 1, 204) // success costs nothing
	})
}
