package guard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/routeguard/guard/internal/input"
)

// Error is a refusal whose code and message the caller may read.
//
// Make one with [Fail]. Everything that is not an Error is answered as a 500
// whose details stay in the log. An Error must not be changed after it was made:
// it may be shared between requests.
type Error struct {
	Status  int    // HTTP status, 400 to 599; anything else is answered as 500
	Code    string // stable, snake_case
	Message string // one fixed sentence, for people

	// Fields names the members of the caller's input that are wrong.
	Fields []FieldError

	// RetryAfter is how long the caller should wait. It is sent in whole
	// seconds, rounded up, where it is above zero (RFC 9110, section 10.2.3).
	RetryAfter time.Duration

	challenges []string // WWW-Authenticate, on a 401 and some 403
	closeConn  bool     // what is left of the body is not worth reading
	limit      string   // that refused
	cause      error    // for the log only
	head       *head    // of the library's own refusals
}

// FieldError says which part of the caller's own input is wrong, and why.
type FieldError struct {
	// Pointer is an RFC 6901 JSON pointer into the body, or "query/limit",
	// "path/projectID" or "header/If-Match" for a parameter.
	Pointer string
	Code    string // stable: the name of the rule, such as "min"
	Message string // such as "must be at least 3 characters"

	// Param is the rule's own parameter, such as "3". It is for
	// [Responder.Message] and is not sent.
	Param string
}

// ErrNotFound says that there is no such thing, or none for this caller.
//
// A loader, an authorizer or a handler returns it. [database/sql.ErrNoRows] is
// understood in the same way, so that a forwarded store error cannot tell a
// missing row from a foreign one.
var ErrNotFound = errors.New("guard: not found")

// ErrNoSession says that a credential is well-formed but names no session.
//
// A [Verifier] returns it for what is unknown, expired, revoked or disabled:
// the caller gets a 401. Any other error of a Verifier is a 503, because a store
// that cannot be read must look neither like a signed-out user nor like a bug.
var ErrNoSession = errors.New("guard: no such session")

// Fail returns an error that the caller may read: a status, a code and a sentence.
//
// The code is stable and in snake_case, the message one fixed sentence that
// holds no value of the request. A status outside 400 to 599 is answered as 500.
func Fail(status int, code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

// Because returns a copy of e that carries a private cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error returns the code and the cause. It is for the log, not for callers.
func (e *Error) Error() string {
	if e == nil {
		return "a nil *guard.Error"
	}
	if e.cause != nil {
		return e.Code + ": " + e.cause.Error()
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the private cause, or nil.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// The refusals of the library itself. Their texts are part of its contract.
var (
	refuseUnauthenticated = ownRefusal(http.StatusUnauthorized, "unauthenticated", "Authentication required.")
	refuseForbidden       = ownRefusal(http.StatusForbidden, "forbidden", "You are not allowed to do this.")
	refuseOrigin          = ownRefusal(http.StatusForbidden, "cross_origin", "Cross-origin request refused.")
	refuseNotFound        = ownRefusal(http.StatusNotFound, "not_found", "Not found.")
	refuseRate            = ownRefusal(http.StatusTooManyRequests, "rate_limited", "Too many requests.")
	refuseInternal        = ownRefusal(http.StatusInternalServerError, "internal", "Internal error.")
	refuseUnavailable     = ownRefusal(http.StatusServiceUnavailable, "unavailable", "Temporarily unavailable.")
	refuseGone            = ownRefusal(statusClientGone, "client_gone", "The client closed the request.")
)

// statusClientGone is the log's status for a request whose client went away.
// Nobody reads the response; nginx made the number customary.
const statusClientGone = 499

// Format is the shape of an error response.
type Format int

const (
	// ProblemDetails is RFC 9457, application/problem+json. It is the zero value.
	ProblemDetails Format = iota
	// ErrorObject is {"error":"…","code":"…","requestId":"…"}, application/json.
	ErrorObject
)

// Responder answers what the caller learns on failure, and what the log learns.
//
// Make one in main and pass it to every route. It must not be changed after the
// first [New] that uses it. The zero value is ready: problem details, the
// socket's address, slog's default logger, 30 seconds.
type Responder struct {
	// Log receives one record a request. Nil is slog.Default(). At [DefaultLevel] a
	// success is a debug record: set Level for an audit trail.
	Log *slog.Logger

	// ClientIP finds the client's address. The zero value is the socket's
	// address: no header is believed. See [TrustProxies].
	ClientIP AddressSource

	// Format is the shape of errors. Zero is RFC 9457 problem details.
	Format Format

	// Map turns a domain error into a public one: [ErrNotFound], or what [Fail]
	// returns. What it returns otherwise, nil included, is a 500. It sees the
	// errors of verifiers, loaders and handlers. Nil maps nothing.
	Map func(error) error

	// Level chooses the level of a request's record. Nil is [DefaultLevel].
	Level func(Event) slog.Level

	// Observe is called once for each request after the response was written,
	// and once for each failed hook, from the request's goroutine: for metrics
	// and traces. A panic in it is contained and logged. Nil observes nothing.
	Observe func(context.Context, Event)

	// Timeout bounds the stages and the handler through the context. Zero is 30
	// seconds, negative no bound. [Stream] and [Wrap] run their handler without
	// it: a server's own timeouts hold for them.
	Timeout time.Duration

	// InvalidStatus is the status of input that broke rules and has no other
	// fault: the validate and file tags, Validate methods, [Invalid]. Zero is 400;
	// 422 is the other choice. What cannot be decoded stays 400, 413 or 415.
	InvalidStatus int

	// Message rewords a field error, in another language for example, by its Code
	// and Param. It gets the English text in FieldError.Message. Nil keeps that.
	Message func(FieldError) string

	warned atomic.Bool
}

func (t *Responder) check() error {
	if t == nil {
		return errors.New("the fifth answer (tell) is nil: pass a &guard.Responder{}")
	}
	if t.Format != ProblemDetails && t.Format != ErrorObject {
		return fmt.Errorf("Responder.Format is %d: use ProblemDetails or ErrorObject", t.Format)
	}
	if s := t.InvalidStatus; s != 0 && s != http.StatusBadRequest && s != http.StatusUnprocessableEntity {
		return fmt.Errorf("Responder.InvalidStatus is %d: use 400 or 422", s)
	}
	return nil
}

func (t *Responder) logger() *slog.Logger {
	if t.Log != nil {
		return t.Log
	}
	return slog.Default()
}

// warnForwarded tells once that a proxy seems to stand in front of the service
// and is not trusted: all clients would share one address, and its limits.
func (t *Responder) warnForwarded() {
	if t.warned.CompareAndSwap(false, true) { // a sync.Once would let all wait for a slow log
		t.note(context.Background(), slog.LevelWarn, "a forwarding header arrived, but no proxy is trusted: set Responder.ClientIP if there is one")
	}
}

func (t *Responder) timeout() time.Duration {
	if t.Timeout == 0 {
		return 30 * time.Second
	}
	return t.Timeout
}

// public is classify after the service's own Map.
func (t *Responder) public(ctx context.Context, err error) *Error {
	return t.classify(ctx, t.mapped(err))
}

// classify turns any error into the refusal that the caller learns. It fails
// closed: what nobody made public is an internal error, and so is an error whose
// own methods panic, such as a typed nil.
func (t *Responder) classify(ctx context.Context, err error) *Error {
	if e, ok := err.(*Error); ok && e != nil && e.Status >= 400 && e.Status <= 599 {
		return e // the guard's own, most of the time
	}
	return t.unwrap(ctx, err)
}

// unwrap is classify for errors that may hold a public one.
func (t *Responder) unwrap(ctx context.Context, err error) (refusal *Error) {
	defer func() {
		if p := recover(); p != nil {
			refusal = refuseInternal.Because(fmt.Errorf("a %T that panics when it is looked at: %v", err, p))
		}
	}()
	var e *Error
	var f *input.Failure
	var body *input.BodyError
	switch {
	case errors.As(err, &e) && e != nil:
		if e.Status < 400 || e.Status > 599 {
			return refuseInternal.Because(fmt.Errorf("Fail with status %d: %w", e.Status, err))
		}
		if e.cause == nil && error(e) != err {
			return e.Because(err) // the text that was wrapped around it is for the log
		}
		return e
	case isNotFound(err):
		return refuseNotFound.Because(err)
	case isInvalid(err, &f):
		return t.invalid(f)
	case errors.As(err, &body):
		return t.invalid(body.Failure)
	case ctx.Err() == context.Canceled:
		return canceled(ctx, err)
	case errors.Is(err, context.DeadlineExceeded):
		return refuseUnavailable.Because(err)
	}
	return refuseInternal.Because(err)
}

// canceled tells a client that went away, where net/http cancels the context without
// a cause, from a service that ends its requests and says why: there, the client is
// waiting for an answer.
func canceled(ctx context.Context, err error) *Error {
	if why := context.Cause(ctx); why != context.Canceled {
		return refuseUnavailable.Because(fmt.Errorf("canceled: %w (%w)", why, err))
	}
	return refuseGone.Because(err)
}

// mapped applies the service's own Map. An error that Map drops stays an error,
// and one that is public already, such as the 404 of stage 5, stays as it is.
func (t *Responder) mapped(err error) (public error) {
	if _, final := err.(*Error); final || t.Map == nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			public = refuseInternal.Because(fmt.Errorf("Responder.Map, or what it returned, panicked: %v", p))
		}
	}()
	m := t.Map(err)
	if m == nil {
		return err
	}
	if e, ok := m.(*Error); ok {
		if e == nil {
			return err
		}
		if e.cause == nil && m != err {
			return e.Because(err)
		}
	}
	if isNotFound(m) && m != err {
		return fmt.Errorf("%w: %w", m, err)
	}
	return m
}

func isInvalid(err error, f **input.Failure) (ok bool) {
	*f, ok = input.Failed(err)
	return ok
}

func isNotFound(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, sql.ErrNoRows)
}

// fields returns the field errors in the words of the service.
func (t *Responder) fields(in []FieldError) []FieldError {
	if t.Message == nil || len(in) == 0 {
		return in
	}
	out := make([]FieldError, len(in))
	for i, f := range in {
		f.Message = t.message(f)
		out[i] = f
	}
	return out
}

// message keeps the English text where the service's own wording panics.
func (t *Responder) message(f FieldError) (text string) {
	defer func() {
		if p := recover(); p != nil {
			t.note(context.Background(), slog.LevelError, "Responder.Message panicked", slog.String("code", f.Code), causeAttr(p))
			text = f.Message
		}
	}()
	return t.Message(f)
}
