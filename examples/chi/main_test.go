package main

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/routeguard/guard"
)

func TestGuardsOnChi(t *testing.T) {
	t.Parallel()
	log := &strings.Builder{}
	h := newRouter(&guard.Responder{Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
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
