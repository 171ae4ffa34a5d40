package guard

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/routeguard/guard/internal/input"
)

// What is made once says what would be made for each request, and a copy with other
// words says those.
func TestHeadOfAnErrorIsThatOfItsWords(t *testing.T) {
	t.Parallel()
	changed := func(change func(*Error)) *Error {
		e := *refuseNotFound
		change(&e)
		return &e
	}
	wrongBody := input.Failure{Status: http.StatusBadRequest, Code: input.BodyCode, Title: input.BodyTitle, Rules: true,
		Violations: []input.Violation{{Pointer: "/a", Code: "min", Message: "is short"}}}
	wrongQuery := input.Failure{Status: http.StatusBadRequest, Code: "invalid_parameters", Title: "Invalid request parameters."}
	for _, tt := range []struct {
		name string
		of   *Error
	}{
		{name: "the library's own", of: refuseNotFound},
		{name: "a wrong body", of: (&Responder{}).invalid(&wrongBody)},
		{name: "a wrong body with another status", of: (&Responder{InvalidStatus: http.StatusUnprocessableEntity}).invalid(&wrongBody)},
		{name: "a wrong query", of: (&Responder{}).invalid(&wrongQuery)},
		{name: "with a cause", of: refuseNotFound.Because(ErrNotFound)},
		{name: "another status", of: changed(func(e *Error) { e.Status = http.StatusGone })},
		{name: "another code", of: changed(func(e *Error) { e.Code = "gone" })},
		{name: "another message", of: changed(func(e *Error) { e.Message = "It was \"here\"." })},
		{name: "fields", of: changed(func(e *Error) { e.Fields = []FieldError{{Pointer: "/a", Code: "min", Message: "is short"}} })},
	} {
		for _, format := range []Format{ProblemDetails, ErrorObject} {
			plain := Error{Status: tt.of.Status, Code: tt.of.Code, Message: tt.of.Message, Fields: tt.of.Fields}
			tell := &Responder{Format: format}
			got, want := string(tell.appendError(nil, tt.of, "id-1")), string(tell.appendError(nil, &plain, "id-1"))
			if got != want {
				t.Errorf("%s, format %d: got %s, want %s", tt.name, format, got, want)
			}
		}
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for n := int64(-2); n < 1200; n++ {
		if got, want := decimal(n), strconv.FormatInt(n, 10); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

type somebody struct{}

func (somebody) Subject() string { return "s" }

// A request that missing turns away is one that authenticate would: with the same
// answer, and never one that shows a credential.
func TestMissingIsWhatAuthenticateFindsMissing(t *testing.T) {
	t.Parallel()
	verify := func(context.Context, string) (somebody, error) { return somebody{}, nil }
	bearer, key, cookie := Bearer(verify), APIKey("X-API-Key", verify), Cookie[somebody]("__Host-session", verify)
	for _, who := range []struct {
		name string
		Authenticator[somebody]
	}{
		{"bearer", bearer}, {"key", key}, {"cookie", cookie}, {"all", FirstOf(bearer, key, cookie)},
	} {
		for _, header := range []http.Header{
			{}, {"Authorization": {"Bearer x"}}, {"Authorization": {"Basic x"}}, {"Authorization": {""}}, {"X-Api-Key": {"x"}},
			{"X-Api-Key": {"x", "y"}}, {"Cookie": {"__Host-session=x"}}, {"Cookie": {"other=x"}}, {"Authorization": nil},
		} {
			x := &exchange{tell: &Responder{}, r: &http.Request{Method: http.MethodGet, Header: header}}
			_, err := who.authenticate(t.Context(), x)
			var e *Error
			none := errors.As(err, &e) && e.cause == errNoCredential
			if missing := who.missing(x.r); missing && !none {
				t.Errorf("%s, %v: missing, but authenticate says %v", who.name, header, err)
			}
			if missing := who.missing(x.r); len(header) == 0 && missing != none {
				t.Errorf("%s: no field at all: got missing %v, want %v", who.name, missing, none)
			}
		}
	}
	optional := AllowAnonymous(bearer)
	if optional.missing(&http.Request{}) || Anyone.missing(&http.Request{}) {
		t.Error("a credential is missing where none is needed")
	}
}
