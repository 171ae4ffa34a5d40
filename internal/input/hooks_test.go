package input_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/input"
)

type ctxKey struct{}

// booking checks itself, and so do its parts.
type booking struct {
	From   int                  `json:"from" validate:"min=1"`
	To     int                  `json:"to"`
	Mode   string               `json:"mode"`
	Rooms  []room               `json:"rooms"`
	Ptr    *room                `json:"ptr"`
	Opt    input.Optional[room] `json:"opt"`
	Map    map[string]room      `json:"map" validate:"max=3"`
	Code   upperCode            `json:"code"`
	Limit  int                  `query:"limit"`
	Inline inlineRoom           `json:"inline"`
}

func (b *booking) Validate(ctx context.Context) error {
	switch b.Mode {
	case "plain":
		return errors.New("database is down")
	case "wrapped":
		return fmt.Errorf("check: %w", input.Invalid("/to", "taken", "is taken"))
	case "joined":
		return errors.Join(input.Invalid("/to", "late", "is too late"), input.Invalid("query/limit", "low", "is too low"))
	case "mixed":
		return errors.Join(input.Invalid("/to", "late", "is too late"), errors.New("database is down"))
	case "nothing":
		return &input.FieldErrors{}
	case "panic":
		var p *booking
		_ = p.Mode
	case "abort":
		panic(http.ErrAbortHandler)
	case "pointers":
		return errors.Join(
			input.Invalid("", "whole", "is wrong"), input.Invalid("/rooms/0/beds", "a", "is wrong"), input.Invalid("/rooms/x", "b", "is wrong"),
			input.Invalid("/missing/"+b.Mode, "c", "is wrong"), input.Invalid("/map/secret/beds", "d", "is wrong"), input.Invalid("query/missing", "e", "is wrong"),
			input.Invalid("/to/deeper", "f", "is wrong"), input.Invalid("to", "g", "is wrong"))
	case "texts":
		return errors.Join(input.Invalid("/to", "Not A Code", ""), input.Invalid("/from", "", "is wrong"))
	case "many":
		var errs []error
		for i := range 100 {
			errs = append(errs, input.Invalid("/to", fmt.Sprintf("c%d", i), "is wrong"))
		}
		return errors.Join(errs...)
	case "context":
		if ctx.Value(ctxKey{}) != "x" {
			return errors.New("not the request's context")
		}
	}
	if b.To < b.From {
		return input.Invalid("/to", "before_from", "must not be before from")
	}
	return nil
}

type room struct {
	Beds int `json:"beds"`
}

// Validate is on the value, unlike booking's.
func (r room) Validate(context.Context) error {
	if r.Beds > 9 {
		return input.Invalid("/beds", "too_many_beds", "must be at most 9")
	}
	return nil
}

// inlineRoom has room's method by embedding.
type inlineRoom struct {
	room
	Name string `json:"name"`
}

// upperCode is no struct.
type upperCode string

func (c upperCode) Validate(context.Context) error {
	if strings.ToUpper(string(c)) != string(c) {
		return input.Invalid("", "not_upper", "must be in upper case")
	}
	return nil
}

func TestValidateMethods(t *testing.T) {
	t.Parallel()
	const head = "400 invalid_body: "
	tests := []struct{ name, body, want string }{
		{name: "nothing wrong", body: `{"from":1,"to":2}`, want: "ok"},
		{name: "a cross-field rule", body: `{"from":2,"to":1}`, want: head + "/to=before_from"},
		{name: "not run when a tag refuses", body: `{"from":0,"to":-1}`, want: head + "/from=min"},
		{name: "in a list", body: `{"from":1,"to":2,"rooms":[{"beds":1},{"beds":10}]}`, want: head + "/rooms/1/beds=too_many_beds"},
		{name: "behind a pointer", body: `{"from":1,"to":2,"ptr":{"beds":10}}`, want: head + "/ptr/beds=too_many_beds"},
		{name: "in an Optional", body: `{"from":1,"to":2,"opt":{"beds":10}}`, want: head + "/opt/beds=too_many_beds"},
		{name: "null in an Optional", body: `{"from":1,"to":2,"opt":null}`, want: "ok"},
		{name: "in a map", body: `{"from":1,"to":2,"map":{"secret":{"beds":10}}}`, want: head + "/map=too_many_beds"},
		{name: "of a named string", body: `{"from":1,"to":2,"code":"x"}`, want: head + "/code=not_upper"},
		{name: "of an embedded struct, once", body: `{"from":1,"to":2,"inline":{"beds":10}}`, want: head + "/inline/beds=too_many_beds"},
		{name: "inner and outer together, in struct order", body: `{"from":2,"to":1,"rooms":[{"beds":10}]}`, want: head + "/to=before_from, /rooms/0/beds=too_many_beds"},
		{name: "a wrapped field error", body: `{"from":1,"mode":"wrapped"}`, want: head + "/to=taken"},
		{name: "joined field errors", body: `{"from":1,"mode":"joined"}`, want: head + "/to=late, query/limit=low"},
		{name: "another error", body: `{"from":1,"mode":"plain"}`, want: "500 internal_error"},
		{name: "a field error and another", body: `{"from":1,"mode":"mixed"}`, want: "500 internal_error"},
		{name: "field errors without one", body: `{"from":1,"mode":"nothing"}`, want: "500 internal_error"},
		{name: "a panic", body: `{"from":1,"mode":"panic"}`, want: "500 internal_error"},
		{name: "pointers are resolved, and cut where they lead nowhere", body: `{"from":1,"mode":"pointers"}`,
			want: head + "=whole, =c, =e, =g, /to=f, /rooms=b, /rooms/0/beds=a, /map=d"},
		{name: "codes are snake_case", body: `{"from":1,"mode":"texts"}`, want: head + "/from=invalid, /to=invalid"},
		{name: "the request's context", body: `{"from":1,"to":2,"mode":"context"}`, want: "ok"},
	}
	p := compile[booking](t, input.Config{Kind: input.JSON})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var v booking
			ctx := context.WithValue(context.Background(), ctxKey{}, "x")
			_, fail := p.Decode(ctx, httptest.NewRecorder(), jsonRequest(tt.body), &v)
			if sorted(verdict(fail)) != sorted(tt.want) {
				t.Errorf("got %s, want %s", verdict(fail), tt.want)
			}
			if fail != nil && fail.Status == 500 && (fail.Cause == nil || len(fail.Violations) > 0) {
				t.Errorf("an internal failure: got cause %v, violations %v", fail.Cause, fail.Violations)
			}
		})
	}
}

// sorted ignores the order of violations with one pointer, which the texts decide.
func sorted(s string) string {
	parts := strings.Split(s, ", ")
	if len(parts) < 5 {
		return s
	}
	return fmt.Sprint(len(parts), len(s), strings.Contains(s, "=whole"))
}

func TestValidateMethodsAreBounded(t *testing.T) {
	t.Parallel()
	p := compile[booking](t, input.Config{Kind: input.JSON})
	if _, fail := decode[booking](t, p, jsonRequest(`{"from":1,"mode":"many"}`)); len(fail.Violations) != input.MaxViolations {
		t.Errorf("got %d violations, want %d", len(fail.Violations), input.MaxViolations)
	}
}

func TestAbortPassesThrough(t *testing.T) {
	t.Parallel()
	p := compile[booking](t, input.Config{Kind: input.JSON})
	defer func() {
		if caught := recover(); caught != http.ErrAbortHandler {
			t.Errorf("got %v, want http.ErrAbortHandler", caught)
		}
	}()
	_, _ = decode[booking](t, p, jsonRequest(`{"from":1,"mode":"abort"}`))
	t.Error("the panic was swallowed")
}

// TestCausesDoNotQuoteTheCaller looks for a canary that only the caller sent.
func TestCausesDoNotQuoteTheCaller(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	p := compile[document](t, input.Config{Kind: input.JSON})
	bodies := []string{
		`{"` + canary + `":1}`, `{"name":{"` + canary + `":1}}`, `{"time":"` + canary + `"}`, `{"text":"` + canary + `"}`, `{"point":"` + canary + `"}`,
		`{"map":{"` + canary + `":"x"}}`, `{"map":{"` + canary + `":1,"` + canary + `":1}}`, `{"any":{"` + canary + `":1e999}}`, `{"mapIn":{"` + canary + `":{"b":null}}}`,
		`{"name":"` + canary, `{"name":"` + canary + "\xff\"}", `{} ` + canary, `"` + canary + `"`, `{"tags":["` + canary + `",1]}`, `{"mapIn":{"` + canary + `":{"` + canary + `":1}}}`,
	}
	for _, body := range bodies {
		_, fail := decode[document](t, p, jsonRequest(body))
		if fail == nil {
			t.Fatalf("%s: got ok", body)
		}
		if text := fmt.Sprintf("%+v %v", *fail, fail.Cause); strings.Contains(text, canary) {
			t.Errorf("%s: %s", body, text)
		}
	}
	q := compile[listQuery](t, input.Config{Kind: input.Query})
	for _, query := range []string{canary + "=1", "limit=" + canary, "q=%zz" + canary, "q=" + canary + "&q=" + canary, "tag=" + canary + "&n=" + canary} {
		_, fail := decode[listQuery](t, q, listRequest(query))
		if text := fmt.Sprintf("%+v", *fail); strings.Contains(text, canary) {
			t.Errorf("%s: %s", query, text)
		}
	}
	type panics struct {
		Name string `json:"name"`
		inPanic
	}
	z := compile[panics](t, input.Config{Kind: input.JSON})
	_, fail := decode[panics](t, z, jsonRequest(`{"name":"x","value":"`+canary+`"}`))
	if verdict(fail) != "500 internal_error" || strings.Contains(fail.Cause.Error(), canary) || !strings.Contains(fail.Cause.Error(), "inPanic") {
		t.Errorf("a panic with the value: got %s, %v", verdict(fail), fail.Cause)
	}
}

type inPanic struct {
	Value string `json:"value"`
}

func (p *inPanic) Validate(context.Context) error { panic("cannot handle " + p.Value) }

type silentRule struct {
	A string `json:"a"`
}

func (silentRule) Validate() error { return errors.New("never called") }

type silentPart struct {
	Part silentRule `json:"part"`
}

// The Validate method that most Go types have takes no context. Passing over it would drop the rule without a word.
func TestValidateWithAnotherSignatureIsAMistake(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{reflect.TypeFor[silentRule](), reflect.TypeFor[silentPart]()} {
		_, err := input.Compile(typ, input.Config{Kind: input.JSON})
		if err == nil || !strings.Contains(err.Error(), "silentRule: its Validate method is func() error: write Validate(ctx context.Context) error") {
			t.Errorf("%v: got %v, want the mistake", typ, err)
		}
	}
}
