package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestDemoUsers(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		for _, want := range []User{
			{ID: "alice", Email: "alice@example.com", Role: RoleMember, PasswordHash: testHash},
			{ID: "bob", Email: "bob@example.com", Role: RoleMember, PasswordHash: testHash},
			{ID: "admin", Email: "admin@example.com", Role: RoleAdmin, PasswordHash: testHash},
			{ID: "disabled-user", Email: "disabled@example.com", Role: RoleMember, Disabled: true, PasswordHash: testHash},
		} {
			byID, err := s.User(t.Context(), want.ID)
			if err != nil {
				t.Fatalf("User(%s): %v", want.ID, err)
			}
			byEmail, err := s.UserByEmail(t.Context(), strings.ToUpper(want.Email))
			if err != nil {
				t.Fatalf("UserByEmail(%s): %v", want.Email, err)
			}
			if *byID != want || *byEmail != want {
				t.Errorf("got %+v and %+v, want %+v", *byID, *byEmail, want)
			}
		}
		alice, err := s.UserByAPIKey(t.Context(), APIKeyHash(DemoAPIKey))
		if err != nil || alice.ID != "alice" {
			t.Errorf("UserByAPIKey: got %v, %v, want alice", alice, err)
		}
	})
}

func TestUnknownUsersAreNotFound(t *testing.T) {
	t.Parallel()
	s := seeded(t, "")
	for _, id := range []string{"deleted-user", "", "ALICE", "alice ", "alice\x00", "' OR 1=1 --"} {
		_, err := s.User(t.Context(), id)
		wantNotFound(t, fmt.Sprintf("User(%q)", id), err)
	}
	for _, email := range []string{"nobody@example.com", "", "alice@example.com\x00", "%", "\u212aalice@example.com"} {
		_, err := s.UserByEmail(t.Context(), email)
		wantNotFound(t, fmt.Sprintf("UserByEmail(%q)", email), err)
	}
	for _, key := range []string{"", DemoAPIKey + "x", strings.ToLower(DemoAPIKey)} {
		_, err := s.UserByAPIKey(t.Context(), APIKeyHash(key))
		wantNotFound(t, fmt.Sprintf("UserByAPIKey(%q)", key), err)
	}
}

func TestAPIKeyIsNotStored(t *testing.T) {
	t.Parallel()
	s := seeded(t, "")
	const query = `SELECT count(*) FROM api_keys WHERE instr(hash, CAST(? AS BLOB)) > 0`
	if got := count(t, s, query, DemoAPIKey); got != 0 {
		t.Error("the API key itself is in the database")
	}
}

func TestCanonicalEmail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, email, want string }{
		{name: "ASCII is folded", email: "Alice@Example.COM", want: "alice@example.com"},
		{name: "digits and punctuation stay", email: "A.B+c-1_2@x", want: "a.b+c-1_2@x"},
		{name: "other letters stay", email: "ÄRGER@example.com", want: "Ärger@example.com"},
		{name: "the Kelvin sign is not a k", email: "\u212aate@example.com", want: "\u212aate@example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := CanonicalEmail(tt.email); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSetRole(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		if err := s.SetRole(t.Context(), "bob", RoleAdmin); err != nil {
			t.Fatalf("SetRole: %v", err)
		}
		bob, err := s.User(t.Context(), "bob")
		if err != nil || bob.Role != RoleAdmin {
			t.Errorf("got %v, %v, want bob as admin", bob, err)
		}
		alice, err := s.User(t.Context(), "alice")
		if err != nil || alice.Role != RoleMember {
			t.Errorf("got %v, %v, want alice unchanged", alice, err)
		}
		wantNotFound(t, "unknown user", s.SetRole(t.Context(), "deleted-user", RoleAdmin))
		for _, role := range []string{"", "root", "Admin"} {
			if err := s.SetRole(t.Context(), "bob", role); err == nil {
				t.Errorf("role %q was accepted", role)
			}
		}
	})
}

func TestSeedingAgainKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if err := s.SetRole(ctx, "bob", RoleAdmin); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteProject(ctx, idAlice, "alice"); err != nil {
			t.Fatal(err)
		}
		added, err := s.SeedDemo(ctx, "another hash")
		if err != nil || added != 0 {
			t.Fatalf("SeedDemo: got %d, %v, want 0 users added", added, err)
		}
		bob, err := s.User(ctx, "bob")
		if err != nil || bob.Role != RoleAdmin || bob.PasswordHash != testHash {
			t.Errorf("got %v, %v, want bob as he was", bob, err)
		}
		if _, err := s.Project(ctx, idAlice); err != nil {
			t.Errorf("the deleted demo project was not added again: %v", err)
		}
	})
}

func TestSeedingCountsTheUsersThatItAdds(t *testing.T) {
	t.Parallel()
	s := opened(t, "")
	if _, err := s.SeedDemo(t.Context(), ""); err == nil {
		t.Error("an empty password hash was accepted")
	}
	added, err := s.SeedDemo(t.Context(), testHash)
	if err != nil || added != 4 {
		t.Errorf("got %d, %v, want 4", added, err)
	}
}

func TestSettingTheDemoPasswordLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if _, err := s.exec(ctx, `UPDATE users SET email = 'bob@corp.example' WHERE id = 'bob'`); err != nil {
			t.Fatal(err)
		}
		if err := s.SetDemoPassword(ctx, ""); err == nil {
			t.Error("an empty password hash was accepted")
		}
		if err := s.SetDemoPassword(ctx, "another hash"); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]string{"alice": "another hash", "admin": "another hash", "disabled-user": "another hash", "bob": testHash} {
			if u, err := s.User(ctx, id); err != nil || u.PasswordHash != want {
				t.Errorf("%s: got %q, %v, want %q", id, u.PasswordHash, err, want)
			}
		}
	})
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		ctx, c := t.Context(), newClock()
		s.now = c.now
		for range 2 {
			if err := s.Revoke(ctx, "one", c.now().Add(time.Minute)); err != nil {
				t.Fatalf("Revoke: %v", err)
			}
		}
		for _, tt := range []struct {
			jti  string
			want bool
		}{
			{jti: "one", want: true},
			{jti: "revoked-1", want: true},
			{jti: "two", want: false},
			{jti: "ONE", want: false},
			{jti: "", want: true},
		} {
			if got, err := s.Revoked(ctx, tt.jti); err != nil || got != tt.want {
				t.Errorf("Revoked(%q): got %v, %v, want %v", tt.jti, got, err, tt.want)
			}
		}
		if err := s.Revoke(ctx, "", c.now()); err == nil {
			t.Error("a token without an id was revoked")
		}
	})
}

func TestExpiredRevocationsArePurged(t *testing.T) {
	t.Parallel()
	s, c := seeded(t, ""), newClock()
	s.now = c.now
	revoke := func(jti string, lifetime time.Duration) {
		t.Helper()
		if err := s.Revoke(t.Context(), jti, c.now().Add(lifetime)); err != nil {
			t.Fatalf("Revoke(%s): %v", jti, err)
		}
	}
	const all = `SELECT count(*) FROM revoked_tokens`
	revoke("short", time.Minute)
	revoke("long", 24*time.Hour)
	revoke("extended", time.Minute)
	revoke("extended", 24*time.Hour)
	revoke("extended", time.Minute) // an earlier expiry does not shorten a revocation

	c.advance(time.Minute + revocationGrace)
	revoke("second", time.Minute)
	if got := count(t, s, all); got != 5 {
		t.Errorf("within the grace: got %d revocations, want 5", got)
	}
	c.advance(time.Second)
	revoke("third", time.Minute)
	if got := count(t, s, all+` WHERE jti = 'short'`); got != 0 {
		t.Error("an expired revocation was kept")
	}
	if got := count(t, s, all); got != 5 { // long, extended, second, third and the demo's
		t.Errorf("after the grace: got %d revocations, want 5", got)
	}
}

func TestPurgeIsBounded(t *testing.T) {
	t.Parallel()
	s, c := opened(t, ""), newClock()
	s.now = c.now
	for i := range maxPurge + 20 {
		if err := s.Revoke(t.Context(), fmt.Sprint(i), c.now()); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(24 * time.Hour)
	for _, want := range []int{21, 2} {
		if err := s.Revoke(t.Context(), fmt.Sprint("later", want), c.now()); err != nil {
			t.Fatal(err)
		}
		if got := count(t, s, `SELECT count(*) FROM revoked_tokens`); got != want {
			t.Errorf("got %d revocations, want %d", got, want)
		}
	}
}

func TestUserNeverShowsThePasswordHash(t *testing.T) {
	t.Parallel()
	u := User{ID: "alice", Email: "alice@example.com", Role: RoleMember, PasswordHash: "$argon2id$secret"}
	nested := struct{ Caller *User }{Caller: &u}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("signed in", "user", u, "pointer", &u, "nested", nested)
	}
	for _, v := range []any{u, &u, []User{u}} {
		fmt.Fprintf(&log, "%v %+v %#v %s\n", v, v, v, v)
	}
	encoded, err := json.Marshal(nested)
	if err != nil {
		t.Fatal(err)
	}
	log.Write(encoded)
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the password hash leaked:\n%s", log.String())
	}
	if !strings.Contains(log.String(), "user.id=alice") {
		t.Errorf("the log does not say who it was:\n%s", log.String())
	}
}
