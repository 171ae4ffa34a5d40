package input

import (
	"reflect"
	"time"
)

// samplesOf returns values of t that differ in what rules look at: zero and not, and for any everything that JSON decodes to.
func samplesOf(t reflect.Type) []any {
	if t.Kind() == reflect.Interface {
		return []any{"1", 1.0, true, map[string]any{"1": "1"}, []any{"1"}}
	}
	zero, filled := reflect.New(t).Elem(), reflect.New(t).Elem()
	fill(filled, 3)
	return []any{zero.Interface(), filled.Interface()}
}

// fill sets everything that v holds to something that is not zero, depth levels deep.
func fill(v reflect.Value, depth int) {
	if !v.CanSet() || depth == 0 {
		return
	}
	switch t := v.Type(); {
	case t == timeType:
		v.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
		return
	case reflect.PointerTo(t).Implements(optionalType):
		o := v.Addr().Interface().(optional)
		o.mark(optionalValue)
		fill(o.target(), depth-1)
		return
	case isFile(t), opaque(t):
		return // what it holds is its own business
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("1")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth-1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), depth-1)
		fill(v.Index(1), depth-1)
	case reflect.Array:
		for i := range min(v.Len(), 2) {
			fill(v.Index(i), depth-1)
		}
	case reflect.Map:
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, 1)
		fill(elem, depth-1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, elem)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth-1)
		}
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf("1"))
		}
	}
}
