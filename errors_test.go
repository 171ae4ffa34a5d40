package guard_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// refusing is a route whose handler returns err.
func refusing(errs *guard.Responder, err error) guard.Guarded {
	return open(errs, func(context.Context, *call) (string, error) { return "not for the caller", err })
}

// The bytes of an error are part of the contract.
func TestFormats(t *testing.T) {
	t.Parallel()
	busy := guard.Fail(409, "busy", `Say "wait".`)
	fields := &guard.Error{Status: 400, Code: "invalid_body", Message: "Invalid request body.", Fields: []guard.FieldError{
		{Pointer: "/a~1b", Code: "min", Message: "must be at least 3 characters", Param: "3"}, {Pointer: "query/q", Code: "x", Message: "y"}}}
	const id = "0198f000-0000-7000-8000-000000000001"
	tests := []struct {
		name   string
		format guard.Format
		err    error
		media  string
		body   string
	}{
		{name: "problem details", err: busy, media: "application/problem+json",
			body: `{"type":"about:blank","title":"Say \"wait\".","status":409,"code":"busy","requestId":"ID"}`},
		{name: "problem details with fields", err: fields, media: "application/problem+json",
			body: `{"type":"about:blank","title":"Invalid request body.","status":400,"code":"invalid_body","requestId":"ID",` +
				`"errors":[{"pointer":"/a~1b","code":"min","message":"must be at least 3 characters"},{"pointer":"query/q","code":"x","message":"y"}]}`},
		{name: "error object", format: guard.ErrorObject, err: busy, media: "application/json; charset=utf-8",
			body: `{"error":"Say \"wait\".","code":"busy","requestId":"ID"}`},
		{name: "error object with fields", format: guard.ErrorObject, err: fields, media: "application/json; charset=utf-8",
			body: `{"error":"Invalid request body.","code":"invalid_body","requestId":"ID",` +
				`"errors":[{"pointer":"/a~1b","code":"min","message":"must be at least 3 characters"},{"pointer":"query/q","code":"x","message":"y"}]}`},
		{name: "a line break and a NUL", format: guard.ErrorObject, err: guard.Fail(409, "a\nb", "a\r\n\x00\u2028"), media: "application/json; charset=utf-8",
			body: `{"error":"a\r\n\u0000` + "\u2028" + `","code":"a\nb","requestId":"ID"}`},
		{name: "invalid UTF-8", format: guard.ErrorObject, err: guard.Fail(409, "\xff", "a\xc3(\xed\xa0\x80"), media: "application/json; charset=utf-8",
			body: "{\"error\":\"a\uFFFD(\uFFFD\uFFFD\uFFFD\",\"code\":\"\uFFFD\",\"requestId\":\"ID\"}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			errs, _ := logged()
			errs.Format = tt.format
			errs.ClientIP = harnessProxies
			r := send(refusing(errs, tt.err), "GET", "/", "", "Remote: 10.0.0.1:1", "X-Request-ID: "+id)
			got, want := readBody(t, r), strings.ReplaceAll(tt.body, "ID", id)+"\n"
			if got != want || r.Header.Get("Content-Type") != tt.media || r.Header.Get("Content-Length") != fmt.Sprint(len(want)) {
				t.Errorf("got\n%s%v\nwant\n%s%s", got, r.Header, want, tt.media)
			}
			if !json.Valid([]byte(got)) {
				t.Error("this is no JSON")
			}
		})
	}
}

// domainError is a service's own error type, which a bug may return as a typed nil.
type domainError struct{ cause error }

func (e *domainError) Error() string { return "domain: " + e.cause.Error() }
func (e *domainError) Unwrap() error { return e.cause }

// errLoop is an error that Map wraps once more.
var errLoop = errors.New("loop")

func TestWhatTheCallerLearns(t *testing.T) {
	t.Parallel()
	var typedNil *guard.Error
	var nilDomain *domainError
	errKnown := errors.New("store: already archived")
	archived := guard.Fail(409, "archived", "The project is archived.")
	knows := func(err error) error {
		if errors.Is(err, errKnown) {
			return archived
		}
		return err
	}
	tests := []struct {
		name   string
		err    error
		mapper func(error) error
		status int
		code   string
		cause  string
		fields map[string]string
	}{
		{name: "any error is internal", err: errors.New("pq: secret"), status: 500, code: "internal", cause: "pq: secret"},
		{name: "a public error is its own", err: archived, status: 409, code: "archived"},
		{name: "a wrapped public error is public, its wrapping is not", err: fmt.Errorf("save row 7: %w", archived), status: 409, code: "archived", cause: "save row 7"},
		{name: "a joined public error is public", err: errors.Join(errors.New("rollback"), archived), status: 409, code: "archived", cause: "rollback"},
		{name: "a cause is for the log", err: archived.Because(errors.New("row 7")), status: 409, code: "archived", cause: "row 7"},
		{name: "ErrNotFound is 404", err: fmt.Errorf("x: %w", guard.ErrNotFound), status: 404, code: "not_found", cause: "x: "},
		{name: "sql.ErrNoRows is 404", err: fmt.Errorf("x: %w", sql.ErrNoRows), status: 404, code: "not_found", cause: "no rows"},
		{name: "ErrNoSession is a verifier's word", err: guard.ErrNoSession, status: 500, code: "internal", cause: "no such session"},
		{name: "a deadline is 503", err: fmt.Errorf("x: %w", context.DeadlineExceeded), status: 503, code: "unavailable", cause: "deadline"},
		{name: "a cancellation that is not the client's is 500", err: context.Canceled, status: 500, code: "internal", cause: "canceled"},
		{name: "a typed nil *Error is 500", err: typedNil, status: 500, code: "internal", cause: "nil *guard.Error"},
		{name: "a typed nil error of the service is 500", err: nilDomain, status: 500, code: "internal", cause: "domainError that panics"},
		{name: "status 200 is 500", err: guard.Fail(200, "fine", "Fine."), status: 500, code: "internal", cause: "Fail with status 200"},
		{name: "status 0 is 500", err: &guard.Error{}, status: 500, code: "internal", cause: "Fail with status 0"},
		{name: "status 600 is 500", err: guard.Fail(600, "x", "X."), status: 500, code: "internal", cause: "Fail with status 600"},
		{name: "Retry-After is rounded up", err: &guard.Error{Status: 503, Code: "soon", Message: "Soon.", RetryAfter: 1500 * time.Millisecond},
			status: 503, code: "soon", fields: map[string]string{"Retry-After": "2"}},
		{name: "Retry-After of a moment is one second", err: &guard.Error{Status: 503, Code: "soon", Message: "Soon.", RetryAfter: 1},
			status: 503, code: "soon", fields: map[string]string{"Retry-After": "1"}},
		{name: "a negative Retry-After is not sent", err: &guard.Error{Status: 503, Code: "soon", Message: "Soon.", RetryAfter: -1},
			status: 503, code: "soon", fields: map[string]string{"Retry-After": ""}},
		{name: "a handler's 401 has a challenge", err: guard.Fail(401, "step_up", "Sign in again."), status: 401, code: "step_up",
			fields: map[string]string{"WWW-Authenticate": "Bearer"}},
		{name: "a handler's 403 has none", err: guard.Fail(403, "no", "No."), status: 403, code: "no", fields: map[string]string{"WWW-Authenticate": ""}},

		{name: "Map makes an error public", mapper: knows, err: fmt.Errorf("save: %w", errKnown), status: 409, code: "archived", cause: "save: store: already archived"},
		{name: "Map leaves others internal", mapper: knows, err: errors.New("other"), status: 500, code: "internal", cause: "other"},
		{name: "Map does not see a public error", mapper: func(error) error { return archived }, err: guard.Fail(404, "gone", "Gone."), status: 404, code: "gone"},
		{name: "Map to ErrNotFound keeps the cause", mapper: func(error) error { return guard.ErrNotFound }, err: errors.New("row 7"), status: 404, code: "not_found", cause: "row 7"},
		{name: "Map to nil is 500", mapper: func(error) error { return nil }, err: errors.New("row 7"), status: 500, code: "internal", cause: "row 7"},
		{name: "Map to a typed nil is 500", mapper: func(error) error { return typedNil }, err: errors.New("row 7"), status: 500, code: "internal", cause: "row 7"},
		{name: "Map to a typed nil of the service is 500", mapper: func(error) error { return nilDomain }, err: errors.New("row 7"), status: 500, code: "internal"},
		{name: "Map to a new error is 500", mapper: func(err error) error { return fmt.Errorf("%w again", errLoop) }, err: errLoop, status: 500, code: "internal", cause: "loop again"},
		{name: "Map to a bad status is 500", mapper: func(error) error { return guard.Fail(302, "x", "X.") }, err: errLoop, status: 500, code: "internal", cause: "status 302"},
		{name: "a Map that panics is 500", mapper: func(error) error { panic("map") }, err: fmt.Errorf("x: %w", guard.ErrNotFound), status: 500, code: "internal", cause: "panicked: map"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			errs, log := logged()
			errs.Map = tt.mapper
			r := send(refusing(errs, tt.err), "GET", "/", "")
			checkRefusal(t, r, tt.status, tt.code)
			for name, want := range tt.fields {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			l := log.records(t)
			if len(l) != 1 || l[0]["status"] != float64(tt.status) || l[0]["code"] != tt.code || l[0]["stage"] != "handler" {
				t.Fatalf("got records %v, want one with the status and the code", l)
			}
			if cause, _ := l[0]["cause"].(string); !strings.Contains(cause, tt.cause) {
				t.Errorf("got cause %q, want %q in it", cause, tt.cause)
			}
		})
	}
}

// A client that went away needs no answer; one whose service ends its requests does.
func TestWhoCanceledTheRequest(t *testing.T) {
	t.Parallel()
	stopping := errors.New("the service is stopping")
	for _, tt := range []struct {
		name   string
		why    error
		status int
		code   string
	}{
		{name: "the client", why: nil, status: 499, code: "client_gone"},
		{name: "the service, with a cause", why: stopping, status: 503, code: "unavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base, cancel := context.WithCancelCause(t.Context())
			errs, log := logged()
			h := open(errs, func(ctx context.Context, _ *call) (string, error) {
				cancel(tt.why)
				<-ctx.Done()
				return "", fmt.Errorf("query: %w", ctx.Err())
			})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(base, "GET", "/", nil))
			checkRefusal(t, w.Result(), tt.status, tt.code)
			l := log.records(t)
			cause, _ := l[0]["cause"].(string)
			if !strings.Contains(cause, "query: ") || tt.why != nil && !strings.Contains(cause, tt.why.Error()) {
				t.Errorf("got cause %q, want both errors in it", cause)
			}
		})
	}
}

// Map is for the errors of verifiers, loaders and handlers. A Map that knows an
// answer to everything must not turn a bug into a public error.
func TestMapSeesOnlyTheErrorsOfTheService(t *testing.T) {
	t.Parallel()
	all := func(error) error { return guard.Fail(409, "mapped", "Mapped.") }
	tests := []struct {
		name  string
		route func(*guard.Responder) http.Handler
		field string
		code  string
	}{
		{name: "a handler's error", route: func(errs *guard.Responder) http.Handler { return refusing(errs, errLoop) }, code: "mapped"},
		{name: "a handler's panic", route: func(errs *guard.Responder) http.Handler {
			return open(errs, func(context.Context, *call) (string, error) { panic(errLoop) })
		}, code: "internal"},
		{name: "a result that cannot be encoded", route: result(make(chan int)), code: "internal"},
		{name: "a status that a Reply must not have", route: result(guard.Reply[string]{Status: 500}), code: "internal"},
		{name: "a limit that has no address to count", field: "Remote: @", route: func(errs *guard.Responder) http.Handler {
			return guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, new(guard.Limiter).PerIP(1, time.Second), errs,
				func(context.Context, *call) (string, error) { return "", nil })
		}, code: "internal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			errs, _ := logged()
			errs.Map = all
			status := 500
			if tt.code == "mapped" {
				status = 409
			}
			checkRefusal(t, send(tt.route(errs), "GET", "/", "", tt.field), status, tt.code)
		})
	}
}

// A handler's own 401 asks for what its route asks for (RFC 9110, section 15.5.2).
func TestHandlersChallenge(t *testing.T) {
	t.Parallel()
	s := &service{}
	bearer, key, cookie := guard.Bearer(s.verify), guard.APIKey("X-API-Key", s.verify), guard.Cookie("__Host-session", s.verify)
	tests := []struct {
		name  string
		who   guard.Authenticator[User]
		field string
		want  string
	}{
		{"bearer", bearer, alice, "Bearer"},
		{"key", key, "X-API-Key: alice-token", "ApiKey"},
		{"cookie", cookie, "Cookie: __Host-session=alice-token", "Cookie"},
		{"cookie and key", guard.FirstOf(cookie, key), "X-API-Key: alice-token", "Cookie, ApiKey"},
		{"cookie or bearer", guard.FirstOf(cookie, bearer), alice, "Bearer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			errs, _ := logged()
			r := send(guard.New(tt.who, guard.NoPayload, guard.NoResource, free, errs,
				func(context.Context, *guard.Call[User, guard.None, guard.None]) (string, error) {
					return "", guard.Fail(401, "step_up", "Sign in again.")
				}), "GET", "/", "", tt.field)
			if got := strings.Join(r.Header.Values("WWW-Authenticate"), ", "); r.StatusCode != 401 || got != tt.want {
				t.Errorf("got %d %q, want 401 %q", r.StatusCode, got, tt.want)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	base := guard.Fail(409, "busy", "Busy.")
	withCause := base.Because(sql.ErrConnDone)
	var none *guard.Error
	for got, want := range map[string]string{
		base.Error(): "busy: Busy.", withCause.Error(): "busy: sql: connection is already closed", none.Error(): "a nil *guard.Error",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if base.Unwrap() != nil || !errors.Is(withCause, sql.ErrConnDone) || none.Unwrap() != nil {
		t.Error("Because changed its receiver, or lost the cause")
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		message func(guard.FieldError) string
		want    string
	}{
		"another language": {func(f guard.FieldError) string { return "mindestens " + f.Param + " Zeichen" }, "mindestens 3 Zeichen"},
		"nil":              {nil, "must be at least 3 characters"},
		"one that panics":  {func(guard.FieldError) string { panic("no such language") }, "must be at least 3 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, func(errs *guard.Responder) { errs.Message = tt.message })
			p := checkRefusal(t, h.send("PATCH", patchAlice, `{"name":"ab"}`, alice), 400, "invalid_body")
			if len(p.Errors) != 1 || p.Errors[0].Pointer != "/name" || p.Errors[0].Code != "min" || p.Errors[0].Message != tt.want {
				t.Errorf("got %+v, want the message %q", p.Errors, tt.want)
			}
		})
	}
}
