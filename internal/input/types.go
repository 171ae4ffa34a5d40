package input

import (
	"encoding"
	stdjson "encoding/json"
	"net/netip"
	"reflect"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// op says how a node is decoded.
type op uint8

const (
	opString op = iota
	opBool
	opInt
	opUint
	opFloat
	opTime
	opDuration
	opUUID
	opAddr
	opPrefix
	opText     // encoding.TextUnmarshaler
	opBytes    // base64 in a JSON string
	opCustom   // json.UnmarshalerFrom or json.Unmarshaler
	opAny      // any
	opRaw      // json.RawMessage or jsontext.Value
	opPointer  // *elem
	opOptional // Optional[elem]
	opSlice    // []elem
	opArray    // [max]elem
	opMap      // map[string]elem
	opStruct
	opFile
)

// node is a compiled type in the place where it stands: the same Go type compiles to different nodes under different tags.
type node struct {
	op     op
	typ    reflect.Type
	elem   *node
	st     *structNode
	max    int // items, entries, or JSON values
	norm   normalizer
	checks []check  // on text, before the validator sees it
	words  []string // texts that a rule expects
	batch  int      // of a *string in a JSON body: how many strings to make at once

	hasHook bool // the type, which is no struct, has a Validate method
	hooked  bool // it or something below it has
}

// nodeOptions are what a field's tags say about its node.
type nodeOptions struct {
	norm  normalizer
	any   int
	level *level
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	uuidType     = reflect.TypeFor[uuid.UUID]()
	addrType     = reflect.TypeFor[netip.Addr]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
	numberType   = reflect.TypeFor[stdjson.Number]()
	textPointer  = reflect.TypeFor[*string]()
	rawType      = reflect.TypeFor[stdjson.RawMessage]()
	valueType    = reflect.TypeFor[jsontext.Value]()
	anyType      = reflect.TypeFor[any]()
	byteType     = reflect.TypeFor[byte]()

	textType  = reflect.TypeFor[encoding.TextUnmarshaler]()
	json1Type = reflect.TypeFor[json.Unmarshaler]()
	json2Type = reflect.TypeFor[json.UnmarshalerFrom]()
)

// leaf returns how a type that is decoded as one piece is decoded.
func leaf(t reflect.Type) (op, bool) {
	switch t {
	case timeType:
		return opTime, true
	case durationType:
		return opDuration, true
	case uuidType:
		return opUUID, true
	case addrType:
		return opAddr, true
	case prefixType:
		return opPrefix, true
	case rawType, valueType:
		return opRaw, true
	}
	if isFile(t) {
		return opFile, true
	}
	p := reflect.PointerTo(t)
	switch {
	case p.Implements(optionalType):
		return opOptional, true
	case p.Implements(json2Type), p.Implements(json1Type):
		return opCustom, true
	case p.Implements(textType):
		return opText, true
	}
	return 0, false
}

func isLeaf(t reflect.Type) bool {
	_, ok := leaf(t)
	return ok
}

// scalar returns how a type without methods of its own is decoded from one token.
func scalar(t reflect.Type) (op, bool) {
	switch t.Kind() {
	case reflect.String:
		return opString, true
	case reflect.Bool:
		return opBool, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return opInt, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return opUint, true
	case reflect.Float32, reflect.Float64:
		return opFloat, true
	}
	return 0, false
}

// holdsText reports whether normalizing t means something.
func holdsText(t reflect.Type) bool {
	if o, ok := leaf(t); ok {
		return o == opOptional && holdsText(optionalElem(t))
	}
	switch t.Kind() {
	case reflect.String:
		return t != numberType
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsText(t.Elem())
	}
	return false
}

// optionalElem returns the V of an Optional[V].
func optionalElem(t reflect.Type) reflect.Type {
	return reflect.New(t).Interface().(optional).target().Type()
}

// textNode compiles the type of a path, query, header or form field.
func (c *compiler) textNode(t reflect.Type, f *field, opts nodeOptions, at string) *node {
	if t == numberType {
		c.mistake(at, "%s: keeps the caller's spelling: write int64, float64 or string", t)
		return nil
	}
	n := &node{typ: t, norm: opts.norm, checks: opts.level.checks()}
	if f.file != nil || isFile(t) {
		return c.fileNode(n, f, at)
	}
	if o, ok := leaf(t); ok && o != opCustom && o != opRaw {
		n.op = o
		if o != opOptional {
			return n
		}
		n.elem = c.textNode(optionalElem(t), &field{source: f.source}, opts, at)
		return c.single(n, at)
	}
	// A type with JSON methods may still read text, such as a number type of its own.
	if reflect.PointerTo(t).Implements(textType) {
		n.op = opText
		return n
	}
	if o, ok := scalar(t); ok {
		n.op = o
		return n
	}
	switch {
	case t.Kind() == reflect.Pointer:
		n.op, n.elem = opPointer, c.textNode(t.Elem(), &field{source: f.source}, opts, at)
		return c.single(n, at)
	case t.Kind() == reflect.Slice && f.source != FromPath && t.Elem() != byteType:
		n.op, n.max = opSlice, MaxPairs
		if declared, ok := opts.level.max(); ok {
			n.max = declared
		}
		opts.level = opts.level.dive()
		n.elem = c.textNode(t.Elem(), &field{source: f.source}, opts, at+"[]")
		return c.single(n, at)
	}
	c.mistake(at, "%s: cannot be read from %s text: write a string, number, bool, time, duration, UUID, IP address or a type with UnmarshalText",
		t, f.source)
	return nil
}

// single refuses a wrapper around another wrapper.
func (c *compiler) single(n *node, at string) *node {
	if n.elem == nil {
		return nil
	}
	switch n.elem.op {
	case opPointer, opOptional, opSlice:
		c.mistake(at, "%s: nests pointers, Optional or slices: write one of them around a plain type", n.typ)
		return nil
	}
	return n
}

// parseCount reads a positive decimal number.
func parseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, err
	}
	if n < 1 {
		return 0, strconv.ErrRange
	}
	return n, nil
}
