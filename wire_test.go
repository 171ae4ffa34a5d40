package guard_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// listen serves handler on loopback and returns its address.
func listen(t *testing.T, handler http.Handler) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// wire is what came back for one raw request.
type wire struct {
	invited bool // by a 100 (Continue)
	*http.Response
	body string
}

// rawSend writes a request as it stands and reads the response. With halfClose it ends its side then.
func rawSend(t *testing.T, addr, request string, halfClose bool) wire {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if halfClose {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request[:min(len(request), 80)], err)
	}
	if res.StatusCode == http.StatusContinue {
		return wire{invited: true}
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return wire{Response: res, body: string(b)}
}

// head writes the head of a request. Fields are "Name: value".
func head(line string, fields ...string) string {
	return line + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
}

func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

const last = "0\r\n\r\n"

// What the framing of a request may say, over a real connection.
func TestFramingOverTheWire(t *testing.T) {
	t.Parallel()
	const (
		asJSON  = "Content-Type: application/json"
		chunked = "Transfer-Encoding: chunked"
		expect  = "Expect: 100-continue"
		ok      = `{"name":"A name"}`
		length  = "Content-Length: 17"
	)
	patch := "PATCH " + patchAlice
	big := strings.Repeat(" ", 256<<10)
	tests := []struct {
		name      string
		request   string
		halfClose bool
		status    int
		code      string
		pointer   string // of the first field error
		close     bool
	}{
		{name: "a length", request: head(patch, alice, asJSON, length) + ok, status: 200},
		{name: "chunks", request: head(patch, alice, asJSON, chunked) + chunk(ok[:3]) + chunk(ok[3:]) + last, status: 200},
		{name: "HTTP/1.0", request: strings.Replace(head(patch, alice, asJSON, length), "HTTP/1.1", "HTTP/1.0", 1) + ok, status: 200, close: true},
		{name: "a charset that is UTF-8", request: head(patch, alice, asJSON+"; charset=UTF-8", length) + ok, status: 200},

		{name: "two content types", request: head(patch, alice, asJSON, asJSON, length) + ok, status: 415, code: "unsupported_media_type"},
		{name: "two content types in one field", request: head(patch, alice, asJSON+", application/json", length) + ok, status: 415, code: "unsupported_media_type"},
		{name: "two content types, one in lower case", request: head(patch, alice, asJSON, "content-type: text/plain", length) + ok, status: 415, code: "unsupported_media_type"},
		{name: "no content type", request: head(patch, alice, length) + ok, status: 415, code: "unsupported_media_type"},
		{name: "no content type and chunks", request: head(patch, alice, chunked) + chunk(ok) + last, status: 415, code: "unsupported_media_type", close: true},
		{name: "an empty content type", request: head(patch, alice, "Content-Type:", length) + ok, status: 415, code: "unsupported_media_type"},
		{name: "UTF-16", request: head(patch, alice, asJSON+"; charset=utf-16", length) + ok, status: 415, code: "unsupported_media_type"},
		{name: "text/plain", request: head(patch, alice, "Content-Type: text/plain", length) + ok, status: 415, code: "unsupported_media_type"},
		{name: "gzip", request: head(patch, alice, asJSON, "Content-Encoding: gzip", length) + ok, status: 415, code: "unsupported_media_type"},
		{name: "identity", request: head(patch, alice, asJSON, "Content-Encoding: identity", length) + ok, status: 415, code: "unsupported_media_type"},
		{name: "a large body of another type", request: head(patch, alice, "Content-Type: text/plain", "Content-Length: 100000"), status: 415, code: "unsupported_media_type", close: true},

		{name: "no body", request: head(patch, alice, asJSON), status: 400, code: "invalid_body"},
		{name: "no body and no type", request: head(patch, alice), status: 400, code: "invalid_body"},
		{name: "a length of zero", request: head(patch, alice, asJSON, "Content-Length: 0"), status: 400, code: "invalid_body"},
		{name: "no chunks", request: head(patch, alice, asJSON, chunked) + last, status: 400, code: "invalid_body"},
		{name: "no chunks and no type", request: head(patch, alice, chunked) + last, status: 400, code: "invalid_body"},

		{name: "a length over the cap is not read", request: head(patch, alice, asJSON, "Content-Length: 262145"), status: 413, code: "body_too_large", close: true},
		{name: "a length over the cap is not invited", request: head(patch, alice, asJSON, "Content-Length: 262145", expect), status: 413, code: "body_too_large", close: true},
		{name: "chunks over the cap", request: head(patch, alice, asJSON, chunked) + chunk(big) + chunk(ok) + last, status: 413, code: "body_too_large", close: true},
		{name: "white space behind the value, over the cap", request: head(patch, alice, asJSON, chunked) + chunk(ok) + chunk(big) + last, status: 413, code: "body_too_large", close: true},
		{name: "an absurd length", request: head(patch, alice, asJSON, "Content-Length: 9223372036854775807"), status: 413, code: "body_too_large", close: true},

		{name: "a body that is cut off", request: head(patch, alice, asJSON, "Content-Length: 100") + ok, halfClose: true, status: 400, code: "incomplete_body", close: true},
		{name: "a chunk that is cut off", request: head(patch, alice, asJSON, chunked) + "64\r\n" + ok, halfClose: true, status: 400, code: "incomplete_body", close: true},
		{name: "chunks without an end", request: head(patch, alice, asJSON, chunked) + chunk(ok), halfClose: true, status: 400, code: "incomplete_body", close: true},
		{name: "a chunk size that is none", request: head(patch, alice, asJSON, chunked) + "zz\r\n" + ok, status: 400, code: "incomplete_body", close: true},

		{name: "an anonymous upload is not invited", request: head(patch, asJSON, length, expect), status: 401, code: "unauthenticated"},
		{name: "an anonymous upload in chunks is not invited", request: head(patch, asJSON, chunked, expect), status: 401, code: "unauthenticated", close: true},
		{name: "an outsider's upload is not invited", request: head(patch, bob, asJSON, length, expect), status: 404, code: "not_found"},
		{name: "another expectation", request: head(patch, alice, asJSON, length, "Expect: 200-ok"), status: 417, code: "", close: true},
	}
	h := newHarness(t)
	addr := listen(t, withoutLimits(h))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := rawSend(t, addr, tt.request, tt.halfClose)
			if got.invited {
				t.Fatal("the body was invited")
			}
			if got.StatusCode != tt.status || got.Close != tt.close && tt.close {
				t.Errorf("got %d, close %v, want %d, close %v: %s", got.StatusCode, got.Close, tt.status, tt.close, got.body)
			}
			if tt.code != "" && !strings.Contains(got.body, `"code":"`+tt.code+`"`) {
				t.Errorf("got %s, want code %s", got.body, tt.code)
			}
			if tt.code != "" && got.Header.Get("X-Request-Id") == "" {
				t.Error("no request id")
			}
		})
	}
	if got := rawSend(t, addr, head(patch, alice, asJSON, length, expect), false); !got.invited {
		t.Errorf("the owner's upload was not invited: %d %s", got.StatusCode, got.body)
	}
}

// withoutLimits is the harness's PATCH route with no limit, for many requests.
func withoutLimits(h *harness) http.Handler {
	errs := &guard.Responder{Log: h.log.logger()}
	mux := guard.NewMux(errs)
	mux.Handle("PATCH /projects/{projectID}", guard.New(
		guard.Bearer(h.verify), guard.JSON[UpdateProject],
		guard.Owned("projectID", guard.ParseUUID, h.project, (*Project).OwnedBy),
		guard.Unlimited("a test"), errs, h.updateProject))
	return mux
}

// Routes that take no body: what counts as none.
func TestNoBody(t *testing.T) {
	t.Parallel()
	const (
		zero    = "Content-Length: 0"
		chunked = "Transfer-Encoding: chunked"
	)
	tests := []struct {
		name    string
		request string
		status  int
		code    string
	}{
		{name: "GET", request: head("GET /none"), status: 204},
		{name: "GET with a length of zero", request: head("GET /none", zero), status: 204},
		{name: "GET without chunks", request: head("GET /none", chunked) + last, status: 204},
		{name: "GET with a content type and no body", request: head("GET /none", "Content-Type: application/json"), status: 204},
		{name: "HEAD", request: head("HEAD /none"), status: 204},
		{name: "DELETE", request: head("DELETE /none"), status: 204},
		{name: "DELETE with a length of zero", request: head("DELETE /none", zero), status: 204},
		{name: "DELETE without chunks", request: head("DELETE /none", chunked) + last, status: 204},
		{name: "a query", request: head("GET /query?q=a"), status: 204},
		{name: "a query without chunks", request: head("GET /query?q=a", chunked) + last, status: 204},
		{name: "an empty query", request: head("GET /none?"), status: 204},

		{name: "GET with a body", request: head("GET /none", "Content-Length: 2") + "{}", status: 400, code: "unexpected_body"},
		{name: "GET with a chunk", request: head("GET /none", chunked) + chunk("{}") + last, status: 400, code: "unexpected_body"},
		{name: "GET with a space", request: head("GET /none", "Content-Length: 1") + " ", status: 400, code: "unexpected_body"},
		{name: "HEAD with a body", request: head("HEAD /none", "Content-Length: 2") + "{}", status: 400},
		{name: "DELETE with a body", request: head("DELETE /none", "Content-Length: 2") + "{}", status: 400, code: "unexpected_body"},
		{name: "DELETE with a chunk", request: head("DELETE /none", chunked) + chunk("x") + last, status: 400, code: "unexpected_body"},
		{name: "a query with a body", request: head("GET /query?q=a", "Content-Length: 2") + "{}", status: 400, code: "unexpected_body"},
		{name: "a body that waits", request: head("GET /none", "Content-Length: 2", "Expect: 100-continue"), status: 400, code: "unexpected_body"},
		{name: "chunks that wait", request: head("GET /none", chunked, "Expect: 100-continue"), status: 400, code: "unexpected_body"},
		{name: "an unknown parameter", request: head("GET /none?x=1"), status: 400, code: "invalid_parameters"},
		{name: "a parameter without a name", request: head("GET /none?=1"), status: 400, code: "invalid_parameters"},
		{name: "a parameter where only a body is taken", request: head("POST /raw?x=1", "Content-Length: 2") + "{}", status: 400, code: "invalid_parameters"},
	}
	type search struct {
		Q string `query:"q"`
	}
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	free := guard.Unlimited("a test")
	mux := guard.NewMux(errs)
	nothing := func(context.Context, *guard.Call[guard.Anonymous, guard.None, guard.None]) (guard.None, error) {
		return guard.None{}, nil
	}
	none := guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, free, errs, nothing)
	mux.Handle("GET /none", none)
	mux.Handle("DELETE /none", none)
	mux.Handle("POST /raw", guard.New(guard.Anyone, guard.RawBody(8), guard.NoResource, free, errs, nothing))
	mux.Handle("GET /query", guard.New(guard.Anyone, guard.Query[search], guard.NoResource, free, errs,
		func(context.Context, *guard.Call[guard.Anonymous, search, guard.None]) (guard.None, error) {
			return guard.None{}, nil
		}))
	addr := listen(t, mux)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := rawSend(t, addr, tt.request, false)
			if got.invited || got.StatusCode != tt.status || tt.code != "" && !strings.Contains(got.body, `"code":"`+tt.code+`"`) {
				t.Errorf("got %+v, want %d %s", got, tt.status, tt.code)
			}
		})
	}
}

// The cap of RawBody, before the handler and in it.
func TestRawBody(t *testing.T) {
	t.Parallel()
	chunked := "Transfer-Encoding: chunked"
	tests := []struct {
		name      string
		request   string
		halfClose bool
		status    int
		code      string
		close     bool
	}{
		{name: "at the cap", request: head("POST /new", "Content-Length: 8") + "12345678", status: 200},
		{name: "at the cap in chunks", request: head("POST /new", chunked) + chunk("12345678") + last, status: 200},
		{name: "none", request: head("POST /new"), status: 200},
		{name: "any type and coding", request: head("POST /new", "Content-Type: a/b", "Content-Encoding: gzip", "Content-Length: 1") + "x", status: 200},
		{name: "a length over the cap", request: head("POST /new", "Content-Length: 9") + "123456789", status: 413, code: "body_too_large", close: true},
		{name: "chunks over the cap", request: head("POST /new", chunked) + chunk("123456789") + last, status: 413, code: "body_too_large", close: true},
		{name: "cut off", request: head("POST /new", "Content-Length: 8") + "1", halfClose: true, status: 400, code: "incomplete_body", close: true},
		{name: "wrapped, at the cap", request: head("POST /wrap", chunked) + chunk("12345678") + last, status: 200},
		{name: "wrapped, a length over the cap", request: head("POST /wrap", "Content-Length: 9") + "123456789", status: 413, code: "body_too_large", close: true},
		{name: "wrapped, chunks over the cap: the handler's own answer", request: head("POST /wrap", chunked) + chunk("123456789") + last, status: 418, close: true},
	}
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	free := guard.Unlimited("a test")
	mux := guard.NewMux(errs)
	mux.Handle("POST /new", guard.New(guard.Anyone, guard.RawBody(8), guard.NoResource, free, errs,
		func(_ context.Context, c *guard.Call[guard.Anonymous, guard.None, guard.None]) (int, error) {
			b, err := io.ReadAll(c.Request.Body)
			if err != nil {
				return 0, fmt.Errorf("read: %w", err)
			}
			return len(b), nil
		}))
	mux.Handle("POST /wrap", guard.Wrap(guard.Anyone, guard.RawBody(8), guard.NoResource, free, errs,
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				w.WriteHeader(http.StatusTeapot)
			}
		})))
	addr := listen(t, mux)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := rawSend(t, addr, tt.request, tt.halfClose)
			if got.StatusCode != tt.status || got.Close != tt.close || tt.code != "" && !strings.Contains(got.body, `"code":"`+tt.code+`"`) {
				t.Errorf("got %d, close %v, %s, want %d %s, close %v", got.StatusCode, got.Close, got.body, tt.status, tt.code, tt.close)
			}
		})
	}
}
