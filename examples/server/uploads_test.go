package main

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/guardtest"
)

// maxUpload is the size of the largest file, in bytes.
const maxUpload = 1 << 20

var (
	pngFile  = drawnPNG(image.Rect(0, 0, 3, 2))
	jpegFile = drawn(func(b *bytes.Buffer) error { return jpeg.Encode(b, image.NewGray(image.Rect(0, 0, 3, 2)), nil) })
)

func drawnPNG(size image.Rectangle) string {
	return drawn(func(b *bytes.Buffer) error { return png.Encode(b, image.NewPaletted(size, color.Palette{color.Black})) })
}

func drawn(encode func(*bytes.Buffer) error) string {
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		panic(err)
	}
	return b.String()
}

// chunk is a part of a PNG file.
func chunk(name, content string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	b = append(b, name+content...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(name+content))))
}

// scannedJPEG is a black JPEG of 8 x 8 pixels that passes over them so many times.
func scannedJPEG(scans int) string {
	const (
		size      = "\xff\xc2\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"                     // progressive, one component
		divisors  = "\xff\xdb\x00\x43\x00"                                                     // and 64 of them
		codes     = "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"         // one, of one bit
		constant  = "\xff\xc4\x00\x14\x00" + codes + "\x00"                                    // no difference
		ends      = "\xff\xc4\x00\x14\x10" + codes + "\xe0"                                    // the end of many blocks
		constants = "\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00\x00"                             // a scan
		others    = "\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00\x00\x00\x00\x00\x00\x00\x00\x00" // a scan
	)
	return "\xff\xd8" + size + divisors + strings.Repeat("\x01", 64) + constant + ends + constants + strings.Repeat(others, scans-1) + "\xff\xd9"
}

// pngBegin is how every PNG file begins; pngHead is that and the size that the file says it has.
const pngBegin = "\x89PNG\r\n\x1a\n"

func pngHead(width, height uint32) string {
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	return pngBegin + chunk("IHDR", string(size)+"\x08\x02\x00\x00\x00")
}

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
	whole := form(avatar("image/png", pngFile))
	exact := pngFile + strings.Repeat("x", maxUpload-len(pngFile))
	pngView, jpegView := AvatarView{"image/png", int64(len(pngFile))}, AvatarView{"image/jpeg", int64(len(jpegFile))}
	tests := []struct {
		name        string
		contentType string // of the request
		body        string
		status      int
		code        string
		fields      string // "pointer=code"
		want        AvatarView
	}{
		{name: "a PNG", body: whole, status: 201, want: pngView},
		{name: "a JPEG", body: form(avatar("image/jpeg", jpegFile)), status: 201, want: jpegView},
		{name: "1 MiB", body: form(avatar("image/png", exact)), status: 201, want: AvatarView{"image/png", maxUpload}},
		{name: "a PNG that says it is a JPEG", body: form(avatar("image/jpeg", pngFile)), status: 201, want: pngView},
		{name: "a JPEG that says it is a PNG", body: form(avatar("image/png", jpegFile)), status: 201, want: jpegView},
		{name: "a PNG that says it is bytes", body: form(avatar("application/octet-stream", pngFile)), status: 201, want: pngView},
		{name: "a PNG that says it is a page", body: form(avatar("text/html", pngFile)), status: 201, want: pngView},
		{name: "no type", body: form(onePart{`Content-Disposition: form-data; name="avatar"; filename="me"`, pngFile}), status: 201, want: pngView},
		{name: "as many pixels as may be", body: form(avatar("image/png", drawnPNG(image.Rect(0, 0, maxPixels/512, 512)))), status: 201,
			want: AvatarView{"image/png", int64(len(drawnPNG(image.Rect(0, 0, maxPixels/512, 512))))}},
		{name: "a file name that is a path", body: form(onePart{"Content-Disposition: form-data; name=\"avatar\"; filename=\"../../etc/passwd\"\r\nContent-Type: image/png", pngFile}),
			status: 201, want: pngView},
		{name: "a file name of control characters", body: form(onePart{"Content-Disposition: form-data; name=\"avatar\"; filename=\"%00%0d\"\r\nContent-Type: image/png", pngFile}),
			status: 201, want: pngView},

		{name: "a byte more than 1 MiB", body: form(avatar("image/png", exact+"x")), status: 413, code: "body_too_large", fields: "/avatar=file_size"},
		{name: "a page", body: form(avatar("text/html", "<script>alert(1)</script>")), status: 400, code: "invalid_body", fields: "/avatar=file_type"},
		{name: "a page that says it is a PNG", body: form(avatar("image/png", "<script>alert(1)</script>")), status: 400, code: "invalid_body", fields: "/avatar=file_type"},
		{name: "a GIF", body: form(avatar("image/gif", "GIF89a")), status: 400, code: "invalid_body", fields: "/avatar=file_type"},
		{name: "an SVG", body: form(avatar("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>")), status: 400, code: "invalid_body", fields: "/avatar=file_type"},
		{name: "the beginning of a PNG", body: form(avatar("image/png", pngBegin+"data")), status: 400, code: "invalid_body", fields: "/avatar=picture"},
		{name: "a PNG that is cut off", body: form(avatar("image/png", pngFile[:len(pngFile)-13])), status: 400, code: "invalid_body", fields: "/avatar=picture"},
		{name: "a JPEG that is cut off", body: form(avatar("image/jpeg", jpegFile[:len(jpegFile)-3])), status: 400, code: "invalid_body", fields: "/avatar=picture"},
		{name: "a JPEG of as many scans as may be", body: form(avatar("image/jpeg", scannedJPEG(maxScans))), status: 201, want: AvatarView{"image/jpeg", int64(len(scannedJPEG(maxScans)))}},
		{name: "a JPEG of a scan more", body: form(avatar("image/jpeg", scannedJPEG(maxScans+1))), status: 400, code: "invalid_body", fields: "/avatar=detail"},
		{name: "a header of 60,000 x 60,000 pixels", body: form(avatar("image/png", pngHead(60_000, 60_000))), status: 400, code: "invalid_body", fields: "/avatar=pixels"},
		{name: "a header of a pixel more than may be", body: form(avatar("image/png", pngHead(maxPixels+1, 1))), status: 400, code: "invalid_body", fields: "/avatar=pixels"},
		{name: "a header of more pixels than 32 bits count", body: form(avatar("image/png", pngHead(1<<17, 1<<15))), status: 400, code: "invalid_body", fields: "/avatar=pixels"},
		{name: "an empty file", body: form(avatar("image/png", "")), status: 400, code: "invalid_body", fields: "/avatar=file_empty"},
		{name: "no file was chosen", body: form(onePart{"Content-Disposition: form-data; name=\"avatar\"; filename=\"\"\r\nContent-Type: application/octet-stream", ""}), status: 400, code: "invalid_body", fields: "/avatar=required"},
		{name: "no part", body: "--" + boundary + "--\r\n", status: 400, code: "invalid_body", fields: "/avatar=required"},
		{name: "text instead of a file", body: form(onePart{`Content-Disposition: form-data; name="avatar"`, pngFile}), status: 400, code: "invalid_body", fields: "/avatar=type"},
		{name: "two files", body: form(avatar("image/png", pngFile), avatar("image/png", pngFile)), status: 400, code: "invalid_body", fields: "/avatar=repeated"},
		{name: "another file", body: form(avatar("image/png", pngFile), onePart{"Content-Disposition: form-data; name=\"other\"; filename=\"x\"\r\nContent-Type: image/png", pngFile}),
			status: 400, code: "invalid_body", fields: "=unknown_field"},
		{name: "another field", body: form(avatar("image/png", pngFile), onePart{`Content-Disposition: form-data; name="userId"`, "bob"}), status: 400, code: "invalid_body", fields: "=unknown_field"},
		{name: "a part without a name", body: form(onePart{"Content-Disposition: form-data; filename=\"x\"\r\nContent-Type: image/png", pngFile}), status: 400, code: "invalid_body", fields: "=syntax"},
		{name: "a part that is an attachment", body: form(onePart{"Content-Disposition: attachment; name=\"avatar\"; filename=\"x\"\r\nContent-Type: image/png", pngFile}), status: 400, code: "invalid_body", fields: "=syntax"},
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
		{name: "the picture itself", contentType: "image/png", body: pngFile, status: 415, code: "unsupported_media_type"},
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

// What others see of an upload is its picture and nothing else of the file.
func TestAvatarIsDrawnAnew(t *testing.T) {
	t.Parallel()
	const script = "<script>alert(1)</script>"
	database := t.TempDir() + "/projects.db"
	s := startService(t, map[string]string{"DATABASE_URL": "file:" + database, "SEED": "demo"})
	db, err := sql.Open("sqlite", "file:"+database+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	end := len(pngFile) - len(chunk("IEND", ""))
	comment := "\xff\xfe\x00\x1b" + script // its length counts itself
	for _, tt := range []struct{ name, file, format string }{
		{name: "behind a PNG", file: pngFile + script, format: "png"},
		{name: "in a text of a PNG", file: pngFile[:end] + chunk("tEXt", "Comment\x00"+script) + pngFile[end:], format: "png"},
		{name: "behind a JPEG", file: jpegFile + script, format: "jpeg"},
		{name: "in a comment of a JPEG", file: jpegFile[:2] + comment + jpegFile[2:], format: "jpeg"},
	} {
		r := s.do(t, "POST", "/uploads/avatar", form(avatar("image/png", tt.file)), s.bearer(t, "alice"), "Content-Type: multipart/form-data; boundary="+boundary)
		if r.status != 201 {
			t.Errorf("%s: got %d %s, want 201", tt.name, r.status, r.body)
			continue
		}
		var contentType string
		var data []byte
		if err := db.QueryRowContext(t.Context(), `SELECT content_type, data FROM avatars WHERE user_id = 'alice'`).Scan(&contentType, &data); err != nil {
			t.Fatal(err)
		}
		picture, format, err := image.Decode(bytes.NewReader(data))
		if err != nil || format != tt.format || contentType != "image/"+format || picture.Bounds() != image.Rect(0, 0, 3, 2) {
			t.Errorf("%s: got %s %s %v (%v), want the %s", tt.name, contentType, format, picture, err, tt.format)
		}
		if strings.Contains(string(data), "script") {
			t.Errorf("%s: the script was kept", tt.name)
		}
	}
}

// A picture may become larger than the file that was sent when it is drawn anew, and is taken all the same.
func TestAvatarThatBecomesLarger(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	noise := image.NewGray(image.Rect(0, 0, 1300, 1300))
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise.Pix) // never fails
	file := drawn(func(b *bytes.Buffer) error { return jpeg.Encode(b, noise, &jpeg.Options{Quality: 20}) })
	picture, err := a.redrawn(t.Context(), []byte(file))
	if err != nil || len(file) > maxUpload || len(picture) <= maxUpload {
		t.Fatalf("got %d bytes of %d, %v, want more than %d of less", len(picture), len(file), err, maxUpload)
	}
	reply, err := a.uploadAvatar(t.Context(), &guard.Call[*Session, UploadAvatar, guard.None]{
		Caller: a.as(t, "alice"), Input: UploadAvatar{Avatar: guardtest.File("me.jpg", "image/jpeg", []byte(file))},
	})
	if want := (AvatarView{"image/jpeg", int64(len(file))}); err != nil || reply.Status != http.StatusCreated || reply.Body.Avatar != want {
		t.Errorf("got %+v, %v, want 201 and %+v", reply, err, want)
	}
}

// What is kept is bounded, whatever a picture unfolds to.
func TestAvatarWithTooMuchDetail(t *testing.T) {
	t.Parallel()
	noise := image.NewNRGBA(image.Rect(0, 0, 1100, 1100))
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise.Pix) // never fails
	if picture, err := encoded(noise, "png"); !errors.Is(err, errDetail) {
		t.Errorf("got %d bytes, %v, want a refusal", len(picture), err)
	}
}

func TestUploadAvatarNeedsASession(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	if r := s.do(t, "POST", "/uploads/avatar", form(avatar("image/png", pngFile)), "Content-Type: multipart/form-data; boundary="+boundary); r.status != 401 {
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
		{name: "without a session", first: form(avatar("image/png", pngFile)), status: 401, most: 32 << 20},
		{name: "of the wrong type", first: strings.Split(form(avatar("text/html", "<html>")), "\r\n--")[0], session: true, status: 400, most: 32 << 20},
		{name: "that is too large", first: strings.Split(form(avatar("image/png", pngFile)), "\r\n--")[0], session: true, status: 413, most: 32 << 20},
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
	body := form(avatar("image/png", pngFile))
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
