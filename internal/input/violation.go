package input

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Failure says why a request was refused. Everything but Cause may be shown to the caller. It is valid until Release.
type Failure struct {
	Status     int         // an HTTP status
	Code       string      // a stable snake_case code
	Title      string      // a fixed sentence
	Violations []Violation // what is wrong with which field; at most MaxViolations, in struct order
	CloseConn  bool        // the connection must not be reused: an unread body may still be on it
	Rules      bool        // what is wrong are broken rules alone: the form of the input is not
	Cause      error       // for the log; nil when Code says it all; never contains what the caller sent

	plan    *Plan
	scratch *scratch // that the Failure and its Violations are part of; nil when they stand alone
}

// Release gives the memory of a Failure back for another request. Neither the Failure nor its Violations may be used
// afterwards. A Failure that is not released is left to the garbage collector.
func (f *Failure) Release() {
	if f.scratch != nil {
		f.plan.putScratch(f.scratch)
	}
}

// Violation says what is wrong with one field. It never contains a value that the caller sent.
type Violation struct {
	// Pointer names the field: an RFC 6901 JSON pointer into the body ("" is the whole body), or "query/limit",
	// "path/projectID", "header/If-Match"; "query" alone is the query as a whole.
	Pointer string
	// Code is stable and snake_case: a rule's own name ("min") or one of the decoder's ("type", "null", "unknown_field").
	Code string
	// Message is plain English without a subject: "must be at least 3 characters".
	Message string
	// Param is the rule's parameter as the developer wrote it, Go field names replaced by the caller's names.
	Param string
}

// BodyCode and BodyTitle are the code and the title of a wrong body, which is what most failures are.
const (
	BodyCode  = "invalid_body"
	BodyTitle = "Invalid request body."
)

// The public codes and titles of failures.
var (
	failureBody       = Failure{Status: http.StatusBadRequest, Code: BodyCode, Title: BodyTitle}
	failureParameters = Failure{Status: http.StatusBadRequest, Code: "invalid_parameters", Title: "Invalid request parameters."}
	failureUnexpected = Failure{Status: http.StatusBadRequest, Code: "unexpected_body", Title: "This request takes no body."}
	failureIncomplete = Failure{Status: http.StatusBadRequest, Code: "incomplete_body", Title: "Incomplete request body.", CloseConn: true}
	failureTimeout    = Failure{Status: http.StatusRequestTimeout, Code: "request_timeout", Title: "Request timeout.", CloseConn: true}
	failureMediaType  = Failure{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Title: "Unsupported media type."}
	failureTooLarge   = Failure{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Title: "Request body too large.", CloseConn: true}
	failureInternal   = Failure{Status: http.StatusInternalServerError, Code: "internal_error", Title: "Internal server error."}
)

// with returns a copy of f that carries a cause.
func (f Failure) with(cause error) *Failure {
	f.Cause = cause
	return &f
}

// problem is what is wrong with a value, apart from where it stands. A nil problem means nothing.
type problem struct {
	code, message, param string
	soft                 bool // the other rules can still be judged
	rule                 bool // a rule that the developer declared is broken, not the form of the input
}

// frame is one step from the input struct to a value: a field, an item of an array, or an entry of a map.
type frame struct {
	field *field
	index int
	entry bool
}

// found is a violation that is not worded yet, with its place in struct order.
type found struct {
	pointer  string
	problem  *problem
	entry    bool // it is in an entry of a map, which the pointer does not show
	body     bool
	from, to int // its order among the collector's orders
}

// message words the problem for what the pointer names.
func (f *found) message() string {
	if f.entry {
		return "has an entry that " + f.problem.message
	}
	return f.problem.message
}

// same reports whether two violations would tell the caller the same.
func (f *found) same(other *found) bool {
	return f.pointer == other.pointer && f.entry == other.entry && f.problem.code == other.problem.code &&
		f.problem.message == other.problem.message
}

// collector gathers violations up to MaxViolations.
type collector struct {
	list   []found
	orders []int
	full   bool // a violation found no room
	// bodyless is set for a request without a body, where a problem of the whole input is the query's.
	bodyless bool
	hard     bool // the body or the query was not decoded completely, so that rules cannot be judged
	// malformed says that something other than a declared rule was broken.
	malformed bool
	told      Failure
	worded    []Violation // of told
}

// release forgets what was gathered.
func (c *collector) release() {
	if len(c.worded) > 0 {
		clear(c.worded)
		c.told, c.worded = Failure{}, c.worded[:0]
	}
	clear(c.list)
	c.list, c.orders = c.list[:0], c.orders[:0]
	c.full, c.bodyless, c.hard, c.malformed = false, false, false, false
}

// add records a problem at the end of path and reports whether there is room for more.
func (c *collector) add(path []frame, p *problem) bool {
	inBody := len(path) == 0 && !c.bodyless || len(path) > 0 && path[0].field.inBody()
	c.hard = c.hard || inBody && !p.soft
	v := found{pointer: pointer(path), problem: p, entry: inEntry(path), body: inBody}
	if len(path) == 0 && c.bodyless {
		v.pointer = string(FromQuery)
	}
	return c.keep(v, path)
}

// addParameters records a problem of a whole source, such as "query".
func (c *collector) addParameters(source Source, p *problem) {
	c.keep(found{pointer: string(source), problem: p}, nil)
}

// keep keeps a violation unless the same is there already, and reports whether there is room for more.
func (c *collector) keep(v found, path []frame) bool {
	c.malformed = c.malformed || !v.problem.rule
	if len(c.list) >= MaxViolations {
		c.full = true
		return false
	}
	for i := range c.list {
		if c.list[i].same(&v) {
			return true
		}
	}
	v.from = len(c.orders)
	c.orders = appendOrder(c.orders, path)
	v.to = len(c.orders)
	c.list = append(c.list, v)
	return true
}

// refused reports whether something was already recorded where a rule is broken. Which entry of a map it was is not known.
func (c *collector) refused(path []frame) bool {
	return !inEntry(path) && c.has(pointer(path))
}

// has reports whether something was recorded at exactly this place, or above it in the body.
func (c *collector) has(at string) bool {
	for i := range c.list {
		old := c.list[i].pointer
		if old == at || strings.HasPrefix(old, "/") && strings.HasPrefix(at, old+"/") {
			return true
		}
	}
	return false
}

// failure returns what was gathered as a 400, or nil. It is part of the collector.
func (c *collector) failure() *Failure {
	if len(c.list) == 0 {
		return nil
	}
	slices.SortStableFunc(c.list, c.compare)
	f := &failureParameters
	for i := range c.list {
		v := &c.list[i]
		c.worded = append(c.worded, Violation{Pointer: v.pointer, Code: v.problem.code, Message: v.message(), Param: v.problem.param})
		if v.body {
			f = &failureBody
		}
	}
	c.told = Failure{Status: f.Status, Code: f.Code, Title: f.Title, Rules: !c.malformed, Violations: c.worded}
	return &c.told
}

// compare orders violations as their fields stand in the struct. A map is visited in random order: its violations are sorted
// by text, so that one request has one answer.
func (c *collector) compare(a, b found) int {
	return cmp.Or(slices.Compare(c.orders[a.from:a.to], c.orders[b.from:b.to]), cmp.Compare(a.pointer, b.pointer),
		cmp.Compare(a.message(), b.message()))
}

// pointer renders a path. It stops at the first entry of a map, since a key is the caller's text.
func pointer(path []frame) string {
	if len(path) == 1 && path[0].field != nil {
		return path[0].field.pointer
	}
	var b strings.Builder
	for _, f := range path {
		switch {
		case f.entry:
			return b.String()
		case f.field == nil:
			b.WriteByte('/')
			b.WriteString(strconv.Itoa(f.index))
		case !f.field.inBody():
			return f.field.pointer
		default:
			b.WriteString(f.field.pointer)
		}
	}
	return b.String()
}

// inEntry reports whether a path leads through an entry of a map, which the pointer does not show.
func inEntry(path []frame) bool {
	return slices.ContainsFunc(path, func(f frame) bool { return f.entry })
}

// appendOrder appends a path as its position in the struct.
func appendOrder(at []int, path []frame) []int {
	for _, f := range path {
		switch {
		case f.entry:
			return at
		case f.field == nil:
			at = append(at, f.index)
		default:
			at = append(at, f.field.ord)
		}
	}
	return at
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

// pointerToken escapes a name as RFC 6901 §3 asks.
func pointerToken(name string) string {
	return escapePointer.Replace(name)
}
