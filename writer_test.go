package guard_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// get makes a GET request to a real server. A response that was cut is an error
// of its body.
func get(t *testing.T, url string) (*http.Response, string, error) {
	t.Helper()
	r, err := http.Get(url) //nolint:noctx // loopback
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r, string(b), err
}

func stream(errs *guard.Responder, f func(context.Context, http.ResponseWriter) error) http.Handler {
	return open(errs, guard.Stream(func(ctx context.Context, _ *call, w http.ResponseWriter) error { return f(ctx, w) }))
}

// Every way to end a stream, on a real server, and what the client and the log learn.
func TestStream(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "download")
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	failing := func() io.Reader { return errReader{} }
	tests := []struct {
		name   string
		stream func(ctx context.Context, w http.ResponseWriter) error
		status int
		body   string
		cut    bool
		logged int // the status in the record; status where 0
		cause  string
	}{
		{name: "nothing written is an empty 200", status: 200, stream: func(context.Context, http.ResponseWriter) error { return nil }},
		{name: "bytes", status: 200, body: "ab", stream: func(_ context.Context, w http.ResponseWriter) error {
			_, err := io.WriteString(w, "ab")
			return err
		}},
		{name: "a status of its own", status: 206, body: "b", stream: func(_ context.Context, w http.ResponseWriter) error {
			w.WriteHeader(103) // an informational one does not count
			w.WriteHeader(206)
			_, err := io.WriteString(w, "b")
			return err
		}},
		{name: "an error before the first byte is a problem", status: 500, cause: "boom", stream: func(_ context.Context, w http.ResponseWriter) error {
			w.Header().Set("Content-Type", "text/event-stream")
			return errors.New("boom")
		}},
		{name: "a public error before the first byte is its own", status: 409, cause: "", stream: func(context.Context, http.ResponseWriter) error {
			return guard.Fail(409, "busy", "Busy.")
		}},
		{name: "an error after the first byte cuts the connection", status: 200, body: "a", cut: true, cause: "boom", stream: func(_ context.Context, w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			return errors.New("boom")
		}},
		{name: "a panic after the first byte cuts the connection", status: 200, body: "a", cut: true, cause: "panic: boom", stream: func(_ context.Context, w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			panic("boom")
		}},
		{name: "Goexit after the first byte cuts the connection", status: 200, body: "a", cut: true, cause: "Goexit", stream: func(_ context.Context, w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			runtime.Goexit()
			return nil
		}},
		{name: "a source that fails at once is a problem", status: 500, cause: "disk", stream: func(_ context.Context, w http.ResponseWriter) error {
			_, err := io.Copy(w, failing())
			return err
		}},
		{name: "a source that fails half-way cuts the connection", status: 200, body: "half", cut: true, cause: "disk", stream: func(_ context.Context, w http.ResponseWriter) error {
			_, err := io.Copy(w, io.MultiReader(strings.NewReader("half"), failing()))
			_ = http.NewResponseController(w).Flush()
			return err
		}},
		{name: "a source that panics half-way cuts the connection", status: 200, body: "half", cut: true, cause: "panic: source", stream: func(_ context.Context, w http.ResponseWriter) error {
			_, err := io.Copy(w, io.MultiReader(strings.NewReader("half"), panicReader{w}))
			return err
		}},
		{name: "a file", status: 200, body: strings.Repeat("x", 100_000), stream: func(_ context.Context, w http.ResponseWriter) error {
			f, err := os.Open(file)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = w.(io.ReaderFrom).ReadFrom(f)
			return err
		}},
		{name: "an http.Flusher", status: 200, body: "ab", stream: func(_ context.Context, w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			_, err := io.WriteString(w, "b")
			return err
		}},
		{name: "deadlines can be set", status: 200, body: "a", stream: func(_ context.Context, w http.ResponseWriter) error {
			c := http.NewResponseController(w)
			_, err := io.WriteString(w, "a")
			return errors.Join(err, c.SetWriteDeadline(time.Now().Add(time.Minute)), c.SetReadDeadline(time.Now().Add(time.Minute)), c.EnableFullDuplex())
		}},
		{name: "a status that is none is a problem", status: 500, cause: "invalid WriteHeader code", stream: func(_ context.Context, w http.ResponseWriter) error {
			w.WriteHeader(1000)
			return nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			errs, log := logged()
			done := make(chan guard.Event, 2)
			errs.Observe = func(_ context.Context, e guard.Event) { done <- e }
			server := serve(t, stream(errs, tt.stream))
			r, body, err := get(t, server.URL)
			if r == nil {
				t.Fatal(err)
			}
			if r.StatusCode != tt.status || (err != nil) != tt.cut {
				t.Errorf("got %d %q and error %v, want %d, cut: %v", r.StatusCode, body, err, tt.status, tt.cut)
			}
			if tt.status >= 400 {
				if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
					t.Errorf("got content type %q", got)
				}
			} else if body != tt.body {
				t.Errorf("got body of %d bytes, want %d", len(body), len(tt.body))
			}
			e := <-done
			l := log.records(t)
			if len(l) != 1 || e.Status != tt.status || e.RequestID != r.Header.Get("X-Request-ID") {
				t.Errorf("got event %+v and records %v, want one with the status and the id of the response", e, l)
			}
			if got := fmt.Sprint(e.Err); !strings.Contains(got, tt.cause) {
				t.Errorf("got cause %q, want %q in it", got, tt.cause)
			}
		})
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("disk") }

// panicReader flushes what was copied so far, and panics.
type panicReader struct{ w http.ResponseWriter }

func (p panicReader) Read([]byte) (int, error) {
	_ = http.NewResponseController(p.w).Flush()
	panic("source")
}

// Events arrive as they are flushed, not when the stream ends.
func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	next := make(chan struct{})
	server := serve(t, stream(errs, func(_ context.Context, w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n", i)
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
			<-next
		}
		return nil
	}))
	r, err := http.Get(server.URL) //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if got := r.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("got content type %q", got)
	}
	lines := bufio.NewScanner(r.Body)
	for i := range 3 {
		if want := fmt.Sprintf("data: %d", i); !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, want %q before the stream goes on", lines.Text(), want)
		}
		next <- struct{}{}
	}
}

func TestHijack(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"returns", "fails", "panics"} {
		t.Run("a handler that then "+after, func(t *testing.T) {
			t.Parallel()
			errs, _ := logged()
			done := make(chan guard.Event, 2)
			errs.Observe = func(_ context.Context, e guard.Event) { done <- e }
			server := serve(t, stream(errs, func(_ context.Context, w http.ResponseWriter) error {
				c, b, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return err
				}
				defer c.Close()
				_, _ = b.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
				_ = b.Flush()
				switch after {
				case "fails":
					return errors.New("boom")
				case "panics":
					panic("boom")
				}
				return nil
			}))
			r, _, err := get(t, server.URL)
			if err != nil || r.StatusCode != 101 {
				t.Errorf("got %v, %v, want the handler's own response", r, err)
			}
			if e := <-done; e.Status != 101 || (e.Err != nil) != (after != "returns") {
				t.Errorf("got event %+v, want status 101", e)
			}
		})
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	s := &service{}
	errs, log := logged()
	users := guard.FirstOf(guard.Bearer(s.verify), guard.APIKey("X-API-Key", s.verify), guard.Cookie("__Host-session", s.verify))
	var seen *http.Request
	var got *guard.Call[User, guard.None, *Project]
	var found, other bool
	mux := route("GET /projects/{projectID}", errs, guard.Wrap(users, guard.NoPayload,
		guard.Owned("projectID", guard.ParseUUID, s.project, (*Project).OwnedBy), free, errs,
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = r
			got, found = guard.CallOf[User, guard.None, *Project](r.Context())
			_, other = guard.CallOf[User, guard.None, guard.None](r.Context())
			w.Header().Set("Etag", `"1"`)
			w.Header().Del("X-Request-Id")
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "plain text")
		})))
	r := send(mux, "GET", patchAlice, "", alice, "X-API-Key: bob-token", "Cookie: a=b; __Host-session=bob-token; c=d", "X-Other: stays")
	if body := readBody(t, r); r.StatusCode != 418 || body != "plain text" || r.Header.Get("Etag") != `"1"` {
		t.Errorf("got %d %q %v, want the handler's own response", r.StatusCode, body, r.Header)
	}
	if !found || other || got.Caller.ID != "alice" || got.Resource.ID != aliceProject || got.RequestID == "" || got.RequestID != r.Header.Get("X-Request-ID") {
		t.Errorf("got call %+v (%v, of other types %v), want alice, her project and the response's id", got, found, other)
	}
	for _, r := range []*http.Request{seen, got.Request} {
		if h := r.Header; h.Get("Authorization") != "" || h.Get("X-API-Key") != "" || h.Get("Cookie") != "a=b; c=d" || h.Get("X-Other") != "stays" {
			t.Errorf("got header %v, want it without credentials", h)
		}
	}
	if seen.PathValue("projectID") != aliceProject.String() || seen.Pattern != "GET /projects/{projectID}" {
		t.Errorf("got %q and pattern %q, want those of the request", seen.PathValue("projectID"), seen.Pattern)
	}
	if l := log.records(t); len(l) != 1 || l[0]["status"] != 418.0 {
		t.Errorf("got records %v, want one with the handler's status", l)
	}
	seen = nil
	if r := send(mux, "GET", "/projects/"+bobProject.String(), "", alice); r.StatusCode != 404 || seen != nil {
		t.Errorf("got %d, the handler ran: %v, want 404 without it", r.StatusCode, seen != nil)
	}
	if _, ok := guard.CallOf[User, guard.None, guard.None](t.Context()); ok {
		t.Error("found a call where there is none")
	}
}

// What a handler has set belongs to the response that it did not finish.
func TestFailureTakesBackTheHeader(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	spoil := func(w http.ResponseWriter) {
		for name, value := range map[string]string{
			"Set-Cookie": "session=secret", "Etag": `"1"`, "Last-Modified": "x", "Content-Encoding": "gzip", "Content-Length": "7", "Location": "/",
			"Cache-Control": "public, max-age=60", "X-Secret": "x", "X-Request-Id": "forged", "Content-Type": "text/html", "X-Content-Type-Options": "off",
		} {
			w.Header().Set(name, value)
		}
		w.Header().Del("X-Outer")
	}
	unguarded := guard.NewMux(errs)
	unguarded.Unguarded("/", "test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { spoil(w); panic("boom") }))
	tests := map[string]http.Handler{
		"wrap":      wrapped(errs, func(w http.ResponseWriter, _ *http.Request) { spoil(w); panic("boom") }),
		"unguarded": unguarded,
		"stream": stream(errs, func(_ context.Context, w http.ResponseWriter) error {
			spoil(w)
			return errors.New("boom")
		}),
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := send(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Outer", "kept")
				w.Header().Set("Etag", "stale")
				h.ServeHTTP(w, r)
			}), "GET", "/", "")
			checkRefusal(t, r, 500, "internal")
			if r.Header.Get("X-Outer") != "kept" {
				t.Error("an outer handler's field is gone")
			}
			for _, name := range []string{"Set-Cookie", "Etag", "Last-Modified", "Content-Encoding", "Location", "X-Secret"} {
				if got := r.Header.Get(name); got != "" {
					t.Errorf("%s: %q is still there", name, got)
				}
			}
		})
	}
}

// A refused upload ends its stream on HTTP/2, not the connection that other
// requests share; and a stream that fails is reset.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	errs, _ := logged()
	h.mux.Handle("GET /cut", stream(errs, func(_ context.Context, w http.ResponseWriter) error {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		return errors.New("boom")
	}).(guard.Guarded))
	server := httptest.NewUnstartedServer(h.mux)
	server.EnableHTTP2 = true
	var connections atomic.Int64
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), "PATCH", server.URL+patchAlice, io.LimitReader(zeros{}, 300<<10))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		got, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if got.ProtoMajor != 2 || got.StatusCode != 401 || got.Header.Get("Connection") != "" {
			t.Errorf("got HTTP/%d %d %v, want a plain 401", got.ProtoMajor, got.StatusCode, got.Header)
		}
		got.Body.Close()
		got, err = server.Client().Get(server.URL + "/cut") //nolint:noctx // loopback
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(got.Body); err == nil {
			t.Errorf("got %q as a whole, want a reset", b)
		}
		got.Body.Close()
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("got %d connections, want 1", n)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
