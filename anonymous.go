package guard

import (
	"context"
	"fmt"

	"github.com/routeguard/guard/internal/origin"
)

// Maybe is a caller with or without a session. See [AllowAnonymous].
//
// The zero value is an anonymous caller.
type Maybe[S Principal] struct {
	session S
	known   bool
}

// Known returns a caller with a session, for tests of handlers.
//
// A nil session, or one with an empty Subject, is an anonymous caller.
func Known[S Principal](session S) Maybe[S] {
	if isNobody(session) {
		return Maybe[S]{}
	}
	return Maybe[S]{session, true}
}

// Session returns the caller's session, and false for an anonymous caller.
func (m Maybe[S]) Session() (S, bool) { return m.session, m.known }

// Subject returns the session's subject, or "" for an anonymous caller.
func (m Maybe[S]) Subject() string {
	if !m.known {
		return ""
	}
	return m.session.Subject()
}

// String returns "anonymous" or "a session": the session may hold more than a log should.
func (m Maybe[S]) String() string {
	if !m.known {
		return "anonymous"
	}
	return "a session"
}

// Format is String, whatever the verb.
func (m Maybe[S]) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(m.String())) }

// AllowAnonymous admits callers without a credential, as the same type of caller.
//
// A credential that is present and bad is a 401 as ever, and a missing one is an
// anonymous caller: for pages that show more to those who are signed in. Such a
// caller is held to the origin rule of [Anyone], is counted by its address in
// PerCaller limits, and owns nothing. Roles go inside: AllowAnonymous(Only(…)).
func AllowAnonymous[S Principal](who Authenticator[S]) Authenticator[Maybe[S]] {
	if len(who.ways) == 0 || who.optional {
		panic("guard: AllowAnonymous: who is not a credential: pass Bearer, Cookie, APIKey, FirstOf or Only")
	}
	all := Authenticator[Maybe[S]]{optional: true, check: origin.NewCheck(origin.Set{})}
	for _, w := range who.ways {
		if w.check != nil {
			all.check = w.check // what AllowOrigins said about who
		}
		all.ways = append(all.ways, maybe(w))
	}
	return all
}

func maybe[S Principal](w way[S]) way[Maybe[S]] {
	m := way[Maybe[S]]{kind: w.kind, name: w.name, find: w.find, check: w.check, keep: w.keep}
	m.verify = func(ctx context.Context, credential string) (Maybe[S], error) {
		session, err := w.verify(ctx, credential)
		if err != nil {
			return Maybe[S]{}, err
		}
		return Known(session), nil // nobody is refused, since its Subject is empty
	}
	for _, r := range w.roles {
		m.roles = append(m.roles, role[Maybe[S]]{name: r.name, holds: func(m Maybe[S]) bool {
			session, known := m.Session()
			return known && r.holds(session)
		}})
	}
	return m
}
