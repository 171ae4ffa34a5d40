package openapi

import (
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
	"github.com/routeguard/guard/internal/input"
)

// example is an example of an input, taken apart by its sources.
type example struct {
	body       any
	parameters map[string]any // by source and name
}

// add gives a parameter its example.
func (e example) add(parameter *object, f checklist.Field) {
	if v, ok := e.parameters[f.In+" "+f.Name]; ok {
		parameter.set("example", v)
	}
}

// example takes apart Operation.Input.
func (b *builder) example(r checklist.Route, op Operation) example {
	if op.Input == nil {
		return example{}
	}
	v := reflect.ValueOf(op.Input)
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Type() != r.What.Type {
		b.mistake("%s: Input: the example is a %T, the input is %v: write a value of that type", r.Pattern, op.Input, r.What.Type)
		return example{}
	}
	e := example{parameters: map[string]any{}}
	body := object{}
	eachField(v, func(source input.Source, name string, v reflect.Value, t reflect.StructField) {
		value, ok := b.exampleValue(r, v, source, has(input.ParseRules(t.Tag.Get("validate")), "required"))
		switch {
		case !ok:
		case source == input.FromJSON || source == input.FromForm:
			body.set(name, value)
		default:
			e.parameters[string(source)+" "+name] = value
		}
	})
	if r.What.MaxBody > 0 {
		e.body = body
	}
	return e
}

// eachField visits the fields of an input, those of embedded structs among them.
func eachField(v reflect.Value, visit func(input.Source, string, reflect.Value, reflect.StructField)) {
	for i := range v.NumField() {
		sf, source := v.Type().Field(i), input.Source("")
		name := ""
		for _, s := range []input.Source{input.FromJSON, input.FromForm, input.FromQuery, input.FromPath, input.FromHeader} {
			if n, _, _ := strings.Cut(sf.Tag.Get(string(s)), ","); n != "" && n != "-" {
				source, name = s, n
			}
		}
		switch {
		case source != "" && sf.IsExported():
			visit(source, name, v.Field(i), sf)
		case sf.Anonymous && sf.Type.Kind() == reflect.Struct:
			eachField(v.Field(i), visit)
		}
	}
}

// exampleValue is the JSON of a value. It is absent where it is zero, unless that must be sent: null
// is refused for a pointer.
func (b *builder) exampleValue(r checklist.Route, v reflect.Value, source input.Source, required bool) (any, bool) {
	if v.IsZero() && !required {
		return nil, false
	}
	shape, _ := input.ShapeOf(v.Type(), source)
	switch shape {
	case input.ShapePointer:
		if v.IsNil() {
			return nil, false
		}
		return b.exampleValue(r, v.Elem(), source, true)
	case input.ShapeStruct:
		o := object{}
		eachField(v, func(s input.Source, name string, v reflect.Value, t reflect.StructField) {
			if value, ok := b.exampleValue(r, v, s, has(input.ParseRules(t.Tag.Get("validate")), "required")); ok {
				o.set(name, value)
			}
		})
		return o, true
	case input.ShapeSlice, input.ShapeArray:
		list := []any{}
		for i := range v.Len() {
			item, _ := b.exampleValue(r, v.Index(i), source, true)
			list = append(list, item)
		}
		return list, true
	case input.ShapeMap:
		o := object{}
		for _, key := range v.MapKeys() {
			entry, _ := b.exampleValue(r, v.MapIndex(key), source, true)
			o.set(key.String(), entry)
		}
		slices.SortFunc(o, func(x, y member) int { return strings.Compare(x.name, y.name) })
		return o, true
	case input.ShapeFile:
		return nil, false
	case input.ShapeDuration:
		return v.Interface().(interface{ String() string }).String(), true
	}
	return b.encoded(r, v.Interface()), true
}

// encoded is the JSON that a value is sent as.
func (b *builder) encoded(r checklist.Route, v any) any {
	raw, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		b.mistake("%s: an example cannot be encoded: %w", r.Pattern, err)
		return nil
	}
	return jsontext.Value(raw)
}

// resultExample is the JSON of Operation.Result.
func (b *builder) resultExample(r checklist.Route, op Operation) any {
	if op.Result == nil {
		return nil
	}
	t := reflect.TypeOf(op.Result)
	if r.Ending == checklist.Handler && t != r.Result {
		b.mistake("%s: Result: the example is a %v, the result is %v: write a value of that type", r.Pattern, t, r.Result)
		return nil
	}
	return b.encoded(r, op.Result)
}

func isNone(t reflect.Type) bool { return t == reflect.TypeFor[guard.None]() }
