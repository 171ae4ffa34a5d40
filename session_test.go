package guard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

func whoami[S guard.Principal](_ context.Context, c *guard.Call[S, guard.None, guard.None]) (string, error) {
	return "caller " + c.Caller.Subject(), nil
}

// behind is a POST route that only asks who is calling.
func behind[S guard.Principal](who guard.Authenticator[S], log *logBuffer) *guard.Mux {
	errs := &guard.Responder{Log: log.logger()}
	return route("POST /", errs, guard.New(who, guard.NoPayload, guard.NoResource, free, errs, whoami[S]))
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s := &service{}
	all := guard.FirstOf(guard.Bearer(s.verify), guard.APIKey("X-API-Key", s.verify), guard.Cookie("__Host-session", s.verify))
	const (
		goodKey    = "X-API-Key: bob-token"
		goodCookie = "Cookie: __Host-session=admin-token"
	)
	tests := []struct {
		name   string
		fields []string
		want   string // the caller; empty: refused with 401
		status int    // other than 401
	}{
		{name: "a bearer token", fields: []string{alice}, want: "alice"},
		{name: "the scheme in another case", fields: []string{"Authorization: bEARER alice-token"}, want: "alice"},
		{name: "more than one space after the scheme", fields: []string{"Authorization: Bearer   alice-token"}, want: "alice"},
		{name: "an API key", fields: []string{goodKey}, want: "bob"},
		{name: "a cookie", fields: []string{goodCookie}, want: "admin"},
		{name: "a cookie among others", fields: []string{"Cookie: a=b; __Host-session=admin-token; c=d"}, want: "admin"},
		{name: "bearer before key before cookie", fields: []string{goodCookie, goodKey, alice}, want: "alice"},
		{name: "key before cookie", fields: []string{goodCookie, goodKey}, want: "bob"},
		{name: "another scheme is not looked at", fields: []string{"Authorization: Basic YTpi", goodKey}, want: "bob"},
		{name: "nothing"},
		{name: "a bad token before a good key", fields: []string{"Authorization: Bearer bad", goodKey}},
		{name: "a bad key before a good cookie", fields: []string{"X-API-Key: bad", goodCookie}},
		{name: "an empty token before a good key", fields: []string{"Authorization: Bearer ", goodKey}},
		{name: "the scheme alone before a good key", fields: []string{"Authorization: Bearer", goodKey}},
		{name: "two Authorization fields", fields: []string{alice, alice}},
		{name: "two Authorization fields of two schemes", fields: []string{"Authorization: Basic YTpi", alice}},
		{name: "two keys", fields: []string{goodKey, goodKey}},
		{name: "two cookies of the name", fields: []string{"Cookie: __Host-session=admin-token; __Host-session=bob-token"}},
		{name: "two cookies of the name in two fields", fields: []string{goodCookie, goodCookie}},
		{name: "an empty cookie", fields: []string{"Cookie: __Host-session="}},
		{name: "a quoted cookie", fields: []string{`Cookie: __Host-session="admin-token"`}},
		{name: "a cookie without the prefix", fields: []string{"Cookie: session=admin-token"}},
		{name: "a field of one control character", fields: []string{"Authorization: \x00"}},
		{name: "a field that starts with a space", fields: []string{"Authorization:  alice-token"}},
		{name: "a token with a comma", fields: []string{"Authorization: Bearer alice-token, x"}},
		{name: "a token with a space", fields: []string{"Authorization: Bearer alice-token x"}},
		{name: "a token over 8 KiB", fields: []string{"Authorization: Bearer " + strings.Repeat("a", 8<<10+1)}},
		{name: "a token in the query", fields: nil},
		{name: "a cookie that a foreign page sends", fields: []string{goodCookie, "Sec-Fetch-Site: cross-site"}, status: 403},
		{name: "a cookie that a sibling domain sends", fields: []string{goodCookie, "Sec-Fetch-Site: same-site"}, status: 403},
		{name: "a cookie with a foreign Origin", fields: []string{goodCookie, "Origin: https://evil.example"}, status: 403},
		{name: "a cookie with the origin null", fields: []string{goodCookie, "Origin: null"}, status: 403},
		{name: "a bad cookie that a foreign page sends", fields: []string{"Cookie: __Host-session=bad", "Sec-Fetch-Site: cross-site"}, status: 403},
		{name: "a cookie from the same origin", fields: []string{goodCookie, "Sec-Fetch-Site: same-origin"}, want: "admin"},
		{name: "a cookie from a form of the same origin under no-referrer", fields: []string{goodCookie, "Sec-Fetch-Site: same-origin", "Origin: null"}, want: "admin"},
		{name: "a cookie from a sandboxed frame", fields: []string{goodCookie, "Sec-Fetch-Site: cross-site", "Origin: null"}, status: 403},
		{name: "a cookie with two origins", fields: []string{goodCookie, "Origin: http://example.com", "Origin: http://example.com"}, status: 403},
		{name: "a cookie with two verdicts", fields: []string{goodCookie, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"}, status: 403},
		{name: "a cookie with a forwarded host", fields: []string{goodCookie, "Origin: https://evil.example", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example"}, status: 403},
		{name: "a token that a foreign page sends", fields: []string{alice, "Sec-Fetch-Site: cross-site"}, want: "alice"},
		{name: "a key that a foreign page sends", fields: []string{goodKey, "Origin: https://evil.example"}, want: "bob"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log := &logBuffer{}
			r := send(behind(all, log), "POST", "/", "", tt.fields...)
			status := tt.status
			if status == 0 {
				status = 401
			}
			if tt.want == "" {
				if r.StatusCode != status {
					t.Errorf("got %d, want %d", r.StatusCode, status)
				}
				return
			}
			if got, want := readBody(t, r), `"caller `+tt.want+`"`+"\n"; r.StatusCode != 200 || got != want {
				t.Errorf("got %d %q, want 200 %q", r.StatusCode, got, want)
			}
		})
	}
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	s := &service{}
	bearer, key, cookie := guard.Bearer(s.verify), guard.APIKey("X-API-Key", s.verify), guard.Cookie("__Host-session", s.verify)
	tests := []struct {
		name   string
		who    guard.Authenticator[User]
		fields []string
		want   string
	}{
		{"no credential for bearer", bearer, nil, "Bearer"},
		{"a bad bearer token", bearer, []string{"Authorization: Bearer x"}, `Bearer error="invalid_token"`},
		{"a malformed bearer token", bearer, []string{"Authorization: Bearer"}, `Bearer error="invalid_token"`},
		{"no credential for cookie and bearer", guard.FirstOf(cookie, bearer), nil, "Bearer"},
		{"a bad cookie where bearer is known", guard.FirstOf(cookie, bearer), []string{"Cookie: __Host-session=x"}, "Bearer"},
		{"no credential for a cookie", cookie, nil, "Cookie"},
		{"no credential for a key", key, nil, "ApiKey"},
		{"no credential for key and cookie", guard.FirstOf(key, cookie), nil, "ApiKey, Cookie"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := send(behind(tt.who, &logBuffer{}), "POST", "/", "", tt.fields...)
			if got := strings.Join(r.Header.Values("WWW-Authenticate"), ", "); r.StatusCode != 401 || got != tt.want {
				t.Errorf("got %d %q, want 401 %q", r.StatusCode, got, tt.want)
			}
		})
	}
}

func TestOnly(t *testing.T) {
	t.Parallel()
	s := &service{}
	isAdmin := guard.Only(guard.FirstOf(guard.Bearer(s.verify), guard.Cookie("__Host-session", s.verify)), User.IsAdmin)
	isAda := guard.Only(isAdmin, func(u User) bool { return u.ID == "ada" })
	tests := []struct {
		name      string
		who       guard.Authenticator[User]
		fields    []string
		status    int
		challenge string
	}{
		{"an admin", isAdmin, []string{admin}, 200, ""},
		{"a member with a token", isAdmin, []string{alice}, 403, `Bearer error="insufficient_scope"`},
		{"a member with a cookie", isAdmin, []string{"Cookie: __Host-session=alice-token"}, 403, ""},
		{"nobody", isAdmin, nil, 401, "Bearer"},
		{"an admin who lacks the second role", isAda, []string{admin}, 403, `Bearer error="insufficient_scope"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := send(behind(tt.who, &logBuffer{}), "POST", "/", "", tt.fields...)
			if got := r.Header.Get("WWW-Authenticate"); r.StatusCode != tt.status || got != tt.challenge {
				t.Errorf("got %d %q, want %d %q", r.StatusCode, got, tt.status, tt.challenge)
			}
		})
	}
}

func TestAllowOrigins(t *testing.T) {
	t.Parallel()
	s := &service{}
	origins, err := guard.ParseOrigins("https://app.example, https://admin.example:8443")
	if err != nil {
		t.Fatal(err)
	}
	cookie := guard.AllowOrigins(origins, guard.Only(guard.Cookie("__Host-session", s.verify), User.IsAdmin))
	anyone := guard.AllowOrigins(origins, guard.Anyone)
	for origin, want := range map[string]int{
		"https://app.example": 200, "https://admin.example:8443": 200, "https://admin.example": 403, "http://app.example": 403,
		"https://evil.app.example": 403, "https://app.example.evil.example": 403, "null": 403,
	} {
		fields := []string{"Cookie: __Host-session=admin-token", "Sec-Fetch-Site: cross-site", "Origin: " + origin}
		if r := send(behind(cookie, &logBuffer{}), "POST", "/", "", fields...); r.StatusCode != want {
			t.Errorf("a cookie from %s: got %d, want %d", origin, r.StatusCode, want)
		}
		if r := send(behind(anyone, &logBuffer{}), "POST", "/", "", fields...); r.StatusCode != want {
			t.Errorf("anyone from %s: got %d, want %d", origin, r.StatusCode, want)
		}
	}
	if r := send(behind(cookie, &logBuffer{}), "POST", "/", "", "Cookie: __Host-session=alice-token", "Origin: https://app.example"); r.StatusCode != 403 {
		t.Errorf("AllowOrigins lost the role: got %d, want 403", r.StatusCode)
	}
	if r := send(behind(guard.Anyone, &logBuffer{}), "POST", "/", "", "Origin: https://app.example"); r.StatusCode != 403 {
		t.Errorf("AllowOrigins changed Anyone itself: got %d, want 403", r.StatusCode)
	}
	if _, err := guard.ParseOrigins("https://*.example", "https://APP.example"); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v, want both mistakes", err)
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	const cookie guard.SessionCookie = "__Host-session"
	expires := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	if got, want := cookie.Set("v", expires).String(),
		"__Host-session=v; Path=/; Expires=Wed, 02 Jan 2030 03:04:05 GMT; HttpOnly; Secure; SameSite=Lax"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := cookie.Clear().String(),
		"__Host-session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0; HttpOnly; Secure; SameSite=Lax"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, name := range []guard.SessionCookie{"", "session", "__Host-", "__Secure-session", "__host-session", "__Host-a b", "__Host-a;b"} {
		mustPanic(t, "Cookie "+string(name), "is not safe", func() { guard.Cookie(name, (&service{}).verify) })
	}
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	key, hash := guard.NewAPIKey("gk_live_")
	other, _ := guard.NewAPIKey("gk_live_")
	if !strings.HasPrefix(key, "gk_live_") || len(key) != len("gk_live_")+43 || key == other {
		t.Errorf("got keys %q and %q", key, other)
	}
	if got := guard.HashAPIKey(key); got != hash || len(hash) != 64 {
		t.Errorf("got hash %q, want %q", got, hash)
	}
	for _, header := range []string{"", "Authorization", "cookie"} {
		mustPanic(t, "APIKey "+header, "name a field of its own", func() { guard.APIKey(header, (&service{}).verify) })
	}
}

func TestSafeMethodsNeedNoOrigin(t *testing.T) {
	t.Parallel()
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	mux := route("GET /", errs, guard.New(guard.Cookie("__Host-session", (&service{}).verify), guard.NoPayload, guard.NoResource, free, errs, whoami[User]))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r := send(mux, method, "/", "", "Cookie: __Host-session=alice-token", "Sec-Fetch-Site: cross-site", "Origin: https://evil.example")
		if r.StatusCode != 200 {
			t.Errorf("%s: got %d, want 200", method, r.StatusCode)
		}
	}
}

// What a wrapped handler does not see it cannot forward, log or leak.
func TestWrapRemovesCredentials(t *testing.T) {
	t.Parallel()
	s := &service{}
	bearer, key, cookie := guard.Bearer(s.verify), guard.APIKey("X-API-Key", s.verify), guard.Cookie("__Host-session", s.verify)
	all := guard.FirstOf(bearer, key, cookie)
	fields := []string{alice, "X-API-Key: bob-token", "Cookie: a=b; __Host-session=admin-token; c=d", "Cookie: __Host-session=x; e=f", "X-Other: kept"}
	tests := []struct {
		name   string
		who    guard.Authenticator[User]
		fields []string
		seen   string // Authorization, key, cookies
	}{
		{name: "all of them, also those that were not used", who: all, fields: fields, seen: "||a=b; c=d; e=f"},
		{name: "roles change nothing", who: guard.Only(all, func(User) bool { return true }), fields: fields, seen: "||a=b; c=d; e=f"},
		{name: "only what the route looks for", who: key, fields: fields, seen: "Bearer alice-token||a=b; __Host-session=admin-token; c=d"},
		{name: "no cookie is left", who: cookie, fields: []string{"Cookie: __Host-session=admin-token"}, seen: "||"},
		{name: "another scheme goes, too", who: guard.FirstOf(bearer, key), fields: []string{"Authorization: Basic YTpi", "X-API-Key: bob-token"}, seen: "||"},
		{name: "what is kept on purpose", who: guard.KeepCredential(all), fields: fields, seen: "Bearer alice-token|bob-token|a=b; __Host-session=admin-token; c=d"},
		{name: "one that is kept on purpose", who: guard.FirstOf(guard.KeepCredential(bearer), key, cookie), fields: fields, seen: "Bearer alice-token||a=b; c=d; e=f"},
		{name: "kept, with a role", who: guard.Only(guard.KeepCredential(bearer), func(User) bool { return true }), fields: []string{alice}, seen: "Bearer alice-token||"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			errs := &guard.Responder{Log: (&logBuffer{}).logger()}
			var seen, other string
			h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				seen = r.Header.Get("Authorization") + "|" + r.Header.Get("X-API-Key") + "|" + r.Header.Get("Cookie")
				other = r.Header.Get("X-Other")
			})
			r := send(route("POST /", errs, guard.Wrap(tt.who, guard.NoPayload, guard.NoResource, free, errs, h)), "POST", "/", "", tt.fields...)
			if r.StatusCode != 200 || seen != tt.seen {
				t.Errorf("got %d, the handler saw %q, want 200 and %q", r.StatusCode, seen, tt.seen)
			}
			if len(tt.fields) == len(fields) && other != "kept" {
				t.Errorf("got X-Other %q", other)
			}
		})
	}
	mustPanic(t, "KeepCredential", "nothing to keep", func() { guard.KeepCredential(guard.Anyone) })
}

func TestWhoOnTheChecklist(t *testing.T) {
	t.Parallel()
	s := &service{}
	users := guard.FirstOf(guard.Bearer(s.verify), guard.KeepCredential(guard.APIKey("X-API-Key", s.verify)))
	signed, err := guard.Signed(guard.Webhook{Secrets: []string{webhookSecret}, MaxBody: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	errs := &guard.Responder{}
	mux := guard.NewMux(errs)
	mux.Handle("POST /a", guard.New(guard.Only(users, User.IsAdmin), guard.NoPayload, guard.NoResource, free, errs, whoami[User]))
	mux.Handle("POST /b", guard.New(guard.AllowAnonymous(guard.Only(users, User.IsAdmin)), guard.NoPayload, guard.NoResource, free, errs, shopper))
	mux.Handle("POST /c", guard.New(signed, guard.NoPayload, guard.NoResource, free, errs, whoami[guard.Message]))
	mux.Handle("POST /d", guard.New(guard.KeepCredential(signed), guard.NoPayload, guard.NoResource, free, errs, whoami[guard.Message]))
	mux.Handle("POST /e", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, free, errs, whoami[guard.Anonymous]))
	want := []string{"bearer|apikey (kept) only User.IsAdmin", "bearer|apikey (kept) only User.IsAdmin, or anonymous",
		"signed Standard Webhooks 64 KiB", "signed Standard Webhooks 64 KiB (kept)", "anyone"}
	for i, r := range mux.Routes() {
		if r.Who.String() != want[i] {
			t.Errorf("%s: got %q, want %q", r.Pattern, r.Who, want[i])
		}
	}
}

func TestWhoMistakes(t *testing.T) {
	t.Parallel()
	s := &service{}
	var zero guard.Authenticator[User]
	users := guard.Bearer(s.verify)
	for name, tt := range map[string]struct {
		want string
		make func()
	}{
		"Bearer without a verifier":  {"Bearer: verify is nil", func() { guard.Bearer[User](nil) }},
		"APIKey without a verifier":  {"APIKey: verify is nil", func() { guard.APIKey[User]("X-API-Key", nil) }},
		"Cookie without a verifier":  {"Cookie: verify is nil", func() { guard.Cookie[User]("__Host-session", nil) }},
		"FirstOf of nothing":         {"no Authenticator", func() { guard.FirstOf[User]() }},
		"FirstOf with a zero one":    {"argument 2 is not a credential", func() { guard.FirstOf(users, zero) }},
		"FirstOf with Anyone":        {"argument 1 is not a credential", func() { guard.FirstOf(guard.Anyone) }},
		"Only without a role":        {"holds is nil", func() { guard.Only(users, nil) }},
		"Only of the zero one":       {"who is not a credential", func() { guard.Only(zero, User.IsAdmin) }},
		"Only of Anyone":             {"who is not a credential", func() { guard.Only(guard.Anyone, func(guard.Anonymous) bool { return true }) }},
		"AllowOrigins of a zero one": {"the zero Authenticator", func() { guard.AllowOrigins(guard.Origins{}, zero) }},
		"New with a zero one": {"who) is the zero Authenticator", func() {
			guard.New(zero, guard.NoPayload, guard.NoResource, free, &guard.Responder{}, whoami[User])
		}},
		"PerCaller for Anyone": {"PerCaller on a route for Anyone", func() {
			guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, (&guard.Limiter{}).PerCaller(1, time.Minute), &guard.Responder{}, whoami[guard.Anonymous])
		}},
	} {
		mustPanic(t, name, tt.want, tt.make)
	}
}

// A caller without a credential is refused early, and counted like any other before.
func TestCallersWithoutACredentialAreCounted(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	who := guard.Bearer(func(context.Context, string) (User, error) { return User{}, guard.ErrNoSession })
	h := route("POST /", errs, guard.New(who, guard.NoPayload, guard.NoResource, (&guard.Limiter{}).PerIP(2, time.Hour), errs, whoami[User]))
	for i, want := range []int{401, 401, 429} {
		if got := send(h, "POST", "/", "").StatusCode; got != want {
			t.Errorf("request %d: got status %d, want %d", i+1, got, want)
		}
	}
}

// Nobody reads the answer, and the store is not to blame.
func TestCallersWhoGoAwayWhileTheyAreVerified(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	ctx, cancel := context.WithCancel(t.Context())
	h := behind(guard.Bearer(func(ctx context.Context, _ string) (User, error) { cancel(); return User{}, ctx.Err() }), log)
	r := httptest.NewRequestWithContext(ctx, "POST", "/", nil)
	r.Header.Set("Authorization", "Bearer token")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if l := log.records(t)[0]; l["status"] != 499.0 || l["code"] != "client_gone" || l["stage"] != "who" {
		t.Errorf("got record %v, want 499 client_gone", l)
	}
}

// mustPanic checks that f panics with a message that holds want.
func mustPanic(t *testing.T, what, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		p := recover()
		if text, ok := p.(string); !ok || !strings.HasPrefix(text, "guard: ") || !strings.Contains(text, want) {
			t.Errorf("%s: got panic %v, want one with %q", what, p, want)
		}
	}()
	f()
}
