package guard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
)

// The service of the design, as a user would write it.

type User struct{ ID, Role string }

func (u User) Subject() string { return u.ID }
func (u User) IsAdmin() bool   { return u.Role == "admin" }

type Project struct {
	ID      uuid.UUID
	OwnerID string
	Name    string
}

func (p *Project) OwnedBy(u User) bool { return p.OwnerID == u.ID }

type Task struct {
	ID      uuid.UUID
	Project uuid.UUID
}

type UpdateProject struct {
	Name       *string `json:"name"       normalize:"trim" validate:"omitnil,min=3,max=80"`
	Visibility *string `json:"visibility" validate:"omitnil,oneof=private team"`
}

type Contact struct {
	Email   string `json:"email"   normalize:"trim" validate:"required,email,max=254"`
	Message string `json:"message" validate:"required,min=10,max=2000"`
}

type SetRole struct {
	Role string `json:"role" validate:"oneof=admin member" guard:"client"`
}

type ProjectView struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}

var (
	aliceProject = uuid.MustParse("0198f000-0000-7000-8000-00000000a11c")
	bobProject   = uuid.MustParse("0198f000-0000-7000-8000-000000000b0b")
	aliceTask    = uuid.MustParse("0198f000-0000-7000-8000-0000000a1a5c")
	bobTask      = uuid.MustParse("0198f000-0000-7000-8000-00000000b0b7")
	noProject    = uuid.MustParse("0198f000-0000-7000-8000-00000000dead")
)

// service is the handlers and the store of the tests. Its fields are what a test
// may break.
type service struct {
	storeErr  error // of the project store
	handleErr error // of the handlers
	hookErr   error
	panicWith any // in the handler

	mu      sync.Mutex
	handled int
	hooked  int
}

func (s *service) verify(_ context.Context, credential string) (User, error) {
	switch credential {
	case "alice-token", "bob-token":
		return User{ID: strings.TrimSuffix(credential, "-token"), Role: "member"}, nil
	case "admin-token":
		return User{ID: "admin", Role: "admin"}, nil
	case "nobody-token":
		return User{}, nil
	case "broken-token":
		return User{}, errors.New("users: connection refused to 10.0.0.7")
	case "panic-token":
		panic("verifier")
	}
	return User{}, guard.ErrNoSession
}

func (s *service) project(_ context.Context, id uuid.UUID) (*Project, error) {
	if s.storeErr != nil {
		return nil, s.storeErr
	}
	switch id {
	case aliceProject:
		return &Project{ID: id, OwnerID: "alice", Name: "Alice's"}, nil
	case bobProject:
		return &Project{ID: id, OwnerID: "bob", Name: "Bob's"}, nil
	}
	return nil, guard.ErrNotFound
}

func (s *service) taskIn(_ context.Context, p *Project, id uuid.UUID) (*Task, error) {
	if p.ID == aliceProject && id == aliceTask || p.ID == bobProject && id == bobTask {
		return &Task{ID: id, Project: p.ID}, nil
	}
	return nil, guard.ErrNotFound
}

func (s *service) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handled++
	if s.panicWith != nil {
		panic(s.panicWith)
	}
}

func (s *service) updateProject(_ context.Context, c *guard.Call[User, UpdateProject, *Project]) (ProjectView, error) {
	s.count()
	if s.handleErr != nil {
		return ProjectView{}, s.handleErr
	}
	v := ProjectView{ID: c.Resource.ID, Name: c.Resource.Name}
	if c.Input.Name != nil {
		v.Name = *c.Input.Name
	}
	return v, nil
}

func (s *service) dropCached(context.Context, *guard.Call[User, UpdateProject, *Project], ProjectView) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooked++
	return s.hookErr
}

func (s *service) task(_ context.Context, c *guard.Call[User, guard.None, *Task]) (ProjectView, error) {
	s.count()
	return ProjectView{ID: c.Resource.ID, Name: "task"}, nil
}

func (s *service) contact(context.Context, *guard.Call[guard.Anonymous, Contact, guard.None]) (guard.None, error) {
	s.count()
	return guard.None{}, s.handleErr
}

func (s *service) setRole(context.Context, *guard.Call[User, SetRole, guard.None]) (guard.None, error) {
	s.count()
	return guard.None{}, s.handleErr
}

// harness is a service behind its guards, and its log.
type harness struct {
	*service
	mux *guard.Mux
	log *logBuffer
}

func newHarness(t *testing.T, change ...func(*guard.Responder)) *harness {
	t.Helper()
	h := &harness{service: &service{}, log: &logBuffer{}}
	errs := &guard.Responder{Log: h.log.logger(), ClientIP: guard.TrustProxies(netip.MustParsePrefix("10.0.0.0/8"))}
	for _, f := range change {
		f(errs)
	}
	h.mux = guard.NewMux(errs)
	users := guard.FirstOf(guard.Bearer(h.verify), guard.Cookie("__Host-session", h.verify))
	admins := guard.Only(users, User.IsAdmin)
	limits := &guard.Limiter{}
	ownProject := guard.Owned("projectID", guard.ParseUUID, h.project, (*Project).OwnedBy)

	h.mux.Handle("PATCH /projects/{projectID}", guard.New(
		users,                             // who is calling
		guard.JSON[UpdateProject],         // what payload is allowed
		ownProject,                        // which resource is touched
		limits.PerCaller(10, time.Minute), // what abuse controls exist
		errs,                              // what the caller learns on failure
		guard.After(h.updateProject, h.dropCached),
	))
	h.mux.Handle("GET /projects/{projectID}/tasks/{taskID}", guard.New(
		users, guard.NoPayload, guard.Within(ownProject, "taskID", guard.ParseUUID, h.taskIn),
		limits.PerCaller(60, time.Minute), errs, h.task))
	h.mux.Handle("POST /contact", guard.New(
		guard.Anyone, guard.JSON[Contact], guard.NoResource, limits.PerIP(5, time.Minute), errs, h.contact))
	h.mux.Handle("POST /admin/users/{userID}/role", guard.New(
		admins, guard.JSON[SetRole], guard.NoResource, limits.PerCaller(30, time.Minute), errs, h.setRole))
	return h
}

// send makes a request and returns the response. Fields are "Name: value".
func (h *harness) send(method, target, body string, fields ...string) *http.Response {
	return send(h.mux, method, target, body, fields...)
}

func send(handler http.Handler, method, target, body string, fields ...string) *http.Response {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		switch {
		case name == "Remote":
			r.RemoteAddr = value
		case name == "Host":
			r.Host = value
		case value == "":
			r.Header.Del(name)
		case name == "Content-Type":
			r.Header.Set(name, value)
		default:
			r.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Result()
}

// problem is an error response as a client reads it.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	RequestID string `json:"requestId"`
	Errors    []struct{ Pointer, Code, Message string }
}

func readProblem(t *testing.T, r *http.Response) problem {
	t.Helper()
	b := readBody(t, r)
	var p problem
	d := json.NewDecoder(strings.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatalf("status %d, body %q is no problem: %v", r.StatusCode, b, err)
	}
	return p
}

func readBody(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// logBuffer is a log that a test reads back.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// records returns the log so far, one map a record.
func (l *logBuffer) records(t *testing.T) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(l.String()) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

const (
	alice = "Authorization: Bearer alice-token"
	bob   = "Authorization: Bearer bob-token"
	admin = "Authorization: Bearer admin-token"
)

var patchAlice = "/projects/" + aliceProject.String()

// Every refusal of the life of a request, with what the caller and the log learn.
func TestLifeOfARequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		breaks func(*service)
		method string
		path   string
		body   string
		fields []string

		status    int
		code      string
		challenge string
		stage     string
		level     string
		cause     string // a part of it
	}{
		{name: "no credential is 401 with a bare challenge", path: patchAlice, body: `{}`,
			status: 401, code: "unauthenticated", challenge: "Bearer", stage: "who", level: "INFO", cause: "no credential"},
		{name: "another scheme is no credential", path: patchAlice, body: `{}`, fields: []string{"Authorization: Basic YTpi"},
			status: 401, code: "unauthenticated", challenge: "Bearer", stage: "who", level: "INFO", cause: "no credential"},
		{name: "an unknown token is 401 invalid_token", path: patchAlice, body: `{}`, fields: []string{"Authorization: Bearer forged"},
			status: 401, code: "unauthenticated", challenge: `Bearer error="invalid_token"`, stage: "who", level: "INFO", cause: "no such session"},
		{name: "a bad token is not covered by a good cookie", path: patchAlice, body: `{}`,
			fields: []string{"Authorization: Bearer forged", "Cookie: __Host-session=alice-token"},
			status: 401, code: "unauthenticated", challenge: `Bearer error="invalid_token"`, stage: "who", level: "INFO", cause: "no such session"},
		{name: "a session without a subject is refused", path: patchAlice, body: `{}`, fields: []string{"Authorization: Bearer nobody-token"},
			status: 401, code: "unauthenticated", challenge: `Bearer error="invalid_token"`, stage: "who", level: "INFO", cause: "without a subject"},
		{name: "a verifier that fails is 503, not 401", path: patchAlice, body: `{}`, fields: []string{"Authorization: Bearer broken-token"},
			status: 503, code: "unavailable", stage: "who", level: "ERROR", cause: "connection refused to 10.0.0.7"},
		{name: "a verifier that panics is 500", path: patchAlice, body: `{}`, fields: []string{"Authorization: Bearer panic-token"},
			status: 500, code: "internal", stage: "who", level: "ERROR", cause: "panic: verifier"},
		{name: "a cookie from another site is 403", path: patchAlice, body: `{}`,
			fields: []string{"Cookie: __Host-session=alice-token", "Sec-Fetch-Site: cross-site"},
			status: 403, code: "cross_origin", stage: "who", level: "INFO", cause: "cross-origin"},
		{name: "a member is not an admin", method: "POST", path: "/admin/users/bob/role", body: `{"role":"admin"}`, fields: []string{alice},
			status: 403, code: "forbidden", challenge: `Bearer error="insufficient_scope"`, stage: "role", level: "INFO", cause: "User.IsAdmin"},
		{name: "another's project is 404", path: "/projects/" + bobProject.String(), body: `{}`, fields: []string{alice},
			status: 404, code: "not_found", stage: "which", level: "INFO", cause: "belongs to someone else"},
		{name: "a missing project is 404", path: "/projects/" + noProject.String(), body: `{}`, fields: []string{alice},
			status: 404, code: "not_found", stage: "which", level: "INFO", cause: "not found"},
		{name: "a malformed id is 404", path: "/projects/17", body: `{}`, fields: []string{alice},
			status: 404, code: "not_found", stage: "which", level: "INFO", cause: "not a UUID"},
		{name: "another spelling of the id is 404", path: "/projects/" + strings.ToUpper(aliceProject.String()), body: `{}`, fields: []string{alice},
			status: 404, code: "not_found", stage: "which", level: "INFO", cause: "not a UUID"},
		{name: "a child of another's parent is 404", method: "GET", path: "/projects/" + bobProject.String() + "/tasks/" + bobTask.String(), fields: []string{alice},
			status: 404, code: "not_found", stage: "which", level: "INFO", cause: "belongs to someone else"},
		{name: "a child under the wrong parent is 404", method: "GET", path: "/projects/" + aliceProject.String() + "/tasks/" + bobTask.String(), fields: []string{alice},
			status: 404, code: "not_found", stage: "which", level: "INFO", cause: "not found"},
		{name: "a project store that fails is 500", breaks: func(s *service) { s.storeErr = errors.New("disk on fire") },
			path: patchAlice, body: `{}`, fields: []string{alice},
			status: 500, code: "internal", stage: "which", level: "ERROR", cause: "disk on fire"},
		{name: "an outsider's bad body is 404, not 400", path: "/projects/" + bobProject.String(), body: `{"nope"`, fields: []string{alice},
			status: 404, code: "not_found", stage: "which", level: "INFO", cause: "belongs to someone else"},
		{name: "no media type is 415", path: patchAlice, body: `{}`, fields: []string{alice, "Content-Type: "},
			status: 415, code: "unsupported_media_type", stage: "what", level: "DEBUG"},
		{name: "too large a body is 413", path: patchAlice, body: `{"name":"` + strings.Repeat("a", 300<<10) + `"}`, fields: []string{alice},
			status: 413, code: "body_too_large", stage: "what", level: "DEBUG"},
		{name: "an unknown member is 400", path: patchAlice, body: `{"ownerId":"bob"}`, fields: []string{alice},
			status: 400, code: "invalid_body", stage: "what", level: "DEBUG"},
		{name: "a member that breaks its rule is 400", path: patchAlice, body: `{"name":"  ab  "}`, fields: []string{alice},
			status: 400, code: "invalid_body", stage: "what", level: "DEBUG"},
		{name: "an unknown query name is 400", path: patchAlice + "?role=admin", body: `{}`, fields: []string{alice},
			status: 400, code: "invalid_parameters", stage: "what", level: "DEBUG"},
		{name: "a body where none is allowed is 400", method: "GET", path: "/projects/" + aliceProject.String() + "/tasks/" + aliceTask.String(), body: `{}`, fields: []string{alice},
			status: 400, code: "unexpected_body", stage: "what", level: "DEBUG"},
		{name: "a handler's error is 500", breaks: func(s *service) { s.handleErr = errors.New("no space left on /dev/sda1") },
			path: patchAlice, body: `{}`, fields: []string{alice},
			status: 500, code: "internal", stage: "handler", level: "ERROR", cause: "no space left on /dev/sda1"},
		{name: "a handler's public error is its own", breaks: func(s *service) {
			s.handleErr = guard.Fail(409, "archived", "The project is archived.").Because(errors.New("row 7"))
		}, path: patchAlice, body: `{}`, fields: []string{alice},
			status: 409, code: "archived", stage: "handler", level: "DEBUG", cause: "row 7"},
		{name: "a handler's Invalid is 400", breaks: func(s *service) {
			s.handleErr = fmt.Errorf("save: %w", errors.Join(guard.Invalid("/name", "taken", "is taken"), guard.Invalid("/visibility", "x", "x")))
		}, path: patchAlice, body: `{}`, fields: []string{alice},
			status: 400, code: "invalid_body", stage: "handler", level: "DEBUG"},
		{name: "a handler's Invalid beside another error is 500", breaks: func(s *service) {
			s.handleErr = errors.Join(guard.Invalid("/name", "taken", "is taken"), errors.New("disk full"))
		}, path: patchAlice, body: `{}`, fields: []string{alice},
			status: 500, code: "internal", stage: "handler", level: "ERROR", cause: "disk full"},
		{name: "a handler's ErrNotFound is 404", breaks: func(s *service) { s.handleErr = guard.ErrNotFound },
			path: patchAlice, body: `{}`, fields: []string{alice},
			status: 404, code: "not_found", stage: "handler", level: "INFO", cause: "not found"},
		{name: "a handler's panic is 500", breaks: func(s *service) { s.panicWith = "index out of range" },
			path: patchAlice, body: `{}`, fields: []string{alice},
			status: 500, code: "internal", stage: "handler", level: "ERROR", cause: "index out of range"},
		{name: "a panic with a public error is still 500", breaks: func(s *service) { s.panicWith = guard.Fail(400, "x", "X.") },
			path: patchAlice, body: `{}`, fields: []string{alice},
			status: 500, code: "internal", stage: "handler", level: "ERROR", cause: "panic: x"},
		{name: "an unknown path is 404 in the same shape", method: "GET", path: "/nope",
			status: 404, code: "not_found", stage: "route", level: "DEBUG"},
		{name: "a wrong method is 405", method: "PUT", path: patchAlice,
			status: 405, code: "method_not_allowed", stage: "route", level: "DEBUG"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			if tt.breaks != nil {
				tt.breaks(h.service)
			}
			method := tt.method
			if method == "" {
				method = "PATCH"
			}
			r := h.send(method, tt.path, tt.body, tt.fields...)
			checkRefusal(t, r, tt.status, tt.code)
			if got := r.Header.Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("WWW-Authenticate: got %q, want %q", got, tt.challenge)
			}
			if ran := h.handled > 0; ran != (tt.stage == "handler") {
				t.Errorf("the handler ran: %v, at stage %s", ran, tt.stage)
			}
			if h.hooked > 0 {
				t.Error("a hook ran after a failure")
			}
			records := h.log.records(t)
			if len(records) != 1 {
				t.Fatalf("got %d log records, want 1: %s", len(records), h.log)
			}
			l := records[0]
			if l["stage"] != tt.stage || l["level"] != tt.level || l["request_id"] != r.Header.Get("X-Request-ID") || l["code"] != tt.code {
				t.Errorf("got record %v, want stage %s, level %s, the code and the response's request id", l, tt.stage, tt.level)
			}
			if cause, _ := l["cause"].(string); !strings.Contains(cause, tt.cause) {
				t.Errorf("got cause %q, want %q in it", cause, tt.cause)
			}
			for _, secret := range []string{"alice-token", "broken-token", "forged", "YTpi"} {
				if strings.Contains(h.log.String(), secret) {
					t.Errorf("the log holds the credential %q: %s", secret, h.log)
				}
			}
		})
	}
}

// checkRefusal checks what every refusal has in common.
func checkRefusal(t *testing.T, r *http.Response, status int, code string) problem {
	t.Helper()
	p := readProblem(t, r)
	if r.StatusCode != status || p.Status != status || p.Code != code {
		t.Errorf("got %d %+v, want %d %s", r.StatusCode, p, status, code)
	}
	if p.Type != "about:blank" || p.Title == "" || p.RequestID == "" {
		t.Errorf("got %+v, want type, title and request id", p)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/problem+json", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "X-Request-Id": p.RequestID,
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if id, err := uuid.Parse(p.RequestID); err != nil || id.Version() != 7 {
		t.Errorf("request id %q is no UUIDv7", p.RequestID)
	}
	return p
}

func TestSuccess(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.send("PATCH", patchAlice, `{"name":"  Renamed  "}`, alice)
	if got, want := readBody(t, r), `{"id":"0198f000-0000-7000-8000-00000000a11c","name":"Renamed"}`+"\n"; r.StatusCode != 200 || got != want {
		t.Errorf("got %d %q, want 200 %q", r.StatusCode, got, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if h.hooked != 1 {
		t.Errorf("hooks ran %d times, want 1", h.hooked)
	}
	l := h.log.records(t)[0]
	if l["msg"] != "request served" || l["level"] != "DEBUG" || l["caller"] != "alice" || l["route"] != "PATCH /projects/{projectID}" ||
		l["client_ip"] != "192.0.2.1" || l["stage"] != "respond" || l["status"] != 200.0 {
		t.Errorf("got record %v", l)
	}
}

// Missing, malformed and foreign: nothing tells an outsider which ids exist.
func TestNotYoursHasTheBytesOfMissing(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	var bodies, headers []string
	for _, id := range []string{bobProject.String(), noProject.String(), "17", strings.ToUpper(aliceProject.String()),
		"%00", "a%2Fb", strings.Repeat("a", 5000), "00000000-0000-0000-0000-000000000000"} {
		r := h.send("PATCH", "/projects/"+id, `{}`, alice)
		body := strings.ReplaceAll(readBody(t, r), r.Header.Get("X-Request-ID"), "ID")
		r.Header.Del("X-Request-ID")
		var header bytes.Buffer
		_ = r.Header.Write(&header)
		bodies, headers = append(bodies, body), append(headers, header.String())
	}
	for i := range bodies {
		if bodies[i] != bodies[0] || headers[i] != headers[0] || !strings.Contains(bodies[i], `"status":404`) {
			t.Errorf("response %d differs:\n%s%s\nfrom\n%s%s", i, headers[i], bodies[i], headers[0], bodies[0])
		}
	}
}
