package guard_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
)

// route puts one guard on a mux of its own.
func route(pattern string, errs *guard.Responder, g guard.Guarded) *guard.Mux {
	mux := guard.NewMux(errs)
	mux.Handle(pattern, g)
	return mux
}

var anyUser = guard.Bearer((&service{}).verify)

// free is for routes whose limits are not the point.
var free = guard.Unlimited("test")

func TestResourceErrors(t *testing.T) {
	t.Parallel()
	errDomain := errors.New("store: no such project")
	tests := []struct {
		name   string
		load   func(context.Context, uuid.UUID) (*Project, error)
		mapper func(error) error
		status int
		code   string
	}{
		{name: "ErrNotFound is 404", load: loads(nil, fmt.Errorf("load: %w", guard.ErrNotFound)), status: 404, code: "not_found"},
		{name: "sql.ErrNoRows is 404", load: loads(nil, fmt.Errorf("load: %w", sql.ErrNoRows)), status: 404, code: "not_found"},
		{name: "nil without an error is 404", load: loads(nil, nil), status: 404, code: "not_found"},
		{name: "a resource with an error is not used", load: loads(&Project{OwnerID: "alice"}, errors.New("stale read")), status: 500, code: "internal"},
		{name: "a mapped domain error is 404", load: loads(nil, errDomain), status: 404, code: "not_found", mapper: func(err error) error {
			if errors.Is(err, errDomain) {
				return guard.ErrNotFound
			}
			return err
		}},
		{name: "a 404 in the service's own words is still the same 404", load: loads(nil, errDomain), status: 404, code: "not_found",
			mapper: func(error) error { return guard.Fail(404, "project_missing", "No such project.") }},
		{name: "a Map that returns nil lets nothing pass", load: loads(nil, errDomain), status: 500, code: "internal",
			mapper: func(error) error { return nil }},
		{name: "a Map that returns a typed nil lets nothing pass", load: loads(nil, errDomain), status: 500, code: "internal",
			mapper: func(error) error { var e *guard.Error; return e }},
		{name: "a store that times out is 503", load: loads(nil, fmt.Errorf("load: %w", context.DeadlineExceeded)), status: 503, code: "unavailable"},
		{name: "a project without an owner belongs to nobody", load: loads(&Project{}, nil), status: 404, code: "not_found"},
		{name: "a loader that panics is 500", load: func(context.Context, uuid.UUID) (*Project, error) { panic("nil map") }, status: 500, code: "internal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log := &logBuffer{}
			mux := route("GET /projects/{projectID}", &guard.Responder{Log: log.logger(), Map: tt.mapper}, guard.New(
				anyUser, guard.NoPayload, guard.Owned("projectID", guard.ParseUUID, tt.load, (*Project).OwnedBy), free, &guard.Responder{Log: log.logger(), Map: tt.mapper},
				func(context.Context, *guard.Call[User, guard.None, *Project]) (guard.None, error) {
					t.Error("the handler ran")
					return guard.None{}, nil
				}))
			p := checkRefusal(t, send(mux, "GET", patchAlice, "", alice), tt.status, tt.code)
			if tt.status == 404 && p.Title != "Not found." {
				t.Errorf("got title %q, want the one of any 404", p.Title)
			}
		})
	}
}

func loads(p *Project, err error) func(context.Context, uuid.UUID) (*Project, error) {
	return func(context.Context, uuid.UUID) (*Project, error) { return p, err }
}

func TestWithin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		project, task uuid.UUID
		caller        string
		status        int
	}{
		{"one's own task", aliceProject, aliceTask, alice, 200},
		{"another's task through one's own project", aliceProject, bobTask, alice, 404},
		{"one's own task through another's project", bobProject, aliceTask, alice, 404},
		{"another's task", bobProject, bobTask, alice, 404},
		{"a missing project", noProject, aliceTask, alice, 404},
		{"a missing task", aliceProject, noProject, alice, 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newHarness(t).send("GET", "/projects/"+tt.project.String()+"/tasks/"+tt.task.String(), "", tt.caller)
			if r.StatusCode != tt.status {
				t.Errorf("got %d, want %d", r.StatusCode, tt.status)
			}
		})
	}
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	mux := route("GET /documents/{id}", errs, guard.New(
		anyUser, guard.NoPayload,
		guard.Authorize("id", guard.ParseString, func(_ context.Context, caller User, id string) (string, error) {
			switch id {
			case "secret":
				return "", guard.Fail(403, "not_shared", "The document is not shared with you.")
			case "broken":
				return "", errors.New("policy engine down")
			case "mine":
				return "document of " + caller.ID, nil
			}
			return "", guard.ErrNotFound
		}),
		free, errs,
		func(_ context.Context, c *guard.Call[User, guard.None, string]) (string, error) {
			return c.Resource, nil
		}))
	for id, want := range map[string]int{"mine": 200, "other": 404, "secret": 403, "broken": 500, "a%2Fb": 404, "a%00": 404, "%E2%80%8B": 404, "%FF": 404} {
		if r := send(mux, "GET", "/documents/"+id, "", alice); r.StatusCode != want {
			t.Errorf("%s: got %d, want %d", id, r.StatusCode, want)
		}
	}
}

type MoveTask struct {
	Project string `json:"project" validate:"uuid"`
}

func (m MoveTask) target() uuid.UUID { return uuid.MustParse(m.Project) }

func TestOwnedInput(t *testing.T) {
	t.Parallel()
	s := &service{}
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	hooked := 0
	handler := func(_ context.Context, c *guard.Call[User, MoveTask, *Project]) (string, error) {
		return c.Resource.Name, nil
	}
	hook := func(_ context.Context, c *guard.Call[User, MoveTask, *Project], out string) error {
		if c.Resource.Name != out {
			t.Errorf("the hook got %q and %q", c.Resource.Name, out)
		}
		hooked++
		return nil
	}
	mux := route("POST /move", errs, guard.New(
		anyUser, guard.JSON[MoveTask], guard.NoResource, free, errs,
		guard.OwnedInput(MoveTask.target, s.project, (*Project).OwnedBy, guard.After(handler, hook))))
	tests := []struct {
		name   string
		id     string
		status int
	}{
		{"one's own project", aliceProject.String(), 200},
		{"another's project", bobProject.String(), 404},
		{"a missing project", noProject.String(), 404},
		{"a malformed id", "17", 400},
	}
	for _, tt := range tests {
		if r := send(mux, "POST", "/move", `{"project":"`+tt.id+`"}`, alice); r.StatusCode != tt.status {
			t.Errorf("%s: got %d, want %d", tt.name, r.StatusCode, tt.status)
		}
	}
	if hooked != 1 {
		t.Errorf("the hook ran %d times, want 1", hooked)
	}
	if got := mux.Routes()[0]; got.Which.String() != "OwnedInput Project.OwnedBy" || len(got.After) != 1 {
		t.Errorf("got checklist %+v, want the owner rule and the hook", got)
	}
}

func TestParseUUID(t *testing.T) {
	t.Parallel()
	const id = "0198f000-0000-7000-8000-00000000a11c"
	if got, err := guard.ParseUUID(id); err != nil || got.String() != id {
		t.Errorf("got %v, %v, want %s", got, err, id)
	}
	for _, s := range []string{"", "x", strings.ToUpper(id), "{" + id + "}", "urn:uuid:" + id, "x" + id + "y", strings.ReplaceAll(id, "-", ""),
		id + "\n", " " + id, uuid.Nil.String(), uuid.Max.String(), id[:35], "0198f000-0000-7000-8000-00000000a11g"} {
		if got, err := guard.ParseUUID(s); err == nil || got != uuid.Nil {
			t.Errorf("%q: got %v, %v, want an error", s, got, err)
		}
	}
}

func FuzzParseUUID(f *testing.F) {
	f.Add("0198f000-0000-7000-8000-00000000a11c")
	f.Add("{0198f000-0000-7000-8000-00000000a11c}")
	// One object has one spelling: what is accepted is printed back unchanged.
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := guard.ParseUUID(s); err == nil && id.String() != s {
			t.Errorf("accepted %q for %v", s, id)
		}
	})
}
