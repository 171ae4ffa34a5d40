package guardtest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/routeguard/guard/checklist"
)

// lastID is the parameter of the resource itself: the last that the pattern has.
func (a *attack) lastID() string {
	if read := a.route.Which.Parameters(); len(read) > 0 {
		return read[len(read)-1]
	}
	if names := a.route.Wildcards(); len(names) > 0 {
		return names[len(names)-1]
	}
	return ""
}

// missingID is an id that looks like another one and that nothing has.
func (a *attack) missingID(s *service, param, like string) string {
	if id, ok := lookID(s.Missing, a.route, param); ok {
		return id
	}
	if _, err := uuid.Parse(like); err == nil {
		return a.absent
	}
	if like != "" && strings.Trim(like, "0123456789") == "" {
		return strings.Repeat("9", max(len(like), 9))
	}
	return like + "-gk9"
}

// missingIDs are ids whose last names nothing.
func (a *attack) missingIDs(s *service, ids map[string]string) map[string]string {
	ids = maps.Clone(ids)
	name := a.lastID()
	ids[name] = a.missingID(s, name, ids[name])
	return ids
}

// absence is a request for an id that nothing has, and what it is answered.
type absence struct {
	build func(*service) *request
	answer
}

// notThere is what a caller is answered for an id that nothing has.
func (a *attack) notThere(by caller) absence {
	build := func(s *service) *request {
		r := a.claim(s, by)
		if r != nil {
			r.ids = a.missingIDs(s, r.ids)
		}
		return r
	}
	got := a.send(build)
	if got.ok() {
		a.found("a missing id is answered %s", got)
	}
	return absence{build, got}
}

// claim is the usual caller's valid request with the credential of somebody else.
func (a *attack) claim(s *service, by caller) *request {
	r := a.valid(s, usual(a.route))
	if r == nil || by.name != usual(a.route).name && !r.as(s, a.route, by) {
		return nil
	}
	r.by = by
	return r
}

// mustBeMissing sends a request that must be answered like one for a missing id.
func (a *attack) mustBeMissing(what string, missing absence, build func(*service) *request) {
	got := a.send(build)
	switch {
	case got.unsendable || missing.unsendable:
	case got.ok():
		a.found("%s is answered %s, want %d as for a missing id", what, got, missing.status)
	case got.same() != missing.same() && a.toldApart(missing.build, build):
		a.found("%s is told apart from a missing id: %s and %s", what, got, missing)
	}
}

// wrongUser lets the stranger try what is the owner's, and the other way round.
func (a *attack) wrongUser() {
	if a.lastID() == "" {
		return
	}
	switch by := usual(a.route); {
	case len(a.route.Who.Roles) > 0:
		a.skip("what %s may reach is the service's own rule", by.name)
		return
	case by.name == nobody.name:
		a.skip("the route knows nobody")
		return
	}
	a.between(stranger, owner)
	a.between(owner, stranger)
}

func (a *attack) wrongTenant() {
	switch {
	case a.lastID() == "" || usual(a.route).name != owner.name:
	case a.s.Tenant.credentials() == 0:
		a.skip("no Tenant is given")
	default:
		a.between(tenant, owner)
		a.between(owner, tenant)
	}
}

// between sends by's request for what is the victim's.
func (a *attack) between(by, victim caller) {
	ids := func(s *service) map[string]string {
		all := map[string]string{}
		for _, name := range a.route.Wildcards() {
			id, ok := victim.user(s).id(a.route, name)
			if !ok {
				return nil
			}
			all[name] = id
		}
		return all
	}
	if ids(a.s) == nil {
		a.skip("%s has no id for %s", victim.name, a.route.Path())
		return
	}
	if own, ok := by.user(a.s).id(a.route, a.lastID()); ok && own == ids(a.s)[a.lastID()] {
		a.skip("%s and %s have the same id", by.name, victim.name)
		return
	}
	theirs := func(change func(*request)) func(*service) *request {
		return func(s *service) *request {
			r := a.claim(s, by)
			if r != nil {
				r.ids = ids(s)
				change(r)
			}
			return r
		}
	}
	missing := a.notThere(by)
	what := by.name + " on what is of " + victim.name
	a.mustBeMissing(what, missing, theirs(func(*request) {}))
	a.mustBeMissing(what+" with forged headers", missing, theirs(func(r *request) { r.pretend(victim.user(a.s)) }))
	a.mustBeMissing(what+" in capital letters", missing, theirs(func(r *request) {
		r.rawIDs = map[string]string{a.lastID(): strings.ToUpper(url.PathEscape(r.ids[a.lastID()]))}
	}))
	if len(a.route.Which.Steps) > 0 && a.route.What.MaxBody > 0 && a.route.What.Kind == "JSON" {
		a.mustBeMissing(what+" with a broken body", missing, theirs(func(r *request) {
			r.body = []byte(`{"` + marker)
			r.header.Set("Content-Type", "application/json")
		}))
	}
}

// wrongParent mixes the ids of two users along the path.
func (a *attack) wrongParent() {
	names := a.route.Wildcards()
	if len(names) < 2 || usual(a.route).name != owner.name {
		return
	}
	missing := a.notThere(owner)
	for _, mixed := range names {
		foreign := func(s *service) (string, bool) { return s.Stranger.id(a.route, mixed) }
		id, ok := foreign(a.s)
		if own, _ := a.s.Owner.id(a.route, mixed); !ok || id == own {
			a.skip("the stranger has no {%s} of their own", mixed)
			continue
		}
		a.mustBeMissing("the stranger's {"+mixed+"} among the owner's ids", missing, func(s *service) *request {
			r := a.claim(s, owner)
			if r != nil {
				r.ids[mixed], _ = foreign(s)
			}
			return r
		})
	}
}

// foreignInput puts the stranger's ids where the input has the owner's.
func (a *attack) foreignInput() {
	r := a.valid(a.s, usual(a.route))
	if r == nil {
		return
	}
	for i, m := range r.members {
		for _, param := range slices.Sorted(maps.Keys(a.s.Owner.IDs)) {
			own, foreign := a.s.Owner.IDs[param], a.s.Stranger.IDs[param]
			if own == "" || foreign == "" || own == foreign || strings.Trim(m.value, `"`) != own {
				continue
			}
			with := func(id func(s *service) string) func(*service, *request) {
				return func(s *service, r *request) { r.members[i].value = strings.Replace(m.value, own, id(s), 1) }
			}
			absent, theirs := with(func(s *service) string { return a.missingID(s, param, own) }), with(func(s *service) string { return s.Stranger.IDs[param] })
			what := "the id of something else in " + m.name
			missing, got := a.mustRefuse(what, absent), a.mustRefuse(what, theirs)
			if got.same() != missing.same() && a.toldApart(a.changed(absent), a.changed(theirs)) {
				a.found("the stranger's id in %s is told apart from a missing one: %s and %s", m.name, got, missing)
			}
		}
	}
	a.claimed(r)
}

// claimed names the stranger, and what is theirs, in every text of the input. It may be refused
// or mean nothing: the answer must not hold their secrets, and what they see must not change.
func (a *attack) claimed(r *request) {
	if usual(a.route).name != owner.name {
		return
	}
	texts := append(slices.Sorted(maps.Values(a.s.Stranger.IDs)), a.s.Stranger.ID)
	for _, f := range a.route.What.Fields {
		if f.In != r.kind || shapeOf(f, "") != '"' {
			continue
		}
		for _, text := range texts {
			if text != "" {
				a.send(a.changed(func(_ *service, r *request) { r.set(f.Name, r.text(text)) }))
			}
		}
	}
}

// deleted asks for what the owner has deleted.
func (a *attack) deleted() {
	if len(a.route.Which.Parameters()) == 0 || isSigned(a.route) {
		return
	}
	param, by := a.lastID(), usual(a.route)
	if _, ok := lookID(a.s.Deleted, a.route, param); !ok {
		a.skip("no Deleted id for {%s}", param)
		return
	}
	a.mustBeMissing("a deleted resource", a.notThere(by), func(s *service) *request {
		r := a.claim(s, by)
		if r != nil {
			r.ids[param], _ = lookID(s.Deleted, a.route, param)
		}
		return r
	})
}

// malformed sends ids that no parser should take, and ways out of the path.
func (a *attack) malformed() {
	param, by := a.lastID(), usual(a.route)
	if param == "" || isSigned(a.route) {
		return
	}
	foreign, _ := a.s.Stranger.id(a.route, param)
	if foreign == "" {
		foreign = marker
	}
	missing := a.notThere(by)
	for _, id := range []string{
		"0", "-1", "1e9", "null", "undefined", "%00", foreign + "%00", foreign + "%0a", "%20" + foreign, foreign + "%20",
		"..%2f" + foreign, "x%2f..%2f" + foreign, "%2e%2e", "%252e%252e%252f" + foreign, "..%5c" + foreign, "{" + foreign + "}",
		"'%20OR%20'1'='1", "1;DROP%20TABLE%20users", "%25", "*", "%ff%fe", "%e2%80%8b" + foreign, "$ne", strings.Repeat("a", 300), marker,
		"%7B%7B7*7%7D%7D", "0x1", foreign + "," + foreign, foreign + ";a=b", "urn:uuid:" + foreign,
	} {
		build := func(s *service) *request {
			r := a.claim(s, by)
			if r != nil {
				r.rawIDs = map[string]string{param: id}
				if read := a.route.Which.Parameters(); len(read) == 0 {
					r.ids[param] = marker
				}
			}
			return r
		}
		got := a.send(build)
		switch {
		case got.unsendable || missing.unsendable:
		case got.status >= 300 && got.status < 400 || !got.ok() && len(a.route.Which.Steps) == 0:
		case got.ok() && len(a.route.Which.Steps) == 0:
			a.skip("ids that no answer reads: {%s} is the handler's own", param)
		case got.ok():
			a.found("the id %q is answered %s", id, got)
		case got.status == http.StatusNotFound && got.same() != missing.same() && a.stillServes(param, id) && a.toldApart(missing.build, build):
			a.found("the id %q is told apart from a missing one: %s and %s", id, got, missing)
		}
	}
}

// stillServes reports whether an id as it is sent still leads to the route.
func (a *attack) stillServes(param, raw string) bool {
	id, err := url.PathUnescape(raw)
	if err != nil || strings.Contains(id, "/") {
		return false
	}
	path := (&request{ids: map[string]string{param: "x"}}).target(a.route.Path())
	return a.match(a.route.Method(), a.route.Host(), path) == a.route.Pattern
}

// pretend adds what a proxy or another service might say of who is calling.
func (r *request) pretend(victim User) {
	id := victim.ID
	if id == "" {
		id = "admin"
	}
	for _, name := range []string{"X-User", "X-User-Id", "X-Userid", "X-Username", "X-Forwarded-User", "X-Remote-User", "Remote-User",
		"X-Auth-Request-User", "X-Authenticated-User", "X-Authenticated-Userid", "X-Account-Id", "X-Subject", "X-Sub", "X-Impersonate-User", "X-Impersonate", "X-On-Behalf-Of", "X-View-As", "X-Act-As", "X-Run-As", "X-Sudo", "X-Owner-Id",
		"X-Tenant", "X-Tenant-Id", "X-Org-Id", "X-Customer-Id"} {
		r.header.Set(name, id)
	}
	for _, name := range []string{"X-Role", "X-Roles", "X-User-Role", "X-Scopes", "X-Permissions", "X-Groups"} {
		r.header.Set(name, "admin")
	}
	for _, name := range []string{"X-Admin", "X-Is-Admin", "X-Internal", "X-Internal-Request", "X-Debug", "X-Verified", "X-Skip-Auth", "X-Ssl-Client-Verify"} {
		r.header.Set(name, "true")
	}
	r.elsewhere("127.0.0.1")
	r.header.Set("X-Request-Id", marker+"-request-id")
}

// elsewhere claims an address, as only a trusted proxy may.
func (r *request) elsewhere(addr string) {
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "Fastly-Client-Ip", "X-Originating-Ip", "X-Remote-Addr"} {
		r.header.Set(name, addr)
	}
	r.header.Set("Forwarded", "for="+addr)
}

// forgedHeaders checks that no header of a client's own changes who is calling.
func (a *attack) forgedHeaders() {
	if w := a.route.Who; !w.Anyone && !w.Optional && !isSigned(a.route) {
		a.unauthenticated("nobody with forged headers", a.mustRefuse("nobody with forged headers", func(s *service, r *request) {
			r.withoutCredentials(a.route)
			r.by = nobody
			r.pretend(s.Owner)
		}))
		for _, role := range w.Roles {
			if by := lacking(role); a.differ(by, holder(role)) {
				a.mustRefuse(by.name+" with forged headers", func(s *service, r *request) {
					r.as(s, a.route, by)
					r.pretend(User{ID: "admin"})
				})
			}
		}
	}
	a.rerouted()
	a.pretending()
}

// rerouted sends fields that some routers and proxies take for the path, method or host.
func (a *attack) rerouted() {
	usually, got, otherwise := a.contrast(a.usually(), a.changed(func(_ *service, r *request) {
		r.header.Set("X-Original-Url", "/"+marker)
		r.header.Set("X-Rewrite-Url", "/"+marker)
		r.header.Set("X-Forwarded-Host", marker+".evil.example")
		r.header.Set("X-Forwarded-Prefix", "/"+marker)
		for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
			r.header.Set(name, http.MethodDelete)
		}
		if a.route.Host() == "" {
			r.host = marker + ".evil.example"
		}
	}))
	if otherwise || got.status != usually.status {
		a.found("X-Original-URL, X-HTTP-Method-Override, X-Forwarded-Host or Host change the answer: %s instead of %s", got, usually)
	}
}

// usually is a way to make the usual caller's valid request.
func (a *attack) usually() func(*service) *request { return a.changed(func(*service, *request) {}) }

// contrast sends a request, another one, and the first again. The other is answered
// otherwise where both first ones are answered alike and it is not: an answer that tells
// the time, or counts, differs by itself.
func (a *attack) contrast(one, other func(*service) *request) (usually, got answer, otherwise bool) {
	for range 3 { // a second may pass between them, and hide what differs
		usually, got = a.send(one), a.send(other)
		if got.same() == usually.same() {
			return usually, got, false
		}
		if a.send(one).same() == usually.same() {
			return usually, got, true
		}
	}
	return usually, got, false
}

// toldApart reports whether two requests whose answers differed differ again.
func (a *attack) toldApart(one, other func(*service) *request) bool {
	_, _, otherwise := a.contrast(one, other)
	return otherwise
}

// pretending compares what a user is answered with and without claiming to be another.
func (a *attack) pretending() {
	if usual(a.route).name != owner.name {
		return
	}
	pretend := func(s *service, r *request) { r.pretend(s.Stranger) }
	if a.route.Mutates() {
		a.send(a.changed(pretend)) // what the stranger sees is compared after it, as after every accepted mutation
		return
	}
	if usually, got, otherwise := a.contrast(a.usually(), a.changed(pretend)); otherwise {
		a.found("%s is answered otherwise with forged headers: %s instead of %s", owner.name, got, usually)
	}
}

// methods sends what the path does not serve.
func (a *attack) methods() {
	by := usual(a.route)
	if a.route.Method() == "" {
		a.skip("the pattern takes every method")
		return
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "delete", "X-" + marker} {
		path := ""
		build := func(s *service) *request {
			r := a.claim(s, by)
			if r != nil {
				path, _, _ = strings.Cut(r.target(a.route.Path()), "?")
				r.method = method
				r.header.Set("X-Http-Method-Override", a.route.Method())
			}
			return r
		}
		if r := build(a.s); r == nil || a.match(method, a.route.Host(), path) != "" {
			continue
		}
		got := a.send(build)
		if got.ok() && !(method == http.MethodOptions && len(got.body) == 0) {
			a.found("%s, which no route serves, is answered %s", method, got)
		}
	}
}

// junk attacks a route that nothing guards.
func (a *attack) junk() {
	for _, by := range []caller{nobody, owner} {
		for _, change := range []func(*service, *request){
			func(*service, *request) {},
			func(_ *service, r *request) { r.query = marker + "=" + marker + "&role=admin" },
			func(_ *service, r *request) { r.query = "%zz;" + marker },
			func(_ *service, r *request) { r.query = everyName("https://" + marker + ".evil.example/") },
			func(_ *service, r *request) { r.query = everyName("<script>" + marker + "</script>") },
			func(s *service, r *request) { r.pretend(s.Owner) },
			func(_ *service, r *request) { r.host = marker + ".evil.example" },
			func(_ *service, r *request) {
				r.header.Set("Origin", "https://evil.example")
				r.header.Set("Sec-Fetch-Site", "cross-site")
			},
			func(_ *service, r *request) { r.body = []byte(strings.Repeat(marker, 100)) },
		} {
			got := a.send(func(s *service) *request { return a.plain(s, by, change) })
			if got.unsendable {
				a.skip("no id for %s", a.route.Path())
			}
			if strings.Contains(string(got.body), "<script>"+marker) {
				a.found("a page says what the query says, as HTML: %s", got)
			}
		}
	}
}

// everyName is a query with a value under each name that pages and redirects read.
func everyName(value string) string {
	query := url.Values{}
	for _, name := range []string{"next", "url", "redirect", "redirect_uri", "redirectUrl", "return", "returnTo", "return_to", "returnUrl", "continue", "to",
		"goto", "dest", "target", "callback", "q", "query", "search", "name", "message", "msg", "error", "title", "text", "html"} {
		query.Set(name, value)
	}
	return query.Encode()
}

// plain is a request to a route that says nothing of itself.
func (a *attack) plain(s *service, by caller, change func(*service, *request)) *request {
	r, err := s.request(a.route, by, Input{})
	if err != nil {
		return nil
	}
	if a.route.Method() == "" {
		r.method = http.MethodGet
	}
	for _, c := range []checklist.Credential{{Kind: "bearer"}} {
		if v := by.user(s).credential(c.Kind); v != "" {
			r.present(c, v)
		}
	}
	change(s, r)
	return r
}
