package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
	"github.com/routeguard/guard/guardtest"
)

func TestGuardsOnChi(t *testing.T) {
	t.Parallel()
	log := &strings.Builder{}
	h, _ := newRouter(&guard.Responder{Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	tests := []struct {
		name, method, path, token, body string
		status                          int
		want                            string
	}{
		{"one's own note", "GET", "/notes/1", "ada-demo", "", 200, "Ada's note"},
		{"another's note", "GET", "/notes/2", "ada-demo", "", 404, "not_found"},
		{"a missing note", "GET", "/notes/3", "ada-demo", "", 429, "rate_limited"}, // the third GET
		{"a needless escape stays there and names nothing", "PUT", "/notes/%31", "ada-demo", `{"text":"New"}`, 404, "not_found"},
		{"an edit has a limit of its own", "PUT", "/notes/1", "ada-demo", `{"text":" New "}`, 200, `"New"`},
		{"an encoded slash stays there, too", "PUT", "/notes/1%2F..%2F2", "ada-demo", `{"text":"New"}`, 404, "not_found"},
		{"bad input", "PUT", "/notes/1", "ada-demo", `{"text":" "}`, 400, "/text"},
		{"nobody", "GET", "/notes/1", "x", "", 401, "unauthenticated"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		r.Header.Set("Authorization", "Bearer "+tt.token)
		if tt.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: got %d %s, want %d with %q", tt.name, w.Code, w.Body, tt.status, tt.want)
		}
	}
	if got := strings.Count(log.String(), "route=/notes/{noteID}"); got != len(tests) {
		t.Errorf("the log names chi's pattern %d times, want %d:\n%s", got, len(tests), log)
	}
}

// The list of a router's guards takes the place of guard.Mux.
func TestRoutesAreReviewed(t *testing.T) {
	t.Parallel()
	_, list := newRouter(&guard.Responder{})
	guardtest.Golden(t, list, "testdata/routes.golden")
}

func TestAttack(t *testing.T) {
	t.Parallel()
	guardtest.Attack(t, func(*testing.T) (guardtest.Target, guardtest.Fixtures) {
		router, list := newRouter(&guard.Responder{Log: slog.New(slog.DiscardHandler)})
		return struct {
				http.Handler
				checklist.List
			}{router, list}, guardtest.Fixtures{
				Owner:    guardtest.User{ID: "ada", Bearer: "ada-demo", IDs: map[string]string{"noteID": "1"}, Secrets: []string{"Ada's note"}},
				Stranger: guardtest.User{ID: "bob", Bearer: "bob-demo", IDs: map[string]string{"noteID": "2"}, Secrets: []string{"Bob's note"}},
				Inputs:   []guardtest.Input{guardtest.Valid("PUT /notes/{noteID}", EditNote{Text: "New"})},
			}
	})
}
