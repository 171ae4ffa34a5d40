package openapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/routeguard/guard/checklist"
)

// pathItem is a path and its operations.
type pathItem struct {
	path  string // "/projects/{projectID}"
	shape string // path with {} for each parameter: OpenAPI cannot tell paths of one shape apart
	names []string
	ops   map[string]object // by method
}

// methods are those that OpenAPI 3.1 knows, in the order of its specification.
var methods = []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions,
	http.MethodHead, http.MethodPatch, http.MethodTrace}

func (p *pathItem) object() object {
	item, others := object{}, object{}
	for _, m := range methods {
		if op, ok := p.ops[m]; ok {
			item.set(strings.ToLower(m), op)
		}
	}
	for m := range p.ops {
		if !slices.Contains(methods, m) {
			others.set(m, p.ops[m])
		}
	}
	if len(others) > 0 {
		slices.SortFunc(others, func(a, b member) int { return strings.Compare(a.name, b.name) })
		item.set("x-guard-operations", others)
	}
	return item
}

// wildcard is a path parameter of a pattern.
type wildcard struct {
	name string // as the pattern has it
	as   string // as the document has it
	rest bool   // it takes the rest of the path
}

// pathOf turns a pattern's path into one of OpenAPI: {$} ends a path, {name...} and a slash at the
// end take the rest of it.
func pathOf(r checklist.Route) (path string, wildcards []wildcard) {
	path = r.Path()
	for _, name := range r.Wildcards() {
		rest := strings.Contains(path, "{"+name+"...}")
		path = strings.Replace(path, "{"+name+"...}", "{"+name+"}", 1)
		wildcards = append(wildcards, wildcard{name: name, as: name, rest: rest})
	}
	if exact, ok := strings.CutSuffix(path, "{$}"); ok {
		return exact, wildcards
	}
	if strings.HasSuffix(path, "/") {
		name := "rest"
		for slices.ContainsFunc(wildcards, func(w wildcard) bool { return w.name == name }) {
			name += "_"
		}
		path += "{" + name + "}"
		wildcards = append(wildcards, wildcard{as: name, rest: true})
	}
	return path, wildcards
}

// item finds or makes the path item of a route. Where another route has a path of the same shape,
// the parameters have that one's names.
func (b *builder) item(r checklist.Route) (*pathItem, []wildcard) {
	path, wildcards := pathOf(r)
	shape, names := path, []string(nil)
	for i, w := range wildcards {
		shape = strings.Replace(shape, "{"+w.as+"}", "{"+strconv.Itoa(i)+"}", 1)
		names = append(names, w.as)
	}
	for _, p := range b.paths {
		if p.shape == shape {
			for i := range wildcards {
				wildcards[i].as = p.names[i]
			}
			return p, wildcards
		}
	}
	p := &pathItem{path: path, shape: shape, names: names, ops: map[string]object{}}
	b.paths = append(b.paths, p)
	return p, wildcards
}

// methodsOf are the methods that the document shows for a route. A route without a method takes every
// one: shown are those whose bodies have a meaning.
func methodsOf(r checklist.Route) []string {
	switch {
	case r.Method() != "":
		return []string{r.Method()}
	case r.What.MaxBody > 0:
		return []string{http.MethodPut, http.MethodPost, http.MethodPatch}
	}
	return []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch}
}

// route adds the operations of a route.
func (b *builder) route(r checklist.Route, op Operation) {
	item, wildcards := b.item(r)
	for _, method := range methodsOf(r) {
		if _, taken := item.ops[method]; taken {
			if r.Method() == "" {
				continue // the route with the method wins on a ServeMux, too
			}
			b.mistake("%s: OpenAPI cannot tell it from another route of this path: make a document for each host", r.Pattern)
			continue
		}
		item.ops[method] = b.operation(r, op, method, item.path, wildcards)
	}
}
