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
// Entries may be comma-separated lists. The error names every entry that no
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
// It replaces the origins of an earlier AllowOrigins. It does not send CORS
// headers: those say which origin may read, this says which one may act.
func AllowOrigins[S Principal](origins Origins, who Authenticator[S]) Authenticator[S] {
	check := origin.NewCheck(origins.set)
	if who.anyone {
		who.check = check
		return who
	}
	if len(who.ways) == 0 {
		panic("guard: AllowOrigins: who is the zero Authenticator: pass Anyone, Cookie or FirstOf")
	}
	widened := Authenticator[S]{ways: make([]way[S], len(who.ways))}
	for i, w := range who.ways {
		if w.check != nil {
			w.check = check
		}
		widened.ways[i] = w
	}
	return widened
}
