package input

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"
)

// judge runs the validate tags on the decoded struct and records what they refuse. An error is the service's own: a
// rule that panicked, or a value that validator cannot judge.
func (p *Plan) judge(ctx context.Context, dst any, s *scratch) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			if caught == http.ErrAbortHandler {
				panic(caught)
			}
			err = panicError("validate", caught)
		}
	}()
	if p.natives != nil {
		r := nativeRun{ctx: ctx, out: &s.out, path: s.path[:0]}
		r.fields(p.natives, reflect.ValueOf(dst).Elem())
		s.path = r.path
		return nil
	}
	switch errs := p.validate.StructCtx(ctx, dst).(type) {
	case nil:
		return nil
	case validator.ValidationErrors:
		for _, fe := range errs {
			if s.out.full {
				return nil
			}
			p.record(fe, &s.out)
		}
		return nil
	default:
		return fmt.Errorf("input: validate %v: %T", p.typ, errs)
	}
}

// record turns one refusal of validator into a violation.
func (p *Plan) record(fe validator.FieldError, out *collector) {
	at := p.locate(fe.StructNamespace())
	tag := fe.Tag()
	// An Optional without a value is judged by required alone, as absent and null have nothing to judge.
	if at.node != nil && at.node.op == opOptional && (fe.Kind() == reflect.Pointer || fe.Kind() == reflect.Invalid) && !requires(tag) {
		if at.level == nil || !at.level.has("required") {
			return
		}
		tag = "required"
	}
	s := subject{tag: tag, param: fe.Param(), kind: fe.Kind(), typ: fe.Type()}
	if n := at.node.value(); s.kind == reflect.Pointer && n != nil {
		s.typ, s.kind = n.typ, n.typ.Kind()
	}
	s.parent, s.beside = at.parent, at.beside
	if !out.refused(at.path) {
		out.add(at.path, describe(s))
	}
}

// requires reports whether a rule asks for presence.
func requires(tag string) bool {
	return strings.HasPrefix(tag, "required") || strings.HasPrefix(tag, "excluded") || tag == "skip_unless"
}

// location is where in the plan a namespace of validator leads.
type location struct {
	path   []frame
	node   *node  // the node there; nil when the namespace leads nowhere
	level  *level // its rules
	parent *structNode
	beside string // Go names of the embedded struct that it stands in: "Base."
}

// locate follows a namespace such as "Project.Items[3].Base.Name" through the plan. Keys of maps are the caller's text and
// may hold anything, so that it stops at the first.
func (p *Plan) locate(ns string) location {
	at := location{parent: p.root}
	rest := ns
	if name := p.typ.Name(); name != "" {
		rest = strings.TrimPrefix(rest, name+".")
	}
	s := p.root
	for s != nil && rest != "" {
		f, after := s.longest(rest)
		if f == nil {
			return at
		}
		at.parent = s
		at.path = append(at.path, frame{field: f})
		at.node, at.level, at.beside = f.node, f.level, f.goPath[:strings.LastIndexByte(f.goPath, '.')+1]
		s, rest = at.items(after)
	}
	return at
}

// items follows indexes, and returns the struct that the next name stands in.
func (l *location) items(rest string) (*structNode, string) {
	for {
		n := l.node.value()
		if !strings.HasPrefix(rest, "[") {
			rest = strings.TrimPrefix(rest, ".")
			if n == nil {
				return nil, ""
			}
			return n.st, rest
		}
		if n == nil || n.op == opMap || n.elem == nil {
			l.path = append(l.path, frame{entry: true})
			return nil, ""
		}
		text, after, ok := strings.Cut(rest[1:], "]")
		i, err := strconv.Atoi(text)
		if !ok || err != nil {
			return nil, ""
		}
		// A repeated parameter is one field to its caller.
		if l.path[0].field.source == FromJSON {
			l.path = append(l.path, frame{index: i})
		}
		l.node, l.level, rest = n.elem, l.level.dive(), after
	}
}

// value looks through pointers and Optional.
func (n *node) value() *node {
	for n != nil && (n.op == opPointer || n.op == opOptional) {
		n = n.elem
	}
	return n
}

// longest finds the field whose Go path begins the namespace.
func (s *structNode) longest(ns string) (*field, string) {
	for _, f := range s.fields {
		after, ok := strings.CutPrefix(ns, f.goPath)
		if ok && (after == "" || after[0] == '.' || after[0] == '[') {
			return f, after
		}
	}
	return nil, ""
}

// FieldErrors is what a type's own Validate method returns to name fields. Any other error is a failure of the service.
type FieldErrors struct {
	// Violations name fields relative to the type: "/endsAt", or "query/limit" in the input struct itself. "" is the value as a whole.
	Violations []Violation
}

// Error lists the fields and codes.
func (e *FieldErrors) Error() string {
	var parts []string
	for _, v := range e.Violations {
		parts = append(parts, v.Pointer+": "+v.Code)
	}
	return "invalid input: " + strings.Join(parts, ", ")
}

// Invalid returns a *FieldErrors with one violation; errors.Join combines several. The message is the developer's
// text for the caller and must not contain a value.
func Invalid(pointer, code, message string) error {
	return &FieldErrors{Violations: []Violation{{Pointer: pointer, Code: code, Message: message}}}
}

// fieldErrors collects the violations of err. It returns the part that is no FieldErrors.
func fieldErrors(err error, into *[]Violation) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *FieldErrors:
		if e == nil || len(e.Violations) == 0 {
			return errors.New("input: Validate returned FieldErrors without a violation")
		}
		*into = append(*into, e.Violations...)
		return nil
	case interface{ Unwrap() []error }:
		var rest error
		for _, inner := range e.Unwrap() {
			rest = errors.Join(rest, fieldErrors(inner, into))
		}
		return rest
	case interface{ Unwrap() error }:
		var found *FieldErrors
		if errors.As(err, &found) {
			return fieldErrors(found, into)
		}
	}
	return err
}
