package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
// Make one with [Bearer], [Cookie], [APIKey], [FirstOf], [Only] or [Anyone]. The
// zero value is refused by [New]. It is immutable and safe for concurrent use.
type Authenticator[S Principal] struct {
	ways   []way[S] // tried in order; the first credential that is present decides
	anyone bool
	check  *origin.Check // of Anyone
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

// isToken68 is the b64token of RFC 6750, section 2.1.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		c := body[i]
		if !isAlphanumeric(c) && !strings.ContainsRune("-._~+/", rune(c)) {
			return false
		}
	}
	return body != ""
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

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
		if len(a.ways) == 0 {
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
// request. Step-up works in the same way: a method such as User.SignedInRecently.
func Only[S Principal](who Authenticator[S], holds func(S) bool) Authenticator[S] {
	if holds == nil {
		panic("guard: Only: holds is nil: pass a function such as User.IsAdmin")
	}
	if len(who.ways) == 0 {
		panic("guard: Only: who is not a credential: a role needs a session")
	}
	narrowed := Authenticator[S]{ways: make([]way[S], len(who.ways))}
	for i, w := range who.ways {
		w.roles = append(w.roles[:len(w.roles):len(w.roles)], role[S]{name: funcName(holds), holds: holds})
		narrowed.ways[i] = w
	}
	return narrowed
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

// authenticate is stage 2. Only the header section is read.
func (a *Authenticator[S]) authenticate(ctx context.Context, tell *Responder, r *http.Request) (credential[S], error) {
	var got credential[S]
	if a.anyone {
		if err := a.check.Check(r); err != nil {
			return got, refuseOrigin.Because(err)
		}
		return got, nil
	}
	for i := range a.ways {
		w := &a.ways[i]
		text, state := w.find(r)
		if state == absent {
			continue
		}
		if w.check != nil {
			if err := w.check.Check(r); err != nil {
				return got, refuseOrigin.Because(err)
			}
		}
		if state == malformed {
			return got, a.unauthenticated(w, errors.New("malformed credential"))
		}
		caller, err := w.verify(ctx, text)
		if err != nil {
			return got, a.rejected(ctx, tell, w, err)
		}
		if isNil(caller) || caller.Subject() == "" {
			return got, a.unauthenticated(w, errors.New("the verifier returned a nil session or one without a subject"))
		}
		return credential[S]{caller, w}, nil
	}
	return got, a.unauthenticated(nil, errors.New("no credential"))
}

// rejected tells a bad credential from a store that could not be asked.
func (a *Authenticator[S]) rejected(ctx context.Context, tell *Responder, w *way[S], err error) error {
	mapped := tell.mapped(err)
	if errors.Is(mapped, ErrNoSession) || isNotFound(mapped) {
		return a.unauthenticated(w, err)
	}
	if ctx.Err() == context.Canceled {
		return err
	}
	return refuseUnavailable.Because(fmt.Errorf("verify the %s credential: %w", w.kind, err))
}

// unauthenticated is a 401 with its challenges (RFC 9110, section 15.5.2). The
// bearer challenge has an error code only where a bearer token was sent (RFC
// 6750, section 3.1).
func (a *Authenticator[S]) unauthenticated(bad *way[S], cause error) *Error {
	e := refuseUnauthenticated.Because(cause)
	for i := range a.ways {
		if a.ways[i].kind != "bearer" {
			continue
		}
		e.challenges = []string{"Bearer"}
		if bad != nil && bad.kind == "bearer" {
			e.challenges = []string{`Bearer error="invalid_token"`}
		}
		return e
	}
	// No registered scheme describes a cookie or a key, and a challenge is
	// required: name what is expected.
	seen := map[string]bool{}
	for i := range a.ways {
		c := "ApiKey"
		if a.ways[i].kind == "cookie" {
			c = "Cookie"
		}
		if !seen[c] {
			seen[c] = true
			e.challenges = append(e.challenges, c)
		}
	}
	return e
}

// permit is stage 3.
func (c credential[S]) permit() error {
	if c.way == nil {
		return nil // Anyone: it has no roles, and New saw to it that nothing asks for one
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
	for i := range a.ways {
		w := &a.ways[i]
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
	if !a.anyone && len(a.ways) == 0 {
		return errors.New("the first answer (who) is the zero Authenticator: pass Bearer, Cookie, APIKey, FirstOf, Only or Anyone")
	}
	return nil
}
