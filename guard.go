// Package guard stands between the network and one HTTP handler.
//
// [New] takes five answers, then the handler: who is calling, what payload is
// allowed, which resource is touched, what abuse controls exist, and what the
// caller learns on failure. A route that does not answer all five does not compile.
//
//	mux.Handle("PATCH /projects/{projectID}", guard.New(
//		users,                             // who is calling
//		guard.JSON[UpdateProject],         // what payload is allowed
//		ownProject,                        // which resource is touched
//		limits.PerCaller(10, time.Minute), // what abuse controls exist
//		errs,                              // what the caller learns on failure
//		guard.After(app.updateProject, app.dropCached),
//	))
//
// # Life of a Request
//
// The order is the same for every route, cheapest and safest first. A stage
// passes or ends the request; an error, a panic, a nil and a zero value end it.
//
//	 0  begin         request id, client address, deadline; the body is not read  500
//	 1  limit         PerIP, PerNetwork, Global                              429, 503
//	 2  who           the origin of ambient credentials, then the credential 403, 401, 503
//	                  Signed alone reads the body, under a cap of its own      413, 400, 408
//	 3  role          Only                                                        403
//	 4  caller_limit  PerCaller, PerKey                                      429, 503
//	 5  which         parse the id, load the resource once, check ownership  404, 500, 503
//	 6  what          parameters, media type, size, decode, normalize, validate  415, 413, 400
//	 7  input_limit   PerInput, CostOf; claim a signed message: a repeat is a 204 429, 409, 503
//	 8  handler       OwnedInput, then the handler                    its own errors
//	 9  after         hooks, only on success                               never refuses
//	10  respond       encode and write; settle the limits; log                    500
//
// Ownership comes before the body, so an outsider gets the same 404 for any body
// and cannot spend the parser. Nothing is locked meanwhile: a handler that writes
// should repeat the ownership in its statement (WHERE id = ? AND owner_id = ?).
package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"time"

	"github.com/routeguard/guard/checklist"
	"github.com/routeguard/guard/internal/input"
)

// None is the absent input, resource or result.
type None struct{}

// Call is what a handler gets: the three answers about this request.
//
// It is a plain struct, so that a handler can be tested without HTTP. It belongs
// to one request and must not be kept after it.
type Call[S Principal, T, R any] struct {
	Caller    S // whom the credential belongs to
	Input     T // decoded, normalized and valid
	Resource  R // what stage 5 loaded
	ClientIP  netip.Addr
	RequestID string

	// Cost is what a [CostOf] limit has charged. A handler that learns the real
	// cost sets it, at best as it goes on; the difference is settled at the end.
	Cost int

	// Request is the request as it came. Its body has been read, and its headers
	// and parameters have not been checked beyond what Input declares.
	Request *http.Request
}

// Guard is a handler behind its five answers.
//
// It is an http.Handler, immutable and safe for concurrent use. T is its input.
type Guard[T any] struct {
	serve func(http.ResponseWriter, *http.Request)
	plan  blueprint
}

// ServeHTTP takes a request through the stages.
//
// A zero Guard, which no constructor made, answers 500.
func (g *Guard[T]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g == nil || g.serve == nil {
		http.Error(w, "Internal error.", http.StatusInternalServerError)
		return
	}
	g.serve(w, r)
}

// New puts a handler behind its five answers.
//
//	who    Authenticator  who is calling                  Bearer, Cookie, APIKey, Signed, FirstOf, Only, Anyone
//	what   Decoder        what payload is allowed         JSON, Query, Form, RawBody, NoPayload
//	which  Authorizer     which resource is touched       Owned, Within, Authorize, NoResource
//	limit  Limit          what abuse controls exist       (*Limiter).PerIP, PerCaller and others, Unlimited
//	tell   *Responder     what the caller learns          a struct literal
//
// what and which are functions that New calls once: guard.JSON[T], guard.Query[T] and
// guard.NoResource are passed as they are, uncalled; those with arguments, such as
// JSONWith and Owned, return such a function. The three types of the handler's Call
// are the caller of who, the T of what and the resource of which.
//
// A handler without a result returns guard.None{}. The handler's result is sent as JSON: 200, 204 for [None], or what a
// [Reply] says. Its error is answered by tell. New panics on wiring mistakes, with
// a message that lists all of them.
func New[S Principal, T, R, Out any](who Authenticator[S], what func() Decoder[T], which func() Authorizer[S, R], limit Limit, tell *Responder,
	handler func(context.Context, *Call[S, T, R]) (Out, error)) *Guard[T] {
	if handler == nil {
		panic("guard: New: the handler is nil")
	}
	return build("New", who, what, which, limit, tell, endingOf(handler))
}

// Wrap puts an existing http.Handler behind the same five answers, unchanged.
//
// The handler finds its Call with [CallOf] and can read the body, which is put
// back after it was checked: the same bytes, or of a multipart form the parts that
// were accepted, under clean file names. It does not see the credential: the
// Authorization field, API key, session cookie and signature are removed from its
// request, unless who says [KeepCredential]. Its response is its own; only a panic
// before the first byte is answered by tell.
func Wrap[S Principal, T, R any](who Authenticator[S], what func() Decoder[T], which func() Authorizer[S, R], limit Limit, tell *Responder,
	h http.Handler) *Guard[T] {
	if isNil(h) {
		panic("guard: Wrap: the handler is nil")
	}
	return build("Wrap", who, what, which, limit, tell, wrapping[S, T, R](h, who))
}

// pipeline is a route, ready to serve.
type pipeline[S Principal, T, R any] struct {
	who    Authenticator[S]
	what   Decoder[T]
	which  Authorizer[S, R]
	limits limitPlan[S, T]
	tell   *Responder
	end    ending[S, T, R]
	nobody *Error // what who says of a request without a credential
}

// stages is the life of a request: the stages in their order, top to bottom. Each
// one passes, or returns the error that ends the request.
//
// It is two functions, this one up to stage 6: defers in a function with more ways
// out cost several times as much.
func (p *pipeline[S, T, R]) stages(x *exchange) error {
	if len(p.limits.session) == 0 && p.who.missing(x.r) {
		x.stage = StageWho
		return p.nobody // before anything is made for a handler
	}

	// One allocation, which is never used again: the handler may keep any of it.
	own := &struct {
		call    Call[S, T, R]
		context deadline
	}{call: Call[S, T, R]{ClientIP: x.addr, RequestID: x.id, Request: x.r}}
	ctx, c := p.tell.bound(x.r.Context(), &own.context, x.start), &own.call
	defer own.context.end()

	x.stage = StageLimit
	if err := p.limits.beforeSession(ctx, x); err != nil {
		return err
	}

	x.stage = StageWho
	credential, err := p.who.authenticate(ctx, x)
	if err != nil {
		return err
	}
	c.Caller, x.caller, c.Request = credential.caller, credential.caller.Subject(), x.r

	x.stage = StageRole
	if err := credential.permit(); err != nil {
		return err
	}

	x.stage = StageCallerLimit
	if err := p.limits.perCaller(ctx, x, c.Caller); err != nil {
		return err
	}

	x.stage = StageWhich
	if c.Resource, err = p.which.resolve(ctx, x.r, c.Caller); err != nil {
		return x.noResource(ctx, err)
	}

	x.stage = StageWhat
	body, err := p.what.decode(ctx, x, &c.Input)
	if err != nil {
		return err
	}
	return p.serve(ctx, x, c, body)
}

// serve is the stages from 7 on.
func (p *pipeline[S, T, R]) serve(ctx context.Context, x *exchange, c *Call[S, T, R], body *input.Body) error {
	defer body.Close()

	x.stage = StageInputLimit
	if err := p.limits.perInput(ctx, x, c.Caller, &c.Input, &c.Cost); err != nil {
		return err
	}

	defer x.release()
	repeat, err := x.claim(ctx, p.limits.id)
	if err != nil {
		return err
	}
	if repeat {
		x.send(http.StatusNoContent, nil)
		return nil
	}

	x.stage = StageHandler
	if err := p.end.run(ctx, x, c, body); err != nil { // the handler, its hooks, and the response
		return err
	}
	x.deliver() // what a stream or a wrapped handler answered
	return nil
}

func build[S Principal, T, R any](maker string, who Authenticator[S], what func() Decoder[T], which func() Authorizer[S, R], limit Limit,
	tell *Responder, end ending[S, T, R]) *Guard[T] {
	p := &pipeline[S, T, R]{who: who, tell: tell, end: end}
	mistakes := []error{who.validate(), tell.check()}
	if what == nil {
		mistakes = append(mistakes, errors.New("the second answer (what) is nil: pass guard.JSON[T] or guard.NoPayload"))
	} else {
		p.what = what()
		mistakes = append(mistakes, p.what.validate())
		if end.kind == checklist.Wrap {
			p.what.keepBody()
		}
	}
	if which == nil {
		mistakes = append(mistakes, errors.New("the third answer (which) is nil: pass guard.Owned(…) or guard.NoResource"))
	} else if p.which = which(); p.which.resolve == nil {
		mistakes = append(mistakes, errors.New("the third answer (which) made a zero Authorizer: pass guard.Owned(…) or guard.NoResource"))
	} else if p.which.owned && who.anyone {
		mistakes = append(mistakes, errors.New("Owned on a route for Anyone: nobody is known there, use Authorize"))
	}
	g := &Guard[T]{}
	limits, err := planLimits[S, T](limit)
	limits.id = fmt.Sprintf("guard %p", g)
	p.limits = limits
	if err := errors.Join(append(mistakes, err)...); err != nil {
		panic("guard: " + maker + ": " + err.Error())
	}
	if end.kind == checklist.Handler { // others run without a deadline
		p.limits.bound(tell.timeout())
	}
	g.plan = p.describe(limit)
	p.nobody = refuseUnauthenticated.Because(errNoCredential)
	p.nobody.challenges = p.who.challenges(nil)
	stages := p.stages
	g.serve = func(w http.ResponseWriter, r *http.Request) {
		x := newExchange(p.tell, w, r)
		x.private, x.asks, x.route = !p.who.anyone || unsafe(r.Method), p.nobody.challenges, r.Pattern
		x.policies = p.limits.policies
		x.do(stages)
		x.recycle()
	}
	return g
}

// ending is how a route ends: the handler, its hooks, and the response.
type ending[S Principal, T, R any] struct {
	run    func(context.Context, *exchange, *Call[S, T, R], *input.Body) error
	kind   checklist.Ending
	owned  *checklist.Step // of OwnedInput
	hooks  []string        // names
	result reflect.Type    // of a handler
}

// described is a result that is no result: After, Stream and OwnedInput return
// handlers whose only result is the description of what New is to run.
type described[S Principal, T, R any] interface{ ending() ending[S, T, R] }

func endingOf[S Principal, T, R, Out any](handler func(context.Context, *Call[S, T, R]) (Out, error)) ending[S, T, R] {
	if _, ok := any(*new(Out)).(described[S, T, R]); ok {
		out, _ := handler(context.Background(), nil)
		return any(out).(described[S, T, R]).ending()
	}
	plan := planFor[Out]()
	return ending[S, T, R]{kind: checklist.Handler, result: resultOf[Out](), run: func(ctx context.Context, x *exchange, c *Call[S, T, R], _ *input.Body) error {
		out, err := handler(ctx, c)
		if err != nil {
			return err
		}
		return x.reply(&out, plan)
	}}
}

// After runs hooks when the handler has succeeded, before the response is written.
//
// They are for what must follow a mutation, such as dropping cached copies. They
// run in order, with the handler's result, even if the client has gone. A hook's
// error or panic is logged and observed, and never changes the reply.
func After[S Principal, T, R, Out any](handler func(context.Context, *Call[S, T, R]) (Out, error),
	hooks ...func(context.Context, *Call[S, T, R], Out) error) func(context.Context, *Call[S, T, R]) (hooked[S, T, R, Out], error) {
	mustBe("After", check{"handler", handler != nil}, check{"hooks", len(hooks) > 0})
	for _, h := range hooks {
		mustBe("After", check{"a hook", h != nil})
	}
	if _, ok := any(*new(Out)).(described[S, T, R]); ok {
		panic("guard: After: the handler is itself made by After, Stream or OwnedInput: put After inside OwnedInput")
	}
	h := hooked[S, T, R, Out]{handler, hooks}
	return func(context.Context, *Call[S, T, R]) (hooked[S, T, R, Out], error) { return h, nil }
}

type hooked[S Principal, T, R, Out any] struct {
	handler func(context.Context, *Call[S, T, R]) (Out, error)
	hooks   []func(context.Context, *Call[S, T, R], Out) error
}

func (h hooked[S, T, R, Out]) ending() ending[S, T, R] {
	e, plan := ending[S, T, R]{kind: checklist.Handler, result: resultOf[Out]()}, planFor[Out]()
	for _, hook := range h.hooks {
		e.hooks = append(e.hooks, funcName(hook))
	}
	e.run = func(ctx context.Context, x *exchange, c *Call[S, T, R], _ *input.Body) error {
		out, err := h.handler(ctx, c)
		if err != nil {
			return err
		}
		h.after(ctx, x, c, out, e.hooks)
		return x.reply(&out, plan)
	}
	return e
}

// after runs the hooks. What they follow has happened: a client that went away
// must not leave stale copies behind.
func (h hooked[S, T, R, Out]) after(ctx context.Context, x *exchange, c *Call[S, T, R], out Out, names []string) {
	x.stage = StageAfter
	var bounded deadline
	ctx = x.tell.bound(context.WithoutCancel(ctx), &bounded, time.Now())
	defer bounded.end()
	for i, hook := range h.hooks {
		if err := contain(func() error { return hook(ctx, c, out) }); err != nil {
			e := x.event(nil)
			e.Err = fmt.Errorf("hook %s: %w", names[i], err)
			x.tell.report(ctx, e)
		}
	}
}

// Stream gives the handler the http.ResponseWriter: events, downloads, completions.
//
// An error before the first byte is answered by tell; after it, the connection is
// cut, so that the client does not take a part for the whole. Responder.Timeout
// does not apply: extend the server's write deadline with
// [http.ResponseController] as the stream goes on.
func Stream[S Principal, T, R any](handler func(context.Context, *Call[S, T, R], http.ResponseWriter) error) func(context.Context, *Call[S, T, R]) (streamed[S, T, R], error) {
	mustBe("Stream", check{"handler", handler != nil})
	return func(context.Context, *Call[S, T, R]) (streamed[S, T, R], error) {
		return streamed[S, T, R]{handler}, nil
	}
}

type streamed[S Principal, T, R any] struct {
	handler func(context.Context, *Call[S, T, R], http.ResponseWriter) error
}

func (s streamed[S, T, R]) ending() ending[S, T, R] {
	return ending[S, T, R]{kind: checklist.Stream, run: func(_ context.Context, x *exchange, c *Call[S, T, R], _ *input.Body) error {
		if err := s.handler(x.r.Context(), c, x.handOver()); err != nil {
			return err
		}
		x.implied()
		return nil
	}}
}

type ownedInput[S Principal, T, R, Out any] struct {
	resolve func(context.Context, S, T) (R, error)
	handler func(context.Context, *Call[S, T, R]) (Out, error)
	rule    checklist.Step
}

func (o ownedInput[S, T, R, Out]) ending() ending[S, T, None] {
	inner := endingOf(o.handler)
	return ending[S, T, None]{kind: inner.kind, owned: &o.rule, hooks: inner.hooks, result: inner.result,
		run: func(ctx context.Context, x *exchange, c *Call[S, T, None], b *input.Body) error {
			resource, err := o.resolve(ctx, c.Caller, c.Input)
			if err != nil {
				return x.noResource(ctx, err)
			}
			owned := &Call[S, T, R]{Caller: c.Caller, Input: c.Input, Resource: resource,
				ClientIP: c.ClientIP, RequestID: c.RequestID, Cost: c.Cost, Request: c.Request}
			defer func() { c.Cost = owned.Cost }()
			return inner.run(ctx, x, owned, b)
		}}
}
