package guard_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
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

// note is an input whose value must never turn up in another request.
type note struct {
	Text string  `json:"text" validate:"required,max=200"`
	More *string `json:"more" validate:"omitnil,max=200"`
}

// crowd is a service whose handlers wait for each other, so that all requests that
// reach one are in flight at once.
type crowd struct {
	t       *testing.T
	books   *ledger
	inside  sync.WaitGroup
	release chan struct{}
	ids     sync.Map
	log     logBuffer

	observed, hooks atomic.Int64
}

type crowdCall = guard.Call[User, note, *Project]

type textKey struct{}

// wait returns when all are here, and checks that the input is still the request's
// own by then: others have been decoded meanwhile.
func (c *crowd) wait(ctx context.Context, in *note) error {
	want, _ := ctx.Value(textKey{}).(string)
	check := func(when string) {
		if in.Text != want || (in.More != nil) != strings.HasSuffix(want, "more") || in.More != nil && *in.More != want {
			c.t.Errorf("%s the wait: got input %+v, want %q", when, *in, want)
		}
	}
	check("before")
	c.inside.Done()
	var err error
	if strings.HasPrefix(want, "gone") {
		<-ctx.Done()
		err = ctx.Err()
	}
	<-c.release
	check("after")
	return err
}

func (c *crowd) handle(ctx context.Context, call *crowdCall) (note, error) {
	switch err := c.wait(ctx, &call.Input); {
	case err != nil:
		return note{}, err
	case strings.HasPrefix(call.Input.Text, "panic"):
		panic(call.Input.Text)
	case strings.HasPrefix(call.Input.Text, "fail"):
		return call.Input, guard.Fail(409, "busy", "Busy.")
	}
	return call.Input, nil
}

func (c *crowd) stream(ctx context.Context, call *crowdCall, w http.ResponseWriter) error {
	_ = c.wait(ctx, &call.Input)
	_, err := io.WriteString(w, call.Input.Text)
	return err
}

// wrapped reads the body again, which the guard has kept.
func (c *crowd) wrapped(w http.ResponseWriter, r *http.Request) {
	call, _ := guard.CallOf[User, note, *Project](r.Context())
	_ = c.wait(r.Context(), &call.Input)
	_, _ = io.Copy(w, r.Body)
}

func (c *crowd) routes(errs *guard.Responder, admitted int) *guard.Mux {
	shared, own := &guard.Limiter{Store: c.books, Outage: guard.OutageClosed}, &guard.Limiter{}
	limit := guard.And(shared.InFlight(1<<20).Named("places"), shared.PerCaller(1<<20, 24*time.Hour).Named("failures").OnFailure())
	owned := guard.Owned("projectID", guard.ParseUUID, (&service{}).project, (*Project).OwnedBy)
	mux := guard.NewMux(errs)
	mux.Handle("POST /projects/{projectID}", guard.New(anyUser, guard.JSON[note], owned, limit, errs,
		guard.After(c.handle, func(context.Context, *crowdCall, note) error { c.hooks.Add(1); return nil })))
	mux.Handle("POST /stream/{projectID}", guard.New(anyUser, guard.JSON[note], owned, limit, errs, guard.Stream(c.stream)))
	mux.Handle("POST /wrap/{projectID}", guard.Wrap(anyUser, guard.JSON[note], owned, limit, errs, http.HandlerFunc(c.wrapped)))
	mux.Handle("GET /limited", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, own.Global(admitted, 24*time.Hour), errs, ok))
	return mux
}

// kinds is the requests of a crowd. The first six reach a handler.
var kinds = []struct {
	method, path, text, field string
	status                    int
}{
	{"POST", "/projects/", "ok", alice, 200},
	{"POST", "/wrap/", "wrap", alice, 200},
	{"POST", "/stream/", "stream", alice, 200},
	{"POST", "/projects/", "fail", alice, 409},
	{"POST", "/projects/", "panic", alice, 500},
	{"POST", "/projects/", "gone", alice, 499},
	{"POST", "/projects/", "stranger", bob, 404},
	{"POST", "/projects/", "nobody", "X: y", 401},
	{"POST", "/nope/", "lost", alice, 404},
	{"PUT", "/projects/", "wrong", alice, 405},
	{"GET", "/limited", "", alice, 0}, // 200 or 429
	{"POST", "/projects/", "", alice, 400},
}

const waiting = 6 // kinds

// request is the i-th request of a kind. Every other one has an optional member.
func (c *crowd) request(ctx context.Context, kind, i int) (r *http.Request, body string) {
	k := kinds[kind]
	text := fmt.Sprintf("%s-%d-%s", k.text, i, strings.Repeat("x", i%97))
	switch {
	case k.text == "":
		body = `{"more":"` + text + `"}` // text is missing
	case i%2 == 0:
		text += "more"
		body = `{"text":"` + text + `","more":"` + text + `"}`
	default:
		body = `{"text":"` + text + `"}`
	}
	path := k.path
	if strings.HasSuffix(path, "/") {
		path += aliceProject.String()
	}
	var reader io.Reader
	if k.method != "GET" {
		reader = strings.NewReader(body)
	}
	r = httptest.NewRequestWithContext(context.WithValue(ctx, textKey{}, text), k.method, path, reader)
	r.Header.Set("Content-Type", "application/json")
	name, value, _ := strings.Cut(k.field, ": ")
	r.Header.Set(name, value)
	switch k.text {
	case "ok":
		if i%2 != 0 {
			body = strings.TrimSuffix(body, "}") + `,"more":null}`
		}
		body += "\n"
	case "stream":
		body = text
	}
	return r, body
}

// Ten thousand requests of mixed outcomes, half of them inside their handlers at
// the same time: each gets its own answer and nothing of another's, limits and
// places are exact, every request is observed once, and nothing is left behind.
//
// It does not run in parallel, since it counts goroutines.
func TestManyRequestsAtOnce(t *testing.T) {
	each := 834
	if testing.Short() {
		each = 50
	}
	admitted := each / 2
	c := &crowd{t: t, release: make(chan struct{}), books: &ledger{Store: guard.NewMemoryStore(time.Now), spent: map[string]int{}}}
	c.inside.Add(waiting * each)
	errs := &guard.Responder{Log: c.log.logger(), Observe: func(context.Context, guard.Event) { c.observed.Add(1) },
		Timeout: -1} // a busy machine must not decide the outcome
	mux := c.routes(errs, admitted)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()

	before := runtime.NumGoroutine()
	var counts [600]atomic.Int64
	var all sync.WaitGroup
	for kind, k := range kinds {
		for i := range each {
			all.Go(func() {
				of := t.Context()
				if k.text == "gone" {
					of = ctx
				}
				r, want := c.request(of, kind, i)
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, r)
				counts[w.Code].Add(1)
				if k.status != 0 && w.Code != k.status {
					t.Errorf("%s: got %d, want %d", k.text, w.Code, k.status)
				}
				if _, twice := c.ids.LoadOrStore(w.Header().Get("X-Request-Id"), true); twice {
					t.Errorf("the request id %s came twice", w.Header().Get("X-Request-Id"))
				}
				got := w.Body.String()
				if w.Code == 200 && k.text != "" && got != want {
					t.Errorf("got %q, want its own %q", got, want)
				}
				if w.Code != 200 && (strings.Contains(got, "xx") || !strings.Contains(got, w.Header().Get("X-Request-Id"))) {
					t.Errorf("got %q, want its own id and no input", got)
				}
			})
		}
	}
	c.inside.Wait()
	if got := c.books.balance("places"); got < waiting*each {
		t.Errorf("got %d places taken, want at least %d", got, waiting*each)
	}
	hangUp()
	close(c.release)
	all.Wait()
	for status, want := range map[int]int{200: 3*each + admitted, 409: each, 500: each, 499: each, 404: 2 * each, 401: each, 405: each, 429: each - admitted, 400: each} {
		if got := counts[status].Load(); got != int64(want) {
			t.Errorf("status %d: got %d, want %d", status, got, want)
		}
	}
	if got, want := c.observed.Load(), int64(len(kinds)*each); got != want || c.hooks.Load() != int64(each) {
		t.Errorf("got %d events and %d hooks, want %d and %d", got, c.hooks.Load(), want, each)
	}
	if got := len(c.log.records(t)); got != len(kinds)*each {
		t.Errorf("got %d records, want %d", got, len(kinds)*each)
	}
	if got := c.books.balance("places"); got != 0 {
		t.Errorf("got %d places still taken", got)
	}
	if got, want := c.books.balance("failures"), 5*each; got != want {
		t.Errorf("got %d failures charged, want %d", got, want)
	}
	nothingLeft(t, before)
}

// nothingLeft waits until there are as few goroutines as before.
func nothingLeft(t *testing.T, before int) {
	t.Helper()
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

// Clients that go away at every point of a request and of its response, over real
// connections: no goroutine and no place is left, and no more than one record each.
//
// It does not run in parallel, since it counts goroutines.
func TestClientsThatGoAway(t *testing.T) {
	const body = `{"text":"x"}`
	full := head("POST /projects/"+aliceProject.String(), alice, "Content-Type: application/json", fmt.Sprint("Content-Length: ", len(body))) + body
	stream := strings.Replace(full, "/projects", "/stream", 1)
	tests := []struct {
		name    string
		request string
		read    int // bytes of the response
		records int // at most
	}{
		{name: "in the request line", request: full[:10]},
		{name: "in the head", request: full[:60]},
		{name: "before the body", request: strings.TrimSuffix(full, body), records: 1},
		{name: "in the body", request: full[:len(full)-5], records: 1},
		{name: "in the handler", request: full, records: 1},
		{name: "in the response", request: full, read: 1, records: 1},
		{name: "in a stream", request: stream, read: 20, records: 1},
		{name: "in a second request", request: full + full[:len(full)-5], read: 1, records: 2},
		{name: "behind garbage", request: full + "garbage\r\n\r\n", read: 1, records: 1},
	}
	each := 100
	if testing.Short() {
		each = 10
	}
	before := runtime.NumGoroutine()
	books := &ledger{Store: guard.NewMemoryStore(time.Now), spent: map[string]int{}}
	var log logBuffer
	errs := &guard.Responder{Log: log.logger()}
	limit := (&guard.Limiter{Store: books}).InFlight(1 << 20).Named("places")
	owned := guard.Owned("projectID", guard.ParseUUID, (&service{}).project, (*Project).OwnedBy)
	mux := guard.NewMux(errs)
	mux.Handle("POST /projects/{projectID}", guard.New(anyUser, guard.JSON[note], owned, limit, errs,
		func(_ context.Context, c *crowdCall) (note, error) { runtime.Gosched(); return c.Input, nil }))
	mux.Handle("POST /stream/{projectID}", guard.New(anyUser, guard.JSON[note], owned, limit, errs,
		guard.Stream(func(ctx context.Context, _ *crowdCall, w http.ResponseWriter) error {
			for ctx.Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 4<<10)); err != nil {
					return err
				}
				if err := http.NewResponseController(w).Flush(); err != nil {
					return err
				}
			}
			return ctx.Err()
		})))
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = noErrorLog
	server.Start()
	most := 0
	var all sync.WaitGroup
	atOnce := make(chan struct{}, 16) // each takes two of the files that a process may open
	for _, tt := range tests {
		most += each * tt.records
		for range each {
			atOnce <- struct{}{}
			all.Go(func() {
				defer func() { <-atOnce }()
				if err := leaveAfter(server.Listener.Addr().String(), tt.request, tt.read); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			})
		}
	}
	all.Wait()
	server.Close() // waits for the requests that are still running
	if got := len(log.records(t)); got > most || got < each {
		t.Errorf("got %d records, want at most %d", got, most)
	}
	if got := books.balance("places"); got != 0 {
		t.Errorf("got %d places still taken", got)
	}
	nothingLeft(t, before)
}

var noErrorLog = log.New(io.Discard, "", 0)

// leaveAfter writes a request, reads a part of the response, and resets the connection.
func leaveAfter(addr, request string, read int) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	if n, err := bufio.NewReader(conn).Discard(read); n < read {
		return errors.Join(errors.New("the response did not begin"), err)
	}
	return conn.(*net.TCPConn).SetLinger(0)
}
