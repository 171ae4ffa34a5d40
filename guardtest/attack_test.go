package guardtest

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

func TestAttackFindsNothingInASoundService(t *testing.T) {
	t.Parallel()
	if err := newSampleService("").check(); err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	for _, r := range attackSample("", "", kinds) {
		for _, f := range r.Findings {
			t.Errorf("%s: %s", r.Pattern, f)
		}
		for _, k := range r.Tried {
			name, _, _ := strings.Cut(k, " (")
			tried[name] = true
		}
		t.Log(r)
	}
	for _, k := range kinds {
		if !tried[k.name] {
			t.Errorf("%s was not tried on any route", k.name)
		}
	}
}

// A second or a minute that passes between two answers is not what an attack did.
func TestTheTimeIsNoFinding(t *testing.T) {
	t.Parallel()
	comparing := slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool {
		return !slices.Contains([]string{"anonymous", "wrong user", "wrong tenant", "child of another's parent", "foreign id in the input",
			"deleted resource", "malformed id", "unknown names", "refused inputs", "stale answers", "forged headers"}, k.name)
	})
	for _, clockwork := range []string{tellsSeconds, tellsMinutes} {
		synctest.Test(t, func(t *testing.T) {
			for _, r := range attackSample(clockwork, "", comparing) {
				if len(r.Tried) == 0 || len(r.Findings) > 0 {
					t.Errorf("%s: %s", clockwork, r)
				}
			}
		})
	}
}

// A limit that fills as fast as a slow machine uses it up is not tried for ever.
func TestALimitThatIsNeverUsedUpIsSkipped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := attackSample(tellsMinutes, "GET /me", only("limits"))
		if len(r) != 1 || len(r[0].Findings) > 0 || !strings.Contains(r[0].String(), "not tried: limits: 40/1m per caller: its tokens come back as fast as") {
			t.Errorf("got %v, want it skipped", r)
		}
	})
}

func TestFixturesMustFitTheRoutes(t *testing.T) {
	t.Parallel()
	sound := func() *service { return newSampleService("") }
	if err := sound().check(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		spoil func(*Fixtures)
		want  string
	}{
		{"nobody", func(f *Fixtures) { f.Owner = User{} }, "Owner and Stranger need a credential each"},
		{"one user twice", func(f *Fixtures) { f.Stranger = f.Owner }, "the same credentials"},
		{"an input for no route", func(f *Fixtures) { f.Inputs = append(f.Inputs, Valid("PUT /projects", newProject{})) }, `the input for "PUT /projects": there is no such route`},
		{"an input of another type", func(f *Fixtures) { f.Inputs = append(f.Inputs, Valid("POST /projects", sign{})) },
			`the input for "POST /projects" is a guardtest.sign, but the route takes guardtest.newProject`},
		{"an input where none is taken", func(f *Fixtures) { f.Inputs = append(f.Inputs, Valid("GET /me", sign{})) }, "but the route takes no typed input (none)"},
		{"bytes where a struct is taken", func(f *Fixtures) { f.Inputs = append(f.Inputs, Raw("POST /projects", "text/plain", nil)) }, "Raw for \"POST /projects\": the route takes JSON"},
		{"no refused inputs", func(f *Fixtures) { f.Inputs = append(f.Inputs, Refused[sign]("POST /login")) }, "has no inputs"},
		{"no holder of a role", func(f *Fixtures) { f.Roles = nil }, `POST /admin/{userID}: no user has the role person.IsAdmin: add Roles["person.IsAdmin"]`},
		{"a role that nobody asks for", func(f *Fixtures) { f.Roles["person.IsRoot"] = Role{} }, `Roles["person.IsRoot"]: no route asks for that role`},
		{"an exemption without a reason", func(f *Fixtures) { f.Exempt = map[string]string{"GET /me: limits": " "} }, `Exempt "GET /me: limits" has no reason`},
	} {
		s := sound()
		tt.spoil(&s.Fixtures)
		if err := s.check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// An exemption lets one kind of attack pass on one route, and the report says why.
func TestExemptions(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	open := func() *service {
		s := newSampleService("is unlimited")
		s.Exempt = map[string]string{"POST /limited: limits": "one caller, on our side", "GET /me: limits": "not needed"}
		return s
	}
	for _, route := range open().Routes() {
		if route.Pattern != "POST /limited" && route.Pattern != "GET /me" {
			continue
		}
		r := attackRoute(route, open, used, only("limits"))
		if len(r.Findings) > 0 {
			t.Errorf("found %q", r.Findings)
		}
		if got := strings.Contains(r.String(), "not tried: limits: exempt: one caller, on our side"); got != (route.Pattern == "POST /limited") {
			t.Errorf("the report is\n%s", r)
		}
	}
	if len(used) != 1 || !used["POST /limited: limits"] {
		t.Errorf("got %v used, want the one that was needed", used)
	}
}

// A route that the fixtures give no way to use is not passed over.
func TestWhatCannotBeAttackedFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, route string
		spoil       func(*Fixtures)
		want        string
	}{
		{"no valid input", "POST /projects", func(f *Fixtures) { f.Inputs = nil }, "give a valid input (guardtest.Valid) and ids"},
		{"no id", "GET /projects/{projectID}", func(f *Fixtures) { f.Owner.IDs = nil }, "no id for {projectID}: add it to the IDs of the owner"},
		{"nothing of the stranger's", "DELETE /projects/{projectID}", func(f *Fixtures) { f.Stranger.IDs["projectID"] = "p-none" },
			"valid request: that of a stranger for what is their own is answered 404"},
		{"no signature", "POST /hook", func(f *Fixtures) { f.Sign = nil }, "nobody signs messages for it: set Sign"},
		{"no credential of its kind", "POST /admin/{userID}", func(f *Fixtures) {
			f.Roles["person.IsAdmin"] = Role{With: User{Bearer: "x", IDs: map[string]string{"userID": "ben"}}}
		},
			"that of the holder of person.IsAdmin is answered 401"},
	} {
		open := func() *service {
			s := newSampleService("")
			tt.spoil(&s.Fixtures)
			return s
		}
		for _, route := range open().Routes() {
			if route.Pattern != tt.route {
				continue
			}
			if r := attackRoute(route, open, map[string]bool{}, nil); !strings.Contains(strings.Join(r.Findings, "\n"), tt.want) {
				t.Errorf("%s: no %q in\n%s", tt.name, tt.want, r)
			}
		}
	}
}

// only is one kind of attack: none for those that come before all others.
func only(name string) []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return k.name != name })
}

// Each fault is a hole that somebody has left in a service before. The kit must name the route
// and the hole.
func TestAttackFindsHoles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, route, want string }{
		{"owns everything", "GET /projects/{projectID}", "wrong user: a stranger on what is of the owner is answered 200"},
		{"owns everything", "PATCH /projects/{projectID}", "wrong user: a stranger on what is of the owner is answered 200"},
		{"owns everything", "DELETE /projects/{projectID}", "wrong user: a stranger on what is of the owner is answered 204"},
		{"owns what is of the other tenant", "GET /projects/{projectID}", "wrong tenant: another tenant's user on what is of the owner is answered 200"},
		{"loads by the raw id", "GET /projects/{projectID}", "wrong user: a stranger on what is of the owner is answered 200"},
		{"answers 403 for what is of others", "GET /projects/{projectID}", "wrong user: a stranger on what is of the owner is told apart from a missing id: 403"},
		{"tells what a missing id is", "GET /projects/{projectID}", "wrong user: a stranger on what is of the owner is told apart"},
		{"pages on into what is of others", "GET /items", "pages: the answer to GET /items?limit=1&cursor=1 by a stranger holds the id of what is of the owner"},
		{"lists the ids of others", "GET /items", "valid request: the answer to GET /items by a stranger holds the id of what is of the owner"},
		{"keeps lists from before a change", "PATCH /projects/{projectID}", "stale answers: GET /projects by the owner is answered from before it, once somebody has read it"},
		{"keeps lists from before a change", "DELETE /projects/{projectID}", "stale answers: GET /projects by the owner is answered from before it, once somebody has read it"},
		{"keeps a search for the next one", "GET /search", "kept answers: it is answered as the one before it, which differed in q: 200 []"},
		{"counts each credential alone", "POST /limited", "limits: 7/1m per caller: request"},
		{"sets a token in a plain cookie", "POST /login", "sets the cookie id without HttpOnly, Secure and SameSite"},
		{"redirects to where the query says", "GET /healthz", "redirects to where the request says"},
		{"writes the query into a page", "GET /healthz", "a page says what the query says, as HTML"},
		{"serves what was deleted", "GET /projects/{projectID}", "deleted resource: a deleted resource is answered 200"},
		{"fails on odd ids", "GET /projects/{projectID}", "malformed id: GET /projects/'%20OR%20'1'='1 by the owner is answered 500"},
		{"ignores the parent", "GET /projects/{projectID}/notes/{noteID}", "child of another's parent: the stranger's {noteID} among the owner's ids is answered 200"},
		{"reads the body before it checks the owner", "PATCH /projects/{projectID}", "wrong user: a stranger on what is of the owner with a broken body is told apart from a missing id"},
		{"changes the row of another", "PATCH /projects/{projectID}", "after a request of the owner, a stranger sees something else on GET /projects"},
		{"deletes everything", "DELETE /projects/{projectID}", "after a request of the owner, a stranger sees something else on GET /projects"},
		{"takes any id in the input", "POST /move", "foreign id in the input: the id of something else in target is accepted"},
		{"follows another id in the input", "POST /move", "foreign id in the input: after a request of the owner, a stranger sees something else on GET /projects"},
		{"keeps an answer for everybody", "GET /me", "valid request: the answer to GET /me by a stranger holds a secret of the owner"},
		{"lists what is of others", "GET /projects", "valid request: the answer to GET /projects by the owner holds a secret of a stranger"},
		{"finds what is private", "GET /search", "private data: the answer to GET /search?q=Secret+plan+of by nobody holds a secret of a stranger"},
		{"believes X-User-Id", "GET /me", "forged headers: the owner is answered otherwise with forged headers"},
		{"creates for X-User-Id", "POST /projects", "forged headers: after a request of the owner, a stranger sees something else on GET /projects"},
		{"lets nobody in", "GET /me", "anonymous: a request without a credential is accepted"},
		{"accepts expired tokens", "GET /me", "bad credential: a bearer token that is expired is accepted"},
		{"accepts tokens without a signature", "GET /me", "bad credential: a bearer token that is unsigned is accepted"},
		{"accepts any key of a length", "GET /me", "bad credential: an API key that is tampered with is accepted"},
		{"takes the credential from the query", "GET /me", "credential in the query: a bearer token in the query as access_token is accepted"},
		{"does not sign out", "POST /logout", "valid request: the credential that signed out is still accepted"},
		{"remembers sessions that signed out", "POST /logout", "valid request: the credential that signed out is still accepted on GET /me"},
		{"remembers sessions by all but their signature", "GET /me", "bad credential: a bearer token that is tampered with is accepted"},
		{"remembers sessions by the end of their tokens", "GET /me", "bad credential: a bearer token that is changed in front is accepted"},
		{"remembers sessions by both ends of their tokens", "GET /me", "bad credential: a bearer token that is changed in the middle is accepted"},
		{"forgets the role", "POST /admin/{userID}", "wrong role: a caller without person.IsAdmin is let in"},
		{"does not check signatures", "POST /hook", "signature: a message without a signature is accepted"},
		{"does not check origins", "POST /projects", "cross-origin: a page's request with a cookie from https://evil.example cross-site is accepted"},
		{"lets any site read", "GET /me", "cross-origin: the answer to GET /me by the owner may be read by any site"},
		{"lets caches keep what is private", "GET /me", `valid request: the answer to GET /me by the owner is private, but its Cache-Control is "public, max-age=60"`},
		{"lets clients set the role", "POST /members", `server-owned names: clients may set /role (guard:"client") without a role`},
		{"decodes leniently", "POST /raw", "server-owned names: an input with the name role is accepted"},
		{"decodes leniently", "POST /raw", "repeated names: name twice is accepted"},
		{"drops what it knows not", "POST /projects", "server-owned names: an input with the name role is accepted"},
		{"drops what it knows not", "POST /projects", "unknown names: an input with an unknown name is accepted"},
		{"takes any media type", "POST /projects", `media type: the Content-Type "text/plain" is accepted`},
		{"takes any size", "POST /projects", "size: a body over the cap is accepted"},
		{"takes any query", "POST /projects", "query: the query role=admin is accepted"},
		{"tells the error of the decoder", "POST /raw", `broken encoding: the error that answers POST /raw by the owner tells "json: "`},
		{"tells the error of the database", "POST /projects", `valid request: the error that answers POST /projects by the owner tells "constraint failed"`},
		{"tells its own error", "POST /projects", "hostile text: the error that answers POST /projects by the owner reads like an error of Go"},
		{"breaks on a repeat", "POST /projects", "valid request: POST /projects by the owner is answered 500"},
		{"panics on a repeat", "POST /projects", "valid request: POST /projects by the owner is answered 500"},
		{"echoes what it refuses", "POST /projects", "hostile text: the error that answers POST /projects by the owner echoes the request"},
		{"answers errors in another shape", "GET /me", `anonymous: the error that answers GET /me by nobody is "text/plain; charset=utf-8", want application/problem+json`},
		{"believes every peer", "GET /me", "forged headers: the client chooses the request id"},
		{"believes every peer", "GET /search", "limits: 10/1m per ip: request 13 is still answered 400"},
		{"serves any method", "GET /me", "methods: DELETE, which no route serves, is answered 204"},
		{"takes any password", "POST /login", "refused inputs: input 1 of Refused is accepted"},
		{"tells accounts apart", "POST /login", "refused inputs: input 2 of Refused is told apart from the first"},
		{"sets a cookie that scripts read", "POST /login", "valid request: the answer to POST /login by nobody sets the cookie __Host-session without HttpOnly"},
		{"is unlimited", "POST /limited", "limits: nothing limits the route (unlimited: later)"},
		{"has a shadow for a limit", "POST /limited", "limits: nothing limits the route (7/1m per caller shadow)"},
		{"admits more than it says", "POST /limited", "limits: 7/1m per caller: request 10 is still answered 400"},
		{"counts each spelling of an account", "POST /login", "limits: 1/4s per input burst 5 on failure and network: request "},
		{"counts by a header", "POST /limited", "limits: 7/1m per caller: request 10 is still answered 400"},
		{"counts everybody together", "POST /limited", "limits: 7/1m per caller: once one has used it up, everybody is refused"},
		{"has more places than it says", "POST /jobs", "limits: 2 in flight per caller: request 3 at the same time is answered 204"},
		{"shows what is private on an open route", "GET /healthz", "junk: the answer to GET /healthz by nobody holds a secret of a stranger"},
		{"panics on an open route", "GET /healthz", "junk: the handler panics on GET /healthz"},
		{"tells an error on an open route", "GET /healthz", `junk: the error that answers GET /healthz by nobody tells "dial tcp"`},
		{"echoes on an open route", "GET /healthz", "junk: the answer to GET /healthz by nobody redirects to where the request says"},
	} {
		t.Run(tt.fault+" "+tt.route, func(t *testing.T) {
			t.Parallel()
			name, _, _ := strings.Cut(tt.want, ": ")
			synctest.Test(t, func(t *testing.T) { // in which limits fill only while something waits
				reports := attackSample(tt.fault, tt.route, only(name))
				if len(reports) != 1 {
					t.Fatalf("got %d reports", len(reports))
				}
				if !strings.Contains(strings.Join(reports[0].Findings, "\n"), tt.want) || len(reports[0].Findings) == 0 {
					t.Errorf("no %q in\n%s", tt.want, reports[0])
				}
			})
		})
	}
}
