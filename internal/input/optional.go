package input

import (
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Optional is a field that may be absent, null or a value. The zero Optional is absent.
//
// In a JSON body all three states are told apart; in a query, header or form a field is absent or has a value. The field's validate rules
// judge the value when there is one; required asks for a value, so that null and absent fail it. Optional is a plain value: it may be copied, and it
// is as safe for concurrent use as a V is.
//
// A service that writes an Optional back as JSON adds omitzero to the field's tag, so that absent stays absent.
type Optional[V any] struct {
	value V
	state optionalState
}

type optionalState uint8

const (
	optionalAbsent optionalState = iota
	optionalNull
	optionalValue
)

// Some returns an Optional that has the value v.
func Some[V any](v V) Optional[V] { return Optional[V]{value: v, state: optionalValue} }

// Null returns an Optional that is null.
func Null[V any]() Optional[V] { return Optional[V]{state: optionalNull} }

// Value returns the value and true, or false when the field was absent or null.
func (o Optional[V]) Value() (V, bool) { return o.value, o.state == optionalValue }

// IsSet reports whether the field was present, with a value or as null.
func (o Optional[V]) IsSet() bool { return o.state != optionalAbsent }

// IsNull reports whether the field was present as null.
func (o Optional[V]) IsNull() bool { return o.state == optionalNull }

// IsZero reports whether the field was absent, which is what the omitzero tag option asks.
func (o Optional[V]) IsZero() bool { return o.state == optionalAbsent }

// ValidatorValue gives validator a pointer to the value, nil when there is none.
func (o Optional[V]) ValidatorValue() any {
	if o.state != optionalValue {
		return (*V)(nil)
	}
	return &o.value
}

// MarshalJSONTo writes the value, or null when the field was absent or null.
func (o Optional[V]) MarshalJSONTo(enc *jsontext.Encoder) error {
	if o.state != optionalValue {
		return enc.WriteToken(jsontext.Null)
	}
	return json.MarshalEncode(enc, &o.value)
}

// UnmarshalJSONFrom reads null or a value.
func (o *Optional[V]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*o = Optional[V]{}
	if dec.PeekKind() == 'n' {
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
		o.state = optionalNull
		return nil
	}
	if err := json.UnmarshalDecode(dec, &o.value); err != nil {
		return err
	}
	o.state = optionalValue
	return nil
}

// MarshalJSON writes the value, or null when the field was absent or null.
func (o Optional[V]) MarshalJSON() ([]byte, error) { return json.Marshal(o) }

// UnmarshalJSON reads null or a value.
func (o *Optional[V]) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, o) }

// optional is how the decoder fills an Optional without knowing its V.
type optional interface {
	target() reflect.Value // the settable V
	mark(s optionalState)  // makes the state known
	current() (optionalState, reflect.Value)
}

func (o *Optional[V]) target() reflect.Value { return reflect.ValueOf(&o.value).Elem() }

func (o *Optional[V]) mark(s optionalState) { o.state = s }

func (o *Optional[V]) current() (optionalState, reflect.Value) { return o.state, o.target() }

var optionalType = reflect.TypeFor[optional]()
