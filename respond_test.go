package guard_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
)

// call is a call of a route without a session, an input and a resource.
type call = guard.Call[guard.Anonymous, guard.None, guard.None]

// open is a route for anyone that ends in handler.
func open[Out any](errs *guard.Responder, handler func(context.Context, *call) (Out, error)) *guard.Guard[guard.None] {
	return guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, free, errs, handler)
}

func ok(context.Context, *call) (string, error) { return "ok", nil }

// wrapped is a route for anyone that ends in h.
func wrapped(errs *guard.Responder, h http.HandlerFunc) *guard.Guard[guard.None] {
	return guard.Wrap(guard.Anyone, guard.NoPayload, guard.NoResource, free, errs, h)
}

// logged returns a Responder and its log.
func logged() (*guard.Responder, *logBuffer) {
	log := &logBuffer{}
	return &guard.Responder{Log: log.logger()}, log
}

// result is a route whose handler returns out.
func result[Out any](out Out) func(*guard.Responder) http.Handler {
	return func(errs *guard.Responder) http.Handler {
		return open(errs, func(context.Context, *call) (Out, error) { return out, nil })
	}
}

type node struct {
	Next *node `json:"next"`
}

func cyclic() *node {
	n := &node{}
	n.Next = n
	return n
}

type list struct {
	Items []string `json:"items"`
}

func TestResults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		method string // GET where empty
		route  func(*guard.Responder) http.Handler
		status int
		body   string   // exact; on 500 the problem is checked instead
		header []string // "Name: value", or "Name: " for an absent one
		cause  string
	}{
		{name: "a struct is JSON", route: result(ProjectView{Name: "x"}), status: 200,
			body: `{"id":"00000000-0000-0000-0000-000000000000","name":"x"}` + "\n", header: []string{"Content-Type: application/json; charset=utf-8", "Content-Length: 57"}},
		{name: "a nil slice is an empty list", route: result([]string(nil)), status: 200, body: "[]\n"},
		{name: "a nil slice in a struct is an empty list", route: result(list{}), status: 200, body: `{"items":[]}` + "\n"},
		{name: "a nil map is an empty object", route: result(map[string]int(nil)), status: 200, body: "{}\n"},
		{name: "invalid UTF-8 is replaced", route: result("a\xffb"), status: 200, body: "\"a\uFFFDb\"\n"},
		{name: "None is 204 without a body", route: result(guard.None{}), status: 204, header: []string{"Content-Type: ", "Content-Length: "}},
		{name: "a nil pointer is 500", route: result((*ProjectView)(nil)), status: 500, cause: "nil *guard_test.ProjectView"},
		{name: "a nil interface is 500", route: result(any(nil)), status: 500, cause: "nil"},
		{name: "a channel is 500", route: result(make(chan int)), status: 500, cause: "encode the result"},
		{name: "NaN is 500", route: result([]float64{1, math.NaN()}), status: 500, cause: "encode the result"},
		{name: "a cycle is 500", route: result(cyclic()), status: 500, cause: "encode the result"},
		{name: "a Reply without a status is 200", route: result(guard.Reply[string]{Body: "x"}), status: 200, body: "\"x\"\n"},
		{name: "a Reply of None is 204", route: result(guard.Reply[guard.None]{}), status: 204},
		{name: "a pointer to a Reply is a Reply", route: result(&guard.Reply[string]{Status: 202, Body: "x"}), status: 202, body: "\"x\"\n"},
		{name: "a nil pointer to a Reply is 500", route: result((*guard.Reply[string])(nil)), status: 500, cause: "nil"},
		{name: "Created is 201 with a Location", route: result(guard.Created("/projects/7", "x")), status: 201, body: "\"x\"\n", header: []string{"Location: /projects/7"}},
		{name: "a status, headers and cookies", status: 202, body: "\"x\"\n",
			route: result(guard.Reply[string]{Status: 202, Header: http.Header{"x-total": {"7"}, "Cache-Control": {"max-age=60"}, "Content-Type": {"application/hal+json"}},
				Cookies: []*http.Cookie{{Name: "a", Value: "1"}, nil, {Name: "b", Value: "2"}}, Body: "x"}),
			header: []string{"X-Total: 7", "Cache-Control: max-age=60", "Content-Type: application/hal+json", "Set-Cookie: a=1, b=2"}},
		{name: "what sets a cookie is not stored", route: result(guard.Reply[string]{Cookies: []*http.Cookie{{Name: "a", Value: "1"}}, Body: "x"}), status: 200, body: "\"x\"\n",
			header: []string{"Cache-Control: no-store"}},
		{name: "what anyone may see has no caching rule", route: result("x"), status: 200, body: "\"x\"\n", header: []string{"Cache-Control: "}},
		{name: "a redirect", route: result(guard.Reply[guard.None]{Status: 303, Header: http.Header{"Location": {"/"}}}), status: 303, header: []string{"Location: /"}},
		{name: "204 drops a body", route: result(guard.Reply[string]{Status: 204, Body: "x"}), status: 204, header: []string{"Content-Type: ", "Content-Length: "}},
		{name: "205 drops a body", route: result(guard.Reply[string]{Status: 205, Body: "x"}), status: 205},
		{name: "304 drops a body", route: result(guard.Reply[string]{Status: 304, Header: http.Header{"Etag": {`"1"`}}, Body: "x"}), status: 304, header: []string{`Etag: "1"`, "Content-Length: "}},
		{name: "what is the guard's own stays", status: 200, body: "\"x\"\n",
			route: result(guard.Reply[string]{Header: http.Header{"X-Request-Id": {"mine"}, "x-content-type-options": {"off"}, "Content-Length": {"9999"},
				"Transfer-Encoding": {"chunked"}, "Trailer": {"X"}}, Body: "x"}),
			header: []string{"X-Content-Type-Options: nosniff", "Content-Length: 4", "Transfer-Encoding: ", "Trailer: "}},
		{name: "a Content-Length cannot announce a body that is not there", status: 201,
			route: result(guard.Reply[guard.None]{Status: 201, Header: http.Header{"Content-Length": {"5"}}}), header: []string{"Content-Length: "}},
		{name: "status 199 is 500", route: result(guard.Reply[string]{Status: 199, Body: "x"}), status: 500, cause: "status 199"},
		{name: "status 400 is 500", route: result(guard.Reply[string]{Status: 400, Body: "x"}), status: 500, cause: "return guard.Fail"},
		{name: "status -1 is 500", route: result(guard.Reply[string]{Status: -1, Body: "x"}), status: 500, cause: "status -1"},
		{name: "HEAD has the header of GET and no body", method: "HEAD", route: result("x"), status: 200,
			header: []string{"Content-Length: 4", "Content-Type: application/json; charset=utf-8"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			errs, log := logged()
			method := tt.method
			if method == "" {
				method = "GET"
			}
			r := send(tt.route(errs), method, "/", "")
			if tt.status == 500 {
				checkRefusal(t, r, 500, "internal")
			} else if got := readBody(t, r); r.StatusCode != tt.status || got != tt.body {
				t.Errorf("got %d %q, want %d %q", r.StatusCode, got, tt.status, tt.body)
			}
			for _, f := range tt.header {
				name, want, _ := strings.Cut(f, ": ")
				if got := strings.Join(r.Header.Values(name), ", "); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			l := log.records(t)
			if len(l) != 1 || l[0]["stage"] != "respond" || l[0]["status"] != float64(tt.status) || l[0]["request_id"] != r.Header.Get("X-Request-ID") {
				t.Fatalf("got records %v, want one of stage respond with status and request id", l)
			}
			if cause, _ := l[0]["cause"].(string); !strings.Contains(cause, tt.cause) {
				t.Errorf("got cause %q, want %q in it", cause, tt.cause)
			}
		})
	}
}

// A handler may return the same header for every request.
func TestSharedHeaderIsNotAppendedTo(t *testing.T) {
	t.Parallel()
	shared := http.Header{"Set-Cookie": append(make([]string, 0, 2), "a=1")}
	errs, _ := logged()
	h := result(guard.Reply[string]{Header: shared, Cookies: []*http.Cookie{{Name: "b", Value: "2"}}, Body: "x"})(errs)
	if got := strings.Join(send(h, "GET", "/", "").Header["Set-Cookie"], ", "); got != "a=1, b=2" {
		t.Errorf("got %q, want both cookies", got)
	}
	if got := shared["Set-Cookie"][:2]; got[1] != "" {
		t.Errorf("the shared header now holds %q", got)
	}
}

type count struct{ hooks int }

func TestSteps(t *testing.T) {
	t.Parallel()
	type c = guard.Call[User, MoveTask, *Project]
	type plain = guard.Call[User, MoveTask, guard.None]
	s := &service{}
	handler := func(_ context.Context, c *c) (string, error) { return c.Resource.Name, nil }
	stream := func(_ context.Context, c *c, w http.ResponseWriter) error {
		_, err := io.WriteString(w, c.Resource.Name)
		return err
	}
	users := guard.Bearer(s.verify)
	tests := []struct {
		name   string
		guard  func(errs *guard.Responder, n *count) guard.Guarded
		body   string
		which  string
		ending string
		hooks  int
	}{
		{name: "After", body: "\"plain\"\n", which: "none", ending: "handler", hooks: 2,
			guard: func(errs *guard.Responder, n *count) guard.Guarded {
				hook := func(_ context.Context, _ *plain, out string) error { n.hooks += len(out) / len("plain"); return nil }
				return guard.New(users, guard.JSON[MoveTask], guard.NoResource, free, errs,
					guard.After(func(context.Context, *plain) (string, error) { return "plain", nil }, hook, hook))
			}},
		{name: "Stream", body: "plain", which: "none", ending: "stream",
			guard: func(errs *guard.Responder, _ *count) guard.Guarded {
				return guard.New(users, guard.JSON[MoveTask], guard.NoResource, free, errs,
					guard.Stream(func(_ context.Context, _ *plain, w http.ResponseWriter) error {
						_, err := io.WriteString(w, "plain")
						return err
					}))
			}},
		{name: "OwnedInput", body: "\"Alice's\"\n", which: "OwnedInput Project.OwnedBy", ending: "handler",
			guard: func(errs *guard.Responder, _ *count) guard.Guarded {
				return guard.New(users, guard.JSON[MoveTask], guard.NoResource, free, errs,
					guard.OwnedInput(MoveTask.target, s.project, (*Project).OwnedBy, handler))
			}},
		{name: "After inside OwnedInput", body: "\"Alice's\"\n", which: "OwnedInput Project.OwnedBy", ending: "handler", hooks: 1,
			guard: func(errs *guard.Responder, n *count) guard.Guarded {
				return guard.New(users, guard.JSON[MoveTask], guard.NoResource, free, errs,
					guard.OwnedInput(MoveTask.target, s.project, (*Project).OwnedBy, guard.After(handler, func(context.Context, *c, string) error { n.hooks++; return nil })))
			}},
		{name: "Stream inside OwnedInput", body: "Alice's", which: "OwnedInput Project.OwnedBy", ending: "stream",
			guard: func(errs *guard.Responder, _ *count) guard.Guarded {
				return guard.New(users, guard.JSON[MoveTask], guard.NoResource, free, errs,
					guard.OwnedInput(MoveTask.target, s.project, (*Project).OwnedBy, guard.Stream(stream)))
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			errs, _ := logged()
			var n count
			mux := route("POST /move", errs, tt.guard(errs, &n))
			r := send(mux, "POST", "/move", `{"project":"`+aliceProject.String()+`"}`, alice)
			if got := readBody(t, r); r.StatusCode != 200 || got != tt.body {
				t.Errorf("got %d %q, want 200 %q", r.StatusCode, got, tt.body)
			}
			if n.hooks != tt.hooks {
				t.Errorf("hooks ran %d times, want %d", n.hooks, tt.hooks)
			}
			got := mux.Routes()[0]
			if got.Which.String() != tt.which || string(got.Ending) != tt.ending || len(got.After) != tt.hooks {
				t.Errorf("got checklist %+v, want which %q, ending %s and %d hooks", got, tt.which, tt.ending, tt.hooks)
			}
		})
	}
}

// A hook follows what has been done, so the client cannot prevent it; but it is
// bounded in time, and it cannot change the reply.
func TestHooksOutliveTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errs, logged := logged()
		errs.Timeout = time.Second
		ctx, hangUp := context.WithCancel(t.Context())
		var order []string
		g := open(errs, guard.After(
			func(context.Context, *call) (string, error) { hangUp(); return "done", nil },
			func(ctx context.Context, _ *call, out string) error {
				order = append(order, fmt.Sprint("first ", out, " ", ctx.Err()))
				panic("cache down")
			},
			func(ctx context.Context, _ *call, out string) error {
				order = append(order, "second "+out)
				<-ctx.Done() // the whole time that there is
				return ctx.Err()
			}))
		w := httptest.NewRecorder()
		start := time.Now()
		g.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "POST", "/", nil))
		if w.Code != 200 || w.Body.String() != "\"done\"\n" || time.Since(start) != time.Second {
			t.Errorf("got %d %q after %s, want the handler's 200 after 1s", w.Code, w.Body, time.Since(start))
		}
		if got, want := strings.Join(order, ", "), "first done <nil>, second done"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		l := logged.records(t)
		if len(l) != 3 || l[0]["msg"] != "hook failed" || l[0]["level"] != "ERROR" || l[0]["stage"] != "after" || l[2]["msg"] != "request served" {
			t.Fatalf("got records %v, want two failed hooks and one request served", l)
		}
		for i, want := range []string{"panic: cache down", "deadline exceeded"} {
			if cause, _ := l[i]["cause"].(string); !strings.HasPrefix(cause, "hook ") || !strings.Contains(cause, want) {
				t.Errorf("got cause %q, want the hook and %q", cause, want)
			}
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		timeout time.Duration
		route   func(*guard.Responder) http.Handler
		status  int
		after   time.Duration
	}{
		{name: "a handler that waits too long is 503", timeout: time.Second, route: patient, status: 503, after: time.Second},
		{name: "the default is 30 seconds", route: patient, status: 503, after: 30 * time.Second},
		{name: "a negative timeout is none", timeout: -1, route: patient, status: 200, after: time.Hour},
		{name: "a stream is not bound", timeout: time.Second, status: 200, after: time.Hour, route: func(errs *guard.Responder) http.Handler {
			return open(errs, guard.Stream(func(ctx context.Context, _ *call, w http.ResponseWriter) error { return wait(ctx) }))
		}},
		{name: "a wrapped handler is not bound", timeout: time.Second, status: 200, after: time.Hour, route: func(errs *guard.Responder) http.Handler {
			return wrapped(errs, func(w http.ResponseWriter, r *http.Request) {
				if wait(r.Context()) != nil {
					w.WriteHeader(503)
				}
			})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				errs, _ := logged()
				errs.Timeout = tt.timeout
				start := time.Now()
				r := send(tt.route(errs), "GET", "/", "")
				if got := time.Since(start); r.StatusCode != tt.status || got != tt.after {
					t.Errorf("got %d after %s, want %d after %s", r.StatusCode, got, tt.status, tt.after)
				}
			})
		})
	}
}

// wait waits for an hour or until ctx ends.
func wait(ctx context.Context) error {
	select {
	case <-time.After(time.Hour):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("query: %w", ctx.Err())
	}
}

func patient(errs *guard.Responder) http.Handler {
	return open(errs, func(ctx context.Context, _ *call) (string, error) { return "x", wait(ctx) })
}

func TestRefusedUploadIsNotRead(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	server := serve(t, h.mux)
	tests := []struct {
		name, head string
	}{
		{"a large body that waits to be invited", "Content-Length: 200000\r\nExpect: 100-continue\r\n"},
		{"a large body that does not wait", "Content-Length: 200000\r\n"},
		{"a body of unknown length", "Transfer-Encoding: chunked\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n", patchAlice, tt.head)
			in := bufio.NewReader(conn)
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("no answer before the body: %v", err)
			}
			checkRefusal(t, r, 401, "unauthenticated")
			if !r.Close {
				t.Error("the connection is kept")
			}
			if n, err := io.Copy(io.Discard, in); n != 0 || err != nil {
				t.Errorf("got %d more bytes and %v, want the end of the connection", n, err)
			}
		})
	}
}

// serve starts a real server, whose own log must stay empty unless a test expects otherwise.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(&testWriter{t}, "net/http: ", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// testWriter fails a test that logs.
type testWriter struct{ t *testing.T }

func (w *testWriter) Write(p []byte) (int, error) {
	w.t.Errorf("the server logged %q", p)
	return len(p), nil
}
