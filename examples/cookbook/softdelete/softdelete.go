// Package softdelete keeps deleted notes for thirty days, so that their owners can take them back.
package softdelete

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/rows"
)

// Schema has the condition in one place. Titles are unique among the live notes of one owner.
const Schema = `
CREATE TABLE all_notes (
	id         TEXT PRIMARY KEY,
	owner_id   TEXT NOT NULL,
	title      TEXT NOT NULL,
	text       TEXT NOT NULL,
	deleted_at INTEGER -- seconds since 1970; NULL is live
);
CREATE VIEW notes AS SELECT id, owner_id, title, text FROM all_notes WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX live_titles ON all_notes (owner_id, title) WHERE deleted_at IS NULL;`

// keep is how long a deleted note can be taken back.
const keep = 30 * 24 * time.Hour

// User is a session.
type User struct{ ID string }

// Subject is the user's id.
func (u User) Subject() string { return u.ID }

// Note is a note, live or deleted.
type Note struct {
	ID      uuid.UUID `json:"id"`
	OwnerID string    `json:"-"`
	Title   string    `json:"title"`
	Text    string    `json:"text"`
}

func (n *Note) fields() []any { return []any{&n.ID, &n.OwnerID, &n.Title, &n.Text} }

func (n *Note) ownedBy(u User) bool { return n.OwnerID == u.ID }

// CreateNote is the body of POST /notes.
type CreateNote struct {
	Title string `json:"title" normalize:"trim" validate:"required,max=80,single_line"`
	Text  string `json:"text"  validate:"max=10000"`
}

// EditNote is the body of PATCH /notes/{noteID}.
type EditNote struct {
	Text string `json:"text" validate:"max=10000"`
}

// Service has what the handlers need.
type Service struct {
	DB  *sql.DB
	Now func() time.Time
}

// Routes puts the handlers behind their answers. Restoring is the one route that sees deleted notes.
func (s Service) Routes(users guard.Authenticator[User], errs *guard.Responder) *guard.Mux {
	perCaller := (&guard.Limiter{}).PerCaller(60, time.Minute)
	ownNote := guard.Owned("noteID", guard.ParseUUID, s.note, (*Note).ownedBy)
	ownDeleted := guard.Owned("noteID", guard.ParseUUID, s.deleted, (*Note).ownedBy)

	mux := guard.NewMux(errs)
	mux.Handle("GET /notes", guard.New(users, guard.NoPayload, guard.NoResource, perCaller, errs, s.list))
	mux.Handle("POST /notes", guard.New(users, guard.JSON[CreateNote], guard.NoResource, perCaller, errs, s.create))
	mux.Handle("GET /notes/{noteID}", guard.New(users, guard.NoPayload, ownNote, perCaller, errs, s.show))
	mux.Handle("PATCH /notes/{noteID}", guard.New(users, guard.JSON[EditNote], ownNote, perCaller, errs, s.edit))
	mux.Handle("DELETE /notes/{noteID}", guard.New(users, guard.NoPayload, ownNote, perCaller, errs, s.remove))
	mux.Handle("POST /notes/{noteID}/restore", guard.New(users, guard.NoPayload, ownDeleted, perCaller, errs, s.restore))
	return mux
}

func (s Service) note(ctx context.Context, id uuid.UUID) (*Note, error) {
	var n Note
	err := s.DB.QueryRowContext(ctx, `SELECT id, owner_id, title, text FROM notes WHERE id = ?`, id).Scan(n.fields()...)
	return &n, err
}

func (s Service) deleted(ctx context.Context, id uuid.UUID) (*Note, error) {
	var n Note
	err := s.DB.QueryRowContext(ctx, `SELECT id, owner_id, title, text FROM all_notes WHERE id = ? AND deleted_at > ?`,
		id, s.Now().Add(-keep).Unix()).Scan(n.fields()...)
	return &n, err
}

func (s Service) list(ctx context.Context, c *guard.Call[User, guard.None, guard.None]) ([]Note, error) {
	found, err := s.DB.QueryContext(ctx, `SELECT id, owner_id, title, text FROM notes WHERE owner_id = ? ORDER BY title LIMIT 100`, c.Caller.ID)
	return rows.All(found, err, (*Note).fields)
}

func (s Service) show(_ context.Context, c *guard.Call[User, guard.None, *Note]) (*Note, error) {
	return c.Resource, nil
}

func (s Service) create(ctx context.Context, c *guard.Call[User, CreateNote, guard.None]) (guard.Reply[Note], error) {
	n := Note{ID: uuid.New(), OwnerID: c.Caller.ID, Title: c.Input.Title, Text: c.Input.Text}
	err := rows.One(s.DB.ExecContext(ctx, `INSERT INTO all_notes (id, owner_id, title, text) VALUES (?, ?, ?, ?)
		ON CONFLICT (owner_id, title) WHERE deleted_at IS NULL DO NOTHING`, n.ID, n.OwnerID, n.Title, n.Text))
	if err != nil {
		return guard.Reply[Note]{}, orTaken(err)
	}
	return guard.Created("/notes/"+n.ID.String(), n), nil
}

// edit, as every write, repeats that the note is live: it may have been deleted since the guard loaded it.
func (s Service) edit(ctx context.Context, c *guard.Call[User, EditNote, *Note]) (guard.None, error) {
	return guard.None{}, rows.One(s.DB.ExecContext(ctx,
		`UPDATE all_notes SET text = ? WHERE id = ? AND owner_id = ? AND deleted_at IS NULL`,
		c.Input.Text, c.Resource.ID, c.Caller.ID))
}

func (s Service) remove(ctx context.Context, c *guard.Call[User, guard.None, *Note]) (guard.None, error) {
	return guard.None{}, rows.One(s.DB.ExecContext(ctx,
		`UPDATE all_notes SET deleted_at = ? WHERE id = ? AND owner_id = ? AND deleted_at IS NULL`,
		s.Now().Unix(), c.Resource.ID, c.Caller.ID))
}

// restore takes a note back, unless its title is another one's by now.
func (s Service) restore(ctx context.Context, c *guard.Call[User, guard.None, *Note]) (guard.None, error) {
	err := rows.One(s.DB.ExecContext(ctx, `UPDATE all_notes SET deleted_at = NULL WHERE id = ? AND owner_id = ? AND deleted_at > ?
		AND NOT EXISTS (SELECT 1 FROM notes WHERE notes.owner_id = all_notes.owner_id AND notes.title = all_notes.title)`,
		c.Resource.ID, c.Caller.ID, s.Now().Add(-keep).Unix()))
	return guard.None{}, orTaken(err)
}

// orTaken says why a statement that puts a title among the live ones has changed nothing.
func orTaken(err error) error {
	if errors.Is(err, guard.ErrNotFound) {
		return guard.Fail(http.StatusConflict, "title_taken", "You have a note with this title.")
	}
	return err
}

// Purge ends what nobody can take back any more, and returns how many notes that were. Run it every day.
func (s Service) Purge(ctx context.Context) (int64, error) {
	result, err := s.DB.ExecContext(ctx, `DELETE FROM all_notes WHERE deleted_at <= ?`, s.Now().Add(-keep).Unix())
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
