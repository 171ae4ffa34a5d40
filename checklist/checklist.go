// Package checklist is the security review of a service's routes, out of its code.
//
// guard.Mux.Routes and guard.Describe return a [Route] for each guard: its five
// answers as data. [WriteTable], [WriteMarkdown] and [WriteJSON] print them, with the
// seven points of a review and what looks odd about each route:
//
//	checklist.WriteMarkdown(os.Stdout, mux.Routes())
//
// Guards on a plain http.ServeMux or another router are described one by one:
//
//	projects := guard.New(…)
//	router.Method("PATCH", "/projects/{projectID}", projects)
//	list = append(list, guard.Describe("PATCH /projects/{projectID}", projects))
package checklist

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
)

// List is a list of routes that guards on another router gave one by one.
//
// Like a guard.Mux, it has Routes, which guardtest takes.
type List []Route

// Routes returns the list.
func (l List) Routes() []Route { return l }

// Route is one route and its five answers.
type Route struct {
	// Pattern is that of http.ServeMux: "PATCH /projects/{projectID}".
	Pattern string `json:"pattern"`

	// Unguarded is why nothing guards the route. The other answers are empty then.
	Unguarded string `json:"unguarded,omitempty"`

	Who    Who    `json:"who"`
	What   What   `json:"what"`
	Which  Which  `json:"which"`
	Limits Limits `json:"limits"`
	Tell   Tell   `json:"tell"`

	Ending Ending   `json:"ending,omitempty"`
	After  []string `json:"after,omitempty"` // hooks, by the names of their functions

	// Result is the Go type of a Handler's result, the body of a Reply; else nil.
	Result reflect.Type `json:"-"`
}

// Ending is how a route ends.
type Ending string

const (
	Handler Ending = "handler" // a typed handler, whose result is sent as JSON
	Stream  Ending = "stream"  // a typed handler that writes the response itself
	Wrap    Ending = "wrap"    // an http.Handler
)

// Who is the first answer: who is calling.
type Who struct {
	// Credentials are tried in order. There are none where Anyone is true.
	Credentials []Credential `json:"credentials,omitempty"`
	// Anyone tells that no session is needed.
	Anyone bool `json:"anyone,omitempty"`
	// Optional tells that a caller without a credential is let in, too.
	Optional bool `json:"optional,omitempty"`
	// Roles must all hold.
	Roles []string `json:"roles,omitempty"`
	// Origins may send ambient credentials, besides the service's own origin.
	Origins []string `json:"origins,omitempty"`
	// Caller is the Go type of the session.
	Caller string `json:"caller,omitempty"`
}

// Credential is one kind of credential that a route takes.
type Credential struct {
	// Kind is bearer, cookie, apikey or signed.
	Kind string `json:"kind"`
	// Name is that of the cookie or header field, or the scheme of signed messages.
	Name string `json:"name"`
	// MaxBody caps the signed body, in bytes.
	MaxBody int64 `json:"maxBody,omitempty"`
	// Tolerance is how far a signed time may be from now. Zero: no time is signed.
	Tolerance time.Duration `json:"-"`
	// Remembered is how long, and where, a delivered message is remembered.
	Remembered string `json:"remembered,omitempty"`
	// Kept tells that a wrapped handler sees the credential.
	Kept bool `json:"kept,omitempty"`
}

// Ambient reports whether a browser sends the credential by itself.
func (c Credential) Ambient() bool { return c.Kind == "cookie" }

// What is the second answer: what payload is allowed.
type What struct {
	// Kind is JSON, Form, Query, none or raw body.
	Kind string `json:"kind,omitempty"`
	// Type is the Go type of the input; nil where there is none.
	Type reflect.Type `json:"-"`
	// MaxBody caps the body, in bytes. Zero takes no body.
	MaxBody int64 `json:"maxBody,omitempty"`
	// MediaTypes are what the body may be. Nil where none is checked.
	MediaTypes []string `json:"mediaTypes,omitempty"`
	// Fields are what the input is made of.
	Fields []Field `json:"fields,omitempty"`
}

// Field is one field of an input.
type Field struct {
	// Pointer is how refusals name the field: "/name", "query/limit"; "*" is an index.
	Pointer string `json:"pointer"`
	// Name is the caller's name of the field.
	Name string `json:"name"`
	// In is json, form, query, path or header.
	In string `json:"in"`
	// Type is the Go type, and GoType its name.
	Type   reflect.Type `json:"-"`
	GoType string       `json:"type"`
	// Rules, Normalize and Default are the field's tags.
	Rules      string `json:"rules,omitempty"`
	Normalize  string `json:"normalize,omitempty"`
	Default    string `json:"default,omitempty"`
	HasDefault bool   `json:"hasDefault,omitempty"`
	// Client tells that the name looks server-owned and clients may set it all the same.
	Client bool `json:"client,omitempty"`
	// Required tells that absence is refused.
	Required bool `json:"required,omitempty"`
	// Nullable tells that null is taken.
	Nullable bool `json:"nullable,omitempty"`
	// Repeated tells that the field is a list; MaxItems bounds it where it is not zero.
	Repeated bool `json:"repeated,omitempty"`
	MaxItems int  `json:"maxItems,omitempty"`
	// FileMax, in bytes, and FileTypes say what an uploaded file may be.
	FileMax   int64    `json:"fileMax,omitempty"`
	FileTypes []string `json:"fileTypes,omitempty"`
	// FileDeclaredAny tells that a file may come under any media type or none: its content alone decides.
	FileDeclaredAny bool `json:"fileDeclaredAny,omitempty"`
	// Fields are those of a nested struct.
	Fields []Field `json:"fields,omitempty"`
}

// Which is the third answer: which resource is touched.
//
// Each step is found within the one before. There is none for NoResource.
type Which struct {
	Steps []Step `json:"steps,omitempty"`
}

// Step is how one resource is found and granted.
type Step struct {
	// Kind is Owned, Within, Authorize or OwnedInput.
	Kind string `json:"kind"`
	// Parameter names it in the path. Empty for OwnedInput: the id stands in the input.
	Parameter string `json:"parameter,omitempty"`
	// UUID tells that guard.ParseUUID parses the parameter: one spelling, in lower case.
	UUID bool `json:"uuid,omitempty"`
	// Rule is the function that decides: owns, Within's load, or authorize. Like other
	// functions here, what may("edit") returned goes by the name of may, and a literal
	// by that of the function that it stands in, with a number: routes.func3.
	Rule string `json:"rule"`
	// Resource is the Go type of what is loaded.
	Resource string `json:"resource"`
}

// Limits is the fourth answer: what abuse controls exist.
type Limits struct {
	Rules []Limit `json:"rules,omitempty"`
	// Unlimited is why there are none.
	Unlimited string `json:"unlimited,omitempty"`
}

// Limit is a number of requests in a time, or at a time, for each key.
type Limit struct {
	// Per is what has a bucket of its own: ip, network, global, caller, key or input.
	Per string `json:"per"`
	// Count is admitted in each Period, up to Burst at once; of InFlight, at a time.
	Count    int           `json:"count"`
	Period   time.Duration `json:"-"`
	Burst    int           `json:"burst,omitempty"`
	InFlight bool          `json:"inFlight,omitempty"`
	// Cost is what a request takes, or Weight names the function that says it.
	Cost   int    `json:"cost,omitempty"`
	Weight string `json:"weight,omitempty"`
	// Name is that of buckets that routes may share. Empty: the route's own.
	Name string `json:"name,omitempty"`
	// OnFailure tells that only failed requests are charged.
	OnFailure bool `json:"onFailure,omitempty"`
	// SplitByNetwork tells that each client network has buckets of its own.
	SplitByNetwork bool `json:"splitByNetwork,omitempty"`
	// Shadow tells that the limit is only logged.
	Shadow bool `json:"shadow,omitempty"`
	// Preset is what several rules are together, such as SlowDown.
	Preset string `json:"preset,omitempty"`
	// Store is the Go type of the shared store. Empty: this process.
	Store string `json:"store,omitempty"`
	// Outage is local, open or closed: what happens while the shared store is down.
	Outage string `json:"outage,omitempty"`
	// Headers tells that responses carry RateLimit and RateLimit-Policy.
	Headers bool `json:"headers,omitempty"`
}

// Tell is the fifth answer: what the caller learns on failure.
type Tell struct {
	// MediaType is that of an error's body.
	MediaType string `json:"mediaType,omitempty"`
	// InvalidStatus is the status of input that breaks rules: 400 or 422.
	InvalidStatus int `json:"invalidStatus,omitempty"`
}

// Method is the method of the pattern, or "" for every method.
func (r Route) Method() string {
	method, _, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		return ""
	}
	return method
}

// Path is the pattern's path, without its method and host.
func (r Route) Path() string {
	_, path, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		path = r.Pattern
	}
	path = strings.TrimLeft(path, " \t")
	if i := strings.IndexByte(path, '/'); i > 0 {
		path = path[i:]
	}
	return path
}

// Host is the pattern's host, or "".
func (r Route) Host() string {
	_, path, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		path = r.Pattern
	}
	host, _, _ := strings.Cut(strings.TrimLeft(path, " \t"), "/")
	return host
}

// Wildcards are the names of the pattern's path parameters.
func (r Route) Wildcards() []string {
	var names []string
	for rest := r.Path(); ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			return names
		}
		name, tail, ok := strings.Cut(after, "}")
		if !ok {
			return names
		}
		if name = strings.TrimSuffix(name, "..."); name != "" && name != "$" {
			names = append(names, name)
		}
		rest = tail
	}
}

// Mutates reports whether the method may change something (RFC 9110, section 9.2.1).
func (r Route) Mutates() bool {
	m := r.Method()
	return m != http.MethodGet && m != http.MethodHead && m != http.MethodOptions
}

// Parameters are the path parameters that the third answer reads.
func (w Which) Parameters() []string {
	var names []string
	for _, s := range w.Steps {
		if s.Parameter != "" {
			names = append(names, s.Parameter)
		}
	}
	return names
}

// unread are the pattern's parameters that no answer reads.
func (r Route) unread() []string {
	if r.Unguarded != "" {
		return nil
	}
	read := r.Which.Parameters()
	for _, f := range r.What.Fields {
		if f.In == "path" {
			read = append(read, f.Name)
		}
	}
	return slices.DeleteFunc(r.Wildcards(), func(name string) bool { return slices.Contains(read, name) })
}
