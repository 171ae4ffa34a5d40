package guard

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/routeguard/guard/checklist"
)

// Mux is an [http.ServeMux] that takes only guards.
//
// A handler without the five answers does not compile in Handle; Unguarded takes
// one with a reason. Unknown paths and wrong methods get the Responder's errors.
// Register everything before serving. Make one with [NewMux].
type Mux struct {
	mux    http.ServeMux
	tell   *Responder
	routes []checklist.Route
}

// Guarded is what a [Mux] takes: a *[Guard] of any input.
type Guarded interface {
	http.Handler
	madeByNewOrWrap() *blueprint // the compiler names it where something else is passed
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
	b := blueprintOf("Mux", pattern, g)
	m.register(pattern, g)
	m.routes = append(m.routes, b.at(pattern))
}

// Unguarded registers a handler that answers none of the questions, and says why.
//
// It still gets a request id, panic recovery and a log record. A guard brings these
// itself, once.
func (m *Mux) Unguarded(pattern, reason string, h http.Handler) {
	m.mustBeMade()
	if strings.TrimSpace(reason) == "" {
		panic("guard: Mux: " + pattern + `: the reason is empty: write why, such as "static files"`)
	}
	if isNil(h) {
		panic("guard: Mux: " + pattern + ": the handler is nil")
	}
	if g, ok := h.(Guarded); ok && !embedsGuard(g) {
		blueprintOf("Mux", pattern, g)
	} else {
		h = m.observed(h)
	}
	m.register(pattern, h)
	m.routes = append(m.routes, checklist.Route{Pattern: pattern, Unguarded: reason})
}

// observed gives a handler what a guard has besides its answers.
func (m *Mux) observed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := newExchange(m.tell, w, r)
		x.route = r.Pattern
		x.do(func(x *exchange) error {
			x.stage = StageHandler
			h.ServeHTTP(x.handOver(), r)
			x.implied()
			return nil
		})
	})
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
	i := interceptors.Get().(*interceptor)
	i.ResponseWriter = w
	m.mux.ServeHTTP(i, r)
	if i.status == 0 { // only ServeMux has seen i
		*i = interceptor{}
		interceptors.Put(i)
		return
	}
	x := newExchange(m.tell, w, r)
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

var interceptors = sync.Pool{New: func() any { return new(interceptor) }}

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
//
// Its parts are shared: do not change what is in them.
func (m *Mux) Routes() []checklist.Route { return slices.Clone(m.routes) }

// WriteChecklist prints the routes as a table, for a review.
//
// The checklist package prints Markdown and JSON as well.
func (m *Mux) WriteChecklist(w io.Writer) error { return checklist.WriteTable(w, m.routes) }
