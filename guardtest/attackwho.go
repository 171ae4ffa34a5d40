package guardtest

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/routeguard/guard/checklist"
)

// article is a kind of credential in a sentence.
func article(c checklist.Credential) string {
	return map[string]string{"bearer": "a bearer token", "cookie": "a cookie", "apikey": "an API key", "signed": "a signature"}[c.Kind]
}

// credentialsOf are the credentials that a request carries.
func (r *request) credentialsOf(route checklist.Route) []checklist.Credential {
	var found []checklist.Credential
	for _, c := range route.Who.Credentials {
		if name := headerOf(c); name != "" && r.header.Get(name) != "" {
			found = append(found, c)
		}
	}
	return found
}

// headerOf names the header field that a credential is in, or "" for a signature.
func headerOf(c checklist.Credential) string {
	return map[string]string{"bearer": "Authorization", "cookie": "Cookie", "apikey": c.Name}[c.Kind]
}

// presented is the credential that a request carries, with its field, or "".
func (r *request) presented(route checklist.Route) string {
	for _, c := range r.credentialsOf(route) {
		return headerOf(c) + ": " + r.header.Get(headerOf(c))
	}
	return ""
}

// as makes a request somebody else's.
func (r *request) as(s *service, route checklist.Route, by caller) bool {
	r.withoutCredentials(route)
	r.by = by
	user := by.user(s)
	for _, c := range route.Who.Credentials {
		if v := user.credential(c.Kind); v != "" {
			r.present(c, v)
			return true
		}
	}
	return false
}

// baselineWith sends the valid request with one kind of credential.
func (a *attack) baselineWith(c checklist.Credential, by caller) {
	if c.Kind == "signed" {
		return
	}
	value := by.user(a.s).credential(c.Kind)
	if value == "" {
		a.skip("with %s: %s has none", article(c), by.name)
		return
	}
	for _, role := range a.route.Who.Roles {
		if lacking(role).user(a.s).credential(c.Kind) == value {
			return // one that has not the role
		}
	}
	got := a.send(a.changed(func(s *service, r *request) {
		r.withoutCredentials(a.route)
		r.present(c, by.user(s).credential(c.Kind))
	}))
	if !got.ok() {
		a.found("that of %s with %s is answered %s: nothing would be proven for that kind", by.name, article(c), got)
	}
}

// head checks that HEAD is GET without its body.
func (a *attack) head(by caller) {
	var sent *request
	got := a.send(a.changed(func(_ *service, r *request) { r.method, sent = http.MethodHead, r }))
	if sent != nil && !a.answers(sent, got) {
		a.skip("HEAD: the router does not serve it")
		return
	}
	if !got.ok() || len(got.body) > 0 {
		a.found("HEAD of %s is answered %s, want what GET is, without a body", by.name, got)
	}
}

// twice sends the valid mutation a second time: the second may be refused, and must tell nothing.
func (a *attack) twice(by caller) {
	var first *request
	if a.spent {
		a.fresh()
	}
	got := a.send(func(s *service) *request { first = a.valid(s, by); return first })
	if !got.ok() {
		return
	}
	if again := a.valid(a.s, by); again != nil {
		again.ids = maps.Clone(first.ids)
		a.count++
		a.inspect(again, a.s.do(a.route, again))
	}
}

// signedOut checks that a credential is worth nothing after it signed out: where it did,
// and where it was seen to read before.
func (a *attack) signedOut(r *request) {
	again := r.clone()
	a.count++
	if got := a.s.do(a.route, again); got.ok() {
		a.found("the credential that signed out is still accepted: %s", got)
	}
	for _, v := range a.s.seen.views {
		read, err := a.s.valid(v.route, v.by)
		if err != nil || v.route.Who.Optional || read.presented(v.route) != r.presented(a.route) {
			continue
		}
		a.count++
		if got := a.s.do(v.route, read); got.ok() {
			a.found("the credential that signed out is still accepted on %s: %s", v.route.Pattern, got)
		}
	}
}

// anonymous leaves the credential out.
func (a *attack) anonymous() {
	w := a.route.Who
	if w.Anyone || w.Optional || isSigned(a.route) {
		return
	}
	anonymously := func(_ *service, r *request) {
		r.withoutCredentials(a.route)
		r.by = nobody
	}
	got := a.mustRefuse("a request without a credential", anonymously)
	a.unauthenticated("a request without a credential", got)
	if len(a.route.Which.Parameters()) == 0 {
		return
	}
	absent := func(s *service, r *request) {
		anonymously(s, r)
		r.ids = a.missingIDs(s, r.ids)
	}
	missing := a.mustRefuse("a missing id without a credential", absent)
	if missing.same() != got.same() && a.toldApart(a.changed(anonymously), a.changed(absent)) {
		a.found("nobody learns which ids exist: %s for one that does, %s for one that does not", got, missing)
	}
}

func (a *attack) unauthenticated(what string, got answer) {
	if got.unsendable || got.ok() {
		return
	}
	if got.status != http.StatusUnauthorized {
		a.found("%s is answered %s, want 401", what, got)
	} else if got.header.Get("Www-Authenticate") == "" {
		a.found("%s is answered 401 without WWW-Authenticate", what)
	}
}

// badCredentials sends forged, spoiled and withdrawn credentials, alone and beside a good one.
func (a *attack) badCredentials() {
	by := usual(a.route)
	for i, c := range a.route.Who.Credentials {
		if c.Kind == "signed" {
			continue
		}
		if by.name == nobody.name {
			by = owner // of a route that anybody may call, and that knows who is signed in
		}
		good := by.user(a.s).credential(c.Kind)
		for _, f := range forgeries {
			if v := f.make(good); v != "" {
				a.badCredential(c, article(c)+" that is "+f.what, func(s *service) string { return f.make(by.user(s).credential(c.Kind)) })
			}
		}
		tried := false
		for _, what := range slices.Sorted(maps.Keys(a.s.Bad)) {
			if a.s.Bad[what].credential(c.Kind) != "" {
				tried = true
				a.badCredential(c, article(c)+" that is "+what, func(s *service) string { return s.Bad[what].credential(c.Kind) })
			}
		}
		if !tried {
			a.skip("%s that is expired or withdrawn: add one to Bad", article(c))
		}
		for _, other := range a.route.Who.Credentials[i+1:] {
			if v := by.user(a.s).credential(other.Kind); v != "" {
				a.mustRefuse(article(c)+" that is made up, beside a good "+other.Kind, func(s *service, r *request) {
					r.as(s, a.route, nobody)
					r.present(c, marker)
					r.present(other, by.user(s).credential(other.Kind))
				})
			}
		}
	}
}

func (a *attack) badCredential(c checklist.Credential, what string, value func(*service) string) {
	got := a.mustRefuse(what, func(s *service, r *request) {
		r.withoutCredentials(a.route)
		r.by = nobody
		r.present(c, value(s))
	})
	if got.status == http.StatusForbidden {
		return // of somebody who is known and not let in
	}
	a.unauthenticated(what, got)
}

// forgeries are what can be made of a good credential without its key, or "".
var forgeries = []struct {
	what string
	make func(good string) string
}{
	{"made up", func(string) string { return marker }},
	{"cut", func(good string) string { return good[:len(good)/2] }},
	{"tampered with", tampered},
	// A cache that knows sessions by a part of their credential takes what has that part.
	{"changed in front", func(good string) string { return replaced(good, 0) }},
	{"changed in the middle", func(good string) string { return replaced(good, len(good)/2) }},
	{"unsigned", func(good string) string {
		parts := strings.Split(good, ".")
		if len(parts) != 3 {
			return ""
		}
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	}},
}

// tampered changes a character before the last few, whose bits may not all count.
func tampered(good string) string { return replaced(good, len(good)-4) }

// replaced changes character i, where there is one.
func replaced(good string, i int) string {
	if i < 0 || i >= len(good) {
		return ""
	}
	c := "A"
	if good[i] == c[0] {
		c = "B"
	}
	return good[:i] + c + good[i+1:]
}

// queryCredentials puts the good credential where logs and Referer fields carry it on.
func (a *attack) queryCredentials() {
	if a.route.Who.Anyone || a.route.Who.Optional {
		return
	}
	by := usual(a.route)
	for _, c := range a.route.Who.Credentials {
		value := by.user(a.s).credential(c.Kind)
		if value == "" {
			continue
		}
		for _, name := range []string{"access_token", "token", "api_key", "key", "session", c.Name} {
			a.mustRefuse(article(c)+" in the query as "+name, func(s *service, r *request) {
				r.as(s, a.route, nobody)
				r.finish()
				r.query = joinQuery(r.query, queryOf([]member{{name: name, value: by.user(s).credential(c.Kind)}}))
			})
		}
	}
}

func joinQuery(a, b string) string { return strings.Trim(a+"&"+b, "&") }

// signatures spoils what the sender signs.
func (a *attack) signatures() {
	if !isSigned(a.route) {
		return
	}
	a.unauthenticated("a message without a signature", a.mustRefuse("a message without a signature", func(_ *service, r *request) { r.signed = false }))
	a.mustRefuse("a message whose body is not what was signed", func(s *service, r *request) {
		r.forge = func(req *http.Request, body []byte) { s.Sign(req, append(slices.Clone(body), ' '), time.Now()) }
	})
	a.mustRefuse("a message with a made-up signature", func(s *service, r *request) {
		r.forge = func(req *http.Request, body []byte) {
			s.Sign(req, body, time.Now())
			for name, values := range req.Header {
				if strings.Contains(name, "Signature") {
					req.Header[name] = []string{tampered(values[0])}
				}
			}
		}
	})
	if a.route.Who.Credentials[0].Name == "GitHub" {
		a.skip("an old message: GitHub signs no time")
		return
	}
	a.mustRefuse("a message of two hours ago", func(_ *service, r *request) { r.at = -2 * time.Hour })
	a.mustRefuse("a message from the future", func(_ *service, r *request) { r.at = 2 * time.Hour })
}

// wrongRole sends the valid request of the role's holder as somebody without the role.
func (a *attack) wrongRole() {
	for _, role := range a.route.Who.Roles {
		by := lacking(role)
		if !a.differ(by, holder(role)) {
			a.skip("Roles[%q].Without has no credential that Roles[%q].With has not", role, role)
			continue
		}
		got := a.send(a.changed(func(s *service, r *request) { r.as(s, a.route, by) }))
		if got.ok() {
			a.found("%s is let in: %s", by.name, got)
		} else if got.status != http.StatusForbidden && got.status != http.StatusNotFound {
			a.found("%s is answered %s, want 403", by.name, got)
		}
	}
}

// differ reports whether two callers come to the route with different credentials.
func (a *attack) differ(one, other caller) bool {
	first := func(u User) string {
		for _, c := range a.route.Who.Credentials {
			if v := u.credential(c.Kind); v != "" {
				return v
			}
		}
		return ""
	}
	v := first(one.user(a.s))
	return v != "" && v != first(other.user(a.s))
}

// crossOrigin sends mutations as another site's page would, which must be refused, and
// reads, which such a page must not be allowed to see.
func (a *attack) crossOrigin() {
	if isSigned(a.route) {
		return
	}
	if !a.route.Mutates() {
		a.send(a.changed(func(_ *service, r *request) { r.header.Set("Origin", "https://evil.example") }))
		return
	}
	by := usual(a.route)
	for _, c := range a.route.Who.Credentials {
		if !c.Ambient() {
			continue
		}
		if by.user(a.s).credential(c.Kind) == "" {
			a.skip("%s has no cookie", by.name)
			continue
		}
		a.fromElsewhere("with a cookie", func(s *service, r *request) {
			r.withoutCredentials(a.route)
			r.present(c, by.user(s).credential(c.Kind))
		})
	}
	if a.route.Who.Anyone || a.route.Who.Optional {
		a.fromElsewhere("without a credential", func(_ *service, r *request) { r.withoutCredentials(a.route) })
	}
}

func (a *attack) fromElsewhere(what string, change func(*service, *request)) {
	pages := []http.Header{
		{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		{"Origin": {"https://evil.example"}},
		{"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}},
		{"Sec-Fetch-Site": {"cross-site"}},
		{"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://evil.service.example"}},
		{"Origin": {"https://service.example.evil.example"}},
	}
	for _, o := range a.route.Who.Origins {
		pages = append(pages, http.Header{"Origin": {o + ".evil.example"}, "Sec-Fetch-Site": {"cross-site"}})
	}
	for _, page := range pages {
		got := a.mustRefuse("a page's request "+what+" from "+page.Get("Origin")+" "+page.Get("Sec-Fetch-Site"), func(s *service, r *request) {
			change(s, r)
			maps.Copy(r.header, page.Clone())
		})
		if got.refused() && got.status != http.StatusForbidden {
			a.found("a page's request %s is answered %s, want 403", what, got)
		}
	}
}
