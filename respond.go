package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/routeguard/guard/internal/reqid"
)

// Reply is a result with a status, headers and cookies of its own.
//
// A handler returns it where 200 and a JSON body do not fit. The zero Status is
// 200, or 204 where B is [None]. A status outside 200 to 399 is answered as 500:
// refusals are errors, see [Fail]. Header replaces what the guard would send, but
// not the request id, X-Content-Type-Options and the framing of the message.
type Reply[B any] struct {
	Status  int
	Header  http.Header
	Cookies []*http.Cookie
	Body    B
}

// Created is a 201 with a Location (RFC 9110, section 15.3.2).
func Created[B any](location string, body B) Reply[B] {
	return Reply[B]{Status: http.StatusCreated, Header: http.Header{"Location": {location}}, Body: body}
}

func (r Reply[B]) parts() (int, http.Header, []*http.Cookie, any) {
	return r.Status, r.Header, r.Cookies, r.Body
}

func (r Reply[B]) body() reflect.Type { return reflect.TypeFor[B]() }

type replier interface {
	parts() (int, http.Header, []*http.Cookie, any)
	body() reflect.Type
}

// exchange is one request on its way through the stages, and its response.
type exchange struct {
	tell    *Responder
	route   string
	private bool     // the response may hold private data
	asks    []string // the challenges of the route's first answer
	w       http.ResponseWriter
	r       *http.Request
	start   time.Time
	id      string
	addr    netip.Addr
	caller  string
	stage   Stage

	taken    []taken  // charges that depend on the outcome
	places   []func() // in flight, to be given back
	quotas   []quota  // for the RateLimit field
	cost     *int     // what the handler says that the request has cost
	bodyRead bool     // stage 2 has read the body, which was signed
	delivery *delivery
	status   int  // as sent, 0 until then
	wrote    bool // the status line is out: it can no longer be changed
	hijacked bool
	failed   bool        // a wrapped handler answered with a refusal of its own
	before   http.Header // as it was before a handler got the ResponseWriter

	failure  *Error // how the request ended; nil: it was served
	stack    []byte // of a panic
	returned bool   // no panic and no runtime.Goexit before the response was out
	done     bool   // settled and logged
}

// begin is stage 0. The headers that every response carries are set here, so
// that no way of ending a request can forget them.
func (x *exchange) begin() error {
	x.stage = StageBegin
	found := x.tell.ClientIP.source.Find(x.r)
	x.addr = found.Addr
	if found.Ignored {
		x.tell.warnForwarded()
	}
	var err error
	if x.id = outerID(x.w); x.id == "" {
		x.id, err = requestID(x.r, found.TrustedPeer)
	}
	h := x.w.Header()
	values := []string{x.id, "nosniff", "no-store"} // one allocation, and nobody can append into a neighbor
	h["X-Request-Id"] = values[0:1:1]
	h["X-Content-Type-Options"] = values[1:2:2]
	if x.private {
		h["Cache-Control"] = values[2:3:3]
	}
	return err
}

// requestID takes the caller's own id only from a trusted proxy: an id that a
// client chooses could collide with, or forge, somebody else's log records. Beside
// an error it returns an id, too: even that refusal has one to ask about.
func requestID(r *http.Request, trusted bool) (string, error) {
	if ids := r.Header["X-Request-Id"]; trusted && len(ids) == 1 && reqid.Valid(ids[0]) {
		return ids[0], nil
	}
	id, err := reqid.New()
	if err != nil {
		return reqid.Weak(), fmt.Errorf("make a request id: %w", err)
	}
	return id, nil
}

// do runs the stages and ends the request: it responds, settles the limits and
// logs, however the stages end. The order of the defers is that order, and they
// run whatever the service's functions do: one that calls runtime.Goexit ends the
// goroutine without coming back here.
func (x *exchange) do(stages func(*exchange) error) {
	defer x.leave()
	defer x.finish()
	defer x.rescue()
	err := x.begin()
	if err == nil {
		err = stages(x)
	}
	answered := true
	if err != nil {
		x.failure = x.refusal(err)
		answered = x.answer()
	}
	x.returned = true
	if !answered {
		panic(http.ErrAbortHandler)
	}
}

// rescue ends a request that panicked or called runtime.Goexit.
func (x *exchange) rescue() {
	if x.returned {
		return
	}
	p := recover()
	defer func() {
		// A ResponseWriter that panics is beyond help. net/http would log its
		// stack, line by line: the record has the cause.
		if recover() != nil {
			panic(http.ErrAbortHandler)
		}
	}()
	switch {
	case p == http.ErrAbortHandler: //nolint:errorlint // net/http compares it like this, too
		x.failure = refuseGone.Because(http.ErrAbortHandler)
		panic(p)
	case p == nil:
		x.failure = refuseInternal.Because(errors.New("runtime.Goexit was called"))
	default: // a 500 even where it is a *Error, and Map never sees it
		x.failure = refuseInternal.Because(fmt.Errorf("panic: %v", p))
	}
	x.stack = debug.Stack()
	if answered := x.answer(); !answered && p != nil {
		panic(http.ErrAbortHandler)
	}
	if p == nil {
		x.flush()
	}
}

// flush sends what is written, where the goroutine goes on ending without
// net/http's finishing touch.
func (x *exchange) flush() { _ = http.NewResponseController(x.w).Flush() }

// refusal is what the caller learns of err. Map is for the errors of the service:
// those of verifiers and loaders were mapped in their stages.
func (x *exchange) refusal(err error) *Error {
	if x.stage == StageHandler {
		return x.tell.public(x.r.Context(), err)
	}
	return x.tell.classify(x.r.Context(), err)
}

// answer sends the refusal. It reports false once the status line is out: then the
// connection can only be cut, so that the caller does not take half a response for
// a whole one.
func (x *exchange) answer() bool {
	if x.wrote || x.hijacked {
		return false
	}
	x.refuse(x.failure)
	return true
}

// finish settles the limits and logs.
func (x *exchange) finish() {
	settled := false
	defer func() {
		e := x.event(x.failure)
		if x.stack != nil {
			x.tell.report(x.r.Context(), e, slog.String("stack", string(x.stack)))
		} else {
			x.tell.report(x.r.Context(), e)
		}
		x.done = settled
	}()
	o := outcomeOK
	if x.failure != nil || x.failed {
		o = outcomeFailed
	}
	x.settle(o)
	settled = true
}

// maxMethod is how much of a method an Event has: a client may send a name as long
// as a header may be, and a route may take any method.
const maxMethod = 32

func (x *exchange) event(e *Error) Event {
	ev := Event{
		Start: x.start, Duration: time.Since(x.start), Method: x.r.Method[:min(len(x.r.Method), maxMethod)], Route: x.route,
		RequestID: x.id, ClientIP: x.addr, Caller: x.caller, Stage: x.stage, Status: x.status,
	}
	if e != nil {
		ev.Code = e.Code
		ev.Limit = e.limit
		ev.Err = e.cause
		if ev.Status == 0 {
			ev.Status = e.Status
		}
	}
	return ev
}

// staleHeaders describe a body that an error response does not have.
// http.Error leaves most of them in place.
var staleHeaders = []string{"Etag", "Last-Modified", "Expires", "Accept-Ranges", "Content-Length", "Content-Encoding",
	"Content-Range", "Content-Language", "Content-Location", "Content-Disposition", "Trailer"}

// refuse writes an error response.
func (x *exchange) refuse(e *Error) {
	x.takeBack()
	h := x.w.Header()
	for _, name := range staleHeaders {
		delete(h, name)
	}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Cache-Control"] = []string{"no-store"}
	h["Content-Type"] = []string{x.tell.Format.contentType()}
	if c := x.challenges(e); len(c) > 0 {
		h["Www-Authenticate"] = c
	}
	if e.RetryAfter > 0 {
		h["Retry-After"] = []string{retryAfter(e.RetryAfter)}
	}
	x.announce(e.RetryAfter)
	if x.r.ProtoMajor == 1 && (e.closeConn || x.unread()) {
		x.hangUp()
	}
	x.send(e.Status, x.tell.appendError(make([]byte, 0, 256), e, x.id))
}

// challenges is what a 401 asks for (RFC 9110, section 15.5.2 wants it on every
// one): a handler's own Fail(401) gets those of its route.
func (x *exchange) challenges(e *Error) []string {
	switch {
	case len(e.challenges) > 0 || e.Status != http.StatusUnauthorized:
		return e.challenges
	case len(x.asks) > 0:
		return x.asks
	}
	return []string{"Bearer"}
}

// unread reports whether a refusal leaves a body behind that is large, or that
// the client will not even begin to send. Its sender pays for a new connection.
func (x *exchange) unread() bool {
	const cheap = 16 << 10
	n := x.r.ContentLength
	return x.stage < StageWhat && !x.bodyRead && (n < 0 || n > cheap || n > 0 && x.r.Header["Expect"] != nil)
}

func retryAfter(d time.Duration) string {
	return strconv.FormatInt(wholeSeconds(d), 10)
}

// send writes a whole response. An error means that the client is gone: there is
// nobody left to tell.
func (x *exchange) send(status int, body []byte) {
	x.wrote, x.status = true, status
	if body != nil {
		x.w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.w.WriteHeader(status)
	if body != nil && x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body)
	}
}

// reply answers a handler's result. The body is complete before the first byte
// is sent: a result that cannot be encoded is a 500, never half a 200.
func (x *exchange) reply(out any) error {
	x.stage = StageRespond
	status, header, cookies, body := 0, http.Header(nil), []*http.Cookie(nil), out
	if r, ok := out.(replier); ok {
		status, header, cookies, body = r.parts()
	}
	_, empty := body.(None)
	if status == 0 {
		status = http.StatusOK
		if empty {
			status = http.StatusNoContent
		}
	}
	if status < 200 || status > 399 {
		return fmt.Errorf("a Reply with status %d: return guard.Fail for a refusal", status)
	}
	var b []byte
	if !empty {
		if v := reflect.ValueOf(body); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			return fmt.Errorf("the handler returned a nil %T and no error", body)
		}
		var err error
		if b, err = json.Marshal(body, encoding); err != nil {
			return fmt.Errorf("encode the result: %w", err)
		}
		b = append(b, '\n')
	}
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		b = nil // RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5
	}
	x.writeResult(status, header, cookies, b)
	return nil
}

// encoding replaces invalid UTF-8 in a stored string instead of failing on it.
var encoding = jsontext.AllowInvalidUTF8(true)

// ownHeaders are set by the guard alone: what a Reply says of them is ignored.
var ownHeaders = []string{"X-Request-Id", "X-Content-Type-Options", "Content-Length", "Transfer-Encoding", "Trailer"}

func (x *exchange) writeResult(status int, header http.Header, cookies []*http.Cookie, body []byte) {
	h := x.w.Header()
	for name, values := range header {
		if name = http.CanonicalHeaderKey(name); !slices.Contains(ownHeaders, name) {
			h[name] = slices.Clip(values) // a handler may share it between requests: cookies must not be appended to it
		}
	}
	for _, c := range cookies {
		if v := c.String(); v != "" {
			h.Add("Set-Cookie", v)
		}
	}
	if h["Set-Cookie"] != nil && h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-store"} // a cookie is one client's, and no cache minds it (RFC 9111, section 7.3)
	}
	if body != nil && h["Content-Type"] == nil {
		h["Content-Type"] = []string{"application/json; charset=utf-8"}
	}
	x.deliver()
	x.send(status, body)
}

// isNil reports whether v is nil, or an interface around a nil.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Interface, reflect.Chan, reflect.UnsafePointer:
		return r.IsNil()
	}
	return false
}

// stageContext bounds the stages in time.
func (t *Responder) stageContext(ctx context.Context) (context.Context, func()) {
	if d := t.timeout(); d > 0 {
		bounded := within(ctx, d)
		return bounded, bounded.end
	}
	return ctx, func() {}
}
