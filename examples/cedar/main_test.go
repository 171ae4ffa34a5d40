package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"

	"github.com/routeguard/guard"
)

func newService(t *testing.T, more string, log *strings.Builder) http.Handler {
	t.Helper()
	set, err := cedar.NewPolicySetFromBytes("test.cedar", append([]byte(more), policies...))
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]User{"ada-token": {"ada", "sales"}, "bob-token": {"bob", "sales"}, "eve-token": {"eve", "research"}, "new-token": {"new", ""}}
	who := guard.Bearer(func(_ context.Context, token string) (User, error) {
		if u, ok := users[token]; ok {
			return u, nil
		}
		return User{}, guard.ErrNoSession
	})
	s := &service{set}
	return s.routes(who, &guard.Responder{Log: slog.New(slog.NewTextHandler(log, nil))})
}

func ask(h http.Handler, method, path, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	h := newService(t, "", &strings.Builder{})
	for _, tt := range []struct {
		name, method, path, token string
		want                      int
	}{
		{"an owner reads", "GET", "/documents/1", "ada-token", 200},
		{"an owner edits", "POST", "/documents/1/edit", "ada-token", 200},
		{"a colleague reads", "GET", "/documents/1", "bob-token", 200},
		{"a colleague does not edit", "POST", "/documents/1/edit", "bob-token", 404},
		{"a forbid wins over a permit", "POST", "/documents/2/edit", "ada-token", 404},
		{"what is locked can be read", "GET", "/documents/2", "ada-token", 200},
		{"another department", "GET", "/documents/1", "eve-token", 404},
		{"a document without a department is not for users without one", "GET", "/documents/3", "new-token", 404},
		{"a missing document", "GET", "/documents/4", "ada-token", 404},
		{"an id that is a policy's text", "GET", "/documents/1%22%20%7C%7C%20true", "eve-token", 404},
		{"nobody", "GET", "/documents/1", "forged", 401},
	} {
		if w := ask(h, tt.method, tt.path, tt.token); w.Code != tt.want {
			t.Errorf("%s: got %d %s, want %d", tt.name, w.Code, w.Body, tt.want)
		}
	}
}

// Cedar skips a policy that it cannot evaluate. A forbid that is skipped would permit.
func TestAPolicyThatCannotBeEvaluated(t *testing.T) {
	t.Parallel()
	log := &strings.Builder{}
	h := newService(t, `forbid (principal, action, resource) when { resource.secret };`, log)
	w := ask(h, "GET", "/documents/1", "ada-token")
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %s, want 500 without the policy's text", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "secret") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestPoliciesThatStopTheStart(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"forbid (principal, action, resource", "forbids (principal, action, resource);", "forbid (principal, action, resource) when { resource. };"} {
		if _, err := cedar.NewPolicySetFromBytes("test.cedar", append([]byte(text), policies...)); err == nil {
			t.Errorf("the service starts with %q", text)
		}
	}
}
