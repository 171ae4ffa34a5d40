package guard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-playground/validator/v10"

	"github.com/routeguard/guard"
)

type Order struct {
	Count int      `query:"count" default:"1" validate:"max=9"`
	Name  string   `json:"name" normalize:"trim" validate:"required,min=3"`
	Tags  []string `json:"tags" validate:"max=2"`
}

// Broken rules alone are 422 where the service says so; everything else stays what it is.
func TestInvalidStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		target  string
		body    string
		fields  []string
		handler error
		want    int // with 422; it is 400 without
	}{
		{name: "a rule of the body", body: `{"name":"x"}`, want: 422},
		{name: "a required field", body: `{}`, want: 422},
		{name: "blank text that is trimmed", body: `{"name":"   "}`, want: 422},
		{name: "too many items", body: `{"name":"abc","tags":["1","2","3"]}`, want: 422},
		{name: "a rule of the query", target: "?count=10", body: `{"name":"abc"}`, want: 422},
		{name: "both", target: "?count=10", body: `{"name":"x"}`, want: 422},
		{name: "what only the handler knows", body: `{"name":"abc"}`, handler: guard.Invalid("/name", "taken", "is taken"), want: 422},
		{name: "a rule, wrapped by the handler", body: `{"name":"abc"}`, handler: fmt.Errorf("save: %w", guard.Invalid("/name", "taken", "is taken")), want: 422},
		{name: "syntax", body: `{"name":"x"`, want: 400},
		{name: "a type", body: `{"name":1}`, want: 400},
		{name: "an unknown field", body: `{"name":"abc","x":1}`, want: 400},
		{name: "an unknown field beside a rule", body: `{"name":"x","x":1}`, want: 400},
		{name: "a parameter that is no number beside a rule", target: "?count=x", body: `{"name":"x"}`, want: 400},
		{name: "an unknown parameter", target: "?x=1", body: `{"name":"x"}`, want: 400},
		{name: "an empty body", want: 400},
	}
	for _, status := range []int{0, 400, 422} {
		for _, tt := range tests {
			t.Run(fmt.Sprint(status, " ", tt.name), func(t *testing.T) {
				t.Parallel()
				want := 400
				if status == 422 {
					want = tt.want
				}
				errs := &guard.Responder{Log: (&logBuffer{}).logger(), InvalidStatus: status}
				g := guard.New(guard.Anyone, guard.JSON[Order], guard.NoResource, guard.Unlimited("a test"), errs,
					func(context.Context, *guard.Call[guard.Anonymous, Order, guard.None]) (guard.None, error) {
						return guard.None{}, tt.handler
					})
				r := send(g, "POST", "/"+tt.target, tt.body, tt.fields...)
				if p := readProblem(t, r); r.StatusCode != want || p.Status != want || len(p.Errors) == 0 {
					t.Errorf("got %d %+v, want %d with errors", r.StatusCode, p, want)
				}
			})
		}
	}
}

// A service may answer in another language: code and parameter say enough.
func TestMessageReplacesEverySentence(t *testing.T) {
	t.Parallel()
	german := func(f guard.FieldError) string {
		switch f.Code {
		case "min":
			return "muss mindestens " + f.Param + " Zeichen haben"
		case "required":
			return "fehlt"
		}
		return f.Message
	}
	errs := &guard.Responder{Log: (&logBuffer{}).logger(), Message: german}
	g := guard.New(guard.Anyone, guard.JSON[Order], guard.NoResource, guard.Unlimited("a test"), errs,
		func(context.Context, *guard.Call[guard.Anonymous, Order, guard.None]) (guard.None, error) {
			return guard.None{}, nil
		})
	for body, want := range map[string]string{
		`{"name":"x"}`:      "muss mindestens 3 Zeichen haben",
		`{}`:                "fehlt",
		`{"name":1}`:        "must be a string",
		`{"name":"abc","x"`: "has an unknown field",
	} {
		p := readProblem(t, send(g, "POST", "/", body))
		if len(p.Errors) == 0 || p.Errors[len(p.Errors)-1].Message != want && p.Errors[0].Message != want {
			t.Errorf("%s: got %+v, want %q", body, p.Errors, want)
		}
	}
}

type Upload struct {
	Note string     `form:"note" validate:"max=20"`
	File guard.File `form:"file" file:"max=1MiB,types=text/plain"`
}

type Note struct {
	Note string   `form:"note"`
	Tags []string `form:"tags"`
}

// canonicalForm is what a browser sends.
func canonicalForm(t *testing.T, content string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("note", "a\r\nb"); err != nil {
		t.Fatal(err)
	}
	part, err := w.CreatePart(map[string][]string{
		"Content-Disposition": {`form-data; name="file"; filename="a \"b\".txt"`}, "Content-Type": {"text/plain"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

// A wrapped handler reads what was checked, byte by byte, and framed by its length.
func TestWrapGivesTheBodyBack(t *testing.T) {
	t.Parallel()
	formType, formBody := canonicalForm(t, "hello")
	largeType, largeBody := canonicalForm(t, strings.Repeat("large ", 50_000))
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Expect") != "" || r.ContentLength >= 0 && len(r.TransferEncoding) > 0 {
			http.Error(w, fmt.Sprint(err, r.Header, r.TransferEncoding), http.StatusTeapot)
			return
		}
		w.Header().Set("X-Length", fmt.Sprint(r.ContentLength, " ", r.Header.Get("Content-Length")))
		_, _ = w.Write(b)
	})
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	free := guard.Unlimited("a test")
	mux := guard.NewMux(errs)
	mux.Handle("POST /json", guard.Wrap(guard.Anyone, guard.JSON[Order], guard.NoResource, free, errs, echo))
	mux.Handle("POST /form", guard.Wrap(guard.Anyone, guard.Form[Note], guard.NoResource, free, errs, echo))
	mux.Handle("POST /upload", guard.Wrap(guard.Anyone, guard.Form[Upload], guard.NoResource, free, errs, echo))
	mux.Handle("POST /raw", guard.Wrap(guard.Anyone, guard.RawBody(64), guard.NoResource, free, errs, echo))
	mux.Handle("POST /none", guard.Wrap(guard.Anyone, guard.NoPayload, guard.NoResource, free, errs, echo))
	addr := listen(t, mux)
	tests := []struct {
		name, path, mime, body string
	}{
		{name: "JSON as it was written", path: "/json", mime: "application/json", body: " {\"name\" : \"  \\u0041bc\",\n\"tags\":[ ]}\r\n"},
		{name: "an urlencoded form", path: "/form", mime: "application/x-www-form-urlencoded", body: "tags=%61&&note=a+b&tags=c"},
		{name: "a multipart form", path: "/upload", mime: formType, body: formBody},
		{name: "a multipart form that does not fit into memory", path: "/upload", mime: largeType, body: largeBody},
		{name: "a raw body", path: "/raw", mime: "a/b", body: "\x00\xff"},
		{name: "no body", path: "/none", mime: "application/json"},
	}
	for _, tt := range tests {
		for _, framing := range []string{"length", "chunks", "expect"} {
			t.Run(tt.name+", "+framing, func(t *testing.T) {
				t.Parallel()
				r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+addr+tt.path, strings.NewReader(tt.body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", tt.mime)
				wantLength := fmt.Sprint(len(tt.body), " ", len(tt.body))
				switch {
				case framing == "chunks":
					r.Body, r.ContentLength = io.NopCloser(strings.NewReader(tt.body)), -1
				case framing == "expect" && tt.body != "" && tt.path != "/raw":
					r.Header.Set("Expect", "100-continue")
				}
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if got := readBody(t, res); res.StatusCode != 200 || got != tt.body {
					t.Fatalf("got %d, %d bytes %.200q, want %d bytes %.200q", res.StatusCode, len(got), got, len(tt.body), tt.body)
				}
				if got := res.Header.Get("X-Length"); got != wantLength && (framing != "chunks" || tt.path != "/raw" && tt.path != "/none") {
					t.Errorf("got length %s, want %s", got, wantLength)
				}
			})
		}
	}
}

// What a wrapped handler sees of an upload was checked: the name is clean, what nobody declared is gone.
func TestWrapGivesACleanFormBack(t *testing.T) {
	t.Parallel()
	body := "--b\r\nX-Other: y\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=file; filename=\"../../etc/passwd\"\r\n\r\nhello\r\n--b--\r\n"
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	g := guard.Wrap(guard.Anyone, guard.Form[Upload], guard.NoResource, guard.Unlimited("a test"), errs,
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, ok := guard.CallOf[guard.Anonymous, Upload, guard.None](r.Context())
			if err := r.ParseMultipartForm(1 << 20); err != nil || !ok {
				t.Errorf("got %v, %v", err, ok)
				return
			}
			f := r.MultipartForm.File["file"][0]
			if f.Filename != "passwd" || f.Header.Get("X-Other") != "" || c.Input.File.Name() != "passwd" || c.Input.File.Size() != f.Size {
				t.Errorf("got %+v and %q", f, c.Input.File.Name())
			}
		}))
	r := send(g, "POST", "/", body, "Content-Type: multipart/form-data; boundary=b")
	if r.StatusCode != 200 {
		t.Errorf("got %d %s", r.StatusCode, readBody(t, r))
	}
}

// Neither the guard nor a wrapped handler that parses the form again leaves temporary files behind.
func TestUploadsLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	formType, body := canonicalForm(t, strings.Repeat("large ", 50_000))
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	var kept guard.File
	g := guard.Wrap(guard.Anyone, guard.Form[Upload], guard.NoResource, guard.Unlimited("a test"), errs,
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			c, _ := guard.CallOf[guard.Anonymous, Upload, guard.None](r.Context())
			kept = c.Input.File
			if err := r.ParseMultipartForm(1); err != nil || len(r.MultipartForm.File) != 1 {
				t.Errorf("got %v, %+v", err, r.MultipartForm)
			}
			if f, err := os.ReadDir(dir); err != nil || len(f) == 0 {
				t.Errorf("the handler's own copy is not in %s: the test proves nothing (%v)", dir, err)
			}
		}))
	if r := send(g, "POST", "/", body, "Content-Type: "+formType); r.StatusCode != 200 {
		t.Errorf("got %d %s", r.StatusCode, readBody(t, r))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := kept.Open(); err == nil {
		t.Error("the file opens after the request")
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	formType, body := canonicalForm(t, "hello")
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	g := guard.New(guard.Anyone, guard.Form[Upload], guard.NoResource, guard.Unlimited("a test"), errs,
		func(_ context.Context, c *guard.Call[guard.Anonymous, Upload, guard.None]) (string, error) {
			f := c.Input.File
			r, err := f.Open()
			if err != nil {
				return "", err
			}
			defer r.Close()
			b, err := io.ReadAll(r)
			return fmt.Sprint(f.Name(), " ", f.ContentType(), " ", f.Size(), " ", string(b), " ", c.Input.Note), err
		})
	r := send(g, "POST", "/", body, "Content-Type: "+formType)
	if got := readBody(t, r); r.StatusCode != 200 || got != `"a \"b\".txt text/plain 5 hello a\r\nb"`+"\n" {
		t.Errorf("got %d %s", r.StatusCode, got)
	}
	var zero guard.File
	if _, err := zero.Open(); err == nil || zero.Name() != "" || zero.ContentType() != "" || zero.Size() != 0 {
		t.Errorf("the zero File: got %q, %q, %d, %v", zero.Name(), zero.ContentType(), zero.Size(), err)
	}
}

type Patch struct {
	Due guard.Optional[int] `json:"due,omitzero" validate:"omitempty,min=3"`
	Sub guard.Optional[Sub] `json:"sub,omitzero"`
}

type Sub struct {
	Name string `json:"name" validate:"required"`
}

func TestOptional(t *testing.T) {
	t.Parallel()
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	g := guard.New(guard.Anyone, guard.JSON[Patch], guard.NoResource, guard.Unlimited("a test"), errs,
		func(_ context.Context, c *guard.Call[guard.Anonymous, Patch, guard.None]) (string, error) {
			v, ok := c.Input.Due.Value()
			return fmt.Sprint(c.Input.Due.IsSet(), c.Input.Due.IsNull(), c.Input.Due.IsZero(), v, ok), nil
		})
	for body, want := range map[string]string{
		`{}`:                    `"false false true 0 false"`,
		`{"due":null}`:          `"true true false 0 false"`,
		`{"due":5}`:             `"true false false 5 true"`,
		`{"due":2}`:             "/due min",
		`{"due":"5"}`:           "/due type",
		`{"sub":{"name":"x"}}`:  `"false false true 0 false"`,
		`{"sub":{"name":""}}`:   "/sub/name required",
		`{"sub":{"name":null}}`: "/sub/name null",
		`{"sub":null}`:          `"false false true 0 false"`,
	} {
		r := send(g, "POST", "/", body)
		got := ""
		if r.StatusCode == 200 {
			got = strings.TrimSpace(readBody(t, r))
		} else if p := readProblem(t, r); len(p.Errors) == 1 {
			got = p.Errors[0].Pointer + " " + p.Errors[0].Code
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	for want, p := range map[string]Patch{`{}`: {}, `{"due":null}`: {Due: guard.Null[int]()}, `{"due":7}`: {Due: guard.Some(7)}} {
		b, err := json.Marshal(p)
		if err != nil || string(b) != want {
			t.Errorf("got %s, %v, want %s", b, err, want)
		}
		var back Patch
		if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, p) {
			t.Errorf("got %+v, %v, want %+v", back, err, p)
		}
	}
}

// The mistakes of an input type and of its options are found at construction, all at once.
func TestInputMistakes(t *testing.T) {
	t.Parallel()
	own := validator.New()
	if err := guard.RegisterRules(own); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		new  func()
		want []string
	}{
		{name: "a cap of zero", new: building(guard.JSONWith[Order](guard.MaxBody(0))), want: []string{"JSON[guard_test.Order]", "MaxBody(0)"}},
		{name: "a negative cap", new: building(guard.FormWith[Note](guard.MaxBody(-1))), want: []string{"MaxBody(-1)"}},
		{name: "no validator", new: building(guard.QueryWith[Order](guard.Rules(nil), guard.MediaTypes())), want: []string{"Rules: the validator is nil", "MediaTypes: no type"}},
		{name: "a nil option", new: building(guard.JSONWith[Order](nil)), want: []string{"an option is nil"}},
		{name: "media types of a form", new: building(guard.FormWith[Note](guard.MediaTypes("application/json"))), want: []string{"media types"}},
		{name: "a media type that is not JSON", new: building(guard.JSONWith[Order](guard.MediaTypes("text/plain"))), want: []string{"text/plain", "not JSON"}},
		{name: "a cap of a query", new: building(guard.QueryWith[struct {
			Q string `query:"q"`
		}](guard.MaxBody(1))), want: []string{"takes no body"}},
		{name: "a raw body without a cap", new: building(guard.RawBody(0)), want: []string{"needs a cap"}},
		{name: "every field", new: building(guard.JSON[struct {
			None  string
			Two   string     `json:"two" query:"two"`
			Owner string     `json:"ownerId"`
			Rule  string     `json:"rule" validate:"nosuchrule"`
			Kind  bool       `json:"kind" validate:"email"`
			File  guard.File `form:"file"`
			Any   any        `json:"any"`
		}]), want: []string{"field None", "field Two", "field Owner", `guard:"client"`, "field Rule", "nosuchrule", "field Kind", "field File", "field Any"}},
		{name: "a file without bounds", new: building(guard.Form[struct {
			File guard.File `form:"file"`
		}]), want: []string{"field File", "has no bounds"}},
		{name: "a rule of guard's own on a validator without it", new: building(guard.JSONWith[struct {
			Name string `json:"name" validate:"notblank"`
		}](guard.Rules(validator.New()))), want: []string{"notblank"}},
		{name: "a rule of guard's own on a validator with it", new: building(guard.JSONWith[struct {
			Name string `json:"name" validate:"notblank"`
		}](guard.Rules(own)))},
		{name: "a form with options", new: building(guard.FormWith[Upload](guard.MaxBody(2<<20), guard.Rules(own)))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := panicText(tt.new)
			if (got == "") != (tt.want == nil) {
				t.Errorf("got %q", got)
			}
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %q, want %q in it", got, want)
				}
			}
		})
	}
	if err := guard.RegisterRules(nil); err == nil {
		t.Error("RegisterRules(nil): got no error")
	}
}

func building[T any](what func() guard.Decoder[T]) func() {
	return func() {
		guard.New(guard.Anyone, what, guard.NoResource, guard.Unlimited("a test"), &guard.Responder{},
			func(context.Context, *guard.Call[guard.Anonymous, T, guard.None]) (guard.None, error) {
				return guard.None{}, nil
			})
	}
}

func panicText(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

// A handler's goroutine that outlives its request reads nothing, least of all the body of the next request.
func TestWrappedBodyEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	var kept io.ReadCloser
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	g := guard.Wrap(guard.Anyone, guard.JSON[Order], guard.NoResource, guard.Unlimited("a test"), errs,
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { kept = r.Body }))
	if r := send(g, "POST", "/", `{"name":"secret"}`); r.StatusCode != 200 {
		t.Fatalf("got %d", r.StatusCode)
	}
	first := kept
	send(g, "POST", "/", `{"name":"another"}`)
	if b, err := io.ReadAll(first); len(b) > 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("got %q, %v", b, err)
	}
}
