package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/routeguard/guard/examples/server/password"
	"github.com/routeguard/guard/examples/server/store"
)

// fuzzHandler is the whole service without a socket. Alice calls with her API key.
func fuzzHandler(f *testing.F) http.Handler {
	f.Helper()
	cfg, err := loadConfig(func(name string) string {
		return map[string]string{"CALLER_LIMIT": "1000000", "TRUSTED_PROXIES": "192.0.2.0/24"}[name]
	})
	if err != nil {
		f.Fatal(err)
	}
	db, err := store.Open(f.Context(), "")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	if _, err := db.SeedDemo(f.Context(), "not a hash"); err != nil {
		f.Fatal(err)
	}
	a := &app{store: db, passwords: password.New(1), tokens: signer{key: cfg.jwtHS256Key, issuer: cfg.jwtIssuer, audience: cfg.jwtAudience}}
	mux, err := a.routes(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	return mux
}

// told is everything that a refusal may say of a field: its pointer, code and message. A value or a name that the caller
// made up is not in it.
var told = map[string][]string{
	"": {"required must not be empty", "required must have at least one of name, summary and visibility", "syntax is not valid JSON",
		"encoding must be JSON in valid UTF-8", "encoding must be JSON in UTF-8 without a byte order mark", "type must be an object",
		"trailing_data must be one JSON object with nothing after it", "unknown_field has an unknown field",
		"duplicate_field has a field that is given more than once"},
	"/name": {"type must be a string", "null must not be null", "min must be at least 3 characters", "max must be at most 80 characters",
		"single_line must be one line without control characters", "duplicate_field is given more than once"},
	"/summary":    {"type must be a string", "null must not be null", "min must be at least 20 characters", "max must be at most 300 characters", "duplicate_field is given more than once"},
	"/visibility": {"type must be a string", "null must not be null", "oneof must be one of: private, team", "duplicate_field is given more than once"},
	"query": {"unknown_parameter has an unknown parameter", "syntax is not encoded correctly", "too_many has too many parameters",
		"too_long is too long"},
	"query/q": {"required is required", "min must be at least 2 characters", "max must be at most 64 characters", "repeated must be given only once",
		"characters contains characters that are not allowed", "encoding must be valid UTF-8"},
	"query/limit": {"type must be a whole number", "range is out of range", "min must be at least 1", "max must be at most 50", "repeated must be given only once",
		"characters contains characters that are not allowed", "encoding must be valid UTF-8"},
}

// judge checks what every response has to keep, whatever was sent: it is no failure of the service, a refusal is a problem with a
// fixed vocabulary, and a success is JSON.
func judge(t *testing.T, w *httptest.ResponseRecorder, titles ...string) {
	t.Helper()
	body := w.Body.String()
	if w.Code >= 500 || w.Header().Get("X-Request-Id") == "" {
		t.Fatalf("got %d %s", w.Code, body)
	}
	if w.Code < 400 {
		if !json.Valid([]byte(body)) {
			t.Fatalf("got %d %s", w.Code, body)
		}
		return
	}
	var p struct {
		Type, Title, Code, RequestID string
		Status                       int
		Errors                       []struct{ Pointer, Code, Message string }
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("got %d %s: %v", w.Code, body, err)
	}
	if p.Type != "about:blank" || p.Status != w.Code || p.RequestID != w.Header().Get("X-Request-Id") || !slices.Contains(titles, p.Title) {
		t.Fatalf("got %s", body)
	}
	for _, e := range p.Errors {
		if !slices.Contains(told[e.Pointer], e.Code+" "+e.Message) {
			t.Fatalf("%q says %q: %s", e.Pointer, e.Message, e.Code)
		}
	}
}

// FuzzPatch sends any body with any media type through the whole service. Invariant: see judge; and a body that is
// accepted leaves a project whose fields keep their rules.
func FuzzPatch(f *testing.F) {
	h := fuzzHandler(f)
	for _, s := range hostileJSON() {
		if len(s.body) < 4<<10 {
			f.Add("application/json", s.body)
		}
	}
	for _, s := range hostileFields() {
		f.Add("application/json; charset=utf-8", s.body)
	}
	f.Add("application/json", `{"name":"two\nlines"}`)
	f.Add("application/json", `{"name":"  A new name ","summary":"Twenty characters, or more.","visibility":"team"}`)
	f.Fuzz(func(t *testing.T, mediaType, body string) {
		r := httptest.NewRequest("PATCH", "/projects/"+aliceProject, strings.NewReader(body))
		r.Header.Set("Content-Type", mediaType)
		r.Header.Set("X-API-Key", store.DemoAPIKey)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		judge(t, w, "Invalid request body.", "Request body too large.", "Unsupported media type.")
		if w.Code != 200 {
			return
		}
		var got OneProject
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		p := got.Project
		if n := len([]rune(p.Name)); n < 3 || n > 80 || p.Name != strings.TrimSpace(p.Name) || strings.ContainsFunc(p.Name, unicode.IsControl) || p.Visibility != "team" && p.Visibility != "private" {
			t.Fatalf("accepted %+v from %q", p, body)
		}
	})
}

// FuzzSearch sends any query through the whole service. Invariant: see judge.
func FuzzSearch(f *testing.F) {
	h := fuzzHandler(f)
	for _, s := range hostileParameters() {
		if _, query, ok := strings.Cut(s.path, "?"); ok && len(query) < 4<<10 {
			f.Add(query)
		}
	}
	f.Add("q=street&limit=5")
	n := 0
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/search", nil)
		r.URL = &url.URL{Path: "/search", RawQuery: query}
		n++ // each from an address of its own, so that no limit refuses them
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.%d.%d.%d", n>>16&255, n>>8&255, n&255))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		judge(t, w, "Invalid request parameters.")
	})
}
