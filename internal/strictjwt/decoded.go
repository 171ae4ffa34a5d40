package strictjwt

import (
	"encoding"
	"reflect"
	"sync/atomic"

	"github.com/go-json-experiment/json"
)

// kept is the claims of one token as text, and as what they were last decoded into.
// All copies of its Claims share it, and so do the requests of one cached token.
type kept struct {
	text  *string   // fmt shows what a struct holds, and of a string in it the address
	types *typeMemo // of the cache that holds it; nil where none does
	last  atomic.Pointer[decoded]
}

type decoded struct {
	into  reflect.Type // a pointer
	value reflect.Value
}

// repeat sets dst to what the same text gave before.
func (k *kept) repeat(dst reflect.Value) bool {
	last := k.last.Load()
	if last == nil || last.into != dst.Type() {
		return false
	}
	dst.Elem().Set(last.value)
	return true
}

// remember keeps a copy of what dst points to, where a copy shares nothing that
// can be changed.
func (k *kept) remember(dst reflect.Value) {
	if k.types == nil || !k.types.flat(dst.Type().Elem()) {
		return
	}
	d := k.types.value.Load()
	if d == nil || d.into != dst.Type() || !d.value.Equal(dst.Elem()) {
		d = &decoded{dst.Type(), reflect.New(dst.Type().Elem()).Elem()}
		d.value.Set(dst.Elem())
		k.types.value.Store(d)
	}
	k.last.Store(d)
}

// fresh reports whether dst is a pointer to a zero value. Decoding into any other
// merges with what is there.
func fresh(dst reflect.Value) bool {
	return dst.Kind() == reflect.Pointer && !dst.IsNil() && dst.Elem().IsZero()
}

// maxDecoded bounds what one token may keep: a few claims, not an array of them.
const maxDecoded = 256

var unmarshalers = []reflect.Type{reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[json.UnmarshalerFrom](), reflect.TypeFor[encoding.TextUnmarshaler]()}

// typeMemo remembers what flat says of a type: a service decodes into one, and to look
// through it takes as long as to keep what came out.
//
// It also remembers the last value that was kept. Where that is little more than a role,
// most tokens have an equal one and share it: of many users, each one's own would have
// left the processor's caches when their next request comes.
type typeMemo struct {
	last  atomic.Pointer[knownType]
	value atomic.Pointer[decoded]
}

type knownType struct {
	of   reflect.Type
	flat bool
}

func (m *typeMemo) flat(t reflect.Type) bool {
	if last := m.last.Load(); last != nil && last.of == t {
		return last.flat
	}
	known := &knownType{t, flat(t)}
	m.last.Store(known)
	return known.flat
}

// flat reports whether t is strings, numbers and booleans, decoded by no code of
// its own, which could answer differently the next time.
func flat(t reflect.Type) bool {
	if t.Size() > maxDecoded {
		return false
	}
	for _, u := range unmarshalers {
		if reflect.PointerTo(t).Implements(u) {
			return false
		}
	}
	switch k := t.Kind(); {
	case k == reflect.Struct:
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
		return true
	case k == reflect.String, k == reflect.Bool, k >= reflect.Int && k <= reflect.Float64:
		return true
	}
	return false
}
