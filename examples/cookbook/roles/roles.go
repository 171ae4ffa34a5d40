// Package roles shares documents among the members of a team, each with a role on each document.
package roles

import (
	"context"
	"database/sql"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/rows"
)

// Schema keeps one role for each member of each document.
const Schema = `
CREATE TABLE documents (id TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE members (
	document_id TEXT NOT NULL REFERENCES documents (id),
	user_id     TEXT NOT NULL,
	role        TEXT NOT NULL CHECK (role IN ('viewer', 'editor', 'owner')),
	PRIMARY KEY (document_id, user_id)
);`

// User is a session. What a user may do is not in it: that depends on the document, and changes.
type User struct{ ID string }

// Subject is the user's id.
func (u User) Subject() string { return u.ID }

// Document is a row of documents, with the role that the caller has on it.
type Document struct {
	ID   uuid.UUID `json:"id"`
	Text string    `json:"text"`
	Role string    `json:"role"`
}

// Edit is the body of PATCH /documents/{documentID}.
type Edit struct {
	Text string `json:"text" validate:"required,max=10000"`
}

// SetRole is the body of PUT /documents/{documentID}/members/{member}.
type SetRole struct {
	Member string `path:"member" validate:"max=64"`
	// Only owners get here, and giving roles is what the route is for.
	Role string `json:"role" validate:"oneof=viewer editor owner" guard:"client"`
}

// Service has what the handlers need.
type Service struct{ DB *sql.DB }

// Routes puts the handlers behind their answers. Each route says which role it takes.
func (s Service) Routes(users guard.Authenticator[User], errs *guard.Responder) *guard.Mux {
	perCaller := (&guard.Limiter{}).PerCaller(60, time.Minute)
	visible := guard.Authorize("documentID", guard.ParseUUID, s.visible)
	editable := guard.Authorize("documentID", guard.ParseUUID, s.editable)
	owned := guard.Authorize("documentID", guard.ParseUUID, s.owned)

	mux := guard.NewMux(errs)
	mux.Handle("GET /documents/{documentID}", guard.New(users, guard.NoPayload, visible, perCaller, errs, s.show))
	mux.Handle("PATCH /documents/{documentID}", guard.New(users, guard.JSON[Edit], editable, perCaller, errs, s.edit))
	mux.Handle("PUT /documents/{documentID}/members/{member}", guard.New(users, guard.JSON[SetRole], owned, perCaller, errs, s.setRole))
	return mux
}

// visible loads a document with the caller's role. To everybody else there is no such document: a 404.
func (s Service) visible(ctx context.Context, u User, id uuid.UUID) (*Document, error) {
	var d Document
	err := s.DB.QueryRowContext(ctx, `SELECT d.id, d.text, m.role FROM documents d JOIN members m ON m.document_id = d.id
		WHERE d.id = ? AND m.user_id = ?`, id, u.ID).Scan(&d.ID, &d.Text, &d.Role)
	return &d, err
}

func (s Service) editable(ctx context.Context, u User, id uuid.UUID) (*Document, error) {
	return s.as(ctx, u, id, "editor", "owner")
}

func (s Service) owned(ctx context.Context, u User, id uuid.UUID) (*Document, error) {
	return s.as(ctx, u, id, "owner")
}

// as loads a document for one of these roles. Other members know that it is there, so that a 403 tells them nothing new.
func (s Service) as(ctx context.Context, u User, id uuid.UUID, roles ...string) (*Document, error) {
	d, err := s.visible(ctx, u, id)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(roles, d.Role) {
		return nil, guard.Fail(http.StatusForbidden, "role", "Your role on this document does not allow this.")
	}
	return d, nil
}

func (s Service) show(_ context.Context, c *guard.Call[User, guard.None, *Document]) (*Document, error) {
	return c.Resource, nil
}

// edit asks for the role once more, in the statement that writes: it may have been withdrawn since the guard asked.
func (s Service) edit(ctx context.Context, c *guard.Call[User, Edit, *Document]) (guard.None, error) {
	return guard.None{}, rows.One(s.DB.ExecContext(ctx, `UPDATE documents SET text = ?1 WHERE id = ?2 AND EXISTS (
		SELECT 1 FROM members WHERE document_id = ?2 AND user_id = ?3 AND role IN ('editor', 'owner'))`,
		c.Input.Text, c.Resource.ID, c.Caller.ID))
}

// setRole gives a member a role. Nobody changes their own: a document keeps its last owner.
func (s Service) setRole(ctx context.Context, c *guard.Call[User, SetRole, *Document]) (guard.None, error) {
	if c.Input.Member == c.Caller.ID {
		return guard.None{}, guard.Fail(http.StatusConflict, "own_role", "Another owner has to change your role.")
	}
	return guard.None{}, rows.One(s.DB.ExecContext(ctx, `INSERT INTO members (document_id, user_id, role)
		SELECT document_id, ?1, ?2 FROM members WHERE document_id = ?3 AND user_id = ?4 AND role = 'owner'
		ON CONFLICT (document_id, user_id) DO UPDATE SET role = excluded.role`,
		c.Input.Member, c.Input.Role, c.Resource.ID, c.Caller.ID))
}
