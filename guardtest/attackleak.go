package guardtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
)

// marker stands in what attacks send. It must not come back in an error.
const marker = "gk9canary7f3a"

// inspect looks at an answer for what must not be in it.
func (a *attack) inspect(r *request, got answer) {
	what := r.what(a.route)
	switch {
	case got.panicked:
		a.found("the handler panics on %s", what)
	case got.status >= 500:
		a.found("%s is answered %s", what, got)
	}
	text := got.text()
	key := got.same() + r.by.name
	if a.clean[key] {
		text = "" // seen before, and found clean
	}
	findings := len(a.report.Findings)
	for _, never := range a.s.Never {
		if never != "" && strings.Contains(text, never) {
			a.found("the answer to %s holds a text that no answer may hold", what)
		}
	}
	a.secrets(r, what, text)
	a.headers(r, what, got)
	if got.status >= 400 {
		a.leaks(what, text, got)
		a.shape(r, what, got)
	}
	if len(a.report.Findings) == findings {
		a.clean[key] = true
	}
}

// answers reports whether got is a guard's or a guard.Mux's: another router's own refusals
// have a form of their own, and not every router takes HEAD where GET is.
func (a *attack) answers(r *request, got answer) bool {
	if _, ok := a.s.Target.(*guard.Mux); ok {
		return true
	}
	if r.method == http.MethodHead && got.status == http.StatusMethodNotAllowed {
		return false
	}
	u, err := url.ParseRequestURI(r.target(a.route.Path()))
	return err == nil && a.route.Unguarded == "" && a.match(r.method, a.route.Host(), u.Path) == a.route.Pattern
}

// what names a request in a failure.
func (r *request) what(route checklist.Route) string {
	target := r.target(route.Path())
	if len(target) > 100 {
		target = target[:100] + "…"
	}
	return r.method + " " + target + " by " + r.by.name
}

// text is everything that a client reads.
func (a answer) text() string {
	var b strings.Builder
	_ = a.header.Write(&b)
	return b.String() + "\n" + string(a.body)
}

// secrets finds what belongs to somebody else.
func (a *attack) secrets(r *request, what, text string) {
	if a.privileged(r) {
		return
	}
	for _, c := range []caller{owner, stranger, tenant} {
		u := c.user(a.s)
		if same(u, r.by.user(a.s)) {
			continue
		}
		for _, secret := range u.Secrets {
			if secret != "" && strings.Contains(text, secret) {
				a.found("the answer to %s holds a secret of %s", what, c.name)
			}
		}
		a.foreignIDs(r, c, what, text)
	}
}

// shortestID is the length of the shortest id that is found by chance nowhere.
const shortestID = 12

// foreignIDs finds ids of what only somebody else may see, on routes that know who is calling.
func (a *attack) foreignIDs(r *request, c caller, what, text string) {
	if a.route.Unguarded != "" || a.route.Who.Anyone || isSigned(a.route) || r.by.user(a.s).credentials() == 0 {
		return
	}
	sent := r.target(a.route.Path()) + string(r.body)
	for _, id := range c.user(a.s).IDs {
		if len(id) >= shortestID && strings.Contains(text, id) && !strings.Contains(sent, id) && !slices.Contains(slices.Collect(maps.Values(r.by.user(a.s).IDs)), id) {
			a.found("the answer to %s holds the id of what is of %s", what, c.name)
		}
	}
}

// headers checks what every answer must carry, and must not.
func (a *attack) headers(r *request, what string, got answer) {
	h := got.header
	if a.answers(r, got) && h.Get("X-Request-Id") == "" {
		a.found("the answer to %s has no X-Request-ID", what)
	}
	if a.answers(r, got) && !strings.EqualFold(h.Get("X-Content-Type-Options"), "nosniff") && a.route.Unguarded == "" {
		a.found("the answer to %s has no X-Content-Type-Options: nosniff", what)
	}
	if strings.Contains(h.Get("X-Request-Id"), marker) {
		a.found("the client chooses the request id")
	}
	if cache := h.Get("Cache-Control"); got.ok() && len(a.route.Who.Credentials) > 0 &&
		(strings.Contains(cache, "public") || !strings.Contains(cache, "no-store") && !strings.Contains(cache, "private") && !strings.Contains(cache, "no-cache")) {
		a.found("the answer to %s is private, but its Cache-Control is %q", what, cache)
	}
	if allowed := h.Get("Access-Control-Allow-Origin"); strings.Contains(allowed, "evil") || allowed == "null" ||
		allowed == "*" && h.Get("Access-Control-Allow-Credentials") == "true" {
		a.found("the answer to %s may be read by any site: Access-Control-Allow-Origin is %q", what, allowed)
	}
	if strings.Contains(h.Get("Location"), marker) || strings.Contains(h.Get("Location"), "evil.example") {
		a.found("the answer to %s redirects to where the request says", what)
	}
	a.cookies(what, got)
}

// cookies checks the session cookies that an answer sets.
func (a *attack) cookies(what string, got answer) {
	for _, c := range (&http.Response{Header: got.header}).Cookies() {
		if !a.isCredential(c.Name) && !isToken(c) {
			continue
		}
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode && c.SameSite != http.SameSiteStrictMode {
			a.found("the answer to %s sets the cookie %s without HttpOnly, Secure and SameSite", what, c.Name)
		}
	}
}

// sessionNames are parts of the names that session cookies have.
var sessionNames = regexp.MustCompile(`(?i)sess|auth|token|jwt|^sid$`)

// isToken reports whether a cookie looks like a credential, whoever takes it.
func isToken(c *http.Cookie) bool {
	if strings.Contains(strings.ToLower(c.Name), "csrf") || strings.Contains(strings.ToLower(c.Name), "xsrf") {
		return false // scripts are to read it
	}
	return strings.HasPrefix(c.Value, "eyJ") || len(c.Value) >= 16 && sessionNames.MatchString(c.Name)
}

// isCredential reports whether a cookie of the name is a credential of any route.
func (a *attack) isCredential(name string) bool {
	return slices.ContainsFunc(a.s.Routes(), func(r checklist.Route) bool {
		return slices.ContainsFunc(r.Who.Credentials, func(c checklist.Credential) bool { return c.Kind == "cookie" && c.Name == name })
	})
}

// library is text of libraries, databases and the runtime.
var library = regexp.MustCompile(`(?i)\bsql: |sqlite|\bpq: |pgx|mysql|constraint failed|duplicate key|no rows in result|syntax error at|` +
	`(?-i:SELECT\b.{1,80}\bFROM\b|INSERT INTO|DELETE FROM|UPDATE \w+ SET)|` +
	`goroutine \d|\.go:\d|panic:|runtime error|nil pointer|stack trace|traceback|` +
	`(^|[\s"'(])/(usr|home|root|var|etc|opt|srv)/|[a-z]:\\|` +
	`invalid character '|unmarshal|unexpected end of json|\bjson: |\bstrconv\.|illegal base64|encoding/hex|parsing time|unexpected eof|` +
	`dial tcp|connection refused|no such (file|host)|context (deadline|canceled)|\bx509: |\bcrypto/|token is (expired|malformed|unverifiable)|` +
	`signature is invalid|invalid uuid|\bguard: |\$argon2|\$2[aby]\$|password_?hash|load \w+ "?[\w-]+"?:`)

// goError is how an error of Go begins: with a package, or with what was being done.
var goError = regexp.MustCompile(`^[a-z][\w./ -]{0,60}: `)

// sentence is what an error says to people.
func sentence(body []byte) string {
	var e struct{ Title, Error string }
	if json.Unmarshal(body, &e) != nil {
		return string(body)
	}
	return e.Title + e.Error
}

// pointers are the names of the caller's own input.
var pointers = regexp.MustCompile(`"pointer":"[^"]*"`)

// goType is a Go type with its package.
var goType = regexp.MustCompile(`\*?\b(main|store|guard|http|json|sql|errors|fmt|os|net|url|uuid|jwt|time|strconv)\.[A-Z]\w*`)

// leaks checks that an error tells nothing of the request and of what is behind the route.
func (a *attack) leaks(what, text string, got answer) {
	text = pointers.ReplaceAllString(text, "")
	switch {
	case strings.Contains(text, marker):
		a.found("the error that answers %s echoes the request: %s", what, got)
	case library.MatchString(text):
		a.found("the error that answers %s tells %q: %s", what, library.FindString(text), got)
	case goType.MatchString(text):
		a.found("the error that answers %s names the Go type %s: %s", what, goType.FindString(text), got)
	}
	if s := sentence(got.body); text != "" && goError.MatchString(s) {
		a.found("the error that answers %s reads like an error of Go, not like a sentence: %s", what, got)
	}
	for _, name := range a.types() {
		if strings.Contains(text, name) {
			a.found("the error that answers %s names the Go type %s: %s", what, name, got)
		}
	}
}

// types are the Go types that the route's checklist names, with their packages.
func (a *attack) types() []string {
	names := []string{strings.TrimPrefix(a.route.Who.Caller, "*")}
	for _, s := range a.route.Which.Steps {
		names = append(names, strings.TrimPrefix(s.Resource, "*"))
	}
	if a.route.What.Type != nil {
		names = append(names, a.route.What.Type.String())
	}
	return slices.DeleteFunc(names, func(n string) bool { return !strings.Contains(n, ".") })
}

// shape checks that an error is the one shape that all of them have.
func (a *attack) shape(r *request, what string, got answer) {
	if a.route.Unguarded != "" || !a.answers(r, got) {
		return
	}
	if !strings.Contains(got.header.Get("Cache-Control"), "no-store") {
		a.found("the error that answers %s has no Cache-Control: no-store", what)
	}
	if a.route.Ending == checklist.Wrap || r.method == http.MethodHead {
		return // a wrapped handler's errors are its own
	}
	if want := a.route.Tell.MediaType; got.header.Get("Content-Type") != want {
		a.found("the error that answers %s is %q, want %s: %s", what, got.header.Get("Content-Type"), want, got)
		return
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(got.body, &body); err != nil {
		a.found("the error that answers %s is no JSON object: %s", what, got)
		return
	}
	known := []string{"type", "title", "status", "code", "requestId", "errors", "error"}
	for name := range body {
		if !slices.Contains(known, name) {
			a.found("the error that answers %s has a member %q: %s", what, name, got)
		}
	}
	if id := quote(got.header.Get("X-Request-Id")); string(body["requestId"]) != id {
		a.found("the error that answers %s has another request id than its header: %s", what, got)
	}
	if status, ok := body["status"]; ok && string(status) != strconv.Itoa(got.status) {
		a.found("the error that answers %s says another status in its body: %s", what, got)
	}
}
