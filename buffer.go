package guard

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/routeguard/guard/internal/output"
)

// buffer is where the body of a response is made before its first byte is sent. It
// belongs to the exchange, and is another's with it: an io.Writer must not retain what
// it is given.
type buffer struct{ bytes.Buffer }

const (
	// minBuffer is what most bodies fit into, in bytes.
	minBuffer = 512
	// maxKeptBuffer is the size above which a buffer is left to the garbage collector.
	maxKeptBuffer = 16 << 10
)

// wipe clears all of b for another response.
func (b *buffer) wipe() {
	if b.Cap() > maxKeptBuffer {
		*b = buffer{}
		return
	}
	b.Reset()
	used := b.AvailableBuffer()
	clear(used[:cap(used)])
}

// encoding replaces invalid UTF-8 in a stored string instead of failing on it.
var encoding = jsontext.AllowInvalidUTF8(true)

// encode makes b the JSON of a handler's result, by the plan of its type where there
// is one.
func (b *buffer) encode(result any, plan *output.Plan) error {
	if out, ok := plan.Append(b.AvailableBuffer(), result); ok {
		b.Buffer = *bytes.NewBuffer(append(out, '\n'))
		return nil
	}
	if err := json.MarshalWrite(&b.Buffer, result, encoding); err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	b.WriteByte('\n')
	return nil
}

// planFor is how to encode what a handler returns as Out, nil where the library is to.
func planFor[Out any]() *output.Plan {
	t := resultOf[Out]()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return output.For(t)
}

// inside returns what p points to where that is a pointer or an interface, else p:
// with it, a result needs no copy on its way to the encoder.
func inside(p any) any {
	switch v := reflect.ValueOf(p).Elem(); v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.Interface()
	}
	return p
}
