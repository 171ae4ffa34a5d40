package guard

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/routeguard/guard/internal/input"
)

// Decoder answers what payload is allowed, and makes a T of it.
//
// Make one with [JSON], [JSONWith], [Query], [Form], [RawBody] or [NoPayload],
// and pass that uncalled. The zero value is refused by [New]. It is immutable and
// safe for concurrent use.
//
// Every exported field of T comes from exactly one source, named by its tag: json,
// form, query, path or header. What the tags mean stands at the functions that
// make a Decoder.
type Decoder[T any] struct {
	plan *input.Plan
	kind string
	err  error
}

// JSON takes a JSON object (RFC 8259 within RFC 7493), and query, path and header fields.
//
// The body must be application/json in UTF-8, at most 256 KiB and 32 levels deep,
// without unknown, duplicate or differently cased names, and without null where
// the field is not an [Optional]. Text is then changed as the field's normalize
// tag says (trim, lower, upper, nfc, collapse), and the whole is validated by the
// validate tags of go-playground/validator and T's own Validate(ctx) error. What
// the handler gets is the value that was validated.
//
// A field whose name is the server's to set (role, userId, ownerId, tenantId,
// isAdmin and the like) is a mistake unless it is tagged guard:"client".
func JSON[T any]() Decoder[T] { return decoder[T]("JSON", input.Config{Kind: input.JSON}) }

// JSONWith is [JSON] with a cap, media types or a validator of its own.
func JSONWith[T any](options ...BodyOption) func() Decoder[T] {
	return with[T]("JSON", input.Config{Kind: input.JSON}, options)
}

// Query takes query, path and header fields, and no body.
//
// Unknown and repeated names are refused; a slice takes repeated ones. A default
// tag holds the value of an absent parameter.
func Query[T any]() Decoder[T] { return decoder[T]("Query", input.Config{Kind: input.Query}) }

// NoPayload takes nothing: a body or a query parameter is refused.
func NoPayload() Decoder[None] { return decoder[None]("none", input.Config{Kind: input.None}) }

// RawBody leaves the body to the handler, capped at max bytes.
//
// Its type, form and content are not checked: the handler does that. It is for
// [Wrap] and for bodies that guard does not know.
func RawBody(max int64) func() Decoder[None] {
	return with[None]("raw body", input.Config{Kind: input.Raw, MaxBody: max}, nil)
}

// BodyOption changes the Decoder of [JSONWith].
type BodyOption func(*input.Config)

// MaxBody caps the body at n bytes.
func MaxBody(n int64) BodyOption { return func(c *input.Config) { c.MaxBody = n } }

// MediaTypes takes these types instead of application/json alone.
//
// They are JSON types such as "application/merge-patch+json"; "application/*+json"
// stands for all of them. Types that a form can send are refused.
func MediaTypes(types ...string) BodyOption {
	return func(c *input.Config) { c.MediaTypes = append(c.MediaTypes, types...) }
}

// Rules validates with the service's own validator, which knows more rules.
//
// It must be complete before; guard does not change it.
func Rules(v *validator.Validate) BodyOption { return func(c *input.Config) { c.Validate = v } }

// Optional is a field that may be absent, null or a value, and tells which.
type Optional[V any] = input.Optional[V]

func with[T any](kind string, c input.Config, options []BodyOption) func() Decoder[T] {
	for _, o := range options {
		o(&c)
	}
	return func() Decoder[T] { return decoder[T](kind, c) }
}

func decoder[T any](kind string, c input.Config) Decoder[T] {
	plan, err := input.Compile(reflect.TypeFor[T](), c)
	return Decoder[T]{plan: plan, kind: kind, err: err}
}

// Invalid is the refusal of a single field, for rules that the tags cannot say.
//
// A T's own Validate method returns it, or a handler. The pointer is "/endsAt" for
// a member of the body and "query/cursor" for a parameter; the code is stable, and
// the message reads on from the field's name: "must be after startsAt". Join
// several with [errors.Join].
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

// decode is stage 6. The body is to be closed when the request ends.
func (d *Decoder[T]) decode(ctx context.Context, x *exchange, dst *T) (*input.Body, error) {
	body, f := d.plan.Decode(ctx, x.w, x.r, dst)
	if f != nil {
		return nil, x.tell.invalid(f)
	}
	return body, nil
}

// invalid turns what is wrong with the input into the refusal.
func (t *Responder) invalid(f *input.Failure) *Error {
	if f.Status >= 500 {
		return refuseInternal.Because(f.Cause)
	}
	e := &Error{Status: f.Status, Code: f.Code, Message: f.Title, closeConn: f.CloseConn, cause: f.Cause}
	for _, v := range f.Violations {
		e.Fields = append(e.Fields, FieldError(v))
	}
	return e
}

// describe is the payload on the checklist, such as "JSON main.CreateProject 256 KiB".
func (d *Decoder[T]) describe() string {
	parts := []string{d.kind}
	if t := reflect.TypeFor[T](); t != reflect.TypeFor[None]() {
		parts = append(parts, t.String())
	}
	if n := d.plan.MaxBody(); n > 0 {
		parts = append(parts, size(n))
	}
	return strings.Join(parts, " ")
}

func size(n int64) string {
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if n < 1<<10 || n%(1<<10) != 0 {
			return strconv.FormatInt(n, 10) + " " + unit
		}
		n >>= 10
	}
	return strconv.FormatInt(n, 10) + " GiB"
}

func (d *Decoder[T]) params() []string { return d.plan.PathNames() }
