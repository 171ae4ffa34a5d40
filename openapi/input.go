package openapi

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/routeguard/guard/checklist"
	"github.com/routeguard/guard/internal/input"
)

// place is where a value of an input stands: what its tags and its surroundings say about it.
type place struct {
	source    input.Source
	rules     *input.Rules
	normalize string
	values    int                 // of arbitrary JSON
	pointer   bool                // behind a pointer or Optional, where a zero value is a value
	fields    []checklist.Field   // of the struct within
	parent    reflect.Type        // the struct that declares the field
	file      func(object) object // adds what is known of a file
	unjudged  bool                // validator does not look at the structs within
}

// placeOf is the place of a field of the struct parent.
func placeOf(f checklist.Field, parent reflect.Type) place {
	return place{source: input.Source(f.In), rules: input.ParseRules(f.Rules), normalize: f.Normalize, values: f.MaxItems,
		fields: f.Fields, parent: parent, file: fileOf(f), unjudged: f.Rules == "-"}
}

// field is the schema of one field.
func (b *builder) field(f checklist.Field, parent reflect.Type) object {
	s := b.input(f.Type, placeOf(f, parent))
	if f.HasDefault {
		s.set("default", textValue(f.Default, f.Type, input.Source(f.In)))
	}
	return s
}

// input is the schema of what may be sent for a value of type t.
func (b *builder) input(t reflect.Type, at place) object {
	shape, elem := input.ShapeOf(t, at.source)
	switch shape {
	case input.ShapePointer:
		at.pointer = true
		return b.input(elem, at)
	case input.ShapeOptional:
		at.pointer = true
		if at.source == input.FromJSON && !has(at.rules, "required") {
			return nullable(b.input(elem, at))
		}
		return b.input(elem, at)
	case input.ShapeStruct:
		return b.inputStruct(t, at)
	}
	s := b.shape(t, shape, elem, at)
	if at.normalize != "" && shape == input.ShapeString {
		s.set("x-guard-normalize", at.normalize)
	}
	b.judge(&s, subject{t: t, shape: shape, place: at})
	if input.HasValidate(t) {
		note(&s, "Validate", validateText)
	}
	return s
}

const validateText = "A rule of the service's own decides, too."

// shape is the schema of a type without its rules.
func (b *builder) shape(t reflect.Type, shape input.Shape, elem reflect.Type, at place) object {
	switch shape {
	case input.ShapeBool:
		return object{{"type", "boolean"}}
	case input.ShapeInt, input.ShapeUint:
		return integer(t)
	case input.ShapeFloat:
		return object{{"type", "number"}, {"format", map[bool]string{true: "float", false: "double"}[t.Bits() == 32]}}
	case input.ShapeBytes:
		return base64Text(t)
	case input.ShapeAny, input.ShapeRaw:
		return object{{"description", "Any JSON of at most " + strconv.Itoa(at.values) + " values."}, {"x-guard-max-values", at.values}}
	case input.ShapeCustom:
		return object{}
	case input.ShapeSlice, input.ShapeArray:
		return b.list(t, shape, elem, at)
	case input.ShapeMap:
		return b.mapping(t, elem, at)
	case input.ShapeFile:
		return at.file(object{{"type", "string"}})
	}
	return append(object{{"type", "string"}}, textFormats[shape]...)
}

const (
	hexUUID       = `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`
	goDuration    = `^-?([0-9]+(\.[0-9]+)?(ns|us|µs|μs|ms|s|m|h))+$`
	base64Fours   = `(?:[A-Za-z0-9+/]{4})`
	base64One     = `[A-Za-z0-9+/][AQgw]==` // the bits that no byte has are zero
	base64Two     = `[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=`
	paddedBase64  = `^` + base64Fours + `*(?:` + base64One + `|` + base64Two + `)?$`
	durationNote  = "A duration such as 90s or 1h30m."
	prefixNote    = "An IP prefix in canonical form, such as 192.0.2.0/24."
	timestampNote = "RFC 3339, with at most nine digits of a second's fraction."
)

// textFormats are the schemas of types that are decoded from text of one form.
var textFormats = map[input.Shape]object{
	input.ShapeTime:     {{"format", "date-time"}, {"description", timestampNote}},
	input.ShapeDuration: {{"pattern", goDuration}, {"description", durationNote}},
	input.ShapeUUID:     {{"format", "uuid"}, {"pattern", hexUUID}},
	input.ShapeAddr:     {{"anyOf", []object{{{"format", "ipv4"}}, {{"format", "ipv6"}}}}, {"description", "An IP address in canonical form."}},
	input.ShapePrefix: {{"pattern", `^[0-9a-f.:]+/[0-9]{1,3}$`}, {"description", prefixNote},
		{"examples", []string{"192.0.2.0/24", "2001:db8::/32"}}, {"x-guard-rules", []string{"cidr"}}},
}

// integer bounds what is narrower than a JSON number is exact. The width of int is the widest one, so
// that the document does not depend on the machine.
func integer(t reflect.Type) object {
	s := object{{"type", "integer"}}
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		s.set("format", "int64")
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		s = append(s, object{{"format", "uint64"}, {"minimum", number("0")}}...)
	case reflect.Int8, reflect.Int16, reflect.Int32:
		limit := int64(1) << (t.Bits() - 1)
		s = append(s, object{{"format", t.Kind().String()}, {"minimum", whole(-limit)}, {"maximum", whole(limit - 1)}}...)
	default:
		s = append(s, object{{"format", t.Kind().String()}, {"minimum", number("0")}, {"maximum", whole(int64(1)<<t.Bits() - 1)}}...)
	}
	return s
}

func whole(n int64) jsontext.Value { return number(strconv.FormatInt(n, 10)) }

func base64Text(t reflect.Type) object {
	expression := paddedBase64
	if t.Kind() == reflect.Array {
		tail := []string{"", base64One, base64Two}[t.Len()%3]
		expression = "^" + base64Fours + "{" + strconv.Itoa(t.Len()/3) + "}" + tail + "$"
	}
	return object{{"type", "string"}, {"contentEncoding", "base64"}, {"pattern", expression}}
}

func (b *builder) list(t reflect.Type, shape input.Shape, elem reflect.Type, at place) object {
	most := input.MaxItems
	if at.source != input.FromJSON {
		most = input.MaxPairs
	}
	s := object{{"type", "array"}, {"items", b.input(elem, at.within())}}
	if shape == input.ShapeArray {
		return append(s, object{{"minItems", t.Len()}, {"maxItems", t.Len()}}...)
	}
	s.set("maxItems", at.rules.Max(most))
	return s
}

func (b *builder) mapping(t, elem reflect.Type, at place) object {
	keys := object{{"maxLength", input.MaxKeyBytes}}
	if at.rules != nil && at.rules.Keys != nil {
		of := subject{t: t.Key(), shape: input.ShapeString, place: place{source: at.source, rules: at.rules.Keys, parent: at.parent}}
		b.judge(&keys, of)
	}
	return object{{"type", "object"}, {"maxProperties", at.rules.Max(math.MaxInt32)}, {"propertyNames", keys},
		{"additionalProperties", b.input(elem, at.within())}}
}

// within is the place of the items of a list or the entries of a map.
func (at place) within() place {
	at.pointer = false
	if at.rules != nil {
		at.rules = at.rules.Items
	}
	return at
}

// inputStruct is a reference to the schema of a struct within a body.
func (b *builder) inputStruct(t reflect.Type, at place) object {
	if len(at.fields) > 0 {
		b.fields[t] = at.fields
	}
	r := roleInput
	if at.unjudged || has(at.rules, "structonly") {
		r = roleUnjudged
	}
	build := func() object { return b.members(t, b.fields[t], input.FromJSON, r) }
	s := object(nil)
	if t.Name() == "" {
		s = build()
	} else {
		s = b.schemas.of(t, r, build)
	}
	b.judge(&s, subject{t: t, shape: input.ShapeStruct, place: at})
	return s
}

// members is the schema of a struct: an object with these members and no others.
func (b *builder) members(t reflect.Type, fields []checklist.Field, source input.Source, r role) object {
	properties, required := object{}, []string(nil)
	for _, f := range fields {
		if input.Source(f.In) != source {
			continue
		}
		if r == roleUnjudged {
			f.Rules, f.Required = "-", false
		}
		properties.set(f.Name, b.field(f, t))
		if mustBeSent(f) {
			required = append(required, f.Name)
		}
	}
	s := object{{"type", "object"}, {"properties", properties}}
	if len(required) > 0 {
		s.set("required", required)
	}
	s.set("additionalProperties", false)
	if input.HasValidate(t) {
		note(&s, "Validate", validateText)
	}
	return s
}

// mustBeSent reports whether the guard refuses the absence of a field: because a rule says so, or
// because the zero value that it would have breaks one.
func mustBeSent(f checklist.Field) bool {
	return f.Required || !f.HasDefault && f.FileMax == 0 && input.RefusesAbsence(f.Type, f.Rules)
}

// fileOf adds the bounds of an uploaded file.
func fileOf(f checklist.Field) func(object) object {
	text := "A file of " + strings.Join(f.FileTypes, " or ") + ", at most " + checklist.Size(f.FileMax) + "."
	if f.FileDeclaredAny {
		text += " Its content decides what it is; the Content-Type of its part may be any, or be left out."
	}
	return func(s object) object {
		return append(s, object{{"format", "binary"}, {"contentMediaType", "application/octet-stream"}, {"description", text},
			{"x-guard-max-bytes", f.FileMax}}...)
	}
}

// nullable is a schema that takes null as well.
func nullable(s object) object {
	kind, plain := s.get("type").(string)
	for _, keyword := range []string{"enum", "const", "anyOf", "allOf", "not", "$ref"} {
		plain = plain && !s.has(keyword)
	}
	if len(s) == 0 || s.has("x-guard-max-values") {
		return s // null is among what it takes
	}
	if !plain {
		return object{{"anyOf", []object{s, {{"type", "null"}}}}}
	}
	s = slices.Clone(s)
	s.set("type", []string{kind, "null"})
	return s
}

// textValue is the JSON value of a parameter's text.
func textValue(text string, t reflect.Type, source input.Source) any {
	shape, elem := input.ShapeOf(t, source)
	switch shape {
	case input.ShapePointer, input.ShapeOptional:
		return textValue(text, elem, source)
	case input.ShapeBool:
		return text == "true"
	case input.ShapeInt, input.ShapeUint, input.ShapeFloat:
		return number(text)
	}
	return text
}
