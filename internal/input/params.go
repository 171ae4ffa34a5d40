package input

import (
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// The problems of parameters.
var (
	unknownParameter = &problem{code: "unknown_parameter", message: "has an unknown parameter"}
	tooManyPairs     = &problem{code: "too_many", message: "has too many parameters", param: strconv.Itoa(MaxPairs)}
	queryTooLong     = &problem{code: "too_long", message: "is too long", param: strconv.Itoa(MaxQueryBytes)}
	badEscape        = &problem{code: "syntax", message: "is not encoded correctly"}
	repeated         = &problem{code: "repeated", message: "must be given only once"}
	missing          = &problem{code: "required", message: "is required", rule: true}
	pathTooLong      = &problem{code: "max", message: "must be at most " + plural(MaxPathValueBytes, "byte"), param: strconv.Itoa(MaxPathValueBytes)}
)

// parameters decodes path, query and header fields.
func (p *Plan) parameters(r *http.Request, v reflect.Value, s *scratch) {
	for _, f := range p.path {
		s.note(f, setPath(f.node, f.in(v), r.PathValue(f.name)))
	}
	p.queryFields(r, v, s)
	for _, f := range p.header {
		s.note(f, setHeader(f, f.in(v), r.Header[f.name]))
	}
}

// note records a problem of a top-level field.
func (s *scratch) note(f *field, p *problem) {
	if p == nil {
		return
	}
	s.path = append(s.path[:0], frame{field: f})
	s.out.add(s.path, p)
}

// setPath decodes a path value. ServeMux has unescaped it, so that it may hold what no segment should.
func setPath(n *node, v reflect.Value, text string) *problem {
	switch {
	case text == "":
		return missing
	case len(text) > MaxPathValueBytes:
		return pathTooLong
	case strings.Contains(text, "/"), text == ".", text == "..":
		return badText
	}
	if bad := cleanText(text, false); bad != nil {
		return bad
	}
	return n.setText(v, text)
}

// setHeader decodes a header field. One field line is one value: lists in a line are the type's business.
func setHeader(f *field, v reflect.Value, values []string) *problem {
	if len(values) == 0 {
		return f.setDefault(v)
	}
	if f.node.op != opSlice {
		if len(values) > 1 {
			return repeated
		}
		return setClean(f.node, v, values[0], false)
	}
	for _, text := range values {
		if bad := appendText(f.node, v, text, false); bad != nil {
			return bad
		}
	}
	return nil
}

// setClean decodes text after checking its characters.
func setClean(n *node, v reflect.Value, text string, form bool) *problem {
	if bad := cleanText(text, form); bad != nil {
		return bad
	}
	return n.setText(v, text)
}

// appendText decodes text into a new item of a slice.
func appendText(n *node, v reflect.Value, text string, form bool) *problem {
	i := v.Len()
	if i == n.max {
		return tooMany(n.max, "item")
	}
	v.Grow(1)
	v.SetLen(i + 1)
	return setClean(n.elem, v.Index(i), text, form)
}

// setDefault gives an absent field its default. Compile has checked that it fits.
func (f *field) setDefault(v reflect.Value) *problem {
	if !f.hasDef {
		return nil
	}
	return f.node.setText(v, f.def)
}

// queryFields decodes the query. A route that has no query fields still refuses every name.
func (p *Plan) queryFields(r *http.Request, v reflect.Value, s *scratch) {
	raw := ""
	if r.URL != nil {
		raw = r.URL.RawQuery
	}
	s.seen = append(s.seen[:0], make([]bool, len(p.query))...)
	if raw != "" {
		bad := queryTooLong
		if len(raw) <= MaxQueryBytes {
			bad = eachPair(raw, func(name, value string) bool {
				p.queryPair(name, value, v, s)
				return true
			})
		}
		if bad != nil {
			s.out.addParameters(FromQuery, bad)
			s.out.hard = true
			return
		}
	}
	for i, f := range p.query {
		if !s.seen[i] {
			s.note(f, f.setDefault(f.in(v)))
		}
	}
}

func (p *Plan) queryPair(name, value string, v reflect.Value, s *scratch) {
	f, ok := p.byQuery[name]
	if !ok {
		s.out.addParameters(FromQuery, unknownParameter)
		return
	}
	s.note(f, s.setOnce(f, f.in(v), value, false))
}

// setOnce decodes the value of a query or form field, which is given once unless it is a slice.
func (s *scratch) setOnce(f *field, v reflect.Value, value string, form bool) *problem {
	if f.node.op == opSlice {
		s.seen[f.slot] = true
		return appendText(f.node, v, value, form)
	}
	if s.seen[f.slot] {
		return repeated
	}
	s.seen[f.slot] = true
	return setClean(f.node, v, value, form)
}

// eachPair splits name=value pairs joined by &, and unescapes them. url.URL.Query drops what it cannot read: here a bad
// escape, a semicolon and more than MaxPairs pairs are refused. It ends early when pair returns false.
func eachPair(raw string, pair func(name, value string) bool) *problem {
	if strings.Count(raw, "&")+1 > MaxPairs {
		return tooManyPairs
	}
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		if strings.Contains(part, ";") {
			return badEscape
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := unescape(name)
		if err == nil {
			value, err = unescape(value)
		}
		if err != nil {
			return badEscape
		}
		if !pair(name, value) {
			return nil
		}
	}
	return nil
}

func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	return url.QueryUnescape(s)
}
