// Package tenants keeps the invoices of many customers of a service in one table.
package tenants

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

// Schema repeats the tenant in every key: what belongs together cannot be of two tenants.
const Schema = `
CREATE TABLE clients (
	id        TEXT PRIMARY KEY,
	tenant_id TEXT NOT NULL CHECK (tenant_id <> ''),
	name      TEXT NOT NULL,
	UNIQUE (tenant_id, id)
);
CREATE TABLE invoices (
	id        TEXT PRIMARY KEY,
	tenant_id TEXT NOT NULL,
	client_id TEXT NOT NULL,
	number    TEXT NOT NULL,
	cents     INTEGER NOT NULL,
	UNIQUE (tenant_id, number), -- not number alone: a clash would tell of another tenant's invoice
	FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id)
);`

// User is a session. The verifier takes the tenant from the user's row, and returns guard.ErrNoSession where there is none.
type User struct{ ID, TenantID string }

// Subject names the tenant, too, since user ids are unique only within it.
func (u User) Subject() string { return u.TenantID + "/" + u.ID }

func (u User) tenant(*http.Request) string { return u.TenantID }

// Invoice is a row of invoices, as its tenant sees it.
type Invoice struct {
	ID       uuid.UUID `json:"id"`
	ClientID uuid.UUID `json:"clientId"`
	Number   string    `json:"number"`
	Cents    int64     `json:"cents"`
}

func (i *Invoice) fields() []any { return []any{&i.ID, &i.ClientID, &i.Number, &i.Cents} }

// Client is whom a tenant sends invoices to.
type Client struct {
	ID       uuid.UUID
	TenantID string
}

func (c Client) of(u User) bool { return c.TenantID == u.TenantID }

// CreateInvoice is the body of POST /invoices. It cannot have a tenantId: such a struct does not start.
type CreateInvoice struct {
	ClientID uuid.UUID `json:"clientId" validate:"required"`
	Number   string    `json:"number"   normalize:"trim" validate:"required,max=40,single_line"`
	Cents    int64     `json:"cents"    validate:"min=1,max=100000000"`
}

func (c CreateInvoice) client() uuid.UUID { return c.ClientID }

// Service has what the handlers need.
type Service struct{ DB *sql.DB }

// Routes puts the handlers behind their answers.
func (s Service) Routes(users guard.Authenticator[User], errs *guard.Responder) *guard.Mux {
	limits := &guard.Limiter{}
	// One tenant's users share a budget, so that they cannot use up what all tenants share.
	limit := guard.And(limits.PerCaller(60, time.Minute), guard.PerKey(limits, User.tenant, 300, time.Minute).Named("tenant"))
	tenantsInvoice := guard.Authorize("invoiceID", guard.ParseUUID, s.invoice)

	mux := guard.NewMux(errs)
	mux.Handle("GET /invoices", guard.New(users, guard.NoPayload, guard.NoResource, limit, errs, s.list))
	mux.Handle("POST /invoices", guard.New(users, guard.JSON[CreateInvoice], guard.NoResource, limit, errs,
		guard.OwnedInput(CreateInvoice.client, s.client, Client.of, s.create)))
	mux.Handle("GET /invoices/{invoiceID}", guard.New(users, guard.NoPayload, tenantsInvoice, limit, errs, s.show))
	mux.Handle("DELETE /invoices/{invoiceID}", guard.New(users, guard.NoPayload, tenantsInvoice, limit, errs, s.remove))
	return mux
}

const selectInvoices = `SELECT id, client_id, number, cents FROM invoices WHERE tenant_id = ?`

// invoice loads an invoice of the caller's tenant. Another tenant's is sql.ErrNoRows, as a missing one is: a 404.
func (s Service) invoice(ctx context.Context, u User, id uuid.UUID) (*Invoice, error) {
	var i Invoice
	err := s.DB.QueryRowContext(ctx, selectInvoices+` AND id = ?`, u.TenantID, id).Scan(i.fields()...)
	return &i, err
}

func (s Service) client(ctx context.Context, id uuid.UUID) (Client, error) {
	var c Client
	err := s.DB.QueryRowContext(ctx, `SELECT id, tenant_id FROM clients WHERE id = ?`, id).Scan(&c.ID, &c.TenantID)
	return c, err
}

func (s Service) list(ctx context.Context, c *guard.Call[User, guard.None, guard.None]) ([]Invoice, error) {
	found, err := s.DB.QueryContext(ctx, selectInvoices+` ORDER BY number LIMIT 100`, c.Caller.TenantID)
	return rows.All(found, err, (*Invoice).fields)
}

func (s Service) show(_ context.Context, c *guard.Call[User, guard.None, *Invoice]) (*Invoice, error) {
	return c.Resource, nil
}

func (s Service) create(ctx context.Context, c *guard.Call[User, CreateInvoice, Client]) (guard.Reply[Invoice], error) {
	i := Invoice{ID: uuid.New(), ClientID: c.Resource.ID, Number: c.Input.Number, Cents: c.Input.Cents}
	err := rows.One(s.DB.ExecContext(ctx, `INSERT INTO invoices (id, tenant_id, client_id, number, cents) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (tenant_id, number) DO NOTHING`, i.ID, c.Caller.TenantID, i.ClientID, i.Number, i.Cents))
	if errors.Is(err, guard.ErrNotFound) {
		return guard.Reply[Invoice]{}, guard.Fail(http.StatusConflict, "number_taken", "There is an invoice with this number.")
	}
	if err != nil {
		return guard.Reply[Invoice]{}, err
	}
	return guard.Created("/invoices/"+i.ID.String(), i), nil
}

func (s Service) remove(ctx context.Context, c *guard.Call[User, guard.None, *Invoice]) (guard.None, error) {
	return guard.None{}, rows.One(s.DB.ExecContext(ctx,
		`DELETE FROM invoices WHERE id = ? AND tenant_id = ?`, c.Resource.ID, c.Caller.TenantID))
}
