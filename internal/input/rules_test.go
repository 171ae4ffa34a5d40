package input_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"

	"github.com/routeguard/guard/internal/input"
)

type person struct {
	Name string `json:"name" validate:"required,min=2"`
	Age  *int   `json:"age" validate:"omitnil,min=18"`
}

type credentials struct {
	Password string `json:"password" validate:"omitempty,min=8"`
	Confirm  string `json:"confirmPassword" validate:"eqfield=Password"`
}

type ruled struct {
	credentials
	Kind     string              `json:"kind" validate:"omitempty,oneof=a b 'c d'"`
	Number   string              `json:"vatNumber" validate:"required_if=Kind a"`
	Who      person              `json:"person" validate:"required"`
	Deputy   *person             `json:"deputy"`
	People   []person            `json:"people" validate:"max=100,dive"`
	Pointers []*person           `json:"pointers" validate:"max=3,dive,required"`
	Grid     [][]int             `json:"grid" validate:"max=3,dive,max=2,dive,min=1"`
	Named    map[string]person   `json:"named" validate:"max=3,dive,keys,min=2,endkeys"`
	Lists    map[string][]string `json:"lists" validate:"max=3,dive,max=1,dive,min=2"`
	Start    time.Time           `json:"start"`
	End      time.Time           `json:"end" validate:"omitempty,gtfield=Start"`
	Wait     time.Duration       `json:"wait" validate:"max=1m"`
	Ratio    float64             `json:"ratio" validate:"gte=0,lte=1"`
	Contact  string              `json:"contact" validate:"omitempty,email|e164"`
	Color    string              `json:"color" validate:"omitempty,iscolor"`
	Codes    []string            `json:"codes" validate:"max=3,unique"`
	Pair     [2]string           `json:"pair" validate:"dive,max=2"`
}

// valid is a body that every rule takes; a test adds what it wants to see refused.
const validRuled = `"person":{"name":"Ada"}`

func TestRules(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, pointer, code, message, param string }{
		{name: "a nested struct", body: `"person":{"name":"A"}`, pointer: "/person/name", code: "min", message: "must be at least 2 characters", param: "2"},
		{name: "a nested struct that is absent", body: ``, pointer: "/person", code: "required", message: "is required"},
		{name: "a nested pointer", body: validRuled + `,"deputy":{"name":"Ada","age":3}`, pointer: "/deputy/age", code: "min", message: "must be at least 18", param: "18"},
		{name: "an item", body: validRuled + `,"people":[{"name":"Ada"},{}]`, pointer: "/people/1/name", code: "required", message: "is required"},
		{name: "an item that is a pointer", body: validRuled + `,"pointers":[{"name":"A"}]`, pointer: "/pointers/0/name", code: "min", message: "must be at least 2 characters", param: "2"},
		{name: "an item of an item", body: validRuled + `,"grid":[[1],[1,0]]`, pointer: "/grid/1/1", code: "min", message: "must be at least 1", param: "1"},
		{name: "a list in a list", body: validRuled + `,"grid":[[1,2,3]]`, pointer: "/grid/0", code: "max", message: "must have at most 2 items", param: "2"},
		{name: "a value of a map", body: validRuled + `,"named":{"secret.key]":{"name":"A"}}`, pointer: "/named", code: "min", message: "has an entry that must be at least 2 characters", param: "2"},
		{name: "a key of a map", body: validRuled + `,"named":{"s":{"name":"Ada"}}`, pointer: "/named", code: "min", message: "has an entry that must be at least 2 characters", param: "2"},
		{name: "a list in a map", body: validRuled + `,"lists":{"k":["x"]}`, pointer: "/lists", code: "min", message: "has an entry that must be at least 2 characters", param: "2"},
		{name: "an item of an array", body: validRuled + `,"pair":["ab","abc"]`, pointer: "/pair/1", code: "max", message: "must be at most 2 characters", param: "2"},
		{name: "an embedded struct", body: validRuled + `,"password":"short","confirmPassword":"short"`, pointer: "/password", code: "min", message: "must be at least 8 characters", param: "8"},
		{name: "another field of an embedded struct", body: validRuled + `,"password":"long enough"`, pointer: "/confirmPassword", code: "eqfield", message: "must be the same as password", param: "password"},
		{name: "a choice", body: validRuled + `,"kind":"x"`, pointer: "/kind", code: "oneof", message: "must be one of: a, b, c d", param: "a b 'c d'"},
		{name: "a condition", body: validRuled + `,"kind":"a"`, pointer: "/vatNumber", code: "required_if", message: "is required when kind is a", param: "kind is a"},
		{name: "another field", body: validRuled + `,"start":"2020-01-02T00:00:00Z","end":"2020-01-01T00:00:00Z"`, pointer: "/end", code: "gtfield", message: "must be greater than start", param: "start"},
		{name: "a duration", body: validRuled + `,"wait":"2m"`, pointer: "/wait", code: "max", message: "must be at most 1m", param: "1m"},
		{name: "a fraction", body: validRuled + `,"ratio":1.5`, pointer: "/ratio", code: "lte", message: "must be at most 1", param: "1"},
		{name: "alternatives", body: validRuled + `,"contact":"x"`, pointer: "/contact", code: "alternatives",
			message: "must be an email address, or must be a phone number in international form such as +14155550123"},
		{name: "an alias", body: validRuled + `,"color":"x"`, pointer: "/color", code: "iscolor", message: "must be a color"},
		{name: "unique", body: validRuled + `,"codes":["a","a"]`, pointer: "/codes", code: "unique", message: "must not have the same value twice"},
	}
	p := compile[ruled](t, input.Config{Kind: input.JSON})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, fail := decode[ruled](t, p, jsonRequest("{"+tt.body+"}"))
			want := input.Violation{Pointer: tt.pointer, Code: tt.code, Message: tt.message, Param: tt.param}
			if fail == nil || len(fail.Violations) != 1 || fail.Violations[0] != want {
				t.Errorf("got %+v, want %+v", fail, want)
			}
		})
	}
	if _, fail := decode[ruled](t, p, jsonRequest("{"+validRuled+"}")); fail != nil {
		t.Errorf("a valid body: got %s", verdict(fail))
	}
}

// TestAllFieldsAtOnce pins that every failing field is reported, in struct order, up to the bound.
func TestAllFieldsAtOnce(t *testing.T) {
	t.Parallel()
	p := compile[ruled](t, input.Config{Kind: input.JSON})
	_, fail := decode[ruled](t, p, jsonRequest(`{"ratio":-1,"color":"x","people":[{"name":"A","age":1}],"kind":"z","password":"x","confirmPassword":"y"}`))
	const want = "400 invalid_body: /password=min, /confirmPassword=eqfield, /kind=oneof, /person=required, /people/0/name=min, /people/0/age=min, /ratio=gte, /color=iscolor"
	if verdict(fail) != want {
		t.Errorf("got %s, want %s", verdict(fail), want)
	}
	many := strings.TrimSuffix(strings.Repeat(`{},`, 100), ",")
	if _, fail = decode[ruled](t, p, jsonRequest(`{`+validRuled+`,"people":[`+many+`]}`)); len(fail.Violations) != input.MaxViolations {
		t.Errorf("rules: got %d violations, want %d", len(fail.Violations), input.MaxViolations)
	}
	many = strings.TrimSuffix(strings.Repeat(`1,`, 100), ",")
	if _, fail = decode[ruled](t, p, jsonRequest(`{"people":[`+many+`]}`)); len(fail.Violations) != input.MaxViolations {
		t.Errorf("decoding: got %d violations, want %d", len(fail.Violations), input.MaxViolations)
	}
}

// TestMapViolationsAreStable: a map is visited in random order, its report is not.
func TestMapViolationsAreStable(t *testing.T) {
	t.Parallel()
	type in struct {
		M map[string]string `json:"m" validate:"max=9,dive,keys,max=3,endkeys,min=2,alpha"`
	}
	p := compile[in](t, input.Config{Kind: input.JSON})
	first := ""
	for range 50 {
		_, fail := decode[in](t, p, jsonRequest(`{"m":{"aaaa":"x","b":"11","c":"y","dddd":"22"}}`))
		got := fmt.Sprint(fail.Violations)
		if first == "" {
			first = got
		}
		if got != first {
			t.Fatalf("got %s, then %s", first, got)
		}
	}
}

// TestValuesAreNeverEchoed sends values that every kind of message could quote.
func TestValuesAreNeverEchoed(t *testing.T) {
	t.Parallel()
	const canary = "hunter2!"
	p := compile[ruled](t, input.Config{Kind: input.JSON})
	for _, field := range []string{"password", "kind", "contact", "color"} {
		_, fail := decode[ruled](t, p, jsonRequest(`{`+validRuled+`,"`+field+`":"`+canary+`"}`))
		text := fmt.Sprintf("%+v", *fail)
		for _, leak := range []string{canary, "Confirm", "Kind", "ruled", "validation", "validator", "failed on"} {
			if strings.Contains(text, leak) {
				t.Errorf("%s: %q in %s", field, leak, text)
			}
		}
	}
}

type shaky struct {
	Name string `json:"name" validate:"shaky"`
}

// TestRulesThatPanic covers a rule that copes with samples and not with one value.
func TestRulesThatPanic(t *testing.T) {
	t.Parallel()
	v := validator.New()
	if err := v.RegisterValidationCtx("shaky", func(ctx context.Context, fl validator.FieldLevel) bool {
		switch fl.Field().String() {
		case "panic":
			panic("cannot judge " + fl.Field().String())
		case "abort":
			panic(http.ErrAbortHandler)
		case "index":
			return []bool{}[len(fl.Field().String())]
		case "context":
			return ctx.Value(ctxKey{}) == "x"
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	p := compile[shaky](t, input.Config{Kind: input.JSON, Validate: v})
	if _, fail := decode[shaky](t, p, jsonRequest(`{"name":"panic"}`)); verdict(fail) != "500 internal_error" || strings.Contains(fail.Cause.Error(), "cannot judge") {
		t.Errorf("got %s, %v", verdict(fail), fail.Cause)
	}
	if _, fail := decode[shaky](t, p, jsonRequest(`{"name":"index"}`)); verdict(fail) != "500 internal_error" || !strings.Contains(fail.Cause.Error(), "index out of range") {
		t.Errorf("got %s, %v", verdict(fail), fail.Cause)
	}
	r := jsonRequest(`{"name":"context"}`)
	if _, fail := p.Decode(context.WithValue(context.Background(), ctxKey{}, "x"), nil, r, new(shaky)); fail != nil {
		t.Errorf("the request's context does not reach the rule: %s", verdict(fail))
	}
	defer func() {
		if caught := recover(); caught != http.ErrAbortHandler {
			t.Errorf("got %v, want http.ErrAbortHandler", caught)
		}
	}()
	_, _ = decode[shaky](t, p, jsonRequest(`{"name":"abort"}`))
}

type leftPart struct {
	L int `json:"l"`
}

func (leftPart) Validate(context.Context) error { return input.Invalid("/l", "left", "is wrong") }

type rightPart struct {
	R int `json:"r"`
}

func (*rightPart) Validate(context.Context) error { return input.Invalid("/r", "right", "is wrong") }

type deepPart struct{ leftPart }

type hidingPart struct {
	leftPart
	Name string `json:"name"`
}

func (hidingPart) Validate(context.Context) error { return input.Invalid("/name", "outer", "is wrong") }

// TestEmbeddedValidateMethodsAllRun covers what Go's promotion would leave out.
func TestEmbeddedValidateMethodsAllRun(t *testing.T) {
	t.Parallel()
	type one struct{ leftPart }
	type ambiguous struct {
		leftPart
		rightPart
	}
	type shallower struct {
		deepPart
		rightPart
	}
	check := func(name, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	_, fail := decode[one](t, compile[one](t, input.Config{Kind: input.JSON}), jsonRequest(`{}`))
	check("a promoted method", verdict(fail), "400 invalid_body: /l=left")
	_, fail = decode[ambiguous](t, compile[ambiguous](t, input.Config{Kind: input.JSON}), jsonRequest(`{}`))
	check("two methods at one depth", verdict(fail), "400 invalid_body: /l=left, /r=right")
	_, fail = decode[shallower](t, compile[shallower](t, input.Config{Kind: input.JSON}), jsonRequest(`{}`))
	check("a shallower method", verdict(fail), "400 invalid_body: /l=left, /r=right")
	_, fail = decode[hidingPart](t, compile[hidingPart](t, input.Config{Kind: input.JSON}), jsonRequest(`{}`))
	check("an outer method", verdict(fail), "400 invalid_body: /l=left, /name=outer")
}

type rangeQuery struct {
	From int `query:"from" validate:"min=1"`
	To   int `query:"to"`
}

func (q rangeQuery) Validate(context.Context) error {
	switch {
	case q.To == 0:
		return input.Invalid("", "incomplete", "needs from and to")
	case q.To < q.From:
		return input.Invalid("query/to", "before_from", "must not be before from")
	case q.To == 99:
		return fmt.Errorf("look up: %w", errors.New("no connection"))
	}
	return nil
}

// TestValidateMethodOfAQuery pins that a request without a body never speaks of one.
func TestValidateMethodOfAQuery(t *testing.T) {
	t.Parallel()
	p := compile[rangeQuery](t, input.Config{Kind: input.Query})
	tests := []struct{ query, want string }{
		{query: "from=1&to=2", want: "ok"},
		{query: "from=1", want: "400 invalid_parameters: query=incomplete"},
		{query: "from=3&to=2", want: "400 invalid_parameters: query/to=before_from"},
		{query: "from=0", want: "400 invalid_parameters: query/from=min"},
		{query: "from=1&to=99", want: "500 internal_error"},
	}
	for _, tt := range tests {
		if _, fail := decode[rangeQuery](t, p, listRequest(tt.query)); verdict(fail) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.query, verdict(fail), tt.want)
		}
	}
}
