package input

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"strings"
)

// Decode turns a request into the struct that dst points to.
//
// It decodes path, query and header fields, then the body, in the order media type (415), size (413), content (400). Then it
// runs the rules, then the types' own Validate methods.
//
// w must be the server's own ResponseWriter, since http.MaxBytesReader closes the connection through it. dst must be a
// pointer to a zero value of the compiled type; after a Failure it is zero again. For Raw, r.Body is
// replaced by one with a cap.
//
// The Body holds what lives as long as the request: uploaded files, and the body's bytes when the plan keeps them. The
// caller closes it when the handler has returned. With a Failure it is nil.
func (p *Plan) Decode(ctx context.Context, w http.ResponseWriter, r *http.Request, dst any) (body *Body, fail *Failure) {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Type() != p.typ {
		return nil, failureInternal.with(fmt.Errorf("input: decode into %T, want a *%v", dst, p.typ))
	}
	d := decoding{plan: p, scratch: p.takeScratch(), w: w, r: r, v: v.Elem()}
	decoded := false
	defer func() {
		if decoded {
			return
		}
		// A panic of a rule or of a type's own method is a refusal; neither it nor runtime.Goexit leaves files behind.
		caught := recover()
		d.discard()
		d.v.SetZero()
		switch caught {
		case nil:
		case http.ErrAbortHandler:
			panic(caught)
		default:
			body, fail = nil, failureInternal.with(panicError("decode input", caught))
		}
	}()
	if fail = d.run(ctx, dst); fail != nil {
		fail.CloseConn = fail.CloseConn || d.leavesBody()
		return nil, fail
	}
	decoded = true
	return d.finish(), nil
}

// decoding is one run of Decode.
type decoding struct {
	plan    *Plan
	scratch *scratch
	w       http.ResponseWriter
	r       *http.Request
	v       reflect.Value
	files   []*upload
	parts   []part // of a multipart body that is kept
	replay  string // its boundary
	read    bool   // the body was read to its end
}

// leavesBody reports whether a refusal leaves so much of the body unread that receiving it costs more than a new connection:
// net/http would read up to 256 KiB only to keep the connection.
func (d *decoding) leavesBody() bool {
	const cheap = 16 << 10
	return !d.read && !noBody(d.r) && (d.r.ContentLength < 0 || d.r.ContentLength > cheap)
}

func (d *decoding) run(ctx context.Context, dst any) *Failure {
	p, s := d.plan, d.scratch
	s.out.bodyless = p.kind != JSON && p.kind != Form
	p.parameters(d.r, d.v, s)
	if fail := d.body(ctx); fail != nil {
		return fail
	}
	if s.out.hard {
		return d.failure()
	}
	if p.rules {
		if err := p.judge(ctx, dst, s); err != nil {
			return failureInternal.with(err)
		}
	}
	if len(s.out.list) > 0 {
		return d.failure()
	}
	if p.root.hooked {
		if err := p.runHooks(ctx, d.v, &s.out); err != nil {
			return failureInternal.with(err)
		}
	}
	return d.failure()
}

// failure returns what was gathered, or nil, and leaves the scratch that it is part of to it.
func (d *decoding) failure() *Failure {
	f := d.scratch.out.failure()
	if f != nil {
		f.plan, f.scratch = d.plan, d.scratch
		d.scratch = nil
	}
	return f
}

// body decodes the body as the plan's kind asks.
func (d *decoding) body(ctx context.Context) *Failure {
	switch d.plan.kind {
	case JSON:
		return d.jsonBody(ctx)
	case Form:
		return d.formBody(ctx)
	case Raw:
		return d.rawBody()
	}
	return checkNoBody(ctx, d.r)
}

func (d *decoding) rawBody() *Failure {
	if d.r.ContentLength > d.plan.maxBody {
		f := failureTooLarge
		return &f
	}
	if d.r.Body != nil && d.r.Body != http.NoBody {
		d.r.Body = &rawReader{http.MaxBytesReader(d.w, d.r.Body, d.plan.maxBody)}
	}
	return nil
}

func (d *decoding) jsonBody(ctx context.Context) *Failure {
	p, s := d.plan, d.scratch
	if fail := d.admit(ctx); fail != nil {
		return fail
	}
	if !noBody(d.r) {
		if err := s.readAll(d.w, d.r, p.maxBody); err != nil {
			return readFailure(ctx, err)
		}
		d.read = true
	}
	s.json.decode(s.buf, p.root, d.v)
	return nil
}

// admit checks the media type of a body. An empty body has none, and is refused later for being empty.
func (d *decoding) admit(ctx context.Context) *Failure {
	_, typed := d.r.Header["Content-Type"]
	if !typed && d.r.Header["Content-Encoding"] == nil {
		if noBody(d.r) {
			return nil
		}
		if d.r.ContentLength < 0 {
			// Of a chunked body without a type one byte tells whether there is a body at all.
			switch fail := checkNoBody(ctx, d.r); {
			case fail == nil:
				d.r.ContentLength, d.r.Body = 0, http.NoBody
				return nil
			case fail.Code != failureUnexpected.Code:
				return fail
			}
		}
	}
	if err := d.plan.checkMedia(d.r); err != nil {
		return failureMediaType.with(err)
	}
	return nil
}

// finish hands over what lives on, and returns the rest to the pool.
func (d *decoding) finish() *Body {
	p := d.plan
	if !p.keep && len(d.files) == 0 {
		p.putScratch(d.scratch)
		return nil
	}
	b := &Body{plan: p, files: d.files}
	switch {
	case p.keep && d.replay != "":
		b.boundary, b.parts = d.replay, d.parts
		p.putScratch(d.scratch)
	case p.keep && (p.kind == JSON || p.kind == Form):
		b.held = d.scratch
	default:
		p.putScratch(d.scratch)
	}
	return b
}

// discard drops everything after a failure.
func (d *decoding) discard() {
	for _, f := range d.files {
		f.remove()
	}
	d.files = nil
	if d.scratch != nil {
		d.plan.putScratch(d.scratch)
		d.scratch = nil
	}
}

// panicError says that something panicked, and where. A panic value may quote what the caller sent, so that only the
// runtime's own are repeated.
func panicError(doing string, caught any) error {
	what := fmt.Sprintf("%T", caught)
	var re runtime.Error
	if err, ok := caught.(error); ok && errors.As(err, &re) {
		what = re.Error()
	}
	return fmt.Errorf("input: %s: panic: %s%s", doing, what, panicSite())
}

// panicSite names the function that panicked.
func panicSite() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	panicked := false
	for {
		f, more := frames.Next()
		if panicked && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf(" in %s", f.Function)
		}
		panicked = panicked || f.Function == "runtime.gopanic"
		if !more {
			return ""
		}
	}
}
