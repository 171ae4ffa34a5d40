package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard/examples/server/store"
)

const (
	png  = "\x89PNG\r\n\x1a\n"
	jpeg = "\xff\xd8\xff\xe0"
)

// onePart is a part of a multipart form, with its headers as they are sent.
type onePart struct{ headers, content string }

func avatar(contentType, content string) onePart {
	return onePart{"Content-Disposition: form-data; name=\"avatar\"; filename=\"me\"\r\nContent-Type: " + contentType, content}
}

const boundary = "boundary-of-the-test"

// form writes a multipart body.
func form(parts ...onePart) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--" + boundary + "\r\n" + p.headers + "\r\n\r\n" + p.content + "\r\n")
	}
	return b.String() + "--" + boundary + "--\r\n"
}

func TestUploadAvatar(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	whole := form(avatar("image/png", png+"data"))
	exact := png + strings.Repeat("x", store.MaxAvatar-len(png))
	tests := []struct {
		name        string
		contentType string // of the request
		body        string
		status      int
		code        string
		fields      string // "pointer=code"
		want        AvatarView
	}{
		{name: "a PNG", body: whole, status: 201, want: AvatarView{"image/png", 12}},
		{name: "a JPEG", body: form(avatar("image/jpeg", jpeg+"data")), status: 201, want: AvatarView{"image/jpeg", 8}},
		{name: "1 MiB", body: form(avatar("image/png", exact)), status: 201, want: AvatarView{"image/png", store.MaxAvatar}},
		{name: "a file name that is a path", body: form(onePart{"Content-Disposition: form-data; name=\"avatar\"; filename=\"../../etc/passwd\"\r\nContent-Type: image/png", png}),
			status: 201, want: AvatarView{"image/png", 8}},
		{name: "a file name of control characters", body: form(onePart{"Content-Disposition: form-data; name=\"avatar\"; filename=\"%00%0d\"\r\nContent-Type: image/png", png}),
			status: 201, want: AvatarView{"image/png", 8}},

		{name: "a PNG that says it is a JPEG", body: form(avatar("image/jpeg", png)), status: 201, want: AvatarView{"image/png", 8}},
		{name: "a JPEG that says it is a PNG", body: form(avatar("image/png", jpeg+"data")), status: 201, want: AvatarView{"image/jpeg", 8}},
		{name: "a PNG that says it is bytes", body: form(avatar("application/octet-stream", png)), status: 201, want: AvatarView{"image/png", 8}},
		{name: "a PNG that says it is a page", body: form(avatar("text/html", png)), status: 201, want: AvatarView{"image/png", 8}},
		{name: "no type", body: form(onePart{`Content-Disposition: form-data; name="avatar"; filename="me"`, png}), status: 201, want: AvatarView{"image/png", 8}},

		{name: "a byte more than 1 MiB", body: form(avatar("image/png", exact+"x")), status: 413, code: "body_too_large", fields: "/avatar=file_size"},
		{name: "a page", body: form(avatar("text/html", "<script>alert(1)</script>")), status: 400, code: "invalid_body", fields: "/avatar=file_type"},
		{name: "a page that says it is a PNG", body: form(avatar("image/png", "<script>alert(1)</script>")), status: 400, code: "invalid_body", fields: "/avatar=file_type"},
		{name: "a GIF", body: form(avatar("image/gif", "GIF89a")), status: 400, code: "invalid_body", fields: "/avatar=file_type"},
		{name: "an SVG", body: form(avatar("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>")), status: 400, code: "invalid_body", fields: "/avatar=file_type"},
		{name: "an empty file", body: form(avatar("image/png", "")), status: 400, code: "invalid_body", fields: "/avatar=file_empty"},
		{name: "no file was chosen", body: form(onePart{"Content-Disposition: form-data; name=\"avatar\"; filename=\"\"\r\nContent-Type: application/octet-stream", ""}), status: 400, code: "invalid_body", fields: "/avatar=required"},
		{name: "no part", body: "--" + boundary + "--\r\n", status: 400, code: "invalid_body", fields: "/avatar=required"},
		{name: "text instead of a file", body: form(onePart{`Content-Disposition: form-data; name="avatar"`, png}), status: 400, code: "invalid_body", fields: "/avatar=type"},
		{name: "two files", body: form(avatar("image/png", png), avatar("image/png", png)), status: 400, code: "invalid_body", fields: "/avatar=repeated"},
		{name: "another file", body: form(avatar("image/png", png), onePart{"Content-Disposition: form-data; name=\"other\"; filename=\"x\"\r\nContent-Type: image/png", png}),
			status: 400, code: "invalid_body", fields: "=unknown_field"},
		{name: "another field", body: form(avatar("image/png", png), onePart{`Content-Disposition: form-data; name="userId"`, "bob"}), status: 400, code: "invalid_body", fields: "=unknown_field"},
		{name: "a part without a name", body: form(onePart{"Content-Disposition: form-data; filename=\"x\"\r\nContent-Type: image/png", png}), status: 400, code: "invalid_body", fields: "=syntax"},
		{name: "a part that is an attachment", body: form(onePart{"Content-Disposition: attachment; name=\"avatar\"; filename=\"x\"\r\nContent-Type: image/png", png}), status: 400, code: "invalid_body", fields: "=syntax"},
		{name: "an encoded part", body: form(onePart{"Content-Disposition: form-data; name=\"avatar\"; filename=\"x\"\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64", "iVBORw0KGgo="}),
			status: 400, code: "invalid_body", fields: "=syntax"},
		{name: "the end is missing", body: strings.TrimSuffix(whole, "--\r\n"), status: 400, code: "invalid_body", fields: "=syntax"},
		{name: "cut in the content", body: whole[:len(whole)-len(boundary)-10], status: 400, code: "invalid_body", fields: "=syntax"},
		{name: "cut in a header", body: whole[:len(boundary)+20], status: 400, code: "invalid_body", fields: "=syntax"},
		{name: "something before the first boundary", body: "preamble\r\n" + whole, status: 400, code: "invalid_body", fields: "=syntax"},
		{name: "something after the last boundary", body: whole + "epilogue", status: 400, code: "invalid_body", fields: "=syntax"},
		{name: "nothing", status: 400, code: "invalid_body", fields: "=required"},
		{name: "another boundary", contentType: "multipart/form-data; boundary=other", body: whole, status: 400, code: "invalid_body", fields: "=syntax"},
		{name: "no boundary", contentType: "multipart/form-data", body: whole, status: 415, code: "unsupported_media_type"},
		{name: "multipart/mixed", contentType: "multipart/mixed; boundary=" + boundary, body: whole, status: 415, code: "unsupported_media_type"},
		{name: "the picture itself", contentType: "image/png", body: png, status: 415, code: "unsupported_media_type"},
		{name: "an urlencoded form", contentType: "application/x-www-form-urlencoded", body: "avatar=x", status: 415, code: "unsupported_media_type"},
		{name: "JSON", contentType: "application/json", body: `{"avatar":"x"}`, status: 415, code: "unsupported_media_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.contentType == "" {
				tt.contentType = "multipart/form-data; boundary=" + boundary
			}
			r := s.do(t, "POST", "/uploads/avatar", tt.body, s.bearer(t, "alice"), "Content-Type: "+tt.contentType)
			if r.status != tt.status {
				t.Fatalf("got %d %s, want %d", r.status, r.body, tt.status)
			}
			if tt.status != 201 {
				if code, fields := refusal(t, r); code != tt.code || fields != tt.fields {
					t.Errorf("got %s %q, want %s %q", code, fields, tt.code, tt.fields)
				}
				return
			}
			var saved SavedAvatar
			if err := json.Unmarshal([]byte(r.body), &saved); err != nil || saved.Avatar != tt.want {
				t.Errorf("got %s (%v), want %+v", r.body, err, tt.want)
			}
		})
	}
}

func TestUploadAvatarNeedsASession(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	if r := s.do(t, "POST", "/uploads/avatar", form(avatar("image/png", png)), "Content-Type: multipart/form-data; boundary="+boundary); r.status != 401 {
		t.Errorf("got %d, want 401", r.status)
	}
}

// refusal returns the code of a problem, and its field errors as "pointer=code, pointer=code".
func refusal(t *testing.T, r response) (code, fields string) {
	t.Helper()
	var p struct {
		Type, Title, Code, RequestID string
		Status                       int
		Errors                       []struct{ Pointer, Code, Message string }
	}
	d := json.NewDecoder(strings.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || p.Type != "about:blank" || p.Title == "" || p.Code == "" || p.RequestID == "" || p.Status != r.status {
		t.Errorf("status %d: body %s is no problem: %v", r.status, r.body, err)
	}
	var list []string
	for _, e := range p.Errors {
		if e.Code == "" || e.Message == "" {
			t.Errorf("a field error without code or message: %s", r.body)
		}
		list = append(list, e.Pointer+"="+e.Code)
	}
	return p.Code, strings.Join(list, ", ")
}

// An upload of 64 MiB is refused after its first kilobytes; more than what fits into buffers is never taken.
func TestUploadIsRefusedEarly(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	tests := []struct {
		name    string
		first   string // of the body
		session bool
		status  int
		most    int64 // that the sender may get rid of, with what lies in buffers
	}{
		{name: "without a session", first: form(avatar("image/png", png)), status: 401, most: 32 << 20},
		{name: "of the wrong type", first: strings.Split(form(avatar("text/html", "<html>")), "\r\n--")[0], session: true, status: 400, most: 32 << 20},
		{name: "that is too large", first: strings.Split(form(avatar("image/png", png)), "\r\n--")[0], session: true, status: 413, most: 32 << 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			credential := "X: y"
			if tt.session {
				credential = s.bearer(t, "alice")
			}
			fmt.Fprintf(conn, "POST /uploads/avatar HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Type: multipart/form-data; boundary=%s\r\nTransfer-Encoding: chunked\r\n\r\n", credential, boundary)
			fmt.Fprintf(conn, "%x\r\n%s\r\n", len(tt.first), tt.first)
			sent := make(chan int64, 1)
			go func() {
				n, _ := io.Copy(conn, io.LimitReader(&chunks{}, 64<<20)) // fails when the service has closed the connection
				sent <- n
			}()
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.status || !res.Close {
				t.Errorf("got %d, close %v, want %d and close", res.StatusCode, res.Close, tt.status)
			}
			conn.Close()
			if n := <-sent; n > tt.most {
				t.Errorf("%d bytes were taken", n)
			}
		})
	}
}

// chunks is an endless body in chunks.
type chunks struct{ rest []byte }

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		c.rest = append([]byte("4000\r\n"), append(bytes.Repeat([]byte("x"), 0x4000), '\r', '\n')...)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// The upload of somebody who waits for a 100 is invited after who and what were answered, not before.
func TestUploadIsInvitedLate(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	body := form(avatar("image/png", png))
	tests := []struct {
		name       string
		credential string
		mime       string
		want       string // the first line of the response
	}{
		{name: "anonymous", credential: "X: y", mime: "multipart/form-data; boundary=" + boundary, want: "HTTP/1.1 401 Unauthorized"},
		{name: "another media type", credential: s.bearer(t, "alice"), mime: "image/png", want: "HTTP/1.1 415 Unsupported Media Type"},
		{name: "admitted", credential: s.bearer(t, "alice"), mime: "multipart/form-data; boundary=" + boundary, want: "HTTP/1.1 100 Continue"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			fmt.Fprintf(conn, "POST /uploads/avatar HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
				tt.credential, tt.mime, len(body))
			line, err := textproto.NewReader(bufio.NewReader(conn)).ReadLine()
			if err != nil || line != tt.want {
				t.Errorf("got %q, %v, want %q", line, err, tt.want)
			}
		})
	}
}
