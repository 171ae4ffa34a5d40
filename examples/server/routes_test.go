package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Every route that takes a project id, as its owner, as another user, as an admin and as nobody.
func TestOnlyTheOwnerReachesAProject(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	routes := []struct{ method, body string }{
		{"GET", ""},
		{"PATCH", `{"name":"Somebody else's"}`},
		{"PATCH", `{"nonsense`},
		{"DELETE", ""},
	}
	for _, rt := range routes {
		var foreign []string
		for _, id := range []string{bobProject, "0198f000-0000-7000-8000-00000000dead", "17", strings.ToUpper(bobProject), "%2e%2e%2f" + bobProject} {
			r := s.do(t, rt.method, "/projects/"+id, rt.body, s.bearer(t, "alice"))
			if r.status != 404 {
				t.Errorf("%s %s as alice: got %d, want 404", rt.method, id, r.status)
			}
			foreign = append(foreign, withoutIDs(r.body))
		}
		for _, b := range foreign {
			if b != foreign[0] {
				t.Errorf("%s: %q differs from %q", rt.method, b, foreign[0])
			}
		}
		if r := s.do(t, rt.method, "/projects/"+bobProject, rt.body, s.bearer(t, "admin")); r.status != 404 {
			t.Errorf("%s as admin: got %d, want 404: an admin owns nothing of bob's", rt.method, r.status)
		}
		if r := s.do(t, rt.method, "/projects/"+bobProject, rt.body); r.status != 401 {
			t.Errorf("%s as nobody: got %d, want 401", rt.method, r.status)
		}
	}
	if r := s.do(t, "GET", "/projects/"+bobProject, "", s.bearer(t, "bob")); r.status != 200 || strings.Contains(r.body, "Somebody") {
		t.Errorf("bob's project after the attacks: got %d %s", r.status, r.body)
	}
}

func TestProjectLifecycle(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	alice := s.bearer(t, "alice")
	summary := strings.Repeat("s", 20)
	created := s.do(t, "POST", "/projects", `{"name":"  New one ","summary":"`+summary+`","visibility":"private"}`, alice)
	if created.status != 201 {
		t.Fatalf("got %d %s, want 201", created.status, created.body)
	}
	var p OneProject
	if err := json.Unmarshal([]byte(created.body), &p); err != nil {
		t.Fatal(err)
	}
	path := "/projects/" + p.Project.ID.String()
	if got := created.header.Get("Location"); got != path || p.Project.Name != "New one" {
		t.Errorf("got Location %q and name %q, want %q and the trimmed name", got, p.Project.Name, path)
	}
	keys := regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(created.body, -1)
	var names []string
	for _, k := range keys {
		names = append(names, k[1])
	}
	if got, want := strings.Join(names, " "), "project id name summary visibility createdAt updatedAt"; got != want {
		t.Errorf("got members %s, want %s", got, want)
	}
	if r := s.do(t, "PATCH", path, `{"visibility":"team"}`, alice); r.status != 200 || !strings.Contains(r.body, `"visibility":"team"`) {
		t.Errorf("got %d %s, want 200 and team", r.status, r.body)
	}
	if r := s.do(t, "PATCH", path, `{}`, alice); r.status != 400 {
		t.Errorf("a change of nothing: got %d, want 400", r.status)
	}
	if r := s.do(t, "DELETE", path, "", alice); r.status != 204 || r.body != "" {
		t.Errorf("got %d %q, want 204 and no body", r.status, r.body)
	}
	if r := s.do(t, "GET", path, "", alice); r.status != 404 {
		t.Errorf("after the deletion: got %d, want 404", r.status)
	}
}

func TestListIsPagedAndOnlyTheCallersOwn(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	alice, bob := s.bearer(t, "alice"), s.bearer(t, "bob")
	for i := range 4 {
		body := fmt.Sprintf(`{"name":"Number %d","summary":"%s","visibility":"team"}`, i, strings.Repeat("s", 20))
		if r := s.do(t, "POST", "/projects", body, alice); r.status != 201 {
			t.Fatalf("got %d %s", r.status, r.body)
		}
	}
	seen := map[string]bool{}
	path := "/projects?limit=2"
	for range 4 {
		r := s.do(t, "GET", path, "", alice)
		var page ProjectPage
		if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != 200 {
			t.Fatalf("got %d %s: %v", r.status, r.body, err)
		}
		for _, p := range page.Projects {
			if seen[p.ID.String()] || p.ID.String() == bobProject {
				t.Errorf("project %s came twice, or is bob's", p.ID)
			}
			seen[p.ID.String()] = true
		}
		if page.Next == nil {
			break
		}
		// A cursor of alice's shows bob bob's own rows only.
		if b := s.do(t, "GET", "/projects?cursor="+*page.Next, "", bob); strings.Contains(b.body, "Number") {
			t.Errorf("bob reads alice's rows by her cursor: %s", b.body)
		}
		path = "/projects?limit=2&cursor=" + *page.Next
	}
	if len(seen) != 5 {
		t.Errorf("got %d projects, want 5", len(seen))
	}
	if r := s.do(t, "GET", "/projects", "", s.bearer(t, "admin")); r.body != `{"projects":[],"next":null}`+"\n" {
		t.Errorf("got %q, want an empty list", r.body)
	}
	for _, bad := range []string{"limit=0", "limit=51", "limit=+5", "limit=5&limit=6", "cursor=x", "cursor=", "cursor", "user=bob", "limit=5;cursor=a", "limit=%zz"} {
		if r := s.do(t, "GET", "/projects?"+bad, "", alice); r.status != 400 || r.code(t) != "invalid_parameters" {
			t.Errorf("%s: got %d %s, want 400", bad, r.status, r.body)
		}
	}
}

// A name is one line of text that people read as it is, in any script.
func TestNamesOfProjects(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	alice := s.bearer(t, "alice")
	tests := []struct {
		name, project string // as JSON has it
		bad           bool
	}{
		{name: "in Hebrew, with a mark", project: "\u05d2\u05e9\u05e8 C++\u200e \u05d7\u05d3\u05e9"},
		{name: "in Persian, with a joiner", project: "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"},
		{name: "an emoji of several", project: "\u26f9\u200d\u2640\ufe0f run"},
		{name: "NUL", project: "A\\u0000name", bad: true},
		{name: "an escape sequence", project: "A\\u001b[31mname", bad: true},
		{name: "a line break", project: "A\\nname", bad: true},
		{name: "a line break of Unicode", project: "A\u2028name", bad: true},
		{name: "a tab", project: "A\\tname", bad: true},
		{name: "an override", project: "A\u202eeman", bad: true},
		{name: "an isolate", project: "A\u2067name", bad: true},
	}
	for _, tt := range tests {
		create := s.do(t, "POST", "/projects", `{"name":"`+tt.project+`","summary":"Twenty characters, or more.","visibility":"team"}`, alice)
		rename := s.do(t, "PATCH", "/projects/"+aliceProject, `{"name":"`+tt.project+`"}`, alice)
		if !tt.bad {
			if create.status != 201 || rename.status != 200 {
				t.Errorf("%s: got %d and %d, want 201 and 200", tt.name, create.status, rename.status)
			}
			continue
		}
		for _, r := range []response{create, rename} {
			if code, fields := refusal(t, r); code != "invalid_body" || fields != "/name=single_line" {
				t.Errorf("%s: got %d %s, want /name=single_line", tt.name, r.status, r.body)
			}
		}
	}
}

func TestWhoIsCalling(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	claim := func(name string, value any) func(jwt.MapClaims) {
		return func(c jwt.MapClaims) {
			if value == nil {
				delete(c, name)
				return
			}
			c[name] = value
		}
	}
	tests := []struct {
		name   string
		header string
		status int
		want   string
	}{
		{"a token", s.bearer(t, "alice"), 200, `{"user":{"id":"alice","email":"alice@example.com","role":"member"}}`},
		{"a role in the token is not believed", s.bearer(t, "alice", claim("role", "admin")), 200, `"role":"member"`},
		{"an API key", "X-API-Key: gk_live_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd", 200, `"id":"alice"`},
		{"a cookie", "Cookie: __Host-session=" + s.token(t, "bob"), 200, `"id":"bob"`},
		{"a deleted user", s.bearer(t, "deleted-user"), 401, ""},
		{"a disabled user", s.bearer(t, "disabled-user"), 401, ""},
		{"a revoked token", s.bearer(t, "alice", claim("jti", "revoked-1")), 401, ""},
		{"a token that cannot be revoked", s.bearer(t, "alice", claim("jti", nil)), 401, ""},
		{"another issuer", s.bearer(t, "alice", claim("iss", "https://evil.example")), 401, ""},
		{"another audience", s.bearer(t, "alice", claim("aud", "other")), 401, ""},
		{"no expiry", s.bearer(t, "alice", claim("exp", nil)), 401, ""},
		{"expired", s.bearer(t, "alice", claim("exp", 1)), 401, ""},
		{"an unknown API key", "X-API-Key: gk_live_x", 401, ""},
		{"nothing", "Accept: */*", 401, ""},
	}
	for _, tt := range tests {
		if r := s.do(t, "GET", "/me", "", tt.header); r.status != tt.status || !strings.Contains(r.body, tt.want) {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, r.status, r.body, tt.status, tt.want)
		}
	}
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	r := s.do(t, "POST", "/login", `{"email":" ALICE@example.com ","password":"`+seedPassword+`"}`)
	var in SignedIn
	if err := json.Unmarshal([]byte(r.body), &in); err != nil || r.status != 200 {
		t.Fatalf("got %d %s: %v", r.status, r.body, err)
	}
	if cookie := r.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-session="+in.Token+"; Path=/; Expires=") ||
		!strings.HasSuffix(cookie, "; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("got cookie %q", cookie)
	}
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("a response with a token: got Cache-Control %q, want no-store", got)
	}
	token := "Authorization: Bearer " + in.Token
	if r := s.do(t, "POST", "/logout", "", "X-API-Key: gk_live_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd"); r.status != 403 {
		t.Errorf("signing out an API key: got %d, want 403", r.status)
	}
	if r := s.do(t, "POST", "/logout", "", token); r.status != 204 || !strings.Contains(r.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("got %d %v, want 204 and a cleared cookie", r.status, r.header)
	}
	if r := s.do(t, "GET", "/me", "", token); r.status != 401 {
		t.Errorf("after signing out: got %d, want 401", r.status)
	}
}

// Nothing in the answer tells a wrong password from an unknown or disabled account.
func TestFailedSignInsLookAlike(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	var first string
	for _, body := range []string{
		`{"email":"alice@example.com","password":"wrong"}`,
		`{"email":"nobody@example.com","password":"wrong"}`,
		`{"email":"disabled@example.com","password":"` + seedPassword + `"}`,
	} {
		r := s.do(t, "POST", "/login", body)
		got := strconv.Itoa(r.status) + " " + withoutIDs(r.body)
		if first == "" {
			first = got
		}
		if got != first || r.status != 401 || r.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: got %s, want %s", body, got, first)
		}
	}
	if strings.Contains(s.log.String(), seedPassword) {
		t.Error("the log holds a password")
	}
}

// Guessing from one network slows down there, and the owner elsewhere notices nothing.
func TestSignInSlowsDownByAccountAndNetwork(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"TRUSTED_PROXIES": "127.0.0.0/8"})
	wrong, right := `{"email":"alice@example.com","password":"wrong"}`, `{"email":"alice@example.com","password":"`+seedPassword+`"}`
	var last response
	for i := 0; i < 20 && last.status != 429; i++ { // on a busy machine a short wait is over before the next try
		last = s.do(t, "POST", "/login", wrong, fmt.Sprintf("X-Forwarded-For: 203.0.113.%d", i))
	}
	wait, err := strconv.Atoi(last.header.Get("Retry-After"))
	if last.status != 429 || err != nil || wait < 1 || wait > 30 {
		t.Errorf("after many failures from one network: got %d, Retry-After %q, want 429 and at most 30", last.status, last.header.Get("Retry-After"))
	}
	if r := s.do(t, "POST", "/login", right, "X-Forwarded-For: 198.51.100.7"); r.status != 200 {
		t.Errorf("the owner elsewhere: got %d, want 200", r.status)
	}
	if r := s.do(t, "POST", "/login", `{"email":"bob@example.com","password":"`+seedPassword+`"}`, "X-Forwarded-For: 203.0.113.99"); r.status != 200 {
		t.Errorf("another account from that network: got %d, want 200", r.status)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		n       int
		method  string
		path    string
		body    string
		headers func(s *service) []string
	}{
		{name: "contact by address", n: 5, method: "POST", path: "/contact", body: `{"email":"a@b.example","message":"Hello there, hello."}`},
		{name: "contact by address, invalid ones included", n: 5, method: "POST", path: "/contact", body: `{}`},
		{name: "search by address", n: 30, path: "/search?q=street"},
		{name: "a route by caller", n: 7, path: "/me", headers: func(s *service) []string { return []string{s.bearer(t, "alice")} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, map[string]string{"CALLER_LIMIT": "7"})
			var headers []string
			if tt.headers != nil {
				headers = tt.headers(s)
			}
			var mu sync.Mutex
			var wg sync.WaitGroup
			passed, began := 0, time.Now()
			for i := range tt.n + 10 {
				wg.Go(func() {
					// A header that nobody vouches for makes no new client.
					r := s.do(t, tt.method, tt.path, tt.body, append(headers, fmt.Sprintf("X-Forwarded-For: 203.0.113.%d", i))...)
					mu.Lock()
					defer mu.Unlock()
					if r.status != 429 {
						passed++
					} else if r.header.Get("Retry-After") == "" {
						t.Error("429 without Retry-After")
					}
				})
			}
			wg.Wait()
			if back := int(time.Since(began) * time.Duration(tt.n) / time.Minute); passed < tt.n || passed > tt.n+back {
				t.Errorf("%d requests passed, want %d, and %d for the time that it took", passed, tt.n, back)
			}
		})
	}
}

// Whoever has read a mutation's response never finds what was there before.
func TestSearchIsNeverStale(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"TRUSTED_PROXIES": "127.0.0.0/8"})
	alice := s.bearer(t, "alice")
	visits := 0
	search := func(q string) string {
		visits++
		r := s.do(t, "GET", "/search?q="+q, "", fmt.Sprintf("X-Forwarded-For: 198.51.100.%d", visits%250))
		if r.status != 200 {
			t.Fatalf("got %d %s", r.status, r.body)
		}
		return r.body
	}
	for i := range 50 {
		name := fmt.Sprintf("Zeppelin%d", i)
		search("zeppelin") // fills the cache
		if r := s.do(t, "PATCH", "/projects/"+aliceProject, `{"name":"`+name+`"}`, alice); r.status != 200 {
			t.Fatalf("got %d %s", r.status, r.body)
		}
		if got := search("zeppelin"); !strings.Contains(got, `"`+name+`"`) {
			t.Fatalf("after the change to %s: got %s", name, got)
		}
	}
	if r := s.do(t, "PATCH", "/projects/"+aliceProject, `{"visibility":"private"}`, alice); r.status != 200 {
		t.Fatalf("got %d", r.status)
	}
	if got := search("zeppelin"); got != `{"results":[]}`+"\n" {
		t.Errorf("a private project is found: %s", got)
	}
}

func TestAdminSetsRoles(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	admin, bob := s.bearer(t, "admin"), s.bearer(t, "bob")
	if r := s.do(t, "POST", "/admin/users/bob/role", `{"role":"admin"}`, bob); r.status != 403 || r.code(t) != "forbidden" {
		t.Errorf("bob promotes himself: got %d %s", r.status, r.body)
	}
	if r := s.do(t, "POST", "/admin/users/bob/role", `{"role":"admin"}`, admin); r.status != 204 || r.body != "" {
		t.Errorf("got %d %q, want 204", r.status, r.body)
	}
	if r := s.do(t, "POST", "/admin/users/alice/role", `{"role":"admin"}`, bob); r.status != 204 {
		t.Errorf("bob as a new admin: got %d, want 204 with the token he had", r.status)
	}
	if r := s.do(t, "POST", "/admin/users/bob/role", `{"role":"member"}`, admin); r.status != 204 {
		t.Errorf("got %d, want 204", r.status)
	}
	if r := s.do(t, "POST", "/admin/users/alice/role", `{"role":"member"}`, bob); r.status != 403 {
		t.Errorf("bob after his demotion: got %d, want 403", r.status)
	}
	if r := s.do(t, "POST", "/admin/users/nobody/role", `{"role":"member"}`, admin); r.status != 404 {
		t.Errorf("an unknown user: got %d, want 404", r.status)
	}
	for _, body := range []string{`{"role":"root"}`, `{"role":null}`, `{}`, `{"role":"admin","id":"x"}`} {
		if r := s.do(t, "POST", "/admin/users/bob/role", body, admin); r.status != 400 {
			t.Errorf("%s: got %d, want 400", body, r.status)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"ALLOWED_ORIGINS": "https://app.example"})
	cookie := "Cookie: __Host-session=" + s.token(t, "alice")
	body := `{"email":"a@b.example","message":"Hello there, hello."}`
	tests := []struct {
		name   string
		path   string
		header []string
		status int
	}{
		{"a form of another site", "/contact", []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, 403},
		{"the allowed origin", "/contact", []string{"Origin: https://app.example", "Sec-Fetch-Site: cross-site"}, 202},
		{"signing somebody in from another site", "/login", []string{"Origin: https://evil.example"}, 403},
		{"a cookie from another site", "/projects", []string{cookie, "Origin: https://evil.example"}, 403},
		{"a cookie from a sibling", "/projects", []string{cookie, "Sec-Fetch-Site: same-site"}, 403},
		{"a cookie from here", "/projects", []string{cookie, "Sec-Fetch-Site: same-origin"}, 400},
		{"a key from another site's script", "/projects", []string{"X-API-Key: gk_live_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd", "Origin: https://evil.example"}, 400},
	}
	for _, tt := range tests {
		if r := s.do(t, "POST", tt.path, body, tt.header...); r.status != tt.status {
			t.Errorf("%s: got %d %s, want %d", tt.name, r.status, r.body, tt.status)
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	for path, want := range map[string]int{"/nope": 404, "/projects/": 404, "/projects/" + aliceProject + "/x": 404, "/admin": 404, "/debug/pprof/": 404} {
		if r := s.do(t, "GET", path, ""); r.status != want || r.code(t) != "not_found" || r.header.Get("X-Request-ID") == "" {
			t.Errorf("%s: got %d %s", path, r.status, r.body)
		}
	}
	r := s.do(t, "PUT", "/projects/"+aliceProject, "")
	if r.status != 405 || r.code(t) != "method_not_allowed" || r.header.Get("Allow") != "DELETE, GET, HEAD, PATCH" {
		t.Errorf("got %d %q %s", r.status, r.header.Get("Allow"), r.body)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := s.do(t, "GET", path, ""); r.status != 200 || r.header.Get("X-Request-ID") == "" {
			t.Errorf("%s: got %d %v", path, r.status, r.header)
		}
	}
	if r := s.do(t, "GET", "/readyz?probe=1", ""); r.status != 400 { // as the README tells who sets a probe up
		t.Errorf("/readyz with a query: got %d, want 400", r.status)
	}
}

func TestADatabaseThatFails(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	alice := s.bearer(t, "alice")
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/me": 503, "/search?q=street": 500, "/readyz": 503, "/healthz": 200} {
		if r := s.do(t, "GET", path, "", alice); r.status != want || strings.Contains(r.body, "sql") {
			t.Errorf("%s: got %d %s, want %d and no detail", path, r.status, r.body, want)
		}
	}
	if !strings.Contains(s.log.String(), "sql: database is closed") {
		t.Error("the log does not have the cause")
	}
	s.wantUnready(t, "ping database: sql: database is closed")
}

func TestRS256IsTheOnlyAlgorithmWhereItIsSet(t *testing.T) {
	t.Parallel()
	key, path := rsaKeyFile(t)
	s := startService(t, map[string]string{"JWT_RS256_PUBLIC_KEY": path})
	claims := jwt.MapClaims{"sub": "alice", "iss": "https://projects.example", "aud": "projects-api", "exp": time.Now().Add(time.Hour).Unix(), "jti": "1"}
	good, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	if r := s.do(t, "GET", "/me", "", "Authorization: Bearer "+good); r.status != 200 {
		t.Errorf("RS256: got %d %s, want 200", r.status, r.body)
	}
	if r := s.do(t, "GET", "/me", "", s.bearer(t, "alice")); r.status != 401 {
		t.Errorf("HS256: got %d, want 401", r.status)
	}
	if r := s.do(t, "POST", "/login", `{"email":"alice@example.com","password":"x"}`); r.status != http.StatusNotFound {
		t.Errorf("/login: got %d, want 404", r.status)
	}
}
