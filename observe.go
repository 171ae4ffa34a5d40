package guard

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Stage is a step in the life of a request. See the package documentation.
type Stage uint8

// The stages, in their order.
const (
	StageRoute       Stage = iota // Mux looks for the route
	StageBegin                    // request id, client address
	StageLimit                    // limits that need no session
	StageWho                      // origin, credential, session
	StageRole                     // Only
	StageCallerLimit              // limits per caller
	StageWhich                    // load the resource, check ownership
	StageWhat                     // decode, normalize, validate
	StageInputLimit               // limits by the input
	StageHandler                  // the handler, OwnedInput included
	StageAfter                    // hooks
	StageRespond                  // encode and write
)

var stageNames = [...]string{"route", "begin", "limit", "who", "role", "caller_limit",
	"which", "what", "input_limit", "handler", "after", "respond"}

// String returns the stage's name in the log, such as "caller_limit".
func (s Stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return "unknown"
}

// Event is what happened to one request, or to one failed hook.
type Event struct {
	Start     time.Time
	Duration  time.Duration
	Method    string
	Route     string // the pattern; empty where no route matched
	RequestID string
	ClientIP  netip.Addr // invalid where the socket has no IP address
	Caller    string     // Subject of the session, empty before it is known
	Stage     Stage      // where the request ended
	Status    int        // as sent; 499 where the client had gone: its context was canceled without a cause
	Code      string     // of the refusal, empty on success
	Limit     string     // the limit that refused: its name, or its kind such as "ip"
	Err       error      // the private cause, nil on success
}

// DefaultLevel is the level of a request's log record where Responder.Level is nil.
//
// Errors for 5xx and failed hooks; info for 401, 403, 404 by ownership and 429;
// debug for everything else.
func DefaultLevel(e Event) slog.Level { return levelOf(e.Stage, e.Status) }

func levelOf(stage Stage, status int) slog.Level {
	switch {
	case status >= 500, stage == StageAfter:
		return slog.LevelError
	case stage == StageRoute:
		return slog.LevelDebug
	case status == http.StatusUnauthorized, status == http.StatusForbidden,
		status == http.StatusNotFound, status == http.StatusTooManyRequests:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// reads reports whether anybody learns of an event of this stage and status. Most
// services do not log their successes, which then need no Event.
func (t *Responder) reads(ctx context.Context, stage Stage, status int) (yes bool) {
	if t.Observe != nil || t.Level != nil {
		return true
	}
	defer func() {
		if recover() != nil {
			yes = true // report contains it, and says so
		}
	}()
	return t.logger().Enabled(ctx, levelOf(stage, status))
}

// report writes the one log record of an event and hands it to Observe. By then
// the response is written, so none of the service's functions may undo it by a
// panic, and none may keep the next one from running. Therefore they are deferred:
// runtime.Goexit cannot be stopped.
func (t *Responder) report(ctx context.Context, e Event, extra ...slog.Attr) {
	level := DefaultLevel(e)
	if t.Observe != nil {
		defer contained("Observe", e.RequestID, func() { t.Observe(ctx, e) })
	}
	defer contained("Log", e.RequestID, func() {
		if l := t.logger(); l.Enabled(ctx, level) {
			l.LogAttrs(ctx, level, e.message(), append(e.attrs(), extra...)...)
		}
	})
	if t.Level != nil {
		contained("Level", e.RequestID, func() { level = t.Level(e) })
	}
}

// note logs what is beside the record of a request. Its logger may panic: what
// the log does changes nothing for a request.
func (t *Responder) note(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	contained("Log", "-", func() { t.logger().LogAttrs(ctx, level, message, attrs...) })
}

// contained keeps a panic of one of the Responder's functions from going further.
// The panic's value may hold what a client sent: it is quoted, so that it stays on
// its line.
func contained(name, requestID string, f func()) {
	returned := false
	defer func() {
		if p := recover(); p != nil {
			log.Printf("guard: Responder.%s panicked on request %s: %q", name, requestID, fmt.Sprint(p))
		} else if !returned {
			log.Printf("guard: Responder.%s called runtime.Goexit on request %s", name, requestID)
		}
	}()
	f()
	returned = true
}

func (e Event) message() string {
	switch {
	case e.Stage == StageAfter && e.Code == "":
		return "hook failed"
	case e.Status >= 500:
		return "request failed"
	case e.Code != "":
		return "request refused"
	}
	return "request served"
}

func (e Event) attrs() []slog.Attr {
	a := make([]slog.Attr, 0, 13)
	a = append(a,
		slog.String("request_id", e.RequestID),
		slog.String("method", visible(e.Method)),
		slog.String("route", e.Route),
		slog.String("stage", e.Stage.String()),
		slog.Int("status", e.Status),
		slog.Duration("duration", e.Duration))
	if e.ClientIP.IsValid() {
		a = append(a, slog.String("client_ip", e.ClientIP.String()))
	}
	if e.Caller != "" {
		a = append(a, slog.String("caller", visible(e.Caller)))
	}
	if e.Code != "" {
		a = append(a, slog.String("code", e.Code))
	}
	if e.Limit != "" {
		a = append(a, slog.String("limit", e.Limit))
	}
	if e.Err != nil {
		a = append(a, causeAttr(e.Err))
	}
	return a
}

// causeAttr is an error in the log. fmt survives an Error method that panics.
func causeAttr(err any) slog.Attr { return slog.String("cause", visible(fmt.Sprint(err))) }

// visible spells out the controls that slog's JSON handler leaves as they are: DEL
// and those from U+0080 on, of which some terminals take U+009B for an escape
// sequence and some viewers U+0085, U+2028 and U+2029 for the end of a line.
func visible(s string) string {
	if !strings.ContainsFunc(s, isRawControl) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if isRawControl(c) {
			fmt.Fprintf(&b, `\u%04x`, c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func isRawControl(c rune) bool { return 0x7f <= c && c <= 0x9f || c == 0x2028 || c == 0x2029 }

// maxMethod is how much of a method an Event has: a client may send a name as long
// as a header may be, and a route may take any method.
const maxMethod = 32

// ended is the status that was sent, or that of the failure where none was.
func (x *exchange) ended() int {
	if x.status == 0 && x.failure != nil {
		return x.failure.Status
	}
	return x.status
}

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
