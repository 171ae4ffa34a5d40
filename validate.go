package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/go-playground/validator/v10"

	"github.com/routeguard/guard/internal/input"
)

// Decoder answers what payload is allowed, and makes a T of it.
//
// Make one with [JSON], [Form], [Query], [RawBody] or [NoPayload] and pass that
// uncalled, or with [JSONWith], [FormWith] or [QueryWith]. The zero value is refused
// by [New]. It is immutable and safe for concurrent use.
//
// # Sources
//
// T is a struct. Every exported field of it comes from exactly one source, which its
// tag names; a field with none or two is a mistake.
//
//	json:"name"        a member of the JSON body
//	form:"email"       a field of a form body
//	query:"limit"      a query parameter
//	path:"projectID"   a wildcard of the route's pattern
//	header:"If-Match"  a header field
//
// Embedded structs are flattened. A body cannot set what comes from elsewhere,
// whatever it calls its members. A name is matched as it is spelled.
//
// # Other tags
//
//	normalize:"trim,lower,nfc"   applied to text before it is validated: trim, lower, upper, nfc, collapse
//	validate:"required,min=3"    the rules of go-playground/validator, and notblank, single_line, web_url
//	default:"20"                 the value of an absent query, header or form field
//	guard:"client"               a client may set this field, although its name looks server-owned
//	guard:"any=200"              an any or json.RawMessage field takes at most 200 JSON values
//	file:"max=1MiB,types=…"      what an uploaded [File] may be
//
// required refuses zero values, as it does in validator: a number or bool that may
// be 0 or false, and must be there, is a pointer with required.
//
// A field whose name is the server's to set (role, userId, ownerId, tenantId,
// isAdmin and the like, in any naming style) is a mistake without guard:"client".
// So are unknown tags and rules, and rules that cannot judge the field's type. [New]
// panics with all of them.
//
// # Values
//
// One value has one spelling. Integers are decimal without an exponent, fraction or
// plus sign (1e3 and 1.0 are refused) and fit the field; floats are finite and not
// rounded to zero, and a float written as an integer is kept exactly. Times are RFC 3339,
// durations like 1h30m, UUIDs 36 characters in lower case, IP addresses canonical,
// []byte padded base64. Any type with UnmarshalText is taken from text. null is
// refused for all types but [Optional], any and raw JSON. Parameters hold no control
// characters.
//
// # Bounds
//
// A JSON body has at most 256 KiB and 32 levels, an array 1000 items unless its max
// rule says otherwise, a map what its max rule says, a key 256 bytes. A query has at
// most 16 KiB and 100 pairs, a path value 256 bytes. A form has at most 100 pairs or
// parts and 64 KiB beside its files. A refusal names at most 32 fields.
//
// # Refusals
//
// Field errors carry a JSON pointer ("/name") or a parameter ("query/limit"), a stable
// code and a sentence; never a value, and never a name that the caller made up.
//
//	400  the rest: syntax, unknown, duplicate and missing names, types, rules
//	408  the body did not arrive in time
//	413  too large, with Connection: close
//	415  not one accepted Content-Type, another charset than UTF-8, any Content-Encoding
//	422  broken rules alone, where [Responder].InvalidStatus says so
type Decoder[T any] struct {
	plan *input.Plan
	kind string
	err  error
}

// JSON takes a JSON object as body, and query, path and header fields.
//
// The body is RFC 8259 within RFC 7493: application/json in UTF-8, at most 256 KiB
// and 32 levels deep, one object without unknown, duplicate or differently cased
// names. It is then normalized and validated by the tags, then by the Validate(ctx)
// error methods of T and of what is in it; they return [Invalid]. What the handler
// gets is the value that was validated. The tags are described at [Decoder].
func JSON[T any]() Decoder[T] { return decoder[T]("JSON", input.Config{Kind: input.JSON}) }

// JSONWith is [JSON] with a cap, media types or a validator of its own.
func JSONWith[T any](options ...InputOption) func() Decoder[T] {
	return with[T]("JSON", input.Config{Kind: input.JSON}, options)
}

// Form takes a form as body, and query, path and header fields.
//
// The body is application/x-www-form-urlencoded or multipart/form-data, at most 64
// KiB beside the files; where T has a [File], multipart alone. It is as strict as
// [JSON]: unknown names, repeated ones (slices apart), bad escapes and control
// characters other than tab and line break are refused. A browser sends forms across
// origins without asking: routes with a cookie rely on the origin check of the first answer.
func Form[T any]() Decoder[T] { return decoder[T]("Form", input.Config{Kind: input.Form}) }

// FormWith is [Form] with a cap or a validator of its own.
//
// [MaxBody] is for the whole body, files included.
func FormWith[T any](options ...InputOption) func() Decoder[T] {
	return with[T]("Form", input.Config{Kind: input.Form}, options)
}

// Query takes query, path and header fields, and no body.
//
// Unknown names are refused, and repeated ones unless the field is a slice. A
// default tag holds the value of an absent parameter.
func Query[T any]() Decoder[T] { return decoder[T]("Query", input.Config{Kind: input.Query}) }

// QueryWith is [Query] with a validator of its own.
func QueryWith[T any](options ...InputOption) func() Decoder[T] {
	return with[T]("Query", input.Config{Kind: input.Query}, options)
}

// NoPayload takes nothing: a body or a query parameter is refused.
func NoPayload() Decoder[None] { return decoder[None]("none", input.Config{Kind: input.None}) }

// RawBody leaves the body to the handler, capped at max bytes.
//
// Its type, form and content are not checked: the handler does that. A declared
// length over max is refused with 413 before the handler runs. Where the length is
// not declared, reading past max fails with an error that wraps [http.MaxBytesError],
// and the connection is closed. A handler that returns this error is answered with 413,
// and one that returns what reading a slow or broken body gave with 408 or 400; a
// handler behind [Wrap] answers itself. Query parameters are refused.
func RawBody(max int64) func() Decoder[None] {
	return with[None]("raw body", input.Config{Kind: input.Raw, MaxBody: max}, nil)
}

// InputOption changes the Decoder of [JSONWith], [FormWith] or [QueryWith].
type InputOption func(*input.Config) error

// MaxBody caps the body at n bytes. n is above zero.
func MaxBody(n int64) InputOption {
	return func(c *input.Config) error {
		c.MaxBody = n
		if n <= 0 {
			return fmt.Errorf("MaxBody(%d): write a number of bytes above zero", n)
		}
		return nil
	}
}

// MediaTypes takes these types instead of application/json alone.
//
// They are JSON types such as "application/merge-patch+json"; "application/*+json"
// stands for all that end so. Other types are mistakes, and so is this option for a form.
func MediaTypes(types ...string) InputOption {
	return func(c *input.Config) error {
		c.MediaTypes = append(c.MediaTypes, types...)
		if len(types) == 0 {
			return errors.New("MediaTypes: no type: write one, or leave it out")
		}
		return nil
	}
}

// Rules validates with the service's own validator, which knows more rules.
//
// It must be complete before; guard does not change it. Give it guard's own rules with
// [RegisterRules] where tags name them. [New] tries every rule on sample values, so a
// rule must cope with any value and have no side effect.
func Rules(v *validator.Validate) InputOption {
	return func(c *input.Config) error {
		c.Validate = v
		if v == nil {
			return errors.New("Rules: the validator is nil: write validator.New(), or leave it out")
		}
		return nil
	}
}

// RegisterRules adds guard's own rules to a service's validator.
//
// They are notblank (something visible), single_line (no line break, control
// character, or character that turns the direction of text) and web_url (an absolute
// http or https address with a host and no password). Call it before v is first used. A nil v is an error.
func RegisterRules(v *validator.Validate) error { return input.RegisterRules(v) }

func with[T any](kind string, c input.Config, options []InputOption) func() Decoder[T] {
	var mistakes []error
	for _, o := range options {
		if o == nil {
			mistakes = append(mistakes, errors.New("an option is nil"))
			continue
		}
		mistakes = append(mistakes, o(&c))
	}
	if err := errors.Join(mistakes...); err != nil {
		return func() Decoder[T] { return Decoder[T]{kind: kind, err: err} }
	}
	return func() Decoder[T] { return decoder[T](kind, c) }
}

func decoder[T any](kind string, c input.Config) Decoder[T] {
	plan, err := input.Compile(reflect.TypeFor[T](), c)
	return Decoder[T]{plan: plan, kind: kind, err: err}
}

// Invalid is the refusal of a single field, for rules that the tags cannot say.
//
// A type's own Validate method returns it, or a handler. The pointer is "/endsAt"
// for a member of the body, "query/cursor" for a parameter and "" for the whole; in
// Validate it is relative to the type. The code is stable and in snake_case, and the message
// reads on from the field's name: "must be after startsAt". It must not hold a value.
// Join several with [errors.Join]. Joined with any other error it is a 500.
func Invalid(pointer, code, message string) error { return input.Invalid(pointer, code, message) }

func (d *Decoder[T]) validate() error {
	switch {
	case d.err != nil:
		return fmt.Errorf("%s[%s]: %w", d.kind, reflect.TypeFor[T](), d.err)
	case d.plan == nil:
		return fmt.Errorf("the second answer (what) made a zero Decoder: pass guard.JSON[T] or guard.NoPayload")
	}
	return nil
}

// keepBody makes decode give the body back, for a wrapped handler.
func (d *Decoder[T]) keepBody() {
	if d.plan != nil {
		d.plan = d.plan.KeepingBody()
	}
}

// decode is stage 6. The body is to be closed when the request ends.
func (d *Decoder[T]) decode(ctx context.Context, x *exchange, dst *T) (*input.Body, error) {
	body, f := d.plan.Decode(ctx, x.w, x.r, dst)
	if f == nil {
		return body, nil
	}
	defer f.Release()
	switch {
	case f.Status >= 500 && ctx.Err() == context.Canceled: // a Validate method asked a store
		return nil, canceled(ctx, f.Cause)
	case f.Status >= 500 && errors.Is(f.Cause, context.DeadlineExceeded):
		return nil, refuseUnavailable.Because(f.Cause)
	}
	return nil, x.tell.invalid(f)
}

// refuseBody has the head of most refusals of input.
var refuseBody = ownRefusal(http.StatusBadRequest, input.BodyCode, input.BodyTitle)

// invalid turns what is wrong with the input into the refusal.
func (t *Responder) invalid(f *input.Failure) *Error {
	if f.Status >= 500 {
		return refuseInternal.Because(f.Cause)
	}
	// Most name one field: it and the Error are one allocation.
	var made struct {
		Error
		one [1]FieldError
	}
	e := &made.Error
	*e = Error{Status: f.Status, Code: f.Code, Message: f.Title, closeConn: f.CloseConn, cause: f.Cause,
		head: refuseBody.head}
	if f.Rules && t.InvalidStatus != 0 {
		e.Status = t.InvalidStatus
	}
	if len(f.Violations) > 0 {
		e.Fields = slices.Grow(made.one[:0], len(f.Violations))
	}
	for _, v := range f.Violations {
		e.Fields = append(e.Fields, FieldError(v))
	}
	return e
}
