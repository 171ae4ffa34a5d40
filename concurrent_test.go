package guard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// note is an input whose value must never turn up in another request's response.
type note struct {
	Text string  `json:"text" validate:"required,max=200"`
	More *string `json:"more" validate:"omitnil,max=200"`
}

// Ten thousand requests of mixed outcomes at once: each gets its own answer, the
// limit admits exactly what it should, every request is observed once, and
// nothing is left behind.
//
// It does not run in parallel, since it counts goroutines.
func TestManyRequestsAtOnce(t *testing.T) {
	const requests, admitted = 10_000, 500
	s := &service{}
	var observed, hooks atomic.Int64
	errs := &guard.Responder{Log: (&logBuffer{}).logger(), Observe: func(context.Context, guard.Event) { observed.Add(1) }}
	limits := &guard.Limiter{}
	mux := guard.NewMux(errs)
	echo := func(_ context.Context, c *guard.Call[User, note, *Project]) (note, error) {
		switch {
		case strings.HasPrefix(c.Input.Text, "panic"):
			panic(c.Input.Text)
		case strings.HasPrefix(c.Input.Text, "fail"):
			return c.Input, guard.Fail(409, "busy", "Busy.")
		}
		return c.Input, nil
	}
	drop := func(context.Context, *guard.Call[User, note, *Project], note) error { hooks.Add(1); return nil }
	mux.Handle("POST /projects/{projectID}", guard.New(anyUser, guard.JSON[note],
		guard.Owned("projectID", guard.ParseUUID, s.project, (*Project).OwnedBy), free, errs, guard.After(echo, drop)))
	mux.Handle("POST /wrap/{projectID}", guard.Wrap(anyUser, guard.JSON[note],
		guard.Owned("projectID", guard.ParseUUID, s.project, (*Project).OwnedBy), free, errs,
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _ := guard.CallOf[User, note, *Project](r.Context())
			_ = json.NewEncoder(w).Encode(c.Input)
		})))
	mux.Handle("GET /limited", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limits.Global(admitted, 24*time.Hour), errs, ok))

	kinds := []struct {
		method, path, text, field string
		status                    int
	}{
		{"POST", patchAlice, "ok", alice, 200},
		{"POST", strings.Replace(patchAlice, "/projects", "/wrap", 1), "ok", alice, 200},
		{"POST", patchAlice, "fail", alice, 409},
		{"POST", patchAlice, "panic", alice, 500},
		{"POST", patchAlice, "stranger", bob, 404},
		{"POST", patchAlice, "nobody", "X: y", 401},
		{"POST", "/nope", "lost", alice, 404},
		{"PUT", patchAlice, "wrong", alice, 405},
		{"GET", "/limited", "", alice, 0}, // 200 or 429
		{"POST", patchAlice, "", alice, 400},
	}
	before := runtime.NumGoroutine()
	var counts [600]atomic.Int64
	var ids sync.Map
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range requests {
		wg.Go(func() {
			k := kinds[i%len(kinds)]
			secret := fmt.Sprintf("%s-%d-%s", k.text, i, strings.Repeat("x", i%97))
			var body io.Reader
			switch {
			case k.text != "":
				body = strings.NewReader(`{"text":"` + secret + `"}`)
			case k.method == "POST":
				body = strings.NewReader(`{"more":"` + secret + `"}`) // text is missing
			}
			r := httptest.NewRequest(k.method, k.path, body)
			r.Header.Set("Content-Type", "application/json")
			name, value, _ := strings.Cut(k.field, ": ")
			r.Header.Set(name, value)
			w := httptest.NewRecorder()
			<-start
			mux.ServeHTTP(w, r)
			counts[w.Code].Add(1)
			if _, twice := ids.LoadOrStore(w.Header().Get("X-Request-Id"), true); twice {
				t.Errorf("the request id %s came twice", w.Header().Get("X-Request-Id"))
			}
			got := w.Body.String()
			if k.status != 0 && w.Code != k.status {
				t.Errorf("%s: got %d, want %d", secret, w.Code, k.status)
			}
			if want := `{"text":"` + secret + `","more":null}` + "\n"; w.Code == 200 && k.text != "" && got != want {
				t.Errorf("got %q, want its own %q", got, want)
			}
			if w.Code != 200 && strings.Contains(got, "xx") {
				t.Errorf("a refusal holds an input: %q", got)
			}
		})
	}
	close(start)
	wg.Wait()
	const each = requests / 10
	for status, want := range map[int]int64{200: 2*each + admitted, 409: each, 500: each, 404: 2 * each, 401: each, 405: each, 429: each - admitted, 400: each} {
		if got := counts[status].Load(); got != want {
			t.Errorf("status %d: got %d, want %d", status, got, want)
		}
	}
	if observed.Load() != requests || hooks.Load() != each {
		t.Errorf("got %d events and %d hooks, want %d and %d", observed.Load(), hooks.Load(), requests, each)
	}
	for range 10_000 { // the last ones are still on their way out, on a busy machine for a while
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("got %d goroutines, had %d\n%s", runtime.NumGoroutine(), before, stacks())
}

// stacks is what all goroutines are doing.
func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}
