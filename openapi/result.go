package openapi

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/routeguard/guard/internal/input"
)

var (
	timeType   = reflect.TypeFor[time.Time]()
	uuidType   = reflect.TypeFor[uuid.UUID]()
	marshaler1 = reflect.TypeFor[json.Marshaler]()
	marshaler2 = reflect.TypeFor[json.MarshalerTo]()
	textOut    = reflect.TypeFor[encoding.TextMarshaler]()
	textAppend = reflect.TypeFor[encoding.TextAppender]()
)

// result is the schema of what a value of type t is answered as. The guard encodes results as
// encoding/json/v2 does: a nil slice is an empty array.
func (b *builder) result(t reflect.Type) object {
	switch {
	case t == timeType:
		return object{{"type", "string"}, {"format", "date-time"}}
	case t == uuidType:
		return object{{"type", "string"}, {"format", "uuid"}}
	}
	if shape, elem := input.ShapeOf(t, input.FromJSON); shape == input.ShapeOptional {
		return nullable(b.result(elem))
	}
	switch p := reflect.PointerTo(t); {
	case t.Kind() == reflect.Pointer:
		return nullable(b.result(t.Elem()))
	case p.Implements(marshaler2), p.Implements(marshaler1):
		return object{}
	case p.Implements(textOut), p.Implements(textAppend):
		return object{{"type", "string"}}
	}
	return b.resultKind(t)
}

func (b *builder) resultKind(t reflect.Type) object {
	switch t.Kind() {
	case reflect.String:
		return object{{"type", "string"}}
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if t == reflect.TypeFor[time.Duration]() {
			return object{} // it has no form of its own in encoding/json/v2
		}
		return integer(t)
	case reflect.Float32, reflect.Float64:
		return object{{"type", "number"}}
	case reflect.Slice, reflect.Array:
		if t.Elem() == reflect.TypeFor[byte]() {
			return object{{"type", "string"}, {"contentEncoding", "base64"}}
		}
		return object{{"type", "array"}, {"items", b.result(t.Elem())}}
	case reflect.Map:
		return object{{"type", "object"}, {"additionalProperties", b.result(t.Elem())}}
	case reflect.Struct:
		build := func() object { return b.answered(t) }
		if t.Name() == "" {
			return build()
		}
		return b.schemas.of(t, roleResult, build)
	}
	return object{}
}

// answered is the schema of a struct in a result. It is open: a client must not break when a member is added.
func (b *builder) answered(t reflect.Type) object {
	properties, required := object{}, []string(nil)
	for _, f := range answeredFields(t, false) {
		properties.set(f.name, b.answeredField(f))
		if !f.optional {
			required = append(required, f.name)
		}
	}
	s := object{{"type", "object"}, {"properties", properties}}
	if len(required) > 0 {
		s.set("required", required)
	}
	return s
}

func (b *builder) answeredField(f answeredMember) object {
	s := b.result(f.typ)
	kind, _ := s.get("type").(string)
	switch {
	case f.format:
		return object{}
	case f.quoted && (kind == "integer" || kind == "number"):
		return object{{"type", "string"}}
	}
	return s
}

// answeredMember is a field of a struct as encoding/json/v2 writes it.
type answeredMember struct {
	name     string
	typ      reflect.Type
	optional bool // it may be left out
	quoted   bool // a number in a string
	format   bool // it has a format option, which may be anything
}

// answeredFields lists the fields of t. Those of embedded structs come last, since outer ones hide them.
func answeredFields(t reflect.Type, optional bool) []answeredMember {
	var own, promoted []answeredMember
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("json")
		name, rest, _ := strings.Cut(tag, ",")
		options := strings.Split(rest, ",")
		inner := sf.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case tag == "-":
		case slices.Contains(options, "embed") || sf.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			if inner.Kind() == reflect.Struct {
				promoted = append(promoted, answeredFields(inner, optional || inner != sf.Type)...)
			}
		case sf.IsExported():
			if name == "" {
				name = sf.Name
			}
			own = append(own, answeredMember{name: strings.Trim(name, "'"), typ: sf.Type,
				optional: optional || slices.Contains(options, "omitempty") || slices.Contains(options, "omitzero"),
				quoted:   slices.Contains(options, "string"), format: strings.Contains(rest, "format:")})
		}
	}
	for _, p := range promoted {
		if !slices.ContainsFunc(own, func(o answeredMember) bool { return o.name == p.name }) {
			own = append(own, p)
		}
	}
	return own
}
