package guardtest

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/internal/input"
)

// Target is what is attacked: a [guard.Mux], or another router with the checklist of its guards.
//
// Hundreds of requests are refused on purpose: give the service's Responder a Log of
// [log/slog.DiscardHandler], or the findings drown in its records.
//
//	struct { http.Handler; checklist.List }{router, list}
type Target interface {
	http.Handler
	Routes
}

// Fixtures is what the attacks need to know of a service: two users, something of
// each, and a valid input for each route that takes one.
type Fixtures struct {
	// Owner makes the valid requests, and is attacked. Stranger may see and change
	// nothing of the owner's, nor the owner of the stranger's. Both are required.
	Owner, Stranger User

	// Tenant is a user of another tenant, where the service has tenants.
	Tenant User

	// Roles are by the names that the checklist gives them, such as "User.IsAdmin".
	Roles map[string]Role

	// Inputs are made by Valid, Raw and Refused.
	Inputs []Input

	// Bad are credentials that must be refused, by what is wrong with them: "expired",
	// "revoked", "of a disabled user". Only their Bearer, Cookie and APIKey count.
	Bad map[string]User

	// Deleted are ids of what the owner has deleted, as in User.IDs. Missing are ids
	// that nothing has; the kit makes them up where it is left out.
	Deleted, Missing map[string]string

	// Sign adds a signature over the body, as of a time, to a request of a route whose
	// first answer is guard.Signed. Each call is for a new message.
	Sign func(r *http.Request, body []byte, at time.Time)

	// SignOut is the pattern of the route that ends a session, such as "POST /logout".
	// The credential must then be refused there, and wherever it could read before.
	SignOut string

	// Never are texts that no response may hold, such as keys and password hashes.
	Never []string

	// Exempt says why an attack is let pass, by pattern and attack as a failure names
	// them: "GET /status: limits". A reason is required; one that is not needed fails.
	Exempt map[string]string
}

// User is a caller, and what is theirs.
type User struct {
	// ID is the caller's subject, which forged headers will claim.
	ID string

	// Bearer, Cookie and APIKey are credentials. The checklist knows where they go.
	Bearer, Cookie, APIKey string

	// IDs are of resources that this user may reach, by the name of the path parameter:
	// "projectID", or "/invoices/{id}", the path up to it, where routes use a name
	// for several things.
	IDs map[string]string

	// Secrets are texts that no response to anybody else may hold, of three or more
	// words at best: searches try the first half, and must not find the whole.
	Secrets []string
}

// Role is who has a role, and who lacks it. A zero user is the owner.
type Role struct{ With, Without User }

// Input is a payload of a route. Make one with [Valid], [Raw] or [Refused].
type Input struct {
	pattern   string
	typ       reflect.Type
	values    []any
	mediaType string
	raw       []byte
	refused   bool
}

// Valid is a valid input of a route, of the type that its second answer takes.
//
// Fields that are zero are left out. Path parameters come from User.IDs.
func Valid[T any](pattern string, payload T) Input {
	return Input{pattern: pattern, typ: reflect.TypeFor[T](), values: []any{payload}}
}

// Refused are inputs that are well-formed and that the handler must refuse, such as
// wrong passwords. All of them must get the same bytes, so that nothing is learned
// from the difference.
func Refused[T any](pattern string, payloads ...T) Input {
	in := Input{pattern: pattern, typ: reflect.TypeFor[T](), refused: true}
	for _, p := range payloads {
		in.values = append(in.values, p)
	}
	return in
}

// Raw is a valid body of a route whose second answer is guard.RawBody.
func Raw(pattern, mediaType string, body []byte) Input {
	return Input{pattern: pattern, mediaType: mediaType, raw: body}
}

// File is an uploaded file, for an input of [Valid] and for tests of handlers.
func File(name, contentType string, content []byte) guard.File {
	var f guard.File
	input.GiveFile(&f, name, contentType, content)
	return f
}

// Attack attacks every route of a service, and fails the test where one gives way.
//
//	func TestAttack(t *testing.T) {
//		guardtest.Attack(t, func(t *testing.T) (guardtest.Target, guardtest.Fixtures) {
//			s := newService(t)
//			return s.mux, guardtest.Fixtures{
//				Owner:    guardtest.User{Bearer: s.token("alice"), IDs: map[string]string{"projectID": s.projectOf("alice")}},
//				Stranger: guardtest.User{Bearer: s.token("bob"), IDs: map[string]string{"projectID": s.projectOf("bob")}},
//				Inputs:   []guardtest.Input{guardtest.Valid("POST /projects", CreateProject{Name: "A name"})},
//			}
//		})
//	}
//
// Open returns a fresh service with its data each time: an attack that deletes
// something, or that uses up a limit, gets another one, so that the limits under
// attack are those of production. Requests go to the handler without a network, each
// from an address of its own.
//
// For each route the valid request must succeed: otherwise nothing would be proven. Then
// it tries callers without and with bad credentials, other users and tenants,
// callers without the role, other sites' pages, ids of others, missing, deleted and
// malformed, inputs with server-owned, unknown and repeated names, wrong types, values
// beyond their rules, broken encodings and sizes, other methods, forged headers, and
// more requests than the limits admit, failures under each spelling of an account
// counted as one. Whatever is answered must tell nothing: the
// same bytes for what is missing and what is foreign, no value of the request, no
// library's text, no 5xx. What others see must be as before, and no answer may have been
// kept for another question.
//
// The report says for each route what was tried, and what could not be and why. It is
// logged, and returned.
func Attack(t *testing.T, open func(t *testing.T) (Target, Fixtures)) *Report {
	t.Helper()
	first := newService(open(t))
	if err := first.check(); err != nil {
		t.Fatalf("the fixtures do not fit the routes:\n%v", err)
	}
	report := &Report{}
	used := map[string]bool{}
	for _, route := range first.Routes() {
		t.Run(route.Pattern, func(t *testing.T) {
			r := attackRoute(route, func() *service { return newService(open(t)) }, used, kinds)
			report.Routes = append(report.Routes, r)
			for _, f := range r.Findings {
				t.Errorf("%s: %s", route.Pattern, f)
			}
			r.Findings = nil // they are told
			t.Log(r)
		})
	}
	if len(report.Routes) < len(first.Routes()) { // the test ran with a filter
		return report
	}
	for _, key := range slices.Sorted(maps.Keys(first.Exempt)) {
		if !used[key] {
			t.Errorf("Exempt %q is not needed: remove it", key)
		}
	}
	return report
}

// Report is what was tried on each route.
type Report struct{ Routes []RouteReport }

// String is a line for each route, and its findings and what was not tried below it.
func (r *Report) String() string {
	var b strings.Builder
	for _, route := range r.Routes {
		b.WriteString(route.String() + "\n")
	}
	return b.String()
}

// RouteReport is what was tried on one route.
type RouteReport struct {
	Pattern  string
	Tried    []string // attacks, with the number of their requests
	Skipped  []string // what could not be tried, and why
	Findings []string // what gave way
}

// String is a line of what was tried, and one for each finding and what was not tried.
func (r RouteReport) String() string {
	text := r.Pattern + ": tried " + strings.Join(r.Tried, ", ")
	for _, s := range r.Skipped {
		text += "\n\tnot tried: " + s
	}
	for _, f := range r.Findings {
		text += "\n\tfound: " + f
	}
	return text
}
