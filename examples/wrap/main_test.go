package main

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/routeguard/guard"
)

func TestOldHandlerBehindAGuard(t *testing.T) {
	t.Parallel()
	s := &service{albums: map[string]Album{"1": {"1", "ada", "Summer"}, "2": {"2", "bob", "Winter"}}}
	users := guard.Bearer(func(_ context.Context, token string) (Caller, error) {
		if token == "ada-token" {
			return Caller{"ada"}, nil
		}
		return Caller{}, guard.ErrNoSession
	})
	h := s.routes(users, &guard.Responder{Log: slog.New(slog.DiscardHandler)})
	tests := []struct {
		name, path, token, body string
		status                  int
		want                    string
	}{
		{"one's own album; the handler gets the bytes and not the credential", "/albums/1", "ada-token", ` {"title":"Autumn"} `, 200,
			`renamed, 20 bytes, credential ""`},
		{"another's album", "/albums/2", "ada-token", `{"title":"Mine"}`, 404, "not_found"},
		{"a missing album", "/albums/3", "ada-token", `{"title":"Mine"}`, 404, "not_found"},
		{"what the old parser would have taken", "/albums/1", "ada-token", `{"title":"Ok","title":"Twice"}`, 400, "duplicate_field"},
		{"nobody", "/albums/1", "forged", `{"title":"Mine"}`, 401, "unauthenticated"},
		{"the fifth try", "/albums/1", "ada-token", `{"title":"x"} {}`, 400, "trailing_data"},
		{"the sixth", "/albums/1", "ada-token", `{"title":"x"}`, 429, "rate_limited"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("PUT", tt.path, strings.NewReader(tt.body))
		r.Header.Set("Authorization", "Bearer "+tt.token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: got %d %s, want %d with %q", tt.name, w.Code, w.Body, tt.status, tt.want)
		}
	}
	if got := s.albums["1"].Title + " " + s.albums["2"].Title; got != "Autumn Winter" {
		t.Errorf("got titles %q, want Autumn Winter", got)
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/version", nil))
	if w.Body.String() != "1.4\n" {
		t.Errorf("a route that is not moved yet: got %q", w.Body)
	}
}

// The row changes hands between the guard's check and the handler's write.
func TestOldHandlerChecksTheOwnerAgain(t *testing.T) {
	t.Parallel()
	s := &service{albums: map[string]Album{"1": {"1", "ada", "Summer"}}}
	users := guard.Bearer(func(context.Context, string) (Caller, error) { return Caller{"ada"}, nil })
	h := s.routes(users, &guard.Responder{Log: slog.New(slog.DiscardHandler)})
	r := httptest.NewRequest("PUT", "/albums/1", &sold{strings.NewReader(`{"title":"Mine"}`), s})
	r.Header.Set("Authorization", "Bearer ada-token")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if a := s.albums["1"]; w.Code != 404 || a.Title != "Summer" {
		t.Errorf("got %d and title %q, want 404 and Summer", w.Code, a.Title)
	}
}

// sold is a body whose arrival takes so long that the album has another owner by then.
type sold struct {
	*strings.Reader
	s *service
}

func (b *sold) Read(p []byte) (int, error) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.s.albums["1"] = Album{"1", "bob", "Summer"}
	return b.Reader.Read(p)
}
