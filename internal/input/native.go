package input

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
)

// natives are the rules of an input type, compiled. They say what validator says of the same tags, at a fraction of its cost.
//
// A type has them only if its validator is this package's own, whose rules are known, and if each of its fields is a plain
// value, a struct of such fields, or a pointer to one of these, an Optional or a slice of them. What is not understood
// completely is left to validator as a whole.
type natives []nativeField

type nativeField struct {
	field   *field
	whenNil *problem // of a nil pointer or an Optional without a value; nil: nothing judges it
	rules   nativeRules
	items   *nativeRules // of a slice with dive
	inner   *natives     // of the struct that the value is, or that each item is; nil: it is none
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
	c := nativeCompiler{validate: v, done: map[*structNode]*natives{}}
	if all, ok := c.structure(root); ok {
		return *all
	}
	return nil
}

// nativeCompiler compiles each struct once, so that recursive types end. Its methods return false for what is not understood.
type nativeCompiler struct {
	validate *validator.Validate
	done     map[*structNode]*natives
}

// structure compiles the fields of a struct. In a recursive type the result is filled after it was used.
func (c *nativeCompiler) structure(s *structNode) (*natives, bool) {
	if all, ok := c.done[s]; ok {
		return all, true
	}
	list := make(natives, 0, len(s.fields))
	all := &list
	c.done[s] = all
	for _, f := range s.fields {
		plain := f.node.plain() || f.node.op == opOptional && f.node.elem.plain()
		if f.validate == "-" || plain && f.level == nil {
			continue
		}
		n := nativeField{field: f}
		if !plain && !c.inner(&n) || !c.rules(&n) {
			return nil, false
		}
		*all = append(*all, n)
	}
	return all, !s.opaque
}

// inner compiles the struct that a field or each of its items is, which a pointer may lead to.
func (c *nativeCompiler) inner(n *nativeField) bool {
	value := n.field.node
	switch {
	case value.op == opOptional:
		value = value.elem
	case value.op == opSlice && !standsForAnother(value.typ):
		value = value.elem
	}
	if value.op == opPointer && !standsForAnother(value.typ) {
		value = value.elem
	}
	if value.op != opStruct || standsForAnother(value.typ) {
		return false
	}
	inner, ok := c.structure(value.st)
	if n.field.node.op != opSlice || n.field.level.dive() != nil {
		n.inner = inner
	}
	return ok
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

// rules compiles the rules of a field and of its items.
func (c *nativeCompiler) rules(n *nativeField) bool {
	level, value := n.field.level, n.field.node
	if level == nil {
		return true
	}
	tokens := level.tokens
	if value.op == opPointer || value.op == opOptional {
		var ok bool
		if tokens, ok = n.presence(tokens); !ok {
			return false
		}
		value = value.elem
	}
	if level.keys != nil || !n.rules.compile(tokens, value, c.validate) ||
		n.rules.omitEmpty && (value.op == opStruct || value != n.field.node) {
		return false
	}
	items := level.items
	if items == nil {
		return true
	}
	n.items = &nativeRules{}
	return value.op == opSlice && items.items == nil && items.keys == nil && n.items.compile(items.tokens, value.elem, c.validate) &&
		!(n.items.omitEmpty && n.inner != nil)
}

// presence takes the rules about whether a pointer or an Optional has a value from tokens, and returns those about the value.
func (n *nativeField) presence(tokens []token) ([]token, bool) {
	at := n.field.node
	if len(tokens) == 0 || at.elem.op == opSlice {
		return nil, false
	}
	first := tokens[0].text
	switch {
	case first == "omitnil", first == "omitempty":
		tokens = tokens[1:]
	case first == "required":
		n.whenNil = nativeProblem(tokens[0].alts[0], at.elem)
	case at.op == opPointer, n.field.level.has("required"):
		return nil, false
	}
	// What is there may be zero: required asks for the presence alone.
	return slices.DeleteFunc(slices.Clone(tokens), func(t token) bool { return t.text == "required" }), true
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
	limit, err := strconv.ParseInt(rule.param, 0, 64)
	low, high := between(rule.tag, limit)
	if err != nil || low > high {
		return nil
	}
	switch n.op {
	case opString:
		return func(_ context.Context, v reflect.Value) bool {
			characters := length(v.String(), limit)
			return low <= characters && characters <= high
		}
	case opInt:
		return func(_ context.Context, v reflect.Value) bool { return low <= v.Int() && v.Int() <= high }
	case opSlice:
		return func(_ context.Context, v reflect.Value) bool { return low <= int64(v.Len()) && int64(v.Len()) <= high }
	}
	return nil
}

// between returns the least and the largest number that a comparison with limit allows. Of another rule, and of a comparison
// that no number passes, the least is above the largest.
func between(tag string, limit int64) (low, high int64) {
	low, high = math.MinInt64, math.MaxInt64
	switch {
	case tag == "min", tag == "gte":
		low = limit
	case tag == "max", tag == "lte":
		high = limit
	case tag == "gt" && limit < high:
		low = limit + 1
	case tag == "lt" && limit > low:
		high = limit - 1
	case tag == "len":
		low, high = limit, limit
	default:
		low, high = high, low
	}
	return low, high
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
	count := int64(0)
	for range s {
		if count++; count > limit {
			break
		}
	}
	return count
}

// nativeRun is one walk over a decoded struct, which records what it breaks.
type nativeRun struct {
	ctx  context.Context
	out  *collector
	path []frame
}

func (r *nativeRun) fields(all natives, v reflect.Value) {
	for i := 0; i < len(all) && !r.out.full; i++ {
		n := &all[i]
		bad, leaf := n.whenNil, true
		value, ok := n.value(v)
		if ok {
			bad, leaf = n.rules.broken(r.ctx, value), n.items == nil && n.inner == nil
		}
		if bad == nil && leaf {
			continue
		}
		r.path = append(r.path, frame{field: n.field})
		switch {
		case bad != nil:
			r.refuse(bad)
		case n.items != nil:
			r.items(n, value)
		default:
			r.fields(*n.inner, value)
		}
		r.path = r.path[:len(r.path)-1]
	}
}

// value returns the value that is judged of the struct v, or false when there is none.
func (n *nativeField) value(v reflect.Value) (reflect.Value, bool) {
	v = n.field.in(v)
	switch n.field.node.op {
	case opPointer:
		return v.Elem(), !v.IsNil()
	case opOptional:
		state, inner := v.Addr().Interface().(optional).current()
		return inner, state == optionalValue
	}
	return v, true
}

func (r *nativeRun) items(n *nativeField, v reflect.Value) {
	for i := 0; i < v.Len() && !r.out.full; i++ {
		depth := len(r.path)
		if n.field.source == FromJSON { // a repeated parameter is one field to its caller
			r.path = append(r.path, frame{index: i})
		}
		item := v.Index(i)
		if bad := n.items.broken(r.ctx, item); bad != nil {
			r.refuse(bad)
		} else if n.inner != nil {
			r.fields(*n.inner, reflect.Indirect(item))
		}
		r.path = r.path[:depth]
	}
}

// refuse records a problem, unless something was already recorded there.
func (r *nativeRun) refuse(bad *problem) {
	if !r.out.refused(r.path) {
		r.out.add(r.path, bad)
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
