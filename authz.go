package guard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/routeguard/guard/checklist"
)

// Authorizer answers which resource a request touches, and whether its caller may.
//
// Make one with [Owned], [Within], [Authorize] or [NoResource]. The zero value is
// refused by [New]. It is immutable and safe for concurrent use.
type Authorizer[S Principal, R any] struct {
	resolve func(context.Context, *http.Request, S) (R, error)
	steps   []checklist.Step // outermost first
	owned   bool             // an ownership rule of the caller: it needs a session
}

// Owned loads the resource that a path parameter names and checks its owner.
//
// A malformed, a missing and a foreign id get the same 404: nothing tells an
// outsider which ids exist. load returns [ErrNotFound], or a nil or zero R, for what
// does not exist; any other error is a 500. A handler that writes should repeat the
// ownership in its statement (WHERE id = ? AND owner_id = ?), since no lock is
// held between the check and the write.
func Owned[S Principal, ID, R any](param string, parse func(string) (ID, error), load func(context.Context, ID) (R, error),
	owns func(resource R, caller S) bool) func() Authorizer[S, R] {
	mustBe("Owned", check{"param", param != ""}, check{"parse", parse != nil}, check{"load", load != nil}, check{"owns", owns != nil})
	a := Authorizer[S, R]{steps: []checklist.Step{step[R]("Owned", param, parse, owns)}, owned: true}
	foreign := newNotThere("{" + param + "} belongs to someone else")
	a.resolve = func(ctx context.Context, r *http.Request, caller S) (R, error) {
		resource, err := find(ctx, r, param, parse, load)
		if err != nil {
			return resource, err
		}
		if caller.Subject() == "" || !owns(resource, caller) {
			var none R
			return none, foreign
		}
		return resource, nil
	}
	return func() Authorizer[S, R] { return a }
}

// Within loads a child of a resource that another Authorizer has granted.
//
// load gets the parent, so that its query can say WHERE id = ? AND project_id = ?:
// a child of somebody else's parent is a 404 like any other missing one.
func Within[S Principal, P, ID, R any](parent func() Authorizer[S, P], param string, parse func(string) (ID, error),
	load func(ctx context.Context, parent P, id ID) (R, error)) func() Authorizer[S, R] {
	mustBe("Within", check{"parent", parent != nil}, check{"param", param != ""}, check{"parse", parse != nil}, check{"load", load != nil})
	outer := parent()
	mustBe("Within", check{"parent", outer.resolve != nil})
	if slices.Contains(outer.params(), param) {
		panic(fmt.Sprintf("guard: Within: {%s} is the parent's parameter, too: name the child's own", param))
	}
	a := Authorizer[S, R]{steps: append(slices.Clip(outer.steps), step[R]("Within", param, parse, load)), owned: outer.owned}
	a.resolve = func(ctx context.Context, r *http.Request, caller S) (R, error) {
		p, err := outer.resolve(ctx, r, caller)
		if err != nil {
			var none R
			return none, err
		}
		return find(ctx, r, param, parse, func(ctx context.Context, id ID) (R, error) { return load(ctx, p, id) })
	}
	return func() Authorizer[S, R] { return a }
}

// Authorize lets a function of the service's own load the resource and decide.
//
// It returns the resource where the caller may use it, and [ErrNotFound] where
// there is none or none for this caller. A nil or zero R, such as false, is a 404,
// too; an R of [None] says nothing and needs no value. Answering 403 there (with [Fail]) tells
// that the resource exists: do it only where that is no secret.
func Authorize[S Principal, ID, R any](param string, parse func(string) (ID, error),
	authorize func(ctx context.Context, caller S, id ID) (R, error)) func() Authorizer[S, R] {
	mustBe("Authorize", check{"param", param != ""}, check{"parse", parse != nil}, check{"authorize", authorize != nil})
	a := Authorizer[S, R]{steps: []checklist.Step{step[R]("Authorize", param, parse, authorize)}}
	a.resolve = func(ctx context.Context, r *http.Request, caller S) (R, error) {
		return find(ctx, r, param, parse, func(ctx context.Context, id ID) (R, error) { return authorize(ctx, caller, id) })
	}
	return func() Authorizer[S, R] { return a }
}

// NoResource answers that a route touches no resource of its own.
//
// Pass it uncalled. It is right for collections, which the handler narrows to
// c.Caller, and for routes that a role guards.
func NoResource[S Principal]() Authorizer[S, None] {
	return Authorizer[S, None]{
		resolve: func(context.Context, *http.Request, S) (None, error) { return None{}, nil },
	}
}

// notThere is an ErrNotFound that is made once, with its refusal: who probes ids
// causes many.
type notThere struct {
	why     string
	refusal *Error
}

func newNotThere(why string) *notThere {
	e := &notThere{why: why}
	e.refusal = refuseNotFound.Because(e)
	return e
}

func (e *notThere) Error() string { return ErrNotFound.Error() + ": " + e.why }

func (e *notThere) Is(target error) bool { return target == ErrNotFound }

// noResource gives everything that is not there for this caller the same bytes,
// even where Responder.Map has its own words for a missing row.
func (x *exchange) noResource(ctx context.Context, err error) error {
	if x.tell.Map == nil {
		switch e := err.(type) {
		case *notThere:
			return e.refusal
		case *notLoaded:
			if e.cause == ErrNotFound || e.cause == sql.ErrNoRows {
				return refuseNotFound.Because(err)
			}
		}
	}
	if e := x.tell.public(ctx, err); e.Status != http.StatusNotFound {
		return e
	}
	return refuseNotFound.Because(err)
}

// notLoaded is what a loader said. Its text is made when the log asks for it, so that
// a row that is missing takes no longer to say than one that belongs to someone else.
type notLoaded struct {
	param string
	cause error
}

func (e *notLoaded) Error() string { return fmt.Sprintf("load {%s}: %v", e.param, e.cause) } // survives a typed nil

func (e *notLoaded) Unwrap() error { return e.cause }

// find parses an id and loads what it names. Whatever is not there is the same
// ErrNotFound; only a broken store is something else.
func find[ID, R any](ctx context.Context, r *http.Request, param string, parse func(string) (ID, error),
	load func(context.Context, ID) (R, error)) (R, error) {
	var none R
	text := r.PathValue(param)
	if text == "" && !strings.Contains(r.Pattern, "{"+param) {
		return none, fmt.Errorf("the route's pattern %q has no {%s}, which the guard reads", r.Pattern, param)
	}
	if err := checkID(text); err != nil {
		return none, fmt.Errorf("%w: {%s}: %w", ErrNotFound, param, err)
	}
	id, err := parse(text)
	if err != nil {
		return none, fmt.Errorf("%w: parse {%s}: %w", ErrNotFound, param, err)
	}
	resource, err := load(ctx, id)
	if err != nil {
		return none, &notLoaded{param, err}
	}
	if isMissing(resource) {
		return none, fmt.Errorf("%w: load {%s} returned a nil or zero value", ErrNotFound, param)
	}
	return resource, nil
}

// isMissing reports whether what was loaded is nothing: nil or a zero value. The
// empty owner of a row that was never filled in could equal an empty field of the
// caller, and an Authorize that returns false and no error means no. Only a type
// without values, such as None, is never missing.
func isMissing(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Struct:
		return r.NumField() > 0 && r.IsZero()
	default:
		return r.IsZero()
	}
}

const maxID = 256 // bytes of a path parameter

// checkID refuses what no id has but a decoded path value may: a slash from %2F,
// a NUL, a line break, an invisible character.
func checkID(s string) error {
	switch {
	case s == "":
		return errors.New("empty")
	case len(s) > maxID:
		return errors.New("too long")
	case s == "." || s == "..":
		return errors.New("a path segment of dots")
	case plainID(s):
		return nil
	case !utf8.ValidString(s):
		return errors.New("not UTF-8")
	case strings.ContainsFunc(s, func(c rune) bool { return c == '/' || c == '\\' || !unicode.IsGraphic(c) }):
		return errors.New("a slash, control or invisible character")
	}
	return nil
}

// plainID reports whether s is letters, digits and hyphens alone, as most ids are. It
// looks them up: where they are random, no processor can foresee the branches of
// comparisons.
func plainID(s string) bool {
	for i := range len(s) {
		if !plainByte[s[i]] {
			return false
		}
	}
	return true
}

var plainByte = setOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")

// setOf is a table of bytes.
func setOf(bytes string) (is [256]bool) {
	for i := range len(bytes) {
		is[bytes[i]] = true
	}
	return is
}

// ParseUUID parses a UUID in its one canonical form: 36 characters, lower case.
//
// [uuid.Parse] takes five spellings of one UUID, which caches and logs would
// take for five objects. The nil and the max UUID (RFC 9562, sections 5.9 and
// 5.10) name nothing and are refused.
func ParseUUID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != 36 || strings.ContainsAny(s, "ABCDEF") || id == uuid.Nil || id == uuid.Max {
		return uuid.Nil, errors.New("not a UUID in canonical form")
	}
	return id, nil
}

// ParseString takes an id as it is, for ids that are opaque strings.
//
// The guard has refused empty ids, those over 256 bytes, and those with slashes,
// control or invisible characters before.
func ParseString(s string) (string, error) { return s, nil }

// OwnedInput is [Owned] for a resource whose id stands in the input.
//
// It wraps the handler: the input is valid by then, and the resource is in
// c.Resource as usual. The route's own third answer is [NoResource].
func OwnedInput[S Principal, T, ID, R, Out any](id func(T) ID, load func(context.Context, ID) (R, error), owns func(resource R, caller S) bool,
	handler func(context.Context, *Call[S, T, R]) (Out, error)) func(context.Context, *Call[S, T, None]) (ownedInput[S, T, R, Out], error) {
	mustBe("OwnedInput", check{"id", id != nil}, check{"load", load != nil}, check{"owns", owns != nil}, check{"handler", handler != nil})
	owned := ownedInput[S, T, R, Out]{handler: handler, rule: step[R]("OwnedInput", "", nil, owns)}
	owned.resolve = func(ctx context.Context, caller S, input T) (R, error) {
		var none R
		resource, err := load(ctx, id(input))
		if err != nil {
			return none, fmt.Errorf("load the resource that the input names: %w", err)
		}
		if isMissing(resource) || caller.Subject() == "" || !owns(resource, caller) {
			return none, fmt.Errorf("%w: the resource that the input names is missing or belongs to someone else", ErrNotFound)
		}
		return resource, nil
	}
	return func(context.Context, *Call[S, T, None]) (ownedInput[S, T, R, Out], error) { return owned, nil }
}

// check is one requirement on a constructor's argument.
type check struct {
	name string
	ok   bool
}

func mustBe(maker string, checks ...check) {
	for _, c := range checks {
		if !c.ok {
			panic("guard: " + maker + ": " + c.name + " is nil or empty")
		}
	}
}
