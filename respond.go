package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"runtime/debug"
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
// refusals are errors, see [Fail].
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

type replier interface {
	parts() (int, http.Header, []*http.Cookie, any)
}

// exchange is one request on its way through the stages, and its response.
type exchange struct {
	tell    *Responder
	route   string
	private bool // the response may hold private data
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
	failed   bool // a wrapped handler answered with a refusal of its own
	broke    bool // the stages did not return
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
	id, err := requestID(x.r, found.TrustedPeer)
	if err != nil {
		return fmt.Errorf("make a request id: %w", err)
	}
	x.id = id
	h := x.w.Header()
	h["X-Request-Id"] = []string{id}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if x.private {
		h["Cache-Control"] = []string{"no-store"}
	}
	return nil
}

// requestID takes the caller's own id only from a trusted proxy: an id that a
// client chooses could collide with, or forge, somebody else's log records.
func requestID(r *http.Request, trusted bool) (string, error) {
	if ids := r.Header["X-Request-Id"]; trusted && len(ids) == 1 && reqid.Valid(ids[0]) {
		return ids[0], nil
	}
	return reqid.New()
}

// do runs the stages and ends the request: it responds, settles the limits and
// logs, however the stages end.
func (x *exchange) do(stages func(*exchange) error) {
	defer x.leave()
	returned := false
	defer func() {
		if !returned {
			x.crashed(recover())
		}
	}()
	err := x.begin()
	if err == nil {
		err = stages(x)
	}
	returned = true
	if err != nil {
		x.fail(err, nil)
		return
	}
	x.finish()
}

// crashed ends a request whose stages panicked or called runtime.Goexit.
func (x *exchange) crashed(p any) {
	x.broke = true
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it like this, too
		x.settle(outcomeFailed)
		x.tell.report(x.r.Context(), x.event(refuseGone.Because(http.ErrAbortHandler)))
		panic(p)
	}
	stack := slog.String("stack", string(debug.Stack()))
	if p == nil {
		x.fail(errors.New("runtime.Goexit was called"), &stack)
		// The goroutine is about to end without net/http's finishing touch.
		_ = http.NewResponseController(x.w).Flush()
		return
	}
	if err, ok := p.(error); ok {
		x.fail(&panicked{err}, &stack)
		return
	}
	x.fail(fmt.Errorf("panic: %v", p), &stack)
}

// panicked hides the error inside a panic from errors.As: a panic is a 500, even
// where its value is a *Error.
type panicked struct{ err error }

func (p *panicked) Error() string { return "panic: " + p.err.Error() }

// fail answers a refusal. Once the status line is out it can only cut the
// connection, so that the caller does not take half a response for a whole one.
func (x *exchange) fail(err error, stack *slog.Attr) {
	e := x.tell.public(x.r.Context(), err)
	if x.wrote || x.hijacked {
		x.finishFailed(e, stack)
		panic(http.ErrAbortHandler)
	}
	x.refuse(e)
	x.finishFailed(e, stack)
}

// finish ends a request that was answered.
func (x *exchange) finish() {
	o := outcomeOK
	if x.failed {
		o = outcomeFailed
	}
	x.settle(o)
	x.tell.report(x.r.Context(), x.event(nil))
}

func (x *exchange) finishFailed(e *Error, stack *slog.Attr) {
	x.settle(outcomeFailed)
	if stack != nil {
		x.tell.report(x.r.Context(), x.event(e), *stack)
		return
	}
	x.tell.report(x.r.Context(), x.event(e))
}

func (x *exchange) event(e *Error) Event {
	ev := Event{
		Start: x.start, Duration: time.Since(x.start), Method: x.r.Method, Route: x.route,
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
	h := x.w.Header()
	for _, name := range staleHeaders {
		delete(h, name)
	}
	if x.id != "" { // a wrapped handler may have touched them
		h["X-Request-Id"] = []string{x.id}
	}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Cache-Control"] = []string{"no-store"}
	h["Content-Type"] = []string{x.tell.Format.contentType()}
	if len(e.challenges) > 0 {
		h["Www-Authenticate"] = e.challenges
	}
	if e.RetryAfter > 0 {
		h["Retry-After"] = []string{retryAfter(e.RetryAfter)}
	}
	x.announce(e.RetryAfter)
	if e.closeConn && x.r.ProtoMajor == 1 || x.unread() {
		h["Connection"] = []string{"close"}
	}
	x.send(e.Status, x.tell.appendError(make([]byte, 0, 256), e, x.id))
}

// unread reports whether a refusal leaves so large a body behind that net/http
// would read a part of it only to keep the connection. The sender of a refused
// upload pays for a new connection instead.
func (x *exchange) unread() bool {
	const cheap = 16 << 10
	return x.stage < StageWhat && !x.bodyRead && x.r.ProtoMajor == 1 && (x.r.ContentLength < 0 || x.r.ContentLength > cheap)
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
	if status == http.StatusNoContent || status == http.StatusNotModified {
		b = nil // RFC 9110, sections 15.3.5 and 15.4.5
	}
	x.writeResult(status, header, cookies, b)
	return nil
}

// encoding replaces invalid UTF-8 in a stored string instead of failing on it.
var encoding = jsontext.AllowInvalidUTF8(true)

func (x *exchange) writeResult(status int, header http.Header, cookies []*http.Cookie, body []byte) {
	h := x.w.Header()
	for name, values := range header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	for _, c := range cookies {
		if v := c.String(); v != "" {
			h.Add("Set-Cookie", v)
		}
	}
	if body != nil && h["Content-Type"] == nil {
		h["Content-Type"] = []string{"application/json; charset=utf-8"}
	}
	x.deliver()
	x.send(status, body)
}

// implied notes the 200 that net/http sends for a handler that wrote nothing.
func (x *exchange) implied() {
	if x.status == 0 {
		x.status = http.StatusOK
	}
}

// isNil reports whether v is nil, or an interface around a nil.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Interface, reflect.Chan, reflect.UnsafePointer:
		return r.IsNil()
	}
	return false
}

// writer is the http.ResponseWriter that streams and wrapped handlers get. It
// notes what was sent and otherwise stays out of the way.
type writer struct {
	http.ResponseWriter
	x *exchange
}

func (w *writer) WriteHeader(status int) {
	if status >= 200 && !w.x.wrote {
		w.x.wrote, w.x.status = true, status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) implicit() {
	if !w.x.wrote {
		w.x.wrote, w.x.status = true, http.StatusOK
	}
}

func (w *writer) Write(b []byte) (int, error) {
	w.implicit()
	return w.ResponseWriter.Write(b)
}

// ReadFrom keeps sendfile for downloads.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	w.implicit()
	return io.Copy(w.ResponseWriter, r)
}

// Flush is here for code that asks for an http.Flusher instead of using an
// http.ResponseController.
func (w *writer) Flush() { _ = w.FlushError() }

func (w *writer) FlushError() error {
	w.implicit()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, b, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.x.hijacked, w.x.status = true, http.StatusSwitchingProtocols
	}
	return c, b, err
}

func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// stageContext bounds the stages in time.
func (t *Responder) stageContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if d := t.timeout(); d > 0 {
		return context.WithTimeout(ctx, d)
	}
	return ctx, func() {}
}
