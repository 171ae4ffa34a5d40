package input_test

import (
	stdjson "encoding/json"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/routeguard/guard/internal/input"
)

type patch struct {
	Name   input.Optional[string]   `json:"name" normalize:"trim" validate:"min=3,max=5"`
	Must   input.Optional[int]      `json:"must" validate:"required,min=1"`
	Flag   input.Optional[bool]     `json:"flag" validate:"omitnil"`
	List   input.Optional[[]string] `json:"list" validate:"max=2,dive,min=2"`
	In     input.Optional[inRule]   `json:"in"`
	If     input.Optional[string]   `json:"if" validate:"required_if=Mode strict,omitempty,max=3"`
	Mode   string                   `json:"mode"`
	Limit  input.Optional[int]      `query:"limit" validate:"min=1"`
	Strict input.Optional[bool]     `json:"strict" validate:"required"`
}

type inRule struct {
	A string `json:"a" validate:"min=2"`
}

func TestOptionalRules(t *testing.T) {
	t.Parallel()
	p := compile[patch](t, input.Config{Kind: input.JSON})
	const head = "400 invalid_body: "
	tests := []struct{ name, body, want string }{
		{name: "absent fields have nothing to judge", body: `{"must":1,"strict":false}`, want: "ok"},
		{name: "null fields have nothing to judge", body: `{"must":1,"strict":false,"name":null,"list":null,"in":null,"flag":null}`, want: "ok"},
		{name: "required and absent", body: `{"strict":true}`, want: head + "/must=required"},
		{name: "required and null", body: `{"strict":true,"must":null}`, want: head + "/must=required"},
		{name: "required and zero is a value", body: `{"strict":false,"must":0}`, want: head + "/must=min"},
		{name: "a value is judged", body: `{"must":1,"strict":false,"name":"ab"}`, want: head + "/name=min"},
		{name: "an empty value is judged", body: `{"must":1,"strict":false,"name":""}`, want: head + "/name=min"},
		{name: "a value is normalized", body: `{"must":1,"strict":false,"name":"  abc  "}`, want: "ok"},
		{name: "items are judged", body: `{"must":1,"strict":false,"list":["ab","c"]}`, want: head + "/list/1=min"},
		{name: "a nested struct is judged", body: `{"must":1,"strict":false,"in":{"a":"x"}}`, want: head + "/in/a=min"},
		{name: "a condition that holds", body: `{"must":1,"strict":false,"mode":"strict"}`, want: head + "/if=required_if"},
		{name: "a condition that holds, with null", body: `{"must":1,"strict":false,"mode":"strict","if":null}`, want: head + "/if=required_if"},
		{name: "a condition that holds, with a value", body: `{"must":1,"strict":false,"mode":"strict","if":"x"}`, want: "ok"},
	}
	for _, tt := range tests {
		if _, fail := decode[patch](t, p, jsonRequest(tt.body)); verdict(fail) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, verdict(fail), tt.want)
		}
	}
}

func TestOptionalStates(t *testing.T) {
	t.Parallel()
	type in struct {
		Name input.Optional[string] `json:"name"`
		Q    input.Optional[int]    `query:"q"`
	}
	p := compile[in](t, input.Config{Kind: input.JSON})
	tests := []struct {
		name, query, body string
		want              in
	}{
		{name: "absent", body: `{}`},
		{name: "null", body: `{"name":null}`, want: in{Name: input.Null[string]()}},
		{name: "empty", body: `{"name":""}`, want: in{Name: input.Some("")}},
		{name: "value", body: `{"name":"x"}`, query: "q=0", want: in{Name: input.Some("x"), Q: input.Some(0)}},
	}
	for _, tt := range tests {
		r := jsonRequest(tt.body)
		r.URL.RawQuery = tt.query
		if got, fail := decode[in](t, p, r); fail != nil || got != tt.want {
			t.Errorf("%s: got %+v, %s, want %+v", tt.name, got, verdict(fail), tt.want)
		}
	}
}

// TestOptionalJSON covers both JSON packages outside of a Plan, as in responses and tests of a service.
func TestOptionalJSON(t *testing.T) {
	t.Parallel()
	type doc struct {
		A input.Optional[string] `json:"a,omitzero"`
		B input.Optional[int]    `json:"b,omitzero"`
		C input.Optional[[]int]  `json:"c,omitzero"`
	}
	v := doc{A: input.Some("x"), B: input.Null[int]()}
	const text = `{"a":"x","b":null}`
	for name, marshal := range map[string]func(any) ([]byte, error){
		"v1": stdjson.Marshal,
		"v2": func(v any) ([]byte, error) { return json.Marshal(v) },
	} {
		if b, err := marshal(v); err != nil || string(b) != text {
			t.Errorf("%s: Marshal: got %s, %v, want %s", name, b, err, text)
		}
	}
	for name, unmarshal := range map[string]func([]byte, any) error{
		"v1": stdjson.Unmarshal,
		"v2": func(b []byte, v any) error { return json.Unmarshal(b, v) },
	} {
		var got doc
		if err := unmarshal([]byte(text), &got); err != nil || got.A != v.A || got.B != v.B || got.C.IsSet() {
			t.Errorf("%s: Unmarshal: got %+v, %v", name, got, err)
		}
		if err := unmarshal([]byte(`{"b":"x"}`), &got); err == nil {
			t.Errorf("%s: Unmarshal of a wrong type: got no error", name)
		}
	}
	var o input.Optional[int]
	if o.IsSet() || o.IsNull() || !o.IsZero() {
		t.Errorf("the zero Optional: got %+v", o)
	}
	if _, ok := input.Null[int]().Value(); ok {
		t.Error("Null has a value")
	}
	if x, ok := input.Some(3).Value(); !ok || x != 3 {
		t.Errorf("Some(3): got %d, %v", x, ok)
	}
	if b, err := stdjson.Marshal(o); err != nil || string(b) != "null" {
		t.Errorf("an absent Optional: got %s, %v, want null", b, err)
	}
}
