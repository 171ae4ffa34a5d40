package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/routeguard/guard/checklist"
	"github.com/routeguard/guard/examples/server/store"
	"github.com/routeguard/guard/guardtest"
)

// Every route is attacked: see the report with go test -v -run Attack.
func TestAttack(t *testing.T) {
	t.Parallel()
	guardtest.Attack(t, func(t *testing.T) (guardtest.Target, guardtest.Fixtures) {
		s := startService(t, map[string]string{"CALLER_LIMIT": "60", "WEBHOOK_SECRET": billingSettings["WEBHOOK_SECRET"]})
		return struct {
			http.Handler
			checklist.List
		}{s.handler(s.mux), s.mux.Routes()}, s.fixtures(t)
	})
}

func (s *service) fixtures(t *testing.T) guardtest.Fixtures {
	user := func(id, project string, change ...func(jwt.MapClaims)) guardtest.User {
		token := s.token(t, id, change...)
		return guardtest.User{ID: id, Bearer: token, Cookie: token, IDs: map[string]string{"projectID": project}}
	}
	claim := func(name string, value any) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c[name] = value } }
	without := func(name string) func(jwt.MapClaims) { return func(c jwt.MapClaims) { delete(c, name) } }
	alice, bob, admin := user("alice", aliceProject), user("bob", bobProject), user("admin", "")
	alice.APIKey = store.DemoAPIKey
	alice.Secrets = []string{"alice@example.com"}
	bob.Secrets = []string{"bob@example.com", "Family recipe archive", "Scan three generations of handwritten recipe cards"}
	admin.IDs = map[string]string{"userID": "bob"}
	s.moreProjects(t, "alice", 2) // so that her list has pages, and the search two results
	// A token that says more than the database does, which alone counts.
	claimsAdmin := user("alice", "", claim("role", "admin"), claim("roles", []string{"admin"}), claim("isAdmin", true), claim("admin", true), claim("scope", "admin"))
	name, summary := "A new street", strings.Repeat("A summary. ", 3) // as the search looks for it
	return guardtest.Fixtures{
		Owner: alice, Stranger: bob,
		Roles: map[string]guardtest.Role{
			"Session.IsAdmin":    {With: admin, Without: claimsAdmin},
			"Session.IsSignedIn": {Without: guardtest.User{APIKey: store.DemoAPIKey}},
		},
		Inputs: []guardtest.Input{
			guardtest.Valid("POST /login", Login{Email: "alice@example.com", Password: seedPassword}),
			guardtest.Refused("POST /login", Login{"alice@example.com", "wrong"}, Login{"nobody@example.com", seedPassword}, Login{"disabled@example.com", seedPassword}),
			guardtest.Valid("POST /projects", CreateProject{Name: name, Summary: summary, Visibility: store.VisibilityTeam}),
			guardtest.Valid("PATCH /projects/{projectID}", UpdateProject{Name: &name}),
			guardtest.Valid("POST /ai/complete", Completion{Prompt: "Plan a week."}),
			guardtest.Valid("GET /search", Search{Q: "street"}),
			guardtest.Valid("POST /contact", Contact{Email: "reader@example.com", Message: "Hello there, hello."}),
			guardtest.Valid("POST /admin/users/{userID}/role", SetRole{Role: store.RoleAdmin}),
			guardtest.Valid("POST /uploads/avatar", UploadAvatar{Avatar: guardtest.File("me.png", "image/png", []byte(png+"data"))}),
			guardtest.Valid("POST /webhooks/billing", BillingEvent{Type: "invoice.paid", Data: []byte(`{"amount":1700}`)}),
		},
		Bad: map[string]guardtest.User{
			"expired":              user("alice", "", claim("exp", time.Now().Add(-time.Hour).Unix())),
			"revoked":              user("alice", "", claim("jti", "revoked-1")),
			"just expired":         user("alice", "", claim("exp", time.Now().Add(-2*time.Minute).Unix())),
			"of another issuer":    user("alice", "", claim("iss", "https://another.example")),
			"without an issuer":    user("alice", "", without("iss")),
			"without an audience":  user("alice", "", without("aud")),
			"without an id":        user("alice", "", without("jti")),
			"without an end":       user("alice", "", without("exp")),
			"of nobody":            user("", ""),
			"a user's id":          {APIKey: "alice"},
			"a key's hash":         {APIKey: fmt.Sprintf("%x", store.APIKeyHash(store.DemoAPIKey))},
			"for another audience": user("alice", "", claim("aud", "another")),
			"of a disabled user":   user("disabled-user", ""),
			"of a deleted user":    user("deleted-user", ""),
		},
		Deleted: map[string]string{"projectID": s.deletedProject(t), "userID": "deleted-user"},
		Sign:    signBilling,
		SignOut: "POST /logout",
		Never:   []string{string(s.key), seedPassword, string(billingKey), "$argon2"},
	}
}

// moreProjects adds projects of a user, which everybody may find.
func (s *service) moreProjects(t *testing.T, owner string, n int) {
	t.Helper()
	for range n {
		if _, err := s.store.CreateProject(t.Context(), owner, store.NewProject{Name: "Another street", Visibility: store.VisibilityTeam}); err != nil {
			t.Fatal(err)
		}
	}
}

// deletedProject is the id of a project that alice had.
func (s *service) deletedProject(t *testing.T) string {
	t.Helper()
	p, err := s.store.CreateProject(t.Context(), "alice", store.NewProject{Name: "Given up", Summary: "", Visibility: store.VisibilityTeam})
	if err == nil {
		err = s.store.DeleteProject(t.Context(), p.ID, "alice")
	}
	if err != nil {
		t.Fatal(err)
	}
	return p.ID.String()
}

// signBilling signs a new message of the billing service.
func signBilling(r *http.Request, body []byte, at time.Time) {
	for _, field := range signed(uuid.NewString(), at, string(body), billingKey) {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, value)
	}
}
