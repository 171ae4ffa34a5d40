// Package idempotency creates a payment once, however often its request arrives.
package idempotency

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/rows"
)

// Schema keeps what each key of each caller has created. Keys of two callers, or for two routes, have nothing in common.
const Schema = `
CREATE TABLE payments (id TEXT PRIMARY KEY, payer_id TEXT NOT NULL, payee TEXT NOT NULL, cents INTEGER NOT NULL);
CREATE TABLE creations (
	caller_id TEXT NOT NULL,
	route     TEXT NOT NULL,
	key       TEXT NOT NULL,
	digest    TEXT NOT NULL,    -- of the input
	result    TEXT NOT NULL,    -- what the caller was told
	at        INTEGER NOT NULL, -- seconds since 1970
	PRIMARY KEY (caller_id, route, key)
);`

const (
	keepKeys = 24 * time.Hour // a repeat after that is a new request
	maxKeys  = 1000           // of one caller, in that time
)

// User is a session.
type User struct{ ID string }

// Subject is the user's id.
func (u User) Subject() string { return u.ID }

// Payment is a row of payments.
type Payment struct {
	ID    uuid.UUID `json:"id"`
	Payee string    `json:"payee"`
	Cents int64     `json:"cents"`
}

// CreatePayment is the input of POST /payments.
type CreatePayment struct {
	Key   string `header:"Idempotency-Key" validate:"required,min=16,max=64,printascii"`
	Payee string `json:"payee" normalize:"trim" validate:"required,max=80,single_line"`
	Cents int64  `json:"cents" validate:"min=1,max=100000000"`
}

// Service has what the handlers need.
type Service struct {
	DB  *sql.DB
	Now func() time.Time
}

const createRoute = "POST /payments"

// Routes puts the handlers behind their answers.
func (s Service) Routes(users guard.Authenticator[User], errs *guard.Responder) *guard.Mux {
	mux := guard.NewMux(errs)
	mux.Handle(createRoute, guard.New(users, guard.JSON[CreatePayment], guard.NoResource,
		(&guard.Limiter{}).PerCaller(60, time.Minute), errs, s.create))
	return mux
}

var (
	errKeyReused   = guard.Fail(http.StatusUnprocessableEntity, "key_reused", "This Idempotency-Key was sent with another request.")
	errTooManyKeys = &guard.Error{Status: http.StatusTooManyRequests, Code: "too_many_keys", Message: "Too many new Idempotency-Keys.", RetryAfter: time.Hour}
)

func (s Service) create(ctx context.Context, c *guard.Call[User, CreatePayment, guard.None]) (guard.Reply[Payment], error) {
	p := Payment{ID: uuid.New(), Payee: c.Input.Payee, Cents: c.Input.Cents}
	err := rows.InTx(ctx, s.DB, func(tx *sql.Tx) error {
		first, err := s.claim(ctx, tx, c.Caller.ID, c.Input, p)
		if err != nil || first.ID != p.ID {
			p = first // a repeat is told what the first request was told
			return err
		}
		return rows.One(tx.ExecContext(ctx, `INSERT INTO payments (id, payer_id, payee, cents) VALUES (?, ?, ?, ?)`,
			p.ID, c.Caller.ID, p.Payee, p.Cents))
	})
	if err != nil {
		return guard.Reply[Payment]{}, err
	}
	return guard.Created("/payments/"+p.ID.String(), p), nil
}

// claim returns what the key has created before, or p where it is new. It waits for a transaction that holds the same key.
func (s Service) claim(ctx context.Context, tx *sql.Tx, caller string, in CreatePayment, p Payment) (Payment, error) {
	var first Payment
	digest, result, err := describe(in, p)
	if err != nil {
		return first, err
	}
	now := s.Now()
	if _, err := tx.ExecContext(ctx, `DELETE FROM creations WHERE caller_id = ? AND at <= ?`, caller, now.Add(-keepKeys).Unix()); err != nil {
		return first, err
	}
	var firstDigest, firstResult string
	err = tx.QueryRowContext(ctx, `INSERT INTO creations (caller_id, route, key, digest, result, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (caller_id, route, key) DO UPDATE SET key = excluded.key RETURNING digest, result`,
		caller, createRoute, in.Key, digest, result, now.Unix()).Scan(&firstDigest, &firstResult)
	if err != nil {
		return first, err
	}
	if firstDigest != digest {
		return first, errKeyReused
	}
	var keys int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM creations WHERE caller_id = ?`, caller).Scan(&keys); err != nil {
		return first, err
	}
	if keys > maxKeys {
		return first, errTooManyKeys
	}
	return first, json.Unmarshal([]byte(firstResult), &first)
}

// describe makes the digest of the input, which is the same for every spelling of one request, and the stored result.
func describe(in CreatePayment, p Payment) (digest, result string, err error) {
	input, err := json.Marshal(in)
	if err != nil {
		return "", "", err
	}
	b, err := json.Marshal(p)
	return fmt.Sprintf("%x", sha256.Sum256(input)), string(b), err
}
