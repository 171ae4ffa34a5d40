package openapitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// value is a value to try, and what is special about it.
type value struct {
	name string
	v    any
}

// depth ends types that contain themselves.
const depth = 4

// usual makes a value that a schema should take; different i give different ones where there are some.
func (c *Contract) usual(s schema, i, left int) any {
	s = c.flat(s)
	if fixed, ok := s["const"]; ok {
		return fixed
	}
	for _, keyword := range []string{"enum", "examples"} {
		if list, ok := s[keyword].([]any); ok && len(list) > 0 {
			return list[i%len(list)]
		}
	}
	if v, ok := s["default"]; ok && i == 0 {
		return v
	}
	switch kind := firstType(s["type"]); kind {
	case "object":
		return c.usualObject(s, left)
	case "array":
		return c.usualList(s, left)
	case "integer", "number":
		return usualNumber(s, i)
	case "boolean":
		return true
	case "string":
		return c.usualText(s, i)
	}
	if list := schemasOf(s["anyOf"]); len(list) > 0 {
		return c.usual(list[0], i, left)
	}
	return fmt.Sprint("any ", i)
}

// flat is a schema with what it refers to, and of its alternatives the one that says most.
func (c *Contract) flat(s schema) schema {
	all := schema{}
	if target, ok := s["$ref"].(string); ok {
		maps.Copy(all, c.flat(c.follow(target)))
	}
	for _, one := range schemasOf(s["allOf"]) {
		maps.Copy(all, c.flat(one))
	}
	richest := schema(nil)
	for _, one := range schemasOf(s["anyOf"]) {
		if one = c.flat(one); one["type"] != "null" && (richest == nil || one["const"] == nil) && len(one) >= len(richest) {
			richest = one
		}
	}
	maps.Copy(all, richest)
	maps.Copy(all, s)
	return without(all, "$ref")
}

func firstType(t any) string {
	if list, ok := t.([]any); ok {
		t = list[0]
	}
	name, _ := t.(string)
	return name
}

func (c *Contract) usualObject(s schema, left int) map[string]any {
	o := map[string]any{}
	required, _ := s["required"].([]any)
	properties, _ := s["properties"].(map[string]any)
	for name, p := range properties {
		if left > 0 || slices.Contains(required, any(name)) {
			o[name] = c.usual(p.(map[string]any), 0, left-1)
		}
	}
	if others, ok := s["additionalProperties"].(map[string]any); ok && left > 0 {
		o["key"] = c.usual(others, 0, left-1)
	}
	return o
}

func (c *Contract) usualList(s schema, left int) []any {
	items, _ := s["items"].(map[string]any)
	n := bound(s, "minItems", 0)
	if n == 0 && left > 0 && bound(s, "maxItems", 1) > 0 {
		n = 1
	}
	list := []any{}
	for i := range n {
		list = append(list, c.usual(items, i, left-1))
	}
	return list
}

func usualNumber(s schema, i int) json.Number {
	low, hasLow := lowest(s)
	n := big.NewRat(int64(i)+1, 1)
	high, hasHigh := highest(s)
	if hasLow && (n.Cmp(low) < 0 || hasHigh && n.Cmp(high) > 0) {
		n = new(big.Rat).Add(low, big.NewRat(int64(i), 1))
	} else if hasHigh && n.Cmp(high) > 0 {
		n = new(big.Rat).Sub(high, big.NewRat(int64(i), 1))
	}
	return numberOf(n)
}

// lowest is a number at the lower bound, or a little above one that is exclusive.
func lowest(s schema) (*big.Rat, bool) {
	at, ok := s["minimum"]
	above, exclusive := s["exclusiveMinimum"]
	low := new(big.Rat).Add(rat(above), step(s))
	if ok && (!exclusive || rat(at).Cmp(low) > 0) {
		return rat(at), true
	}
	return low, exclusive
}

func highest(s schema) (*big.Rat, bool) {
	at, ok := s["maximum"]
	below, exclusive := s["exclusiveMaximum"]
	high := new(big.Rat).Sub(rat(below), step(s))
	if ok && (!exclusive || rat(at).Cmp(high) < 0) {
		return rat(at), true
	}
	return high, exclusive
}

func step(s schema) *big.Rat {
	if firstType(s["type"]) == "integer" {
		return big.NewRat(1, 1)
	}
	return big.NewRat(1, 8)
}

func numberOf(r *big.Rat) json.Number {
	if r.IsInt() {
		return json.Number(r.Num().String())
	}
	f, _ := r.Float64()
	return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
}

// bound is a keyword that holds a length.
func bound(s schema, keyword string, otherwise int) int {
	n, ok := s[keyword].(json.Number)
	if !ok {
		return otherwise
	}
	i, err := strconv.Atoi(string(n))
	if err != nil {
		return otherwise
	}
	return i
}

// usualText has the shortest length that is allowed, and at least a character.
func (c *Contract) usualText(s schema, i int) string {
	format, _ := s["format"].(string)
	for n, samples := 0, formatSamples[format]; n < len(samples); n++ {
		if text := samples[(i+n)%len(samples)]; c.judge(s, text, example{}) == taken {
			return text
		}
	}
	least, most := lengths(s)
	for n := range 40 {
		text := strings.Repeat(string(rune('a'+i%26)), max(least, min(most, 1)))
		if p, ok := s["pattern"].(string); ok {
			text, _ = matching(p, n)
		}
		if c.judge(s, text, example{}) != refused {
			return text
		}
	}
	return strings.Repeat(string(rune('a'+i%26)), max(least, 1))
}

// lengths are the bounds of text, those that hold once it is normalized among them.
func lengths(s schema) (least, most int) {
	least, most = bound(s, "minLength", 0), bound(s, "maxLength", 1<<20)
	rules, _ := s["x-guard-rules"].([]any)
	for _, r := range rules {
		tag, param, _ := strings.Cut(r.(string), "=")
		n, err := strconv.Atoi(param)
		switch {
		case err != nil:
		case tag == "min":
			least = max(least, n)
		case tag == "max":
			most = min(most, n)
		}
	}
	return least, most
}

// values are those to try at one place: good and bad ones, which judge tells apart.
func (c *Contract) values(s schema, left int) []value {
	s = c.flat(s)
	list := []value{{"null", nil}, {"a number", json.Number("12345678901")}, {"true", true}, {"false", false}, {"text", "some text"},
		{"no text", ""}, {"text of no format", badText}, {"a list", []any{"x"}}, {"an object", map[string]any{"x": "y"}}}
	for _, keyword := range []string{"enum", "examples"} {
		members, _ := s[keyword].([]any)
		for _, v := range members {
			list = append(list, value{fmt.Sprint("the choice ", v), v})
		}
	}
	for i, one := range schemasOf(s["anyOf"]) {
		list = append(list, value{fmt.Sprint("alternative ", i+1), c.usual(one, 0, left)})
	}
	switch firstType(s["type"]) {
	case "string":
		return append(list, c.texts(s)...)
	case "integer", "number":
		return append(list, numbers(s)...)
	case "array":
		return append(list, c.lists(s, left)...)
	case "object":
		return append(list, c.objects(s, c.usualObject(s, left), left)...)
	}
	return list
}

func (c *Contract) texts(s schema) []value {
	least, most := lengths(s)
	var list []value
	for _, text := range formatSamples[fmt.Sprint(s["format"])] {
		list = append(list, value{"the text " + text, text})
	}
	for name, n := range map[string]int{"too short": least - 1, "shortest": least, "longest": most, "too long": most + 1} {
		if n >= 0 && n <= 10_000 {
			list = append(list, value{name, strings.Repeat("a", n)}, value{name + ", of digits", strings.Repeat("7", n)})
		}
	}
	usual := c.usualText(s, 0)
	slices.SortFunc(list, func(a, b value) int { return strings.Compare(a.name, b.name) })
	return append(list, value{"usual", usual}, value{"blanks alone", "  "}, value{"with blanks around", "  " + usual + strings.Repeat(" ", 400)},
		value{"in upper case", strings.ToUpper(usual)}, value{"with a line break", usual + "\nb"}, value{"longer by one", usual + "a"})
}

func numbers(s schema) []value {
	list := []value{{"zero", json.Number("0")}, {"minus one", json.Number("-1")}, {"a fraction", json.Number("1.5")}}
	if low, ok := lowest(s); ok {
		list = append(list, value{"least", numberOf(low)}, value{"too small", numberOf(new(big.Rat).Sub(low, step(s)))})
	}
	if high, ok := highest(s); ok {
		list = append(list, value{"most", numberOf(high)}, value{"too large", numberOf(new(big.Rat).Add(high, step(s)))})
	}
	return append(list, value{"usual", usualNumber(s, 0)})
}

func (c *Contract) lists(s schema, left int) []value {
	items, _ := s["items"].(map[string]any)
	of := func(n int) []any {
		list := []any{}
		for i := range n {
			list = append(list, c.usual(items, i, 0))
		}
		return list
	}
	least, most := bound(s, "minItems", 0), bound(s, "maxItems", 3)
	list := []value{{"empty", []any{}}, {"longest", of(most)}, {"too long", of(most + 1)}, {"twice the same", append(of(1), of(1)...)}}
	if least > 0 {
		list = append(list, value{"shortest", of(least)}, value{"too short", of(least - 1)})
	}
	if left > 0 {
		for _, item := range c.values(items, left-1) {
			list = append(list, value{"item: " + item.name, append([]any{item.v}, of(max(least, 1))[1:]...)})
		}
	}
	return list
}

// objects varies an object: each member in turn has the values to try, or is left out.
func (c *Contract) objects(s schema, base map[string]any, left int) []value {
	with := func(name string, v any) map[string]any {
		o := maps.Clone(base)
		o[name] = v
		return o
	}
	list := []value{{"required fields alone", c.usualObject(s, 0)}, {"all fields", base}, {"no field", map[string]any{}},
		{"an unexpected field", with("unexpected", "x")}}
	properties, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		list = append(list, value{"without " + name, without(base, name)})
		if left <= 0 {
			continue
		}
		for _, v := range c.values(properties[name].(map[string]any), left-1) {
			list = append(list, value{name + ": " + v.name, with(name, v.v)})
		}
	}
	others, ok := s["additionalProperties"].(map[string]any)
	if !ok || left <= 0 {
		return list
	}
	many := map[string]any{}
	for i := range bound(s, "maxProperties", 3) + 1 {
		many[strings.Repeat("k", i+1)] = c.usual(others, i, left-1)
	}
	list = append(list, value{"too many entries", many}, value{"an odd key", map[string]any{"1 ?": c.usual(others, 0, left-1)}})
	for _, v := range c.values(others, left-1) {
		list = append(list, value{"entry: " + v.name, map[string]any{"key": v.v}})
	}
	return list
}
