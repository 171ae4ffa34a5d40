package guardtest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"

	"github.com/routeguard/guard/checklist"
)

// service is one fresh copy of the service under attack.
type service struct {
	Target
	Fixtures
	seen *sight // what the users saw before the attacks
}

func newService(target Target, f Fixtures) *service {
	return &service{Target: target, Fixtures: f}
}

// check lists what the fixtures say of routes that are not there, or say wrong.
func (s *service) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.Owner.credentials() == 0 || s.Stranger.credentials() == 0 {
		wrong("Owner and Stranger need a credential each: set Bearer, Cookie or APIKey")
	}
	if s.Owner.credentials() > 0 && (s.Owner.Bearer == s.Stranger.Bearer && s.Owner.Cookie == s.Stranger.Cookie && s.Owner.APIKey == s.Stranger.APIKey) {
		wrong("Owner and Stranger have the same credentials: nothing would be proven")
	}
	for _, in := range s.Inputs {
		if err := in.check(s.Routes()); err != nil {
			wrong("%w", err)
		}
	}
	roles := map[string]bool{}
	for _, r := range s.Routes() {
		for _, name := range r.Who.Roles {
			roles[name] = true
			if _, ok := s.Roles[name]; !ok {
				wrong("%s: no user has the role %s: add Roles[%q]", r.Pattern, name, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Roles)) {
		if !roles[name] {
			wrong("Roles[%q]: no route asks for that role: those of the routes are %q", name, slices.Sorted(maps.Keys(roles)))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Exempt)) {
		if strings.TrimSpace(s.Exempt[key]) == "" {
			wrong("Exempt %q has no reason", key)
		}
	}
	return errors.Join(errs...)
}

func (in Input) check(routes []checklist.Route) error {
	i := slices.IndexFunc(routes, func(r checklist.Route) bool { return r.Pattern == in.pattern })
	switch {
	case i < 0:
		return fmt.Errorf("the input for %q: there is no such route", in.pattern)
	case in.typ == nil && routes[i].What.Kind != "raw body":
		return fmt.Errorf("Raw for %q: the route takes %s: use Valid", in.pattern, routes[i].What)
	case in.typ != nil && in.typ != routes[i].What.Type:
		return fmt.Errorf("the input for %q is a %s, but the route takes %s", in.pattern, in.typ, typeText(routes[i].What))
	case in.refused && len(in.values) == 0:
		return fmt.Errorf("Refused for %q has no inputs", in.pattern)
	}
	return nil
}

func typeText(w checklist.What) string {
	if w.Type == nil {
		return "no typed input (" + w.Kind + ")"
	}
	return w.Type.String()
}

func (u User) credentials() (n int) {
	for _, c := range []string{u.Bearer, u.Cookie, u.APIKey} {
		if c != "" {
			n++
		}
	}
	return n
}

// credential is what the user has of a kind, or "".
func (u User) credential(kind string) string {
	return map[string]string{"bearer": u.Bearer, "cookie": u.Cookie, "apikey": u.APIKey}[kind]
}

// id is the user's value of a path parameter of a route.
func (u User) id(route checklist.Route, param string) (string, bool) {
	return lookID(u.IDs, route, param)
}

// lookID finds an id by the path up to it, or by the parameter's name.
func lookID(ids map[string]string, route checklist.Route, param string) (string, bool) {
	for _, wild := range []string{"{" + param + "}", "{" + param + "...}"} {
		if before, _, ok := strings.Cut(route.Path(), wild); ok {
			if id, ok := ids[before+wild]; ok {
				return id, true
			}
		}
	}
	id, ok := ids[param]
	return id, ok
}

// caller is somebody who sends requests, found again in each fresh service.
type caller struct {
	name string
	user func(*service) User
}

var (
	nobody   = caller{"nobody", func(*service) User { return User{} }}
	owner    = caller{"the owner", func(s *service) User { return s.Owner }}
	stranger = caller{"a stranger", func(s *service) User { return s.Stranger }}
	tenant   = caller{"another tenant's user", func(s *service) User { return s.Tenant }}
)

// holder has the route's roles, and lacking lacks one of them.
func holder(role string) caller {
	return caller{"the holder of " + role, func(s *service) User { return orOwner(s.Roles[role].With, s) }}
}

func lacking(role string) caller {
	return caller{"a caller without " + role, func(s *service) User { return orOwner(s.Roles[role].Without, s) }}
}

func orOwner(u User, s *service) User {
	if u.credentials() == 0 {
		return s.Owner
	}
	return u
}

// usual is who makes a route's valid requests.
func usual(route checklist.Route) caller {
	switch {
	case len(route.Who.Roles) > 0:
		return holder(route.Who.Roles[0])
	case route.Unguarded != "" || route.Who.Anyone || isSigned(route):
		return nobody
	}
	return owner
}

func isSigned(route checklist.Route) bool {
	return slices.ContainsFunc(route.Who.Credentials, func(c checklist.Credential) bool { return c.Kind == "signed" })
}

// input is the valid input of a route.
func (s *service) input(pattern string) (Input, bool) {
	for _, in := range s.Inputs {
		if in.pattern == pattern && !in.refused {
			return in, true
		}
	}
	return Input{}, false
}

// valid is a request that the route should answer with success.
func (s *service) valid(route checklist.Route, by caller) (*request, error) {
	in, ok := s.input(route.Pattern)
	if !ok && route.What.Type != nil {
		in = Input{typ: route.What.Type, values: []any{reflect.Zero(route.What.Type).Interface()}}
	}
	return s.request(route, by, in)
}

// request makes a request of an input.
func (s *service) request(route checklist.Route, by caller, in Input) (*request, error) {
	user := by.user(s)
	r := &request{method: route.Method(), header: http.Header{}, by: by, ids: map[string]string{}}
	if r.method == "" {
		r.method = http.MethodPost
	}
	for _, name := range route.Wildcards() {
		id, ok := user.id(route, name)
		if !ok && (by.name == nobody.name || len(route.Which.Steps) == 0) {
			id, ok = s.Owner.id(route, name)
		}
		if !ok {
			return nil, fmt.Errorf("no id for {%s}: add it to the IDs of %s", name, by.name)
		}
		r.ids[name] = id
	}
	if in.typ != nil {
		if err := r.encode(route.What, in.values[0]); err != nil {
			return nil, fmt.Errorf("encode the input: %w", err)
		}
	} else if in.raw != nil {
		r.body, r.header["Content-Type"] = in.raw, []string{in.mediaType}
	}
	for _, c := range route.Who.Credentials {
		if v := user.credential(c.Kind); v != "" {
			r.present(c, v)
			break
		}
	}
	r.signed = isSigned(route)
	return r, nil
}

// matcher finds the route that serves a method of a path.
func matcher(routes []checklist.Route) func(method, host, path string) string {
	mux := http.NewServeMux()
	for _, r := range routes {
		register(mux, r.Pattern)
	}
	return func(method, host, path string) string {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Method, req.Host, req.URL.Path = method, host, path
		_, pattern := mux.Handler(req)
		return pattern
	}
}

// register passes over patterns that another router takes and ServeMux does not.
func register(mux *http.ServeMux, pattern string) {
	defer func() { _ = recover() }()
	mux.Handle(pattern, http.NotFoundHandler())
}
