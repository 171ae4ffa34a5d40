package checklist

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// maxTold bounds how deep a result is listed: deeper types are named only.
const maxTold = 8

// told lists what a result tells: a line for each member of its JSON, such as
// "/project/name string". Results without a struct are one line, nothing is none.
func told(t reflect.Type) []string {
	if t == nil {
		return nil
	}
	return tell(nil, "", t, maxTold)
}

func tell(all []string, at string, t reflect.Type, depth int) []string {
	element := t
	for element.Kind() == reflect.Pointer {
		element = element.Elem()
	}
	switch {
	case depth == 0 || writesItself(element):
	case element.Kind() == reflect.Struct:
		return tellFields(all, at, element, depth)
	case element.Kind() == reflect.Slice && element.Elem().Kind() != reflect.Uint8, element.Kind() == reflect.Array, element.Kind() == reflect.Map:
		return tell(all, at+"/*", element.Elem(), depth-1)
	}
	if at == "" {
		at = "/"
	}
	return append(all, at+" "+TypeName(t))
}

func tellFields(all []string, at string, t reflect.Type, depth int) []string {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-":
		case f.Anonymous && name == "" && structOf(f.Type) && !writesItself(f.Type):
			all = tell(all, at, f.Type, depth-1)
		case !f.IsExported():
		case name == "":
			all = tell(all, at+"/"+f.Name, f.Type, depth-1)
		default:
			all = tell(all, at+"/"+name, f.Type, depth-1)
		}
	}
	return all
}

func structOf(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}

// writesItself reports whether a type decides on its JSON by a method: its fields say nothing.
func writesItself(t reflect.Type) bool {
	for _, way := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(way) || reflect.PointerTo(t).Implements(way) {
			return true
		}
	}
	_, appends := t.MethodByName("MarshalJSONTo")
	return appends
}
