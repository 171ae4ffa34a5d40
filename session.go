package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/routeguard/guard/internal/origin"
)

// Principal is what a session must tell about its caller.
//
// Subject is the caller's stable, non-empty identity: the key of limits per
// caller and the caller in the log. It must be safe for concurrent use.
type Principal interface{ Subject() string }

// Anonymous is the caller of a route whose first answer is [Anyone].
type Anonymous struct{}

// Subject returns "": nobody is known.
func (Anonymous) Subject() string { return "" }

// Verifier turns a credential into a session of the service's own type.
//
// It runs on every request, so that revoked, disabled and deleted callers are
// refused at once. It returns [ErrNoSession] (or [ErrNotFound]) where the
// credential is good for nothing: a 401. Any other error is a 503, never a 401
// and never an anonymous caller. A nil session, or one with an empty Subject, is
// refused. The credential is never empty and at most 8 KiB long.
type Verifier[S Principal] func(ctx context.Context, credential string) (S, error)

// Authenticator answers who is calling.
//
// Make one with [Bearer], [Cookie], [APIKey], [Signed], [FirstOf], [Only],
// [AllowAnonymous] or [Anyone]. The zero value is refused by [New]. It is immutable
// and safe for concurrent use.
type Authenticator[S Principal] struct {
	ways     []way[S]      // tried in order; the first credential that is present decides
	anyone   bool          // there are no ways: every caller is the zero S
	optional bool          // a caller without a credential is the zero S
	check    *origin.Check // of callers without a credential
	message  *signed       // instead of ways: the body is signed, and S is Message
}

// way is one kind of credential.
type way[S Principal] struct {
	kind   string // bearer, cookie, apikey
	name   string // of the cookie or header
	find   func(*http.Request) (credential string, found found)
	verify Verifier[S]
	// check is set for credentials that a browser sends by itself. Bearer
	// tokens and keys are put there by code, so no other site can send them.
	check *origin.Check
	roles []role[S]
	keep  bool // a wrapped handler sees the credential
}

type role[S Principal] struct {
	name  string
	holds func(S) bool
}

type found int

const (
	absent found = iota
	present
	malformed // present and bad: nothing else is tried
)

const maxCredential = 8 << 10

// Bearer takes the credential from the Authorization field (RFC 6750).
//
// Another scheme counts as no credential; more than one Authorization field, an
// empty token or one over 8 KiB is a bad one. A token in the query or the body is
// never looked at.
func Bearer[S Principal](verify Verifier[S]) Authenticator[S] {
	return one("Bearer", way[S]{kind: "bearer", name: "Authorization", find: findBearer, verify: verify})
}

func findBearer(r *http.Request) (string, found) {
	fields := r.Header["Authorization"]
	if len(fields) == 0 {
		return "", absent
	}
	if len(fields) > 1 {
		return "", malformed
	}
	scheme, token, _ := strings.Cut(fields[0], " ")
	if scheme == "" {
		return "", malformed
	}
	if !strings.EqualFold(scheme, "Bearer") { // RFC 9110, section 11.1
		return "", absent
	}
	token = strings.TrimLeft(token, " ")
	if token == "" || len(token) > maxCredential || !isToken68(token) {
		return "", malformed
	}
	return token, present
}

// isToken68 is the b64token of RFC 6750, section 2.1. Every request brings hundreds of
// its bytes, so that most are looked at in steps of eight.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	rest := body
	for ; len(rest) >= 8; rest = rest[8:] {
		if !(token68[rest[0]] && token68[rest[1]] && token68[rest[2]] && token68[rest[3]] &&
			token68[rest[4]] && token68[rest[5]] && token68[rest[6]] && token68[rest[7]]) {
			return false
		}
	}
	for i := range len(rest) {
		if !token68[rest[i]] {
			return false
		}
	}
	return body != ""
}

var token68 = setOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/")

func one[S Principal](maker string, w way[S]) Authenticator[S] {
	if w.verify == nil {
		panic("guard: " + maker + ": verify is nil: pass a Verifier")
	}
	return Authenticator[S]{ways: []way[S]{w}}
}

// FirstOf takes the first credential that is present, in the order given.
//
// A credential that is present and bad ends the request: nothing else is tried,
// so that a good cookie cannot cover for a forged token.
func FirstOf[S Principal](who ...Authenticator[S]) Authenticator[S] {
	if len(who) == 0 {
		panic("guard: FirstOf: no Authenticator: pass at least one")
	}
	var all Authenticator[S]
	for i, a := range who {
		switch {
		case a.message != nil:
			panic(fmt.Sprintf("guard: FirstOf: argument %d is Signed, which reads the body: give messages a route of their own", i+1))
		case a.optional:
			panic(fmt.Sprintf("guard: FirstOf: argument %d allows anonymous callers: put AllowAnonymous around FirstOf", i+1))
		case len(a.ways) == 0:
			panic(fmt.Sprintf("guard: FirstOf: argument %d is not a credential: pass Bearer, Cookie or APIKey", i+1))
		}
		all.ways = append(all.ways, a.ways...)
	}
	return all
}

// Only narrows who to the callers for whom holds is true: a role or a scope.
//
// Others get a 403, with insufficient_scope where they came with a bearer token.
// The role must come from the session that the Verifier loaded, not from the
// request. Step-up, asking for a recent sign-in, works in the same way: see the
// second example.
func Only[S Principal](who Authenticator[S], holds func(S) bool) Authenticator[S] {
	if holds == nil {
		panic("guard: Only: holds is nil: pass a function such as User.IsAdmin")
	}
	switch {
	case who.message != nil:
		panic("guard: Only: who is Signed: a message has no role, check it in the handler")
	case who.optional:
		panic("guard: Only: who allows anonymous callers, who have no role: put AllowAnonymous around Only")
	case len(who.ways) == 0:
		panic("guard: Only: who is not a credential: a role needs a session")
	}
	return who.each(func(w *way[S]) {
		w.roles = append(w.roles[:len(w.roles):len(w.roles)], role[S]{name: funcName(holds), holds: holds})
	})
}

// KeepCredential lets a handler behind [Wrap] see who's credentials.
//
// It is for handlers that check or forward the credential themselves. Without it
// they cannot leak what they do not see. It changes nothing else.
func KeepCredential[S Principal](who Authenticator[S]) Authenticator[S] {
	if who.message != nil {
		kept := *who.message
		kept.keep = true
		who.message = &kept
		return who
	}
	if len(who.ways) == 0 {
		panic("guard: KeepCredential: who is not a credential: there is nothing to keep")
	}
	return who.each(func(w *way[S]) { w.keep = true })
}

// each returns a copy of a whose ways are changed.
func (a Authenticator[S]) each(change func(*way[S])) Authenticator[S] {
	a.ways = slices.Clone(a.ways)
	for i := range a.ways {
		change(&a.ways[i])
	}
	return a
}

// Anyone answers that no session is needed.
//
// Requests with an unsafe method must still come from the service's own origin
// where a browser sent them, see [AllowOrigins]: sign-in forms are forged, too.
var Anyone = Authenticator[Anonymous]{anyone: true, check: origin.NewCheck(origin.Set{})}

// credential is what authenticate found, for the role stage.
type credential[S Principal] struct {
	caller S
	way    *way[S]
}

// missing reports whether authenticate will find no credential, and need one. It looks
// no further than for the fields: what is in them is authenticate's part.
func (a *Authenticator[S]) missing(r *http.Request) bool {
	for i := range a.ways {
		if len(r.Header[a.ways[i].field()]) > 0 {
			return false
		}
	}
	return len(a.ways) > 0 && !a.optional
}

// field is the header field that holds the credential.
func (w *way[S]) field() string {
	if w.kind == "cookie" {
		return "Cookie"
	}
	return w.name
}

// authenticate is stage 2. Only the header section is read, unless a message is
// signed.
func (a *Authenticator[S]) authenticate(ctx context.Context, x *exchange) (credential[S], error) {
	var got credential[S]
	if a.message != nil {
		m, err := a.message.authenticate(ctx, x)
		got.caller, _ = any(m).(S) // which Signed made a Message
		return got, err
	}
	for i := range a.ways {
		w := &a.ways[i]
		text, state := w.find(x.r)
		if state != absent {
			return a.accept(ctx, x, w, text, state)
		}
	}
	if !a.anyone && !a.optional {
		return got, a.unauthenticated(x, nil, errNoCredential)
	}
	if err := a.check.Check(x.r); err != nil {
		return got, refuseOrigin.Because(err)
	}
	return got, nil
}

// accept decides about the credential that was found. There is no other after it.
func (a *Authenticator[S]) accept(ctx context.Context, x *exchange, w *way[S], text string, state found) (credential[S], error) {
	var none credential[S]
	if w.check != nil {
		if err := w.check.Check(x.r); err != nil {
			return none, refuseOrigin.Because(err)
		}
	}
	if state != present {
		return none, a.unauthenticated(x, w, errMalformed)
	}
	caller, err := w.verify(ctx, text)
	if err != nil {
		return none, a.rejected(ctx, x, w, err)
	}
	if isNobody(caller) {
		return none, a.unauthenticated(x, w, errNobody)
	}
	return credential[S]{caller, w}, nil
}

var (
	errNoCredential = errors.New("no credential")
	errMalformed    = errors.New("malformed credential")
	errNobody       = errors.New("the verifier returned a nil session or one without a subject")
)

// isNobody reports whether a session is none, whatever its verifier says. One that is a
// struct cannot be nil, and to ask would copy it.
func isNobody[S Principal](caller S) bool {
	return reflect.TypeFor[S]().Kind() != reflect.Struct && isNil(caller) || caller.Subject() == ""
}

// rejected tells a bad credential from a store that could not be asked.
func (a *Authenticator[S]) rejected(ctx context.Context, x *exchange, w *way[S], err error) error {
	mapped := x.tell.mapped(err)
	if errors.Is(mapped, ErrNoSession) || isNotFound(mapped) {
		return a.unauthenticated(x, w, err)
	}
	if ctx.Err() == context.Canceled {
		return err
	}
	return refuseUnavailable.Because(fmt.Errorf("verify the %s credential: %w", w.kind, err))
}

var (
	challengeBearer  = []string{"Bearer"}
	challengeInvalid = []string{`Bearer error="invalid_token"`}
)

// unauthenticated is a 401 with its challenges.
func (a *Authenticator[S]) unauthenticated(x *exchange, bad *way[S], cause error) *Error {
	e := x.because(refuseUnauthenticated, cause)
	e.challenges = a.challenges(bad)
	return e
}

// challenges are those of a 401 (RFC 9110, section 15.5.2). The bearer challenge has
// an error code only where a bearer token was sent (RFC 6750, section 3.1).
func (a *Authenticator[S]) challenges(bad *way[S]) []string {
	for i := range a.ways {
		if a.ways[i].kind != "bearer" {
			continue
		}
		if bad != nil && bad.kind == "bearer" {
			return challengeInvalid
		}
		return challengeBearer
	}
	// No registered scheme describes a cookie or a key, and a challenge is
	// required: name what is expected.
	var names []string
	for i := range a.ways {
		c := "ApiKey"
		if a.ways[i].kind == "cookie" {
			c = "Cookie"
		}
		if !slices.Contains(names, c) {
			names = append(names, c)
		}
	}
	return names
}

// permit is stage 3.
func (c credential[S]) permit() error {
	if c.way == nil {
		return nil // nobody is known, or a message: Only saw to it that nothing asks for a role
	}
	for _, role := range c.way.roles {
		if role.holds(c.caller) {
			continue
		}
		e := refuseForbidden.Because(errors.New(role.name + " does not hold"))
		if c.way.kind == "bearer" {
			e.challenges = []string{`Bearer error="insufficient_scope"`}
		}
		return e
	}
	return nil
}

// strip removes the credentials that a looks for from r, whose header is its own.
func (a *Authenticator[S]) strip(r *http.Request) {
	if a.message != nil {
		a.message.strip(r)
	}
	for i := range a.ways {
		w := &a.ways[i]
		if w.keep {
			continue
		}
		if w.kind != "cookie" {
			delete(r.Header, w.name)
			continue
		}
		cookies := r.Cookies()
		delete(r.Header, "Cookie")
		for _, c := range cookies {
			if c.Name != w.name {
				r.AddCookie(c)
			}
		}
	}
}

func (a *Authenticator[S]) validate() error {
	if !a.anyone && a.message == nil && len(a.ways) == 0 {
		return errors.New("the first answer (who) is the zero Authenticator: pass Bearer, Cookie, APIKey, Signed, FirstOf, Only or Anyone")
	}
	return nil
}
