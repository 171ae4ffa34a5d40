package tenants

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/internal/trial"
)

const (
	acmeClient    = "0198f000-0000-7000-8000-0000000000c1"
	globexClient  = "0198f000-0000-7000-8000-0000000000c2"
	acmeInvoice   = "0198f000-0000-7000-8000-0000000000a1"
	globexInvoice = "0198f000-0000-7000-8000-0000000000b1"
	missing       = "0198f000-0000-7000-8000-00000000dead"
)

func newService(t *testing.T) Service {
	t.Helper()
	db := trial.DB(t, Schema)
	trial.Exec(t, db, `INSERT INTO clients VALUES (?, 'acme', 'A client'), (?, 'globex', 'Another client')`, acmeClient, globexClient)
	trial.Exec(t, db, `INSERT INTO invoices VALUES (?, 'acme', ?, 'R-1', 100), (?, 'globex', ?, 'R-7', 700)`,
		acmeInvoice, acmeClient, globexInvoice, globexClient)
	return Service{db}
}

// Two tenants may have a user of the same id.
var users = map[string]User{"acme": {"1", "acme"}, "globex": {"1", "globex"}}

func TestTenants(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.Routes(trial.Callers(users), trial.Errs(t))
	body := func(client, number string) string {
		return `{"clientId":"` + client + `","number":"` + number + `","cents":5}`
	}
	trial.Run(t, h, []trial.Case{
		{Name: "a tenant's own invoice", As: "acme", Do: "GET /invoices/" + acmeInvoice, Status: 200, Want: "R-1"},
		{Name: "another tenant's", As: "acme", Do: "GET /invoices/" + globexInvoice, Status: 404, Want: "not_found"},
		{Name: "deleting another tenant's", As: "acme", Do: "DELETE /invoices/" + globexInvoice, Status: 404, Want: "not_found"},
		{Name: "a list has the tenant's own rows", As: "acme", Do: "GET /invoices", Status: 200,
			Want: `[{"id":"` + acmeInvoice + `","clientId":"` + acmeClient + `","number":"R-1","cents":100}]`},
		{Name: "a tenant in the query", As: "acme", Do: "GET /invoices?tenantId=globex", Status: 400, Want: "unknown_parameter"},
		{Name: "a tenant in the body", As: "acme", Do: "POST /invoices", Body: `{"tenantId":"globex",` + body(acmeClient, "R-2")[1:],
			Status: 400, Want: "unknown_field"},
		{Name: "an invoice to another tenant's client", As: "acme", Do: "POST /invoices", Body: body(globexClient, "R-2"), Status: 404, Want: "not_found"},
		{Name: "an invoice to a missing client", As: "acme", Do: "POST /invoices", Body: body(missing, "R-2"), Status: 404, Want: "not_found"},
		{Name: "a number that another tenant has", As: "acme", Do: "POST /invoices", Body: body(acmeClient, "R-7"), Status: 201, Want: "R-7"},
		{Name: "a number that the tenant has", As: "acme", Do: "POST /invoices", Body: body(acmeClient, " R-1 "), Status: 409, Want: "number_taken"},
		{Name: "deleting one's own", As: "acme", Do: "DELETE /invoices/" + acmeInvoice, Status: 204},
	})
	if got := trial.Text(t, s.DB, `SELECT group_concat(tenant_id || ' ' || number, ', ' ORDER BY tenant_id) FROM invoices`); got != "acme R-7, globex R-7" {
		t.Errorf("got invoices %q", got)
	}
}

func TestAnotherTenantsInvoiceLooksMissing(t *testing.T) {
	t.Parallel()
	h := newService(t).Routes(trial.Callers(users), trial.Errs(t))
	answer := func(id string) string {
		w := trial.Send(h, "acme", "GET /invoices/"+id, "")
		return strings.ReplaceAll(w.Body.String(), w.Header().Get("X-Request-ID"), "")
	}
	if got, want := answer(globexInvoice), answer(missing); got != want {
		t.Errorf("got %s for another tenant's, %s for a missing one", got, want)
	}
}

// The users of one tenant share its budget; the other tenant does not notice.
func TestTenantsDoNotStarveEachOther(t *testing.T) {
	t.Parallel()
	all, refusedBy := map[string]User{"globex": users["globex"]}, ""
	errs := trial.Errs(t)
	errs.Observe = func(_ context.Context, e guard.Event) { refusedBy = e.Limit }
	h := newService(t).Routes(trial.Callers(all), errs)
	for n := range 100 { // users, each within a limit of its own
		id := strconv.Itoa(n)
		all[id] = User{id, "acme"}
		for range 60 {
			if refusedBy == "" {
				trial.Send(h, id, "GET /invoices", "")
			}
		}
	}
	if refusedBy != "tenant" {
		t.Errorf("6000 requests of one tenant's users were refused by %q, want tenant", refusedBy)
	}
	if got := trial.Send(h, "globex", "GET /invoices", "").Code; got != 200 {
		t.Errorf("the other tenant: got %d, want 200", got)
	}
}

// Whatever the code forgets, an invoice of one tenant cannot name another tenant's client.
func TestSchemaKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, statement := range []string{
		`INSERT INTO invoices VALUES ('x', 'acme', '` + globexClient + `', 'R-9', 1)`,
		`UPDATE invoices SET tenant_id = 'globex' WHERE tenant_id = 'acme'`,
		`INSERT INTO clients VALUES ('x', '', 'of nobody')`,
	} {
		if _, err := s.DB.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "constraint failed") {
			t.Errorf("%s: got %v, want a failed constraint", statement, err)
		}
	}
}
