package guard_test

import (
	"bytes"
	"context"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// harnessProxies is the proxies of newHarness.
var harnessProxies = guard.TrustProxies(netip.MustParsePrefix("10.0.0.0/8"))

func TestEvents(t *testing.T) {
	t.Parallel()
	var events []guard.Event
	var contexts []context.Context
	h := newHarness(t, func(errs *guard.Responder) {
		errs.Observe = func(ctx context.Context, e guard.Event) { events, contexts = append(events, e), append(contexts, ctx) }
	})
	tests := []struct {
		name   string
		breaks func(*service)
		send   func() *http.Response
		want   guard.Event // without times, id and Err
		err    string
	}{
		{name: "a success", send: func() *http.Response { return h.send("PATCH", patchAlice, `{}`, alice) },
			want: guard.Event{Method: "PATCH", Route: "PATCH /projects/{projectID}", Caller: "alice", Stage: guard.StageRespond, Status: 200}},
		{name: "no credential", send: func() *http.Response { return h.send("PATCH", patchAlice, `{}`) },
			want: guard.Event{Method: "PATCH", Route: "PATCH /projects/{projectID}", Stage: guard.StageWho, Status: 401, Code: "unauthenticated"}, err: "no credential"},
		{name: "an unknown path", send: func() *http.Response { return h.send("GET", "/nope", "") },
			want: guard.Event{Method: "GET", Stage: guard.StageRoute, Status: 404, Code: "not_found"}},
		{name: "a handler's error", breaks: func(s *service) { s.handleErr = errors.New("boom") }, send: func() *http.Response { return h.send("PATCH", patchAlice, `{}`, alice) },
			want: guard.Event{Method: "PATCH", Route: "PATCH /projects/{projectID}", Caller: "alice", Stage: guard.StageHandler, Status: 500, Code: "internal"}, err: "boom"},
		{name: "a panic", breaks: func(s *service) { s.panicWith = "boom" }, send: func() *http.Response { return h.send("PATCH", patchAlice, `{}`, alice) },
			want: guard.Event{Method: "PATCH", Route: "PATCH /projects/{projectID}", Caller: "alice", Stage: guard.StageHandler, Status: 500, Code: "internal"}, err: "panic: boom"},
	}
	for _, tt := range tests {
		h.handleErr, h.panicWith, events, contexts = nil, nil, nil, nil
		if tt.breaks != nil {
			tt.breaks(h.service)
		}
		before := time.Now()
		r := tt.send()
		if len(events) != 1 || contexts[0] == nil {
			t.Fatalf("%s: got events %+v, want one, with a context", tt.name, events)
		}
		got := events[0]
		if got.Start.Before(before) || got.Duration < 0 || got.RequestID != r.Header.Get("X-Request-ID") || got.ClientIP != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("%s: got %+v, want its times, address and request id", tt.name, got)
		}
		if err := got.Err; (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got error %v, want %q", tt.name, err, tt.err)
		}
		got.Start, got.Duration, got.RequestID, got.ClientIP, got.Err = time.Time{}, 0, "", netip.Addr{}, nil
		if got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		e    guard.Event
		want slog.Level
	}{
		{"success", guard.Event{Stage: guard.StageRespond, Status: 200}, slog.LevelDebug},
		{"bad input", guard.Event{Stage: guard.StageWhat, Status: 400}, slog.LevelDebug},
		{"the client has gone", guard.Event{Stage: guard.StageHandler, Status: 499}, slog.LevelDebug},
		{"an unknown path", guard.Event{Stage: guard.StageRoute, Status: 404}, slog.LevelDebug},
		{"no session", guard.Event{Stage: guard.StageWho, Status: 401}, slog.LevelInfo},
		{"forbidden", guard.Event{Stage: guard.StageRole, Status: 403}, slog.LevelInfo},
		{"not the owner", guard.Event{Stage: guard.StageWhich, Status: 404}, slog.LevelInfo},
		{"too many", guard.Event{Stage: guard.StageLimit, Status: 429}, slog.LevelInfo},
		{"a bug", guard.Event{Stage: guard.StageHandler, Status: 500}, slog.LevelError},
		{"a bug while routing", guard.Event{Stage: guard.StageRoute, Status: 500}, slog.LevelError},
		{"a failed hook", guard.Event{Stage: guard.StageAfter}, slog.LevelError},
	}
	for _, tt := range tests {
		if got := guard.DefaultLevel(tt.e); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	h := newHarness(t, func(errs *guard.Responder) {
		errs.Level = func(e guard.Event) slog.Level { return slog.Level(e.Status) }
	})
	h.send("PATCH", patchAlice, `{}`)
	if l := h.log.records(t); len(l) != 1 || l[0]["level"] != slog.Level(401).String() {
		t.Errorf("got records %v, want the level that Level chose", l)
	}
}

func TestStageNames(t *testing.T) {
	t.Parallel()
	for s := guard.StageRoute; s <= guard.StageRespond; s++ {
		if s.String() == "unknown" {
			t.Errorf("stage %d has no name", s)
		}
	}
	if got := (guard.StageRespond + 1).String(); got != "unknown" {
		t.Errorf("got %q, want unknown", got)
	}
}

// panicLog is a log handler that panics.
type panicLog struct{ slog.Handler }

func (panicLog) Handle(context.Context, slog.Record) error { panic("log") }

// Tests that change a global of the process do not run in parallel.

func TestResponderFunctionsThatPanic(t *testing.T) {
	var standard bytes.Buffer
	log.SetOutput(&standard)
	defer log.SetOutput(os.Stderr)
	for _, breaks := range []string{"Level", "Log", "Observe"} {
		standard.Reset()
		observed := 0
		h := newHarness(t, func(errs *guard.Responder) {
			errs.Observe = func(context.Context, guard.Event) {
				if observed++; breaks == "Observe" {
					panic("observe")
				}
			}
			switch breaks {
			case "Level":
				errs.Level = func(guard.Event) slog.Level { panic("level") }
			case "Log":
				errs.Log = slog.New(panicLog{errs.Log.Handler()})
			}
		})
		r := h.send("PATCH", patchAlice, `{}`, alice)
		if r.StatusCode != 200 || observed != 1 {
			t.Errorf("%s panics: got %d, observed %d times, want 200 and once", breaks, r.StatusCode, observed)
		}
		if got, want := standard.String(), "guard: Responder."+breaks+" panicked on request "+r.Header.Get("X-Request-ID"); strings.Count(got, want) != 1 {
			t.Errorf("%s panics: got log %q, want %q", breaks, got, want)
		}
		if got := len(h.log.records(t)); (got == 1) != (breaks != "Log") {
			t.Errorf("%s panics: got %d records", breaks, got)
		}
	}
}

func TestDefaultLogger(t *testing.T) {
	buffer := &logBuffer{}
	old := slog.Default()
	slog.SetDefault(buffer.logger())
	defer slog.SetDefault(old)
	send(open(&guard.Responder{}, func(context.Context, *call) (string, error) { return "", nil }), "GET", "/", "")
	if l := buffer.records(t); len(l) != 1 || l[0]["msg"] != "request served" {
		t.Errorf("got records %v, want one in slog's default logger", l)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	const id = "0198f000-0000-7000-8000-000000000001"
	const proxy = "Remote: 10.1.2.3:4"
	errs, _ := logged()
	errs.ClientIP = harnessProxies
	mux := guard.NewMux(errs)
	ok := func(context.Context, *call) (string, error) { return "x", nil }
	mux.Handle("GET /typed", open(errs, ok))
	mux.Handle("GET /dir/{$}", open(errs, ok))
	mux.Handle("GET /refused", refusing(errs, guard.ErrNotFound))
	mux.Handle("GET /stream", open(errs, guard.Stream(func(context.Context, *call, http.ResponseWriter) error { return nil })))
	mux.Handle("GET /wrap", wrapped(errs, func(w http.ResponseWriter, _ *http.Request) { clear(w.Header()) }))
	mux.Handle("GET /wrap2", wrapped(errs, func(w http.ResponseWriter, _ *http.Request) { clear(w.Header()); w.WriteHeader(400) }))
	mux.Handle("GET /panic", wrapped(errs, func(w http.ResponseWriter, _ *http.Request) { clear(w.Header()); panic("x") }))
	mux.Unguarded("GET /unguarded", "test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Request-Id", "other") }))
	mux.Unguarded("/nested/", "its routes are guarded", route("GET /nested/x", errs, refusing(errs, guard.ErrNotFound)))
	tests := []struct {
		name   string
		path   string // /typed where empty
		method string
		fields []string
		kept   bool
	}{
		{name: "a trusted proxy's id is kept", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "on a refusal", path: "/refused", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "on a stream", path: "/stream", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "on a wrapped handler that clears the header", path: "/wrap", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "on a wrapped handler that clears the header and writes a status", path: "/wrap2", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "on a wrapped handler that panics", path: "/panic", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "on an unguarded handler that sets another", path: "/unguarded", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "on a guard within a guard", path: "/nested/x", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "on 404", path: "/nope", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "on 405", method: "PUT", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "on a redirect", path: "//typed", fields: []string{proxy, "X-Request-ID: " + id}, kept: true},
		{name: "a client's id is not", fields: []string{"X-Request-ID: " + id}},
		{name: "two ids are none", fields: []string{proxy, "X-Request-ID: " + id, "X-Request-ID: " + id}},
		{name: "an id with a line break is none", fields: []string{proxy, "X-Request-ID: a\nlevel=ERROR"}},
		{name: "an id with a quote is none", fields: []string{proxy, `X-Request-ID: a"b`}},
		{name: "an empty id is none", fields: []string{proxy, "X-Request-ID:  "}},
		{name: "an endless id is none", fields: []string{proxy, "X-Request-ID: " + strings.Repeat("a", 1000)}},
		{name: "nested without an id", path: "/nested/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path, method := "/typed", "GET"
			if tt.path != "" {
				path = tt.path
			}
			if tt.method != "" {
				method = tt.method
			}
			r := send(mux, method, path, "", tt.fields...)
			got := r.Header.Values("X-Request-ID")
			if len(got) != 1 || (got[0] == id) != tt.kept || len(got[0]) != len(id) {
				t.Errorf("got ids %q, want one, the proxy's own: %v", got, tt.kept)
			}
			if r.StatusCode >= 400 && path != "/wrap2" {
				if p := readProblem(t, r); p.RequestID != got[0] {
					t.Errorf("the body says %q, the header %q", p.RequestID, got[0])
				}
			}
		})
	}
}
