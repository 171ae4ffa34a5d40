package guard_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
)

// routes is a Mux with patterns of every kind.
func routes(errs *guard.Responder) *guard.Mux {
	mux := guard.NewMux(errs)
	mux.Handle("GET /a/{$}", open(errs, ok))
	mux.Handle("GET /things", open(errs, ok))
	mux.Handle("POST /things", open(errs, ok))
	mux.Handle("GET /files/{path...}", wrapped(errs, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.PathValue("path")) }))
	mux.Handle("GET admin.example/things", wrapped(errs, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "admin") }))
	mux.Handle("/any", wrapped(errs, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Method) }))
	mux.Unguarded("GET /static/", "public files", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/static/panic" {
			panic("boom")
		}
		_, _ = io.WriteString(w, "static")
	}))
	return mux
}

// embedding has a guard, and may answer without it.
type embedding struct{ guard.Guarded }

func (embedding) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

// A guard on an unguarded route is listed with the reason, and each request has one record and one observation.
func TestUnguardedGuard(t *testing.T) {
	t.Parallel()
	errs, log := logged()
	var observed atomic.Int32
	errs.Observe = func(context.Context, guard.Event) { observed.Add(1) }
	mux := guard.NewMux(errs)
	mux.Unguarded("GET /probe", "a probe", refusing(errs, guard.Fail(503, "not_ready", "Not ready.").Because(errors.New("the cause"))))
	mux.Unguarded("GET /embedding", "answers by itself", embedding{open(errs, ok)})
	for path, want := range map[string]int{"/probe": 503, "/embedding": 418} {
		observed.Store(0)
		before := len(log.records(t))
		r := send(mux, "GET", path, "")
		if r.StatusCode != want || r.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: got %d %v, want %d with an id", path, r.StatusCode, r.Header, want)
		}
		if n := len(log.records(t)) - before; n != 1 || observed.Load() != 1 {
			t.Errorf("%s: got %d records and %d observations, want one of each", path, n, observed.Load())
		}
	}
	for _, r := range mux.Routes() {
		if r.Unguarded == "" || r.Ending != "" {
			t.Errorf("got %+v, want an unguarded route", r)
		}
	}
}

func TestMux(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		method   string
		target   string
		fields   []string
		status   int
		code     string // of a refusal
		body     string
		allow    string
		location string
		route    string // in the log
	}{
		{name: "a route", method: "GET", target: "/things", status: 200, body: "\"ok\"\n", route: "GET /things"},
		{name: "HEAD where GET is", method: "HEAD", target: "/things", status: 200, route: "GET /things"},
		{name: "the rest of a path", method: "GET", target: "/files/a/b%2Fc", status: 200, body: "a/b/c", route: "GET /files/{path...}"},
		{name: "a route of a host", method: "GET", target: "http://admin.example/things", status: 200, body: "admin", route: "GET admin.example/things"},
		{name: "a route of any method", method: "BREW", target: "/any", status: 200, body: "BREW", route: "/any"},
		{name: "unguarded", method: "GET", target: "/static/x", status: 200, body: "static", route: "GET /static/"},
		{name: "an unguarded panic", method: "GET", target: "/static/panic", status: 500, code: "internal", route: "GET /static/"},
		{name: "an unknown path", method: "GET", target: "/nope", status: 404, code: "not_found"},
		{name: "HEAD of an unknown path", method: "HEAD", target: "/nope", status: 404},
		{name: "the subtree of an exact path", method: "GET", target: "/a/b", status: 404, code: "not_found"},
		{name: "an encoded path is not the decoded one", method: "GET", target: "/%61ny%2f", status: 404, code: "not_found"},
		{name: "a wrong method", method: "DELETE", target: "/things", status: 405, code: "method_not_allowed", allow: "GET, HEAD, POST"},
		{name: "OPTIONS", method: "OPTIONS", target: "/things", status: 405, code: "method_not_allowed", allow: "GET, HEAD, POST"},
		{name: "TRACE", method: "TRACE", target: "/things", status: 405, code: "method_not_allowed", allow: "GET, HEAD, POST"},
		{name: "CONNECT", method: "CONNECT", target: "/things", status: 405, code: "method_not_allowed", allow: "GET, HEAD, POST"},
		{name: "a method in lower case", method: "get", target: "/things", status: 405, code: "method_not_allowed", allow: "GET, HEAD, POST"},
		{name: "a wrong method on what is unguarded", method: "POST", target: "/static/x", status: 405, code: "method_not_allowed", allow: "GET, HEAD"},
		{name: "a double slash", method: "GET", target: "//things", status: 307, location: "/things"},
		{name: "dots", method: "GET", target: "/x/../things?a=b", status: 307, location: "/things?a=b"},
		{name: "slashes do not lead to another host", method: "GET", target: "/x/..//evil.example/", status: 307, location: "/evil.example/"},
		{name: "a missing slash", method: "GET", target: "/static", status: 307, location: "/static/"},
	}
	for _, tt := range tests {
		for _, format := range []guard.Format{guard.ProblemDetails, guard.ErrorObject} {
			t.Run(fmt.Sprint(tt.name, " in format ", format), func(t *testing.T) {
				t.Parallel()
				errs, log := logged()
				errs.Format = format
				r := send(routes(errs), tt.method, tt.target, "", tt.fields...)
				body := readBody(t, r)
				if r.StatusCode != tt.status || tt.code == "" && tt.status < 300 && body != tt.body {
					t.Errorf("got %d %q, want %d %q", r.StatusCode, body, tt.status, tt.body)
				}
				if tt.code != "" {
					media, start := "application/problem+json", `{"type":"about:blank",`
					if format == guard.ErrorObject {
						media, start = "application/json; charset=utf-8", `{"error":"`
					}
					if got := r.Header.Get("Content-Type"); got != media || !strings.HasPrefix(body, start) || !strings.Contains(body, `"code":"`+tt.code+`"`) {
						t.Errorf("got %s %q, want %s with code %s", got, body, media, tt.code)
					}
				}
				if got := r.Header.Get("Allow"); got != tt.allow {
					t.Errorf("Allow: got %q, want %q", got, tt.allow)
				}
				if got := r.Header.Get("Location"); got != tt.location {
					t.Errorf("Location: got %q, want %q", got, tt.location)
				}
				if tt.status >= 300 && r.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("got header %v, want it not to be stored", r.Header)
				}
				l := log.records(t)
				if len(l) != 1 || l[0]["route"] != tt.route || l[0]["status"] != float64(tt.status) || l[0]["request_id"] != r.Header.Get("X-Request-ID") {
					t.Errorf("got records %v, want one for route %q with the status and the id", l, tt.route)
				}
			})
		}
	}
}

// What cannot be asked for through an http.Request.
func TestMuxOnTheWire(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	server := serve(t, routes(errs))
	tests := []struct {
		name    string
		request string
		status  int
		close   bool
	}{
		{"HTTP/1.0", "GET /things HTTP/1.0\r\n\r\n", 200, true},
		{"HTTP/1.0 refused", "GET /nope HTTP/1.0\r\n\r\n", 404, true},
		{"another star", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
		{"an unknown path with a large body", "POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", 404, true},
		{"an unknown path with a body that waits", "POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", 404, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			_, _ = io.WriteString(conn, tt.request)
			r, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != tt.status || r.Close != tt.close {
				t.Errorf("got %d, close %v, want %d, %v", r.StatusCode, r.Close, tt.status, tt.close)
			}
			if r.StatusCode >= 400 && r.Header.Get("Content-Type") != "application/problem+json" || r.Header.Get("X-Request-ID") == "" {
				t.Errorf("got header %v, want a problem with an id", r.Header)
			}
		})
	}
}

func TestChecklist(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	errs, _ := logged()
	h.mux.Handle("/any/{id}", guard.New(anyUser, guard.NoPayload, guard.NoResource, free, errs, whoami[User]))
	h.mux.Unguarded("GET /static/", "public files", http.NotFoundHandler())
	want := []string{
		"PATCH /projects/{projectID} bearer|cookie, JSON guard_test.UpdateProject 256 KiB, {projectID} Owned Project.OwnedBy, 10/1m per caller [service.dropCached]",
		"GET /projects/{projectID}/tasks/{taskID} bearer|cookie, none, {projectID}/{taskID} Owned Project.OwnedBy > Within service.taskIn, 60/1m per caller []",
		"POST /contact anyone, JSON guard_test.Contact 256 KiB, none, 5/1m per ip []",
		"POST /admin/users/{userID}/role bearer|cookie only User.IsAdmin, JSON guard_test.SetRole 256 KiB, none, 30/1m per caller []",
		"/any/{id} bearer, none, none, unlimited: test []",
		"GET /static/ unguarded: public files",
	}
	var got []string
	for _, r := range h.mux.Routes() {
		line := fmt.Sprintf("%s %s, %s, %s, %s %s", r.Pattern, r.Who, r.What, r.Which, r.Limits, r.After)
		if r.Unguarded != "" {
			line = r.Pattern + " unguarded: " + r.Unguarded
		}
		got = append(got, line)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	list := h.mux.Routes()
	list[0].Pattern = "nothing"
	if h.mux.Routes()[0].Pattern == "nothing" {
		t.Error("Routes gave away its own slice")
	}
	var b, table strings.Builder
	if err := errors.Join(h.mux.WriteChecklist(&b), checklist.WriteTable(&table, h.mux.Routes())); err != nil || b.String() != table.String() {
		t.Errorf("got error %v and\n%s\nwant\n%s", err, &b, &table)
	}
}

// A guard on another router describes itself in the same words.
func TestDescribe(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	s := &service{}
	owned := guard.New(anyUser, guard.NoPayload, guard.Owned("id", guard.ParseUUID, s.project, (*Project).OwnedBy), free, errs,
		func(_ context.Context, c *guard.Call[User, guard.None, *Project]) (guard.Reply[string], error) {
			return guard.Reply[string]{Body: c.Resource.Name}, nil
		})
	mux := guard.NewMux(errs)
	mux.Handle("GET /p/{id}", owned)
	got := guard.Describe("GET /p/{id}", owned)
	if want := mux.Routes()[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.Result != reflect.TypeFor[string]() || got.Which.Steps[0].Resource != "*guard_test.Project" {
		t.Errorf("got result %v and steps %v, want what a Reply holds and the resource's type", got.Result, got.Which.Steps)
	}
	var missing *guard.Guard[guard.None]
	mustPanic(t, "a parameter that the pattern does not have", `Describe: the pattern "GET /p/{pid}" has no {id}`, func() { guard.Describe("GET /p/{pid}", owned) })
	mustPanic(t, "a nil guard", "Describe: GET /: the guard is nil", func() { guard.Describe("GET /", missing) })
	mustPanic(t, "a zero guard", "Describe: GET /: the guard is the zero Guard", func() { guard.Describe("GET /", &guard.Guard[guard.None]{}) })
}

// A Guard is an http.Handler: it works on a plain ServeMux, and alone.
func TestPlainServeMux(t *testing.T) {
	t.Parallel()
	h := &service{}
	errs, log := logged()
	limits := &guard.Limiter{}
	get := func(_ context.Context, c *guard.Call[User, guard.None, *Project]) (string, error) {
		return c.Resource.Name, nil
	}
	owned := func(param string) *guard.Guard[guard.None] {
		return guard.New(anyUser, guard.NoPayload, guard.Owned(param, guard.ParseUUID, h.project, (*Project).OwnedBy),
			limits.PerCaller(1, time.Hour), errs, get)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /projects/{projectID}", owned("projectID"))
	mux.Handle("GET /p/{projectID}", owned("projectID"))
	mux.Handle("GET /wrong/{projectID}", owned("id"))
	for _, tt := range []struct {
		path   string
		status int
	}{
		{"/projects/", 200}, {"/projects/", 429}, // its own bucket, by pattern
		{"/p/", 200}, {"/p/", 429},
		{"/wrong/", 500}, // the parameter does not exist: a mistake of the wiring, not an id
	} {
		if r := send(mux, "GET", tt.path+aliceProject.String(), "", alice); r.StatusCode != tt.status {
			t.Errorf("%s: got %d, want %d", tt.path, r.StatusCode, tt.status)
		}
	}
	if l := log.records(t); l[0]["route"] != "GET /projects/{projectID}" {
		t.Errorf("got record %v, want the pattern", l[0])
	}
	// Without any mux, limits belong to the guard, and there is no parameter.
	one, two := open(errs, ok), guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limits.PerIP(1, time.Hour), errs, ok)
	three := guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limits.PerIP(1, time.Hour), errs, ok)
	for i, tt := range []struct {
		h      http.Handler
		status int
	}{{one, 200}, {two, 200}, {two, 429}, {three, 200}, {three, 429}, {owned("projectID"), 500}} {
		if r := send(tt.h, "GET", "/", "", alice); r.StatusCode != tt.status {
			t.Errorf("alone, request %d: got %d, want %d", i, r.StatusCode, tt.status)
		}
	}
}

// A request that a test or another server makes may have no body at all.
func TestNilBody(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, target := range []string{patchAlice, "/contact", "/nope"} {
		r, err := http.NewRequestWithContext(t.Context(), "PATCH", target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer alice-token")
		r.Header.Set("Content-Type", "application/json")
		w := newRecorder()
		h.mux.ServeHTTP(w, r)
		if w.status < 400 || w.status >= 500 {
			t.Errorf("%s: got %d, want a refusal", target, w.status)
		}
	}
}

// recorder is a ResponseWriter without any extra method.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// A writer that cannot flush has sent nothing, so an error can still be answered.
func TestWriterThatCannotFlush(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	g := stream(errs, func(_ context.Context, w http.ResponseWriter) error { return http.NewResponseController(w).Flush() })
	w := newRecorder()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "/", nil)
	g.ServeHTTP(w, r)
	if w.status != 500 || !strings.Contains(w.body.String(), `"internal"`) {
		t.Errorf("got %d %q, want a problem", w.status, &w.body)
	}
}
