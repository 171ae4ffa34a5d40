// Package admin lets the support staff act on users' projects, on routes of their own that leave a record.
package admin

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/rows"
)

// Schema has a record of what was done to whose project by whom, and why.
const Schema = `
CREATE TABLE projects (id TEXT PRIMARY KEY, owner_id TEXT NOT NULL, name TEXT NOT NULL);
CREATE TABLE admin_actions (
	id         INTEGER PRIMARY KEY,
	admin_id   TEXT NOT NULL,
	owner_id   TEXT NOT NULL,
	project_id TEXT NOT NULL,
	action     TEXT NOT NULL,
	reason     TEXT NOT NULL CHECK (reason <> ''),
	request_id TEXT NOT NULL,
	at         TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);`

// User is a session. The verifier loads Admin with the user's row on every request, so that it ends at once.
type User struct {
	ID       string
	Admin    bool
	SignedIn time.Time // from the session, not from the request
}

// Subject is the user's id.
func (u User) Subject() string { return u.ID }

func (u User) isAdmin() bool { return u.Admin }

func (u User) signedInRecently() bool { return time.Since(u.SignedIn) < 15*time.Minute }

// Project is a row of projects.
type Project struct {
	ID      uuid.UUID `json:"id"`
	OwnerID string    `json:"-"`
	Name    string    `json:"name"`
}

// ownedBy does not ask for the role: on a user's own routes an admin is a user like others.
func (p *Project) ownedBy(u User) bool { return p.OwnerID == u.ID }

// Rename is the body of PATCH /projects/{projectID}.
type Rename struct {
	Name string `json:"name" normalize:"trim" validate:"required,max=80,single_line"`
}

// RenameAsAdmin is the body of PATCH /admin/projects/{projectID}.
type RenameAsAdmin struct {
	Name   string `json:"name"   normalize:"trim" validate:"required,max=80,single_line"`
	Reason string `json:"reason" normalize:"trim" validate:"required,min=10,max=200"`
}

// Service has what the handlers need.
type Service struct{ DB *sql.DB }

// Routes puts the handlers behind their answers.
func (s Service) Routes(users guard.Authenticator[User], errs *guard.Responder) *guard.Mux {
	limits := &guard.Limiter{}
	perCaller := limits.PerCaller(60, time.Minute)
	admins := guard.Only(guard.Only(users, User.isAdmin), User.signedInRecently)
	ownProject := guard.Owned("projectID", guard.ParseUUID, s.project, (*Project).ownedBy)
	anyProject := guard.Authorize("projectID", guard.ParseUUID, s.anyProject)

	mux := guard.NewMux(errs)
	mux.Handle("PATCH /projects/{projectID}", guard.New(users, guard.JSON[Rename], ownProject, perCaller, errs, s.rename))
	mux.Handle("PATCH /admin/projects/{projectID}", guard.New(
		admins, guard.JSON[RenameAsAdmin], anyProject, limits.PerCaller(30, time.Hour), errs, s.renameAsAdmin))
	return mux
}

func (s Service) project(ctx context.Context, id uuid.UUID) (*Project, error) {
	var p Project
	err := s.DB.QueryRowContext(ctx, `SELECT id, owner_id, name FROM projects WHERE id = ?`, id).Scan(&p.ID, &p.OwnerID, &p.Name)
	return &p, err
}

// anyProject loads whatever there is. Its routes admit admins only.
func (s Service) anyProject(ctx context.Context, _ User, id uuid.UUID) (*Project, error) {
	return s.project(ctx, id)
}

func (s Service) rename(ctx context.Context, c *guard.Call[User, Rename, *Project]) (guard.None, error) {
	return guard.None{}, rows.One(s.DB.ExecContext(ctx,
		`UPDATE projects SET name = ? WHERE id = ? AND owner_id = ?`, c.Input.Name, c.Resource.ID, c.Caller.ID))
}

// renameAsAdmin writes the project and the record, or neither. The owner is the one whose project the admin was shown.
func (s Service) renameAsAdmin(ctx context.Context, c *guard.Call[User, RenameAsAdmin, *Project]) (guard.None, error) {
	return guard.None{}, rows.InTx(ctx, s.DB, func(tx *sql.Tx) error {
		err := rows.One(tx.ExecContext(ctx,
			`UPDATE projects SET name = ? WHERE id = ? AND owner_id = ?`, c.Input.Name, c.Resource.ID, c.Resource.OwnerID))
		if err != nil {
			return err
		}
		return rows.One(tx.ExecContext(ctx,
			`INSERT INTO admin_actions (admin_id, owner_id, project_id, action, reason, request_id) VALUES (?, ?, ?, 'rename', ?, ?)`,
			c.Caller.ID, c.Resource.OwnerID, c.Resource.ID, c.Input.Reason, c.RequestID))
	})
}
