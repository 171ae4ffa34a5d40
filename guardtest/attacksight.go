package guardtest

import (
	"net/http"
	"time"

	"github.com/routeguard/guard/checklist"
)

// sight is what the users see of a service: the answers to their GET requests.
type sight struct{ views []view }

type view struct {
	by    caller
	route checklist.Route
	same  string
	at    time.Time
}

// look asks every GET route that a user of the fixtures can read. What differs from one
// time to the next is left out.
func (a *attack) look() *sight {
	seen := &sight{}
	for _, by := range []caller{owner, stranger, tenant} {
		if by.user(a.s).credentials() == 0 {
			continue
		}
		for _, route := range a.s.Routes() {
			v, ok := a.s.view(route, by)
			if !ok {
				continue
			}
			if again, ok := a.s.view(route, by); ok && again.same == v.same {
				seen.views = append(seen.views, v)
			}
		}
	}
	return seen
}

// view is what a user sees on a route: false where the route is none to look at.
func (s *service) view(route checklist.Route, by caller) (view, bool) {
	if route.Method() != http.MethodGet || route.Unguarded != "" || route.Who.Anyone || isSigned(route) ||
		len(route.Who.Roles) > 0 || route.Ending == checklist.Stream {
		return view{}, false
	}
	r, err := s.valid(route, by)
	if err != nil {
		return view{}, false
	}
	at := time.Now()
	got := s.do(route, r)
	return view{by: by, route: route, same: got.same(), at: at}, got.ok()
}

// settle compares what the users see with what they saw before the attacks, all of
// which were refused.
func (a *attack) settle() {
	if a.s.seen == nil || a.spent {
		return
	}
	if a.compare("after refused requests", func(caller) bool { return true }) {
		a.s.seen = nil // the next attack is compared with what is there now
	}
}

// accepted is after a mutation that succeeded: who did not send it sees what was there.
func (a *attack) accepted(r *request) {
	a.spent = true
	if isSigned(a.route) || a.privileged(r) {
		return // what a sender or a role may change is their own matter
	}
	a.compare("after a request of "+r.by.name, func(c caller) bool { return !same(c.user(a.s), r.by.user(a.s)) })
}

// compare reports whether a user who is concerned sees something else than before.
func (a *attack) compare(when string, concerned func(caller) bool) bool {
	for _, before := range a.s.seen.views {
		if !concerned(before.by) {
			continue
		}
		r, err := a.s.valid(before.route, before.by)
		if err != nil {
			continue
		}
		got := a.s.do(before.route, r)
		if got.status == http.StatusTooManyRequests || got.same() == before.same || a.tellsTheTime(before, got) {
			continue
		}
		if a.aged(before, got) {
			return false
		}
		a.found("%s, %s sees something else on %s: %s", when, before.by.name, before.route.Pattern, got)
		return true
	}
	return false
}

// tellsTheTime reports whether a view changes with the second, with nothing sent but itself.
func (a *attack) tellsTheTime(v view, got answer) bool {
	key := v.by.name + " " + v.route.Pattern
	if a.still[key] {
		return false
	}
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	again, ok := a.s.view(v.route, v.by)
	a.still[key] = !ok || again.same == got.same()
	return !a.still[key]
}

// aged reports whether a minute, an hour or a day has begun since a view was looked at, and is what it shows: a fresh
// service, which nobody has attacked, shows the same.
func (a *attack) aged(v view, got answer) bool {
	if v.at.Truncate(time.Minute).Equal(time.Now().Truncate(time.Minute)) {
		return false
	}
	a.spent = true // whatever its data have become, the next attack gets another one
	s := a.open()
	r, err := s.valid(v.route, v.by)
	return err == nil && s.do(v.route, r).steady() == got.steady()
}

// same reports whether two users are one, by their credentials.
func same(a, b User) bool {
	return a.credentials() > 0 && (a.Bearer != "" && a.Bearer == b.Bearer || a.Cookie != "" && a.Cookie == b.Cookie || a.APIKey != "" && a.APIKey == b.APIKey)
}

// privileged reports whether a request comes from somebody with a role, who is none of
// the users of the fixtures: what that one may see and change is not known.
func (a *attack) privileged(r *request) bool {
	u := r.by.user(a.s)
	return u.credentials() > 0 && !same(u, a.s.Owner) && !same(u, a.s.Stranger) && !same(u, a.s.Tenant)
}
