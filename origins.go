package guard

import (
	"fmt"

	"github.com/routeguard/guard/internal/origin"
)

// Origins is a set of origins that may send requests besides the service's own.
// The zero value is empty.
type Origins struct{ set origin.Set }

// ParseOrigins reads exact origins such as "https://app.example".
//
// Each text may be a comma-separated list; an empty one, such as of a variable that
// is not set, is an empty list. The error names every entry that is empty or that no
// browser would send, with what to write instead.
func ParseOrigins(list ...string) (Origins, error) {
	set, err := origin.Parse(list...)
	if err != nil {
		return Origins{}, fmt.Errorf("guard: ParseOrigins: %w", err)
	}
	return Origins{set}, nil
}

// AllowOrigins lets browsers send who's ambient credentials from these origins, too.
//
// It is for a web page on another origin that acts with the user's cookie: each of
// these origins, and whoever can inject a script there, acts as the user. It
// replaces the origins of an earlier AllowOrigins. Bearer tokens, keys and
// signatures need no origin: browsers do not send them by themselves.
//
// It does not send CORS headers. Those say which origin may read a response, and
// only after a preflight may one send JSON; this says which one may act. A page on
// another origin needs both, from the same list: see docs/authentication.md.
func AllowOrigins[S Principal](origins Origins, who Authenticator[S]) Authenticator[S] {
	switch {
	case who.message != nil:
		panic("guard: AllowOrigins: who is Signed: no browser signs messages, leave AllowOrigins out")
	case !who.anyone && len(who.ways) == 0:
		panic("guard: AllowOrigins: who is the zero Authenticator: pass Anyone, Cookie or FirstOf")
	}
	check := origin.NewCheck(origins.set)
	if who.check != nil {
		who.check = check
	}
	return who.each(func(w *way[S]) {
		if w.check != nil {
			w.check = check
		}
	})
}
