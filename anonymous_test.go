package guard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// shopper greets those who are signed in, and serves all others.
func shopper(_ context.Context, c *guard.Call[guard.Maybe[User], guard.None, guard.None]) (string, error) {
	if u, ok := c.Caller.Session(); ok {
		return "hello " + u.ID, nil
	}
	return "hello", nil
}

func TestAllowAnonymous(t *testing.T) {
	t.Parallel()
	s := &service{}
	origins, err := guard.ParseOrigins("https://app.example")
	if err != nil {
		t.Fatal(err)
	}
	users := guard.FirstOf(guard.Bearer(s.verify), guard.Cookie("__Host-session", s.verify))
	anonymous := guard.AllowAnonymous(users)
	widened := guard.AllowOrigins(origins, anonymous)
	inside := guard.AllowAnonymous(guard.AllowOrigins(origins, users))
	admins := guard.AllowAnonymous(guard.Only(users, User.IsAdmin))
	const cookie = "Cookie: __Host-session=alice-token"
	tests := []struct {
		name      string
		who       guard.Authenticator[guard.Maybe[User]]
		fields    []string
		status    int
		want      string
		challenge string
	}{
		{name: "no credential", who: anonymous, status: 200, want: `"hello"`},
		{name: "another scheme is no credential", who: anonymous, fields: []string{"Authorization: Basic YTpi"}, status: 200, want: `"hello"`},
		{name: "a token", who: anonymous, fields: []string{alice}, status: 200, want: `"hello alice"`},
		{name: "a cookie", who: anonymous, fields: []string{cookie}, status: 200, want: `"hello alice"`},
		{name: "a bad token", who: anonymous, fields: []string{"Authorization: Bearer x"}, status: 401, challenge: `Bearer error="invalid_token"`},
		{name: "a malformed token", who: anonymous, fields: []string{"Authorization: Bearer"}, status: 401, challenge: `Bearer error="invalid_token"`},
		{name: "a bad cookie", who: anonymous, fields: []string{"Cookie: __Host-session=x"}, status: 401, challenge: "Bearer"},
		{name: "a session without a subject is not anonymous", who: anonymous, fields: []string{"Authorization: Bearer nobody-token"}, status: 401, challenge: `Bearer error="invalid_token"`},
		{name: "a broken store is not anonymous", who: anonymous, fields: []string{"Authorization: Bearer broken-token"}, status: 503},
		{name: "no credential, from a foreign page", who: anonymous, fields: []string{"Origin: https://evil.example"}, status: 403},
		{name: "a cookie from a foreign page", who: anonymous, fields: []string{cookie, "Origin: https://evil.example"}, status: 403},
		{name: "a token from a foreign page", who: anonymous, fields: []string{alice, "Origin: https://evil.example"}, status: 200, want: `"hello alice"`},
		{name: "no credential, from an allowed origin", who: widened, fields: []string{"Origin: https://app.example"}, status: 200, want: `"hello"`},
		{name: "a cookie from an allowed origin", who: widened, fields: []string{cookie, "Origin: https://app.example"}, status: 200, want: `"hello alice"`},
		{name: "no credential, origins allowed inside", who: inside, fields: []string{"Origin: https://app.example"}, status: 200, want: `"hello"`},
		{name: "a role holds", who: admins, fields: []string{admin}, status: 200, want: `"hello admin"`},
		{name: "a role does not hold", who: admins, fields: []string{alice}, status: 403, challenge: `Bearer error="insufficient_scope"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			errs := &guard.Responder{Log: (&logBuffer{}).logger()}
			r := send(route("POST /", errs, guard.New(tt.who, guard.NoPayload, guard.NoResource, free, errs, shopper)), "POST", "/", "", tt.fields...)
			if got := strings.TrimSpace(readBody(t, r)); r.StatusCode != tt.status || tt.want != "" && got != tt.want {
				t.Errorf("got %d %s, want %d %s", r.StatusCode, got, tt.status, tt.want)
			}
			if got := r.Header.Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("got challenge %q, want %q", got, tt.challenge)
			}
			if got := r.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("got Cache-Control %q, want no-store", got)
			}
		})
	}
}

// Anonymous callers have no subject: they are counted by address, apart from sessions.
func TestPerCallerCountsAnonymousByAddress(t *testing.T) {
	t.Parallel()
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	mux := route("GET /", errs, guard.New(guard.AllowAnonymous(guard.Bearer((&service{}).verify)), guard.NoPayload, guard.NoResource,
		(&guard.Limiter{}).PerCaller(1, time.Hour), errs, shopper))
	for i, step := range []struct {
		fields []string
		want   int
	}{
		{nil, 200},
		{nil, 429},
		{[]string{alice}, 200},
		{[]string{alice}, 429},
		{[]string{bob}, 200},
		{[]string{"Remote: 198.51.100.7:1234"}, 200},
		{[]string{"Remote: 198.51.100.7:4321"}, 429},
		{[]string{"Remote: [2001:db8::1]:1"}, 200},
		{[]string{"Remote: [2001:db8::2]:1"}, 429},
		{[]string{"Remote: @"}, 500},
	} {
		if r := send(mux, "GET", "/", "", step.fields...); r.StatusCode != step.want {
			t.Errorf("step %d: got %d, want %d", i, r.StatusCode, step.want)
		}
	}
}

func TestAnonymousCallersOwnNothing(t *testing.T) {
	t.Parallel()
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	load := func(context.Context, string) (*Project, error) { return &Project{}, nil }
	owns := func(*Project, guard.Maybe[User]) bool { return true }
	mux := route("GET /{id}", errs, guard.New(guard.AllowAnonymous(guard.Bearer((&service{}).verify)), guard.NoPayload,
		guard.Owned("id", guard.ParseString, load, owns), free, errs,
		func(context.Context, *guard.Call[guard.Maybe[User], guard.None, *Project]) (guard.None, error) {
			return guard.None{}, nil
		}))
	for fields, want := range map[string]int{alice: 204, "X-Nothing: 1": 404} {
		if r := send(mux, "GET", "/1", "", fields); r.StatusCode != want {
			t.Errorf("%s: got %d, want %d", fields, r.StatusCode, want)
		}
	}
}

func TestMaybe(t *testing.T) {
	t.Parallel()
	var nobody guard.Maybe[User]
	if _, ok := nobody.Session(); ok || nobody.Subject() != "" {
		t.Errorf("the zero Maybe is somebody: %v", nobody)
	}
	if _, ok := guard.Known((*pointerUser)(nil)).Session(); ok {
		t.Error("a nil session is somebody")
	}
	if _, ok := guard.Known(User{}).Session(); ok {
		t.Error("a session without a subject is somebody")
	}
	m := guard.Known(User{ID: "alice", Role: "secret-role"})
	if u, ok := m.Session(); !ok || u.ID != "alice" || m.Subject() != "alice" {
		t.Errorf("got %v %v", u, ok)
	}
	if text := fmt.Sprintf("%v %+v %#v %s %d", m, m, m, m.String(), m); strings.Contains(text, "secret-role") {
		t.Errorf("got %q", text)
	}
	verify := func(context.Context, string) (User, error) { return User{}, errors.New("unused") }
	anonymous := guard.AllowAnonymous(guard.Bearer(verify))
	mustPanic(t, "Only", "put AllowAnonymous around Only", func() { guard.Only(anonymous, func(guard.Maybe[User]) bool { return true }) })
	mustPanic(t, "FirstOf", "put AllowAnonymous around FirstOf", func() { guard.FirstOf(anonymous) })
	mustPanic(t, "twice", "is not a credential", func() { guard.AllowAnonymous(anonymous) })
	mustPanic(t, "Anyone", "is not a credential", func() { guard.AllowAnonymous(guard.Anyone) })
	mustPanic(t, "zero", "is not a credential", func() { guard.AllowAnonymous(guard.Authenticator[User]{}) })
}
