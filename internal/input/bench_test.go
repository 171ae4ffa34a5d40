package input_test

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"

	"github.com/routeguard/guard/internal/input"
)

// benchProject is the three-field body of the example service.
type benchProject struct {
	Name       string `json:"name" normalize:"trim" validate:"required,min=3,max=80"`
	Summary    string `json:"summary" normalize:"trim" validate:"required,min=20,max=300"`
	Visibility string `json:"visibility" validate:"required,oneof=private team"`
}

const benchBody = `{"name":"Quarterly report","summary":"Everything that the board needs to know.","visibility":"team"}`

// benchRequest is a request that can be sent again without allocating.
func benchRequest() (*http.Request, func()) {
	body := bytes.NewReader([]byte(benchBody))
	r := httptest.NewRequest(http.MethodPost, "/projects", nil)
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = int64(len(benchBody))
	rc := io.NopCloser(body)
	return r, func() {
		body.Reset([]byte(nil))
		body.Reset(benchBytes)
		r.Body = rc
	}
}

var benchBytes = []byte(benchBody)

// BenchmarkDecode is what a guarded route pays for its payload.
func BenchmarkDecode(b *testing.B) {
	p, err := input.Compile(reflect.TypeFor[benchProject](), input.Config{Kind: input.JSON})
	if err != nil {
		b.Fatal(err)
	}
	w := httptest.NewRecorder()
	r, rewind := benchRequest()
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		rewind()
		var v benchProject
		if _, fail := p.Decode(ctx, w, r, &v); fail != nil {
			b.Fatal(fail.Code)
		}
	}
}

// BenchmarkByHand is what a careful handler does without this package, and is less strict.
func BenchmarkByHand(b *testing.B) {
	v10 := validator.New(validator.WithRequiredStructEnabled())
	w := httptest.NewRecorder()
	r, rewind := benchRequest()
	b.ReportAllocs()
	for b.Loop() {
		rewind()
		var v benchProject
		dec := stdjson.NewDecoder(http.MaxBytesReader(w, r.Body, 256<<10))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&v); err != nil {
			b.Fatal(err)
		}
		v.Name, v.Summary = strings.TrimSpace(v.Name), strings.TrimSpace(v.Summary)
		if err := v10.Struct(&v); err != nil {
			b.Fatal(err)
		}
	}
}
