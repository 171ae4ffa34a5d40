package guard_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
)

// What a loader never sees, however the path was routed.
func TestMalformedIDs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, id string
		status   int
	}{
		{name: "a word", id: "a-b_c.7", status: 200},
		{name: "letters of other alphabets", id: "größe", status: 200},
		{name: "256 bytes", id: strings.Repeat("a", 256), status: 200},
		{name: "257 bytes", id: strings.Repeat("a", 257), status: 404},
		{name: "a slash", id: "a/b", status: 404},
		{name: "a backslash", id: `a\b`, status: 404},
		{name: "a dot", id: ".", status: 404},
		{name: "two dots", id: "..", status: 404},
		{name: "a NUL", id: "a\x00", status: 404},
		{name: "a line break", id: "a\nlevel=ERROR", status: 404},
		{name: "a delete character", id: "a\x7f", status: 404},
		{name: "a right-to-left override", id: "a\u202eb", status: 404},
		{name: "a zero-width space", id: "a\u200bb", status: 404},
		{name: "what is not UTF-8", id: "a\xff", status: 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var loaded []string
			g := guard.New(guard.Anyone, guard.NoPayload, guard.Authorize("id", guard.ParseString,
				func(_ context.Context, _ guard.Anonymous, id string) (string, error) {
					loaded = append(loaded, id)
					return id, nil
				}), free, &guard.Responder{Log: (&logBuffer{}).logger()},
				func(_ context.Context, c *guard.Call[guard.Anonymous, guard.None, string]) (string, error) {
					return c.Resource, nil
				})
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.SetPathValue("id", tt.id)
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			if w.Code != tt.status || len(loaded) != 0 != (tt.status == 200) {
				t.Errorf("got %d, loaded %q, want %d", w.Code, loaded, tt.status)
			}
		})
	}
}

// What net/http answers or lets pass before and after a guard, under the settings that
// docs/threat-model.md asks for. The time is that of the bubble.
func TestWhatAGuardDoesNotSee(t *testing.T) {
	t.Parallel()
	const begin = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	const body = `{"text":"from the body"}`
	length := "Content-Length: 24\r\n"
	tests := []struct {
		name    string
		request string
		late    bool   // the client reads nothing for a minute
		want    string // how the response begins; empty: there is none
		status  int    // of the guard's record; 0: it made none
	}{
		{name: "a request", request: begin + length + "Connection: close\r\n\r\n" + body, want: "HTTP/1.1 200", status: 200},
		{name: "half a header", request: begin},
		{name: "a large header", request: begin + "X: " + strings.Repeat("x", 10_000) + "\r\n\r\n", want: "HTTP/1.1 431"},
		{name: "a field without a colon", request: begin + "no colon\r\n\r\n", want: "HTTP/1.1 400"},
		{name: "two Hosts", request: begin + "Host: y\r\n\r\n", want: "HTTP/1.1 400"},
		{name: "two lengths", request: begin + length + "Content-Length: 3\r\n\r\n" + body, want: "HTTP/1.1 400"},
		{name: "a length and chunks", request: begin + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunk(body) + last,
			want: "HTTP/1.1 200", status: 200},
		{name: "half a body", request: begin + length + "\r\n" + body[:9], want: "HTTP/1.1 408", status: 408},
		{name: "a connection that is kept open", request: begin + length + "\r\n" + body, want: "HTTP/1.1 200", status: 200},
		{name: "a reader who does not read", request: begin + length + "\r\n" + body, late: true, status: 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, status := throughServer(t, tt.request, tt.late)
				if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if status != tt.status {
					t.Errorf("the guard recorded status %d, want %d", status, tt.status)
				}
				if strings.HasPrefix(tt.want, "HTTP/1.1 200") && !strings.Contains(got, "from the body") {
					t.Errorf("got %q, want the text of the body", got)
				}
			})
		})
	}
}

// throughServer sends bytes to a server with a guard and returns all that comes back
// until the server closes, and the status that the guard recorded.
func throughServer(t *testing.T, request string, late bool) (response string, status int) {
	errs := &guard.Responder{Log: (&logBuffer{}).logger(), Observe: func(_ context.Context, e guard.Event) { status = e.Status }}
	server := &http.Server{
		Handler: guard.New(guard.Anyone, guard.JSON[note], guard.NoResource, free, errs,
			func(_ context.Context, c *guard.Call[guard.Anonymous, note, guard.None]) (note, error) {
				return c.Input, nil
			}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    1 << 10,
	}
	client, conn := net.Pipe()
	listener := &oneConn{conn: make(chan net.Conn, 1)}
	listener.conn <- conn
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	go func() { _, _ = io.WriteString(client, request) }()
	if late {
		time.Sleep(time.Minute)
	}
	b, err := io.ReadAll(client)
	if err != nil {
		t.Errorf("read the response: %v", err)
	}
	synctest.Wait()
	return string(b), status
}

// oneConn is a listener with a single connection.
type oneConn struct{ conn chan net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	if c, open := <-l.conn; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { close(l.conn); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// Ports do not keep cookies apart (RFC 6265, section 8.5): who shares a host with the
// service is sent its session.
func TestCookiesIgnorePorts(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	session := guard.SessionCookie("__Host-session").Set("value", time.Now().Add(time.Hour))
	jar.SetCookies(at("https://app.example:8443/"), []*http.Cookie{session})
	tests := []struct {
		name, url string
		sent      int
	}{
		{name: "another port of the host", url: "https://app.example:9443/other", sent: 1},
		{name: "another host", url: "https://www.app.example:8443/"},
		{name: "the parent", url: "https://example:8443/"},
		{name: "no TLS", url: "http://app.example:8443/"},
	}
	for _, tt := range tests {
		if got := len(jar.Cookies(at(tt.url))); got != tt.sent {
			t.Errorf("%s: got %d cookies, want %d", tt.name, got, tt.sent)
		}
	}
}
