package guard

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Mux is an [http.ServeMux] that takes only guards.
//
// A handler without the five answers does not compile in Handle; Unguarded takes
// one with a reason. Unknown paths and wrong methods get the Responder's errors.
// Register everything before serving. Make one with [NewMux].
type Mux struct {
	mux    http.ServeMux
	tell   *Responder
	routes []Route
}

// Guarded is what a [Mux] takes: a *[Guard] of any input.
type Guarded interface {
	http.Handler
	madeByNewOrWrap() *blueprint // the compiler names it where something else is passed
}

// Route is one line of the review checklist.
type Route struct {
	Pattern string
	Who     string
	What    string
	Fields  string // of the input, one a line: pointer, type, normalization and rules
	Which   string
	Limits  string
	Notes   string // how the route ends, its hooks, what looks odd, or why it is unguarded
}

// NewMux returns an empty Mux that answers its own refusals through tell.
func NewMux(tell *Responder) *Mux {
	if err := tell.check(); err != nil {
		panic("guard: NewMux: " + strings.Replace(err.Error(), "the fifth answer (tell)", "tell", 1))
	}
	return &Mux{tell: tell}
}

// Handle registers a guard. Patterns are those of [http.ServeMux].
//
// Write the method: a pattern without one takes every method, GET among them,
// whose origin is not checked. It panics as ServeMux does, and where the guard reads
// a path parameter that the pattern does not have.
func (m *Mux) Handle(pattern string, g Guarded) {
	m.mustBeMade()
	if isNil(g) {
		panic("guard: Mux: " + pattern + ": the guard is nil: pass guard.New(…) or guard.Wrap(…)")
	}
	if t := reflect.TypeOf(g); t.Kind() != reflect.Pointer || t.Elem().PkgPath() != reflect.TypeFor[Mux]().PkgPath() {
		panic(fmt.Sprintf("guard: Mux: %s: a %s embeds a guard and may answer without it: pass the guard itself", pattern, t))
	}
	b := g.madeByNewOrWrap()
	if b.who == "" {
		panic("guard: Mux: " + pattern + ": the guard is the zero Guard: make it with guard.New(…) or guard.Wrap(…)")
	}
	have := patternParams(pattern)
	for _, p := range b.params {
		if !slices.Contains(have, p) {
			panic(fmt.Sprintf("guard: Mux: the pattern %q has no {%s}, which the guard reads", pattern, p))
		}
	}
	m.register(pattern, g)
	m.routes = append(m.routes, b.route(pattern, have))
}

// Unguarded registers a handler that answers none of the questions, and says why.
//
// It still gets a request id, panic recovery and a log record.
func (m *Mux) Unguarded(pattern, reason string, h http.Handler) {
	m.mustBeMade()
	if strings.TrimSpace(reason) == "" {
		panic("guard: Mux: " + pattern + `: the reason is empty: write why, such as "static files"`)
	}
	if isNil(h) {
		panic("guard: Mux: " + pattern + ": the handler is nil")
	}
	m.register(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{tell: m.tell, route: r.Pattern, w: w, r: r, start: time.Now()}
		x.do(func(x *exchange) error {
			x.stage = StageHandler
			h.ServeHTTP(x.handOver(), r)
			x.implied()
			return nil
		})
	}))
	m.routes = append(m.routes, Route{Pattern: pattern, Who: "unguarded", What: "-", Which: "-", Limits: "-", Notes: reason})
}

func (m *Mux) mustBeMade() {
	if m == nil || m.tell == nil {
		panic("guard: Mux: it has no Responder for its own refusals: make it with guard.NewMux(errs)")
	}
}

// register takes the interceptor off again for requests that found their route:
// a guard needs the server's own ResponseWriter.
func (m *Mux) register(pattern string, h http.Handler) {
	m.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if i, ok := w.(*interceptor); ok {
			w = i.ResponseWriter
		}
		h.ServeHTTP(w, r)
	})
}

// ServeHTTP hands a request to the guard of its route.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := &interceptor{ResponseWriter: w}
	m.mux.ServeHTTP(i, r)
	if i.status == 0 {
		return
	}
	x := &exchange{tell: m.tell, w: w, r: r, start: time.Now()}
	x.do(func(x *exchange) error {
		x.stage = StageRoute
		return i.answer(x)
	})
}

// interceptor catches what ServeMux itself would answer, in plain text: unknown
// paths, wrong methods, redirects to a cleaner path.
type interceptor struct {
	http.ResponseWriter
	header http.Header
	status int
}

func (i *interceptor) Header() http.Header {
	if i.header == nil {
		i.header = http.Header{}
	}
	return i.header
}

func (i *interceptor) WriteHeader(status int)      { i.status = status }
func (i *interceptor) Write(b []byte) (int, error) { return len(b), nil }

func (i *interceptor) answer(x *exchange) error {
	h := x.w.Header()
	switch {
	case i.status < 400:
		if location := i.header.Get("Location"); location != "" {
			h["Location"] = []string{location}
		}
		h["Cache-Control"] = []string{"no-store"}
		x.send(i.status, nil)
		return nil
	case i.status == http.StatusMethodNotAllowed:
		h["Allow"] = i.header["Allow"] // RFC 9110, section 15.5.6
		return Fail(i.status, "method_not_allowed", "Method not allowed.")
	case i.status == http.StatusNotFound:
		return refuseNotFound
	}
	return &Error{Status: i.status, Code: "bad_request", Message: "Bad request.", closeConn: true}
}

// Routes returns the checklist in the order of registration.
func (m *Mux) Routes() []Route { return slices.Clone(m.routes) }

// WriteChecklist prints the routes as a table, for a review.
func (m *Mux) WriteChecklist(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PATTERN\tWHO\tWHAT\tWHICH\tLIMITS\tNOTES")
	for _, r := range m.routes {
		fmt.Fprintln(t, strings.Join([]string{r.Pattern, r.Who, r.What, r.Which, r.Limits, r.Notes}, "\t"))
	}
	return t.Flush()
}

// patternParams returns the wildcard names of a ServeMux pattern.
func patternParams(pattern string) []string {
	var names []string
	for {
		_, after, ok := strings.Cut(pattern, "{")
		if !ok {
			return names
		}
		name, rest, ok := strings.Cut(after, "}")
		if !ok {
			return names
		}
		if name = strings.TrimSuffix(name, "..."); name != "" && name != "$" {
			names = append(names, name)
		}
		pattern = rest
	}
}

// blueprint is what a guard says about itself.
type blueprint struct {
	params           []string // path parameters that it reads
	who, what, which string
	fields           string
	limits           string
	notes            []string
}

func (g *Guard[T]) madeByNewOrWrap() *blueprint { return &g.plan }

func (b *blueprint) route(pattern string, wildcards []string) Route {
	notes := slices.Clone(b.notes)
	if !strings.Contains(pattern, " ") {
		notes = append(notes, "any method") // GET among them, whose origin is not checked
	}
	for _, name := range wildcards {
		if !slices.Contains(b.params, name) {
			notes = append(notes, "no answer reads {"+name+"}")
		}
	}
	return Route{Pattern: pattern, Who: b.who, What: b.what, Fields: b.fields, Which: b.which, Limits: b.limits, Notes: strings.Join(notes, "; ")}
}

func (p *pipeline[S, T, R]) describe(limit Limit) blueprint {
	b := blueprint{who: p.who.describe(), what: p.what.describe(), fields: p.what.fields(), which: p.which.rule, limits: limit.describe()}
	b.params = append(slices.Clone(p.which.params), p.what.params()...)
	if p.end.owned != "" {
		b.which = p.end.owned
	}
	if len(p.which.params) > 0 {
		b.which = "{" + strings.Join(p.which.params, "}/{") + "} " + b.which
	}
	if p.end.kind != "handler" {
		b.notes = append(b.notes, p.end.kind)
	}
	if len(p.end.hooks) > 0 {
		b.notes = append(b.notes, "after: "+strings.Join(p.end.hooks, ", "))
	}
	return b
}

func (a *Authenticator[S]) describe() string {
	if a.anyone {
		return "anyone"
	}
	if a.message != nil {
		return a.message.describe()
	}
	var kinds, roles []string
	for i := range a.ways {
		kind := a.ways[i].kind
		if a.ways[i].keep {
			kind += " (kept)"
		}
		kinds = append(kinds, kind)
		for _, r := range a.ways[i].roles {
			if !slices.Contains(roles, r.name) {
				roles = append(roles, r.name)
			}
		}
	}
	text := strings.Join(kinds, "|")
	if len(roles) > 0 {
		text += " only " + strings.Join(roles, ", ")
	}
	if a.optional {
		text += ", or anonymous"
	}
	return text
}

// shortDuration is 1m for 1m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
