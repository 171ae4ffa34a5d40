package input

import (
	"bytes"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// tooMany is the problem of a container with more than n elements.
func tooMany(n int, unit string) *problem {
	return &problem{code: "max", message: "must have at most " + plural(n, unit), param: strconv.Itoa(n), rule: true}
}

// slice decodes an array into a slice. The bound holds while decoding: what would be refused is never built.
func (d *jsonDecoder) slice(n *node, v reflect.Value) bool {
	if !d.open() {
		return false
	}
	v.Set(reflect.MakeSlice(n.typ, 0, 0))
	for i := 0; ; i++ {
		if more, ok := d.more(']'); !more {
			return ok
		}
		if i == n.max {
			return d.noted(tooMany(n.max, "item")) && d.skipRest(']')
		}
		v.Grow(1)
		v.SetLen(i + 1)
		d.path = append(d.path, frame{index: i})
		if !d.value(n.elem, v.Index(i)) {
			return false
		}
		d.path = d.path[:len(d.path)-1]
	}
}

// array decodes an array into a Go array, which must be filled exactly.
func (d *jsonDecoder) array(n *node, v reflect.Value) bool {
	if !d.open() {
		return false
	}
	wrong := &problem{code: "len", message: "must have exactly " + plural(n.max, "item"), param: strconv.Itoa(n.max), rule: true}
	for i := 0; ; i++ {
		if more, ok := d.more(']'); !more {
			if ok && i < n.max {
				return d.noted(wrong)
			}
			return ok
		}
		if i == n.max {
			return d.noted(wrong) && d.skipRest(']')
		}
		d.path = append(d.path, frame{index: i})
		if !d.value(n.elem, v.Index(i)) {
			return false
		}
		d.path = d.path[:len(d.path)-1]
	}
}

// mapping decodes an object into a map.
func (d *jsonDecoder) mapping(n *node, v reflect.Value) bool {
	if !d.open() {
		return false
	}
	m := reflect.MakeMap(n.typ)
	v.Set(m)
	for i := 0; ; i++ {
		if more, ok := d.more('}'); !more {
			return ok
		}
		if i == n.max {
			return d.noted(tooMany(n.max, "entry")) && d.skipRest('}')
		}
		name, err := d.name()
		if err != nil {
			return d.syntax(err)
		}
		if len(name) > MaxKeyBytes {
			if !d.note(longKey) {
				return false
			}
			continue
		}
		key := reflect.New(n.typ.Key()).Elem()
		key.SetString(string(name))
		elem := reflect.New(n.typ.Elem()).Elem()
		d.path = append(d.path, frame{entry: true})
		if !d.value(n.elem, elem) {
			return false
		}
		d.path = d.path[:len(d.path)-1]
		m.SetMapIndex(key, elem)
	}
}

// skipRest skips to the end of the open object or array. The next token is a member name or an item.
func (d *jsonDecoder) skipRest(end jsontext.Kind) bool {
	for {
		if more, ok := d.more(end); !more {
			return ok
		}
		if err := d.dec.SkipValue(); err != nil {
			return d.syntax(err)
		}
	}
}

// any decodes an arbitrary value within the field's budget: string, float64, bool, nil, []any, map[string]any.
func (d *jsonDecoder) any(n *node, v reflect.Value) bool {
	if d.budget == 0 {
		return d.overBudget(n)
	}
	d.budget--
	kind := d.dec.PeekKind()
	switch kind {
	case '{':
		return d.anyObject(n, v)
	case '[':
		return d.anyArray(n, v)
	case 0, '}', ']':
		_, err := d.dec.ReadValue()
		return d.syntax(err)
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		return d.syntax(err)
	}
	switch kind {
	case 'n':
		v.SetZero()
	case 't', 'f':
		v.Set(reflect.ValueOf(kind == 't'))
	case '"':
		text, err := d.unquote(raw)
		if err != nil {
			return d.syntax(err)
		}
		v.Set(reflect.ValueOf(string(text)))
	default:
		f, bad := parseFloat(string(raw), 64)
		if bad != nil {
			return d.noted(bad)
		}
		v.Set(reflect.ValueOf(f))
	}
	return true
}

// overBudget ends the walk at the field whose bound is passed, wherever in it the walk stands.
func (d *jsonDecoder) overBudget(n *node) bool {
	for len(d.path) > 0 && d.path[len(d.path)-1].field == nil {
		d.path = d.path[:len(d.path)-1]
	}
	p := tooMany(n.max, "value")
	p.rule = false // nobody has looked at the rest of the body
	return d.fail(p)
}

func (d *jsonDecoder) anyObject(n *node, v reflect.Value) bool {
	if !d.open() {
		return false
	}
	m := map[string]any{}
	v.Set(reflect.ValueOf(m))
	for {
		if more, ok := d.more('}'); !more {
			return ok
		}
		name, err := d.name()
		if err != nil {
			return d.syntax(err)
		}
		key := string(name)
		if len(key) > MaxKeyBytes {
			return d.fail(longKey)
		}
		var elem any
		d.path = append(d.path, frame{entry: true})
		if !d.any(n, reflect.ValueOf(&elem).Elem()) {
			return false
		}
		d.path = d.path[:len(d.path)-1]
		m[key] = elem
	}
}

func (d *jsonDecoder) anyArray(n *node, v reflect.Value) bool {
	if !d.open() {
		return false
	}
	list := []any{}
	for {
		if more, ok := d.more(']'); !more {
			v.Set(reflect.ValueOf(list))
			return ok
		}
		var elem any
		d.path = append(d.path, frame{entry: true})
		if !d.any(n, reflect.ValueOf(&elem).Elem()) {
			return false
		}
		d.path = d.path[:len(d.path)-1]
		list = append(list, elem)
	}
}

// raw keeps an arbitrary value as a copy of its text.
func (d *jsonDecoder) raw(n *node, v reflect.Value) bool {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return d.syntax(err)
	}
	values, depth := measure(raw)
	switch {
	case d.dec.StackDepth()+depth > MaxDepth:
		return d.fail(tooDeep)
	case values > d.budget:
		return d.overBudget(n)
	}
	d.budget -= values
	v.SetBytes(bytes.Clone(raw))
	return true
}

// measure counts the values of a valid JSON text, member names left out, and how deep it nests.
func measure(raw []byte) (values, depth int) {
	open := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
			values++
		case ':':
			values-- // the string before it was a name
		case '{', '[':
			values++
			open++
			depth = max(depth, open)
		case '}', ']':
			open--
		case ' ', '\t', '\r', '\n', ',':
		default:
			values++
			for i+1 < len(raw) && !bytes.ContainsRune([]byte(" \t\r\n,]}"), rune(raw[i+1])) {
				i++
			}
		}
	}
	return values, depth
}
