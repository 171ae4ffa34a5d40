package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// attack is something that a page of another origin does while the browser holds the user's session.
type attack struct {
	name   string
	script string // an expression; the promise is awaited
	// answers are how the service may answer, as "METHOD route status code", with " or " between them. A read needs no
	// refusal if the page cannot read the answer.
	answers map[origin]string
}

type origin string

const (
	// Another port is another origin of the same site: SameSite does not keep the cookie back.
	samesite origin = "another port"
	// Another host is another site: SameSite=Lax keeps the cookie back, so there is no session to refuse.
	crosssite origin = "another host"
	// And this is what would happen if the cookie were sent.
	unprotected origin = "another host, with a cookie that is sent to it"
)

func refusedEverywhere(answer string) map[origin]string {
	return map[origin]string{samesite: answer, crosssite: answer, unprotected: answer}
}

// refusedSession is the answer of a route that needs a session.
func refusedSession(route string) map[origin]string {
	return map[origin]string{samesite: route + " 403 cross_origin", crosssite: route + " 401 unauthenticated", unprotected: route + " 403 cross_origin"}
}

// fetched is refusedSession for requests that do not open a page: the browser may have a policy of its own on cookies there.
func fetched(route string) map[origin]string {
	answers := refusedSession(route)
	answers[unprotected] = answers[samesite] + " or " + answers[crosssite]
	return answers
}

const attackers = `{"name":"Made by the attacker","summary":"It came from another origin than the page.","visibility":"team"}`

// simplePost is a fetch that needs no preflight. The page may not read the answer, and does not need to.
func simplePost(path, body string) string {
	return fmt.Sprintf(`fetch(target + %q, {method: "POST", mode: "no-cors", credentials: "include", headers: {"Content-Type": "text/plain"}, body: %q}).then(() => "sent", () => "blocked")`, path, body)
}

// corsFetch is a fetch that is allowed only if the service answers the preflight.
func corsFetch(method, path, body string) string {
	return fmt.Sprintf(`fetch(target + %q, {method: %q, credentials: "include", headers: {"Content-Type": "application/json"}, body: %q}).then(r => "READ " + r.status, () => "blocked")`, path, method, body)
}

// formPost posts a form that says JSON in its only field, as a navigation of the whole tab: it has the cookie if any request has it.
func formPost(path, body string) string {
	name, value, _ := strings.Cut(body, "=")
	return fmt.Sprintf(`(() => {
		const form = document.createElement("form"), field = document.createElement("input");
		[form.method, form.action, form.enctype, field.name, field.value] = ["post", target + %q, "text/plain", %q, %q];
		form.append(field);
		document.body.append(form);
		form.submit();
		return "NAVIGATES";
	})()`, path, name, value)
}

var attacks = []attack{
	{name: "a form creates a project", script: formPost("/projects", strings.TrimSuffix(attackers, "}")+`,"x":"=1"}`), answers: refusedSession("POST POST /projects")},
	{name: "a form signs the user out", script: formPost("/logout", "a=b"), answers: refusedSession("POST POST /logout")},
	{name: "a form starts a completion", script: formPost("/ai/complete", `{"prompt":"="}`), answers: refusedSession("POST POST /ai/complete")},
	{name: "a form signs the user in as the attacker", script: formPost("/login", `{"email":"bob@example.com","password":"`+seedPassword+`","x":"="}`),
		answers: refusedEverywhere("POST POST /login 403 cross_origin")},
	{name: "a form contacts in the user's name", script: formPost("/contact", `{"email":"alice@example.com","message":"I hereby resign.="}`),
		answers: refusedEverywhere("POST POST /contact 403 cross_origin")},
	{name: "a fetch creates a project", script: simplePost("/projects", attackers), answers: fetched("POST POST /projects")},
	{name: "a fetch signs the user out", script: simplePost("/logout", ""), answers: fetched("POST POST /logout")},
	{name: "a beacon signs the user out", script: `String(navigator.sendBeacon(target + "/logout", ""))`, answers: fetched("POST POST /logout")},
	{name: "a fetch contacts in the user's name", script: simplePost("/contact", `{"email":"alice@example.com","message":"I hereby resign."}`),
		answers: refusedEverywhere("POST POST /contact 403 cross_origin")},
	{name: "a fetch with JSON creates a project", script: corsFetch("POST", "/projects", attackers), answers: refusedEverywhere("OPTIONS  405 method_not_allowed")},
	{name: "a fetch renames a project", script: corsFetch("PATCH", "/projects/"+aliceProject, `{"name":"Renamed"}`), answers: refusedEverywhere("OPTIONS  405 method_not_allowed")},
	{name: "a fetch deletes a project", script: corsFetch("DELETE", "/projects/"+aliceProject, ``), answers: refusedEverywhere("OPTIONS  405 method_not_allowed")},
	{name: "a fetch reads who the user is", script: `fetch(target + "/me", {credentials: "include"}).then(async r => "READ " + await r.text(), () => "blocked")`},
}

// A page of another origin, opened in the browser of a user who is signed in, changes nothing and reads nothing.
func TestAttackersPageInABrowser(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>Kittens</title><p>Look at them.")
	}))
	t.Cleanup(page.Close)
	for _, from := range []origin{samesite, crosssite, unprotected} {
		t.Run(string(from), func(t *testing.T) {
			s := startService(t, nil)
			b := openTab(t, browser)
			b.signIn(s, "alice@example.com")
			if from == unprotected {
				b.sendCookieEverywhere(s)
			}
			address := page.URL
			if from != samesite {
				address = strings.Replace(address, "127.0.0.1", "localhost", 1)
			}
			before := s.do(t, "GET", "/projects", "", s.bearer(t, "alice")).body
			for _, a := range attacks {
				b.attack(t, s, address, from, a)
			}
			if got := s.do(t, "GET", "/projects", "", s.bearer(t, "alice")).body; got != before {
				t.Errorf("alice's projects were changed: got %s, want %s", got, before)
			}
			b.do("back to the service", chromedp.Navigate(s.url))
			b.see("#who", "alice@example.com") // not signed out, and not signed in as somebody else
		})
	}
}

// sendCookieEverywhere replaces the session cookie by one that other sites' pages send, too.
func (b *tab) sendCookieEverywhere(s *service) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, network.SetCookie, network.SetCookieParams{
		Name: string(sessionCookie), Value: s.token(b.t, "alice"), URL: s.url + "/", Path: "/",
		Secure: new(true), HTTPOnly: new(true), SameSite: network.CookieSameSiteNone})
	if err != nil {
		b.t.Fatal(err)
	}
}

// attack opens the attacker's page, lets it act, and looks at what the service answered.
func (b *tab) attack(t *testing.T, s *service, address string, from origin, a attack) {
	t.Helper()
	b.do("open the attacker's page", chromedp.Navigate(address))
	seen := len(s.records(t))
	got := b.text(`(() => { const target = ` + quote(s.url) + `; return ` + a.script + `; })()`)
	if strings.HasPrefix(got, "READ") {
		t.Errorf("%s: the attacker reads %s", a.name, got)
	}
	if got == "NAVIGATES" {
		b.until(`location.href.startsWith(` + quote(s.url) + `)`)
	}
	want := a.answers[from]
	for wait := time.Now().Add(browserTimeout / 3); want != "" && len(s.records(t)) == seen; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(wait) {
			t.Errorf("%s: no request has arrived, want %s", a.name, want)
			return
		}
	}
	for _, r := range s.records(t)[seen:] {
		if r.Method == http.MethodGet {
			continue
		}
		if answer := fmt.Sprintf("%s %s %d %s", r.Method, r.Route, r.Status, r.Code); !slices.Contains(strings.Split(want, " or "), answer) {
			t.Errorf("%s: got %s, want %s", a.name, answer, want)
		}
	}
}

// record is what the service's log says about a request.
type record struct {
	Method, Route, Code string
	Status              int
}

func (s *service) records(t *testing.T) []record {
	t.Helper()
	var all []record
	for line := range strings.Lines(s.log.String()) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Method != "" {
			all = append(all, r)
		}
	}
	return all
}
