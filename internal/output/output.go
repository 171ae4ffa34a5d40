// Package output encodes the results of handlers.
//
// A plan is made once for a type and appends its values as JSON, byte for byte as
// github.com/go-json-experiment/json does, with that library's own quoting of texts
// and form of floats. There is a plan only for a type that is plain all the way
// down; every other type is left to the library. What a plan spares is the state
// that the library keeps for each value: two thirds of what a small result costs.
package output

import (
	"encoding"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// A Plan appends values of one type as JSON. It may be used by any number of
// goroutines. A nil Plan is for no type.
type Plan struct {
	typ   reflect.Type
	write writer
}

// A writer appends an addressable value of the type that it was made for.
type writer func(dst []byte, v reflect.Value) ([]byte, error)

// For makes the plan of a type, or returns nil where the type is for the library.
//
// Plain are booleans, integers, float64, texts, [time.Time], [uuid.UUID], and structs, slices
// and pointers of them: without methods that encode them, without embedded structs,
// and with no other options than omitempty and omitzero. A type that contains
// itself is not plain, so that no value can be a cycle.
func For(t reflect.Type) *Plan {
	if write := make(planner).writer(t); write != nil {
		return &Plan{t, write}
	}
	return nil
}

// Append appends what pointer points to. It reports false where the plan is not for
// it: another type, or a value that has no form in JSON. Then dst is as it was.
func (p *Plan) Append(dst []byte, pointer any) ([]byte, bool) {
	if p == nil {
		return dst, false
	}
	v := reflect.ValueOf(pointer)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Type().Elem() != p.typ {
		return dst, false
	}
	out, err := p.write(dst, v.Elem())
	if err != nil {
		return dst, false
	}
	return out, true
}

// planner holds the writers of the types met so far: nil for one that is not plain,
// and for one that is being planned, which contains itself where it is met again.
type planner map[reflect.Type]writer

func (p planner) writer(t reflect.Type) writer {
	w, met := p[t]
	if !met {
		p[t] = nil
		w = p.plan(t)
		p[t] = w
	}
	return w
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]() // the library has no form for it
	uuidType     = reflect.TypeFor[uuid.UUID]()
)

func (p planner) plan(t reflect.Type) writer {
	switch {
	case t == timeType:
		return writeTime
	case t == uuidType:
		return writeUUID
	case t.Kind() == reflect.Pointer:
		return pointerTo(p.writer(t.Elem()))
	case t == durationType || hasAny(t, encoders):
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		return writeString
	case reflect.Bool:
		return writeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return writeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return writeUint
	case reflect.Float64:
		return writeFloat
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return nil // base64
		}
		return sliceOf(p.writer(t.Elem()))
	case reflect.Struct:
		return objectOf(p.members(t))
	}
	return nil
}

var encoders = []reflect.Type{reflect.TypeFor[json.MarshalerTo](), reflect.TypeFor[json.Marshaler](),
	reflect.TypeFor[encoding.TextAppender](), reflect.TypeFor[encoding.TextMarshaler]()}

// hasAny reports whether a type or a pointer to it implements any of the interfaces.
func hasAny(t reflect.Type, interfaces []reflect.Type) bool {
	for _, i := range interfaces {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return false
}

func writeString(dst []byte, v reflect.Value) ([]byte, error) {
	dst, _ = jsontext.AppendQuote(dst, v.String()) // invalid UTF-8 becomes U+FFFD; the error says only that
	return dst, nil
}

func writeBool(dst []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendBool(dst, v.Bool()), nil
}

func writeInt(dst []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendInt(dst, v.Int(), 10), nil
}

func writeUint(dst []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendUint(dst, v.Uint(), 10), nil
}

var errNotFinite = errors.New("JSON has no form for what is not a finite number")

func writeFloat(dst []byte, v reflect.Value) ([]byte, error) {
	f := v.Float()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, errNotFinite
	}
	return append(dst, jsontext.Float(f).String()...), nil
}

// writeTime fails for a time that has no form in RFC 3339, such as one after the year 9999.
func writeTime(dst []byte, v reflect.Value) ([]byte, error) {
	dst, err := v.Addr().Interface().(*time.Time).AppendText(append(dst, '"'))
	return append(dst, '"'), err
}

// writeUUID is RFC 9562, section 4.
func writeUUID(dst []byte, v reflect.Value) ([]byte, error) {
	u := v.Addr().Interface().(*uuid.UUID)
	dst = hex.AppendEncode(append(dst, '"'), u[:4])
	dst = hex.AppendEncode(append(dst, '-'), u[4:6])
	dst = hex.AppendEncode(append(dst, '-'), u[6:8])
	dst = hex.AppendEncode(append(dst, '-'), u[8:10])
	dst = hex.AppendEncode(append(dst, '-'), u[10:])
	return append(dst, '"'), nil
}

func pointerTo(elem writer) writer {
	if elem == nil {
		return nil
	}
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return elem(dst, v.Elem())
	}
}

func sliceOf(elem writer) writer {
	if elem == nil {
		return nil
	}
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = elem(dst, v.Index(i)); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
}
