package input

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// hooks finds the Validate methods of a struct: those of embedded structs, then its own. All of them run, also where Go
// would let an outer method or a shallower one hide another: a check that somebody wrote is not lost by embedding. A method that Go promotes
// is found twice and runs twice; its violations are the same and are reported once.
func (c *compiler) hooks(s *structNode) {
	c.embeddedHooks(s, s.typ, nil)
	if h, ok := hookOf(s.typ); ok {
		s.hooks = append(s.hooks, h)
		return
	}
	// The usual Validate() error would never be called, and its rule never hold.
	if m, ok := reflect.PointerTo(s.typ).MethodByName("Validate"); ok {
		c.mistakes = append(c.mistakes, fmt.Errorf("type %v: its Validate method is %v: write Validate(ctx context.Context) error, which is called, or another name",
			s.typ, withoutReceiver(m.Type)))
	}
}

// withoutReceiver is a method's type as it is written.
func withoutReceiver(t reflect.Type) reflect.Type {
	in := make([]reflect.Type, 0, t.NumIn())
	for i := 1; i < t.NumIn(); i++ {
		in = append(in, t.In(i))
	}
	out := make([]reflect.Type, 0, t.NumOut())
	for i := range t.NumOut() {
		out = append(out, t.Out(i))
	}
	return reflect.FuncOf(in, out, t.IsVariadic())
}

func (c *compiler) embeddedHooks(s *structNode, t reflect.Type, index []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		if !flattens(sf) {
			continue
		}
		at := append(slices.Clone(index), i)
		c.embeddedHooks(s, sf.Type, at)
		if h, ok := hookOf(sf.Type); ok {
			h.index = at
			s.hooks = append(s.hooks, h)
		}
	}
}

func hookOf(t reflect.Type) (hook, bool) {
	switch {
	case t.Implements(contextValidatorType):
		return hook{}, true
	case reflect.PointerTo(t).Implements(contextValidatorType):
		return hook{pointer: true}, true
	}
	return hook{}, false
}

// spreadHooks marks what has a Validate method at or below it. Types may contain themselves, so that it repeats until
// nothing changes.
func (c *compiler) spreadHooks(top *structNode) {
	all := []*structNode{top}
	for _, s := range c.nested {
		all = append(all, s)
	}
	for changed := true; changed; {
		changed = false
		for _, s := range all {
			hooked := len(s.hooks) > 0
			for _, f := range s.fields {
				hooked = f.node.spreadHooks() || hooked
			}
			changed = changed || hooked && !s.hooked
			s.hooked = s.hooked || hooked
		}
	}
}

func (n *node) spreadHooks() bool {
	if n == nil {
		return false
	}
	_, own := hookOf(n.typ)
	n.hasHook = own && n.op != opStruct && n.op != opOptional && n.op != opPointer
	n.hooked = n.hasHook || n.elem.spreadHooks() || n.st != nil && n.st.hooked
	return n.hooked
}

// runHooks runs every Validate method below the input struct, inner ones first, and gathers what they refuse.
func (p *Plan) runHooks(ctx context.Context, v reflect.Value, out *collector) error {
	h := hookRun{ctx: ctx, out: out}
	h.structs(p.root, v)
	return h.err
}

// hookRun is one walk over the decoded values.
type hookRun struct {
	ctx  context.Context
	out  *collector
	path []frame
	err  error
}

func (h *hookRun) structs(s *structNode, v reflect.Value) {
	if !s.hooked {
		return
	}
	for _, f := range s.fields {
		if h.stop() {
			return
		}
		h.path = append(h.path, frame{field: f})
		h.value(f.node, f.in(v))
		h.path = h.path[:len(h.path)-1]
	}
	for _, one := range s.hooks {
		inner := v
		for _, i := range one.index {
			inner = inner.Field(i)
		}
		// An embedded struct of an unexported type is out of reach for reflect but for its address.
		h.call(s, one, reflect.NewAt(inner.Type(), inner.Addr().UnsafePointer()).Elem())
	}
}

func (h *hookRun) stop() bool { return h.err != nil || h.out.full }

func (h *hookRun) value(n *node, v reflect.Value) {
	if h.stop() || !n.hooked {
		return
	}
	switch n.op {
	case opStruct:
		h.structs(n.st, v)
		return
	case opPointer:
		if !v.IsNil() {
			h.value(n.elem, v.Elem())
		}
		return
	case opOptional:
		if state, inner := v.Addr().Interface().(optional).current(); state == optionalValue {
			h.value(n.elem, inner)
		}
		return
	case opSlice, opArray:
		for i := range v.Len() {
			h.path = append(h.path, frame{index: i})
			h.value(n.elem, v.Index(i))
			h.path = h.path[:len(h.path)-1]
		}
	case opMap:
		h.entries(n, v)
	}
	if n.hasHook {
		one, _ := hookOf(n.typ)
		h.call(nil, one, v)
	}
}

// entries visits the values of a map. They are not addressable, so that a pointer method gets a copy.
func (h *hookRun) entries(n *node, v reflect.Value) {
	h.path = append(h.path, frame{entry: true})
	for iter := v.MapRange(); iter.Next(); {
		elem := reflect.New(n.typ.Elem()).Elem()
		elem.Set(iter.Value())
		h.value(n.elem, elem)
		v.SetMapIndex(iter.Key(), elem)
	}
	h.path = h.path[:len(h.path)-1]
}

// call runs one Validate method.
func (h *hookRun) call(s *structNode, one hook, v reflect.Value) {
	if h.stop() {
		return
	}
	defer func() {
		if caught := recover(); caught != nil {
			if caught == http.ErrAbortHandler {
				panic(caught)
			}
			h.err = panicError(fmt.Sprintf("Validate of %v", v.Type()), caught)
		}
	}()
	if one.pointer {
		v = v.Addr()
	}
	var list []Violation
	if err := fieldErrors(v.Interface().(contextValidator).Validate(h.ctx), &list); err != nil {
		h.err = fmt.Errorf("input: Validate of %v: %w", v.Type(), err)
		return
	}
	for _, bad := range list {
		path := resolve(h.path, s, bad.Pointer)
		h.out.add(path, &problem{code: publicCode(bad.Code), message: publicMessage(bad.Message), param: bad.Param, rule: true})
	}
}

// resolve turns a pointer relative to a value into a path of the plan. What the plan does not know is cut, since it
// could be the caller's text.
func resolve(base []frame, s *structNode, pointer string) []frame {
	path := append([]frame(nil), base...)
	source, name, ok := strings.Cut(pointer, "/")
	if ok && source != "" {
		if s == nil {
			return path
		}
		for _, f := range s.fields {
			if string(f.source) == source && f.name == name {
				return append(path, frame{field: f})
			}
		}
		return path
	}
	if !strings.HasPrefix(pointer, "/") {
		return path
	}
	var n *node
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch {
		case s != nil:
			f, known := s.byName[unescape.Replace(part)]
			if !known {
				return path
			}
			path = append(path, frame{field: f})
			n = f.node.value()
		case n != nil && (n.op == opSlice || n.op == opArray):
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 {
				return path
			}
			path = append(path, frame{index: i})
			n = n.elem.value()
		default:
			return path
		}
		s = nil
		if n != nil {
			s = n.st
		}
	}
	return path
}

// publicCode keeps a code that is stable snake_case.
func publicCode(code string) string {
	if code == "" || len(code) > 64 {
		return "invalid"
	}
	for i := 0; i < len(code); i++ {
		if c := code[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return "invalid"
		}
	}
	return code
}

func publicMessage(m string) string {
	if m == "" {
		return "is invalid"
	}
	return m
}
