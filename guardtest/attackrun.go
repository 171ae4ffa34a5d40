package guardtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/routeguard/guard/checklist"
)

// attack is what is going on against one route.
type attack struct {
	route  checklist.Route
	open   func() *service
	used   map[string]bool // exemptions that were needed
	match  func(method, host, path string) string
	report RouteReport

	s     *service
	spent bool            // a mutation succeeded: the next attack needs a fresh service
	name  string          // of the kind of attack
	count int             // of its requests
	clean map[string]bool // answers that were looked at
	still map[string]bool // views that do not tell the time, by their user and route

	absent string // a UUID that nothing has: the same each time, so that answers that hold it can be compared
}

// kind is a kind of attack.
type kind struct {
	name string
	run  func(*attack)
}

// kinds are all kinds, in their order.
var kinds = []kind{
	{"anonymous", (*attack).anonymous},
	{"bad credential", (*attack).badCredentials},
	{"credential in the query", (*attack).queryCredentials},
	{"signature", (*attack).signatures},
	{"wrong role", (*attack).wrongRole},
	{"cross-origin", (*attack).crossOrigin},
	{"wrong user", (*attack).wrongUser},
	{"wrong tenant", (*attack).wrongTenant},
	{"child of another's parent", (*attack).wrongParent},
	{"foreign id in the input", (*attack).foreignInput},
	{"deleted resource", (*attack).deleted},
	{"malformed id", (*attack).malformed},
	{"server-owned names", (*attack).serverOwned},
	{"unknown names", (*attack).unknownNames},
	{"repeated names", (*attack).repeatedNames},
	{"wrong types", (*attack).wrongValues},
	{"broken encoding", (*attack).brokenEncoding},
	{"size", (*attack).oversize},
	{"media type", (*attack).mediaTypes},
	{"query", (*attack).queries},
	{"refused inputs", (*attack).refusedInputs},
	{"hostile text", (*attack).hostileText},
	{"private data", (*attack).privateData},
	{"pages", (*attack).pages},
	{"stale answers", (*attack).stale},
	{"kept answers", (*attack).kept},
	{"forged headers", (*attack).forgedHeaders},
	{"methods", (*attack).methods},
	{"limits", (*attack).limits},
}

// attackRoute runs kinds of attack on a route. The exemptions that were needed are added to used.
func attackRoute(route checklist.Route, open func() *service, used map[string]bool, kinds []kind) RouteReport {
	a := &attack{route: route, open: open, used: used, clean: map[string]bool{}, still: map[string]bool{}, absent: uuid.NewString(),
		report: RouteReport{Pattern: route.Pattern}}
	a.s = open()
	a.match = matcher(a.s.Routes())
	if route.Unguarded != "" {
		a.run("junk", (*attack).junk)
		return a.report
	}
	works := false
	a.run("valid request", func(a *attack) { works = a.baseline() })
	if !works {
		return a.report
	}
	for _, k := range kinds {
		a.run(k.name, k.run)
	}
	return a.report
}

// run runs one kind of attack, and then looks whether anything has changed.
func (a *attack) run(name string, f func(*attack)) {
	a.name, a.count = name, 0
	f(a)
	a.settle()
	if a.count > 0 {
		a.report.Tried = append(a.report.Tried, fmt.Sprintf("%s (%d)", name, a.count))
	}
}

// most is how many findings of one kind are reported: they tend to have one cause.
const most = 3

// found reports a hole.
func (a *attack) found(format string, args ...any) {
	key := a.route.Pattern + ": " + a.name
	if reason, ok := a.s.Exempt[key]; ok {
		if a.used[key] = true; !slices.Contains(a.report.Skipped, a.name+": exempt: "+reason) {
			a.skip("exempt: %s", reason)
		}
		return
	}
	text := a.name + ": " + fmt.Sprintf(format, args...)
	same := 0
	for _, f := range a.report.Findings {
		if f == text {
			return
		}
		if strings.HasPrefix(f, a.name+": ") {
			same++
		}
	}
	if same < most {
		a.report.Findings = append(a.report.Findings, text)
	}
}

// skip reports what cannot be tried.
func (a *attack) skip(format string, args ...any) {
	text := a.name + ": " + fmt.Sprintf(format, args...)
	if !slices.Contains(a.report.Skipped, text) {
		a.report.Skipped = append(a.report.Skipped, text)
	}
}

// fresh takes a fresh service, after a last look at the old one.
func (a *attack) fresh() {
	a.settle()
	a.s, a.spent = a.open(), false
}

// send makes a request and sends it. A service whose limits are used up is replaced.
// What build cannot make is not sent.
func (a *attack) send(build func(*service) *request) answer {
	if a.spent {
		a.fresh()
	}
	for again := range 2 {
		switch {
		case again > 0:
			a.s.seen = &sight{} // a look may use up a limit of one or two requests
		case a.s.seen == nil:
			a.s.seen = a.look()
		}
		r := build(a.s)
		if r == nil {
			return answer{unsendable: true}
		}
		got := a.s.do(a.route, r)
		if got.unsendable {
			return got
		}
		a.count++
		if got.status == http.StatusTooManyRequests {
			a.fresh()
			continue
		}
		a.inspect(r, got)
		if got.ok() && a.route.Mutates() {
			a.accepted(r)
		}
		return got
	}
	a.found("a fresh service answers 429 to the first request")
	return answer{unsendable: true}
}

// valid is a valid request of a caller, or nil.
func (a *attack) valid(s *service, by caller) *request {
	r, err := s.valid(a.route, by)
	if err != nil {
		a.skip("%v", err)
		return nil
	}
	return r
}

// changed is a way to make the usual caller's valid request, and change it.
func (a *attack) changed(change func(*service, *request)) func(*service) *request {
	return func(s *service) *request {
		r := a.valid(s, usual(a.route))
		if r != nil {
			change(s, r)
		}
		return r
	}
}

// mustRefuse sends a changed request, which must be refused.
func (a *attack) mustRefuse(what string, change func(*service, *request)) answer {
	got := a.send(a.changed(change))
	if got.ok() {
		a.found("%s is accepted with %s", what, got)
	}
	return got
}

// baseline sends the valid request with each kind of credential. Nothing would be
// proven by refusals where this is refused, too.
func (a *attack) baseline() bool {
	by := usual(a.route)
	if isSigned(a.route) && a.s.Sign == nil {
		a.found("nobody signs messages for it: set Sign")
		return false
	}
	r, err := a.s.valid(a.route, by)
	if err != nil {
		a.found("there is none: %v", err)
		return false
	}
	if by.name != nobody.name && len(r.credentialsOf(a.route)) == 0 {
		a.found("%s has no credential that the route takes (%s)", by.name, a.route.Who)
		return false
	}
	got := a.send(func(*service) *request { return r })
	if !got.ok() {
		a.found("that of %s is answered %s, so no refusal would prove anything: give a valid input (guardtest.Valid) and ids", by.name, got)
		return false
	}
	if a.s.SignOut == a.route.Pattern {
		a.signedOut(r)
	}
	for _, c := range a.route.Who.Credentials {
		a.baselineWith(c, by)
	}
	if a.route.Method() == http.MethodGet {
		a.head(by)
	}
	if a.route.Mutates() {
		a.twice(by)
	}
	if by.name == owner.name && (a.lastID() != "" || !a.route.Mutates()) {
		a.inTurn()
	}
	return true
}

// inTurn lets one after the other use what is their own: an answer that was kept for one
// must not be another's. Where that fails, refusing it to somebody else proves nothing.
func (a *attack) inTurn() {
	for _, by := range []caller{stranger, tenant, owner} {
		if by.user(a.s).credentials() > 0 {
			got := a.send(func(s *service) *request {
				r, err := s.valid(a.route, by)
				if err != nil {
					return nil
				}
				return r
			})
			if a.lastID() != "" && !got.unsendable && !got.ok() {
				a.found("that of %s for what is their own is answered %s: nothing would be proven", by.name, got)
			}
		}
	}
}
