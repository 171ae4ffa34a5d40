package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
)

// fragile is an input whose own validation misbehaves when it is told to.
type fragile struct {
	Name string `json:"name"`
}

type faultKey struct{}

func (fragile) Validate(ctx context.Context) error {
	if f, ok := ctx.Value(faultKey{}).(func()); ok {
		f()
	}
	return nil
}

var errSecret = errors.New("secret of the panic")

// faults are the ways in which the service's code may not return.
var faults = []struct {
	name  string
	fault func()
	cause string
}{
	{"panics with a string", func() { panic("secret of the panic") }, "panic: secret of the panic"},
	{"panics with an error", func() { panic(errSecret) }, "panic: secret of the panic"},
	{"panics with ErrNotFound", func() { panic(guard.ErrNotFound) }, "panic: guard: not found"},
	{"panics with a public error", func() { panic(guard.Fail(400, "x", "X.")) }, "panic: x: X."},
	{"panics with nil", func() { panic(nil) }, "panic called with nil argument"}, //nolint:govet // on purpose
	{"panics in the runtime", func() { var p *Project; _ = p.Name }, "nil pointer dereference"},
	{"panics with what cannot be compared", func() { panic([]string{"secret of the panic"}) }, "secret of the panic"},
	{"calls Goexit", runtime.Goexit, "runtime.Goexit was called"},
}

// Every stage that runs code of the service, with every fault: a 500 without a
// word about it, one record, and a server that goes on.
func TestFaultsOfTheService(t *testing.T) {
	t.Parallel()
	stages := []string{"who", "role", "caller_limit", "which", "what", "input_limit", "handler", "respond"}
	for _, stage := range stages {
		for _, f := range faults {
			t.Run(stage+" "+f.name, func(t *testing.T) {
				t.Parallel()
				errs, log := logged()
				done := make(chan guard.Event, 2)
				errs.Observe = func(_ context.Context, e guard.Event) { done <- e }
				handled := false
				server := serve(t, faulty(errs, stage, f.fault, &handled))
				r, err := postProject(t, server.URL)
				if err != nil {
					t.Fatal(err)
				}
				body := readBody(t, r)
				if r.StatusCode != 500 || !strings.Contains(body, `"code":"internal"`) || strings.Contains(body, "secret") || strings.Contains(body, ".go") {
					t.Errorf("got %d %q, want a plain 500", r.StatusCode, body)
				}
				if want := stage == "handler" || stage == "respond"; handled != want {
					t.Errorf("the handler ran: %v", handled)
				}
				if e := <-done; e.Stage.String() != stage || e.Status != 500 || e.RequestID != r.Header.Get("X-Request-ID") {
					t.Errorf("got event %+v", e)
				}
				l := log.records(t)
				if len(l) != 1 {
					t.Fatalf("got %d records, want 1: %s", len(l), log)
				}
				cause, stack := f.cause, fmt.Sprint(l[0]["stack"])
				if stage == "what" && f.name != "calls Goexit" {
					// The value of a panic in Validate may hold the input: the log gets its place alone.
					cause, stack = "Validate of guard_test.fragile: panic: ", "panic_test.go"
				}
				if got := fmt.Sprint(l[0]["cause"]); !strings.Contains(got, cause) || l[0]["level"] != "ERROR" {
					t.Errorf("got record %v, want cause %q at ERROR", l[0], cause)
				}
				if !strings.Contains(stack, "panic_test.go") {
					t.Errorf("got stack %q, want the place", stack)
				}
			})
		}
	}
}

// badResult misbehaves when it is encoded.
type badResult struct{ fault func() }

func (b badResult) MarshalJSON() ([]byte, error) { b.fault(); return []byte("0"), nil }

// faulty is a route whose one stage misbehaves.
func faulty(errs *guard.Responder, stage string, fault func(), handled *bool) http.Handler {
	at := func(s string) {
		if s == stage {
			fault()
		}
	}
	s := &service{}
	verify := func(ctx context.Context, token string) (User, error) { at("who"); return s.verify(ctx, token) }
	load := func(ctx context.Context, id uuid.UUID) (*Project, error) { at("which"); return s.project(ctx, id) }
	limits := &guard.Limiter{}
	mux := route("POST /projects/{projectID}", errs, guard.New(
		guard.Only(guard.Bearer(verify), func(User) bool { at("role"); return true }),
		guard.JSON[fragile],
		guard.Owned("projectID", guard.ParseUUID, load, (*Project).OwnedBy),
		guard.And(
			guard.PerKey(limits, func(User, *http.Request) string { at("caller_limit"); return "k" }, 9, time.Minute),
			guard.PerInput(limits, func(fragile) string { at("input_limit"); return "k" }, 9, time.Minute)),
		errs,
		func(context.Context, *guard.Call[User, fragile, *Project]) (any, error) {
			*handled = true
			at("handler")
			if stage == "respond" {
				return badResult{fault}, nil
			}
			return "x", nil
		}))
	if stage != "what" {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), faultKey{}, fault)))
	})
}

func postProject(t *testing.T, url string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url+patchAlice, strings.NewReader(`{"name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer alice-token")
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		t.Cleanup(func() { resp.Body.Close() })
	}
	return resp, err
}

// http.ErrAbortHandler means that the connection is to be cut without a word.
func TestAbortHandlerIsPassedOn(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"who", "which", "what", "handler", "respond"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			errs, log := logged()
			done := make(chan guard.Event, 2)
			errs.Observe = func(_ context.Context, e guard.Event) { done <- e }
			handled := false
			server := serve(t, faulty(errs, stage, func() { panic(http.ErrAbortHandler) }, &handled))
			if r, err := postProject(t, server.URL); err == nil {
				t.Errorf("got %d, want a cut connection", r.StatusCode)
			}
			<-done
			if l := log.records(t); len(l) != 1 || l[0]["status"] != 499.0 || l[0]["stage"] != stage {
				t.Errorf("got records %v, want one", l)
			}
		})
	}
}

// A client that has gone is no error of the service.
func TestTheClientHasGone(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"who", "which", "handler"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			errs, log := logged()
			ctx, hangUp := context.WithCancel(t.Context())
			wait := func(at string, ctx context.Context) error {
				if at != stage {
					return nil
				}
				hangUp()
				<-ctx.Done()
				return fmt.Errorf("query: %w", ctx.Err())
			}
			who := guard.Bearer(func(ctx context.Context, _ string) (User, error) { return User{ID: "alice"}, wait("who", ctx) })
			load := func(ctx context.Context, id uuid.UUID) (*Project, error) {
				return &Project{ID: id, OwnerID: "alice"}, wait("which", ctx)
			}
			mux := route("GET /projects/{projectID}", errs, guard.New(who, guard.NoPayload,
				guard.Owned("projectID", guard.ParseUUID, load, (*Project).OwnedBy), free, errs,
				func(ctx context.Context, _ *guard.Call[User, guard.None, *Project]) (string, error) {
					return "x", wait("handler", ctx)
				}))
			r := send(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(w, r.WithContext(ctx)) }), "GET", patchAlice, "", alice)
			if r.StatusCode != 499 {
				t.Errorf("got %d, want 499", r.StatusCode)
			}
			if l := log.records(t); len(l) != 1 || l[0]["level"] != "DEBUG" || l[0]["code"] != "client_gone" || l[0]["stage"] != stage {
				t.Errorf("got records %v, want one at DEBUG", l)
			}
		})
	}
}

// What was not filled in is not there, even where an ownership rule compares two
// empty fields, or a function of the service says false instead of ErrNotFound.
func TestBlankResources(t *testing.T) {
	t.Parallel()
	type row struct{ ID, Tenant string }
	equal := func(a, b string) bool { return a == b }
	errs, _ := logged()
	value := func(context.Context, string) (row, error) { return row{}, nil }
	slice := func(context.Context, string) ([]row, error) { return nil, nil }
	for name, g := range map[string]guard.Guarded{
		"a blank struct": guard.New(anyUser, guard.NoPayload,
			guard.Owned("id", guard.ParseString, value, func(r row, _ User) bool { return equal(r.Tenant, "") }), free, errs, ran[row](t)),
		"a false": guard.New(anyUser, guard.NoPayload,
			guard.Authorize("id", guard.ParseString, func(context.Context, User, string) (bool, error) { return false, nil }), free, errs, ran[bool](t)),
		"a blank grant": guard.New(anyUser, guard.NoPayload,
			guard.Authorize("id", guard.ParseString, func(context.Context, User, string) (row, error) { return row{}, nil }), free, errs, ran[row](t)),
		"a nil slice": guard.New(anyUser, guard.NoPayload,
			guard.Owned("id", guard.ParseString, slice, func([]row, User) bool { return true }), free, errs, ran[[]row](t)),
	} {
		if r := send(route("GET /rows/{id}", errs, g), "GET", "/rows/7", "", alice); r.StatusCode != 404 {
			t.Errorf("%s: got %d, want 404", name, r.StatusCode)
		}
	}
	g := guard.New(anyUser, guard.NoPayload, guard.Authorize("id", guard.ParseString, func(context.Context, User, string) (guard.None, error) { return guard.None{}, nil }),
		free, errs, func(context.Context, *guard.Call[User, guard.None, guard.None]) (string, error) { return "x", nil })
	if r := send(route("GET /rows/{id}", errs, g), "GET", "/rows/7", "", alice); r.StatusCode != 200 {
		t.Errorf("None: got %d, want 200", r.StatusCode)
	}
	byBody := guard.New(anyUser, guard.JSON[fragile], guard.NoResource, free, errs,
		guard.OwnedInput(func(f fragile) string { return f.Name }, value, func(r row, _ User) bool { return equal(r.Tenant, "") },
			func(context.Context, *guard.Call[User, fragile, row]) (string, error) {
				t.Error("the handler ran")
				return "", nil
			}))
	checkRefusal(t, send(byBody, "POST", "/", `{"name":"x"}`, alice), 404, "not_found")
}

// ran is a handler that must not run.
func ran[R any](t *testing.T) func(context.Context, *guard.Call[User, guard.None, R]) (string, error) {
	return func(context.Context, *guard.Call[User, guard.None, R]) (string, error) {
		t.Error("the handler ran")
		return "", nil
	}
}

// Goexit in a hook is the one thing that a hook can do to a reply.
func TestGoexitInAHook(t *testing.T) {
	t.Parallel()
	errs, log := logged()
	done := make(chan guard.Event, 2)
	errs.Observe = func(_ context.Context, e guard.Event) { done <- e }
	server := serve(t, open(errs, guard.After(ok, func(context.Context, *call, string) error { runtime.Goexit(); return nil })))
	r, body, err := get(t, server.URL)
	if err != nil || r.StatusCode != 500 || !strings.Contains(body, `"internal"`) {
		t.Errorf("got %v %q %v, want a 500", r, body, err)
	}
	<-done
	if l := log.records(t); len(l) != 1 || l[0]["stage"] != "after" || l[0]["level"] != "ERROR" {
		t.Errorf("got records %v, want one", l)
	}
}

// What the service's errors say stays in the log, whichever stage returns them.
func TestErrorsDoNotLeak(t *testing.T) {
	t.Parallel()
	const secret = "s3cret"
	causes := map[string]error{
		"a plain error":          errors.New(secret),
		"a wrapped not found":    fmt.Errorf("%s: %w", secret, guard.ErrNotFound),
		"a wrapped public error": fmt.Errorf("%s: %w", secret, guard.Fail(409, "busy", "Busy.")),
		"a cause":                guard.Fail(409, "busy", "Busy.").Because(errors.New(secret)),
		"a deadline":             fmt.Errorf("%s: %w", secret, context.DeadlineExceeded),
		"no session":             fmt.Errorf("%s: %w", secret, guard.ErrNoSession),
		"a bad status":           fmt.Errorf("%s: %w", secret, guard.Fail(200, secret, secret)),
	}
	for name, cause := range causes {
		for _, stage := range []string{"who", "which", "handler", "after"} {
			t.Run(stage+" returns "+name, func(t *testing.T) {
				t.Parallel()
				errs, log := logged()
				at := func(s string) error {
					if s == stage {
						return cause
					}
					return nil
				}
				mux := route("GET /projects/{projectID}", errs, guard.New(
					guard.Bearer(func(context.Context, string) (User, error) { return User{ID: "alice"}, at("who") }), guard.NoPayload,
					guard.Owned("projectID", guard.ParseUUID, func(_ context.Context, id uuid.UUID) (*Project, error) {
						return &Project{ID: id, OwnerID: "alice"}, at("which")
					}, (*Project).OwnedBy), free, errs,
					guard.After(func(context.Context, *guard.Call[User, guard.None, *Project]) (string, error) {
						return "x", at("handler")
					},
						func(context.Context, *guard.Call[User, guard.None, *Project], string) error { return at("after") })))
				r := send(mux, "GET", patchAlice, "", alice)
				body := readBody(t, r)
				if (r.StatusCode < 400) != (stage == "after") || strings.Contains(body+fmt.Sprint(r.Header), secret) {
					t.Errorf("got %d %q %v, want a refusal without %s", r.StatusCode, body, r.Header, secret)
				}
				if !strings.Contains(log.String(), secret) || strings.Contains(log.String(), "alice-token") {
					t.Errorf("got log %s, want the cause and no credential", log)
				}
			})
		}
	}
}
