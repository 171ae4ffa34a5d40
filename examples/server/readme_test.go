package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const readme = "../../README.md"

func readREADME(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(readme)
	if os.IsNotExist(err) {
		t.Skip("no README.md two folders up: this is a copy of the example")
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The table "What a caller sees" holds what a caller sees.
func TestREADMEResponses(t *testing.T) {
	t.Parallel()
	text := withoutIDs(readREADME(t))
	s := startService(t, nil)
	alice := s.bearer(t, "alice")
	patch := "/projects/0198f000-0000-7000-8000-00000000a11c"
	tests := []struct {
		row     string
		method  string
		path    string
		headers []string
		body    string
	}{
		{row: "no credential", method: "PATCH", path: patch, body: `{}`},
		{row: "a forged token", method: "PATCH", path: patch, body: `{}`, headers: []string{"Authorization: Bearer x.y.z", "Cookie: __Host-session=" + s.token(t, "alice")}},
		{row: "a cookie that another site's page sends", method: "PATCH", path: patch, body: `{}`,
			headers: []string{"Cookie: __Host-session=" + s.token(t, "alice"), "Sec-Fetch-Site: cross-site"}},
		{row: "a role that the caller lacks", method: "POST", path: "/admin/users/bob/role", body: `{"role":"admin"}`, headers: []string{alice}},
		{row: "another's project", path: "/projects/0198f000-0000-7000-8000-000000000b0b", headers: []string{alice}},
		{row: "another's project", path: "/projects/0198f000-0000-7000-8000-00000000dead", headers: []string{alice}},
		{row: "another's project", path: "/projects/17", headers: []string{alice}},
		{row: "`text/plain`", method: "PATCH", path: patch, body: `{}`, headers: []string{alice, "Content-Type: text/plain"}},
		{row: "300 KiB", method: "PATCH", path: patch, body: `{"name":"` + strings.Repeat("a", 300<<10) + `"}`, headers: []string{alice}},
		{row: "`{\"name\":\" ab \"}`", method: "PATCH", path: patch, body: `{"name":" ab "}`, headers: []string{alice}},
		{row: "`{\"ownerId\":\"bob\"}`", method: "PATCH", path: patch, body: `{"ownerId":"bob"}`, headers: []string{alice}},
		{row: "too many requests", method: "POST", path: "/contact", body: `{}`, headers: []string{"Repeat: 6"}},
	}
	for _, tt := range tests {
		got := s.do(t, tt.method, tt.path, tt.body, tt.headers...)
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(tt.row) + `.*$`).FindString(text)
		if !strings.Contains(row, "`"+strings.TrimSpace(withoutIDs(got.body))+"`") {
			t.Errorf("%s: got %d %s\nREADME: %s", tt.row, got.status, got.body, row)
		}
		if c := got.header.Get("WWW-Authenticate"); got.status == 401 && !strings.Contains(row, "`WWW-Authenticate: "+c+"`") {
			t.Errorf("%s: got challenge %q\nREADME: %s", tt.row, c, row)
		}
		if wait, err := strconv.Atoi(got.header.Get("Retry-After")); got.status == 429 && (err != nil || wait < 1 || wait > 12) {
			t.Errorf("got Retry-After %q, README says at most 12", got.header.Get("Retry-After"))
		}
	}
}

func withoutIDs(s string) string {
	return regexp.MustCompile(`"requestId":"[^"]+"`).ReplaceAllString(s, `"requestId":"…"`)
}
