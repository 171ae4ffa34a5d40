package input_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"reflect"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/input"
)

// compile compiles T or fails the test.
func compile[T any](t testing.TB, c input.Config) *input.Plan {
	t.Helper()
	p, err := input.Compile(reflect.TypeFor[T](), c)
	if err != nil {
		t.Fatalf("Compile(%v): %v", reflect.TypeFor[T](), err)
	}
	return p
}

// jsonRequest is a POST of a JSON body.
func jsonRequest(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// decode runs one request and closes what it leaves.
func decode[T any](t testing.TB, p *input.Plan, r *http.Request) (T, *input.Failure) {
	t.Helper()
	var v T
	body, fail := p.Decode(context.Background(), httptest.NewRecorder(), r, &v)
	if fail != nil && body != nil {
		t.Errorf("Decode returned a body with failure %s", fail.Code)
	}
	if fail != nil && !reflect.ValueOf(&v).Elem().IsZero() {
		t.Errorf("after failure %s the input is %+v, want zero", fail.Code, v)
	}
	body.Close()
	return v, fail
}

// verdict writes a failure as "status code: pointer=code, pointer=code", and success as "ok".
func verdict(f *input.Failure) string {
	if f == nil {
		return "ok"
	}
	text := fmt.Sprintf("%d %s", f.Status, f.Code)
	for i, v := range f.Violations {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		text += sep + v.Pointer + "=" + v.Code
	}
	return text
}

// formPart is one part of a multipart body.
type formPart struct {
	name, fileName, contentType, content string
	file                                 bool
}

// multipartRequest is a POST of a multipart form.
func multipartRequest(t testing.TB, parts ...formPart) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{}
		quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
		disposition := `form-data; name="` + quote.Replace(p.name) + `"`
		if p.file {
			disposition += `; filename="` + quote.Replace(p.fileName) + `"`
		}
		h.Set("Content-Disposition", disposition)
		if p.contentType != "" {
			h.Set("Content-Type", p.contentType)
		}
		part, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, p.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}
