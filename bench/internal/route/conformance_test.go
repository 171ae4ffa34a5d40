package route

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// conformance is what every implementation is asked, and what guard answers.
func conformance() []struct {
	name string
	q    request
	want int
} {
	good := request{path: "/projects/" + projectID(1), auth: "Bearer " + mint(goodClaims(1, 0)), media: "application/json", body: goodBody}
	with := func(change func(*request)) request {
		q := good
		change(&q)
		return q
	}
	auth := func(value string) request { return with(func(q *request) { q.auth = value }) }
	claiming := func(name string, value any) request {
		c := goodClaims(1, 0)
		c[name] = value
		if value == nil {
			delete(c, name)
		}
		return auth("Bearer " + mint(c))
	}
	body := func(text string) request { return with(func(q *request) { q.body = text }) }
	media := func(value string) request { return with(func(q *request) { q.media = value }) }
	path := func(id string) request { return with(func(q *request) { q.path = "/projects/" + id }) }

	return []struct {
		name string
		q    request
		want int
	}{
		{"success", good, 200},
		{"success with an empty object", body(`{}`), 200},
		{"success with a charset", media("application/json; charset=utf-8"), 200},
		{"success as admin", claiming("role", "admin"), 200},

		{"no token", auth(""), 401},
		{"another scheme", auth("Basic YWxpY2U6c2VjcmV0"), 401},
		{"an empty token", auth("Bearer "), 401},
		{"a forged token", auth(forge(good.auth)), 401},
		{"a token under another key", auth("Bearer " + mintWith(jwt.SigningMethodHS256, []byte(strings.Repeat("k", 32)), goodClaims(1, 0))), 401},
		{"a token that is not one", auth("Bearer x.y.z"), 401},
		{"alg none", auth("Bearer " + mintWith(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, goodClaims(1, 0))), 401},
		{"alg HS512", auth("Bearer " + mintWith(jwt.SigningMethodHS512, key, goodClaims(1, 0))), 401},
		{"an expired token", claiming("exp", time.Now().Add(-time.Minute).Unix()), 401},
		{"a token without exp", claiming("exp", nil), 401},
		{"another issuer", claiming("iss", "https://other.example"), 401},
		{"a token without iss", claiming("iss", nil), 401},
		{"another audience", claiming("aud", "other-api"), 401},
		{"a token without aud", claiming("aud", nil), 401},
		{"a token without sub", claiming("sub", nil), 401},
		{"a role that may not", claiming("role", "guest"), 403},
		{"a token without a role", claiming("role", nil), 403},

		{"another's row", path(projectID(2)), 404},
		{"a missing row", path(uuid.Max.String()[:24] + "000000000000"), 404},
		{"a malformed id", path("17"), 404},
		{"an id in upper case", path(strings.ToUpper(projectID(10))), 404},
		{"another's row with a bad body", with(func(q *request) { q.path, q.body = "/projects/"+projectID(2), `{` }), 404},

		{"no media type", media(""), 415},
		{"another media type", media("text/plain"), 415},
		{"a body that is too large", body(`{"summary":"` + strings.Repeat("a", maxBody) + `"}`), 413},
		{"a declared length that is too large", body(strings.Repeat(" ", maxBody) + `{}`), 413},
		{"no body", body(""), 400},
		{"bad JSON", body(`{"name":"Bridge"`), 400},
		{"trailing data", body(goodBody + `{}`), 400},
		{"trailing garbage", body(goodBody + `x`), 400},
		{"an array", body(`[]`), 400},
		{"null", body(`null`), 400},
		{"an unknown field", body(`{"owner":"me"}`), 400},
		{"a duplicate name", body(`{"name":"Bridge","name":"Footbridge"}`), 400},
		{"a name in the wrong case", body(`{"Name":"Bridge"}`), 400},
		{"a wrong type", body(`{"name":17}`), 400},
		{"a field that is null", body(`{"name":null}`), 400},
		{"invalid UTF-8", body("{\"name\":\"Bridge\xff\"}"), 400},
		{"a name that is too short", body(`{"name":"ab"}`), 400},
		{"a name that is too long", body(`{"name":"` + strings.Repeat("a", 81) + `"}`), 400},
		{"a long name of two bytes a character", body(`{"name":"` + strings.Repeat("é", 80) + `"}`), 200},
		{"a summary that is too short", body(`{"summary":"short"}`), 400},
		{"a visibility that does not exist", body(`{"visibility":"public"}`), 400},
	}
}

// differences are the answers of peers that are not guard's: what their libraries
// do not check, or say otherwise. It is complete and holds nothing that is not so.
var differences = map[string]map[string]int{
	ByHand: encodingJSON(nil),
	"chi":  encodingJSON(nil),
	"gin": encodingJSON(map[string]int{ // its binder stops at the end of the object
		"trailing data":    http.StatusOK,
		"trailing garbage": http.StatusOK,
	}),
	"echo": encodingJSON(map[string]int{"no body": http.StatusOK}), // Bind takes it for an empty input
	"huma": {
		"no media type":                    http.StatusOK, // it assumes JSON
		"a duplicate name":                 http.StatusOK,
		"a field that is null":             http.StatusOK,
		"invalid UTF-8":                    http.StatusOK,
		"another's row with a bad body":    http.StatusBadRequest,          // the body is read before the handler runs
		"an array":                         http.StatusUnprocessableEntity, // and so on: its status of what breaks the schema
		"null":                             http.StatusUnprocessableEntity,
		"an unknown field":                 http.StatusUnprocessableEntity,
		"a name in the wrong case":         http.StatusUnprocessableEntity,
		"a wrong type":                     http.StatusUnprocessableEntity,
		"a name that is too short":         http.StatusUnprocessableEntity,
		"a name that is too long":          http.StatusUnprocessableEntity,
		"a summary that is too short":      http.StatusUnprocessableEntity,
		"a visibility that does not exist": http.StatusUnprocessableEntity,
	},
}

// encodingJSON is what package encoding/json lets pass, and more.
func encodingJSON(more map[string]int) map[string]int {
	d := map[string]int{
		"null":                     http.StatusOK,
		"a duplicate name":         http.StatusOK,
		"a name in the wrong case": http.StatusOK,
		"a field that is null":     http.StatusOK,
		"invalid UTF-8":            http.StatusOK,
	}
	maps.Copy(d, more)
	return d
}

func TestConformance(t *testing.T) {
	for _, i := range All() {
		t.Run(i.Name, func(t *testing.T) {
			known := differences[i.Name]
			seen := map[string]bool{}
			h := i.New(Lifted)
			for _, tt := range conformance() {
				want, differs := known[tt.name]
				seen[tt.name] = true
				if !differs {
					want = tt.want
				} else if want == tt.want {
					t.Errorf("%s: the difference is none", tt.name)
				}
				w := record(h, tt.q)
				if w.Code != want {
					t.Errorf("%s: got %d, want %d: %s", tt.name, w.Code, want, w.Body)
				}
				if differs {
					t.Logf("%s: %d instead of %d", tt.name, w.Code, tt.want)
				}
				checkAnswer(t, tt.name, w)
			}
			for name := range known {
				if !seen[name] {
					t.Errorf("%s is not among the cases", name)
				}
			}
		})
	}
}

// checkAnswer checks what all answers have: a request id, JSON, and a challenge
// where one is due.
func checkAnswer(t *testing.T, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	if len(w.Header().Get("X-Request-Id")) < 8 {
		t.Errorf("%s: got request id %q", name, w.Header().Get("X-Request-Id"))
	}
	if media := w.Header().Get("Content-Type"); !strings.Contains(media, "json") || !json.Valid(w.Body.Bytes()) {
		t.Errorf("%s: got %s %q", name, media, w.Body)
	}
	if w.Code == http.StatusUnauthorized && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("%s: got challenge %q", name, w.Header().Get("WWW-Authenticate"))
	}
}

// The answer to a good request is the same JSON from all of them.
func TestSuccess(t *testing.T) {
	want := `{"project":{"id":"` + projectID(1) + `","name":"Footbridge","summary":"A bridge across the river, for people and bicycles.",` +
		`"visibility":"team","createdAt":"2026-11-23T09:30:00Z"}}`
	for _, i := range All() {
		w := record(i.New(Lifted), conformance()[0].q)
		if got := strings.TrimSpace(w.Body.String()); got != want {
			t.Errorf("%s: got %s, want %s", i.Name, got, want)
		}
	}
}

// Ten requests a minute pass and the eleventh does not, refused ones counted, while
// another caller is not affected.
func TestLimit(t *testing.T) {
	for _, i := range All() {
		synctest.Test(t, func(t *testing.T) { // or a token is back after six seconds
			h := i.New(tenAMinute)
			mine, others := conformance()[0].q, conformance()[0].q
			others.path, others.auth = "/projects/"+projectID(2), "Bearer "+mint(goodClaims(2, 0))
			for n := 1; n <= 12; n++ {
				want := http.StatusOK
				if n > 10 {
					want = http.StatusTooManyRequests
				}
				w := record(h, mine)
				if w.Code != want {
					t.Errorf("%s: request %d: got %d, want %d", i.Name, n, w.Code, want)
				}
				checkAnswer(t, i.Name, w)
			}
			if w := record(h, others); w.Code != http.StatusOK {
				t.Errorf("%s: another caller got %d", i.Name, w.Code)
			}
		})
	}
}

// A token is refused once it has expired, however often it was seen before.
func TestExpiryOfSeenToken(t *testing.T) {
	for _, i := range All() {
		synctest.Test(t, func(t *testing.T) {
			h, q := i.New(Lifted), conformance()[0].q
			for _, step := range []struct {
				wait time.Duration
				want int
			}{{0, http.StatusOK}, {time.Hour, http.StatusOK}, {leeway + time.Second, http.StatusUnauthorized}} {
				time.Sleep(step.wait)
				if w := record(h, q); w.Code != step.want {
					t.Errorf("%s: got %d after %v, want %d", i.Name, w.Code, step.wait, step.want)
				}
			}
		})
	}
}

func record(h http.Handler, q request) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPatch, q.path, strings.NewReader(q.body))
	if q.auth != "" {
		r.Header.Set("Authorization", q.auth)
	}
	if q.media != "" {
		r.Header.Set("Content-Type", q.media)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
