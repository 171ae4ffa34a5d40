package guard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
)

// fragile is an input.
type fragile struct {
	Name string `json:"name"`
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
