// Package outbox sends receipts after orders were placed: the order and the work that follows are written together.
package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/rows"
)

// Schema has the orders, and the jobs that are not done yet. A done job is deleted.
const Schema = `
CREATE TABLE orders (id TEXT PRIMARY KEY, buyer_id TEXT NOT NULL, item TEXT NOT NULL);
CREATE TABLE outbox (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	payload  TEXT NOT NULL,
	attempts INTEGER NOT NULL DEFAULT 0,
	due      INTEGER NOT NULL -- milliseconds since 1970; while a worker has the job, the end of its lease
);
CREATE INDEX outbox_due ON outbox (due);`

// maxJobs bounds the outbox. When the receipts have not left for so long, new orders are refused.
const maxJobs = 10_000

// User is a session.
type User struct{ ID string }

// Subject is the user's id.
func (u User) Subject() string { return u.ID }

// Order is a row of orders.
type Order struct {
	ID   uuid.UUID `json:"id"`
	Item string    `json:"item"`
}

// PlaceOrder is the body of POST /orders.
type PlaceOrder struct {
	Item string `json:"item" normalize:"trim" validate:"required,max=80,single_line"`
}

// Receipt is all that the worker needs to know: a copy, nothing of the request.
type Receipt struct {
	OrderID   uuid.UUID
	BuyerID   string
	Item      string
	RequestID string // ties the worker's log to the request's
}

// Service has what the handlers need.
type Service struct {
	DB     *sql.DB
	Worker *Worker
}

// Routes puts the handlers behind their answers. The hook only wakes the worker: what must happen is in the outbox.
func (s Service) Routes(users guard.Authenticator[User], errs *guard.Responder) *guard.Mux {
	mux := guard.NewMux(errs)
	mux.Handle("POST /orders", guard.New(users, guard.JSON[PlaceOrder], guard.NoResource,
		(&guard.Limiter{}).PerCaller(60, time.Minute), errs, guard.After(s.place, s.wake)))
	return mux
}

func (s Service) place(ctx context.Context, c *guard.Call[User, PlaceOrder, guard.None]) (guard.Reply[Order], error) {
	o := Order{ID: uuid.New(), Item: c.Input.Item}
	payload, err := json.Marshal(Receipt{o.ID, c.Caller.ID, o.Item, c.RequestID})
	if err != nil {
		return guard.Reply[Order]{}, err
	}
	err = rows.InTx(ctx, s.DB, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO orders (id, buyer_id, item) VALUES (?, ?, ?)`, o.ID, c.Caller.ID, o.Item); err != nil {
			return err
		}
		return orFull(rows.One(tx.ExecContext(ctx, `INSERT INTO outbox (payload, due)
			SELECT ?, ? WHERE (SELECT count(*) FROM outbox) < ?`, payload, s.Worker.Now().UnixMilli(), maxJobs)))
	})
	if err != nil {
		return guard.Reply[Order]{}, err
	}
	return guard.Created("/orders/"+o.ID.String(), o), nil
}

func orFull(err error) error {
	if errors.Is(err, guard.ErrNotFound) {
		return &guard.Error{Status: http.StatusServiceUnavailable, Code: "busy", Message: "Try again later.", RetryAfter: time.Minute}
	}
	return err
}

func (s Service) wake(context.Context, *guard.Call[User, PlaceOrder, guard.None], guard.Reply[Order]) error {
	s.Worker.Wake()
	return nil
}
