package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard/openapi/openapitest"
)

func (s *service) document(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := writeOpenAPI(&b, s.mux.Routes()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The document is reviewed as the routes are: what changes in it is seen here.
func TestDocumentIsReviewed(t *testing.T) {
	t.Parallel()
	const file = "testdata/openapi.json"
	doc := startService(t, nil).document(t)
	if os.Getenv("GUARD_UPDATE") != "" {
		if err := os.WriteFile(file, doc, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(doc, want) {
		got, old := strings.Split(string(doc), "\n"), strings.Split(string(want), "\n")
		n := 0
		for n < min(len(got), len(old)) && got[n] == old[n] {
			n++
		}
		t.Errorf("the document differs from %s, first in line %d: run the test with GUARD_UPDATE=1 and review the difference\n%s",
			file, n+1, strings.Join(got[n:min(n+10, len(got))], "\n"))
	}
}

// described checks a response against the document. Every test that sends with do gets here.
func (s *service) described(t *testing.T, method, target string, r response) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		return
	}
	for _, route := range s.mux.Routes() {
		if route.Method() != method || route.Unguarded != "" || !fits(route.Path(), u.EscapedPath()) {
			continue
		}
		if err := s.contract.Check(method, route.Path(), r.status, r.header, []byte(r.body)); err != nil {
			t.Errorf("not as the document has it: %v", err)
		}
	}
}

// fits reports whether a path is one of a pattern's.
func fits(pattern, path string) bool {
	names, values := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i := range names {
		if len(names) != len(values) || values[i] == "." || values[i] == ".." ||
			names[i] != values[i] && (!strings.HasPrefix(names[i], "{") || values[i] == "") {
			return false
		}
	}
	return true
}

// Requests that are made of nothing but the document are taken where it says so, and refused where not.
func TestGuardsKeepTheDocument(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"CALLER_LIMIT": "100000", "TRUSTED_PROXIES": "127.0.0.0/8,::1/128",
		"WEBHOOK_SECRET": billingSettings["WEBHOOK_SECRET"]})
	valid, invalid := map[string]int{}, map[string]int{}
	for i, r := range s.contract.Requests() {
		if strings.HasPrefix(r.Name, "header Webhook-") || strings.HasPrefix(r.Name, "query cursor: ") && r.Valid {
			continue // this test signs the messages itself, and which cursor is one of an earlier page the handler knows
		}
		req := s.request(t, r, i)
		res := send(t, req)
		refused := res.status == http.StatusBadRequest || res.status == http.StatusUnsupportedMediaType || res.status == http.StatusRequestEntityTooLarge
		// A password out of the document is a wrong one.
		if taken := res.status < 400 || r.Path == "/login" && res.status == http.StatusUnauthorized; taken != r.Valid || refused == r.Valid {
			t.Errorf("%s: got %d %s, want valid %t\n%s", r, res.status, res.body, r.Valid, r.Body)
		}
		s.described(t, r.Method, req.URL.RequestURI(), res)
		if route := r.Method + " " + r.Path; r.Valid {
			valid[route]++
		} else {
			invalid[route]++
		}
	}
	for _, route := range s.mux.Routes() {
		if route.Unguarded != "" {
			continue
		}
		if valid[route.Pattern] == 0 || len(route.What.Fields) > 0 && invalid[route.Pattern] < 3 {
			t.Errorf("%s: got %d valid and %d invalid requests", route.Pattern, valid[route.Pattern], invalid[route.Pattern])
		}
	}
}

// request adds what the document cannot know: a credential, the id of a resource, a signature. Each request comes
// from a network of its own, so that no limit is reached.
func (s *service) request(t *testing.T, r openapitest.Request, i int) *http.Request {
	t.Helper()
	bearer := s.bearer(t, "admin", func(claims jwt.MapClaims) { claims["jti"] = fmt.Sprint("token ", i) })
	if _, ok := r.PathValues["projectID"]; ok {
		r.PathValues["projectID"] = s.newProject(t, bearer)
	}
	if _, ok := r.PathValues["userID"]; ok {
		r.PathValues["userID"] = "bob"
	}
	req, err := r.HTTP(s.url)
	if err != nil {
		t.Fatal(err)
	}
	fields := []string{bearer, fmt.Sprintf("X-Forwarded-For: 10.%d.%d.1", i/256, i%256)}
	if r.Path == "/webhooks/billing" {
		fields = append(fields[1:], signed(fmt.Sprint("msg_", i), time.Now(), string(r.Body), billingKey)...)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Set(name, value)
	}
	return req
}

// newProject is a project to change and delete.
func (s *service) newProject(t *testing.T, bearer string) string {
	t.Helper()
	res := s.do(t, "POST", "/projects", `{"name":"For one request","summary":"A project that one request may change.","visibility":"team"}`, bearer)
	var created OneProject
	if err := json.Unmarshal([]byte(res.body), &created); err != nil || res.status != http.StatusCreated {
		t.Fatalf("got %d %s", res.status, res.body)
	}
	return created.Project.ID.String()
}
