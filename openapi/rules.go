package openapi

import (
	"encoding/base64"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/routeguard/guard/internal/input"
)

// subject is a value that rules judge.
type subject struct {
	t     reflect.Type
	shape input.Shape
	place
}

func has(r *input.Rules, tag string) bool {
	return r != nil && slices.ContainsFunc(r.Tokens, func(alts []input.Rule) bool { return len(alts) == 1 && alts[0].Tag == tag })
}

// judge adds to a schema what rules say about the value.
func (b *builder) judge(s *object, of subject) {
	if of.rules == nil {
		return
	}
	said, skipsZero := object{}, false
	var unsaid []string
	for _, alts := range of.rules.Tokens {
		if len(alts) == 1 && !alts[0].IsRule() {
			if of.skipsZero(alts[0].Tag) {
				skipsZero = true
				if of.shrinks() {
					note(s, alts[0].Tag, "It may be blank.")
				}
			}
			continue
		}
		keywords, exact := of.anyOf(alts)
		if skipsZero && of.shrinks() { // blanks are nothing once they are trimmed, and nothing passes
			keywords, exact = slices.DeleteFunc(slices.Clone(keywords), func(k member) bool { return k.name != "format" && k.name != "examples" }), false
		}
		said.assert(keywords)
		if !exact {
			unsaid = append(unsaid, b.noteRule(s, alts, of))
		}
	}
	of.explain(s, unsaid)
	if zero := zeroOf(of.shape); skipsZero && !of.shrinks() && zero != nil && !admits(said, zero) {
		said = object{{"anyOf", []object{{{"const", zero}}, said}}}
	}
	s.assert(said)
}

// skipsZero reports whether a word of the tag lets a zero value pass. A list that was sent is no zero
// value for omitempty, and neither is what a pointer points to.
func (of subject) skipsZero(word string) bool {
	list := of.shape == input.ShapeSlice || of.shape == input.ShapeMap || of.shape == input.ShapeBytes
	return word == "omitempty" && !list && !of.pointer || word == "omitzero"
}

// zeroOf is the zero value of a shape as JSON, or nil where rules of that shape have no keywords.
func zeroOf(shape input.Shape) any {
	switch shape {
	case input.ShapeString, input.ShapeBytes:
		return ""
	case input.ShapeInt, input.ShapeUint, input.ShapeFloat:
		return 0
	case input.ShapeBool:
		return false
	case input.ShapeSlice:
		return []any{}
	case input.ShapeMap:
		return object{}
	case input.ShapeUUID:
		return "00000000-0000-0000-0000-000000000000"
	}
	return nil
}

// admits reports whether keywords are sure to take a zero value: nothing but upper bounds do.
func admits(keywords object, zero any) bool {
	for _, k := range keywords {
		switch k.name {
		case "maxLength", "maxItems", "maxProperties", "uniqueItems", "examples":
		case "maximum":
			if n, err := strconv.ParseFloat(string(k.value.(jsontext.Value)), 64); err != nil || n < 0 {
				return false
			}
		default:
			return false
		}
	}
	return zero != nil
}

// anyOf is what a token says: one rule, or several of which one must hold.
func (of subject) anyOf(alts []input.Rule) (keywords object, exact bool) {
	if len(alts) == 1 {
		return of.keywords(alts[0])
	}
	var list []object
	exact = true
	for _, r := range alts {
		one, whole := of.keywords(r)
		exact = exact && whole
		if len(one) == 0 { // it may take anything
			return nil, whole
		}
		list = append(list, one)
	}
	return object{{"anyOf", list}}, exact
}

// noteRule keeps what the keywords do not say, and returns it in words.
func (b *builder) noteRule(s *object, alts []input.Rule, of subject) string {
	var tags, texts []string
	for _, r := range alts {
		r = r.Named(func(goName string) string { return callersName(of.parent, goName) })
		tags, texts = append(tags, r.String()), append(texts, r.Text(of.t))
	}
	note(s, strings.Join(tags, "|"), "")
	return strings.Join(texts, ", or ")
}

// explain puts rules into the description.
func (of subject) explain(s *object, texts []string) {
	if len(texts) == 0 {
		return
	}
	text := "It "
	if of.normalize != "" && of.shape == input.ShapeString {
		text = "Once normalized (" + strings.ReplaceAll(of.normalize, ",", ", ") + "), it "
	}
	note(s, "", text+strings.Join(texts, ", ")+".")
}

// note adds a rule to x-guard-rules, and a text to the description.
func note(s *object, rule, text string) {
	before, _ := s.get("description").(string)
	s.setText("description", strings.TrimSpace(before+" "+text))
	if rule != "" {
		rules, _ := s.get("x-guard-rules").([]string)
		s.set("x-guard-rules", append(rules, rule))
	}
}

// callersName is the name that callers know a field by.
func callersName(parent reflect.Type, goName string) string {
	if parent == nil || parent.Kind() != reflect.Struct {
		return goName
	}
	f, ok := parent.FieldByName(goName)
	if !ok {
		return "another field"
	}
	for _, source := range []input.Source{input.FromJSON, input.FromForm, input.FromQuery, input.FromPath, input.FromHeader} {
		if name, _, _ := strings.Cut(f.Tag.Get(string(source)), ","); name != "" {
			return name
		}
	}
	return "another field"
}

// keywords is what a rule says in JSON Schema, and whether that is all that it says.
func (of subject) keywords(r input.Rule) (keywords object, exact bool) {
	switch of.shape {
	case input.ShapeString:
		return of.text(r)
	case input.ShapeInt, input.ShapeUint, input.ShapeFloat:
		return of.number(r)
	case input.ShapeBool:
		return of.boolean(r)
	case input.ShapeSlice, input.ShapeArray:
		return of.length(r, "minItems", "maxItems", func(n int) int { return n })
	case input.ShapeMap:
		return of.length(r, "minProperties", "maxProperties", func(n int) int { return n })
	case input.ShapeBytes:
		keywords, exact := of.length(r, "minLength", "maxLength", base64.StdEncoding.EncodedLen)
		return keywords, exact && r.Tag == "required" // the same text length may stand for three lengths
	case input.ShapeAny:
		if r.Tag == "required" {
			return object{{"not", object{{"type", "null"}}}}, true
		}
	case input.ShapeUUID:
		if r.Tag == "required" && !of.pointer {
			return object{{"not", object{{"const", zeroOf(of.shape)}}}}, true
		}
	}
	return nil, r.Tag == "required" && of.shape != input.ShapeStruct
}

// number compares numbers. A float32 is rounded before it is compared, so that its bounds are no
// keywords: they would refuse what is rounded to the bound.
func (of subject) number(r input.Rule) (object, bool) {
	switch r.Tag {
	case "required":
		if of.pointer {
			return nil, true
		}
		return object{{"not", object{{"const", 0}}}}, true
	case "numeric", "number":
		return nil, true
	case "port":
		return object{{"minimum", number("1")}, {"maximum", number("65535")}}, true
	case "oneof":
		return numbers(r.Words())
	}
	n, ok := of.parse(r.Param)
	if !ok || of.t.Kind() == reflect.Float32 {
		return nil, false
	}
	switch r.Tag {
	case "min", "gte":
		return object{{"minimum", n}}, true
	case "max", "lte":
		return object{{"maximum", n}}, true
	case "gt":
		return object{{"exclusiveMinimum", n}}, true
	case "lt":
		return object{{"exclusiveMaximum", n}}, true
	case "eq", "len":
		return object{{"const", n}}, true
	case "ne":
		return object{{"not", object{{"const", n}}}}, true
	}
	return nil, false
}

// parse reads a parameter as validator does, which takes other bases than ten for integers.
func (of subject) parse(param string) (jsontext.Value, bool) {
	if of.shape == input.ShapeFloat {
		f, err := strconv.ParseFloat(param, 64)
		n := number(strconv.FormatFloat(f, 'g', -1, 64))
		return n, err == nil && n.IsValid()
	}
	if n, err := strconv.ParseInt(param, 0, 64); err == nil {
		return number(strconv.FormatInt(n, 10)), true
	}
	n, err := strconv.ParseUint(param, 0, 64)
	return number(strconv.FormatUint(n, 10)), err == nil
}

// number is the text of a number as a JSON value.
func number(text string) jsontext.Value { return jsontext.Value(text) }

func numbers(words []string) (object, bool) {
	var list []jsontext.Value
	for _, w := range words {
		if n, err := strconv.ParseInt(w, 10, 64); err == nil && strconv.FormatInt(n, 10) == w {
			list = append(list, number(w)) // validator compares the text: no other spelling ever holds
		}
	}
	if len(list) == 0 {
		return nil, false
	}
	return object{{"enum", list}}, true
}

func (of subject) boolean(r input.Rule) (object, bool) {
	value, err := strconv.ParseBool(r.Param)
	switch {
	case r.Tag == "required" && of.pointer, r.Tag == "boolean":
		return nil, true
	case r.Tag == "required":
		return object{{"const", true}}, true
	case r.Tag == "eq" && err == nil:
		return object{{"const", value}}, true
	case r.Tag == "ne" && err == nil:
		return object{{"const", !value}}, true
	}
	return nil, false
}

// length compares the number of items, entries or bytes.
func (of subject) length(r input.Rule, least, most string, size func(int) int) (object, bool) {
	if r.Tag == "required" {
		return nil, of.shape != input.ShapeArray
	}
	if r.Tag == "unique" && r.Param == "" && least == "minItems" {
		return object{{"uniqueItems", true}}, true
	}
	return bounds(r, least, most, size)
}

// bounds is what a rule says about a length.
func bounds(r input.Rule, least, most string, size func(int) int) (object, bool) {
	wide, err := strconv.ParseInt(r.Param, 0, 32)
	n := int(wide)
	if err != nil || n < 0 {
		return nil, false
	}
	switch r.Tag {
	case "min", "gte":
		return object{{least, size(n)}}, true
	case "max", "lte":
		return object{{most, size(n)}}, true
	case "gt":
		return object{{least, size(n + 1)}}, true
	case "lt":
		return object{{most, size(max(n-1, 0))}}, n > 0
	case "len", "eq":
		return object{{least, size(n)}, {most, size(n)}}, true
	}
	return nil, false
}

// text is what a rule says about a string. What would refuse text that is good once it is normalized
// is left out.
func (of subject) text(r input.Rule) (object, bool) {
	keywords, exact := plainText(r)
	if r.Tag == "required" && of.pointer {
		return nil, true
	}
	if of.normalize == "" {
		return keywords, exact
	}
	var kept object
	shrinks, composes := of.shrinks(), strings.Contains(of.normalize, "nfc")
	for _, k := range keywords {
		switch {
		case k.name == "format",
			k.name == "minLength" && !composes || k.name == "minLength" && r.Tag == "required",
			k.name == "maxLength" && !composes && !shrinks:
			kept = append(kept, k)
			exact = exact && (k.name != "minLength" || !shrinks)
		case k.name == "enum": // other spellings are taken, too
			kept, exact = append(kept, member{"examples", k.value}), false
		default:
			exact = false
		}
	}
	return kept, exact
}

// shrinks reports whether text may be shorter once it is normalized.
func (of subject) shrinks() bool {
	return of.shape == input.ShapeString && (strings.Contains(of.normalize, "trim") || strings.Contains(of.normalize, "collapse"))
}

// plainText is what a rule says about a string that is not normalized.
func plainText(r input.Rule) (object, bool) {
	if format, ok := textRules[r.Tag]; ok && (r.Param == "" || r.Tag == "datetime") {
		return format, true
	}
	switch r.Tag {
	case "required":
		return object{{"minLength", 1}}, true
	case "oneof":
		return object{{"enum", r.Words()}}, true
	case "noneof":
		return object{{"not", object{{"enum", r.Words()}}}}, true
	case "eq":
		return object{{"const", r.Param}}, true
	case "ne":
		return object{{"not", object{{"const", r.Param}}}}, true
	case "contains":
		return pattern(regexp.QuoteMeta(r.Param)), true
	case "startswith":
		return pattern("^" + regexp.QuoteMeta(r.Param)), true
	case "endswith":
		return pattern(regexp.QuoteMeta(r.Param) + "$"), true
	case "excludes":
		return object{{"not", pattern(regexp.QuoteMeta(r.Param))}}, true
	case "datetime":
		format, ok := layouts[r.Param]
		return format, ok
	}
	return bounds(r, "minLength", "maxLength", func(n int) int { return n })
}
