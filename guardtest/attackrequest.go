package guardtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/routeguard/guard/checklist"
)

// request is one request on its way to be sent, which attacks change.
type request struct {
	by        caller
	method    string
	ids       map[string]string // of the pattern's wildcards, not escaped
	rawIDs    map[string]string // the same, as they are sent
	path      string            // instead of the pattern's
	query     string            // raw
	header    http.Header
	members   []member // of the input, from which body or query is encoded
	kind      string   // of the members: json, form, multipart, query
	mediaType string   // of JSON, where it is not the usual one
	body      []byte
	stream    io.Reader // instead of body, without a declared length
	addr      string    // of the client; a new one where empty
	host      string
	signed    bool
	forge     func(r *http.Request, body []byte) // instead of the signature
	at        time.Duration                      // how far the signed time is from now
}

// present puts a credential where the route looks for it.
func (r *request) present(c checklist.Credential, value string) {
	switch c.Kind {
	case "bearer":
		r.header.Set("Authorization", "Bearer "+value)
	case "cookie":
		r.header.Add("Cookie", c.Name+"="+value)
	case "apikey":
		r.header.Set(c.Name, value)
	}
}

// withoutCredentials takes all of them off.
func (r *request) withoutCredentials(route checklist.Route) {
	for _, c := range route.Who.Credentials {
		switch c.Kind {
		case "bearer":
			r.header.Del("Authorization")
		case "cookie":
			r.header.Del("Cookie")
		case "apikey":
			r.header.Del(c.Name)
		}
	}
}

// target is the path with the ids in it, and the query.
func (r *request) target(pattern string) string {
	path := r.path
	if path == "" {
		path = strings.TrimSuffix(pattern, "{$}")
		for name, id := range r.ids {
			escaped := url.PathEscape(id)
			if raw, ok := r.rawIDs[name]; ok {
				escaped = raw
			}
			path = strings.NewReplacer("{"+name+"}", escaped, "{"+name+"...}", escaped).Replace(path)
		}
	}
	if r.query != "" {
		path += "?" + r.query
	}
	return path
}

// addresses counts the clients, each of which has a network of its own.
var addresses atomic.Uint32

// address is a client in 2001:db8::/32 (RFC 3849): the nth of a network of its own.
func address(network uint32, n int) string {
	return fmt.Sprintf("[2001:db8:%x:%x::1]:4711", network%0xffff+1, n%0xffff)
}

// do sends a request to the service.
func (s *service) do(route checklist.Route, r *request) answer {
	r.finish()
	u, err := url.ParseRequestURI(r.target(route.Path()))
	if err != nil {
		return answer{unsendable: true}
	}
	limit := patience
	if route.Ending == checklist.Stream {
		limit = streaming
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if r.addr == "" {
		r.addr = address(addresses.Add(1), 0)
	}
	if r.host == "" {
		r.host = "service.example"
		if h := route.Host(); h != "" {
			r.host = h
		}
	}
	req := &http.Request{Method: r.method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: r.header.Clone(),
		Body: http.NoBody, Host: r.host, RemoteAddr: r.addr, RequestURI: u.RequestURI()}
	if len(r.body) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(r.body)), int64(len(r.body))
	}
	if r.stream != nil {
		req.Body, req.ContentLength = io.NopCloser(r.stream), -1
	}
	switch {
	case r.forge != nil:
		r.forge(req, r.body)
	case r.signed && s.Sign != nil:
		s.Sign(req, r.body, time.Now().Add(r.at))
	}
	w := &writer{header: http.Header{}, head: r.method == http.MethodHead, cut: cancel, stream: route.Ending == checklist.Stream}
	return w.serve(s, req.WithContext(ctx))
}

const (
	patience  = 30 * time.Second // how long a handler may take
	streaming = 5 * time.Second  // how long a stream is read, which may never end
	enough    = 64 << 10         // bytes of a stream that are read
)

// writer is the client's end: a ResponseWriter with everything that a connection has.
type writer struct {
	header, sent http.Header
	status       int
	body         bytes.Buffer
	head, stream bool
	cut          func()
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *writer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.stream && w.body.Len() > enough {
		w.cut() // the client goes away
		return 0, io.ErrClosedPipe
	}
	if !w.head {
		w.body.Write(b)
	}
	return len(b), nil
}

func (w *writer) Flush()                             {}
func (w *writer) SetReadDeadline(time.Time) error    { return nil }
func (w *writer) SetWriteDeadline(t time.Time) error { return nil }
func (w *writer) EnableFullDuplex() error            { return nil }

// serve calls the handler, and notes a panic as net/http would.
func (w *writer) serve(h http.Handler, r *http.Request) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = w.answer()
			a.aborted, a.panicked = p == http.ErrAbortHandler, p != http.ErrAbortHandler
		}
	}()
	h.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
	return w.answer()
}

func (w *writer) answer() answer {
	return answer{status: w.status, header: w.sent, body: w.body.Bytes()}
}

// answer is what came back.
type answer struct {
	status     int
	header     http.Header
	body       []byte
	aborted    bool // the connection was cut
	panicked   bool // out of the handler
	unsendable bool // net/http would not have taken the request
}

func (a answer) ok() bool      { return a.status >= 200 && a.status < 400 }
func (a answer) refused() bool { return a.status >= 400 && a.status < 500 }

// String is for failures: the status, and the beginning of the body.
func (a answer) String() string {
	const most = 200
	body := string(a.body)
	if len(body) > most {
		body = body[:most] + "…"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.status, body))
}

// passing are header fields that differ between two answers that tell the same.
var passing = []string{"X-Request-Id", "Date", "Ratelimit", "Retry-After", "Connection"}

// same is everything that a caller could tell two answers apart by.
func (a answer) same() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", a.status)
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		if !slices.Contains(passing, name) {
			fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(a.header[name], ", "))
		}
	}
	body := string(a.body)
	if id := a.header.Get("X-Request-Id"); id != "" {
		body = strings.ReplaceAll(body, id, "(the request id)")
	}
	return b.String() + body
}
