package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/routeguard/guard"
)

const (
	app     = "https://app.example.com"
	sibling = "https://blog.example.com" // same site: a Lax cookie comes along
	evil    = "https://app.example.com.evil.example"
)

func verify(_ context.Context, token string) (User, error) {
	if token == "ada-code" {
		return User{"ada"}, nil
	}
	return User{}, guard.ErrNoSession
}

func serve(t *testing.T, pages ...string) *httptest.Server {
	t.Helper()
	h, err := newHandler(pages, verify, &guard.Responder{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

func send(t *testing.T, server *httptest.Server, method, path, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(b)
}

func TestPages(t *testing.T) {
	t.Parallel()
	server := serve(t, app)
	const cookie, typ = "Cookie: __Host-session=ada-code", "Content-Type: application/json"
	tests := []struct {
		name, method, path, origin, body string
		fields                           []string
		status                           int
		readable                         bool
	}{
		{"the page's sign-in", "POST", "/session", app, `{"code":"ada-code"}`, []string{typ}, 204, true},
		{"the page may read why it was refused", "POST", "/session", app, `{"code":"wrong"}`, []string{typ}, 401, true},
		{"another page cannot sign its visitor in", "POST", "/session", evil, `{"code":"ada-code"}`, []string{typ}, 403, false},
		{"the page reads", "GET", "/profile", app, "", []string{cookie}, 200, true},
		{"the page writes", "PUT", "/profile", app, `{"name":"Ada"}`, []string{cookie, typ}, 200, true},
		{"a foreign page neither writes nor reads", "PUT", "/profile", evil, `{"name":"Eve"}`, []string{cookie, typ}, 403, false},
		{"nor does a sibling", "PUT", "/profile", sibling, `{"name":"Eve"}`, []string{cookie, typ, "Sec-Fetch-Site: same-site"}, 403, false},
		{"nor a sandboxed frame", "PUT", "/profile", "null", `{"name":"Eve"}`, []string{cookie, typ}, 403, false},
		{"nor the page over plain HTTP", "PUT", "/profile", "http://app.example.com", `{"name":"Eve"}`, []string{cookie, typ}, 403, false},
		{"a form's content type needs no preflight and is not JSON", "PUT", "/profile", app, `{"name":"Eve"}`, []string{cookie, "Content-Type: text/plain"}, 415, true},
		{"a foreign page cannot read what its visitor may", "GET", "/profile", evil, "", []string{cookie}, 200, false},
		{"no session", "GET", "/profile", app, "", nil, 401, true},
	}
	for _, tt := range tests {
		r, body := send(t, server, tt.method, tt.path, tt.body, append(tt.fields, "Origin: "+tt.origin)...)
		if r.StatusCode != tt.status {
			t.Errorf("%s: got %d %s, want %d", tt.name, r.StatusCode, body, tt.status)
		}
		want, credentials := "", ""
		if tt.readable {
			want, credentials = tt.origin, "true"
		}
		if got := r.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: got Access-Control-Allow-Origin %q, want %q", tt.name, got, want)
		}
		if got := r.Header.Get("Access-Control-Allow-Credentials"); got != credentials {
			t.Errorf("%s: got Access-Control-Allow-Credentials %q, want %q", tt.name, got, credentials)
		}
		if !strings.Contains(strings.Join(r.Header.Values("Vary"), ","), "Origin") {
			t.Errorf("%s: got Vary %q, want Origin: a cache would hand the answer to other pages", tt.name, r.Header.Values("Vary"))
		}
		if exposed := r.Header.Get("Access-Control-Expose-Headers"); tt.readable && !strings.Contains(exposed, "X-Request-Id") {
			t.Errorf("%s: got exposed headers %q, want the request id", tt.name, exposed)
		}
	}
}

// A browser asks before it sends JSON. The answer comes from in front of the guards, which would ask for a session.
func TestPreflight(t *testing.T) {
	t.Parallel()
	server := serve(t, app)
	for _, tt := range []struct {
		name, origin, method, fields string
		allowed                      bool
	}{
		{"the page", app, "PUT", "content-type", true},
		{"a foreign page", evil, "PUT", "content-type", false},
		{"a method that no page needs", app, "DELETE", "content-type", false},
		{"a header that no page needs", app, "PUT", "x-api-key", false},
	} {
		r, _ := send(t, server, "OPTIONS", "/profile", "", "Origin: "+tt.origin,
			"Access-Control-Request-Method: "+tt.method, "Access-Control-Request-Headers: "+tt.fields)
		if r.StatusCode != 204 {
			t.Errorf("%s: got %d, want 204", tt.name, r.StatusCode)
		}
		h := r.Header
		allowed := h.Get("Access-Control-Allow-Origin") == tt.origin && h.Get("Access-Control-Allow-Methods") == tt.method &&
			h.Get("Access-Control-Allow-Headers") == tt.fields && h.Get("Access-Control-Allow-Credentials") == "true"
		if allowed != tt.allowed || !tt.allowed && h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: got %v, want allowed %t", tt.name, h, tt.allowed)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for _, pages := range [][]string{{"*"}, {"https://*.example.com"}, {"null"}, {"app.example.com"}, {app + "/"}} {
		if _, err := newHandler(pages, verify, &guard.Responder{}); err == nil {
			t.Errorf("the service starts with the origins %q", pages)
		}
	}
	r, _ := send(t, serve(t), "GET", "/profile", "", "Origin: "+app, "Cookie: __Host-session=ada-code")
	if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("without a list: got Access-Control-Allow-Origin %q, want none", got)
	}
}
