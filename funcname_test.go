package guard_test

import (
	"maps"
	"net/http"
	"regexp"
	"testing"

	"github.com/routeguard/guard"
)

// bylaw is a rule with methods that are rules, and some that make them.
type bylaw struct{ id string }

func (b bylaw) holds(u User) bool            { return u.ID == b.id }
func (b bylaw) making() func(User) bool      { return func(u User) bool { return u.ID == b.id } }
func (b *bylaw) pointing() func(User) bool   { return func(u User) bool { return u.ID == b.id } }
func isAlice(u User) bool                    { return u.ID == "alice" }
func is[S guard.Principal](s S) bool         { return s.Subject() == "alice" }
func may(id string) func(User) bool          { return func(u User) bool { return u.ID == id } }
func mayAny[T any](ids ...T) func(User) bool { return func(User) bool { return len(ids) > 0 } }
func mayTwice(id string) func(User) bool {
	return func() func(User) bool { return func(u User) bool { return u.ID == id } }()
}
func named(rule func(User) bool) (out string) { return ruleNames(rule)[0] }

//go:noinline
func mayApart(id string) func(User) bool { return func(u User) bool { return u.ID == id } }

var (
	mayAlways = func(User) bool { return true }
	mayAlice  = may("alice")
)

// ruleNames builds a route for each rule, and returns what the checklist calls them.
func ruleNames(rules ...func(User) bool) (names []string) {
	mux := guard.NewMux(&guard.Responder{})
	for _, rule := range rules {
		mux.Handle("GET /"+string(rune('a'+len(names))), guard.Wrap(guard.Only(anyUser, rule), guard.NoPayload, guard.NoResource, free, &guard.Responder{}, http.NotFoundHandler()))
		names = append(names, mux.Routes()[len(names)].Who.Roles[0])
	}
	return names
}

// The names of rules are what a review reads and what a golden checklist compares:
// they are those of the service's functions, however it is compiled.
func TestNamesOfRules(t *testing.T) {
	t.Parallel()
	byRange := ""
	for rule := range maps.Keys(map[string]bool{"alice": true}) {
		byRange = named(may(rule))
	}
	for _, tt := range []struct {
		name, got, want string // want is a regular expression
	}{
		{name: "a function", got: named(isAlice), want: "isAlice"},
		{name: "a generic function", got: named(is[User]), want: `is\[...\]`},
		{name: "a method", got: named(User.IsAdmin), want: "User.IsAdmin"},
		{name: "a method of a value", got: named(bylaw{}.holds), want: "bylaw.holds"},
		{name: "a closure of a function", got: named(may("alice")), want: "may"},
		{name: "a closure of a function that is not inlined", got: named(mayApart("alice")), want: "mayApart"},
		{name: "a closure of a generic function", got: named(mayAny(1, 2)), want: `mayAny\[...\]`},
		{name: "a closure of a closure", got: named(mayTwice("alice")), want: "mayTwice"},
		{name: "a closure of a method", got: named(bylaw{}.making()), want: "bylaw.making"},
		{name: "a closure of a pointer's method", got: named((&bylaw{}).pointing()), want: "bylaw.pointing"},
		{name: "a closure in a variable", got: named(mayAlice), want: "may"},
		{name: "a closure made in a closure", got: func() string { return named(may("alice")) }(), want: "may"},
		{name: "a closure made in a loop", got: byRange, want: "may"},
		{name: "a literal in a variable", got: named(mayAlways), want: `init\.func\d+`},
		{name: "a literal where the routes are", got: named(func(User) bool { return true }), want: `TestNamesOfRules\.func\d+`},
		{name: "a literal in a closure where the routes are", got: func() string { return named(func(User) bool { return false }) }(), want: `TestNamesOfRules(\.(func)?\d+){2}`},
	} {
		if !regexp.MustCompile("^" + tt.want + "$").MatchString(tt.got) {
			t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
		}
	}
	if got := ruleNames(func(User) bool { return true }, func(User) bool { return false }); got[0] == got[1] {
		t.Errorf("two literals are both called %s", got[0])
	}
}
