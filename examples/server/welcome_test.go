package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestWelcome(t *testing.T) {
	t.Parallel()
	_, key := rsaKeyFile(t)
	for _, tt := range []struct {
		name string
		env  map[string]string
		want []string
		not  []string
	}{
		{name: "demo data with a random password", want: []string{"http://127.0.0.1:", "alice@example.com", "with the password ", "curl "}},
		{name: "demo data with a password that is set", env: map[string]string{"SEED_PASSWORD": "hunter2hunter2"},
			want: []string{"alice@example.com", "with SEED_PASSWORD."}, not: []string{"hunter2"}},
		{name: "no demo data", env: map[string]string{"DATABASE_URL": "file:" + t.TempDir() + "/x.db"},
			want: []string{"http://127.0.0.1:", "SEED=demo"}, not: []string{"alice", "curl", "password"}},
		{name: "tokens of somebody else", env: map[string]string{"JWT_RS256_PUBLIC_KEY": key},
			want: []string{"http://127.0.0.1:", "Nobody signs in", "X-API-Key"}, not: []string{"alice@", "password", "login"}},
		{name: "all addresses", env: map[string]string{"ADDR": "0.0.0.0:0"}, want: []string{"http://127.0.0.1:"}, not: []string{"0.0.0.0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.env == nil {
				tt.env = map[string]string{}
			}
			s := start(t, tt.env)
			s.stop()
			for _, want := range tt.want {
				if !strings.Contains(s.stdout.String(), want) {
					t.Errorf("no %q in\n%s", want, s.stdout)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(s.stdout.String(), not) {
					t.Errorf("%q is in\n%s", not, s.stdout)
				}
			}
		})
	}
}

// The demo users have the password that is set, also where they were there before, and else the one that they had.
func TestDemoPasswordFollowsItsSetting(t *testing.T) {
	t.Parallel()
	database := "file:" + t.TempDir() + "/projects.db"
	begin := func(password string) started {
		return start(t, map[string]string{"DATABASE_URL": database, "SEED": "demo", "SEED_PASSWORD": password})
	}
	signIn := func(s started, password string) int {
		body := `{"email":"alice@example.com","password":"` + password + `"}`
		response, err := http.Post(s.url+"/login", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	s := begin("")
	random := regexp.MustCompile(`the password (\w+)\.`).FindStringSubmatch(s.stdout.String())
	if random == nil || signIn(s, random[1]) != http.StatusOK {
		t.Fatalf("no sign-in with what this says:\n%s", s.stdout)
	}
	s.stop()
	for _, tt := range []struct{ name, set, good, bad string }{
		{name: "set for users with a random one", set: "first password", good: "first password", bad: random[1]},
		{name: "set anew", set: "second password", good: "second password", bad: "first password"},
		{name: "not set any more", good: "second password", bad: "first password"},
	} {
		s := begin(tt.set)
		if got := signIn(s, tt.good); got != http.StatusOK {
			t.Errorf("%s: got %d, want 200", tt.name, got)
		}
		if got := signIn(s, tt.bad); got != http.StatusUnauthorized {
			t.Errorf("%s: got %d with the one before, want 401", tt.name, got)
		}
		if tt.set == "" && !strings.Contains(s.stdout.String(), "the password that they were given") {
			t.Errorf("%s: a password is announced that is not theirs:\n%s", tt.name, s.stdout)
		}
		s.stop()
	}
}
