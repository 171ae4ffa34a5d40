package guardtest

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
)

// person is a caller of the service under attack, which keeps projects with notes.
type person struct {
	id, tenant string
	admin      bool
}

func (p person) Subject() string { return p.id }
func (p person) IsAdmin() bool   { return p.admin }

type project struct{ ID, Owner, Tenant, Name, Visibility string }

type note struct{ ID, Project, Text string }

type newProject struct {
	Name       string `json:"name" normalize:"trim" validate:"required,min=3,max=40"`
	Visibility string `json:"visibility" validate:"omitempty,oneof=private team"`
	Detail     struct {
		Color string `json:"color" validate:"max=10"`
	} `json:"detail"`
	Rank *int `json:"rank" validate:"omitnil,min=1,max=5"`
}

type newProjectWithRole struct {
	Name string `json:"name" validate:"required,min=3,max=40"`
	Role string `json:"role" validate:"max=10" guard:"client"`
}

type moveNote struct {
	Target string `json:"target" validate:"required,max=40"`
	From   string `json:"from" validate:"max=40"`
}

type find struct {
	Q     string `query:"q" normalize:"trim" validate:"required,min=2,max=60"`
	Limit int    `query:"limit" default:"20" validate:"min=1,max=50"`
}

type sign struct {
	Email    string `json:"email" validate:"required,email,max=100"`
	Password string `json:"password" validate:"required,max=100"`
}

func (s sign) account() string { return strings.ToLower(s.Email) }

type picture struct {
	Title string     `form:"title" validate:"required,max=20"`
	Image guard.File `form:"image" file:"max=64KiB,types=image/png"`
}

type event struct {
	Type string `json:"type" validate:"required,max=20"`
}

const mutantCookie guard.SessionCookie = "__Host-session"

var (
	mutantKey    = []byte("a key of thirty-two bytes, for tests")
	mutantSecret = []byte("a webhook secret of thirty-two b")
)

// sample is the service, with the fault that a test asks for.
type sample struct {
	fault string

	mu       sync.Mutex
	projects map[string]project
	notes    map[string]note
	revoked  map[string]bool
	next     int
	kept     string
	lists    sync.Map // by caller
	sessions sync.Map // by a part of their token
	errs     *guard.Responder
	limits   *guard.Limiter
	routes   checklist.List
	mux      *http.ServeMux
}

func newSample(fault string) *sample {
	errs := &guard.Responder{Log: slog.New(slog.DiscardHandler)}
	if fault == "believes every peer" {
		errs.ClientIP = guard.TrustProxies(netip.MustParsePrefix("2001::/16"))
	}
	return &sample{
		fault: fault, revoked: map[string]bool{}, mux: http.NewServeMux(), limits: &guard.Limiter{}, errs: errs,
		projects: map[string]project{
			"p-ann": {"p-ann", "ann", "t1", "Garden of roses at home", "team"},
			"p-ben": {"p-ben", "ben", "t1", "Secret plan of Ben Miller", "private"},
			"p-cat": {"p-cat", "cat", "t2", "Cellar of Cat in town", "private"},
		},
		notes: map[string]note{"n-ann": {"n-ann", "p-ann", "water"}, "n-ben": {"n-ben", "p-ben", "hide"}, "n-cat": {"n-cat", "p-cat", "wine"}},
	}
}

func (s *sample) is(fault string) bool { return s.fault == fault }

// Services that tell the time are no fault. Every third request takes a while.
const (
	tellsSeconds = "tells the second in every answer"
	tellsMinutes = "tells the minute in every answer"
)

var ticks atomic.Int64

// telling tells the time in whatever h answers.
func (s *sample) telling(h http.Handler) http.Handler {
	var unit, while time.Duration
	switch s.fault {
	case tellsSeconds:
		unit, while = time.Second, time.Second
	case tellsMinutes:
		unit, while = time.Minute, 20*time.Second // less than the kit's patience
	default:
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ticks.Add(1)%3 == 0 {
			time.Sleep(while)
		}
		w.Header().Set("X-Served-At", time.Now().Truncate(unit).Format(time.RFC3339))
		h.ServeHTTP(w, r)
	})
}

var people = map[string]person{"ann": {"ann", "t1", false}, "ben": {"ben", "t1", false}, "cat": {"cat", "t2", false}, "root": {"root", "t1", true}}

func mutantToken(subject string, exp time.Duration) string {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": subject, "exp": time.Now().Add(exp).Unix(), "jti": subject}).SignedString(mutantKey)
	if err != nil {
		panic(err)
	}
	return token
}

// verify remembers sessions by hand where the fault says so. guard.Cached is what a service would use.
func (s *sample) verify(ctx context.Context, credential string) (person, error) {
	key := ""
	switch {
	case s.is("remembers sessions by all but their signature"):
		key = credential[:strings.LastIndex("."+credential, ".")]
	case s.is("remembers sessions by the end of their tokens"):
		key = credential[max(0, len(credential)-16):]
	case s.is("remembers sessions by both ends of their tokens"):
		key = credential[:min(8, len(credential))] + credential[max(0, len(credential)-8):]
	case s.is("remembers sessions that signed out"):
		key = credential
	default:
		return s.session(ctx, credential)
	}
	if who, ok := s.sessions.Load(key); ok {
		return who.(person), nil
	}
	who, err := s.session(ctx, credential)
	if err == nil {
		s.sessions.Store(key, who)
	}
	return who, err
}

func (s *sample) session(_ context.Context, credential string) (person, error) {
	if s.is("accepts tokens without a signature") {
		if parts := strings.Split(credential, "."); len(parts) == 3 && parts[2] == "" {
			return people["ann"], nil
		}
	}
	options := []jwt.ParserOption{jwt.WithValidMethods([]string{"HS256"})}
	if s.is("accepts expired tokens") {
		options = append(options, jwt.WithoutClaimsValidation())
	}
	var claims jwt.RegisteredClaims
	if _, err := jwt.ParseWithClaims(credential, &claims, func(*jwt.Token) (any, error) { return mutantKey, nil }, options...); err != nil {
		return person{}, guard.ErrNoSession
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if who, ok := people[claims.Subject]; ok && !s.revoked[credential] {
		return who, nil
	}
	return person{}, guard.ErrNoSession
}

func (s *sample) key(_ context.Context, key string) (person, error) {
	if key == "key-of-ann-0123456789" || s.is("accepts any key of a length") && len(key) == 21 {
		return people["ann"], nil
	}
	return person{}, guard.ErrNoSession
}

func (s *sample) project(_ context.Context, id string) (project, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.is("serves what was deleted") && id == "p-old" {
		return project{"p-old", "ann", "t1", "Given up", "private"}, nil
	}
	if s.is("takes ids in any case") {
		id = strings.ToLower(id)
	}
	if s.is("tells what a missing id is") && s.projects[id].ID == "" {
		return project{}, guard.Fail(410, "no_project", "There is no such project.")
	}
	if s.is("fails on odd ids") && strings.Contains(id, "'") {
		return project{}, errors.New(`syntax error at or near "'"`)
	}
	return s.projects[id], nil
}

func (s *sample) owns(p project, who person) bool {
	switch {
	case s.is("owns everything"):
		return true
	case s.is("owns what is of the other tenant"):
		return p.Owner == who.id || p.Tenant != who.tenant
	}
	return p.Owner == who.id
}

func (s *sample) noteIn(_ context.Context, p project, id string) (note, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.notes[id]
	if n.Project != p.ID && !s.is("ignores the parent") {
		return note{}, guard.ErrNotFound
	}
	return n, nil
}

func (s *sample) handle(pattern string, g guard.Guarded, instead ...http.Handler) {
	s.routes = append(s.routes, guard.Describe(pattern, g))
	var h http.Handler = g
	if len(instead) > 0 {
		h = instead[0]
	}
	s.mux.Handle(pattern, h)
}

type call[T, R any] = guard.Call[person, T, R]

func done[S guard.Principal, T, R any](context.Context, *guard.Call[S, T, R]) (guard.None, error) {
	return guard.None{}, nil
}

// build registers the routes. Each fault is at the place where such a mistake would be made.
func (s *sample) build() *sample {
	users := guard.FirstOf(guard.Bearer(s.verify), guard.APIKey("X-API-Key", s.key), guard.Cookie(mutantCookie, s.verify))
	perCaller := s.limits.PerCaller(40, time.Minute)
	own := guard.Owned("projectID", guard.ParseString, s.project, s.owns)
	s.readRoutes(users, perCaller, own)
	s.pagesRoute(users, perCaller)
	s.writeRoutes(users, perCaller, own)
	s.publicRoutes(users, perCaller)
	return s
}

func (s *sample) readRoutes(users guard.Authenticator[person], perCaller guard.Limit, own func() guard.Authorizer[person, project]) {
	s.handle("GET /me", guard.New(users, guard.NoPayload, guard.NoResource, perCaller, s.errs, func(_ context.Context, c *call[guard.None, guard.None]) (guard.Reply[string], error) {
		id := c.Caller.id
		if s.is("keeps an answer for everybody") {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.kept = cmp.Or(s.kept, id)
			id = s.kept
		}
		if forged := c.Request.Header.Get("X-User-Id"); forged != "" && s.is("believes X-User-Id") {
			id = forged
		}
		reply := guard.Reply[string]{Body: "the profile of " + id}
		if s.is(tellsSeconds) {
			reply.Body += " at " + time.Now().Format(time.TimeOnly)
		}
		if s.is("lets caches keep what is private") {
			reply.Header = http.Header{"Cache-Control": {"public, max-age=60"}}
		}
		return reply, nil
	}), s.leaky("GET /me")...)
	s.handle("GET /projects", guard.New(users, guard.NoPayload, guard.NoResource, perCaller, s.errs, func(_ context.Context, c *call[guard.None, guard.None]) ([]project, error) {
		mine := s.list(func(p project) bool { return p.Owner == c.Caller.id || s.is("lists what is of others") })
		if s.is("keeps lists from before a change") {
			kept, _ := s.lists.LoadOrStore(c.Caller.id, mine)
			mine = kept.([]project)
		}
		return mine, nil
	}))
	show := func(_ context.Context, c *call[guard.None, project]) (project, error) { return c.Resource, nil }
	if s.is("answers 403 for what is of others") {
		own = guard.Authorize("projectID", guard.ParseString, func(ctx context.Context, who person, id string) (project, error) {
			p, err := s.project(ctx, id)
			if p.ID != "" && !s.owns(p, who) {
				return p, guard.Fail(403, "forbidden", "You are not allowed to do this.")
			}
			return p, err
		})
	}
	if s.is("loads by the raw id") {
		s.handle("GET /projects/{projectID}", guard.Wrap(users, guard.NoPayload, guard.NoResource, perCaller, s.errs, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, _ := s.project(r.Context(), r.PathValue("projectID"))
			if p.ID == "" {
				http.Error(w, "not found", 404)
				return
			}
			_ = json.NewEncoder(w).Encode(p)
		})))
	} else {
		s.handle("GET /projects/{projectID}", guard.New(users, guard.NoPayload, own, perCaller, s.errs, show))
	}
	s.handle("GET /projects/{projectID}/notes/{noteID}", guard.New(users, guard.NoPayload, guard.Within(own, "noteID", guard.ParseString, s.noteIn), perCaller, s.errs,
		func(_ context.Context, c *call[guard.None, note]) (note, error) { return c.Resource, nil }))
}

func (s *sample) list(fits func(project) bool) []project {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []project{}
	for _, p := range s.projects {
		if fits(p) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b project) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (s *sample) writeRoutes(users guard.Authenticator[person], perCaller guard.Limit, own func() guard.Authorizer[person, project]) {
	create := func(_ context.Context, c *call[newProject, guard.None]) (guard.Reply[project], error) {
		return s.create(c.Request, c.Caller.id, c.Input.Name)
	}
	s.handle("POST /projects", guard.New(users, guard.JSON[newProject], guard.NoResource, perCaller, s.errs, create), s.lenient("POST /projects", users)...)
	if s.is("lets clients set the role") {
		s.handle("POST /members", guard.New(users, guard.JSON[newProjectWithRole], guard.NoResource, perCaller, s.errs, done))
	} else {
		s.handle("POST /members", guard.New(users, guard.JSON[newProject], guard.NoResource, perCaller, s.errs, done))
	}
	s.handle("PATCH /projects/{projectID}", guard.New(users, guard.JSON[newProject], own, perCaller, s.errs, func(_ context.Context, c *call[newProject, project]) (project, error) {
		return s.rename(c.Resource, c.Input.Name)
	}), s.early("PATCH /projects/{projectID}", own)...)
	s.handle("DELETE /projects/{projectID}", guard.New(users, guard.NoPayload, own, perCaller, s.errs, func(_ context.Context, c *call[guard.None, project]) (guard.None, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.is("deletes everything") {
			clear(s.projects)
		}
		delete(s.projects, c.Resource.ID)
		return guard.None{}, nil
	}))
	move := guard.OwnedInput(func(m moveNote) string { return m.Target }, s.project, s.owns, s.move)
	if s.is("takes any id in the input") {
		s.handle("POST /move", guard.New(users, guard.JSON[moveNote], guard.NoResource, perCaller, s.errs, done))
	} else {
		s.handle("POST /move", guard.New(users, guard.JSON[moveNote], guard.NoResource, perCaller, s.errs, move))
	}
	s.handle("POST /pictures", guard.New(users, guard.Form[picture], guard.NoResource, perCaller, s.errs, done))
	if s.is("remembers sessions that signed out") { // elsewhere than here
		users = guard.Bearer(s.session)
	}
	s.handle("POST /logout", guard.New(users, guard.NoPayload, guard.NoResource, perCaller, s.errs, func(_ context.Context, c *call[guard.None, guard.None]) (guard.None, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, token, _ := strings.Cut(c.Request.Header.Get("Authorization"), " ")
		s.revoked[token] = !s.is("does not sign out")
		return guard.None{}, nil
	}))
	s.handle("POST /raw", guard.Wrap(users, guard.RawBody(1<<12), guard.NoResource, perCaller, s.errs, http.HandlerFunc(s.raw)))
	both := guard.And(perCaller, s.limits.InFlightPerCaller(2), guard.PerInput(s.limits, func(n newProject) string { return "all" }, 5, time.Minute))
	if s.is("has more places than it says") {
		s.handle("POST /jobs", guard.New(users, guard.JSON[newProject], guard.NoResource, both, s.errs, done),
			guard.New(users, guard.JSON[newProject], guard.NoResource, guard.And(perCaller, guard.PerInput(s.limits, func(n newProject) string { return "all" }, 5, time.Minute)), s.errs, done))
	} else {
		s.handle("POST /jobs", guard.New(users, guard.JSON[newProject], guard.NoResource, both, s.errs, done))
	}
}

// move is a handler whose input may name a second resource, which nothing checks.
func (s *sample) move(_ context.Context, c *call[moveNote, project]) (guard.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.is("follows another id in the input") {
		delete(s.projects, c.Input.From)
	}
	return guard.None{}, nil
}

func (s *sample) create(r *http.Request, owner, name string) (guard.Reply[project], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if forged := r.Header.Get("X-User-Id"); forged != "" && s.is("creates for X-User-Id") {
		owner = forged
	}
	for _, p := range s.projects {
		if p.Name != name || p.Owner != owner {
			continue
		}
		switch {
		case s.is("tells the error of the database"):
			return guard.Reply[project]{}, guard.Fail(409, "taken", `UNIQUE constraint failed: projects.name`)
		case s.is("breaks on a repeat"):
			return guard.Reply[project]{}, errors.New("taken")
		case s.is("panics on a repeat"):
			panic("taken")
		}
		return guard.Reply[project]{}, guard.Fail(409, "taken", "The name is taken.")
	}
	if s.is("tells its own error") && strings.Contains(name, "{{") {
		return guard.Reply[project]{}, guard.Fail(422, "name", "projects: malformed name")
	}
	if s.is("echoes what it refuses") && strings.Contains(name, "{{") {
		return guard.Reply[project]{}, guard.Fail(422, "name", "The name "+name+" is not allowed.")
	}
	s.next++
	p := project{fmt.Sprintf("p-%d", s.next), owner, people[owner].tenant, name, "private"}
	s.projects[p.ID] = p
	return guard.Created("/projects/"+p.ID, p), nil
}

func (s *sample) rename(p project, name string) (project, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Name = name
	if s.is("changes the row of another") {
		other := s.projects["p-ben"]
		other.Name = name
		s.projects["p-ben"] = other
	}
	s.projects[p.ID] = p
	return p, nil
}

// raw reads a body of its own.
func (s *sample) raw(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name string `json:"name"`
		Role string `json:"role"`
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "bad body", http.StatusRequestEntityTooLarge)
		return
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	if !s.is("decodes leniently") && !s.is("tells the error of the decoder") {
		if string(b) != `{"name":"a name"}` {
			http.Error(w, "bad body", http.StatusBadRequest)
			return
		}
	}
	if err := d.Decode(&in); err != nil {
		text := "bad body"
		if s.is("tells the error of the decoder") {
			text = err.Error()
		}
		http.Error(w, text, http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *sample) publicRoutes(users guard.Authenticator[person], perCaller guard.Limit) {
	s.handle("GET /search", guard.New(guard.Anyone, guard.Query[find], guard.NoResource, s.limits.PerIP(10, time.Minute), s.errs,
		func(_ context.Context, c *guard.Call[guard.Anonymous, find, guard.None]) ([]project, error) {
			if kept, ok := s.lists.Load("search"); ok && s.is("keeps a search for the next one") {
				return kept.([]project), nil
			}
			found := s.list(func(p project) bool {
				return strings.Contains(p.Name, c.Input.Q) && (p.Visibility == "team" || s.is("finds what is private"))
			})
			s.lists.Store("search", found)
			return found, nil
		}))
	admins := guard.Only(users, person.IsAdmin)
	promote := guard.New(admins, guard.NoPayload, guard.Authorize("userID", guard.ParseString, func(_ context.Context, _ person, id string) (person, error) { return people[id], nil }),
		perCaller, s.errs, done)
	if s.is("forgets the role") {
		s.handle("POST /admin/{userID}", promote, guard.New(users, guard.NoPayload, guard.Authorize("userID", guard.ParseString,
			func(_ context.Context, _ person, id string) (person, error) { return people[id], nil }), perCaller, s.errs, done))
	} else {
		s.handle("POST /admin/{userID}", promote)
	}
	account := sign.account
	if s.is("counts each spelling of an account") {
		account = func(s sign) string { return s.Email }
	}
	s.handle("POST /login", guard.New(guard.Anyone, guard.JSON[sign], guard.NoResource, guard.And(s.limits.PerIP(5, time.Minute), guard.SlowDown(s.limits, account)), s.errs, s.login))
	s.limited(users)
	s.hook()
	s.open()
}

func (s *sample) login(_ context.Context, c *guard.Call[guard.Anonymous, sign, guard.None]) (guard.Reply[string], error) {
	var none guard.Reply[string]
	wrong := guard.Fail(401, "wrong_credentials", "The address or the password is wrong.")
	switch {
	case c.Input.account() != "ann@example.com" && s.is("tells accounts apart"):
		return none, guard.Fail(401, "no_account", "There is no such account.")
	case c.Input.account() != "ann@example.com" || c.Input.Password != "the right password" && !s.is("takes any password"):
		return none, wrong
	}
	cookie := mutantCookie.Set(mutantToken("ann", time.Hour), time.Now().Add(time.Hour))
	cookie.HttpOnly = !s.is("sets a cookie that scripts read")
	cookies := []*http.Cookie{cookie}
	if s.is("sets a token in a plain cookie") {
		cookies = append(cookies, &http.Cookie{Name: "id", Value: cookie.Value, Path: "/"})
	}
	return guard.Reply[string]{Cookies: cookies, Body: "welcome"}, nil
}

// limited is a route whose limit is missing, or is none.
func (s *sample) limited(users guard.Authenticator[person]) {
	limit := s.limits.PerCaller(7, time.Minute)
	guarded := func(l guard.Limit) *guard.Guard[guard.None] {
		return guard.New(users, guard.NoPayload, guard.NoResource, l, s.errs, done)
	}
	switch s.fault {
	case "is unlimited":
		s.handle("POST /limited", guarded(guard.Unlimited("later")))
	case "has a shadow for a limit":
		s.handle("POST /limited", guarded(limit.Shadow()))
	case "admits more than it says":
		s.handle("POST /limited", guarded(limit), guarded(s.limits.PerCaller(20, time.Minute)))
	case "counts by a header":
		byHeader := guard.PerKey(s.limits, func(_ person, r *http.Request) string { return "of " + r.Header.Get("X-Forwarded-For") }, 7, time.Minute)
		s.handle("POST /limited", guarded(limit), guarded(byHeader))
	case "counts each credential alone":
		s.handle("POST /limited", guarded(limit), guarded(s.byCredential()))
	case "counts everybody together":
		s.handle("POST /limited", guarded(limit), guarded(s.limits.Global(7, time.Minute)))
	default:
		s.handle("POST /limited", guarded(limit))
	}
}

func (s *sample) hook() {
	who, err := guard.Signed(guard.Webhook{Secrets: []string{"whsec_" + base64.StdEncoding.EncodeToString(mutantSecret)}})
	if err != nil {
		panic(err)
	}
	g := guard.New(who, guard.JSON[event], guard.NoResource, s.limits.PerIP(30, time.Minute), s.errs, done)
	if s.is("does not check signatures") {
		open := guard.New(guard.Anyone, guard.JSON[event], guard.NoResource, s.limits.PerIP(30, time.Minute), s.errs, done)
		s.handle("POST /hook", g, open)
		return
	}
	s.handle("POST /hook", g)
}

// open are routes that nothing guards.
func (s *sample) open() {
	s.routes = append(s.routes, checklist.Route{Pattern: "GET /healthz", Unguarded: "a probe"})
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		switch s.fault {
		case "shows what is private on an open route":
			fmt.Fprintln(w, s.projects["p-ben"].Name)
		case "panics on an open route":
			panic(r.URL.RawQuery)
		case "tells an error on an open route":
			http.Error(w, "dial tcp 10.0.0.1:5432: connection refused", http.StatusBadRequest)
		case "redirects to where the query says":
			if to := r.URL.Query().Get("return_to"); to != "" {
				http.Redirect(w, r, to, http.StatusFound)
			}
		case "writes the query into a page":
			fmt.Fprintf(w, "<p>%s</p>", r.URL.Query().Get("q"))
		case "echoes on an open route":
			http.Redirect(w, r, "https://"+r.Host+"/", http.StatusFound)
		}
	})
}

// leaky is a handler with another fault, beside the guard that the checklist shows.
func (s *sample) leaky(pattern string) []http.Handler {
	switch s.fault {
	case "lets nobody in":
		return []http.Handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "12345678")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cache-Control", "no-store")
			_, _ = io.WriteString(w, `"ann"`)
		})}
	case "takes the credential from the query":
		inner := guard.New(guard.Bearer(s.verify), guard.NoPayload, guard.NoResource, s.limits.PerCaller(40, time.Minute), s.errs, done)
		return []http.Handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if token := r.URL.Query().Get("access_token"); token != "" {
				r = r.Clone(r.Context())
				r.Header.Set("Authorization", "Bearer "+token)
				r.URL.RawQuery = ""
			}
			inner.ServeHTTP(w, r)
		})}
	case "lets any site read":
		return []http.Handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if origin := r.Header.Get("Origin"); origin != "" {
				w.Header().Set("Access-Control-Allow-Origin", origin)
			}
			guard.New(guard.Bearer(s.verify), guard.NoPayload, guard.NoResource, s.limits.PerCaller(40, time.Minute), s.errs, done).ServeHTTP(w, r)
		})}
	case "answers errors in another shape":
		return []http.Handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "12345678")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cache-Control", "no-store")
			token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if p, err := s.verify(r.Context(), token); err != nil || p.id != "ann" {
				http.Error(w, "who are you?", http.StatusUnauthorized)
			}
		})}
	case "serves any method":
		s.mux.HandleFunc("DELETE "+strings.TrimPrefix(pattern, "GET "), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	}
	return nil
}

// lenient is the handler that was there before the guard.
func (s *sample) lenient(_ string, users guard.Authenticator[person]) []http.Handler {
	strict := guard.New(users, guard.JSON[newProject], guard.NoResource, s.limits.PerCaller(40, time.Minute), s.errs, done)
	change := map[string]func(r *http.Request){
		"does not check origins": func(r *http.Request) {
			r.Header.Del("Origin")
			r.Header.Del("Sec-Fetch-Site")
		},
		"takes any media type":    func(r *http.Request) { r.Header.Set("Content-Type", "application/json") },
		"takes any size":          func(r *http.Request) { s.rewrite(r, strings.TrimSpace) },
		"takes any query":         func(r *http.Request) { r.URL.RawQuery = "" },
		"drops what it knows not": func(r *http.Request) { s.rewrite(r, s.known) },
	}[s.fault]
	if change == nil {
		return nil
	}
	return []http.Handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		change(r)
		strict.ServeHTTP(w, r)
	})}
}

func (s *sample) rewrite(r *http.Request, change func(string) string) {
	b, _ := io.ReadAll(r.Body)
	text := change(string(b))
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
}

// known decodes as encoding/json does, and passes on what it knows.
func (s *sample) known(text string) string {
	var in map[string]any
	if json.Unmarshal([]byte(text), &in) != nil {
		return text
	}
	for name := range in {
		if !slices.Contains([]string{"name", "visibility", "detail", "rank"}, name) {
			delete(in, name)
		}
	}
	b, _ := json.Marshal(in)
	return string(b)
}

// early decodes the body before it looks whose the resource is.
func (s *sample) early(_ string, own func() guard.Authorizer[person, project]) []http.Handler {
	if !s.is("reads the body before it checks the owner") {
		return nil
	}
	inner := guard.New(guard.Bearer(s.verify), guard.JSON[newProject], own, s.limits.PerCaller(40, time.Minute), s.errs, done)
	check := guard.New(guard.Bearer(s.verify), guard.JSON[newProject], guard.NoResource, s.limits.PerCaller(40, time.Minute), s.errs, done)
	return []http.Handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		again := func() { r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(b))), int64(len(b)) }
		again()
		probe := httptest.NewRecorder()
		if check.ServeHTTP(probe, r); probe.Code == 400 {
			w.Header().Set("X-Request-Id", probe.Header().Get("X-Request-Id"))
			check.ServeHTTP(w, r)
			return
		}
		again()
		inner.ServeHTTP(w, r)
	})}
}

func (s *sample) fixtures() Fixtures {
	user := func(id string) User {
		token := mutantToken(id, time.Hour)
		return User{ID: id, Bearer: token, Cookie: token, IDs: map[string]string{"projectID": "p-" + id, "noteID": "n-" + id, "itemID": itemID(id, 1)}}
	}
	ann, ben, cat, root := user("ann"), user("ben"), user("cat"), user("root")
	ann.APIKey = "key-of-ann-0123456789"
	ann.Secrets, ben.Secrets, cat.Secrets = []string{"the profile of ann"}, []string{"the profile of ben", "Secret plan of Ben Miller"}, []string{"Cellar of Cat in town"}
	root.IDs = map[string]string{"userID": "ben"}
	named := newProject{Name: "A new name", Visibility: "team"}
	named.Detail.Color = "red"
	expired := mutantToken("ann", -time.Hour)
	return Fixtures{
		Owner: ann, Stranger: ben, Tenant: cat,
		Roles: map[string]Role{"person.IsAdmin": {With: root}},
		Inputs: []Input{
			Valid("POST /projects", named), Valid("PATCH /projects/{projectID}", named), Valid("POST /jobs", named),
			s.membership(),
			Valid("POST /move", moveNote{Target: "p-ann"}), Valid("GET /search", find{Q: "roses"}),
			Valid("POST /pictures", picture{"A picture", File("p.png", "image/png", []byte("\x89PNG\r\n\x1a\ndata"))}),
			Valid("POST /login", sign{"ann@example.com", "the right password"}),
			Refused("POST /login", sign{"ann@example.com", "wrong"}, sign{"nobody@example.com", "wrong"}),
			Raw("POST /raw", "application/json", []byte(`{"name":"a name"}`)),
			Valid("POST /hook", event{"paid"}),
		},
		Bad:     map[string]User{"expired": {Bearer: expired, Cookie: expired}},
		Deleted: map[string]string{"projectID": "p-old", "noteID": "n-old", "userID": "nobody"},
		Sign:    signMutant,
		SignOut: "POST /logout",
		Never:   []string{string(mutantKey)},
	}
}

func (s *sample) membership() Input {
	if s.is("lets clients set the role") {
		return Valid("POST /members", newProjectWithRole{Name: "A new name"})
	}
	return Valid("POST /members", newProject{Name: "A new name"})
}

var messages = struct {
	sync.Mutex
	n int
}{}

func signMutant(r *http.Request, body []byte, at time.Time) {
	messages.Lock()
	messages.n++
	id := fmt.Sprint("msg_", messages.n)
	messages.Unlock()
	m := hmac.New(sha256.New, mutantSecret)
	fmt.Fprintf(m, "%s.%d.%s", id, at.Unix(), body)
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", fmt.Sprint(at.Unix()))
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
}

func newSampleService(fault string) *service {
	s := newSample(fault).build()
	return newService(struct {
		http.Handler
		checklist.List
	}{s.telling(s.mux), s.routes}, s.fixtures())
}

// attackSample attacks the routes of the service, or one of them.
func attackSample(fault, pattern string, kinds []kind) []RouteReport {
	open := func() *service { return newSampleService(fault) }
	var all []RouteReport
	for _, route := range open().Routes() {
		if pattern == "" || route.Pattern == pattern {
			all = append(all, attackRoute(route, open, map[string]bool{}, kinds))
		}
	}
	return all
}
