package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/routeguard/guard"
)

func TestGuardsOnGin(t *testing.T) {
	t.Parallel()
	log := &strings.Builder{}
	errs := &guard.Responder{Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	h := newRouter(errs)
	h.GET("/typo/:note", guarded(guard.New(guard.Bearer(verify), guard.NoPayload,
		guard.Owned("noteID", guard.ParseString, load, (*Note).OwnedBy), guard.Unlimited("a test"), errs, show)))
	tests := []struct {
		name, method, path, token, body string
		status                          int
		want, route                     string
	}{
		{"one's own note", "GET", "/notes/1", "ada-demo", "", 200, "Ada's note", "GET /notes/:noteID"},
		{"another's note", "GET", "/notes/2", "ada-demo", "", 404, "not_found", "GET /notes/:noteID"},
		{"a missing note", "GET", "/notes/3", "ada-demo", "", 404, "not_found", "GET /notes/:noteID"},
		{"a needless escape is the same id", "GET", "/notes/%31", "ada-demo", "", 200, "Ada's note", "GET /notes/:noteID"},
		{"escaped text arrives decoded, once", "GET", "/notes/%C3%A4%20b", "ada-demo", "", 200, "Ada's other note", "GET /notes/:noteID"},
		{"and not twice", "GET", "/notes/%2531", "ada-demo", "", 404, "not_found", "GET /notes/:noteID"},
		{"an encoded slash is a slash, which no route has", "GET", "/notes/1%2F..%2F2", "ada-demo", "", 404, "404 page not found", ""},
		{"a control character", "GET", "/notes/1%00", "ada-demo", "", 404, "not_found", "GET /notes/:noteID"},
		{"nobody", "GET", "/notes/1", "forged", "", 401, "unauthenticated", "GET /notes/:noteID"},
		{"the eighth request of this caller", "GET", "/notes/1", "ada-demo", "", 200, "Ada's note", "GET /notes/:noteID"},
		{"the ninth", "GET", "/notes/1", "ada-demo", "", 429, "rate_limited", "GET /notes/:noteID"},
		{"another method of the path has a limit of its own", "PUT", "/notes/1", "ada-demo", `{"text":" New "}`, 200, `"New"`, "PUT /notes/:noteID"},
		{"bad input", "PUT", "/notes/1", "ada-demo", `{"text":" "}`, 400, "/text", "PUT /notes/:noteID"},
		{"a method that no route has", "DELETE", "/notes/1", "ada-demo", "", 404, "404 page not found", ""},
		{"a parameter that the route does not have", "GET", "/typo/1", "ada-demo", "", 500, "internal", "GET /typo/:note"},
	}
	for _, tt := range tests {
		log.Reset()
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
		if tt.route != "" && !strings.Contains(log.String(), `route="`+tt.route+`"`) {
			t.Errorf("%s: the log does not name the route %q:\n%s", tt.name, tt.route, log)
		}
	}
}

// A response that cannot be finished ends its connection, so that half an answer is not taken for a whole one. Behind
// gin's own recovery it is: that is why newRouter does without.
func TestHalfAnAnswerOnGin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		before []gin.HandlerFunc
		whole  bool
	}{
		{"a guard alone", nil, false},
		{"behind gin.Recovery", []gin.HandlerFunc{gin.RecoveryWithWriter(io.Discard)}, true},
	} {
		errs := &guard.Responder{Log: slog.New(slog.DiscardHandler)}
		h := newRouter(errs)
		h.GET("/stream/:noteID", append(tt.before, guarded(guard.New(guard.Bearer(verify), guard.NoPayload,
			guard.Owned("noteID", guard.ParseString, load, (*Note).OwnedBy), guard.Unlimited("a test"), errs, guard.Stream(half))))...)
		server := httptest.NewServer(h)
		defer server.Close()
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/stream/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer ada-demo")
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if b, err := io.ReadAll(response.Body); (err == nil) != tt.whole || string(b) != "half" {
			t.Errorf("%s: got %q, %v, want half an answer that looks whole: %t", tt.name, b, err, tt.whole)
		}
	}
}

func half(_ context.Context, _ *guard.Call[Caller, guard.None, *Note], w http.ResponseWriter) error {
	_, _ = io.WriteString(w, "half")
	if err := http.NewResponseController(w).Flush(); err != nil {
		return err
	}
	return errors.New("the other half is lost")
}
