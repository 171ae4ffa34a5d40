package main

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/store"
)

// The guard's part is done when a handler runs, so a handler is tested like any function: a Call with what the guard would
// have found out, and the result. What the guard does is in routes_test.go.

// newApp has what handlers need: a database of its own, with the demo data.
func newApp(t *testing.T) *app {
	t.Helper()
	db, err := store.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.SeedDemo(t.Context(), "no password has this hash"); err != nil {
		t.Fatal(err)
	}
	return &app{store: db, completer: localCompleter{}}
}

// as is the session of a demo user.
func (a *app) as(t *testing.T, id string) *Session {
	t.Helper()
	user, err := a.store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return &Session{User: user}
}

func (a *app) demoProject(t *testing.T, id string) *store.Project {
	t.Helper()
	p, err := a.store.Project(t.Context(), uuid.MustParse(id))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCreateProjectWithoutHTTP(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	reply, err := a.createProject(t.Context(), &guard.Call[*Session, CreateProject, guard.None]{
		Caller: a.as(t, "alice"),
		Input:  CreateProject{Name: "Night buses", Summary: "Where they should stop.", Visibility: "private"},
	})
	if err != nil {
		t.Fatal(err)
	}
	made := reply.Body.Project
	if reply.Status != http.StatusCreated || reply.Header.Get("Location") != "/projects/"+made.ID.String() || made.Name != "Night buses" {
		t.Errorf("got %+v, want 201 and where the project is", reply)
	}
	if p := a.demoProject(t, made.ID.String()); p.OwnerID != "alice" {
		t.Errorf("got owner %s, want the caller", p.OwnerID)
	}
}

func TestUpdateProjectWithoutHTTP(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		caller string
		input  UpdateProject
		want   string // name
		err    error
	}{
		{name: "a name", caller: "alice", input: UpdateProject{Name: new("Street lights")}, want: "Street lights"},
		{name: "what is not given stays", caller: "alice", input: UpdateProject{Visibility: new("private")}, want: "Harbor lighting survey"},
		// The guard lets nobody but the owner get here; the statement would not find another's row either.
		{name: "another user's project", caller: "bob", input: UpdateProject{Name: new("Mine now")}, err: store.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			got, err := a.updateProject(t.Context(), &guard.Call[*Session, UpdateProject, *store.Project]{
				Caller: a.as(t, tt.caller), Input: tt.input, Resource: a.demoProject(t, aliceProject),
			})
			if !errors.Is(err, tt.err) || got.Project.Name != tt.want {
				t.Errorf("got %q, %v, want %q, %v", got.Project.Name, err, tt.want, tt.err)
			}
		})
	}
}

func TestListProjectsWithoutHTTP(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	list := func(cursor *string) (ProjectPage, error) {
		return a.listProjects(t.Context(), &guard.Call[*Session, ListProjects, guard.None]{
			Caller: a.as(t, "alice"), Input: ListProjects{Limit: 20, Cursor: cursor},
		})
	}
	page, err := list(nil)
	if err != nil || len(page.Projects) != 1 || page.Projects[0].ID.String() != aliceProject || page.Next != nil {
		t.Errorf("got %+v, %v, want alice's project alone, and no next page", page, err)
	}
	for _, cursor := range []string{"made up", ""} {
		if _, err := list(&cursor); !errors.Is(err, errCursor) {
			t.Errorf("%q: got %v, want one for the caller", cursor, err)
		}
	}
}

func TestSetRoleWithoutHTTP(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	_, err := a.setRole(t.Context(), &guard.Call[*Session, SetRole, *store.User]{
		Caller: a.as(t, "admin"), Input: SetRole{Role: "admin"}, Resource: a.as(t, "bob").User,
	})
	if err != nil || !a.as(t, "bob").IsAdmin() {
		t.Errorf("got %v, admin = %v, want bob to be one", err, a.as(t, "bob").IsAdmin())
	}
}

// A hook is a function, too: after a change, no search finds what was there before.
func TestHooksDropSearchesWithoutHTTP(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	search := func() []ProjectView {
		t.Helper()
		got, err := a.search(t.Context(), &guard.Call[guard.Anonymous, Search, guard.None]{Input: Search{Q: "harbor", Limit: 20}})
		if err != nil {
			t.Fatal(err)
		}
		return got.Results
	}
	if found := search(); len(found) != 1 {
		t.Fatalf("got %v, want alice's project", found)
	}
	call := &guard.Call[*Session, guard.None, *store.Project]{Caller: a.as(t, "alice"), Resource: a.demoProject(t, aliceProject)}
	if _, err := a.deleteProject(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	if err := a.afterDelete(t.Context(), call, guard.None{}); err != nil {
		t.Fatal(err)
	}
	if found := search(); len(found) != 0 {
		t.Errorf("got %v, want nothing: the project is gone", found)
	}
}
