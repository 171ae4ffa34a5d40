package openapi

import (
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSONTo writes the members in their order.
func (o object) MarshalJSONTo(e *jsontext.Encoder) error {
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, m := range o {
		if err := e.WriteToken(jsontext.String(m.name)); err != nil {
			return err
		}
		if err := json.MarshalEncode(e, m.value); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (o object) has(name string) bool { return o.get(name) != nil }

// set replaces a member, or adds it at the end.
func (o *object) set(name string, value any) {
	for i, m := range *o {
		if m.name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{name, value})
}

// setText sets a member that is left out where there is nothing to say.
func (o *object) setText(name, text string) {
	if text != "" {
		o.set(name, text)
	}
}

// assert adds keywords of a schema to it. Of two bounds the tighter one stays; what it says already
// otherwise is said in an allOf.
func (o *object) assert(keywords object) {
	var apart object
	for _, k := range keywords {
		switch old := o.get(k.name); {
		case old == nil:
			o.set(k.name, k.value)
		case reflect.DeepEqual(old, k.value):
		case !o.tighten(k, old):
			apart = append(apart, k)
		}
	}
	if len(apart) == 0 {
		return
	}
	all, _ := o.get("allOf").([]object)
	o.set("allOf", append(all, apart))
}

// tighten reports whether it could replace a bound by the tighter one.
func (o *object) tighten(k member, old any) bool {
	a, b := asNumber(old), asNumber(k.value)
	if a == nil || b == nil {
		return false
	}
	switch k.name {
	case "minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum":
		if b.Cmp(a) > 0 {
			o.set(k.name, k.value)
		}
		return true
	case "maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum":
		if b.Cmp(a) < 0 {
			o.set(k.name, k.value)
		}
		return true
	}
	return false
}

func asNumber(v any) *big.Rat {
	switch n := v.(type) {
	case int:
		return new(big.Rat).SetInt64(int64(n))
	case jsontext.Value:
		if r, ok := new(big.Rat).SetString(string(n)); ok {
			return r
		}
	}
	return nil
}

// encode writes a value as the document has it: indented, members sorted where they have no order of their own.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, err
	}
	return append(hidden.ReplaceAllFunc(b, escaped), '\n'), nil
}

// hidden characters end a line or turn the text around them in whatever shows the document.
var hidden = regexp.MustCompile("[\u2028-\u202E\u2066-\u2069]")

// escaped is a character as JSON strings may write it. Expressions have no such form: \u is not Go's, nor \x{} ECMA's.
func escaped(character []byte) []byte {
	r, _ := utf8.DecodeRune(character)
	return fmt.Appendf(nil, `\u%04X`, r)
}
