package openapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
)

// refusals are the codes of a route's errors by their status.
type refusals map[int][]string

func (f refusals) add(status int, codes ...string) {
	for _, c := range codes {
		if !slices.Contains(f[status], c) {
			f[status] = append(f[status], c)
		}
	}
}

// refusalsOf are what the guard itself answers on a route, stage by stage: see package guard.
func refusalsOf(r checklist.Route, method string) refusals {
	f := refusals{}
	f.add(http.StatusInternalServerError, "internal")
	f.add(http.StatusServiceUnavailable, "unavailable") // a store that fails, a deadline that passed
	if slices.ContainsFunc(r.Limits.Rules, func(l checklist.Limit) bool { return !l.Shadow }) {
		f.add(http.StatusTooManyRequests, "rate_limited")
	}
	f.who(r.Who, checklist.Route{Pattern: method + " /"}.Mutates())
	if len(r.Which.Steps) > 0 {
		f.add(http.StatusNotFound, "not_found")
	}
	f.what(r.What)
	if r.Tell.InvalidStatus == http.StatusUnprocessableEntity && len(r.What.Fields) > 0 {
		f.add(http.StatusUnprocessableEntity, f.invalid()...)
	}
	return f
}

func (f refusals) who(w checklist.Who, mutates bool) {
	ambient := slices.ContainsFunc(w.Credentials, checklist.Credential.Ambient)
	if mutates && (ambient || w.Anyone || w.Optional) {
		f.add(http.StatusForbidden, "cross_origin")
	}
	if len(w.Roles) > 0 {
		f.add(http.StatusForbidden, "forbidden")
	}
	if len(w.Credentials) > 0 {
		f.add(http.StatusUnauthorized, "unauthenticated")
	}
	if signedBy(w) != "" {
		f.add(http.StatusConflict, "message_running")
		f.add(http.StatusRequestEntityTooLarge, "body_too_large")
	}
}

func (f refusals) what(w checklist.What) {
	f.add(http.StatusBadRequest, "invalid_parameters", "incomplete_body")
	f.add(http.StatusRequestTimeout, "request_timeout")
	switch {
	case w.MaxBody == 0:
		f.add(http.StatusBadRequest, "unexpected_body")
	case w.MediaTypes != nil:
		f.add(http.StatusBadRequest, "invalid_body")
		f.add(http.StatusUnsupportedMediaType, "unsupported_media_type")
		fallthrough
	default:
		f.add(http.StatusRequestEntityTooLarge, "body_too_large")
	}
}

// invalid are the codes of input that breaks rules.
func (f refusals) invalid() []string {
	codes := []string{"invalid_parameters"}
	if slices.Contains(f[http.StatusBadRequest], "invalid_body") {
		codes = append(codes, "invalid_body")
	}
	return codes
}

// own adds the refusals of the service.
func (f refusals) own(errs []error) error {
	var mistakes []error
	for _, err := range errs {
		var e *guard.Error
		switch {
		case errors.As(err, &e) && e != nil && e.Status >= 400 && e.Status <= 599:
			f.add(e.Status, e.Code)
		case errors.Is(err, guard.ErrNotFound):
			f.add(http.StatusNotFound, "not_found")
		default:
			mistakes = append(mistakes, fmt.Errorf("in Errors: %v: no refusal: write guard.ErrNotFound or what guard.Fail returned", err))
		}
	}
	return errors.Join(mistakes...)
}

// refused returns the responses of a route's errors, in the order of their status.
func (b *builder) refused(r checklist.Route, f refusals) object {
	var all object
	var list []int
	for status := range f {
		list = append(list, status)
	}
	slices.Sort(list)
	for _, status := range list {
		slices.Sort(f[status])
		all.set(strconv.Itoa(status), b.refusal(r, status, f[status]))
	}
	return all
}

// refusal is a reference to the response of one status and its codes, which routes share.
func (b *builder) refusal(r checklist.Route, status int, codes []string) object {
	headers := b.headersOf(r)
	switch status {
	case http.StatusUnauthorized:
		headers.set("WWW-Authenticate", b.header("WWW-Authenticate"))
	case http.StatusForbidden:
		if slices.ContainsFunc(r.Who.Credentials, func(c checklist.Credential) bool { return c.Kind == "bearer" }) && len(r.Who.Roles) > 0 {
			headers.set("WWW-Authenticate", b.header("WWW-Authenticate.scope"))
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusConflict:
		headers.set("Retry-After", b.header("Retry-After"))
	}
	narrowed := object{{"allOf", []object{b.errorSchema(r.Tell), {{"properties", object{{"code", object{{"enum", codes}}}}}}}}}
	if b.errorFormat(r.Tell) == "Problem" {
		narrowed = object{{"allOf", []object{b.errorSchema(r.Tell), {{"properties", object{
			{"status", object{{"const", status}}}, {"code", object{{"enum", codes}}}}}}}}}
	}
	response := object{{"description", http.StatusText(status) + ": " + strings.Join(codes, ", ") + "."}, {"headers", headers},
		{"content", object{{mediaType(r.Tell.MediaType), object{{"schema", narrowed}}}}}}
	if http.StatusText(status) == "" {
		response.set("description", strings.Join(codes, ", ")+".")
	}
	return b.response(strconv.Itoa(status)+"."+strings.Join(codes, "."), response)
}

// response makes a component of a response, or finds the same one.
func (b *builder) response(name string, response object) object {
	name = clean(name)
	base := name
	for n := 2; ; n++ {
		old := b.responses.get(name)
		if old == nil {
			b.responses.set(name, response)
			break
		}
		if same(old.(object), response) {
			break
		}
		name = base + "-" + strconv.Itoa(n)
	}
	return object{{"$ref", "#/components/responses/" + name}}
}

func same(a, b object) bool {
	x, errX := encode(a)
	y, errY := encode(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// mediaType is a media type without its parameters.
func mediaType(t string) string {
	t, _, _ = strings.Cut(t, ";")
	return strings.TrimSpace(t)
}

func (b *builder) errorFormat(t checklist.Tell) string {
	name := "ErrorObject"
	if mediaType(t.MediaType) == "application/problem+json" {
		name = "Problem"
	}
	b.formats[name] = true
	return name
}

// errorSchema is a reference to the schema of a route's errors.
func (b *builder) errorSchema(t checklist.Tell) object {
	return object{{"$ref", "#/components/schemas/" + b.errorFormat(t)}}
}

// errorSchemas are the schemas of errors that are referred to.
func (b *builder) errorSchemas() object {
	text := func(description string) object { return object{{"type", "string"}, {"description", description}} }
	fieldError := object{{"type", "object"}, {"required", []string{"pointer", "code", "message"}}, {"properties", object{
		{"pointer", text("An RFC 6901 JSON pointer into the body, or query/limit, path/id or header/If-Match for a parameter.")},
		{"code", text("Stable: the name of the rule.")},
		{"message", text("For people: what the field must be.")},
	}}}
	common := object{
		{"code", text("Stable, in snake_case.")},
		{"requestId", text("The same as X-Request-ID.")},
		{"errors", object{{"type", "array"}, {"items", fieldError}, {"description", "What is wrong with the caller's own input."}}},
	}
	list := object{
		{"ErrorObject", object{{"type", "object"}, {"required", []string{"error", "code", "requestId"}},
			{"properties", append(object{{"error", text("One sentence, for people.")}}, common...)}}},
		{"Problem", object{{"type", "object"}, {"description", "Problem details, RFC 9457."},
			{"required", []string{"type", "title", "status", "code", "requestId"}},
			{"properties", append(object{
				{"type", object{{"const", "about:blank"}}},
				{"title", text("One sentence, for people.")},
				{"status", object{{"type", "integer"}, {"minimum", number("400")}, {"maximum", number("599")}}},
			}, common...)}}},
	}
	return slices.DeleteFunc(list, func(m member) bool { return !b.formats[m.name] })
}
