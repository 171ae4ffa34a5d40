package guard_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/routeguard/guard"
)

// The route that the benchmarks measure: a token, a row with an owner, a strict
// body of three fields, a limit, a JSON answer.

type EditProject struct {
	Name        *string `json:"name"        normalize:"trim" validate:"omitnil,min=3,max=80"`
	Visibility  *string `json:"visibility"  validate:"omitnil,oneof=private team"`
	Description *string `json:"description" validate:"omitnil,max=2000"`
}

type EditedProject struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Visibility  string `json:"visibility"`
	Description string `json:"description"`
}

type tokenUser struct{ id, role string }

func (u *tokenUser) Subject() string { return u.id }

type editable struct {
	id      uuid.UUID
	ownerID string
	view    EditedProject
}

func (p *editable) ownedBy(u *tokenUser) bool { return p.ownerID == u.id }

var (
	routeSecret = []byte("0123456789abcdef0123456789abcdef")
	ownRow      = uuid.MustParse("0198f000-0000-7000-8000-0000000000a1")
	foreignRow  = uuid.MustParse("0198f000-0000-7000-8000-0000000000b2")
	missingRow  = uuid.MustParse("0198f000-0000-7000-8000-0000000000c3")
)

const (
	routeBody    = `{"name":"Apollo","visibility":"team","description":"To the moon and back."}`
	routeUser    = "0198f000-0000-7000-8000-00000000a11c"
	routePattern = "PATCH /projects/{projectID}"
)

// routeSettings is what the cases of a benchmark differ in.
type routeSettings struct {
	cache  int // of JWT.CacheSize
	perMin int // of the limit
	log    *slog.Logger
}

// newRoute returns the route behind a Mux, as a service would register it.
func newRoute(tb testing.TB, s routeSettings) http.Handler {
	tb.Helper()
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	tell := &guard.Responder{Log: s.log}
	mux := guard.NewMux(tell)
	mux.Handle(routePattern, newRouteGuard(newRouteVerifier(tb, s.cache), &guard.Limiter{}, s.perMin, tell))
	return mux
}

func newRouteVerifier(tb testing.TB, cache int) *guard.JWTVerifier {
	tb.Helper()
	verifier, err := guard.NewJWT(guard.JWT{Issuer: "https://issuer.example", Audience: []string{"projects"},
		Algorithms: []string{"HS256"}, Key: routeSecret, CacheSize: cache})
	if err != nil {
		tb.Fatal(err)
	}
	return verifier
}

func newRouteGuard(verifier *guard.JWTVerifier, limits *guard.Limiter, perMin int, tell *guard.Responder) *guard.Guard[EditProject] {
	rows := map[uuid.UUID]*editable{
		ownRow:     {id: ownRow, ownerID: routeUser, view: EditedProject{ID: ownRow.String()}},
		foreignRow: {id: foreignRow, ownerID: "somebody else", view: EditedProject{ID: foreignRow.String()}},
	}
	users := map[string]*tokenUser{routeUser: {id: routeUser, role: "member"}}
	session := func(_ context.Context, c guard.Claims) (*tokenUser, error) {
		if u := users[c.Subject]; u != nil {
			return u, nil
		}
		return nil, guard.ErrNoSession
	}
	load := func(_ context.Context, id uuid.UUID) (*editable, error) {
		if p := rows[id]; p != nil {
			return p, nil
		}
		return nil, guard.ErrNotFound
	}
	return guard.New(
		guard.Bearer(guard.SessionFrom(verifier, session)),
		guard.JSON[EditProject],
		guard.Owned("projectID", guard.ParseUUID, load, (*editable).ownedBy),
		limits.PerCaller(perMin, time.Minute),
		tell,
		func(_ context.Context, c *guard.Call[*tokenUser, EditProject, *editable]) (EditedProject, error) {
			view := c.Resource.view
			for _, set := range []struct{ to, from *string }{
				{&view.Name, c.Input.Name}, {&view.Visibility, c.Input.Visibility}, {&view.Description, c.Input.Description}} {
				if set.from != nil {
					*set.to = *set.from
				}
			}
			return view, nil
		})
}

func routeToken(tb testing.TB, secret []byte, id string) string {
	tb.Helper()
	now := time.Now().Unix()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "https://issuer.example", "aud": "projects",
		"sub": routeUser, "role": "member", "iat": now, "exp": now + 3600, "jti": id}).SignedString(secret)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// rewound is a request body that is sent again and again.
type rewound struct{ bytes.Reader }

func (*rewound) Close() error { return nil }

// client sends one request over and over, at no cost of its own.
type client struct {
	request http.Request
	text    []byte
	body    rewound
	header  http.Header
	status  int
	answer  []byte
}

func newClient(row uuid.UUID, token, body string) *client {
	c := &client{text: []byte(body), header: http.Header{}}
	c.request = http.Request{Method: http.MethodPatch, Host: "api.example", RemoteAddr: "192.0.2.1:1234", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"bench"}, "Accept": {"*/*"}}, Body: &c.body, ContentLength: int64(len(body))}
	c.request.RequestURI = "/projects/" + row.String()
	c.request.URL = &url.URL{Path: c.request.RequestURI}
	if token != "" {
		c.request.Header["Authorization"] = []string{"Bearer " + token}
	}
	return c
}

func (c *client) send(h http.Handler) int {
	clear(c.header)
	c.status, c.answer = 0, c.answer[:0]
	c.body.Reset(c.text)
	h.ServeHTTP(c, &c.request)
	return c.status
}

func (c *client) Header() http.Header { return c.header }

func (c *client) WriteHeader(status int) { c.status = status }

func (c *client) Write(b []byte) (int, error) {
	c.answer = append(c.answer, b...)
	return len(b), nil
}

// BenchmarkRoute is the cost of a guarded route, the mux included.
//
//	go test -run '^$' -bench '^BenchmarkRoute$' -count 8 .
func BenchmarkRoute(b *testing.B) {
	never := math.MaxInt32
	token := routeToken(b, routeSecret, "1")
	forged := routeToken(b, []byte("fedcba9876543210fedcba9876543210"), "1")
	benchmarks := []struct {
		name     string
		settings routeSettings
		client   *client
		want     int
	}{
		{name: "success", settings: routeSettings{perMin: never}, client: newClient(ownRow, token, routeBody), want: http.StatusOK},
		{name: "success without token cache", settings: routeSettings{perMin: never, cache: -1}, client: newClient(ownRow, token, routeBody), want: http.StatusOK},
		{name: "no token", settings: routeSettings{perMin: never}, client: newClient(ownRow, "", routeBody), want: http.StatusUnauthorized},
		{name: "forged token", settings: routeSettings{perMin: never}, client: newClient(ownRow, forged, routeBody), want: http.StatusUnauthorized},
		{name: "rate limited", settings: routeSettings{perMin: 1}, client: newClient(ownRow, token, routeBody), want: http.StatusTooManyRequests},
		{name: "bad JSON", settings: routeSettings{perMin: never}, client: newClient(ownRow, token, `{"name":"Apollo",`), want: http.StatusBadRequest},
		{name: "unknown field", settings: routeSettings{perMin: never}, client: newClient(ownRow, token, `{"name":"Apollo","admin":true}`), want: http.StatusBadRequest},
		{name: "invalid field", settings: routeSettings{perMin: never}, client: newClient(ownRow, token, `{"name":"A","visibility":"team"}`), want: http.StatusBadRequest},
		{name: "another's row", settings: routeSettings{perMin: never}, client: newClient(foreignRow, token, routeBody), want: http.StatusNotFound},
		{name: "a missing row", settings: routeSettings{perMin: never}, client: newClient(missingRow, token, routeBody), want: http.StatusNotFound},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			h := newRoute(b, bb.settings)
			newClient(ownRow, token, routeBody).send(h) // it has served before
			if got := bb.client.send(h); got != bb.want {
				b.Fatalf("got %d %s, want %d", got, bb.client.answer, bb.want)
			}
			b.ReportAllocs()
			for b.Loop() {
				bb.client.send(h)
			}
		})
	}
	b.Run("refusal with a log", func(b *testing.B) {
		h := newRoute(b, routeSettings{perMin: never, log: slog.New(slog.NewJSONHandler(io.Discard, nil))})
		c := newClient(ownRow, "", routeBody)
		b.ReportAllocs()
		for b.Loop() {
			c.send(h)
		}
	})
	b.Run("success in parallel", func(b *testing.B) {
		h := newRoute(b, routeSettings{perMin: never})
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			c := newClient(ownRow, token, routeBody)
			for pb.Next() {
				c.send(h)
			}
		})
	})
}

// BenchmarkRouteNewTokens is the success of tokens that were never seen before.
func BenchmarkRouteNewTokens(b *testing.B) {
	const cache = 1024
	tokens := make([]string, 8*cache) // forgotten before their turn comes again
	for i := range tokens {
		tokens[i] = "Bearer " + routeToken(b, routeSecret, strconv.Itoa(i))
	}
	h := newRoute(b, routeSettings{perMin: math.MaxInt32, cache: cache})
	c := newClient(ownRow, "x", routeBody)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		c.request.Header["Authorization"][0] = tokens[i%len(tokens)]
		i++
		if got := c.send(h); got != http.StatusOK {
			b.Fatalf("got %d %s, want 200", got, strings.TrimSpace(string(c.answer)))
		}
	}
}

// BenchmarkNew is the construction of the guard of a route.
func BenchmarkNew(b *testing.B) {
	verifier := newRouteVerifier(b, 0)
	limits, tell := &guard.Limiter{}, &guard.Responder{}
	b.ReportAllocs()
	for b.Loop() {
		newRouteGuard(verifier, limits, 10, tell)
	}
}
