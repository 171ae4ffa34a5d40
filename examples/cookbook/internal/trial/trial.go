// Package trial tries a recipe: a database on disk, callers with tokens, requests and what is expected of them.
package trial

import (
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/routeguard/guard"
)

// DB opens an empty database with a schema. Its connections really run side by side.
func DB(t *testing.T, schema string) *sql.DB {
	t.Helper()
	settings := url.Values{"_journal_mode": {"WAL"}, "_busy_timeout": {"60000"}, "_foreign_keys": {"on"}, "_txlock": {"immediate"},
		"_synchronous": {"OFF"}, "_dqs": {"0"}}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "test.db"))+"?"+settings.Encode())
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(4)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	Exec(t, db, schema)
	return db
}

// Exec runs a statement that must succeed.
func Exec(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Text is the one value of a query.
func Text(t *testing.T, db *sql.DB, query string, args ...any) string {
	t.Helper()
	var text string
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}

// Callers takes the names of the map as bearer tokens. The map may be changed between requests.
func Callers[S guard.Principal](sessions map[string]S) guard.Authenticator[S] {
	return guard.Bearer(func(_ context.Context, token string) (S, error) {
		s, ok := sessions[token]
		if !ok {
			return s, guard.ErrNoSession
		}
		return s, nil
	})
}

// Errs is a Responder that logs what a failed test needs.
func Errs(t *testing.T) *guard.Responder {
	return &guard.Responder{Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

// Discard is for requests whose errors are what the test wants.
var Discard = slog.New(slog.DiscardHandler)

// Case is a request, and what its caller gets.
type Case struct {
	Name   string
	As     string   // the token
	Do     string   // method and path
	Body   string   // JSON; empty: none
	Fields []string // more header fields, such as `If-Match: "1"`
	Status int
	Want   string // part of the body
}

// Run sends the cases in their order.
func Run(t *testing.T, h http.Handler, cases []Case) {
	t.Helper()
	for _, c := range cases {
		w := Send(h, c.As, c.Do, c.Body, c.Fields...)
		if w.Code != c.Status || !strings.Contains(w.Body.String(), c.Want) {
			t.Errorf("%s: got %d %s, want %d with %q", c.Name, w.Code, strings.TrimSpace(w.Body.String()), c.Status, c.Want)
		}
	}
}

// Send sends one request.
func Send(h http.Handler, as, do, body string, fields ...string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(do, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
