package route

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// request is what differs between the requests of a case.
type request struct {
	path  string
	auth  string // the Authorization field, or ""
	media string
	body  string
}

// client sends requests to a handler without a network. It is for one goroutine,
// and so is everything that a request shares with the next: the fields are written
// anew each time, as net/http would have parsed them.
type client struct {
	blank  *http.Request
	r      http.Request
	url    url.URL
	header http.Header
	auth   []string
	media  []string
	length []string
	body   body
	w      answer
}

func newClient(ctx context.Context) *client {
	blank := http.Request{Method: http.MethodPatch, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "projects.example", RemoteAddr: "192.0.2.1:1234"}
	return &client{blank: blank.WithContext(ctx), header: http.Header{}, auth: []string{""}, media: []string{""}, length: []string{""},
		w: answer{header: http.Header{}}}
}

// do sends a request and returns the status of the answer.
func (c *client) do(h http.Handler, q request) int {
	clear(c.header)
	c.header["User-Agent"] = userAgent
	c.header["Accept"] = accept
	if q.auth != "" {
		c.auth[0] = q.auth
		c.header["Authorization"] = c.auth
	}
	c.media[0], c.length[0] = q.media, lengths[len(q.body)]
	c.header["Content-Type"], c.header["Content-Length"] = c.media, c.length
	c.body.Reset(q.body)
	c.url = url.URL{Path: q.path}
	c.r = *c.blank
	c.r.URL, c.r.RequestURI, c.r.Header, c.r.Body, c.r.ContentLength = &c.url, q.path, c.header, &c.body, int64(len(q.body))
	c.w.reset()
	h.ServeHTTP(&c.w, &c.r)
	return c.w.status
}

var (
	userAgent = []string{"bench"}
	accept    = []string{"application/json"}
)

// lengths are the values of Content-Length, so that they cost all alike: nothing.
var lengths = func() (texts [1 << 10]string) {
	for i := range texts {
		texts[i] = strconv.Itoa(i)
	}
	return texts
}()

// body is a request's body. Reading it ends with io.EOF, as net/http's does.
type body struct{ strings.Reader }

func (*body) Close() error { return nil }

// answer is a ResponseWriter that keeps the status and drops the body.
type answer struct {
	header http.Header
	status int
	bytes  int
}

func (a *answer) reset() {
	clear(a.header)
	a.status, a.bytes = 0, 0
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.bytes += len(b)
	return len(b), nil
}

// SetReadDeadline and Flush are there because net/http's writer has them.
func (*answer) SetReadDeadline(time.Time) error { return nil }

func (*answer) Flush() {}
