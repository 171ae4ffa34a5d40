package guardtest_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/guardtest"
)

type page struct{ Owner, Text string }

func pageOf(_ context.Context, id string) (page, error) {
	return map[string]page{"1": {"alice", "Alice's page"}, "2": {"bob", "Bob's page"}}[id], nil
}

func ownedBy(p page, c caller) bool { return p.Owner == c.id }

func show(_ context.Context, c *guard.Call[caller, guard.None, page]) (string, error) {
	return c.Resource.Text, nil
}

// A test of one route.
func TestShowPage(t *testing.T) {
	users := guardtest.Sessions(t, map[string]caller{"alice": {"alice"}})
	own := guard.Owned("pageID", guard.ParseString, pageOf, ownedBy)
	mux := guard.NewMux(&guard.Responder{})
	mux.Handle("GET /pages/{pageID}", guard.New(users, guard.NoPayload, own, guard.Unlimited("a test"), &guard.Responder{}, show))
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/pages/2", nil)
	r.Header.Set("Authorization", "Bearer alice")
	mux.ServeHTTP(w, r)
	guardtest.WantProblem(t, w.Result(), 404, "not_found")
}

// get asks for a page with a bearer token.
func get(h *guard.Mux, path, token string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	h.ServeHTTP(w, r)
	return w
}

func pages(users guard.Authenticator[caller], limit guard.Limit) *guard.Mux {
	mux := guard.NewMux(&guard.Responder{})
	own := guard.Owned("pageID", guard.ParseString, pageOf, ownedBy)
	mux.Handle("GET /pages/{pageID}", guard.New(users, guard.NoPayload, own, limit, &guard.Responder{}, show))
	return mux
}

// In a synctest bubble the limits' clock moves when everything sleeps: no test waits.
func TestLimitsWithAClockOfTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := guardtest.Sessions(t, map[string]caller{"alice": {"alice"}})
		mux := pages(users, (&guard.Limiter{}).PerCaller(2, time.Minute))
		for range 2 {
			if w := get(mux, "/pages/1", "alice"); w.Code != 200 {
				t.Errorf("got %d, want 200", w.Code)
			}
		}
		guardtest.WantProblem(t, get(mux, "/pages/1", "alice").Result(), 429, "rate_limited")
		time.Sleep(30 * time.Second)
		if w := get(mux, "/pages/1", "alice"); w.Code != 200 {
			t.Errorf("after 30 s: got %d, want 200", w.Code)
		}
	})
}

func TestSessionsEndWithTheirTest(t *testing.T) {
	t.Parallel()
	var users guard.Authenticator[caller]
	t.Run("a test", func(t *testing.T) {
		users = guardtest.Sessions(t, map[string]caller{"alice": {"alice"}})
		if w := get(pages(users, guard.Unlimited("a test")), "/pages/1", "alice"); w.Code != 200 {
			t.Errorf("got %d, want 200", w.Code)
		}
		guardtest.WantProblem(t, get(pages(users, guard.Unlimited("a test")), "/pages/1", "bob").Result(), 401, "unauthenticated")
	})
	guardtest.WantProblem(t, get(pages(users, guard.Unlimited("a test")), "/pages/1", "alice").Result(), 401, "unauthenticated")
}

func TestToken(t *testing.T) {
	t.Parallel()
	tokens, err := guard.NewJWT(guardtest.JWT(t))
	if err != nil {
		t.Fatal(err)
	}
	users := guard.Bearer(guard.SessionFrom(tokens, func(_ context.Context, c guard.Claims) (caller, error) { return caller{c.Subject}, nil }))
	mux := pages(users, guard.Unlimited("a test"))
	for _, tt := range []struct {
		name   string
		claims map[string]any
		status int
	}{
		{name: "a token", status: 200},
		{name: "another subject", claims: map[string]any{"sub": "bob"}, status: 404},
		{name: "an expired one", claims: map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, status: 401},
		{name: "another audience", claims: map[string]any{"aud": "another"}, status: 401},
		{name: "no expiry", claims: map[string]any{"exp": nil}, status: 401},
	} {
		if w := get(mux, "/pages/1", guardtest.Token(t, "alice", tt.claims)); w.Code != tt.status {
			t.Errorf("%s: got %d %s, want %d", tt.name, w.Code, w.Body, tt.status)
		}
	}
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failure += fmt.Sprintf(format, args...) + "\n"
}

func TestWantProblem(t *testing.T) {
	t.Parallel()
	users := guardtest.Sessions(t, map[string]caller{"alice": {"alice"}})
	mux := pages(users, guard.Unlimited("a test"))
	spoiled := func(change func(*httptest.ResponseRecorder)) *httptest.ResponseRecorder {
		w := get(mux, "/pages/2", "alice")
		change(w)
		return w
	}
	for _, tt := range []struct {
		name string
		w    *httptest.ResponseRecorder
		want string // of the failure; empty for none
	}{
		{name: "the problem", w: get(mux, "/pages/2", "alice")},
		{name: "another status", w: get(mux, "/pages/2", "bob"), want: "want 404 not_found"},
		{name: "no problem", w: get(mux, "/pages/1", "alice"), want: "got 200"},
		{name: "another request id", w: spoiled(func(w *httptest.ResponseRecorder) { w.Header().Set("X-Request-Id", "x") }), want: "the request id"},
		{name: "kept by caches", w: spoiled(func(w *httptest.ResponseRecorder) { w.Header().Del("Cache-Control") }), want: "Cache-Control"},
		{name: "a page", w: spoiled(func(w *httptest.ResponseRecorder) { w.Header().Set("Content-Type", "text/html") }), want: "Content-Type"},
	} {
		r, res := &recorder{TB: t}, tt.w.Result()
		res.Header = tt.w.Header()
		guardtest.WantProblem(r, res, 404, "not_found")
		if (r.failure == "") != (tt.want == "") || !strings.Contains(r.failure, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, r.failure, tt.want)
		}
	}
}
