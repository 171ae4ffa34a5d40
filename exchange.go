package guard

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/routeguard/guard/internal/reqid"
)

// exchanges keeps exchanges for other requests. What a handler could keep is not in
// them: its Call and context are its own request's for ever.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func newExchange(tell *Responder, w http.ResponseWriter, r *http.Request) *exchange {
	x := exchanges.Get().(*exchange)
	x.tell, x.w, x.r, x.start = tell, w, r, time.Now()
	return x
}

// recycle gives x to another request, empty. A handler that got a ResponseWriter
// holds x through it, perhaps beyond the request, and so may one that panicked.
func (x *exchange) recycle() {
	if x.lent || !x.returned || !x.done {
		return
	}
	x.body.wipe()
	body := x.body
	*x = exchange{}
	x.body = body
	exchanges.Put(x)
}

// fieldValues is how many header fields one allocation of values is for: those of a
// success, and of most refusals.
const fieldValues = 6

// set sets a header field to one value. The slices of all values are cut from one
// allocation; nobody can append into a neighbor.
func (x *exchange) set(h http.Header, name, value string) {
	if len(x.values) == 0 {
		x.values = make([]string, fieldValues)
	}
	x.values[0] = value
	h[name] = x.values[:1:1]
	x.values = x.values[1:]
}

// because is [Error.Because] in the memory of the exchange, for refusals that come in
// floods. What it returns must not outlive the request: no function of the service
// may get it.
func (x *exchange) because(e *Error, cause error) *Error {
	x.own = *e
	x.own.cause = cause
	return &x.own
}

// decimal is strconv.FormatInt, without an allocation for the lengths of most bodies.
func decimal(n int64) string {
	const width = 3
	if n < 100 || n >= int64(len(threeDigits)/width) {
		return strconv.FormatInt(n, 10)
	}
	return threeDigits[width*n:][:width]
}

// threeDigits is "000" to "999".
var threeDigits = func() string {
	var b []byte
	for n := range 1000 {
		b = fmt.Appendf(b, "%03d", n)
	}
	return string(b)
}()

// unsafe reports whether a method may change something (RFC 9110, section 9.2.1).
// What answers it, such as a new session's token, must not be stored.
func unsafe(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// contain turns a panic into an error.
func contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// requestID takes the caller's own id only from a trusted proxy: an id that a
// client chooses could collide with, or forge, somebody else's log records. Beside
// an error it returns an id, too: even that refusal has one to ask about.
func requestID(r *http.Request, trusted bool, now time.Time) (string, error) {
	if ids := r.Header["X-Request-Id"]; trusted && len(ids) == 1 && reqid.Valid(ids[0]) {
		return ids[0], nil
	}
	id, err := reqid.New(now)
	if err != nil {
		return reqid.Weak(), fmt.Errorf("make a request id: %w", err)
	}
	return id, nil
}
