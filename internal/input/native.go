package input

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
)

// natives are the rules of an input type, compiled. They say what validator says of the same tags, at a fraction of its cost.
//
// A type has them only if its validator is this package's own, whose rules are known, and if each of its fields is a plain
// value, a pointer to one or a slice of them, its own or that of an embedded struct. What is not understood completely is left to validator as a whole.
type natives []nativeField

type nativeField struct {
	field   *field
	pointer bool
	whenNil *problem // of a nil pointer; nil: nothing judges it
	rules   nativeRules
	items   *nativeRules // of a slice with dive
}

// nativeRules judge one value. The first that does not hold ends it.
type nativeRules struct {
	omitEmpty bool
	list      []nativeRule
}

type nativeRule struct {
	holds func(context.Context, reflect.Value) bool
	bad   *problem // of a value for which it does not hold
}

// nativeProblem describes a broken rule of the value that n is the node of. No native rule is about another field, so that
// everything it says is known beforehand.
func nativeProblem(rule alternative, n *node) *problem {
	t := n.value().typ
	return describe(subject{tag: rule.tag, param: rule.param, kind: t.Kind(), typ: t})
}

// compileNatives returns nil for a type that validator has to judge.
func compileNatives(root *structNode, v *validator.Validate) natives {
	if root.opaque {
		return nil
	}
	all := make(natives, 0, len(root.fields))
	for _, f := range root.fields {
		if !f.node.plain() {
			return nil
		}
		if f.level == nil {
			continue
		}
		n, ok := nativeOf(f, v)
		if !ok {
			return nil
		}
		all = append(all, n)
	}
	return all
}

// plain reports whether validator finds nothing below n to judge by itself: no struct, and no type that stands for another value.
func (n *node) plain() bool {
	if n == nil || standsForAnother(n.typ) {
		return false
	}
	switch n.op {
	case opString, opBool, opInt, opUint, opFloat, opTime, opDuration, opUUID, opBytes:
		return true
	case opPointer, opSlice:
		return n.elem.plain()
	}
	return false
}

// standsForAnother reports whether validator judges another value in the place of one of type t.
func standsForAnother(t reflect.Type) bool {
	_, valuer := reflect.PointerTo(t).MethodByName("ValidatorValue")
	return valuer
}

func nativeOf(f *field, v *validator.Validate) (nativeField, bool) {
	n := nativeField{field: f, pointer: f.node.op == opPointer}
	tokens, value := f.level.tokens, f.node
	if n.pointer {
		value = f.node.elem
		if len(tokens) == 0 || value.op == opSlice {
			return n, false
		}
		switch tokens[0].text {
		case "omitnil", "omitempty":
			tokens = tokens[1:]
		case "required":
			n.whenNil, tokens = nativeProblem(tokens[0].alts[0], value), tokens[1:]
		default:
			return n, false
		}
	}
	ok := n.rules.compile(tokens, value, v) && (!n.pointer || !n.rules.omitEmpty)
	if f.level.items != nil {
		n.items = &nativeRules{}
		ok = ok && value.op == opSlice && f.level.items.items == nil && n.items.compile(f.level.items.tokens, value.elem, v)
	}
	return n, ok && f.level.keys == nil
}

// compile reports whether all tokens are understood for values of n.
func (r *nativeRules) compile(tokens []token, n *node, v *validator.Validate) bool {
	for i, t := range tokens {
		if len(t.alts) != 1 {
			return false
		}
		if t.text == "omitempty" && i == 0 {
			r.omitEmpty = true
			continue
		}
		holds := nativeRuleOf(t, n, v)
		if holds == nil {
			return false
		}
		r.list = append(r.list, nativeRule{holds, nativeProblem(t.alts[0], n)})
	}
	return true
}

// nativeRuleOf returns nil for a rule that is not understood.
func nativeRuleOf(t token, n *node, v *validator.Validate) func(context.Context, reflect.Value) bool {
	rule := t.alts[0]
	switch {
	case t.text == "required" && n.op == opSlice:
		return func(_ context.Context, v reflect.Value) bool { return !v.IsNil() }
	case t.text == "required" && n.op <= opFloat:
		return func(_ context.Context, v reflect.Value) bool { return !v.IsZero() }
	case rule.tag == "oneof" && n.op == opString:
		words := splitWords(rule.param)
		return func(_ context.Context, v reflect.Value) bool { return slices.Contains(words, v.String()) }
	}
	if fits, own := ownConditions[t.text]; own && n.op == opString {
		return func(_ context.Context, v reflect.Value) bool { return fits(v.String()) }
	}
	if holds := nativeComparison(rule, n); holds != nil {
		return holds
	}
	if known := ruleTable[rule.tag]; n.op == opString && known.on&onString != 0 && known.refs == refNone && known.refuse == "" {
		return func(ctx context.Context, s reflect.Value) bool { return v.VarCtx(ctx, s.String(), t.text) == nil }
	}
	return nil
}

// nativeComparison compares a number, or the length of a string or slice, with a constant.
func nativeComparison(rule alternative, n *node) func(context.Context, reflect.Value) bool {
	if n.op == opUint || n.op == opFloat {
		return nil // rare, and each of the kinds would need a comparison of its own
	}
	limit, err := strconv.ParseInt(rule.param, 0, 64)
	if err != nil {
		return nil
	}
	var measure func(reflect.Value) int64
	switch n.op {
	case opString:
		measure = func(v reflect.Value) int64 { return length(v.String(), limit) }
	case opInt:
		measure = reflect.Value.Int
	case opSlice:
		measure = func(v reflect.Value) int64 { return int64(v.Len()) }
	default:
		return nil
	}
	switch rule.tag {
	case "min", "gte":
		return func(_ context.Context, v reflect.Value) bool { return measure(v) >= limit }
	case "max", "lte":
		return func(_ context.Context, v reflect.Value) bool { return measure(v) <= limit }
	case "gt":
		return func(_ context.Context, v reflect.Value) bool { return measure(v) > limit }
	case "lt":
		return func(_ context.Context, v reflect.Value) bool { return measure(v) < limit }
	case "len":
		return func(_ context.Context, v reflect.Value) bool { return measure(v) == limit }
	}
	return nil
}

// length returns the number of characters of s, or another number on the same side of limit: most texts, and the largest ones,
// need not be counted.
func length(s string, limit int64) int64 {
	most := int64(len(s))
	least := most / utf8.UTFMax
	switch {
	case most < limit:
		return most
	case least > limit:
		return least
	}
	return int64(utf8.RuneCountInString(s))
}

// judge records what the fields of the struct v break.
func (all natives) judge(ctx context.Context, v reflect.Value, out *collector) {
	for i := range all {
		if out.full {
			return
		}
		n := &all[i]
		value := n.field.in(v)
		if n.pointer {
			if value.IsNil() {
				if n.whenNil != nil {
					n.refuse(out, n.whenNil)
				}
				continue
			}
			value = value.Elem()
		}
		if bad := n.rules.broken(ctx, value); bad != nil {
			n.refuse(out, bad)
			continue
		}
		if n.items != nil && !(n.rules.omitEmpty && value.IsNil()) {
			n.judgeItems(ctx, value, out)
		}
	}
}

func (n *nativeField) judgeItems(ctx context.Context, v reflect.Value, out *collector) {
	path := []frame{{field: n.field}, {}}
	if n.field.source != FromJSON {
		path = path[:1] // a repeated parameter is one field to its caller
	}
	for i := 0; i < v.Len() && !out.full; i++ {
		if bad := n.items.broken(ctx, v.Index(i)); bad != nil {
			if len(path) > 1 {
				path[1].index = i
			}
			if !out.refused(path) {
				out.add(path, bad)
			}
		}
	}
}

// refuse records a broken rule of the field itself, unless something was already recorded there.
func (n *nativeField) refuse(out *collector, bad *problem) {
	if path := []frame{{field: n.field}}; !out.refused(path) {
		out.add(path, bad)
	}
}

// broken returns the problem of the first rule that does not hold, or nil.
func (r *nativeRules) broken(ctx context.Context, v reflect.Value) *problem {
	if r.omitEmpty && empty(v) {
		return nil
	}
	for i := range r.list {
		if !r.list[i].holds(ctx, v) {
			return r.list[i].bad
		}
	}
	return nil
}

// empty is what omitempty leaves out: of slices only nil.
func empty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice {
		return v.IsNil()
	}
	return v.IsZero()
}
