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
	"time"

	"github.com/routeguard/guard/internal/output"
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

// parts returns the body as a pointer, which spares a copy.
func (r Reply[B]) parts() (status int, header http.Header, cookies []*http.Cookie, body any) {
	return r.Status, r.Header, r.Cookies, &r.Body
}

func (r Reply[B]) body() reflect.Type { return reflect.TypeFor[B]() }

type replier interface {
	parts() (status int, header http.Header, cookies []*http.Cookie, body any)
	body() reflect.Type
}

// exchange is one request on its way through the stages, and its response.
type exchange struct {
	tell     *Responder
	route    string
	private  bool     // the response may hold private data
	asks     []string // the challenges of the route's first answer
	policies string   // the RateLimit-Policy field
	w        http.ResponseWriter
	r        *http.Request
	start    time.Time
	id       string
	addr     netip.Addr
	caller   string
	stage    Stage

	taken    []taken  // charges that depend on the outcome
	places   []func() // in flight, to be given back
	quotas   []quota  // for the RateLimit field
	cost     *int     // what the handler says that the request has cost
	told     int      // what the handler was told of it
	bodyRead bool     // stage 2 has read the body, which was signed
	delivery *delivery
	status   int  // as sent, 0 until then
	wrote    bool // the status line is out: it can no longer be changed
	hijacked bool
	failed   bool        // a wrapped handler answered with a refusal of its own
	lent     bool        // a handler got the ResponseWriter
	before   http.Header // as it was before that
	clean    bool        // the header was empty before, and is the guard's alone
	values   []string    // room for header values, see set
	body     buffer      // where the response is made; it stays when all else is forgotten

	failure  *Error // how the request ended; nil: it was served
	own      Error  // room for it, see because
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
		x.id, err = requestID(x.r, found.TrustedPeer, x.start)
	}
	h := x.w.Header()
	x.clean = len(h) == 0
	x.set(h, "X-Request-Id", x.id)
	x.set(h, "X-Content-Type-Options", "nosniff")
	if x.private {
		x.set(h, "Cache-Control", "no-store")
	}
	if x.policies != "" {
		x.set(h, "Ratelimit-Policy", x.policies)
	}
	return err
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
		switch ctx := x.r.Context(); {
		case x.stack != nil:
			x.tell.report(ctx, x.event(x.failure), slog.String("stack", string(x.stack)))
		case x.tell.reads(ctx, x.stage, x.ended()):
			x.tell.report(ctx, x.event(x.failure))
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

// staleHeaders describe a body that an error response does not have.
// http.Error leaves most of them in place.
var staleHeaders = []string{"Etag", "Last-Modified", "Expires", "Accept-Ranges", "Content-Length", "Content-Encoding",
	"Content-Range", "Content-Language", "Content-Location", "Content-Disposition", "Trailer"}

// refuse writes an error response.
func (x *exchange) refuse(e *Error) {
	x.takeBack()
	h := x.w.Header()
	if !x.clean || x.lent {
		for _, name := range staleHeaders {
			delete(h, name)
		}
		x.set(h, "X-Content-Type-Options", "nosniff")
	}
	if !x.clean || x.lent || !x.private {
		x.set(h, "Cache-Control", "no-store")
	}
	x.set(h, "Content-Type", x.tell.Format.contentType())
	switch c := x.challenges(e); len(c) {
	case 0:
	case 1:
		x.set(h, "Www-Authenticate", c[0])
	default:
		h["Www-Authenticate"] = slices.Clone(c) // the guard's own is for all requests
	}
	if e.RetryAfter > 0 {
		x.set(h, "Retry-After", retryAfter(e.RetryAfter))
	}
	x.announce(e.RetryAfter)
	if x.r.ProtoMajor == 1 && (e.closeConn || x.unread()) {
		x.hangUp()
	}
	x.body.Grow(minBuffer)
	x.send(e.Status, x.tell.appendError(x.body.AvailableBuffer(), e, x.id))
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

func retryAfter(d time.Duration) string { return decimal(wholeSeconds(d)) }

// send writes a whole response. An error means that the client is gone: there is
// nobody left to tell.
func (x *exchange) send(status int, body []byte) {
	x.wrote, x.status = true, status
	if body != nil {
		x.set(x.w.Header(), "Content-Length", decimal(int64(len(body))))
	}
	x.w.WriteHeader(status)
	if body != nil && x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body)
	}
}

// reply answers a handler's result, which out points to. The body is complete before
// the first byte is sent: a result that cannot be encoded is a 500, never half a 200.
func (x *exchange) reply(out any, plan *output.Plan) error {
	x.stage = StageRespond
	status, header, cookies, body := 0, http.Header(nil), []*http.Cookie(nil), inside(out)
	if r, ok := body.(replier); ok {
		status, header, cookies, body = r.parts()
		body = inside(body)
	}
	empty := isNone(body)
	if status == 0 {
		status = http.StatusOK
		if empty {
			status = http.StatusNoContent
		}
	}
	if status < 200 || status > 399 {
		return fmt.Errorf("a Reply with status %d: return guard.Fail for a refusal", status)
	}
	if empty {
		x.writeResult(status, header, cookies, nil)
		return nil
	}
	if v := reflect.ValueOf(body); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return fmt.Errorf("the handler returned a nil %T and no error", body)
	}
	x.body.Grow(minBuffer)
	if err := x.body.encode(body, plan); err != nil {
		return err
	}
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		x.writeResult(status, header, cookies, nil) // RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5
	default:
		x.writeResult(status, header, cookies, x.body.Bytes())
	}
	return nil
}

// isNone reports whether there is no result to encode.
func isNone(body any) bool {
	switch none := body.(type) {
	case None:
		return true
	case *None:
		return none != nil
	}
	return false
}

// ownHeaders are set by the guard alone: what a Reply says of them is ignored.
var ownHeaders = []string{"X-Request-Id", "X-Content-Type-Options", "Content-Length", "Transfer-Encoding", "Trailer"}

func (x *exchange) writeResult(status int, header http.Header, cookies []*http.Cookie, body []byte) {
	h := x.w.Header()
	x.clean = false
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
		x.set(h, "Cache-Control", "no-store") // a cookie is one client's, and no cache minds it (RFC 9111, section 7.3)
	}
	if body != nil && h["Content-Type"] == nil {
		x.set(h, "Content-Type", "application/json; charset=utf-8")
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

// bound bounds what begins at start in time, with d, which is to be ended.
func (t *Responder) bound(ctx context.Context, d *deadline, start time.Time) context.Context {
	if timeout := t.timeout(); timeout > 0 {
		return d.start(ctx, start.Add(timeout))
	}
	return ctx
}
