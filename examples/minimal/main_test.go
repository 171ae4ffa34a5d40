package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/guardtest"
)

func TestAttack(t *testing.T) {
	guardtest.Attack(t, func(t *testing.T) (guardtest.Target, guardtest.Fixtures) {
		ada, hashOfAda := guard.NewAPIKey("test_")
		bob, hashOfBob := guard.NewAPIKey("test_")
		return routes(map[string]Caller{hashOfAda: {Name: "Ada"}, hashOfBob: {Name: "Bob"}}), guardtest.Fixtures{
			Owner:    guardtest.User{ID: "Ada", APIKey: ada},
			Stranger: guardtest.User{ID: "Bob", APIKey: bob},
			Inputs:   []guardtest.Input{guardtest.Valid("POST /greetings", Greeting{To: "you"})},
		}
	})
}

func TestGreet(t *testing.T) {
	t.Parallel()
	key, hash := guard.NewAPIKey("test_")
	handler := routes(map[string]Caller{hash: {Name: "Ada"}})
	for _, tt := range []struct {
		key, body string
		status    int
		want      string
	}{
		{key, `{"to":" Grace "}`, 200, `"Ada greets Grace"`},
		{key, `{"to":"Grace","from":"Bob"}`, 400, "unknown_field"},
		{"test_forged", `{"to":"Grace"}`, 401, "unauthenticated"},
	} {
		r := httptest.NewRequest("POST", "/greetings", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-API-Key", tt.key)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: got %d %s, want %d %s", tt.body, w.Code, w.Body, tt.status, tt.want)
		}
	}
}
