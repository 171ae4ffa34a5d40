// Package locking lets two people edit one page without losing what either of them wrote.
package locking

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/rows"
)

// Schema has a version for each page, which every write counts up.
const Schema = `
CREATE TABLE pages (
	id       TEXT PRIMARY KEY,
	owner_id TEXT NOT NULL,
	text     TEXT NOT NULL,
	version  INTEGER NOT NULL DEFAULT 1
);`

// User is a session.
type User struct{ ID string }

// Subject is the user's id.
func (u User) Subject() string { return u.ID }

// Page is a row of pages.
type Page struct {
	ID      uuid.UUID `json:"id"`
	OwnerID string    `json:"-"`
	Text    string    `json:"text"`
	Version int64     `json:"-"`
}

func (p *Page) ownedBy(u User) bool { return p.OwnerID == u.ID }

// etag is the page's version as a strong entity tag (RFC 9110, section 8.8.3).
func (p *Page) etag() string { return fmt.Sprintf(`"%d"`, p.Version) }

// EditPage is the input of PUT /pages/{pageID}.
type EditPage struct {
	IfMatch string `header:"If-Match" validate:"max=100"`
	Text    string `json:"text"       validate:"max=10000"`
}

// DeletePage is the input of DELETE /pages/{pageID}: Query takes header fields, too, and no body.
type DeletePage struct {
	IfMatch string `header:"If-Match" validate:"max=100"`
}

// Service has what the handlers need.
type Service struct{ DB *sql.DB }

// Routes puts the handlers behind their answers.
func (s Service) Routes(users guard.Authenticator[User], errs *guard.Responder) *guard.Mux {
	perCaller := (&guard.Limiter{}).PerCaller(60, time.Minute)
	ownPage := guard.Owned("pageID", guard.ParseUUID, s.page, (*Page).ownedBy)

	mux := guard.NewMux(errs)
	mux.Handle("GET /pages/{pageID}", guard.New(users, guard.NoPayload, ownPage, perCaller, errs, s.show))
	mux.Handle("PUT /pages/{pageID}", guard.New(users, guard.JSON[EditPage], ownPage, perCaller, errs, s.edit))
	mux.Handle("DELETE /pages/{pageID}", guard.New(users, guard.Query[DeletePage], ownPage, perCaller, errs, s.remove))
	return mux
}

var (
	errNoCondition = guard.Fail(http.StatusPreconditionRequired, "precondition_required", "Send the ETag of what you change in If-Match.")
	errChanged     = guard.Fail(http.StatusPreconditionFailed, "precondition_failed", "It has been changed since. Read it again.")
)

// unchanged compares what the caller has seen with what is there. The guard has loaded the page after the request arrived.
func unchanged(ifMatch string, p *Page) error {
	switch ifMatch {
	case "":
		return errNoCondition
	case p.etag():
		return nil
	}
	return errChanged
}

func (s Service) page(ctx context.Context, id uuid.UUID) (*Page, error) {
	var p Page
	err := s.DB.QueryRowContext(ctx, `SELECT id, owner_id, text, version FROM pages WHERE id = ?`, id).
		Scan(&p.ID, &p.OwnerID, &p.Text, &p.Version)
	return &p, err
}

func (s Service) show(_ context.Context, c *guard.Call[User, guard.None, *Page]) (guard.Reply[*Page], error) {
	return withETag(c.Resource), nil
}

func withETag(p *Page) guard.Reply[*Page] {
	return guard.Reply[*Page]{Header: http.Header{"Etag": {p.etag()}}, Body: p}
}

// edit writes only over the version that the caller has seen. The check before is for the message; this one decides.
func (s Service) edit(ctx context.Context, c *guard.Call[User, EditPage, *Page]) (guard.Reply[*Page], error) {
	p := c.Resource
	if err := unchanged(c.Input.IfMatch, p); err != nil {
		return guard.Reply[*Page]{}, err
	}
	err := rows.One(s.DB.ExecContext(ctx, `UPDATE pages SET text = ?, version = version + 1 WHERE id = ? AND owner_id = ? AND version = ?`,
		c.Input.Text, p.ID, c.Caller.ID, p.Version))
	if err != nil {
		return guard.Reply[*Page]{}, orChanged(err)
	}
	return withETag(&Page{ID: p.ID, Text: c.Input.Text, Version: p.Version + 1}), nil
}

func (s Service) remove(ctx context.Context, c *guard.Call[User, DeletePage, *Page]) (guard.None, error) {
	if err := unchanged(c.Input.IfMatch, c.Resource); err != nil {
		return guard.None{}, err
	}
	return guard.None{}, orChanged(rows.One(s.DB.ExecContext(ctx, `DELETE FROM pages WHERE id = ? AND owner_id = ? AND version = ?`,
		c.Resource.ID, c.Caller.ID, c.Resource.Version)))
}

// orChanged says what a conditional statement that has changed nothing means: somebody was faster.
func orChanged(err error) error {
	if errors.Is(err, guard.ErrNotFound) {
		return errChanged
	}
	return err
}
