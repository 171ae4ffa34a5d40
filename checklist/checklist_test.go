package checklist_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
)

type caller struct{ name string }

func (c caller) Subject() string { return c.name }
func (c caller) Admin() bool     { return c.name == "admin" }

type project struct{ Owner string }

func (p *project) OwnedBy(c caller) bool { return p.Owner == c.name }

type update struct {
	Name  *string `json:"name" normalize:"trim" validate:"omitnil,min=3"`
	Notes string  `json:"notes"`
	Role  string  `json:"role" validate:"oneof=a b|eq=c" guard:"client"`
	Tags  []struct {
		Label string `json:"label" validate:"max=9"`
	} `json:"tags" validate:"max=3,dive"`
}

func verify(context.Context, string) (caller, error) { return caller{}, guard.ErrNoSession }

func load(context.Context, string) (*project, error) { return nil, guard.ErrNotFound }

func nothing[S guard.Principal, T, R any](context.Context, *guard.Call[S, T, R]) (guard.None, error) {
	return guard.None{}, nil
}

func drop(context.Context, *guard.Call[caller, update, *project], guard.None) error { return nil }

// service has a route of every kind.
func service(t *testing.T) *guard.Mux {
	t.Helper()
	origins, err := guard.ParseOrigins("https://app.example")
	if err != nil {
		t.Fatal(err)
	}
	users := guard.AllowOrigins(origins, guard.FirstOf(guard.Bearer(verify), guard.Cookie("__Host-session", verify)))
	limits, errs := &guard.Limiter{}, &guard.Responder{}
	owned := guard.Owned("projectID", guard.ParseString, load, (*project).OwnedBy)
	ten := limits.PerCaller(10, time.Minute)
	mux := guard.NewMux(errs)
	mux.Handle("PATCH /projects/{projectID}", guard.New(users, guard.JSON[update], owned, ten, errs, guard.After(nothing, drop)))
	mux.Handle("GET /projects/{projectID}", guard.New(users, guard.NoPayload, owned, ten, errs, nothing))
	mux.Handle("POST /admin/{userID}", guard.New(guard.Only(users, caller.Admin), guard.NoPayload, guard.NoResource, ten.Shadow(), errs, nothing))
	mux.Handle("POST /contact", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("a test"), errs, nothing))
	mux.Handle("/old", guard.Wrap(guard.KeepCredential(users), guard.RawBody(1<<10), guard.NoResource, ten, errs, http.NotFoundHandler()))
	mux.Unguarded("GET /healthz", "a probe", http.NotFoundHandler())
	mux.Unguarded("POST /debug", "for now", http.NotFoundHandler())
	return mux
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"PATCH /projects/{projectID}": {"/notes has no rule", "clients set /role"},
		"GET /projects/{projectID}":   nil,
		"POST /admin/{userID}":        {"no answer reads {userID}", "every limit is a shadow: nothing is refused", "no hook follows this mutation"},
		"POST /contact":               {"anyone may change something", "unlimited and public", "no hook follows this mutation"},
		"/old": {"the body is not checked before the handler", "any method: GET and HEAD are among them, whose origin is not checked",
			"the wrapped handler sees the bearer credential", "the wrapped handler sees the cookie credential",
			"the wrapped handler writes errors of its own", "no hook follows this mutation"},
		"GET /healthz": nil,
		"POST /debug":  {"nothing guards a method that may change something"},
	}
	routes := service(t).Routes()
	for _, r := range routes {
		if got := r.Warnings(); !slices.Equal(got, want[r.Pattern]) {
			t.Errorf("%s: got %q, want %q", r.Pattern, got, want[r.Pattern])
		}
		if got := len(r.Points()); got != 7 {
			t.Errorf("%s: got %d points, want 7", r.Pattern, got)
		}
	}
	if len(routes) != len(want) {
		t.Errorf("got %d routes, want %d", len(routes), len(want))
	}
}

// A limit that is off while its store is down is named.
func TestAnOpenOutageIsAWarning(t *testing.T) {
	t.Parallel()
	limits, errs := &guard.Limiter{Store: downStore{}, Outage: guard.OutageOpen}, &guard.Responder{}
	r := guard.Describe("GET /", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limits.PerIP(1, time.Second), errs, nothing))
	if got, want := r.Warnings(), []string{"no limit per ip while the shared store is down"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var b strings.Builder
	if err := checklist.WriteText(&b, []checklist.Route{r}); err != nil || !strings.Contains(b.String(), "\tcounted\tchecklist_test.downStore, outage open\n") {
		t.Errorf("got %q, %v, want the store and its outage policy", &b, err)
	}
}

type downStore struct{ guard.Store }

// The files hold what a reviewer reads. GUARD_UPDATE=1 writes them.
func TestWrite(t *testing.T) {
	t.Parallel()
	for file, write := range map[string]func(*strings.Builder, []checklist.Route) error{
		"routes.txt":      func(b *strings.Builder, r []checklist.Route) error { return checklist.WriteText(b, r) },
		"routes.table":    func(b *strings.Builder, r []checklist.Route) error { return checklist.WriteTable(b, r) },
		"routes.markdown": func(b *strings.Builder, r []checklist.Route) error { return checklist.WriteMarkdown(b, r) },
		"routes.json":     func(b *strings.Builder, r []checklist.Route) error { return checklist.WriteJSON(b, r) },
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := write(&b, service(t).Routes()); err != nil {
				t.Fatal(err)
			}
			path := "testdata/" + file
			if os.Getenv("GUARD_UPDATE") != "" {
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("differs from %s (GUARD_UPDATE=1 writes it): got\n%s", path, &b)
			}
		})
	}
}

func TestJSONIsRead(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := checklist.WriteJSON(&b, service(t).Routes()); err != nil {
		t.Fatal(err)
	}
	var routes []struct {
		Pattern string
		What    struct{ Type string }
		Limits  struct{ Rules []struct{ Period string } }
		Points  []checklist.Point
	}
	if err := json.Unmarshal([]byte(b.String()), &routes); err != nil {
		t.Fatal(err)
	}
	first := routes[0]
	if first.Pattern != "PATCH /projects/{projectID}" || first.What.Type != "checklist_test.update" || first.Limits.Rules[0].Period != "1m" {
		t.Errorf("got %+v, want the pattern, the input's type and the limit's period", first)
	}
	if got := first.Points[2]; got.Answer != "{projectID} Owned project.OwnedBy" || !slices.Contains(got.OWASP, "API1:2023") || !slices.Contains(got.ASVS, "8.2.2") {
		t.Errorf("got %+v, want the owner rule and what it answers", got)
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, method, host, path string
		wildcards                   []string
		mutates                     bool
	}{
		{pattern: "GET /", method: "GET", path: "/"},
		{pattern: "/a/{b}/{c...}", path: "/a/{b}/{c...}", wildcards: []string{"b", "c"}, mutates: true},
		{pattern: "POST admin.example/x/{$}", method: "POST", host: "admin.example", path: "/x/{$}", mutates: true},
		{pattern: "admin.example/x", host: "admin.example", path: "/x", mutates: true},
		{pattern: "HEAD  /two-spaces", method: "HEAD", path: "/two-spaces"},
	}
	for _, tt := range tests {
		r := checklist.Route{Pattern: tt.pattern}
		if r.Method() != tt.method || r.Host() != tt.host || r.Path() != tt.path || r.Mutates() != tt.mutates || !reflect.DeepEqual(r.Wildcards(), tt.wildcards) {
			t.Errorf("%q: got %q %q %q %v %v", tt.pattern, r.Method(), r.Host(), r.Path(), r.Wildcards(), r.Mutates())
		}
	}
}
