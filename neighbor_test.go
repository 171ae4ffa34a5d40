package guard_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/routeguard/guard"
)

// Who adds to one header field of a response changes no other one.
func TestHeaderFieldsAreNoNeighbors(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	h := stream(errs, func(_ context.Context, w http.ResponseWriter) error {
		for _, name := range []string{"X-Content-Type-Options", "Cache-Control"} {
			w.Header().Add(name, "added")
		}
		_, err := io.WriteString(w, "x")
		return err
	})
	r := send(h, http.MethodPost, "/", "")
	for name, want := range map[string][]string{"X-Content-Type-Options": {"nosniff", "added"}, "Cache-Control": {"no-store", "added"}} {
		if got := r.Header[name]; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// Who changes the header of a refusal that was sent does not change later ones.
func TestChallengesAreEachResponsesOwn(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	verify := (&service{}).verify
	g := guard.New(guard.FirstOf(guard.APIKey("X-API-Key", verify), guard.Cookie("__Host-session", verify)),
		guard.NoPayload, guard.NoResource, free, errs,
		func(context.Context, *guard.Call[User, guard.None, guard.None]) (string, error) {
			return "", guard.Fail(http.StatusUnauthorized, "step_up", "Sign in again.") // gets the route's challenges
		})
	for range 2 {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-API-Key", "alice-token")
		g.ServeHTTP(w, r)
		got := w.Header()["Www-Authenticate"]
		if len(got) != 2 || got[0] != "ApiKey" || got[1] != "Cookie" {
			t.Fatalf("got challenges %q, want ApiKey and Cookie", got)
		}
		got[0] = "Forged"
	}
}

// A refusal does not describe the body that a middleware in front of it had in mind.
func TestRefusalDropsWhatStoodBefore(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	g := guard.New(anyUser, guard.NoPayload, guard.NoResource, free, errs, whoami[User])
	r := send(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("X-Content-Type-Options", "off")
		w.Header().Set("X-Outer", "kept")
		g.ServeHTTP(w, r)
	}), http.MethodGet, "/", "")
	for name, want := range map[string]string{"Etag": "", "Content-Encoding": "", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "X-Outer": "kept"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if r.StatusCode != 401 {
		t.Errorf("got %d, want 401", r.StatusCode)
	}
}

// An observer counts successes, too, although the log is not interested in them.
func TestObserverOfASilentLog(t *testing.T) {
	t.Parallel()
	seen := 0
	errs := &guard.Responder{Log: slog.New(slog.DiscardHandler), Observe: func(context.Context, guard.Event) { seen++ }}
	if r := send(open(errs, ok), http.MethodGet, "/", ""); r.StatusCode != 200 || seen != 1 {
		t.Errorf("got %d, observed %d times, want 200 and once", r.StatusCode, seen)
	}
}
