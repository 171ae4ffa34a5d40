package roles

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/internal/trial"
)

const (
	plan    = "/documents/0198f000-0000-7000-8000-0000000000a1"
	missing = "/documents/0198f000-0000-7000-8000-00000000dead"
)

func newService(t *testing.T) Service {
	t.Helper()
	db := trial.DB(t, Schema)
	trial.Exec(t, db, `INSERT INTO documents VALUES ('0198f000-0000-7000-8000-0000000000a1', 'The plan')`)
	trial.Exec(t, db, `INSERT INTO members SELECT id, 'olga', 'owner' FROM documents
		UNION SELECT id, 'emil', 'editor' FROM documents UNION SELECT id, 'vera', 'viewer' FROM documents`)
	return Service{db}
}

var users = map[string]User{"olga": {"olga"}, "emil": {"emil"}, "vera": {"vera"}, "eve": {"eve"}}

func TestRoles(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.Routes(trial.Callers(users), trial.Errs(t))
	trial.Run(t, h, []trial.Case{
		{Name: "a viewer reads", As: "vera", Do: "GET " + plan, Status: 200, Want: `"role":"viewer"`},
		{Name: "a viewer who writes", As: "vera", Do: "PATCH " + plan, Body: `{"text":"Vera's"}`, Status: 403, Want: "role"},
		{Name: "a viewer's bad body is a 403 as well", As: "vera", Do: "PATCH " + plan, Body: `{`, Status: 403, Want: "role"},
		{Name: "a viewer who makes herself an editor", As: "vera", Do: "PUT " + plan + "/members/vera", Body: `{"role":"editor"}`, Status: 403, Want: "role"},
		{Name: "an editor writes", As: "emil", Do: "PATCH " + plan, Body: `{"text":"Emil's"}`, Status: 204},
		{Name: "an editor who makes himself an owner", As: "emil", Do: "PUT " + plan + "/members/emil", Body: `{"role":"owner"}`, Status: 403, Want: "role"},
		{Name: "a stranger reads", As: "eve", Do: "GET " + plan, Status: 404, Want: "not_found"},
		{Name: "a stranger writes", As: "eve", Do: "PATCH " + plan, Body: `{"text":"Eve's"}`, Status: 404, Want: "not_found"},
		{Name: "a stranger invites herself", As: "eve", Do: "PUT " + plan + "/members/eve", Body: `{"role":"owner"}`, Status: 404, Want: "not_found"},
		{Name: "a missing document", As: "olga", Do: "GET " + missing, Status: 404, Want: "not_found"},
		{Name: "a role that is none", As: "olga", Do: "PUT " + plan + "/members/vera", Body: `{"role":"admin"}`, Status: 400, Want: "oneof"},
		{Name: "an owner who leaves nobody in charge", As: "olga", Do: "PUT " + plan + "/members/olga", Body: `{"role":"viewer"}`, Status: 409, Want: "own_role"},
		{Name: "an owner promotes", As: "olga", Do: "PUT " + plan + "/members/vera", Body: `{"role":"editor"}`, Status: 204},
		{Name: "a role counts at once", As: "vera", Do: "PATCH " + plan, Body: `{"text":"Vera's"}`, Status: 204},
		{Name: "an owner demotes", As: "olga", Do: "PUT " + plan + "/members/vera", Body: `{"role":"viewer"}`, Status: 204},
		{Name: "and that counts at once, too", As: "vera", Do: "PATCH " + plan, Body: `{"text":"Again"}`, Status: 403, Want: "role"},
	})
	if got := trial.Text(t, s.DB, `SELECT text FROM documents`); got != "Vera's" {
		t.Errorf("got text %q, want Vera's", got)
	}
}

// The role is withdrawn between the guard's check and the handler's write.
func TestRoleIsWithdrawnBeforeTheWrite(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx, id := t.Context(), uuid.MustParse("0198f000-0000-7000-8000-0000000000a1")
	edited, err := s.editable(ctx, users["emil"], id)
	if err != nil {
		t.Fatal(err)
	}
	owned, err := s.owned(ctx, users["olga"], id)
	if err != nil {
		t.Fatal(err)
	}
	trial.Exec(t, s.DB, `UPDATE members SET role = 'viewer'`)
	if _, err := s.edit(ctx, &guard.Call[User, Edit, *Document]{Caller: users["emil"], Input: Edit{"Late"}, Resource: edited}); !errors.Is(err, guard.ErrNotFound) {
		t.Errorf("edit: got %v, want ErrNotFound", err)
	}
	late := &guard.Call[User, SetRole, *Document]{Caller: users["olga"], Input: SetRole{"eve", "owner"}, Resource: owned}
	if _, err := s.setRole(ctx, late); !errors.Is(err, guard.ErrNotFound) {
		t.Errorf("setRole: got %v, want ErrNotFound", err)
	}
	if got := trial.Text(t, s.DB, `SELECT text || (SELECT count(*) FROM members) FROM documents`); got != "The plan3" {
		t.Errorf("got %q, want the plan with its 3 members", got)
	}
}
