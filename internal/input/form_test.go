package input_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/input"
)

type contactForm struct {
	Email   string   `form:"email" normalize:"trim,lower" validate:"required,email"`
	Message string   `form:"message" validate:"required,max=100"`
	Age     *int     `form:"age" validate:"omitnil,min=18"`
	Topics  []string `form:"topic" validate:"max=2"`
	Lang    string   `form:"lang" default:"en"`
	Ref     string   `query:"ref"`
}

func TestUrlencodedVerdicts(t *testing.T) {
	t.Parallel()
	const head = "400 invalid_body: "
	tests := []struct{ name, body, want string }{
		{name: "a good form", body: "email=a%40b.co&message=hi", want: "ok"},
		{name: "line breaks in text", body: "email=a%40b.co&message=a%0D%0Ab%09c", want: "ok"},
		{name: "an empty body", body: "", want: head + "=required"},
		{name: "an ampersand alone", body: "&", want: head + "/email=required, /message=required"},
		{name: "an unknown field", body: "email=a%40b.co&message=hi&x=1", want: head + "=unknown_field"},
		{name: "a query field in the body", body: "email=a%40b.co&message=hi&ref=1", want: head + "=unknown_field"},
		{name: "another case", body: "Email=a%40b.co&message=hi", want: head + "=unknown_field"},
		{name: "a repeated field", body: "email=a%40b.co&email=c%40d.co&message=hi", want: head + "/email=repeated"},
		{name: "a repeated slice", body: "email=a%40b.co&message=hi&topic=a&topic=b", want: "ok"},
		{name: "a slice over its bound", body: "email=a%40b.co&message=hi&topic=a&topic=b&topic=c", want: head + "/topic=max"},
		{name: "a semicolon", body: "email=a%40b.co;message=hi", want: head + "=syntax"},
		{name: "a bad escape", body: "email=%zz&message=hi", want: head + "=syntax"},
		{name: "invalid UTF-8", body: "email=a%40b.co&message=%ff", want: head + "/message=encoding"},
		{name: "NUL", body: "email=a%40b.co&message=%00", want: head + "/message=characters"},
		{name: "an escape character", body: "email=a%40b.co&message=%1b", want: head + "/message=characters"},
		{name: "a bad number", body: "email=a%40b.co&message=hi&age=+5", want: head + "/age=type"},
		{name: "rules", body: "email=x&message=&age=3", want: head + "/email=email, /message=required, /age=min"},
		{name: "too many pairs", body: "email=a%40b.co&message=hi" + strings.Repeat("&topic=a", input.MaxPairs), want: head + "=too_many"},
		{name: "JSON in a form", body: `{"email":"a@b.co"}`, want: head + "=unknown_field, /email=required, /message=required"},
		{name: "over the cap", body: "message=" + strings.Repeat("x", input.DefaultFormBody), want: "413 body_too_large"},
	}
	p := compile[contactForm](t, input.Config{Kind: input.Form})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, fail := decode[contactForm](t, p, formRequest(tt.body))
			got := verdict(fail)
			if tt.name == "JSON in a form" {
				got, tt.want = strings.SplitN(got, ",", 2)[0], strings.SplitN(tt.want, ",", 2)[0]
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestFormKindsAgree sends the same fields in both encodings.
func TestFormKindsAgree(t *testing.T) {
	t.Parallel()
	p := compile[contactForm](t, input.Config{Kind: input.Form})
	first, fail := decode[contactForm](t, p, formRequest("email=+A%40b.co&message=hi&age=20&topic=x&topic=y"))
	if fail != nil {
		t.Fatal(verdict(fail))
	}
	second, fail := decode[contactForm](t, p, multipartRequest(t,
		formPart{name: "email", content: " A@b.co"}, formPart{name: "message", content: "hi", contentType: "text/plain; charset=utf-8"},
		formPart{name: "age", content: "20"}, formPart{name: "topic", content: "x"}, formPart{name: "topic", content: "y"}))
	if fail != nil {
		t.Fatal(verdict(fail))
	}
	for _, got := range []contactForm{first, second} {
		if got.Email != "a@b.co" || got.Message != "hi" || *got.Age != 20 || strings.Join(got.Topics, " ") != "x y" || got.Lang != "en" {
			t.Errorf("got %+v", got)
		}
	}
}

func TestFormMediaTypes(t *testing.T) {
	t.Parallel()
	const body = "email=a%40b.co&message=hi"
	tests := []struct{ name, contentType, encoding, want string }{
		{name: "urlencoded", contentType: "application/x-www-form-urlencoded", want: "ok"},
		{name: "with charset", contentType: "application/x-www-form-urlencoded; charset=UTF-8", want: "ok"},
		{name: "another charset", contentType: "application/x-www-form-urlencoded; charset=latin1", want: "415 unsupported_media_type"},
		{name: "JSON", contentType: "application/json", want: "415 unsupported_media_type"},
		{name: "none", want: "415 unsupported_media_type"},
		{name: "text", contentType: "text/plain", want: "415 unsupported_media_type"},
		{name: "another multipart", contentType: "multipart/mixed; boundary=x", want: "415 unsupported_media_type"},
		{name: "no boundary", contentType: "multipart/form-data", want: "415 unsupported_media_type"},
		{name: "an empty boundary", contentType: `multipart/form-data; boundary=""`, want: "415 unsupported_media_type"},
		{name: "two boundaries", contentType: "multipart/form-data; boundary=x; boundary=y", want: "415 unsupported_media_type"},
		{name: "a long boundary", contentType: "multipart/form-data; boundary=" + strings.Repeat("x", 71), want: "415 unsupported_media_type"},
		{name: "a boundary with a bad character", contentType: "multipart/form-data; boundary=\"x\\\"y\"", want: "415 unsupported_media_type"},
		{name: "another parameter", contentType: "multipart/form-data; boundary=x; foo=bar", want: "415 unsupported_media_type"},
		{name: "a coding", contentType: "application/x-www-form-urlencoded", encoding: "gzip", want: "415 unsupported_media_type"},
		{name: "a coding of a multipart", contentType: "multipart/form-data; boundary=x", encoding: "gzip", want: "415 unsupported_media_type"},
	}
	p := compile[contactForm](t, input.Config{Kind: input.Form})
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		if tt.contentType != "" {
			r.Header.Set("Content-Type", tt.contentType)
		}
		if tt.encoding != "" {
			r.Header.Set("Content-Encoding", tt.encoding)
		}
		if _, fail := decode[contactForm](t, p, r); verdict(fail) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, verdict(fail), tt.want)
		}
	}
}

// png is the beginning of a PNG file.
const png = "\x89PNG\r\n\x1a\n"

type uploadForm struct {
	Title  string       `form:"title" validate:"max=10"`
	Avatar input.File   `form:"avatar" file:"max=200KiB,types=image/png image/jpeg"`
	Extra  *input.File  `form:"extra" file:"max=1KiB,types=text/plain"`
	More   []input.File `form:"more" file:"max=1KiB,types=text/csv application/pdf" validate:"max=2"`
}

func TestMultipartVerdicts(t *testing.T) {
	t.Parallel()
	const head = "400 invalid_body: "
	avatar := formPart{name: "avatar", file: true, fileName: "a.png", contentType: "image/png", content: png + "x"}
	with := func(change func(*formPart)) formPart {
		p := avatar
		change(&p)
		return p
	}
	csv := formPart{name: "more", file: true, fileName: "a.csv", contentType: "text/csv", content: "a,b\n"}
	tests := []struct {
		name  string
		parts []formPart
		want  string
	}{
		{name: "one file", parts: []formPart{avatar}, want: "ok"},
		{name: "text and file", parts: []formPart{{name: "title", content: "hi"}, avatar}, want: "ok"},
		{name: "no file", parts: []formPart{{name: "title", content: "hi"}}, want: head + "/avatar=required"},
		{name: "no file chosen in a browser", parts: []formPart{with(func(p *formPart) { p.fileName, p.content, p.contentType = "", "", "application/octet-stream" })}, want: head + "/avatar=required"},
		{name: "an optional file not chosen", parts: []formPart{avatar, {name: "extra", file: true, contentType: "application/octet-stream"}}, want: "ok"},
		{name: "an empty file", parts: []formPart{with(func(p *formPart) { p.content = "" })}, want: head + "/avatar=file_empty"},
		{name: "two files for one field", parts: []formPart{avatar, avatar}, want: head + "/avatar=repeated"},
		{name: "text for a file", parts: []formPart{{name: "avatar", content: png}}, want: head + "/avatar=type"},
		{name: "a file for text", parts: []formPart{{name: "title", file: true, fileName: "x", contentType: "text/plain", content: "x"}}, want: head + "/title=type"},
		{name: "another type for text", parts: []formPart{{name: "title", contentType: "application/json", content: "{}"}, avatar}, want: head + "/title=type"},
		{name: "an unknown field", parts: []formPart{avatar, {name: "x", content: "1"}}, want: head + "=unknown_field"},
		{name: "an unknown file", parts: []formPart{{name: "x", file: true, fileName: "x", contentType: "image/png", content: png}, avatar}, want: head + "=unknown_field"},
		{name: "an empty name", parts: []formPart{{name: "", content: "1"}, avatar}, want: head + "=unknown_field"},
		{name: "a repeated text", parts: []formPart{{name: "title", content: "a"}, {name: "title", content: "b"}, avatar}, want: head + "/title=repeated"},
		{name: "a rule on text", parts: []formPart{{name: "title", content: "much too long"}, avatar}, want: head + "/title=max"},
		{name: "NUL in text", parts: []formPart{{name: "title", content: "a\x00"}, avatar}, want: head + "/title=characters"},
		{name: "invalid UTF-8 in text", parts: []formPart{{name: "title", content: "\xff"}, avatar}, want: head + "/title=encoding"},

		{name: "content that is not what it says", parts: []formPart{with(func(p *formPart) { p.content = "<html>" })}, want: head + "/avatar=file_type"},
		{name: "a type that is not the content", parts: []formPart{with(func(p *formPart) { p.contentType = "image/jpeg" })}, want: head + "/avatar=file_type"},
		{name: "a type that is not allowed", parts: []formPart{with(func(p *formPart) { p.contentType, p.content = "image/gif", "GIF89a" })}, want: head + "/avatar=file_type"},
		{name: "no type", parts: []formPart{with(func(p *formPart) { p.contentType = "" })}, want: head + "/avatar=file_type"},
		{name: "a type with rubbish behind it", parts: []formPart{with(func(p *formPart) { p.contentType = "image/png; x=y" })}, want: head + "=syntax"},
		{name: "HTML called an image", parts: []formPart{with(func(p *formPart) { p.content = "<script>alert(1)</script>" })}, want: head + "/avatar=file_type"},

		{name: "at the cap of a file", parts: []formPart{with(func(p *formPart) { p.content = png + strings.Repeat("x", 200<<10-len(png)) })}, want: "ok"},
		{name: "over the cap of a file", parts: []formPart{with(func(p *formPart) { p.content = png + strings.Repeat("x", 200<<10-len(png)+1) })}, want: "413 body_too_large: /avatar=file_size"},
		{name: "over the cap of an optional file", parts: []formPart{avatar, {name: "extra", file: true, fileName: "x", contentType: "text/plain", content: strings.Repeat("x", 1025)}}, want: "413 body_too_large: /extra=file_size"},
		{name: "several files", parts: []formPart{avatar, csv, csv}, want: "ok"},
		{name: "too many files", parts: []formPart{avatar, csv, csv, csv}, want: head + "/more=max"},
		{name: "text over the cap", parts: []formPart{avatar, {name: "title", content: strings.Repeat("x", input.DefaultFormBody+16<<10)}}, want: "413 body_too_large"},
	}
	p := compile[uploadForm](t, input.Config{Kind: input.Form})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, fail := decode[uploadForm](t, p, multipartRequest(t, tt.parts...)); verdict(fail) != tt.want {
				t.Errorf("got %s, want %s", verdict(fail), tt.want)
			}
		})
	}
}

type anyDeclaredForm struct {
	Avatar input.File `form:"avatar" file:"max=1KiB,types=image/png image/jpeg,declared=any"`
}

// With declared=any the content alone says whether a file is taken, and what it is.
func TestFilesOfAnyDeclaredType(t *testing.T) {
	t.Parallel()
	const jpeg = "\xff\xd8\xff\xe0"
	tests := []struct{ name, declared, content, want string }{
		{name: "as declared", declared: "image/png", content: png, want: "image/png"},
		{name: "nothing is declared", content: png, want: "image/png"},
		{name: "bytes are declared", declared: "application/octet-stream", content: png, want: "image/png"},
		{name: "the other type is declared", declared: "image/png", content: jpeg, want: "image/jpeg"},
		{name: "a page is declared", declared: "text/html", content: jpeg, want: "image/jpeg"},
		{name: "a page", declared: "image/png", content: "<html><body>", want: "400 invalid_body: /avatar=file_type"},
		{name: "a page of which nothing is declared", content: "<html><body>", want: "400 invalid_body: /avatar=file_type"},
		{name: "a type that is not in the list", declared: "image/png", content: "GIF89a", want: "400 invalid_body: /avatar=file_type"},
		{name: "an empty file", declared: "image/png", want: "400 invalid_body: /avatar=file_empty"},
		{name: "a declaration that is none", declared: "png", content: png, want: "400 invalid_body: =syntax"},
	}
	p := compile[anyDeclaredForm](t, input.Config{Kind: input.Form})
	if !p.Fields()[0].FileDeclaredAny {
		t.Error("the field's description does not say that any type may be declared")
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, fail := decode[anyDeclaredForm](t, p, multipartRequest(t,
				formPart{name: "avatar", file: true, fileName: "a", contentType: tt.declared, content: tt.content}))
			got := v.Avatar.ContentType()
			if fail != nil {
				got = verdict(fail)
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestMultipartBytes sends bodies that no library would write.
func TestMultipartBytes(t *testing.T) {
	t.Parallel()
	const (
		ok  = "--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\na@b.co\r\n--b\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\nhi\r\n"
		bad = "400 invalid_body: =syntax"
	)
	part := func(header string) string { return ok + "--b\r\n" + header + "\r\n\r\nx\r\n--b--\r\n" }
	tests := []struct{ name, body, want string }{
		{name: "a good form", body: ok + "--b--\r\n", want: "ok"},
		{name: "no line break at the end", body: ok + "--b--", want: "ok"},
		{name: "a preamble", body: "hello\r\n" + ok + "--b--\r\n", want: bad},
		{name: "an empty line first", body: "\r\n" + ok + "--b--\r\n", want: bad},
		{name: "an epilogue", body: ok + "--b--\r\nhello", want: bad},
		{name: "a second form behind the first", body: ok + "--b--\r\n" + ok, want: bad},
		{name: "bare line feeds", body: strings.ReplaceAll(ok+"--b--\r\n", "\r\n", "\n"), want: bad},
		{name: "no last boundary", body: ok, want: bad},
		{name: "cut in a header", body: ok + "--b\r\nContent-Dis", want: bad},
		{name: "cut in a value", body: ok + "--b\r\nContent-Disposition: form-data; name=\"lang\"\r\n\r\nx", want: bad},
		{name: "another boundary", body: strings.ReplaceAll(ok+"--b--\r\n", "--b", "--c"), want: bad},
		{name: "only the last boundary", body: "--b--\r\n", want: "400 invalid_body: /email=required, /message=required"},
		{name: "nothing", body: "", want: "400 invalid_body: =required"},
		{name: "white space", body: "  ", want: bad},
		{name: "no disposition", body: part("Content-Type: text/plain"), want: bad},
		{name: "two dispositions", body: part("Content-Disposition: form-data; name=\"lang\"\r\nContent-Disposition: form-data; name=\"email\""), want: bad},
		{name: "no name", body: part("Content-Disposition: form-data"), want: bad},
		{name: "another disposition", body: part("Content-Disposition: attachment; name=\"lang\""), want: bad},
		{name: "two names", body: part("Content-Disposition: form-data; name=\"lang\"; name=\"email\""), want: bad},
		{name: "an encoded file name", body: part("Content-Disposition: form-data; name=\"lang\"; filename*=utf-8''x"), want: bad},
		{name: "an encoded name", body: part("Content-Disposition: form-data; name*=utf-8''lang"), want: bad},
		{name: "a name in two pieces", body: part("Content-Disposition: form-data; name*0=\"la\"; name*1=\"ng\""), want: bad},
		{name: "a transfer encoding", body: part("Content-Disposition: form-data; name=\"lang\"\r\nContent-Transfer-Encoding: base64"), want: bad},
		{name: "a harmless transfer encoding", body: part("Content-Disposition: form-data; name=\"lang\"\r\nContent-Transfer-Encoding: 8bit"), want: "ok"},
		{name: "a content coding", body: part("Content-Disposition: form-data; name=\"lang\"\r\nContent-Encoding: gzip"), want: bad},
		{name: "two content types", body: part("Content-Disposition: form-data; name=\"lang\"\r\nContent-Type: text/plain\r\nContent-Type: text/plain"), want: bad},
		{name: "another charset", body: part("Content-Disposition: form-data; name=\"lang\"\r\nContent-Type: text/plain; charset=utf-16"), want: bad},
		{name: "another header", body: part("Content-Disposition: form-data; name=\"lang\"\r\nX-Other: y"), want: "ok"},
		{name: "a long header", body: part("Content-Disposition: form-data; name=\"lang\"\r\nX-Other: " + strings.Repeat("y", input.MaxPartHeaderBytes)), want: bad},
		{name: "many headers", body: part("Content-Disposition: form-data; name=\"lang\"\r\n" + manyHeaders(input.MaxPartHeaders)), want: bad},
		{name: "a very long header", body: part("Content-Disposition: form-data; name=\"lang\"\r\nX-Other: " + strings.Repeat("y", 60<<10)), want: bad},
		{name: "a folded header", body: part("Content-Disposition: form-data;\r\n name=\"lang\""), want: "ok"},
		{name: "a broken header", body: part("Content-Disposition form-data; name=\"lang\""), want: bad},
		{name: "many parts", body: strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"topic\"\r\n\r\n\r\n", input.MaxParts+1) + "--b--\r\n", want: "400 invalid_body: =too_many, /topic=max"},
	}
	p := compile[contactForm](t, input.Config{Kind: input.Form})
	for _, tt := range tests {
		for _, length := range []int64{int64(len(tt.body)), -1} {
			t.Run(tt.name+" "+strconv.FormatInt(length, 10), func(t *testing.T) {
				t.Parallel()
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.body))
				r.ContentLength = length
				r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
				_, fail := decode[contactForm](t, p, r)
				if verdict(fail) != tt.want {
					t.Errorf("got %s, want %s", verdict(fail), tt.want)
				}
			})
		}
	}
}

func manyHeaders(n int) string {
	var lines []string
	for i := range n {
		lines = append(lines, "X-"+strconv.Itoa(i)+": y")
	}
	return strings.Join(lines, "\r\n")
}

// TestFiles checks what a handler gets, below and beyond what stays in memory.
func TestFiles(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p := compile[uploadForm](t, input.Config{Kind: input.Form})
	for _, size := range []int{9, 511, 512, 513, 64 << 10, 64<<10 + 1, 200 << 10} {
		content := png + strings.Repeat("x", size-len(png))
		r := multipartRequest(t, formPart{name: "avatar", file: true, fileName: `..\..\evil/../My photo.png`, contentType: "image/png", content: content})
		var v uploadForm
		body, fail := p.Decode(context.Background(), httptest.NewRecorder(), r, &v)
		if fail != nil {
			t.Fatalf("%d bytes: %s", size, verdict(fail))
		}
		if v.Avatar.Name() != "My photo.png" || v.Avatar.ContentType() != "image/png" || v.Avatar.Size() != int64(size) {
			t.Errorf("%d bytes: got %q, %q, %d", size, v.Avatar.Name(), v.Avatar.ContentType(), v.Avatar.Size())
		}
		first, err := v.Avatar.Open()
		if err != nil {
			t.Fatal(err)
		}
		second, err := v.Avatar.Open()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []io.ReadSeekCloser{first, second} {
			if got, err := io.ReadAll(f); err != nil || string(got) != content {
				t.Errorf("%d bytes: read %d bytes, %v", size, len(got), err)
			}
			if _, err := f.Seek(-1, io.SeekEnd); err != nil {
				t.Error(err)
			}
			if got, err := io.ReadAll(f); err != nil || string(got) != "x" && size > len(png) {
				t.Errorf("%d bytes: after Seek got %q, %v", size, got, err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		body.Close()
		body.Close()
		if _, err := v.Avatar.Open(); err == nil {
			t.Errorf("%d bytes: Open after the request: got no error", size)
		}
		if v.Extra != nil || v.More != nil {
			t.Errorf("absent files: got %v, %v", v.Extra, v.More)
		}
		noTemporaryFiles(t)
	}
}

func noTemporaryFiles(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		t.Errorf("temporary file %s is left", f.Name())
	}
}

// TestRefusedUploadsLeaveNothing covers every way out after a file was stored.
func TestRefusedUploadsLeaveNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	big := formPart{name: "avatar", file: true, fileName: "a.png", contentType: "image/png", content: png + strings.Repeat("x", 150<<10)}
	p := compile[uploadForm](t, input.Config{Kind: input.Form})
	tests := map[string][]formPart{
		"a rule refuses a later field": {big, {name: "title", content: "much too long"}},
		"an unknown field follows":     {big, {name: "x", content: "1"}},
		"a second file is too large":   {big, {name: "extra", file: true, fileName: "x", contentType: "text/plain", content: strings.Repeat("x", 2000)}},
	}
	for name, parts := range tests {
		if _, fail := decode[uploadForm](t, p, multipartRequest(t, parts...)); fail == nil {
			t.Errorf("%s: got ok", name)
		}
		noTemporaryFiles(t)
	}
	r := multipartRequest(t, big)
	all, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(all[:len(all)/2]), errorReader{}))
	if _, fail := decode[uploadForm](t, p, r); verdict(fail) != "400 incomplete_body" {
		t.Errorf("a broken connection: got %s", verdict(fail))
	}
	noTemporaryFiles(t)

	q := compile[panicForm](t, input.Config{Kind: input.Form})
	if _, fail := decode[panicForm](t, q, multipartRequest(t, big)); verdict(fail) != "500 internal_error" {
		t.Errorf("a panic in Validate: got %s", verdict(fail))
	}
	noTemporaryFiles(t)
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("reset") }

type panicForm struct {
	Avatar input.File `form:"avatar" file:"max=200KiB,types=image/png"`
}

func (panicForm) Validate(context.Context) error { panic("boom") }

func TestFileStoreFailure(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/missing")
	p := compile[uploadForm](t, input.Config{Kind: input.Form})
	_, fail := decode[uploadForm](t, p, multipartRequest(t,
		formPart{name: "avatar", file: true, fileName: "a.png", contentType: "image/png", content: png + strings.Repeat("x", 100<<10)}))
	if verdict(fail) != "500 internal_error" || fail.Cause == nil {
		t.Errorf("got %s, %v, want 500 with its cause", verdict(fail), fail)
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	tests := []struct{ sent, want string }{
		{sent: "photo.png", want: "photo.png"},
		{sent: "/etc/passwd", want: "passwd"},
		{sent: `C:\Users\x\photo.png`, want: "photo.png"},
		{sent: "../../x", want: "x"},
		{sent: "..", want: "unnamed"},
		{sent: ".", want: "unnamed"},
		{sent: "/", want: "unnamed"},
		{sent: ".htaccess", want: "htaccess"},
		{sent: " . x . ", want: "x"},
		{sent: "a\u202egnp.exe", want: "agnp.exe"},
		{sent: "a\u200bb", want: "ab"},
		{sent: "é.png", want: "é.png"},
		{sent: strings.Repeat("é", 200), want: strings.Repeat("é", 127)},
	}
	p := compile[panicFree](t, input.Config{Kind: input.Form})
	for _, tt := range tests {
		v, fail := decode[panicFree](t, p, multipartRequest(t, formPart{name: "f", file: true, fileName: tt.sent, contentType: "text/plain", content: "x"}))
		if fail != nil || v.F.Name() != tt.want {
			t.Errorf("%q: got %q, %s, want %q", tt.sent, v.F.Name(), verdict(fail), tt.want)
		}
	}
}

type panicFree struct {
	F input.File `form:"f" file:"max=1KiB,types=text/plain"`
}

func TestZeroFile(t *testing.T) {
	t.Parallel()
	var f input.File
	if _, err := f.Open(); err == nil || f.Name() != "" || f.ContentType() != "" || f.Size() != 0 {
		t.Errorf("the zero File: got %q, %q, %d, %v", f.Name(), f.ContentType(), f.Size(), err)
	}
}
