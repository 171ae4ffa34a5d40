package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
)

// embeds is a type that the compiler takes for a guard, and that is none.
type embeds struct{ *guard.Guard[guard.None] }

func (embeds) ServeHTTP(http.ResponseWriter, *http.Request) {}

type ownedByClient struct {
	OwnerID string `json:"ownerId"`
}

// Every mistake of wiring is reported when the service starts, with the argument
// that is wrong and with what to write instead.
func TestWiringMistakes(t *testing.T) {
	t.Parallel()
	s := &service{}
	errs, _ := logged()
	limits := &guard.Limiter{}
	users := guard.Bearer(s.verify)
	own := guard.Owned("projectID", guard.ParseUUID, s.project, (*Project).OwnedBy)
	handler := func(context.Context, *guard.Call[User, guard.None, guard.None]) (string, error) { return "", nil }
	onProject := func(context.Context, *guard.Call[User, guard.None, *Project]) (string, error) { return "", nil }
	newWith := func(who guard.Authenticator[User], what func() guard.Decoder[guard.None], which func() guard.Authorizer[User, guard.None], limit guard.Limit, tell *guard.Responder) func() {
		return func() { guard.New(who, what, which, limit, tell, handler) }
	}
	mux := func(pattern string, g guard.Guarded) func() {
		return func() { guard.NewMux(errs).Handle(pattern, g) }
	}
	var noGuard *guard.Guard[guard.None]
	var noMux guard.Mux
	tests := []struct {
		name string
		do   func()
		want []string
	}{
		{"who is zero", newWith(guard.Authenticator[User]{}, guard.NoPayload, guard.NoResource, free, errs), []string{"New", "(who)", "pass Bearer"}},
		{"what is nil", newWith(users, nil, guard.NoResource, free, errs), []string{"(what) is nil", "pass guard.JSON[T]"}},
		{"what makes a zero Decoder", newWith(users, func() guard.Decoder[guard.None] { return guard.Decoder[guard.None]{} }, guard.NoResource, free, errs), []string{"(what) made a zero", "pass guard.JSON[T]"}},
		{"which is nil", newWith(users, guard.NoPayload, nil, free, errs), []string{"(which) is nil", "pass guard.Owned"}},
		{"which makes a zero Authorizer", newWith(users, guard.NoPayload, func() guard.Authorizer[User, guard.None] { return guard.Authorizer[User, guard.None]{} }, free, errs),
			[]string{"(which) made a zero", "pass guard.Owned"}},
		{"the limit is zero", newWith(users, guard.NoPayload, guard.NoResource, guard.Limit{}, errs), []string{"(abuse) is the zero Limit", "pass limits.PerCaller"}},
		{"tell is nil", newWith(users, guard.NoPayload, guard.NoResource, free, nil), []string{"(tell) is nil", "&guard.Responder{}"}},
		{"all of them at once", newWith(guard.Authenticator[User]{}, nil, nil, guard.Limit{}, nil), []string{"(who)", "(what)", "(which)", "(abuse)", "(tell)"}},
		{"an unknown format", newWith(users, guard.NoPayload, guard.NoResource, free, &guard.Responder{Format: 7}), []string{"Format is 7", "use ProblemDetails"}},
		{"an odd status", newWith(users, guard.NoPayload, guard.NoResource, free, &guard.Responder{InvalidStatus: 418}), []string{"InvalidStatus is 418", "use 400 or 422"}},
		{"the handler is nil", func() {
			guard.New[User, guard.None, guard.None, string](users, guard.NoPayload, guard.NoResource, free, errs, nil)
		}, []string{"New: the handler is nil"}},
		{"a server-owned field", func() {
			guard.New(users, guard.JSON[ownedByClient], guard.NoResource, free, errs, func(context.Context, *guard.Call[User, ownedByClient, guard.None]) (string, error) { return "", nil })
		}, []string{"OwnerID", `guard:"client"`}},
		{"PerCaller for anyone", func() {
			guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, limits.PerCaller(1, time.Minute), errs, ok)
		}, []string{"PerCaller on a route for Anyone", "use PerIP"}},
		{"Owned for anyone", func() {
			guard.New(guard.Anyone, guard.NoPayload, guard.Owned("id", guard.ParseString, func(context.Context, string) (*Project, error) { return nil, nil },
				func(*Project, guard.Anonymous) bool { return true }), free, errs, func(context.Context, *guard.Call[guard.Anonymous, guard.None, *Project]) (string, error) {
				return "", nil
			})
		}, []string{"Owned on a route for Anyone", "use Authorize"}},
		{"PerInput of another input", func() {
			guard.New(users, guard.NoPayload, guard.NoResource, guard.PerInput(limits, func(Contact) string { return "" }, 1, time.Minute), errs, handler)
		}, []string{"PerInput", "guard.None"}},

		{"Wrap without a handler", func() { guard.Wrap(users, guard.NoPayload, guard.NoResource, free, errs, nil) }, []string{"Wrap: the handler is nil"}},
		{"Wrap of a nil HandlerFunc", func() { guard.Wrap(users, guard.NoPayload, guard.NoResource, free, errs, http.HandlerFunc(nil)) }, []string{"Wrap: the handler is nil"}},
		{"After without a handler", func() {
			guard.After(nil, func(context.Context, *guard.Call[User, guard.None, guard.None], string) error { return nil })
		}, []string{"After", "handler is nil"}},
		{"After without a hook", func() { guard.After(handler) }, []string{"After", "hooks"}},
		{"After with a nil hook", func() { guard.After(handler, nil) }, []string{"After", "a hook is nil"}},
		{"After of After", func() {
			twice := guard.After(handler, func(context.Context, *guard.Call[User, guard.None, guard.None], string) error { return nil })
			afterAfter(twice)
		}, []string{"After", "put After inside OwnedInput"}},
		{"Stream without a handler", func() { guard.Stream[User, guard.None, guard.None](nil) }, []string{"Stream", "handler is nil"}},

		{"Bearer without a verifier", func() { guard.Bearer[User](nil) }, []string{"Bearer", "verify is nil", "pass a Verifier"}},
		{"Cookie without a verifier", func() { guard.Cookie[User]("__Host-s", nil) }, []string{"Cookie", "verify is nil"}},
		{"APIKey without a verifier", func() { guard.APIKey[User]("X-Key", nil) }, []string{"APIKey", "verify is nil"}},
		{"FirstOf nothing", func() { guard.FirstOf[User]() }, []string{"FirstOf", "pass at least one"}},
		{"FirstOf a zero Authenticator", func() { guard.FirstOf(users, guard.Authenticator[User]{}) }, []string{"FirstOf", "argument 2", "pass Bearer"}},
		{"FirstOf anyone", func() { guard.FirstOf(guard.Anyone) }, []string{"FirstOf", "argument 1"}},
		{"Only without a rule", func() { guard.Only(users, nil) }, []string{"Only", "holds is nil", "User.IsAdmin"}},
		{"Only anyone", func() { guard.Only(guard.Anyone, func(guard.Anonymous) bool { return true }) }, []string{"Only", "a role needs a session"}},
		{"AllowOrigins for nobody", func() { guard.AllowOrigins(guard.Origins{}, guard.Authenticator[User]{}) }, []string{"AllowOrigins", "pass Anyone"}},
		{"SessionFrom without a verifier", func() {
			guard.SessionFrom(nil, func(context.Context, guard.Claims) (User, error) { return User{}, nil })
		}, []string{"SessionFrom", "verifier"}},

		{"Owned without a parameter", func() { guard.Owned("", guard.ParseUUID, s.project, (*Project).OwnedBy) }, []string{"Owned", "param"}},
		{"Owned without a parser", func() { guard.Owned("id", nil, s.project, (*Project).OwnedBy) }, []string{"Owned", "parse"}},
		{"Owned without a loader", func() { guard.Owned[User, uuid.UUID, *Project]("id", guard.ParseUUID, nil, (*Project).OwnedBy) }, []string{"Owned", "load"}},
		{"Owned without a rule", func() { guard.Owned[User]("id", guard.ParseUUID, s.project, nil) }, []string{"Owned", "owns"}},
		{"Within without a parent", func() {
			guard.Within[User]((func() guard.Authorizer[User, *Project])(nil), "id", guard.ParseUUID, s.taskIn)
		}, []string{"Within", "parent"}},
		{"Within a zero parent", func() {
			guard.Within(func() guard.Authorizer[User, *Project] { return guard.Authorizer[User, *Project]{} }, "id", guard.ParseUUID, s.taskIn)
		}, []string{"Within", "parent"}},
		{"Within under the parent's name", func() { guard.Within(own, "projectID", guard.ParseUUID, s.taskIn) }, []string{"Within", "{projectID}", "name the child's own"}},
		{"Authorize without a function", func() { guard.Authorize[User, string, string]("id", guard.ParseString, nil) }, []string{"Authorize", "authorize"}},
		{"OwnedInput without a rule", func() {
			guard.OwnedInput(MoveTask.target, s.project, nil, func(context.Context, *guard.Call[User, MoveTask, *Project]) (string, error) { return "", nil })
		}, []string{"OwnedInput", "owns"}},

		{"Unlimited without a reason", func() { guard.Unlimited("") }, []string{"Unlimited", "write why"}},
		{"a limit of none", func() { limits.PerIP(0, time.Minute) }, []string{"PerIP", "write 1 or more"}},
		{"a limit in no time", func() { limits.PerCaller(1, 0) }, []string{"PerCaller", "write a positive one"}},
		{"And of nothing", func() { guard.And() }, []string{"And", "pass at least one"}},
		{"And of Unlimited", func() { guard.And(free) }, []string{"And", "argument 1 is not a limit"}},
		{"a proxy of everybody", func() { guard.TrustProxies(netip.MustParsePrefix("0.0.0.0/0")) }, []string{"TrustProxies"}},

		{"a Mux without a Responder", func() { guard.NewMux(nil) }, []string{"NewMux", "tell is nil", "&guard.Responder{}"}},
		{"a Mux that was not made", func() { noMux.Handle("/", open(errs, ok)) }, []string{"Mux", "make it with guard.NewMux"}},
		{"Unguarded on a Mux that was not made", func() { noMux.Unguarded("/", "x", http.NotFoundHandler()) }, []string{"Mux", "make it with guard.NewMux"}},
		{"a nil guard", mux("/", nil), []string{"Mux: /", "the guard is nil", "pass guard.New"}},
		{"a typed nil guard", mux("/", noGuard), []string{"Mux: /", "the guard is nil"}},
		{"a zero guard", mux("/", &guard.Guard[guard.None]{}), []string{"Mux: /", "zero Guard", "make it with guard.New"}},
		{"a type that embeds a guard", mux("/", embeds{open(errs, ok)}), []string{"Mux: /", "embeds", "pass the guard itself"}},
		{"a pointer to one", mux("/", &embeds{}), []string{"Mux: /", "embeds", "pass the guard itself"}},
		{"a pattern without the parameter", mux("GET /projects/{id}", guard.New(users, guard.NoPayload, own, free, errs, onProject)), []string{"Mux", `"GET /projects/{id}"`, "{projectID}"}},
		{"a pattern without the child's parameter", mux("GET /projects/{projectID}", guard.New(users, guard.NoPayload,
			guard.Within(own, "taskID", guard.ParseUUID, s.taskIn), free, errs, func(context.Context, *guard.Call[User, guard.None, *Task]) (string, error) { return "", nil })), []string{"Mux", "{taskID}"}},
		{"a pattern without the input's parameter", mux("GET /pages/{page}", guard.New(users, guard.Query[byName], guard.NoResource, free, errs,
			func(context.Context, *guard.Call[User, byName, guard.None]) (string, error) { return "", nil })), []string{"Mux", "{name}"}},
		{"Unguarded without a reason", func() { guard.NewMux(errs).Unguarded("/", " ", http.NotFoundHandler()) }, []string{"Mux: /", "the reason is empty", "write why"}},
		{"Unguarded without a handler", func() { guard.NewMux(errs).Unguarded("/", "x", nil) }, []string{"Mux: /", "the handler is nil"}},
		{"Unguarded with a zero Guard", func() { guard.NewMux(errs).Unguarded("/", "x", new(guard.Guard[guard.None])) }, []string{"Mux: /", "the zero Guard"}},
		{"Unguarded with a nil HandlerFunc", func() { guard.NewMux(errs).Unguarded("/", "x", http.HandlerFunc(nil)) }, []string{"Mux: /", "the handler is nil"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, want := range tt.want {
				mustPanic(t, tt.name, want, tt.do)
			}
		})
	}
}

type byName struct {
	Name string `path:"name"`
}

// afterAfter puts a second After around a handler that After has made, whose
// result type cannot be written.
func afterAfter[Out any](handler func(context.Context, *guard.Call[User, guard.None, guard.None]) (Out, error)) {
	guard.After(handler, func(context.Context, *guard.Call[User, guard.None, guard.None], Out) error { return nil })
}

// A Guard that no constructor made lets nobody in, and does not panic.
func TestZeroGuard(t *testing.T) {
	t.Parallel()
	var none *guard.Guard[guard.None]
	for _, g := range []http.Handler{none, &guard.Guard[guard.None]{}} {
		if r := send(g, "GET", "/", ""); r.StatusCode != 500 {
			t.Errorf("got %d, want 500", r.StatusCode)
		}
	}
}

// A wildcard pattern has the parameter of its rest, too.
func TestPatternParameters(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	named := guard.New(anyUser, guard.NoPayload,
		guard.Authorize("name", guard.ParseString, func(_ context.Context, _ User, name string) (string, error) {
			if strings.Contains(name, "/") {
				return "", errors.New("a slash came through")
			}
			return name, nil
		}), free, errs,
		func(_ context.Context, c *guard.Call[User, guard.None, string]) (string, error) {
			return c.Resource, nil
		})
	for pattern, path := range map[string]string{"/{name}": "/x", "GET /a/{b}/{name...}": "/a/b/x", "GET host.example/{name}/{$}": "http://host.example/x/"} {
		if r := send(route(pattern, errs, named), "GET", path, "", alice); r.StatusCode != 200 || readBody(t, r) != "\"x\"\n" {
			t.Errorf("%s: got %d", pattern, r.StatusCode)
		}
	}
	if r := send(route("/a/{name...}", errs, named), "GET", "/a/b/c", "", alice); r.StatusCode != 404 {
		t.Errorf("an id with a slash: got %s, want 404", fmt.Sprint(r.StatusCode))
	}
}
