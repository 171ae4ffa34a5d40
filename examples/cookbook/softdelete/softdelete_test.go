package softdelete

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/internal/trial"
)

const (
	alices  = "/notes/0198f000-0000-7000-8000-0000000000a1"
	deleted = "/notes/0198f000-0000-7000-8000-0000000000a2" // alice's, deleted a day ago
	old     = "/notes/0198f000-0000-7000-8000-0000000000a3" // alice's, deleted 31 days ago
	bobs    = "/notes/0198f000-0000-7000-8000-0000000000b2" // deleted, too
)

var now = time.Date(2030, 5, 4, 12, 0, 0, 0, time.UTC)

func newService(t *testing.T) Service {
	t.Helper()
	db := trial.DB(t, Schema)
	day := 24 * time.Hour
	trial.Exec(t, db, `INSERT INTO all_notes VALUES
		('0198f000-0000-7000-8000-0000000000a1', 'alice', 'Live', 'x', NULL),
		('0198f000-0000-7000-8000-0000000000a2', 'alice', 'Deleted', 'x', ?1),
		('0198f000-0000-7000-8000-0000000000a3', 'alice', 'Old', 'x', ?2),
		('0198f000-0000-7000-8000-0000000000b2', 'bob', 'Deleted', 'x', ?1)`, now.Add(-day).Unix(), now.Add(-31*day).Unix())
	return Service{db, func() time.Time { return now }}
}

var users = map[string]User{"alice": {"alice"}, "bob": {"bob"}}

func TestDeletedNotes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.Routes(trial.Callers(users), trial.Errs(t))
	trial.Run(t, h, []trial.Case{
		{Name: "a deleted note is not there to be read", As: "alice", Do: "GET " + deleted, Status: 404, Want: "not_found"},
		{Name: "nor to be written", As: "alice", Do: "PATCH " + deleted, Body: `{"text":"y"}`, Status: 404, Want: "not_found"},
		{Name: "nor to be deleted again", As: "alice", Do: "DELETE " + deleted, Status: 404, Want: "not_found"},
		{Name: "nor in the list", As: "alice", Do: "GET /notes", Status: 200,
			Want: `[{"id":"0198f000-0000-7000-8000-0000000000a1","title":"Live","text":"x"}]`},
		{Name: "a live note cannot be restored", As: "alice", Do: "POST " + alices + "/restore", Status: 404, Want: "not_found"},
		{Name: "another's deleted note cannot be restored", As: "alice", Do: "POST " + bobs + "/restore", Status: 404, Want: "not_found"},
		{Name: "nor one that was deleted too long ago", As: "alice", Do: "POST " + old + "/restore", Status: 404, Want: "not_found"},
		{Name: "the title of a deleted note is free", As: "alice", Do: "POST /notes", Body: `{"title":"Deleted","text":""}`, Status: 201, Want: "Deleted"},
		{Name: "and then taken", As: "alice", Do: "POST /notes", Body: `{"title":" Deleted ","text":""}`, Status: 409, Want: "title_taken"},
		{Name: "so that the old one cannot come back", As: "alice", Do: "POST " + deleted + "/restore", Status: 409, Want: "title_taken"},
		{Name: "another's title is no clash", As: "bob", Do: "POST /notes", Body: `{"title":"Live","text":""}`, Status: 201, Want: "Live"},
		{Name: "a note is deleted", As: "alice", Do: "DELETE " + alices, Status: 204},
		{Name: "and gone at once", As: "alice", Do: "GET " + alices, Status: 404, Want: "not_found"},
		{Name: "and comes back", As: "alice", Do: "POST " + alices + "/restore", Status: 204},
		{Name: "as it was", As: "alice", Do: "GET " + alices, Status: 200, Want: `"text":"x"`},
	})
}

// The note is deleted between the guard's check and the handler's write.
func TestNoteIsDeletedBeforeTheWrite(t *testing.T) {
	t.Parallel()
	s := newService(t)
	n, err := s.note(t.Context(), uuid.MustParse("0198f000-0000-7000-8000-0000000000a1"))
	if err != nil {
		t.Fatal(err)
	}
	trial.Exec(t, s.DB, `UPDATE all_notes SET deleted_at = ? WHERE deleted_at IS NULL`, now.Unix())
	if _, err := s.edit(t.Context(), &guard.Call[User, EditNote, *Note]{Caller: users["alice"], Input: EditNote{"y"}, Resource: n}); !errors.Is(err, guard.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if got := trial.Text(t, s.DB, `SELECT text FROM all_notes WHERE title = 'Live'`); got != "x" {
		t.Errorf("got text %q, want it unchanged", got)
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	s := newService(t)
	if n, err := s.Purge(t.Context()); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", n, err)
	}
	if got := trial.Text(t, s.DB, `SELECT group_concat(owner_id || ' ' || title, ', ' ORDER BY id) FROM all_notes`); got != "alice Live, alice Deleted, bob Deleted" {
		t.Errorf("got %q", got)
	}
}
