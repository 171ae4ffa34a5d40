package openapitest

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// verdict is what a document says about a value.
type verdict int

const (
	refused verdict = iota
	unsure          // the schema takes it, and a rule that it cannot say may not
	taken
)

// example is the value of an example at the place that is judged: whoever wrote it knows the rules.
type example struct {
	value any
	ok    bool
}

func (e example) member(name string) example {
	m, _ := e.value.(map[string]any)
	v, ok := m[name]
	return example{v, ok}
}

// judge holds a value against a schema with the keywords that package openapi writes.
func (c *Contract) judge(s schema, v any, e example) verdict {
	if target, ok := s["$ref"].(string); ok {
		worst := c.judge(c.follow(target), v, e)
		rest := without(s, "$ref")
		return min(worst, c.judge(rest, v, e))
	}
	if !fitsType(s["type"], v) || !fitsValues(s, v) {
		return refused
	}
	worst := min(c.judgeCombined(s, v, e), judgeRules(s, v, e))
	switch v := v.(type) {
	case string:
		return min(worst, trusted(c.judgeText(s, v), v, e))
	case json.Number:
		return min(worst, yes(fitsNumber(s, v)))
	case []any:
		return min(worst, c.judgeList(s, v))
	case map[string]any:
		return min(worst, c.judgeObject(s, v, e))
	}
	return worst
}

func yes(ok bool) verdict {
	if ok {
		return taken
	}
	return refused
}

func without(s schema, name string) schema {
	rest := schema{}
	for k, v := range s {
		if k != name {
			rest[k] = v
		}
	}
	return rest
}

func fitsType(types, v any) bool {
	switch t := types.(type) {
	case string:
		return isType(t, v)
	case []any:
		return slices.ContainsFunc(t, func(one any) bool { return isType(one.(string), v) })
	}
	return true
}

func isType(name string, v any) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case json.Number:
		return name == "number" || name == "integer" && rat(v).IsInt()
	case []any:
		return name == "array"
	}
	return name == "object"
}

func rat(n any) *big.Rat {
	number, _ := n.(json.Number)
	r, ok := new(big.Rat).SetString(string(number))
	if !ok {
		return new(big.Rat)
	}
	return r
}

func equal(a, b any) bool {
	x, isNumber := a.(json.Number)
	y, both := b.(json.Number)
	if isNumber && both {
		return rat(x).Cmp(rat(y)) == 0
	}
	return reflect.DeepEqual(a, b)
}

func contains(list []any, v any) bool {
	return slices.ContainsFunc(list, func(one any) bool { return equal(one, v) })
}

func fitsValues(s schema, v any) bool {
	if list, ok := s["enum"].([]any); ok && !contains(list, v) {
		return false
	}
	fixed, ok := s["const"]
	return !ok || equal(fixed, v)
}

// judgeCombined judges what is made of other schemas.
func (c *Contract) judgeCombined(s schema, v any, e example) verdict {
	worst := taken
	for _, one := range schemasOf(s["allOf"]) {
		worst = min(worst, c.judge(one, v, e))
	}
	if not, ok := s["not"].(map[string]any); ok && c.judge(not, v, e) != refused {
		return refused
	}
	if list := schemasOf(s["anyOf"]); len(list) > 0 {
		best := refused
		for _, one := range list {
			best = max(best, c.judge(one, v, e))
		}
		worst = min(worst, best)
	}
	return worst
}

func schemasOf(list any) []schema {
	var all []schema
	items, _ := list.([]any)
	for _, one := range items {
		all = append(all, one.(map[string]any))
	}
	return all
}

func fitsNumber(s schema, n json.Number) bool {
	at := rat(n)
	for keyword, ok := range map[string]func(int) bool{
		"minimum": func(c int) bool { return c >= 0 }, "exclusiveMinimum": func(c int) bool { return c > 0 },
		"maximum": func(c int) bool { return c <= 0 }, "exclusiveMaximum": func(c int) bool { return c < 0 },
	} {
		if bound, has := s[keyword]; has && !ok(at.Cmp(rat(bound))) {
			return false
		}
	}
	return true
}

// within reports whether a length is between two keywords.
func within(s schema, n int, least, most string) bool {
	if bound, ok := s[least].(json.Number); ok && big.NewRat(int64(n), 1).Cmp(rat(bound)) < 0 {
		return false
	}
	bound, ok := s[most].(json.Number)
	return !ok || big.NewRat(int64(n), 1).Cmp(rat(bound)) <= 0
}

// badText is of no format.
const badText = "\u00bf no such value ?"

func (c *Contract) judgeText(s schema, text string) verdict {
	if !within(s, utf8.RuneCountInString(text), "minLength", "maxLength") {
		return refused
	}
	if p, ok := s["pattern"].(string); ok {
		if !c.pattern(p).MatchString(text) {
			return refused
		}
	}
	format, ok := s["format"].(string)
	rules := text
	if n, plain := normalized(s, text); plain {
		rules = n
	}
	switch {
	case !ok || format == "binary" || slices.Contains(formatSamples[format], rules) || s["pattern"] != nil:
		return taken
	case text == badText:
		return refused
	}
	return unsure
}

func (c *Contract) judgeList(s schema, list []any) verdict {
	if !within(s, len(list), "minItems", "maxItems") {
		return refused
	}
	if s["uniqueItems"] == true {
		for i, v := range list {
			if contains(list[:i], v) {
				return refused
			}
		}
	}
	worst := taken
	if items, ok := s["items"].(map[string]any); ok {
		for _, v := range list {
			worst = min(worst, c.judge(items, v, example{}))
		}
	}
	return worst
}

func (c *Contract) judgeObject(s schema, o map[string]any, e example) verdict {
	if !within(s, len(o), "minProperties", "maxProperties") {
		return refused
	}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, ok := o[name.(string)]; !ok {
			return refused
		}
	}
	properties, _ := s["properties"].(map[string]any)
	worst := taken
	for name, v := range o {
		property, known := properties[name].(map[string]any)
		switch other := s["additionalProperties"].(type) {
		case bool:
			if !known && !other {
				return refused
			}
		case map[string]any:
			if !known {
				property, known = other, true
			}
		}
		if known {
			worst = min(worst, c.judge(property, v, e.member(name)))
		}
		if names, ok := s["propertyNames"].(map[string]any); ok {
			worst = min(worst, c.judge(names, name, example{}))
		}
	}
	for name, p := range properties {
		if related(object(p), name, o, e) {
			worst = min(worst, unsure)
		}
	}
	return worst
}

// related reports whether a rule of a member compares it with another one, and the two are not as the
// example has them.
func related(s schema, name string, o map[string]any, e example) bool {
	rules, _ := s["x-guard-rules"].([]any)
	for _, r := range rules {
		_, param, _ := strings.Cut(r.(string), "=")
		for word := range strings.FieldsSeq(param) {
			if other := e.member(word); other.ok && (!equal(o[word], other.value) || !equal(o[name], e.member(name).value)) {
				return true
			}
		}
	}
	return false
}

// judgeRules judges what stands under x-guard-rules. What it does not know may refuse any value but
// that of an example.
func judgeRules(s schema, v any, e example) verdict {
	rules, _ := s["x-guard-rules"].([]any)
	worst := taken
	for _, r := range rules {
		if text, ok := normalized(s, v); ok && text == "" && (r == "omitempty" || r == "omitzero") {
			return taken
		}
		if r != "omitempty" && r != "omitzero" {
			worst = min(worst, judgeRule(s, r.(string), v))
		}
	}
	if samples, _ := s["examples"].([]any); worst == unsure && contains(samples, v) {
		return taken
	}
	return trusted(worst, v, e)
}

// trusted takes the word of an example where nothing else decides.
func trusted(of verdict, v any, e example) verdict {
	if of == unsure && e.ok && equal(e.value, v) {
		return taken
	}
	return of
}

func judgeRule(s schema, rule string, v any) verdict {
	tag, param, _ := strings.Cut(rule, "=")
	text, ok := normalized(s, v)
	if number, isNumber := v.(json.Number); isNumber && (tag == "min" || tag == "max") {
		return yes(fitsNumber(schema{tag + "imum": json.Number(param)}, number))
	}
	if !ok {
		return unsure
	}
	size := utf8.RuneCountInString(text)
	if b, err := base64.StdEncoding.DecodeString(text); s["contentEncoding"] == "base64" && err == nil {
		size = len(b)
	}
	n, err := strconv.Atoi(param)
	switch {
	case tag == "required":
		return yes(text != "")
	case tag == "oneof":
		return yes(slices.Contains(strings.Fields(param), text))
	case tag == "notblank": // of ASCII, as text is here
		return yes(strings.ContainsFunc(text, func(r rune) bool { return r > ' ' && r < 0x7f }))
	case tag == "single_line":
		return yes(!strings.ContainsFunc(text, unicode.IsControl))
	case err != nil:
		return unsure
	case tag == "min":
		return yes(size >= n)
	case tag == "max":
		return yes(size <= n)
	case tag == "len":
		return yes(size == n)
	}
	return unsure
}

// normalized is text as the rules see it.
func normalized(s schema, v any) (string, bool) {
	text, ok := v.(string)
	if !ok || strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return "", false
	}
	how, _ := s["x-guard-normalize"].(string)
	for word := range strings.SplitSeq(how, ",") {
		switch word {
		case "trim":
			text = strings.TrimSpace(text)
		case "collapse":
			text = strings.Join(strings.Fields(text), " ")
		case "lower":
			text = strings.ToLower(text)
		case "upper":
			text = strings.ToUpper(text)
		}
	}
	return text, true
}
