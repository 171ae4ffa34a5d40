package input_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/input"
)

type twofold struct {
	Limit int      `query:"limit" default:"5" validate:"max=10"`
	Name  string   `json:"name" validate:"required,min=3"`
	Mail  string   `json:"mail" validate:"omitempty,email"`
	Tags  []string `json:"tags" validate:"max=2"`
	Any   any      `json:"any" guard:"any=3"`
}

func (r twofold) Validate(context.Context) error {
	if r.Name == "taken" {
		return input.Invalid("/name", "taken", "is taken")
	}
	return nil
}

// A Failure says Rules when what is wrong are declared rules and nothing else.
func TestFailureRules(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		query string
		body  string
		want  bool
	}{
		{name: "a short name", body: `{"name":"x"}`, want: true},
		{name: "a missing name", body: `{}`, want: true},
		{name: "a precondition of a rule", body: `{"name":"abc","mail":"` + strings.Repeat("m", 300) + `@example.com"}`, want: true},
		{name: "a parameter over its max", query: "?limit=11", body: `{"name":"abc"}`, want: true},
		{name: "too many items", body: `{"name":"abc","tags":["a","b","c"]}`, want: true},
		{name: "a Validate method", body: `{"name":"taken"}`, want: true},
		{name: "too many items and bad syntax behind", body: `{"name":"abc","tags":["a","b","c"],}`},
		{name: "too many values, after which nothing is read", body: `{"name":"abc","any":[1,2,3]}`},
		{name: "a rule and an unknown field", body: `{"name":"x","x":1}`},
		{name: "a rule and a wrong type", body: `{"name":"x","mail":1}`},
		{name: "a rule and a parameter that is no number", query: "?limit=x", body: `{"name":"x"}`},
		{name: "a rule and an unknown parameter", query: "?x=1", body: `{"name":"x"}`},
		{name: "null", body: `{"name":null}`},
		{name: "an empty body", body: ``},
		{name: "bad syntax", body: `{`},
	}
	p := compile[twofold](t, input.Config{Kind: input.JSON})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := jsonRequest(tt.body)
			r.URL.RawQuery = strings.TrimPrefix(tt.query, "?")
			_, fail := decode[twofold](t, p, r)
			if fail == nil || fail.Status != 400 {
				t.Fatalf("got %s, want 400", verdict(fail))
			}
			if fail.Rules != tt.want {
				t.Errorf("%s: Rules is %v, want %v", verdict(fail), fail.Rules, tt.want)
			}
		})
	}
}

// What a refusal leaves unread decides whether the connection is worth keeping.
func TestRefusalLeavesBody(t *testing.T) {
	t.Parallel()
	const large = 64 << 10
	tests := []struct {
		name   string
		mime   string
		length int64
		body   string
		want   bool
	}{
		{name: "a large body of another type", mime: "text/plain", length: large, body: "x", want: true},
		{name: "a body of another type and no length", mime: "text/plain", length: -1, body: "x", want: true},
		{name: "a small body of another type", mime: "text/plain", length: 1, body: "x"},
		{name: "a large body that was read", mime: "application/json", length: large, body: "[" + strings.Repeat(" ", large-1)},
		{name: "a body without length that was read", mime: "application/json", length: -1, body: "["},
	}
	p := compile[twofold](t, input.Config{Kind: input.JSON})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.mime)
			r.ContentLength = tt.length
			_, fail := decode[twofold](t, p, r)
			if fail == nil || fail.CloseConn != tt.want {
				t.Errorf("got %+v, want CloseConn %v", fail, tt.want)
			}
		})
	}
}

// A body that waits for a 100 where none is taken is refused without a look, which would invite it.
func TestUnexpectedBodyIsNotInvited(t *testing.T) {
	t.Parallel()
	p := compile[struct{}](t, input.Config{})
	r := httptest.NewRequest(http.MethodPost, "/", unreadable{t})
	r.ContentLength = -1
	r.Header.Set("Expect", "100-continue")
	if _, fail := decode[struct{}](t, p, r); fail == nil || fail.Code != "unexpected_body" || !fail.CloseConn {
		t.Errorf("got %s", verdict(fail))
	}
}

func TestRawBodyErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	tests := []struct {
		name string
		body io.Reader
		want string
	}{
		{name: "at the cap", body: strings.NewReader("12345678"), want: "ok"},
		{name: "over the cap", body: strings.NewReader("123456789"), want: "413 body_too_large"},
		{name: "cut off", body: io.MultiReader(strings.NewReader("12"), failing{io.ErrUnexpectedEOF}), want: "400 incomplete_body"},
		{name: "reset", body: failing{broken}, want: "400 incomplete_body"},
		{name: "too slow", body: failing{context.DeadlineExceeded}, want: "408 request_timeout"},
		{name: "read after it was closed", body: failing{http.ErrBodyReadAfterClose}, want: "a mistake of the handler"},
	}
	p := compile[struct{}](t, input.Config{Kind: input.Raw, MaxBody: 8})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", tt.body)
			r.ContentLength = -1
			if _, fail := decode[struct{}](t, p, r); fail != nil {
				t.Fatalf("got %s before the body was read", verdict(fail))
			}
			_, err := io.ReadAll(r.Body)
			var bad *input.BodyError
			got := "ok"
			switch {
			case errors.As(err, &bad):
				got = verdict(bad.Failure)
			case err != nil:
				got = "a mistake of the handler"
			}
			if got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
		})
	}
}

// failing is a body that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestFailureStandsUntilItIsReleased: what was refused of one request is not what is refused of another, and a released
// failure shows nothing in the next one.
func TestFailureStandsUntilItIsReleased(t *testing.T) {
	t.Parallel()
	type in struct {
		A int `json:"a" validate:"max=3"`
		B int `json:"b" validate:"max=3"`
	}
	p := compile[in](t, input.Config{Kind: input.JSON})
	bodies := []string{`{"a":9}`, `{"b":9}`, `{"a":"x","b":null}`, `{"a":9,"b":9}`, `{"c":1}`, `{`}
	wants := []string{
		"400 invalid_body: /a=max", "400 invalid_body: /b=max", "400 invalid_body: /a=type, /b=null",
		"400 invalid_body: /a=max, /b=max", "400 invalid_body: =unknown_field", "400 invalid_body: =syntax",
	}
	kept := make([]*input.Failure, 60)
	for i := range kept {
		_, kept[i] = decode[in](t, p, jsonRequest(bodies[i%len(bodies)]))
		_, other := decode[in](t, p, jsonRequest(bodies[(i+1)%len(bodies)]))
		if got, want := verdict(other), wants[(i+1)%len(wants)]; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		other.Release()
	}
	for i, fail := range kept {
		if got, want := verdict(fail), wants[i%len(wants)]; got != want {
			t.Errorf("later: got %s, want %s", got, want)
		}
	}
}
