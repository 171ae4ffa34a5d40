package input

import (
	"context"
	"reflect"
	"slices"
	"strings"
)

// Shape is how values of a type are decoded, for what describes an input.
type Shape = op

// The shapes.
const (
	ShapeString   Shape = opString
	ShapeBool     Shape = opBool
	ShapeInt      Shape = opInt
	ShapeUint     Shape = opUint
	ShapeFloat    Shape = opFloat
	ShapeTime     Shape = opTime
	ShapeDuration Shape = opDuration
	ShapeUUID     Shape = opUUID
	ShapeAddr     Shape = opAddr
	ShapePrefix   Shape = opPrefix
	ShapeText     Shape = opText
	ShapeBytes    Shape = opBytes
	ShapeCustom   Shape = opCustom
	ShapeAny      Shape = opAny
	ShapeRaw      Shape = opRaw
	ShapePointer  Shape = opPointer
	ShapeOptional Shape = opOptional
	ShapeSlice    Shape = opSlice
	ShapeArray    Shape = opArray
	ShapeMap      Shape = opMap
	ShapeStruct   Shape = opStruct
	ShapeFile     Shape = opFile
)

// ShapeOf returns the shape of t in a source, and the type within where t is a wrapper, list or map.
//
// t is part of a type that Compile has taken.
func ShapeOf(t reflect.Type, source Source) (Shape, reflect.Type) {
	inJSON := source == FromJSON
	o, isLeaf := leaf(t)
	switch {
	case isLeaf && o == opOptional:
		return o, optionalElem(t)
	case isLeaf && (inJSON || o != opCustom && o != opRaw):
		return o, nil
	case !inJSON && reflect.PointerTo(t).Implements(textType):
		return opText, nil
	}
	if o, ok := scalar(t); ok {
		return o, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return opPointer, t.Elem()
	case reflect.Slice, reflect.Array:
		switch {
		case inJSON && t.Elem() == byteType:
			return opBytes, nil
		case t.Kind() == reflect.Array:
			return opArray, t.Elem()
		}
		return opSlice, t.Elem()
	case reflect.Map:
		return opMap, t.Elem()
	case reflect.Struct:
		return opStruct, nil
	}
	return opAny, nil
}

// HasValidate reports whether a type has a Validate method that the decoder calls.
func HasValidate(t reflect.Type) bool {
	return t.Implements(contextValidatorType) || reflect.PointerTo(t).Implements(contextValidatorType)
}

// Rules is a parsed validate tag: the rules of a value, of its keys and of its items. A nil Rules has none.
type Rules struct {
	Tokens      [][]Rule // of each token one rule must hold
	Keys, Items *Rules
}

// Rule is one rule and its parameter.
type Rule struct{ Tag, Param string }

// ParseRules reads a tag that Compile has taken.
func ParseRules(tag string) *Rules {
	if tag == "" || tag == "-" {
		return nil
	}
	l, err := parseLevel(tag)
	if err != nil {
		return nil
	}
	return l.rules()
}

func (l *level) rules() *Rules {
	if l == nil {
		return nil
	}
	r := &Rules{Keys: l.keys.rules(), Items: l.items.rules()}
	for _, t := range l.tokens {
		var alts []Rule
		for _, a := range t.alts {
			alts = append(alts, Rule{a.tag, a.param})
		}
		r.Tokens = append(r.Tokens, alts)
	}
	return r
}

// String is the rule as a tag has it.
func (r Rule) String() string {
	if r.Param == "" {
		return r.Tag
	}
	return r.Tag + "=" + r.Param
}

// Words are the words of the parameter, as validator splits them.
func (r Rule) Words() []string { return splitWords(r.Param) }

// IsRule reports whether the word of a tag is a rule, and not one that says how to apply others.
func (r Rule) IsRule() bool { return !slices.Contains(structural, r.Tag) }

// Named returns the rule with the callers' names of the fields that it refers to.
func (r Rule) Named(name func(goName string) string) Rule {
	known := ruleTable[r.Tag]
	if known.refs == refNone {
		return r
	}
	words := splitWords(r.Param)
	for i, w := range words {
		if known.refs != refPairs || i%2 == 0 {
			words[i] = name(w)
		}
	}
	return Rule{r.Tag, strings.Join(words, " ")}
}

// Text says in plain English what a value of type t must be: "must be at least 3 characters".
func (r Rule) Text(t reflect.Type) string {
	t = judged(t)
	known := ruleTable[r.Tag]
	if known.refs != refNone {
		return strings.ReplaceAll(known.text, "%s", strings.Join(splitWords(r.Param), " "))
	}
	return describe(subject{tag: r.Tag, param: r.Param, kind: t.Kind(), typ: t}).message
}

// RefusesAbsence reports whether rules refuse a field of type t that was not sent, which then has its zero value.
//
// It reports false where that depends on other fields or on rules of a service's own.
func RefusesAbsence(t reflect.Type, tag string) (refuses bool) {
	defer func() {
		if recover() != nil { // a rule that only the service's own validator knows
			refuses = false
		}
	}()
	if reflect.PointerTo(t).Implements(optionalType) || tag == "-" {
		return ParseRules(tag).has("required")
	}
	zero := reflect.Zero(t).Interface()
	switch rules := ParseRules(tag); {
	case rules != nil && rules.refers():
		return rules.has("required")
	case rules != nil:
		return shared().VarCtx(context.Background(), zero, tag) != nil
	case t.Kind() == reflect.Struct && !isLeaf(t):
		return shared().StructCtx(context.Background(), zero) != nil
	}
	return false
}

func (r *Rules) has(tag string) bool {
	return r != nil && slices.ContainsFunc(r.Tokens, func(alts []Rule) bool { return len(alts) == 1 && alts[0].Tag == tag })
}

func (r *Rules) refers() bool {
	return slices.ContainsFunc(r.Tokens, func(alts []Rule) bool {
		return slices.ContainsFunc(alts, func(a Rule) bool { return ruleTable[a.Tag].refs != refNone })
	})
}

// Max is the largest length that the rules allow.
func (r *Rules) Max(otherwise int) int {
	if r == nil {
		return otherwise
	}
	if n, ok := r.level().max(); ok {
		return n
	}
	return otherwise
}

// level is enough of a level for max.
func (r *Rules) level() *level {
	l := &level{}
	for _, alts := range r.Tokens {
		t := token{}
		for _, a := range alts {
			t.alts = append(t.alts, alternative{tag: a.Tag, param: a.Param})
		}
		l.tokens = append(l.tokens, t)
	}
	return l
}
