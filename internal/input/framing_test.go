package input_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/routeguard/guard/internal/input"
)

type named struct {
	Name string `json:"name"`
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	const refused = "415 unsupported_media_type"
	tests := []struct {
		name   string
		types  []string // of the plan
		header http.Header
		want   string
	}{
		{name: "application/json", header: http.Header{"Content-Type": {"application/json"}}, want: "ok"},
		{name: "with charset", header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, want: "ok"},
		{name: "with charset in upper case", header: http.Header{"Content-Type": {"Application/JSON;Charset=UTF-8"}}, want: "ok"},
		{name: "with a quoted charset", header: http.Header{"Content-Type": {`application/json; charset="utf-8"`}}, want: "ok"},
		{name: "none", want: refused},
		{name: "empty", header: http.Header{"Content-Type": {""}}, want: refused},
		{name: "two fields", header: http.Header{"Content-Type": {"application/json", "application/json"}}, want: refused},
		{name: "two types in one field", header: http.Header{"Content-Type": {"application/json, application/json"}}, want: refused},
		{name: "another charset", header: http.Header{"Content-Type": {"application/json; charset=utf-16"}}, want: refused},
		{name: "latin-1", header: http.Header{"Content-Type": {"application/json; charset=iso-8859-1"}}, want: refused},
		{name: "charset twice", header: http.Header{"Content-Type": {"application/json; charset=utf-8; charset=utf-8"}}, want: refused},
		{name: "an extended charset", header: http.Header{"Content-Type": {"application/json; charset*=utf-8''utf-8"}}, want: refused},
		{name: "a continued charset", header: http.Header{"Content-Type": {"application/json; charset*0=utf-8"}}, want: refused},
		{name: "another parameter", header: http.Header{"Content-Type": {"application/json; v=1"}}, want: refused},
		{name: "a boundary", header: http.Header{"Content-Type": {"application/json; boundary=x"}}, want: refused},
		{name: "text/plain", header: http.Header{"Content-Type": {"text/plain"}}, want: refused},
		{name: "text/plain that mentions JSON", header: http.Header{"Content-Type": {"text/plain; application/json"}}, want: refused},
		{name: "text/json", header: http.Header{"Content-Type": {"text/json"}}, want: refused},
		{name: "a form", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, want: refused},
		{name: "multipart", header: http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, want: refused},
		{name: "a suffix type without leave", header: http.Header{"Content-Type": {"application/merge-patch+json"}}, want: refused},
		{name: "a longer name", header: http.Header{"Content-Type": {"application/jsonp"}}, want: refused},
		{name: "no slash", header: http.Header{"Content-Type": {"json"}}, want: refused},
		{name: "a star", header: http.Header{"Content-Type": {"*/*"}}, want: refused},
		{name: "white space inside", header: http.Header{"Content-Type": {"application / json"}}, want: refused},
		{name: "a NUL", header: http.Header{"Content-Type": {"application/json\x00"}}, want: refused},

		{name: "a named type", types: []string{"application/merge-patch+json"}, header: http.Header{"Content-Type": {"application/merge-patch+json"}}, want: "ok"},
		{name: "not the default when others are named", types: []string{"application/merge-patch+json"}, header: http.Header{"Content-Type": {"application/json"}}, want: refused},
		{name: "a range", types: []string{"application/*+json"}, header: http.Header{"Content-Type": {"application/vnd.api+json"}}, want: "ok"},
		{name: "a range needs a name before the suffix", types: []string{"application/*+json"}, header: http.Header{"Content-Type": {"application/+json"}}, want: refused},
		{name: "a range does not take plain JSON", types: []string{"application/*+json"}, header: http.Header{"Content-Type": {"application/json"}}, want: refused},
		{name: "a range does not take another suffix", types: []string{"application/*+json"}, header: http.Header{"Content-Type": {"application/x+xml"}}, want: refused},

		{name: "gzip", header: http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, want: refused},
		{name: "identity", header: http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"identity"}}, want: refused},
		{name: "an empty coding", header: http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {""}}, want: refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := compile[named](t, input.Config{Kind: input.JSON, MediaTypes: tt.types})
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"name":"x"}`))
			for name, values := range tt.header {
				r.Header[name] = values
			}
			if _, fail := decode[named](t, p, r); verdict(fail) != tt.want {
				t.Errorf("got %s, want %s", verdict(fail), tt.want)
			}
		})
	}
}

// unreadable fails the test when it is read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestBodySizes(t *testing.T) {
	t.Parallel()
	const limit = 64
	padded := func(n int) string { return `{"name":"x"` + strings.Repeat(" ", n-12) + `}` }
	tests := []struct {
		name   string
		body   io.Reader
		length int64
		want   string
	}{
		{name: "at the cap", body: strings.NewReader(padded(limit)), length: limit, want: "ok"},
		{name: "at the cap, chunked", body: strings.NewReader(padded(limit)), length: -1, want: "ok"},
		{name: "over the cap is not read", body: unreadable{t}, length: limit + 1, want: "413 body_too_large"},
		{name: "over the cap, chunked", body: strings.NewReader(padded(limit + 1)), length: -1, want: "413 body_too_large"},
		{name: "more than declared", body: strings.NewReader(padded(limit + 1)), length: limit, want: "413 body_too_large"},
		{name: "white space behind the value counts", body: strings.NewReader(`{}` + strings.Repeat(" ", limit)), length: -1, want: "413 body_too_large"},
		{name: "rubbish behind the value within the cap", body: strings.NewReader(`{} ` + strings.Repeat("x", 10)), length: -1, want: "400 invalid_body: =trailing_data"},
		{name: "an endless body", body: strings.NewReader(strings.Repeat("[", 1<<20)), length: -1, want: "413 body_too_large"},
		{name: "byte by byte", body: iotest.OneByteReader(strings.NewReader(padded(limit))), length: -1, want: "ok"},
		{name: "data together with the end", body: iotest.DataErrReader(strings.NewReader(padded(limit))), length: -1, want: "ok"},
	}
	p := compile[named](t, input.Config{Kind: input.JSON, MaxBody: limit})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", tt.body)
			r.ContentLength = tt.length
			r.Header.Set("Content-Type", "application/json")
			_, fail := decode[named](t, p, r)
			if verdict(fail) != tt.want {
				t.Fatalf("got %s, want %s", verdict(fail), tt.want)
			}
			if fail != nil && fail.Status == 413 && !fail.CloseConn {
				t.Errorf("CloseConn: got false, want true")
			}
		})
	}
}

// timeoutError is what a deadline of another connection type looks like.
type timeoutError struct{}

func (timeoutError) Error() string   { return "too slow" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return false }

func TestReadErrors(t *testing.T) {
	t.Parallel()
	expired, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	broken := errors.New("broken pipe")
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want string
	}{
		{name: "the caller goes away", err: io.ErrUnexpectedEOF, want: "400 incomplete_body"},
		{name: "the connection breaks", err: broken, want: "400 incomplete_body"},
		{name: "the read deadline passes", err: os.ErrDeadlineExceeded, want: "408 request_timeout"},
		{name: "a wrapped deadline", err: fmt.Errorf("read: %w", os.ErrDeadlineExceeded), want: "408 request_timeout"},
		{name: "a network timeout", err: timeoutError{}, want: "408 request_timeout"},
		{name: "the request's deadline passed", ctx: expired, err: broken, want: "408 request_timeout"},
	}
	plans := map[string]*input.Plan{
		"application/json":                  compile[named](t, input.Config{Kind: input.JSON}),
		"application/x-www-form-urlencoded": compile[formNamed](t, input.Config{Kind: input.Form}),
		"multipart/form-data; boundary=x":   compile[formNamed](t, input.Config{Kind: input.Form}),
		"":                                  compile[struct{}](t, input.Config{}),
	}
	for _, tt := range tests {
		for contentType, p := range plans {
			t.Run(tt.name+" "+contentType, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodPost, "/", iotest.ErrReader(tt.err))
				r.ContentLength = -1
				if contentType != "" {
					r.Header.Set("Content-Type", contentType)
				}
				ctx := tt.ctx
				if ctx == nil {
					ctx = context.Background()
				}
				var dst any = new(named)
				switch p {
				case plans[""]:
					dst = new(struct{})
				case plans["application/json"]:
				default:
					dst = new(formNamed)
				}
				_, fail := p.Decode(ctx, httptest.NewRecorder(), r, dst)
				if verdict(fail) != tt.want {
					t.Fatalf("got %s, want %s", verdict(fail), tt.want)
				}
				if !fail.CloseConn || !errors.Is(fail.Cause, tt.err) {
					t.Errorf("got CloseConn %v, Cause %v, want true and the read error", fail.CloseConn, fail.Cause)
				}
			})
		}
	}
}

type formNamed struct {
	Name string `form:"name"`
}

func TestUnexpectedBodies(t *testing.T) {
	t.Parallel()
	type query struct {
		Q string `query:"q"`
	}
	tests := []struct {
		name   string
		body   string
		length int64
		want   string
	}{
		{name: "no body", body: "", length: 0, want: "ok"},
		{name: "a declared length of zero", body: "", length: 0, want: "ok"},
		{name: "an empty chunked body", body: "", length: -1, want: "ok"},
		{name: "a declared body is not read", body: "unread", length: 1, want: "400 unexpected_body"},
		{name: "a chunked body", body: "x", length: -1, want: "400 unexpected_body"},
		{name: "a chunked body of white space", body: " ", length: -1, want: "400 unexpected_body"},
	}
	for _, tt := range tests {
		for _, kind := range []input.Kind{input.None, input.Query} {
			t.Run(fmt.Sprint(tt.name, " ", kind), func(t *testing.T) {
				var body io.Reader = strings.NewReader(tt.body)
				if tt.body == "unread" {
					body = unreadable{t}
				}
				r := httptest.NewRequest(http.MethodPost, "/", body)
				r.ContentLength = tt.length
				r.Header.Set("Content-Type", "application/json")
				var fail *input.Failure
				if kind == input.None {
					_, fail = decode[struct{}](t, compile[struct{}](t, input.Config{Kind: kind}), r)
				} else {
					_, fail = decode[query](t, compile[query](t, input.Config{Kind: kind}), r)
				}
				if verdict(fail) != tt.want {
					t.Errorf("got %s, want %s", verdict(fail), tt.want)
				}
			})
		}
	}
}

func TestEmptyBodies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		contentType string
		length      int64
		want        string
	}{
		{name: "nothing at all", length: 0, want: "400 invalid_body: =required"},
		{name: "a type and no body", contentType: "application/json", length: 0, want: "400 invalid_body: =required"},
		{name: "a type and an empty chunked body", contentType: "application/json", length: -1, want: "400 invalid_body: =required"},
		{name: "an empty chunked body without a type", length: -1, want: "400 invalid_body: =required"},
		{name: "the wrong type and no body", contentType: "text/plain", length: 0, want: "415 unsupported_media_type"},
	}
	p := compile[named](t, input.Config{Kind: input.JSON})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(""))
			r.ContentLength = tt.length
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			if _, fail := decode[named](t, p, r); verdict(fail) != tt.want {
				t.Errorf("got %s, want %s", verdict(fail), tt.want)
			}
		})
	}
	t.Run("a chunked body without a type", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"name":"x"}`))
		r.ContentLength = -1
		if _, fail := decode[named](t, p, r); verdict(fail) != "415 unsupported_media_type" {
			t.Errorf("got %s, want 415", verdict(fail))
		}
	})
}

// TestRefusalsComeInOrder pins media type, then size, then content, whatever else is wrong.
func TestRefusalsComeInOrder(t *testing.T) {
	t.Parallel()
	type both struct {
		Name  string `json:"name" validate:"min=3"`
		Limit int    `query:"limit"`
	}
	p := compile[both](t, input.Config{Kind: input.JSON, MaxBody: 32})
	tests := []struct{ name, contentType, query, body, want string }{
		{name: "everything wrong", contentType: "text/plain", query: "limit=x", body: strings.Repeat("x", 100), want: "415 unsupported_media_type"},
		{name: "size and content wrong", contentType: "application/json", query: "limit=x", body: strings.Repeat("x", 100), want: "413 body_too_large"},
		{name: "query and body wrong", contentType: "application/json", query: "limit=x", body: `{"name":1}`, want: "400 invalid_body: /name=type, query/limit=type"},
		{name: "query and a rule wrong", contentType: "application/json", query: "limit=x", body: `{"name":"ab"}`, want: "400 invalid_body: /name=min, query/limit=type"},
		{name: "query alone wrong", contentType: "application/json", query: "limit=x", body: `{"name":"abc"}`, want: "400 invalid_parameters: query/limit=type"},
		{name: "nothing wrong", contentType: "application/json", query: "limit=1", body: `{"name":"abc"}`, want: "ok"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodPost, "/?"+tt.query, strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.contentType)
		if _, fail := decode[both](t, p, r); verdict(fail) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, verdict(fail), tt.want)
		}
	}
}

func TestRawBodies(t *testing.T) {
	t.Parallel()
	p := compile[struct{}](t, input.Config{Kind: input.Raw, MaxBody: 8})
	r := httptest.NewRequest(http.MethodPost, "/", unreadable{t})
	r.ContentLength = 9
	if _, fail := decode[struct{}](t, p, r); verdict(fail) != "413 body_too_large" {
		t.Errorf("declared over the cap: got %s, want 413", verdict(fail))
	}
	r = httptest.NewRequest(http.MethodPost, "/", strings.NewReader("12345678"))
	if _, fail := decode[struct{}](t, p, r); fail != nil {
		t.Fatalf("at the cap: got %s, want ok", verdict(fail))
	}
	if b, err := io.ReadAll(r.Body); err != nil || string(b) != "12345678" {
		t.Errorf("the handler read %q, %v, want the body", b, err)
	}
	r = httptest.NewRequest(http.MethodPost, "/", strings.NewReader("123456789"))
	r.ContentLength = -1
	if _, fail := decode[struct{}](t, p, r); fail != nil {
		t.Fatalf("chunked: got %s, want ok", verdict(fail))
	}
	var tooLarge *http.MaxBytesError
	if _, err := io.ReadAll(r.Body); !errors.As(err, &tooLarge) {
		t.Errorf("the handler read over the cap: %v", err)
	}
}

// TestOversizedBodiesOnTheWire runs a real server: an upload that will be refused is not invited, and the connection ends.
func TestOversizedBodiesOnTheWire(t *testing.T) {
	t.Parallel()
	p := compile[named](t, input.Config{Kind: input.JSON, MaxBody: 64})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v named
		body, fail := p.Decode(r.Context(), w, r, &v)
		defer body.Close()
		if fail != nil {
			if fail.CloseConn {
				w.Header().Set("Connection", "close")
			}
			w.WriteHeader(fail.Status)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	head := "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	tests := []struct{ name, request, status, connection string }{
		{name: "a good body", request: head + "Content-Length: 12\r\n\r\n{\"name\":\"x\"}", status: "204 No Content"},
		{name: "expect continue over the cap", request: head + "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n", status: "413 Request Entity Too Large", connection: "close"},
		{name: "a declared length over the cap", request: head + "Content-Length: 1000000\r\n\r\n", status: "413 Request Entity Too Large", connection: "close"},
		{name: "chunks over the cap", request: head + "Transfer-Encoding: chunked\r\n\r\n50\r\n" + strings.Repeat("x", 0x50) + "\r\n0\r\n\r\n", status: "413 Request Entity Too Large", connection: "close"},
		{name: "a broken chunk", request: head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", status: "400 Bad Request", connection: "close"},
		{name: "a good chunked body", request: head + "Transfer-Encoding: chunked\r\n\r\nc\r\n{\"name\":\"x\"}\r\n0\r\n\r\n", status: "204 No Content"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.request); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.Status != tt.status || (tt.connection == "close") != resp.Close {
				t.Errorf("got %s, close %v, want %s, %q", resp.Status, resp.Close, tt.status, tt.connection)
			}
		})
	}
}
