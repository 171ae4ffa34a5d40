package output

import (
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// A member is one of an object: a field of a struct.
type member struct {
	field     int
	name      string // as JSON, with the colon
	write     writer
	omitEmpty bool
	isZero    func(reflect.Value) bool // of omitzero, else nil
}

// members returns those of a plain struct, and none for any other.
func (p planner) members(t reflect.Type) []member {
	var list []member
	names := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		switch {
		case tag == "-", !f.IsExported() && !f.Anonymous && !tagged:
			continue
		case !f.IsExported(), f.Anonymous:
			return nil
		}
		m, plain := memberOf(f, tag)
		m.field, m.write = i, p.writer(f.Type)
		if !plain || m.write == nil || names[m.name] {
			return nil
		}
		names[m.name] = true
		list = append(list, m)
	}
	return list
}

// plainTag is a tag without quotes or anything else that has a meaning of its own.
var plainTag = regexp.MustCompile(`^[A-Za-z0-9_-]*(,omitempty|,omitzero)?$`)

// memberOf reports false where the field's tag or type asks for more than a plan does.
func memberOf(f reflect.StructField, tag string) (m member, plain bool) {
	if !plainTag.MatchString(tag) {
		return m, false
	}
	name, option, _ := strings.Cut(tag, ",")
	if name == "" {
		name = f.Name
	}
	quoted, _ := jsontext.AppendQuote(nil, name) // a Go name or ASCII: it is valid UTF-8
	m.name, m.omitEmpty = string(quoted)+":", option == "omitempty"
	switch {
	case option != "omitzero":
	case f.Type == timeType:
		m.isZero = isZeroTime
	case hasAny(f.Type, zeroers):
		return m, false
	default:
		m.isZero = reflect.Value.IsZero
	}
	return m, true
}

var zeroers = []reflect.Type{reflect.TypeFor[interface{ IsZero() bool }]()}

func isZeroTime(v reflect.Value) bool { return v.Addr().Interface().(*time.Time).IsZero() }

func objectOf(members []member) writer {
	if len(members) == 0 {
		return nil
	}
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		dst = append(dst, '{')
		start := len(dst)
		for i := range members {
			m := &members[i]
			value := v.Field(m.field)
			if m.isZero != nil && m.isZero(value) {
				continue
			}
			before := len(dst)
			if before > start {
				dst = append(dst, ',')
			}
			dst = append(dst, m.name...)
			at := len(dst)
			var err error
			if dst, err = m.write(dst, value); err != nil {
				return dst, err
			}
			if m.omitEmpty && isEmpty(dst[at:]) {
				dst = dst[:before]
			}
		}
		return append(dst, '}'), nil
	}
}

// isEmpty reports whether a JSON value is one that omitempty leaves out.
func isEmpty(value []byte) bool {
	switch string(value) {
	case "null", `""`, "{}", "[]":
		return true
	}
	return false
}
