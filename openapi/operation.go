package openapi

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/routeguard/guard/checklist"
	"github.com/routeguard/guard/internal/input"
)

// operation is one method of one path.
func (b *builder) operation(r checklist.Route, op Operation, method, path string, wildcards []wildcard) object {
	o := object{}
	o.setText("summary", op.Summary)
	o.setText("description", describe(r, op))
	o.set("operationId", b.operationID(op.ID, method, path))
	if len(op.Tags) > 0 {
		o.set("tags", op.Tags)
	}
	if op.Deprecated {
		o.set("deprecated", true)
	}
	example := b.example(r, op)
	if p := b.parameters(r, wildcards, example); len(p) > 0 {
		o.set("parameters", p)
	}
	if body := b.body(r, op, example); body != nil {
		o.set("requestBody", body)
	}
	o.set("responses", b.answers(r, op, method))
	if r.Unguarded == "" {
		o.set("security", b.requirements(r.Who))
	}
	if host := r.Host(); host != "" {
		o.set("servers", []object{{{"url", "https://" + host}}})
	}
	if len(r.Who.Roles) > 0 {
		o.set("x-guard-roles", r.Who.Roles)
	}
	if r.Method() == "" {
		o.set("x-guard-any-method", true)
	}
	return o
}

func describe(r checklist.Route, op Operation) string {
	parts := []string{op.Description}
	if r.Unguarded != "" {
		parts = append(parts, "Not guarded: "+r.Unguarded+".")
	}
	if len(r.Who.Roles) > 0 {
		parts = append(parts, "For callers only for whom "+strings.Join(r.Who.Roles, " and ")+" holds.")
	}
	if r.Method() == "" {
		parts = append(parts, "The route takes every method.")
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, "\n\n")
}

// operationID makes patchProjectsByProjectID of PATCH /projects/{projectID}.
func (b *builder) operationID(id, method, path string) string {
	if id == "" {
		id = strings.ToLower(method)
		for segment := range strings.SplitSeq(path, "/") {
			if strings.HasPrefix(segment, "{") {
				id += "By"
			}
			for word := range strings.FieldsFuncSeq(segment, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }) {
				first, size := utf8.DecodeRuneInString(word)
				id += string(unicode.ToUpper(first)) + word[size:]
			}
		}
	}
	base := id
	for n := 2; b.ids[id]; n++ {
		id = base + strconv.Itoa(n)
	}
	b.ids[id] = true
	return id
}

// parameters are those of the path, in its order, and then the input's.
func (b *builder) parameters(r checklist.Route, wildcards []wildcard, e example) []object {
	var list []object
	for _, w := range wildcards {
		list = append(list, b.pathParameter(r, w, e))
	}
	for _, f := range r.What.Fields {
		if f.In == "query" || f.In == "header" {
			list = append(list, b.parameter(f, r.What.Type, e))
		}
	}
	return append(list, signatureFields(r.Who)...)
}

func (b *builder) pathParameter(r checklist.Route, w wildcard, e example) object {
	p := object{{"name", w.as}, {"in", "path"}, {"required", true}}
	if w.rest {
		p.set("description", "The rest of the path, which may hold slashes.")
	}
	s := object{{"type", "string"}}
	for _, f := range r.What.Fields {
		if f.In == "path" && f.Name == w.name {
			s = b.field(f, r.What.Type)
			e.add(&p, f)
		}
	}
	for _, step := range r.Which.Steps {
		if step.Parameter == w.name {
			s.assert(object{{"minLength", 1}, {"maxLength", input.MaxPathValueBytes}})
			if step.UUID {
				s = object{{"type", "string"}, {"format", "uuid"}, {"pattern", hexUUID}}
			}
		}
	}
	p.set("schema", s)
	return p
}

func (b *builder) parameter(f checklist.Field, parent reflect.Type, e example) object {
	p := object{{"name", f.Name}, {"in", f.In}}
	if mustBeSent(f) {
		p.set("required", true)
	}
	s := b.field(f, parent)
	if f.In == "header" && f.Repeated { // OpenAPI joins the lines by commas, and the guard takes each as it is
		p.set("description", "It may be given on several lines, each with one value.")
		s = object{{"type", "string"}}
		note(&s, f.Rules, "")
	}
	p.set("schema", s)
	e.add(&p, f)
	return p
}

// body is the request body of a route, or nil where it takes none.
func (b *builder) body(r checklist.Route, op Operation, e example) object {
	if r.What.MaxBody == 0 {
		if op.Body != nil {
			b.mistake("%s: Body: the route takes no body: leave it out", r.Pattern)
		}
		return nil
	}
	body := object{{"description", "At most " + checklist.Size(r.What.MaxBody) + "."}}
	if r.What.MediaTypes == nil {
		body.set("content", object{{"*/*", object{}}})
		return append(body, member{"x-guard-max-bytes", r.What.MaxBody})
	}
	media := object{{"schema", b.bodySchema(r, op)}}
	if e.body != nil {
		media.set("example", e.body)
	}
	content := object{}
	for _, t := range r.What.MediaTypes {
		one := slices.Clone(media)
		if encoding := fileEncoding(r.What); t == "multipart/form-data" && len(encoding) > 0 {
			one.set("encoding", encoding)
		}
		content.set(t, one)
	}
	body.set("content", content)
	return append(body, object{{"required", true}, {"x-guard-max-bytes", r.What.MaxBody}}...)
}

func (b *builder) bodySchema(r checklist.Route, op Operation) object {
	source := input.FromJSON
	if r.What.Kind == "Form" {
		source = input.FromForm
	}
	t := r.What.Type
	build := func() object { return b.members(t, r.What.Fields, source, roleInput) }
	if t.Name() != "" && op.Body == nil {
		return b.schemas.of(t, roleInput, build)
	}
	s := build()
	if op.Body != nil { // which says what Validate asks
		s = slices.DeleteFunc(s, func(m member) bool { return m.name == "x-guard-rules" || m.name == "description" })
	}
	for _, keyword := range slices.Sorted(maps.Keys(op.Body)) {
		s.set(keyword, op.Body[keyword])
	}
	return s
}

// fileEncoding says which media types the files of a form may have, and so what a client declares. Where it may declare
// another one as well, the description of the file says so.
func fileEncoding(w checklist.What) object {
	var all object
	for _, f := range w.Fields {
		if len(f.FileTypes) > 0 {
			all.set(f.Name, object{{"contentType", strings.Join(f.FileTypes, ", ")}})
		}
	}
	return all
}

// answers are the responses: of success, then of the refusals, then of what else the handler may say.
func (b *builder) answers(r checklist.Route, op Operation, method string) object {
	all := object{}
	for _, status := range b.successOf(r, op) {
		all.set(status, b.success(r, op, status))
	}
	if r.Unguarded != "" {
		return all
	}
	f := refusalsOf(r, method)
	if err := f.own(op.Errors); err != nil {
		b.mistake("%s: %w", r.Pattern, err)
	}
	for _, m := range b.refused(r, f) {
		all.set(m.name, m.value)
	}
	other := object{{"description", "Another refusal of the handler."}, {"headers", b.headersOf(r)}}
	if r.Ending == checklist.Wrap {
		other.set("description", "What else the handler answers.")
		other.set("content", object{{"*/*", object{}}})
	} else {
		other.set("content", object{{mediaType(r.Tell.MediaType), object{{"schema", b.errorSchema(r.Tell)}}}})
	}
	all.set("default", b.response("default", other))
	return all
}

// successOf are the statuses of success, as the document has them.
func (b *builder) successOf(r checklist.Route, op Operation) []string {
	var list []string
	for _, status := range op.Success {
		if status < 200 || status > 399 {
			b.mistake("%s: Success: %d is no success: write 200 to 399", r.Pattern, status)
		}
		list = append(list, strconv.Itoa(status))
	}
	switch {
	case len(list) > 0:
	case r.Ending == checklist.Wrap:
		list = []string{"2XX"}
	case r.Ending == checklist.Handler && isNone(r.Result):
		list = []string{"204"}
	default:
		list = []string{"200"}
	}
	if signedBy(r.Who) != "" && !slices.Contains(list, "204") {
		list = append(list, "204") // a message that was delivered before
	}
	return list
}

func (b *builder) success(r checklist.Route, op Operation, status string) object {
	code, _ := strconv.Atoi(status)
	text := http.StatusText(code)
	if text == "" {
		text = "Success"
	}
	if signedBy(r.Who) != "" && status == "204" {
		text += "; also for a message that was delivered before"
	}
	response := object{{"description", text + "."}}
	if r.Unguarded == "" {
		headers := b.headersOf(r)
		if code == http.StatusCreated {
			headers.set("Location", b.header("Location"))
		}
		response.set("headers", headers)
	}
	switch code {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return response
	}
	if content := b.content(r, op); content != nil {
		response.set("content", content)
	}
	return response
}

// content is the body of a success, or nil where there is none.
func (b *builder) content(r checklist.Route, op Operation) object {
	t, media := r.Result, "application/json"
	if r.Ending != checklist.Handler {
		t, media = reflect.TypeOf(op.Result), "*/*"
	}
	if op.MediaType != "" {
		media = op.MediaType
	}
	switch {
	case t == nil && (r.Ending != checklist.Handler || op.MediaType != ""):
		return object{{media, object{}}}
	case t == nil, isNone(t):
		return nil
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	one := object{{"schema", b.result(t)}}
	if e := b.resultExample(r, op); e != nil {
		one.set("example", e)
	}
	return object{{media, one}}
}
