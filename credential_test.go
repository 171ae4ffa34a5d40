package guard_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/routeguard/guard"
)

// A verifier may believe whatever it is given. What is malformed ends before it: the same
// 401, and no look-up.
func TestMalformedCredentialsReachNoVerifier(t *testing.T) {
	t.Parallel()
	var asked []string
	believe := func(_ context.Context, credential string) (User, error) {
		asked = append(asked, credential)
		return User{ID: "anyone"}, nil
	}
	mux := behind(guard.FirstOf(guard.Bearer(believe), guard.APIKey("X-API-Key", believe), guard.Cookie("__Host-session", believe)), &logBuffer{})
	long := strings.Repeat("a", 8<<10)
	tests := []struct {
		name   string
		fields []string
		status int
	}{
		{name: "a token of 8 KiB", fields: []string{"Authorization: Bearer " + long}, status: 200},
		{name: "a token over 8 KiB", fields: []string{"Authorization: Bearer " + long + "a"}, status: 401},
		{name: "no token", fields: []string{"Authorization: Bearer"}, status: 401},
		{name: "an empty token", fields: []string{"Authorization: Bearer "}, status: 401},
		{name: "padding alone", fields: []string{"Authorization: Bearer =="}, status: 401},
		{name: "a token with a space", fields: []string{"Authorization: Bearer a b"}, status: 401},
		{name: "a token with a comma", fields: []string{"Authorization: Bearer a,b"}, status: 401},
		{name: "a token with a control character", fields: []string{"Authorization: Bearer a\x01"}, status: 401},
		{name: "a token that is not ASCII", fields: []string{"Authorization: Bearer ä"}, status: 401},
		{name: "two tokens", fields: []string{"Authorization: Bearer a", "Authorization: Bearer b"}, status: 401},
		{name: "no scheme", fields: []string{"Authorization:  a"}, status: 401},
		{name: "a key of 8 KiB", fields: []string{"X-API-Key: " + long}, status: 200},
		{name: "a key over 8 KiB", fields: []string{"X-API-Key: " + long + "a"}, status: 401},
		{name: "a key with a space", fields: []string{"X-API-Key: a b"}, status: 401},
		{name: "a key that is not ASCII", fields: []string{"X-API-Key: ä"}, status: 401},
		{name: "two keys", fields: []string{"X-API-Key: a", "X-API-Key: b"}, status: 401},
		{name: "a cookie of 8 KiB", fields: []string{"Cookie: __Host-session=" + long}, status: 200},
		{name: "a cookie over 8 KiB", fields: []string{"Cookie: __Host-session=" + long + "a"}, status: 401},
		{name: "an empty cookie", fields: []string{"Cookie: __Host-session="}, status: 401},
		{name: "a quoted cookie", fields: []string{`Cookie: __Host-session="a"`}, status: 401},
		{name: "two cookies", fields: []string{"Cookie: __Host-session=a; __Host-session=b"}, status: 401},
	}
	for _, tt := range tests {
		asked = nil
		r := send(mux, http.MethodPost, "/", "", tt.fields...)
		if r.StatusCode != tt.status || len(asked) != 0 != (tt.status == 200) {
			t.Errorf("%s: got %d and asked %d times, want %d", tt.name, r.StatusCode, len(asked), tt.status)
		}
	}
}

// An Authenticator is shared by routes: what one of them adds is not the others'.
func TestNarrowingChangesACopy(t *testing.T) {
	t.Parallel()
	users := guard.FirstOf(guard.Bearer((&service{}).verify), guard.Cookie("__Host-session", (&service{}).verify))
	origins, err := guard.ParseOrigins("https://app.example")
	if err != nil {
		t.Fatal(err)
	}
	guard.Only(users, User.IsAdmin)
	guard.AllowOrigins(origins, users)
	guard.KeepCredential(users)
	ada := guard.Only(guard.Only(users, User.IsAdmin), func(u User) bool { return u.ID == "ada" })
	guard.Only(guard.Only(users, User.IsAdmin), func(User) bool { return true })
	const cookie = "Cookie: __Host-session=alice-token"

	log := &logBuffer{}
	if r := send(behind(users, log), "POST", "/", "", alice); r.StatusCode != 200 {
		t.Errorf("a caller without the role of another route: got %d, want 200", r.StatusCode)
	}
	if r := send(behind(users, log), "POST", "/", "", cookie, "Origin: https://app.example"); r.StatusCode != 403 {
		t.Errorf("an origin that another route allows: got %d, want 403", r.StatusCode)
	}
	if r := send(behind(ada, log), "POST", "/", "", admin); r.StatusCode != 403 {
		t.Errorf("the second role of another route: got %d, want 403", r.StatusCode)
	}
	var seen string
	errs := &guard.Responder{Log: log.logger()}
	wrapped := guard.Wrap(users, guard.NoPayload, guard.NoResource, free, errs,
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get("Authorization") }))
	if r := send(wrapped, "POST", "/", "", alice); r.StatusCode != 200 || seen != "" {
		t.Errorf("a credential that another route keeps: got %d and %q, want 200 without it", r.StatusCode, seen)
	}
}

// Nobody owns what it names in the input, whatever the rule says.
func TestAnonymousCallersOwnNothingThatTheyName(t *testing.T) {
	t.Parallel()
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	load := func(context.Context, string) (*Project, error) { return &Project{Name: "x"}, nil }
	owns := func(*Project, guard.Anonymous) bool { return true }
	g := guard.New(guard.Anyone, guard.JSON[note], guard.NoResource, free, errs,
		guard.OwnedInput(func(n note) string { return n.Text }, load, owns,
			func(context.Context, *guard.Call[guard.Anonymous, note, *Project]) (guard.None, error) {
				t.Error("the handler ran")
				return guard.None{}, nil
			}))
	checkRefusal(t, send(g, "POST", "/", `{"text":"x"}`), 404, "not_found")
}
