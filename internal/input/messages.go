package input

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// subject is a rule that refused a value: what a message is made of. It does not hold the value.
type subject struct {
	tag    string
	param  string
	kind   reflect.Kind
	typ    reflect.Type
	parent *structNode // the struct that the field stands in
	beside string      // Go names of the embedded struct that it stands in: "Base."
}

// describe makes the public problem of a refusal. It is a new one every time, for the caller to complete.
func describe(s subject) *problem {
	p := s.problem()
	p.rule = true
	return p
}

func (s subject) problem() *problem {
	if strings.Contains(s.tag, "|") {
		return describeAlternatives(s)
	}
	r, known := ruleTable[s.tag]
	if !known {
		// A rule of the service: its parameter is the developer's, its meaning is not known here.
		return &problem{code: publicCode(strings.ToLower(s.tag)), message: "is invalid", param: s.param}
	}
	p := &problem{code: publicCode(strings.ToLower(s.tag)), param: s.param}
	if r.refs != refNone {
		p.param = s.names(r.refs)
	}
	if r.say != nil {
		p.message = r.say(s, p.param)
	} else {
		p.message = strings.ReplaceAll(r.text, "%s", p.param)
	}
	return p
}

// describeAlternatives words "email|url": one of several rules must hold.
func describeAlternatives(s subject) *problem {
	var parts []string
	for _, alt := range parseToken(s.tag).alts {
		one := s
		one.tag, one.param = alt.tag, alt.param
		parts = append(parts, describe(one).message)
	}
	return &problem{code: "alternatives", message: strings.Join(parts, ", or ")}
}

// names replaces the Go field names in a rule's parameter by the names that the caller knows.
func (s subject) names(refs refs) string {
	words := splitWords(s.param)
	for i, w := range words {
		if refs == refPairs && i%2 == 1 {
			continue
		}
		words[i] = s.name(w)
	}
	if refs == refPairs {
		var pairs []string
		for i := 0; i+1 < len(words); i += 2 {
			pairs = append(pairs, words[i]+" is "+words[i+1])
		}
		return strings.Join(pairs, " and ")
	}
	return strings.Join(words, ", ")
}

// name finds a field that a rule refers to: one beside it, in the same embedded struct or promoted from another. One that is not
// found is not named.
func (s subject) name(goPath string) string {
	for _, path := range []string{s.beside + goPath, goPath} {
		if f := s.parent.follow(path); f != nil {
			return f.name
		}
	}
	if s.parent != nil {
		for _, f := range s.parent.fields {
			if f.goName == goPath {
				return f.name
			}
		}
	}
	return "another field"
}

// follow finds a field by Go names, through nested structs.
func (s *structNode) follow(path string) *field {
	for s != nil {
		f, rest := s.longest(path)
		if f == nil || rest == "" {
			return f
		}
		if _, after, ok := strings.Cut(rest, "]"); ok && rest[0] == '[' {
			rest = after
		}
		if path = strings.TrimPrefix(rest, "."); path == "" {
			return f
		}
		n := f.node.value()
		for n != nil && n.st == nil {
			n = n.elem
		}
		if n == nil {
			return nil
		}
		s = n.st
	}
	return nil
}

// wordPattern is compiled when it is first needed, which most plans never do.
var wordPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`'[^']*'|\S+`) })

// splitWords splits a list as validator does: by spaces, with quotes around words that contain one.
func splitWords(s string) []string {
	words := wordPattern().FindAllString(s, -1)
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "'", "")
	}
	return words
}

// plural counts things: "1 item", "3 items".
func plural(n int, unit string) string {
	text := strconv.Itoa(n) + " "
	switch {
	case n == 1:
		return text + unit
	case strings.HasSuffix(unit, "y"):
		return text + strings.TrimSuffix(unit, "y") + "ies"
	}
	return text + unit + "s"
}

// amount counts what a length rule counts, for a kind: "3 characters", "3 items", "3 entries". A number has no unit.
func (s subject) amount(param string) (text string, counted bool) {
	unit := ""
	switch s.kind {
	case reflect.String:
		unit = "character"
	case reflect.Slice, reflect.Array:
		unit = "item"
		if s.typ != nil && s.typ.Elem().Kind() == reflect.Uint8 {
			unit = "byte"
		}
	case reflect.Map:
		unit = "entry"
	default:
		return param, false
	}
	n, err := strconv.ParseInt(param, 0, 32)
	if err != nil {
		return param + " " + unit + "s", true
	}
	return plural(int(n), unit), true
}

// lengthWords turns the words for a number into those for a length. It is costly to make, and a hostile body may break a
// rule thousands of times.
var lengthWords = strings.NewReplacer("more than", "longer than", "less than", "shorter than")

// bound words a rule that compares a length or a number.
func bound(words string) func(subject, string) string {
	return func(s subject, param string) string {
		if s.typ == timeType || s.kind == reflect.Struct {
			if strings.HasPrefix(words, "at least") || strings.HasPrefix(words, "more") {
				return "must be in the future"
			}
			return "must be in the past"
		}
		amount, counted := s.amount(param)
		switch {
		case counted && s.kind == reflect.String:
			return "must be " + lengthWords.Replace(words) + " " + amount
		case counted:
			return "must have " + strings.Replace(words, "less", "fewer", 1) + " " + amount
		case s.typ == durationType:
			return "must be " + lengthWords.Replace(words) + " " + amount
		}
		return "must be " + strings.Replace(words, "more than", "greater than", 1) + " " + amount
	}
}

// equal words eq, ne and len.
func equal(not bool, length bool) func(subject, string) string {
	return func(s subject, param string) string {
		amount, counted := s.amount(param)
		counted = counted && (length || s.kind != reflect.String)
		verb := "must "
		if not {
			verb = "must not "
		}
		switch {
		case counted && s.kind == reflect.String:
			return verb + "be exactly " + amount
		case counted:
			return verb + "have exactly " + amount
		}
		return verb + "be " + param
	}
}

// choice words oneof and its relatives.
func choice(intro string) func(subject, string) string {
	return func(_ subject, param string) string { return intro + strings.Join(splitWords(param), ", ") }
}
