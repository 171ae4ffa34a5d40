package guard

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"
)

// writer is the http.ResponseWriter that streams and wrapped handlers get. It
// notes what was sent and otherwise stays out of the way.
type writer struct {
	http.ResponseWriter
	x *exchange
}

// handOver lends the response to a handler that writes it itself. The header is
// remembered as it stands, so that a refusal can take back what the handler set.
func (x *exchange) handOver() *writer {
	x.lent = true
	x.before = x.w.Header().Clone()
	return &writer{x.w, x}
}

// takeBack removes what a handler set and did not send: the session cookie of a
// sign-in that failed half-way, or a validator of a body that will not come.
func (x *exchange) takeBack() {
	if x.before == nil {
		return
	}
	h := x.w.Header()
	clear(h)
	maps.Copy(h, x.before)
}

// sent notes the status line.
func (x *exchange) sent(status int) {
	if !x.wrote && !x.hijacked {
		x.wrote, x.status = true, status
	}
}

// keepID puts the request id into a header that is about to be sent: it is on
// every response, whatever the handler did.
func (x *exchange) keepID() {
	if !x.wrote && !x.hijacked {
		x.set(x.w.Header(), "X-Request-Id", x.id)
	}
}

// implied notes the 200 that net/http sends for a handler that wrote nothing.
func (x *exchange) implied() {
	x.keepID()
	if x.status == 0 {
		x.status = http.StatusOK
	}
}

func (w *writer) WriteHeader(status int) {
	w.x.keepID()
	w.ResponseWriter.WriteHeader(status) // first: it panics for what is no status
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.x.sent(status)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	w.x.keepID()
	w.x.sent(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// ReadFrom keeps sendfile for downloads. A source that fails at once has sent
// nothing, and can still be answered by an error.
func (w *writer) ReadFrom(r io.Reader) (n int64, err error) {
	w.x.keepID()
	returned := false
	defer func() {
		if n > 0 || !returned {
			w.x.sent(http.StatusOK)
		}
	}()
	n, err = io.Copy(w.ResponseWriter, r)
	returned = true
	return n, err
}

// Flush is here for code that asks for an http.Flusher instead of using an
// http.ResponseController.
func (w *writer) Flush() { _ = w.FlushError() }

func (w *writer) FlushError() error {
	w.x.keepID()
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		w.x.sent(http.StatusOK)
	}
	return err
}

func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, b, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.x.hijacked, w.x.status = true, http.StatusSwitchingProtocols
	}
	return c, b, err
}

func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hangUp ends an HTTP/1 connection with the response, and does not read the rest
// of the request. Connection: close alone is not enough: net/http still reads up
// to 256 KiB of the body. A read deadline in the past keeps it from that, and a
// MaxBytesReader that finds too much makes it wait before it closes, so that the
// response is not lost in a reset.
func (x *exchange) hangUp() {
	x.w.Header()["Connection"] = []string{"close"}
	_, _ = http.MaxBytesReader(x.w, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 1))
	_ = http.NewResponseController(x.w).SetReadDeadline(time.Unix(1, 0))
}

// outerID is the request id that a guard or Mux around this one has given: one
// request has one id.
func outerID(w http.ResponseWriter) string {
	for {
		switch v := w.(type) {
		case *writer:
			return v.x.id
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return ""
		}
	}
}
