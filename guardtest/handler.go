package guardtest

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard"
)

// tokenKey is published here: a service must never verify with it. [JWT] is for tests alone.
var tokenKey = []byte("guardtest: a key that everybody knows, for tests alone")

// JWT returns rules that accept what [Token] mints. It is for a service under test.
func JWT(t testing.TB) guard.JWT {
	t.Helper() // a nil t, of a program, panics
	return guard.JWT{Issuer: "https://issuer.example", Audience: []string{"guardtest"}, Algorithms: []string{"HS256"}, Key: tokenKey}
}

// Token mints a token of a subject, which [JWT] accepts for an hour.
//
// Claims are added to sub, iss, aud, iat, exp and jti, and replace them: a nil takes one
// away, and an exp in the past makes an expired token. Times are seconds since 1970.
func Token(t testing.TB, subject string, claims ...map[string]any) string {
	t.Helper()
	now := time.Now()
	all := jwt.MapClaims{"sub": subject, "iss": "https://issuer.example", "aud": "guardtest",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "token of " + subject}
	for _, c := range claims {
		maps.Copy(all, c)
	}
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, all).SignedString(tokenKey)
	if err != nil {
		t.Fatalf("sign a token: %v", err)
	}
	return token
}

// Sessions admits who sends the name of one of the sessions as a bearer token.
//
// It is for tests of one route, where it does not matter how callers prove who they
// are: "Authorization: Bearer alice". It takes a testing.TB, so that no program
// can be built with it by accident, and refuses everybody once the test has ended.
func Sessions[S guard.Principal](t testing.TB, sessions map[string]S) guard.Authenticator[S] {
	t.Helper()
	if len(sessions) == 0 {
		t.Fatal("guardtest: Sessions: there are none: pass one by the name that requests will send")
	}
	ctx := t.Context()
	return guard.Bearer(func(_ context.Context, name string) (S, error) {
		session, ok := sessions[name]
		if !ok || ctx.Err() != nil {
			var none S
			return none, guard.ErrNoSession
		}
		return session, nil
	})
}

// WantProblem checks that a response is an error of a status and a code, as guard
// writes them: problem details or the error object, with its request id and no-store.
// It reads the body.
func WantProblem(t testing.TB, res *http.Response, status int, code string) {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("read the response: %v", err)
		return
	}
	var problem struct{ Code, RequestID string }
	if err := json.Unmarshal(body, &problem); err != nil || res.StatusCode != status || problem.Code != code {
		t.Errorf("got %d %s, want %d %s", res.StatusCode, strings.TrimSpace(string(body)), status, code)
		return
	}
	if id := res.Header.Get("X-Request-Id"); id == "" || id != problem.RequestID {
		t.Errorf("the request id is %q in the header and %q in the body", id, problem.RequestID)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", got)
	}
	kind := res.Header.Get("Content-Type")
	if kind != "application/problem+json" && !strings.HasPrefix(kind, "application/json") {
		t.Errorf("got Content-Type %q, want application/problem+json", kind)
	}
}
