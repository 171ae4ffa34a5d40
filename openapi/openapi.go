// Package openapi makes the OpenAPI 3.1 document of a service out of its guards.
//
// [Document] takes the routes that guard.Mux.Routes or guard.Describe returns: what a guard
// enforces is what the document says. It has the parameters and bodies with their rules, the
// credentials, and every refusal of the guard with its codes.
//
//	doc, err := openapi.Document(openapi.Info{Title: "Projects", Version: "1"}, mux.Routes(),
//		openapi.Operation{Pattern: "POST /projects", Summary: "Create a project", Success: []int{201}})
//
// # What the schemas mean
//
// A schema is never stricter than the guard: a client that is generated from it refuses nothing that
// the guard takes. It may be laxer. What JSON Schema cannot say stands in the description and, as the
// tag has it, under x-guard-rules. That is so for text that is normalized, too: a maximum
// length holds after the trimming, so it is no maxLength. The format keyword is an annotation, as JSON
// Schema 2020-12 has it.
//
//	x-guard-rules        rules, as the validate tag has them, that hold beside the schema's keywords
//	x-guard-normalize    what is done to text before its rules are judged
//	x-guard-max-values   how many JSON values arbitrary JSON may have
//	x-guard-max-bytes    the cap of a body or a file
//	x-guard-roles        the functions that must hold for the caller
//	x-guard-any-method   the route takes every method
//	x-guard-operations   operations whose methods OpenAPI 3.1 does not know
package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/routeguard/guard/checklist"
)

// Info is what the document says about the service as a whole. Title and Version are required.
type Info struct {
	Title       string
	Version     string // of the service, not of OpenAPI
	Description string // CommonMark
	Servers     []string
}

// Operation is what the code of a route cannot tell. Every field but Pattern is optional.
type Operation struct {
	Pattern     string // the route's own: "POST /projects"
	ID          string // operationId; empty: made of the method and the path
	Summary     string
	Description string // CommonMark
	Tags        []string
	Deprecated  bool

	// Success are the statuses of success. Empty: 200, or 204 where there is no result.
	Success []int
	// MediaType is that of a success that is no JSON, such as text/event-stream.
	MediaType string

	// Errors are refusals of the service's own on this route: guard.ErrNotFound and
	// what guard.Fail returned. Handlers, loaders and Responder.Map make them.
	Errors []error

	// Input is an example of the route's input, a value of its type. Absent are
	// fields that are zero and not required.
	Input any
	// Result is an example of the result. It has the result's type, or gives a stream's
	// or a wrapped handler's one.
	Result any
	// Body adds JSON Schema keywords to the schema of the body, for what a Validate
	// method asks: {"minProperties": 1}.
	Body map[string]any
}

// Document returns the OpenAPI 3.1 document of routes, indented JSON.
//
// It is the same, byte for byte, for the same routes. Operations add to their routes
// what only people know. Routes without a guard are no API and are left out, unless an
// Operation names them. The error lists every mistake: an Operation of no route, an
// example of another type, two routes that OpenAPI cannot tell apart.
func Document(info Info, routes []checklist.Route, operations ...Operation) (json.RawMessage, error) {
	b := &builder{operations: map[string]Operation{}, fields: map[reflect.Type][]checklist.Field{}, ids: map[string]bool{}}
	b.check(info, routes, operations)
	for _, anyMethod := range []bool{false, true} { // what a route with a method takes is left to it
		for _, r := range routes {
			op, named := b.operations[r.Pattern]
			if (r.Unguarded == "" || named) && (r.Method() == "") == anyMethod {
				b.route(r, op)
			}
		}
	}
	if err := errors.Join(b.mistakes...); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	doc, err := encode(b.document(info))
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return doc, nil
}

// builder gathers the parts of a document.
type builder struct {
	operations map[string]Operation
	mistakes   []error

	paths     []*pathItem
	schemas   schemas
	fields    map[reflect.Type][]checklist.Field // of the structs within inputs
	responses object                             // components
	security  object                             // components
	headers   map[string]bool                    // components that are referred to
	formats   map[string]bool                    // of errors: their schemas are referred to
	ids       map[string]bool                    // operationIds
}

func (b *builder) mistake(format string, args ...any) {
	b.mistakes = append(b.mistakes, fmt.Errorf(format, args...))
}

func (b *builder) check(info Info, routes []checklist.Route, operations []Operation) {
	b.headers, b.formats = map[string]bool{}, map[string]bool{}
	if info.Title == "" || info.Version == "" {
		b.mistake("Info: Title and Version are required: write both")
	}
	known := map[string]bool{}
	for _, r := range routes {
		if known[r.Pattern] {
			b.mistake("%s: is twice in the routes: pass each once", r.Pattern)
		}
		known[r.Pattern] = true
	}
	for _, op := range operations {
		if !known[op.Pattern] {
			b.mistake("Operation %q: there is no such route: write the pattern that is registered", op.Pattern)
		}
		if _, twice := b.operations[op.Pattern]; twice {
			b.mistake("Operation %q: is given twice: write one", op.Pattern)
		}
		b.operations[op.Pattern] = op
	}
}

func (b *builder) document(info Info) object {
	about := object{{"title", info.Title}, {"version", info.Version}}
	about.setText("description", info.Description)
	doc := object{{"openapi", "3.1.1"}, {"info", about}}
	var servers []object
	for _, url := range info.Servers {
		servers = append(servers, object{{"url", url}})
	}
	if len(servers) > 0 {
		doc.set("servers", servers)
	}
	var paths object
	for _, p := range b.paths {
		paths.set(p.path, p.object())
	}
	if paths == nil {
		paths = object{}
	}
	doc.set("paths", paths)
	doc.set("components", b.components())
	return doc
}

func (b *builder) components() object {
	named := b.errorSchemas()
	var reserved []string
	for _, m := range named {
		reserved = append(reserved, m.name)
	}
	parts := object{
		{"schemas", append(named, b.schemas.object(reserved)...)},
		{"responses", b.responses},
		{"headers", b.headerComponents()},
		{"securitySchemes", b.security},
	}
	all := object{}
	for _, p := range parts {
		if len(p.value.(object)) > 0 {
			all = append(all, p)
		}
	}
	return all
}
