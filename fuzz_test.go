package guard_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
)

// FuzzChain sends raw bytes to a real http.Server in front of one route of each kind.
//
// Whatever arrives: the server answers with whole HTTP responses and lives. Each
// request that reaches the Mux gets an X-Request-ID, a status that is documented,
// and a problem document or the handler's own body. A handler runs only for a good
// credential, for a resource of its caller, and with an input that keeps its rules;
// the webhook's only for the one message that was ever signed. No response holds
// the service's secret, and each request has exactly one record of one line, whose
// status is that of the response.
//
// The seeds are under testdata/fuzz.
func FuzzChain(f *testing.F) {
	c := newChain(f)
	f.Fuzz(func(t *testing.T, request []byte) {
		c.reset(t, request)
		conn := &script{rest: request, closed: make(chan struct{}), expired: make(chan struct{})}
		c.server.conns <- conn
		select {
		case <-conn.closed:
		case <-time.After(time.Minute):
			t.Fatalf("no end in sight for %q\n%s", request, stacks())
		}
		c.check(t, conn.response.Bytes())
	})
}

const chainSecret = "s3cret-of-the-service"

// chain is a service for FuzzChain. Its tests run one after the other.
type chain struct {
	server *pipeServer
	errs   *guard.Responder

	mu      sync.Mutex
	t       testing.TB // of the request under way
	request string
	log     *logBuffer
	events  []guard.Event
	bodies  []string // what the handlers have sent
}

func newChain(tb testing.TB) *chain {
	tb.Helper()
	c := &chain{log: &logBuffer{}}
	c.errs = &guard.Responder{Log: c.log.logger(), Observe: func(_ context.Context, e guard.Event) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.events = append(c.events, e)
	}}
	c.server = newPipeServer(c.routes(tb))
	c.server.server.ConnState = func(conn net.Conn, state http.ConnState) {
		conn.(*script).handling.Store(state == http.StateActive)
	}
	tb.Cleanup(func() { _ = c.server.server.Close() })
	return c
}

func (c *chain) reset(t testing.TB, request []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t, c.request, c.events, c.bodies = t, string(request), nil, nil
	c.log.mu.Lock()
	c.log.b.Reset()
	c.log.mu.Unlock()
}

// secretProject is a resource with what nobody may see.
type secretProject struct{ ID, OwnerID, Secret string }

func (p *secretProject) OwnedBy(u User) bool { return p.OwnerID == u.ID }

func (c *chain) verify(_ context.Context, credential string) (User, error) {
	switch credential {
	case "alice-token", "bob-token":
		return User{ID: strings.TrimSuffix(credential, "-token"), Role: "member"}, nil
	case "admin-token":
		return User{ID: "admin", Role: "admin"}, nil
	case "broken-token":
		return User{}, errors.New(chainSecret)
	}
	return User{}, fmt.Errorf("%w: %s", guard.ErrNoSession, chainSecret)
}

func (c *chain) project(_ context.Context, id uuid.UUID) (*secretProject, error) {
	owner := map[uuid.UUID]string{aliceProject: "alice", bobProject: "bob"}[id]
	if owner == "" {
		return nil, fmt.Errorf("%w: %s", guard.ErrNotFound, chainSecret)
	}
	return &secretProject{id.String(), owner, chainSecret}, nil
}

// The inputs of the chain. A handler checks the rules again, by other means.
type (
	chainSearch struct {
		Q     string `query:"q" validate:"required,max=20"`
		Limit int    `query:"limit" default:"10" validate:"min=1,max=100"`
	}
	chainForm struct {
		Email string     `form:"email" validate:"required,max=50"`
		Scan  guard.File `form:"scan" file:"max=1KiB,types=image/png"`
	}
	chainPlain struct {
		Email string `form:"email" validate:"required,max=50"`
	}
	chainMove struct {
		Project uuid.UUID `json:"project"`
		IfMatch string    `header:"If-Match" validate:"max=10"`
	}
)

// served is what every handler calls.
func (c *chain) served(caller User, resource *secretProject, broken string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := caller.ID == "alice" || caller.ID == "bob" || caller.ID == "admin"; !known || !strings.Contains(c.request, caller.ID+"-token") {
		c.t.Errorf("the handler ran for %q", caller.ID)
	}
	if resource != nil && resource.OwnerID != caller.ID {
		c.t.Errorf("the handler ran for %q with %q's resource", caller.ID, resource.OwnerID)
	}
	return c.answer(broken)
}

// answer notes the body. The caller holds the lock.
func (c *chain) answer(broken string) (string, error) {
	if broken != "" {
		c.t.Errorf("the handler got an input that breaks its rules: %s", broken)
	}
	body := fmt.Sprint("body ", len(c.bodies))
	c.bodies = append(c.bodies, body)
	return body, nil
}

func (c *chain) anonymous(broken string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answer(broken)
}

// breaks returns its text if the rule does not hold.
func breaks(holds bool, text string) string {
	if holds {
		return ""
	}
	return text
}

func (c *chain) routes(tb testing.TB) *guard.Mux {
	tb.Helper()
	users := guard.FirstOf(guard.Bearer(c.verify), guard.APIKey("X-API-Key", c.verify), guard.Cookie("__Host-session", c.verify))
	owned := guard.Owned("projectID", guard.ParseUUID, c.project, (*secretProject).OwnedBy)
	messages, err := guard.Signed(guard.Webhook{Secrets: []string{webhookSecret}, Now: func() time.Time { return signedAt }})
	if err != nil {
		tb.Fatal(err)
	}
	mux := guard.NewMux(c.errs)
	mux.Handle("PATCH /projects/{projectID}", guard.New(users, guard.JSON[UpdateProject], owned, free, c.errs,
		guard.After(func(_ context.Context, call *guard.Call[User, UpdateProject, *secretProject]) (string, error) {
			name := call.Input.Name
			return c.served(call.Caller, call.Resource, breaks(name == nil || len([]rune(*name)) >= 3 && len([]rune(*name)) <= 80, "name"))
		}, func(context.Context, *guard.Call[User, UpdateProject, *secretProject], string) error { return nil })))
	mux.Handle("GET /projects/{projectID}/tasks/{taskID}", guard.New(users, guard.NoPayload,
		guard.Within(owned, "taskID", guard.ParseUUID, func(_ context.Context, p *secretProject, id uuid.UUID) (*secretProject, error) {
			if id != aliceTask || p.OwnerID != "alice" {
				return nil, errors.Join(guard.ErrNotFound, errors.New(chainSecret))
			}
			return p, nil
		}), free, c.errs, func(_ context.Context, call *guard.Call[User, guard.None, *secretProject]) (string, error) {
			return c.served(call.Caller, call.Resource, "")
		}))
	mux.Handle("POST /contact", guard.New(guard.Anyone, guard.JSON[Contact], guard.NoResource, free, c.errs,
		func(_ context.Context, call *guard.Call[guard.Anonymous, Contact, guard.None]) (string, error) {
			return c.anonymous(breaks(strings.Contains(call.Input.Email, "@") && len([]rune(call.Input.Message)) >= 10, "contact"))
		}))
	mux.Handle("GET /search", guard.New(guard.Anyone, guard.Query[chainSearch], guard.NoResource, free, c.errs,
		func(_ context.Context, call *guard.Call[guard.Anonymous, chainSearch, guard.None]) (string, error) {
			n := len([]rune(call.Input.Q))
			return c.anonymous(breaks(n > 0 && n <= 20 && call.Input.Limit > 0 && call.Input.Limit <= 100, "search"))
		}))
	mux.Handle("POST /form", guard.New(guard.Anyone, guard.Form[chainPlain], guard.NoResource, free, c.errs,
		func(_ context.Context, call *guard.Call[guard.Anonymous, chainPlain, guard.None]) (string, error) {
			return c.anonymous(breaks(call.Input.Email != "" && len([]rune(call.Input.Email)) <= 50, "email"))
		}))
	mux.Handle("POST /upload", guard.New(guard.Anyone, guard.Form[chainForm], guard.NoResource, free, c.errs,
		func(_ context.Context, call *guard.Call[guard.Anonymous, chainForm, guard.None]) (string, error) {
			f := call.Input.Scan
			return c.anonymous(breaks(f.Size() <= 1<<10 && f.ContentType() == "image/png" && !strings.ContainsAny(f.Name(), "/\\\n\x00"), "scan"))
		}))
	c.more(mux, users, owned, messages)
	return mux
}

// more registers the other ways to end a route.
func (c *chain) more(mux *guard.Mux, users guard.Authenticator[User], owned func() guard.Authorizer[User, *secretProject], messages guard.Authenticator[guard.Message]) {
	type plain = guard.Call[User, guard.None, guard.None]
	mux.Handle("POST /raw", guard.New(users, guard.RawBody(64), guard.NoResource, free, c.errs,
		func(_ context.Context, call *plain) (string, error) {
			b, err := io.ReadAll(call.Request.Body)
			if err != nil {
				return "", err
			}
			return c.served(call.Caller, nil, breaks(len(b) <= 64, "raw body"))
		}))
	mux.Handle("POST /wrap/{projectID}", guard.Wrap(users, guard.JSON[UpdateProject], owned, free, c.errs,
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			call, _ := guard.CallOf[User, UpdateProject, *secretProject](r.Context())
			b, err := io.ReadAll(r.Body)
			seen := r.Header.Get("Authorization") + r.Header.Get("X-API-Key")
			body, _ := c.served(call.Caller, call.Resource, breaks(err == nil && json.Valid(b) && seen == "", "wrapped body"))
			_, _ = io.WriteString(w, body)
		})))
	mux.Handle("POST /admin", guard.New(guard.Only(users, User.IsAdmin), guard.JSON[SetRole], guard.NoResource, free, c.errs,
		func(_ context.Context, call *guard.Call[User, SetRole, guard.None]) (string, error) {
			return c.served(call.Caller, nil, breaks(call.Caller.ID == "admin" && slices.Contains([]string{"admin", "member"}, call.Input.Role), "role"))
		}))
	mux.Handle("POST /move", guard.New(users, guard.JSON[chainMove], guard.NoResource, free, c.errs,
		guard.OwnedInput(func(m chainMove) uuid.UUID { return m.Project }, c.project, (*secretProject).OwnedBy,
			func(_ context.Context, call *guard.Call[User, chainMove, *secretProject]) (string, error) {
				return c.served(call.Caller, call.Resource, breaks(len([]rune(call.Input.IfMatch)) <= 10, "If-Match"))
			})))
	mux.Handle("GET /stream", guard.New(users, guard.NoPayload, guard.NoResource, free, c.errs,
		guard.Stream(func(_ context.Context, call *plain, w http.ResponseWriter) error {
			body, err := c.served(call.Caller, nil, "")
			_, _ = io.WriteString(w, body)
			return err
		})))
	mux.Handle("POST /hooks", guard.New(messages, guard.JSON[BillingEvent], guard.NoResource, free, c.errs,
		func(_ context.Context, call *guard.Call[guard.Message, BillingEvent, guard.None]) (string, error) {
			return c.anonymous(breaks(call.Caller.Key != "" && call.Input == BillingEvent{Type: "invoice.paid", Amount: 17}, "message"))
		}))
	mux.Handle("POST /panic", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, (&guard.Limiter{}).InFlight(1), c.errs,
		func(context.Context, *call) (string, error) { panic(chainSecret) }))
	mux.Handle("GET /limited", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, (&guard.Limiter{Headers: true}).PerIP(1, time.Hour), c.errs,
		func(context.Context, *call) (string, error) { return c.anonymous("") }))
}

// documented is the statuses of a guard and of a Mux, as the package documentation
// has them.
var documented = []int{200, 204, 301, 307, 308, 400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 500, 503}

// check holds the responses against the events and the log.
func (c *chain) check(t *testing.T, wire []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Contains(wire, []byte(chainSecret)) {
		t.Errorf("a response tells the secret: %q", wire)
	}
	byID := map[string]guard.Event{}
	for _, e := range c.events {
		byID[e.RequestID] = e
	}
	answered := 0
	for rest := bufio.NewReaderSize(bytes.NewReader(wire), len(wire)+1); ; {
		if _, err := rest.Peek(1); err == io.EOF {
			break
		}
		event, known := byID[nextID(rest)]
		r, err := http.ReadResponse(rest, &http.Request{Method: event.Method})
		if err != nil {
			t.Fatalf("a response that is none: %v in %q", err, wire)
		}
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			t.Fatalf("half a response: %v in %q", err, wire)
		case r.StatusCode == http.StatusContinue:
			continue
		case !known && r.Header.Get("X-Request-Id") == "" && (r.StatusCode == 400 || r.StatusCode == 417 || r.StatusCode == 431 || r.StatusCode == 501 || r.StatusCode == 505):
			continue // the server's own refusal of what is no HTTP
		case !known:
			t.Fatalf("a response without a request: %q", wire)
		}
		answered++
		c.checkResponse(t, r, string(body), event)
	}
	if answered != len(c.events) || len(byID) != len(c.events) {
		t.Errorf("got %d responses for %d requests with %d ids: %q", answered, len(c.events), len(byID), wire)
	}
	c.checkRecords(t, byID)
	if text := c.server.log(); strings.Contains(text, "panic serving") {
		t.Errorf("the server itself logged %s", text)
	}
}

// nextID returns the X-Request-Id of the next response, without reading it.
func nextID(r *bufio.Reader) string {
	head, _ := r.Peek(r.Buffered())
	head, _, _ = bytes.Cut(head, []byte("\r\n\r\n"))
	_, id, _ := bytes.Cut(head, []byte("\r\nX-Request-Id: "))
	id, _, _ = bytes.Cut(id, []byte("\r\n"))
	return string(id)
}

func (c *chain) checkResponse(t *testing.T, r *http.Response, body string, e guard.Event) {
	t.Helper()
	if !slices.Contains(documented, r.StatusCode) || r.StatusCode != e.Status {
		t.Errorf("got status %d, event %+v", r.StatusCode, e)
	}
	if r.StatusCode == 500 && !(e.Stage == guard.StageHandler && strings.HasSuffix(e.Route, "/panic")) {
		t.Errorf("got a 500 at %+v", e)
	}
	if r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got header %v", r.Header)
	}
	if r.StatusCode < 400 {
		sent := strings.TrimSuffix(strings.Trim(body, "\"\n"), `"`)
		if body != "" && !slices.Contains(c.bodies, sent) {
			t.Errorf("got body %q, want one of %q", body, c.bodies)
		}
		return
	}
	if e.Method == http.MethodHead {
		return
	}
	var p problem
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || p.Status != r.StatusCode || p.RequestID != e.RequestID || p.Code != e.Code || p.Title == "" {
		t.Errorf("got %q (%v), want a problem of %+v", body, err, e)
	}
}

// checkRecords wants one record of one line for each event.
func (c *chain) checkRecords(t *testing.T, events map[string]guard.Event) {
	t.Helper()
	var records int
	for _, r := range c.log.records(t) {
		if r["msg"] == "a forwarding header arrived, but no proxy is trusted: set Responder.ClientIP if there is one" {
			continue // once in the life of a Responder
		}
		records++
		e, known := events[fmt.Sprint(r["request_id"])]
		if !known || r["status"] != float64(e.Status) || r["stage"] != e.Stage.String() {
			t.Errorf("got record %v, want that of %+v", r, e)
		}
	}
	if records != len(events) {
		t.Errorf("got %d records of %d requests: %s", records, len(events), c.log)
	}
}

// script is a connection whose client has sent everything and waits: its side of
// it never ends before the server's.
type script struct {
	rest     []byte
	response bytes.Buffer
	once     sync.Once
	closed   chan struct{}
	handling atomic.Bool // the head of a request has been read

	mu      sync.Mutex
	expired chan struct{} // closed when the read deadline is in the past
}

// Read ends when the server waits for more of the request. While one is handled, reads of
// one byte are net/http's watch for a client that goes away, which this one does not; or,
// rarely, what is left of a full buffer, and then the pause is all that they cost.
func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	expired := s.expired
	s.mu.Unlock()
	select {
	case <-expired:
		return 0, os.ErrDeadlineExceeded
	case <-s.closed:
		return 0, net.ErrClosed
	default:
	}
	if len(s.rest) == 0 && len(p) == 1 && s.handling.Load() {
		select {
		case <-expired:
			return 0, os.ErrDeadlineExceeded
		case <-s.closed:
			return 0, net.ErrClosed
		case <-time.After(20 * time.Second):
		}
	}
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error) { return s.response.Write(b) }

func (s *script) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// CloseWrite is how a server begins to close after a refused body. It then waits,
// which is for real clients.
func (s *script) CloseWrite() error { return s.Close() }

func (s *script) SetReadDeadline(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.expired:
		s.expired = make(chan struct{})
	default:
	}
	if !at.IsZero() && at.Before(time.Now()) {
		close(s.expired)
	}
	return nil
}

func (s *script) SetDeadline(at time.Time) error   { return s.SetReadDeadline(at) }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) LocalAddr() net.Addr              { return clientAddr }
func (s *script) RemoteAddr() net.Addr             { return clientAddr }

var clientAddr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1}
