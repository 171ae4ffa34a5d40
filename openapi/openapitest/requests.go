package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Request is a request that a document describes. It has no credential.
type Request struct {
	Name   string // what is special about it
	Method string
	Path   string // the document's own: "/projects/{projectID}"
	// Valid tells that the document promises that the guard takes it, and otherwise that
	// the guard refuses it as invalid input.
	Valid bool

	PathValues map[string]string
	Query      url.Values
	Header     http.Header
	Body       []byte
}

// String names the request.
func (r Request) String() string { return r.Method + " " + r.Path + ": " + r.Name }

// HTTP returns the request to a server at base: "http://127.0.0.1:8080".
func (r Request) HTTP(base string) (*http.Request, error) {
	path := r.Path
	for name, text := range r.PathValues {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(text))
	}
	if len(r.Query) > 0 {
		path += "?" + r.Query.Encode()
	}
	req, err := http.NewRequest(r.Method, base+path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("openapitest: %w", err)
	}
	maps.Copy(req.Header, r.Header.Clone())
	return req, nil
}

// Requests are made of the document's schemas and examples, the same ones each time.
//
// For each operation there is one as the example is, those with all fields and with the required ones alone, and those
// that differ in one value: the bounds and what is beyond them, each choice and another, wrong types, null,
// what is missing, what is too much. Left out is what the document cannot judge: a rule of the service's own
// may refuse it. An operation without a body or parameters has one request.
func (c *Contract) Requests() []Request {
	var all []Request
	for _, op := range c.operations() {
		if _, guarded := op.schema["security"]; guarded {
			all = append(all, c.requests(op)...)
		}
	}
	return all
}

// parts are the values of a request, before they are text.
type parts struct {
	parameters map[string]any // by place and name; absent where it is left out
	body       any
	hasBody    bool
}

func (c *Contract) requests(op operation) []Request {
	var list []Request
	base := c.usualParts(op)
	add := func(name string, p parts) {
		p = c.onTheWire(op, p)
		worst := c.judgeParts(op, p)
		if r, ok := c.request(op, p); ok && worst != unsure {
			r.Name, r.Valid = name, worst == taken
			list = append(list, r)
		}
	}
	add("usual", base)
	for _, p := range parametersOf(op) {
		if p.place == "path" && object(op.schema["responses"])["404"] != nil {
			continue // an id: what is wrong with it is a 404, as for any missing one
		}
		list := c.values(p.schema, 2)
		if p.place != "path" {
			list = append(list, value{"absent", nil})
		}
		for _, v := range list {
			changed := base
			changed.parameters = maps.Clone(base.parameters)
			changed.parameters[p.key()] = v.v
			if v.name == "absent" {
				delete(changed.parameters, p.key())
			}
			add(p.key()+": "+v.name, changed)
		}
	}
	for _, v := range c.bodies(op) {
		changed := base
		changed.body = v.v
		add(v.name, changed)
	}
	return list
}

// parameter is a parameter of an operation.
type parameter struct {
	place, name string
	required    bool
	schema      schema
	example     example
}

func (p parameter) key() string { return p.place + " " + p.name }

func parametersOf(op operation) []parameter {
	var all []parameter
	list, _ := op.schema["parameters"].([]any)
	for _, v := range list {
		o := object(v)
		e, has := o["example"]
		all = append(all, parameter{place: o["in"].(string), name: o["name"].(string), required: o["required"] == true,
			schema: object(o["schema"]), example: example{e, has}})
	}
	return all
}

// media is the media type of an operation's body that is tried, and what is said of it.
func media(op operation) (string, schema) {
	content := object(object(op.schema["requestBody"])["content"])
	types := slices.Sorted(maps.Keys(content))
	if len(types) == 0 {
		return "", nil
	}
	return types[0], object(content[types[0]])
}

// usualParts are those that vary in one value at a time. Where there is an example of the input, parameters
// that it leaves out are left out.
func (c *Contract) usualParts(op operation) parts {
	p := parts{parameters: map[string]any{}}
	list := parametersOf(op)
	_, m := media(op)
	exemplary := m["example"] != nil || slices.ContainsFunc(list, func(one parameter) bool { return one.example.ok })
	for _, one := range list {
		switch {
		case one.example.ok:
			p.parameters[one.key()] = one.example.value
		case one.required || !exemplary:
			p.parameters[one.key()] = c.usual(one.schema, 0, 1)
		}
	}
	s := object(m["schema"])
	p.hasBody = m != nil
	if s != nil {
		p.body = c.usualBody(s, m)
	}
	return p
}

// usualBody has all fields, with the values of the example where it has them.
func (c *Contract) usualBody(s, m schema) map[string]any {
	body := c.usualObject(c.flat(s), depth)
	maps.Copy(body, object(m["example"]))
	return body
}

func (c *Contract) bodies(op operation) []value {
	_, m := media(op)
	s := object(m["schema"])
	if s == nil {
		return nil
	}
	list := []value{{"null", nil}, {"a list", []any{}}, {"text", "text"}}
	if e, ok := m["example"]; ok {
		list = append(list, value{"the example", e})
	}
	return append(list, c.objects(c.flat(s), c.usualBody(s, m), depth)...)
}

func (c *Contract) judgeParts(op operation, p parts) verdict {
	worst := taken
	for _, one := range parametersOf(op) {
		v, sent := p.parameters[one.key()]
		switch {
		case !sent:
			worst = min(worst, yes(!one.required))
		default:
			worst = min(worst, c.judge(one.schema, c.fromText(one.schema, v), one.example))
		}
	}
	kind, m := media(op)
	s := object(m["schema"])
	if s == nil {
		return worst
	}
	e, has := m["example"]
	body := p.body
	if fields, ok := body.(map[string]any); ok && isForm(kind) {
		body = c.formFromText(s, fields)
	}
	return min(worst, c.judge(s, body, example{e, has}))
}

// fromText is what a text means for a schema: a parameter has no types of its own.
func (c *Contract) fromText(s schema, v any) any {
	s = c.flat(s)
	if list, ok := v.([]any); ok {
		all := []any{}
		for _, item := range list {
			all = append(all, c.fromText(object(s["items"]), item))
		}
		return all
	}
	text, ok := asText(v)
	if !ok {
		return v
	}
	switch firstType(s["type"]) {
	case "array":
		return []any{c.fromText(object(s["items"]), v)}
	case "integer", "number":
		if _, err := strconv.ParseFloat(text, 64); err == nil && !strings.ContainsAny(text, "+_xXnNiI") {
			return json.Number(text)
		}
	case "boolean":
		if text == "true" || text == "false" {
			return text == "true"
		}
	}
	return text
}

// onTheWire drops the difference between what is the same as text: no value and an absent one, one value
// and a list of it.
func (c *Contract) onTheWire(op operation, p parts) parts {
	p.parameters = unlisted(p.parameters)
	fields, ok := p.body.(map[string]any)
	if kind, _ := media(op); ok && isForm(kind) {
		p.body = unlisted(fields)
	}
	return p
}

func unlisted(fields map[string]any) map[string]any {
	all := map[string]any{}
	for name, v := range fields {
		list, isList := v.([]any)
		switch {
		case !isList:
			all[name] = v
		case len(list) == 1:
			all[name] = list[0]
		case len(list) > 1:
			all[name] = v
		}
	}
	return all
}

func isForm(kind string) bool {
	return kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"
}

func (c *Contract) formFromText(s schema, fields map[string]any) map[string]any {
	properties := object(c.flat(s)["properties"])
	all := map[string]any{}
	for name, v := range fields {
		all[name] = c.fromText(object(properties[name]), v)
	}
	return all
}

// asText is a value as a parameter has it. Objects and null have no text.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func controls(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// texts are the values of a parameter that may be given several times.
func texts(v any) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var all []string
	for _, item := range list {
		text, ok := asText(item)
		if !ok {
			return nil, false
		}
		all = append(all, text)
	}
	return all, true
}

// request writes the parts. It reports false for what cannot be written, such as null in a query.
func (c *Contract) request(op operation, p parts) (Request, bool) {
	r := Request{Method: op.method, Path: op.path, PathValues: map[string]string{}, Query: url.Values{}, Header: http.Header{}}
	for key, v := range p.parameters {
		place, name, _ := strings.Cut(key, " ")
		list, ok := texts(v)
		switch {
		case !ok || slices.ContainsFunc(list, controls):
			return r, false // the guard takes no control characters in a parameter, whatever its schema
		case place == "query":
			r.Query[name] = list
		case len(list) != 1:
			return r, false
		case place == "header":
			if strings.TrimSpace(list[0]) != list[0] {
				return r, false
			}
			r.Header.Set(name, list[0])
		case list[0] == "" || strings.Contains(list[0], "/"):
			return r, false
		default:
			r.PathValues[name] = list[0]
		}
	}
	if !p.hasBody {
		return r, true
	}
	kind, m := media(op)
	return r, c.write(&r, kind, m, p.body)
}

// write adds the body.
func (c *Contract) write(r *Request, kind string, m schema, body any) bool {
	fields, isObject := body.(map[string]any)
	r.Header.Set("Content-Type", kind)
	switch kind {
	case "*/*":
		r.Header.Del("Content-Type")
		return true
	case "application/x-www-form-urlencoded":
		form := url.Values{}
		for name, v := range fields {
			list, ok := texts(v)
			if !ok {
				return false
			}
			form[name] = list
		}
		r.Body = []byte(form.Encode())
		return isObject
	case "multipart/form-data":
		return isObject && writeMultipart(r, object(m["encoding"]), fields)
	}
	if strings.Contains(kind, "*") {
		r.Header.Set("Content-Type", strings.ReplaceAll(kind, "*", "any"))
	}
	b, err := json.Marshal(body)
	r.Body = b
	return err == nil
}

func writeMultipart(r *Request, encoding schema, fields map[string]any) bool {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if w.SetBoundary("boundary-of-a-request-out-of-the-document") != nil {
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		list, ok := texts(fields[name])
		if !ok {
			return false
		}
		types, isFile := object(encoding[name])["contentType"].(string)
		for _, text := range list {
			h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf("form-data; name=%q", name)}}
			if isFile {
				kind, _, _ := strings.Cut(types, ",")
				h["Content-Disposition"] = []string{fmt.Sprintf("form-data; name=%q; filename=\"file\"", name)}
				h["Content-Type"] = []string{kind}
				text = fileSamples[kind]
			}
			part, err := w.CreatePart(h)
			if err != nil {
				return false
			}
			if _, err := part.Write([]byte(text)); err != nil {
				return false
			}
		}
	}
	err := w.Close()
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Body = b.Bytes()
	return err == nil
}
