package admin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/internal/trial"
)

const (
	alices  = "projects/0198f000-0000-7000-8000-0000000000a1"
	ronas   = "projects/0198f000-0000-7000-8000-0000000000b1"
	missing = "projects/0198f000-0000-7000-8000-00000000dead"
	body    = `{"name":"Renamed","reason":"the owner asked for it, ticket 7"}`
)

func newService(t *testing.T) Service {
	t.Helper()
	db := trial.DB(t, Schema)
	trial.Exec(t, db, `INSERT INTO projects VALUES ('0198f000-0000-7000-8000-0000000000a1', 'alice', 'Hers'),
		('0198f000-0000-7000-8000-0000000000b1', 'rona', 'The admin''s own')`)
	return Service{db}
}

func newUsers() map[string]User {
	now := time.Now()
	return map[string]User{"alice": {"alice", false, now}, "rona": {"rona", true, now}, "rona-yesterday": {"rona", true, now.Add(-24 * time.Hour)}}
}

func TestAdmins(t *testing.T) {
	t.Parallel()
	s, users := newService(t), newUsers()
	h := s.Routes(trial.Callers(users), trial.Errs(t))
	trial.Run(t, h, []trial.Case{
		{Name: "a member on an admin's route", As: "alice", Do: "PATCH /admin/" + alices, Body: body, Status: 403, Want: "forbidden"},
		{Name: "which does not tell what exists", As: "alice", Do: "PATCH /admin/" + missing, Body: body, Status: 403, Want: "forbidden"},
		{Name: "an admin on a user's route", As: "rona", Do: "PATCH /" + alices, Body: `{"name":"Mine"}`, Status: 404, Want: "not_found"},
		{Name: "an admin's own project", As: "rona", Do: "PATCH /" + ronas, Body: `{"name":"Still hers"}`, Status: 204},
		{Name: "an admin who signed in yesterday", As: "rona-yesterday", Do: "PATCH /admin/" + alices, Body: body, Status: 403, Want: "forbidden"},
		{Name: "no reason", As: "rona", Do: "PATCH /admin/" + alices, Body: `{"name":"Renamed"}`, Status: 400, Want: "/reason"},
		{Name: "a blank reason", As: "rona", Do: "PATCH /admin/" + alices, Body: `{"name":"Renamed","reason":"             "}`, Status: 400, Want: "/reason"},
		{Name: "a missing project", As: "rona", Do: "PATCH /admin/" + missing, Body: body, Status: 404, Want: "not_found"},
	})
	if got := trial.Text(t, s.DB, `SELECT count(*) FROM admin_actions`); got != "0" {
		t.Errorf("got %s records of what was refused, want none", got)
	}

	w := trial.Send(h, "rona", "PATCH /admin/"+alices, body)
	if w.Code != 204 {
		t.Fatalf("got %d %s, want 204", w.Code, w.Body)
	}
	const record = `SELECT concat_ws('|', a.admin_id, a.owner_id, a.action, a.reason, a.request_id, p.name)
		FROM admin_actions a JOIN projects p ON p.id = a.project_id`
	want := "rona|alice|rename|the owner asked for it, ticket 7|" + w.Header().Get("X-Request-ID") + "|Renamed"
	if got := trial.Text(t, s.DB, record); got != want {
		t.Errorf("got record %q, want %q", got, want)
	}

	users["rona"] = User{"rona", false, time.Now()}
	if got := trial.Send(h, "rona", "PATCH /admin/"+alices, body).Code; got != 403 {
		t.Errorf("an admin who no longer is one: got %d, want 403", got)
	}
}

// The role has no place in the ownership rule: the write would refuse an admin as well, but only after the body was read.
func TestAdminsOwnNothingElse(t *testing.T) {
	t.Parallel()
	if (&Project{OwnerID: "alice"}).ownedBy(User{ID: "rona", Admin: true}) {
		t.Error("an admin owns a user's project")
	}
}

// What cannot be recorded does not happen.
func TestNoRecordNoAction(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.Routes(trial.Callers(newUsers()), &guard.Responder{Log: trial.Discard})
	trial.Exec(t, s.DB, `DROP TABLE admin_actions`)
	w := trial.Send(h, "rona", "PATCH /admin/"+alices, body)
	if w.Code != 500 || strings.Contains(w.Body.String(), "admin_actions") {
		t.Errorf("got %d %s, want 500 without the store's text", w.Code, w.Body)
	}
	if got := trial.Text(t, s.DB, `SELECT name FROM projects WHERE owner_id = 'alice'`); got != "Hers" {
		t.Errorf("got name %q, want it unchanged", got)
	}
}

// The project is given away between the check and the write: the admin has not seen the new owner's project.
func TestProjectChangesHands(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx, rona := t.Context(), newUsers()["rona"]
	p, err := s.anyProject(ctx, rona, uuid.MustParse("0198f000-0000-7000-8000-0000000000a1"))
	if err != nil {
		t.Fatal(err)
	}
	trial.Exec(t, s.DB, `UPDATE projects SET owner_id = 'bob' WHERE owner_id = 'alice'`)
	call := &guard.Call[User, RenameAsAdmin, *Project]{Caller: rona, Input: RenameAsAdmin{"Renamed", "a good reason"}, Resource: p}
	if _, err := s.renameAsAdmin(ctx, call); !errors.Is(err, guard.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if got := trial.Text(t, s.DB, `SELECT name || (SELECT count(*) FROM admin_actions) FROM projects WHERE owner_id = 'bob'`); got != "Hers0" {
		t.Errorf("got %q, want an unchanged name and no record", got)
	}
}
