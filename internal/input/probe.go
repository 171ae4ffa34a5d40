package input

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// structural are words of a validate tag that are no rules.
var structural = []string{"omitempty", "omitnil", "omitzero", "structonly", "nostructlevel"}

// probe finds rules that do not exist, have a bad parameter, or cannot judge their field. validator itself panics at
// the first request that meets one, and is silent about many that can never hold.
//
// Each rule is looked up in the table of what it can judge, and then run alone on sample values of the field's
// type, in sample structs, so that no rule hides behind one that refuses first.
func (c *compiler) probe() {
	c.probeStruct(c.plan.root, "")
	done := map[*structNode]bool{}
	c.probeNested(c.plan.root, "", done)
	if len(c.mistakes) == 0 {
		c.probeWhole()
	}
}

// probeNested probes the structs below s once each.
func (c *compiler) probeNested(s *structNode, at string, done map[*structNode]bool) {
	for _, f := range s.fields {
		n := f.node
		for n != nil && n.st == nil {
			n = n.elem
		}
		if n == nil || done[n.st] {
			continue
		}
		done[n.st] = true
		inner := strings.TrimPrefix(at+"."+f.goPath, ".")
		c.probeStruct(n.st, inner)
		c.probeNested(n.st, inner, done)
	}
}

func (c *compiler) probeStruct(s *structNode, at string) {
	for _, f := range slices.Concat(s.fields, s.embedded) {
		c.probeDive(f, strings.TrimPrefix(at+"."+f.goPath, "."))
		if f.level == nil {
			continue
		}
		// validator looks for other fields in the struct that declares this one, which may be an embedded one.
		declaring := s.typ
		for _, i := range f.index[:len(f.index)-1] {
			declaring = declaring.Field(i).Type
		}
		name := strings.TrimPrefix(at+"."+f.goPath, ".")
		before := len(c.mistakes)
		c.probeOrder(f, name)
		c.probeLevel(f.level, f.typ, ruleScope{at: name, declaring: declaring, parents: samplesOf(declaring)})
		if len(c.mistakes) == before && f.hasDef {
			c.probeDefault(f, name)
		}
	}
}

// probeDive refuses structs with rules in a list or map that validator does not dive into: it says nothing, and judges
// none of them. validate:"-" says that this is meant.
func (c *compiler) probeDive(f *field, at string) {
	if f.validate == "-" {
		return
	}
	l := f.level
	for n := f.node.value(); n != nil; n = n.elem.value() {
		if n.op != opSlice && n.op != opArray && n.op != opMap {
			return
		}
		if l = l.dive(); l != nil {
			continue
		}
		for n != nil && n.st == nil {
			n = n.elem
		}
		if n != nil && n.st.judged(nil) {
			c.mistake(at, "validate: the rules in %s are not judged without dive: write validate:\"dive\" behind the other rules", n.typ)
		}
		return
	}
}

// judged reports whether a struct, or one within it, has rules.
func (s *structNode) judged(within []*structNode) bool {
	if slices.Contains(within, s) {
		return false
	}
	within = append(within, s)
	for _, f := range slices.Concat(s.fields, s.embedded) {
		if f.level != nil {
			return true
		}
		for n := f.node; n != nil; n = n.elem {
			if n.st != nil && n.st.judged(within) {
				return true
			}
		}
	}
	return false
}

// probeDefault refuses a default that the field's own rules refuse, since then every request without the field fails.
func (c *compiler) probeDefault(f *field, at string) {
	for _, t := range f.level.tokens {
		for _, alt := range t.alts {
			if ruleTable[alt.tag].refs != refNone {
				return
			}
		}
	}
	v := reflect.New(f.typ).Elem()
	if f.node.setText(v, f.def) != nil {
		return
	}
	refused, why := c.try(v.Interface(), reflect.New(c.plan.typ).Elem().Interface(), f.validate)
	if refused || why != "" {
		c.mistake(at, "default: %q is refused by validate:%q: write a default that the rules take", f.def, f.validate)
	}
}

// ruleScope is where a rule stands.
type ruleScope struct {
	at        string
	declaring reflect.Type // the struct that declares the field
	parents   []any        // samples of it
	nils      bool         // the rules may meet a nil pointer
}

// probeOrder checks the order of the rules of a pointer, Optional or any, which may be nil. validator runs a conditional rule
// on a nil too, and then panics in the next rule; and it does not get to a conditional rule behind one that refuses nil.
func (c *compiler) probeOrder(f *field, at string) {
	if f.node.op != opPointer && f.node.op != opOptional && f.node.op != opAny {
		return
	}
	conditional := ""
	for i, t := range f.level.tokens {
		tag := t.alts[0].tag
		switch {
		case tag != "required" && requires(tag):
			conditional = t.text
			if i > 0 && !requires(f.level.tokens[i-1].alts[0].tag) {
				c.mistake(at, "validate: %s must come first: write it before the other rules", t.text)
			}
		case tag == "omitempty", tag == "omitnil":
			conditional = ""
		case conditional != "":
			c.mistake(at, "validate: %s follows %s, which lets nil pass: write omitempty between them", t.text, conditional)
			return
		}
	}
}

// probeLevel probes one level of a type, then its keys and items.
func (c *compiler) probeLevel(l *level, t reflect.Type, scope ruleScope) {
	scope.nils = t != judged(t) && !l.has("omitnil") && !l.has("omitempty")
	t = judged(t)
	for _, tok := range l.tokens {
		if slices.Contains(structural, tok.text) {
			continue
		}
		for _, alt := range tok.alts {
			c.probeRule(alt, t, scope)
		}
	}
	if l.keys != nil {
		if t.Kind() != reflect.Map {
			c.mistake(scope.at, "validate: keys judges %s, which has none: write it on a map", t)
			return
		}
		c.probeLevel(l.keys, t.Key(), scope)
	}
	if l.items == nil {
		return
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		scope.at += "[]"
		c.probeLevel(l.items, t.Elem(), scope)
	default:
		c.mistake(scope.at, "validate: dive into %s, which has no items: write it on a slice, array or map", t)
	}
}

// judged is the type that rules see: behind pointers and Optional.
func judged(t reflect.Type) reflect.Type {
	for {
		switch {
		case t.Kind() == reflect.Pointer:
			t = t.Elem()
		case reflect.PointerTo(t).Implements(optionalType):
			t = optionalElem(t)
		default:
			return t
		}
	}
}

// probeRule checks one rule against one type.
func (c *compiler) probeRule(alt alternative, t reflect.Type, scope ruleScope) {
	if slices.Contains(structural, alt.tag) {
		c.mistake(scope.at, "validate: %s cannot be one of several alternatives: write it alone", alt.tag)
		return
	}
	if why := c.staticMistake(alt, t, scope); why != "" {
		c.mistake(scope.at, "%s", why)
		return
	}
	tag := alt.tag
	if alt.hasParam {
		tag += "=" + escapeParam.Replace(alt.param)
	}
	samples := samplesOf(t)
	if scope.nils {
		samples = append(samples, reflect.Zero(reflect.PointerTo(t)).Interface())
	}
	for _, parent := range scope.parents {
		for _, sample := range samples {
			if _, why := c.try(sample, parent, tag); why != "" {
				c.mistake(scope.at, "%s", explain(alt, t, why))
				return
			}
		}
	}
}

// staticMistake finds what the table of rules knows to be wrong.
func (c *compiler) staticMistake(alt alternative, t reflect.Type, scope ruleScope) string {
	r, known := ruleTable[alt.tag]
	if !known {
		return ""
	}
	switch {
	case r.refuse != "":
		return fmt.Sprintf("validate: %s %s", alt.tag, r.refuse)
	case r.param == paramNone && alt.hasParam:
		return fmt.Sprintf("validate: %s takes no parameter: write %s alone", alt.tag, alt.tag)
	case r.on&kindsOf(t)&onTime != 0 && r.param == paramOptional && alt.param != "":
		return fmt.Sprintf("validate: %s of a time compares with now and ignores its parameter: write %s alone", alt.tag, alt.tag)
	case alt.tag == "validateFn" && !hasMethod(t, cmp.Or(alt.param, "Validate")):
		return fmt.Sprintf("validate: validateFn calls a method that %s does not have: write the name of one", t)
	case r.param == paramNeeded && alt.param == "":
		return fmt.Sprintf("validate: %s needs a parameter: write %s=…", alt.tag, alt.tag)
	case r.on&onAnything == 0 && t.Kind() != reflect.Interface && !opaque(t) && r.on&kindsOf(t) == 0:
		return fmt.Sprintf("validate: %s cannot judge %s: remove it or change the type", alt.tag, t)
	}
	return c.refMistake(alt, r, t, scope)
}

func hasMethod(t reflect.Type, name string) bool {
	_, ok := reflect.PointerTo(t).MethodByName(name)
	return ok
}

// refMistake checks the fields that a rule refers to. validator takes one that does not exist for different.
func (c *compiler) refMistake(alt alternative, r rule, t reflect.Type, scope ruleScope) string {
	words := splitWords(alt.param)
	switch r.refs {
	case refNone:
		return ""
	case refPairs:
		if len(words)%2 != 0 {
			return fmt.Sprintf("validate: %s needs pairs: write %s=Field value", alt.tag, alt.tag)
		}
	case refField:
		if len(words) != 1 {
			return fmt.Sprintf("validate: %s names one field: write %s=Field", alt.tag, alt.tag)
		}
	}
	for i, w := range words {
		if r.refs == refPairs && i%2 == 1 {
			continue
		}
		other, ok := fieldType(scope.declaring, w)
		if !ok {
			return fmt.Sprintf("validate: %s refers to %s, which %s does not have: write the Go name of a field beside this one",
				alt.tag, w, scope.declaring)
		}
		if r.refs == refField && alt.tag != "postcode_iso3166_alpha2_field" && judged(other).Kind() != judged(t).Kind() {
			return fmt.Sprintf("validate: %s compares %s with %s, which is never the same kind: give both one type", alt.tag, t, judged(other))
		}
	}
	return ""
}

// fieldType follows a path of Go names.
func fieldType(t reflect.Type, path string) (reflect.Type, bool) {
	for part := range strings.SplitSeq(path, ".") {
		name, _, indexed := strings.Cut(part, "[")
		t = judged(t)
		if t.Kind() != reflect.Struct {
			return nil, false
		}
		sf, ok := t.FieldByName(name)
		if !ok {
			return nil, false
		}
		t = sf.Type
		if indexed {
			if t = judged(t); t.Kind() != reflect.Slice && t.Kind() != reflect.Array && t.Kind() != reflect.Map {
				return nil, false
			}
			t = t.Elem()
		}
	}
	return t, true
}

// opaque reports whether a service's validator may see something else than the type: through a function registered
// for it, or its own ValidatorValue method.
func opaque(t reflect.Type) bool {
	if o, ok := leaf(t); ok && (o == opCustom || o == opText) && t.Kind() == reflect.Struct {
		return true
	}
	_, has := t.MethodByName("ValidatorValue")
	return has
}

// kindsOf classifies a type for the table of rules.
func kindsOf(t reflect.Type) kinds {
	var k kinds
	if _, ok := t.MethodByName("String"); ok {
		k = onStringer
	}
	if t.ConvertibleTo(timeType) {
		return k | onTime
	}
	switch t.Kind() {
	case reflect.String:
		return k | onString
	case reflect.Bool:
		return k | onBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return k | onInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return k | onUint
	case reflect.Float32, reflect.Float64:
		return k | onFloat
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			k |= onBytes
		}
		return k | onSlice
	case reflect.Array:
		return k | onArray
	case reflect.Map:
		return k | onMap
	}
	return k
}

// try runs rules on a value in a struct. It returns whether they refuse, and what they panic with.
func (c *compiler) try(sample, parent any, tag string) (refused bool, why string) {
	defer func() {
		if caught := recover(); caught != nil {
			why = fmt.Sprint(caught)
		}
	}()
	return c.plan.validate.VarWithValueCtx(context.Background(), sample, parent, tag) != nil, ""
}

// explain turns what validator panics with into what to write instead.
func explain(alt alternative, t reflect.Type, why string) string {
	switch {
	case strings.HasPrefix(why, "Undefined validation function"):
		if _, own := ownRules[alt.tag]; own {
			return fmt.Sprintf("validate: %s is not registered: call RegisterRules on the *validator.Validate", alt.tag)
		}
		return fmt.Sprintf("validate: %s is not a rule: write one of validator's, notblank, single_line or web_url, or register it on the *validator.Validate", alt.tag)
	case strings.HasPrefix(why, "Bad field type"):
		return fmt.Sprintf("validate: %s cannot judge %s: remove it or change the type", alt.tag, t)
	case strings.HasPrefix(why, "strconv."):
		return fmt.Sprintf("validate: %s=%s: the parameter does not fit %s: write a number of that kind", alt.tag, alt.param, t)
	}
	return fmt.Sprintf("validate: %s=%s on %s panics (%s): a rule must cope with any value, write another", alt.tag, alt.param, t, why)
}

// probeWhole judges whole sample inputs, which also runs what a service registered for struct types.
func (c *compiler) probeWhole() {
	zero, filled := reflect.New(c.plan.typ), reflect.New(c.plan.typ)
	fill(filled.Elem(), 4)
	for _, v := range []reflect.Value{zero, filled} {
		if err := c.plan.judge(context.Background(), v.Interface(), &scratch{}); err != nil {
			c.mistakes = append(c.mistakes, fmt.Errorf("input type %v: validation of a sample fails: %w: make every rule cope with any value", c.plan.typ, err))
			return
		}
	}
}
