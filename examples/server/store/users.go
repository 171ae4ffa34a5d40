package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
)

// The roles that a user can have.
const (
	RoleAdmin  = "admin"
	RoleMember = "member"
)

// User is an account. Printed, logged or encoded, it leaves its password hash out.
type User struct {
	ID           string
	Email        string
	Role         string // RoleAdmin or RoleMember
	Disabled     bool   // a disabled user keeps the data and may not sign in
	PasswordHash string `json:"-"`
}

// String returns the user's id, for logs.
func (u User) String() string { return "user " + u.ID }

// GoString keeps the password hash out of %#v.
func (u User) GoString() string { return fmt.Sprintf("store.User{ID: %q, Role: %q}", u.ID, u.Role) }

// LogValue keeps the password hash and the e-mail address out of the log.
func (u User) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", u.ID), slog.String("role", u.Role), slog.Bool("disabled", u.Disabled))
}

// CanonicalEmail returns the spelling under which an address is stored: ASCII letters in lower case.
//
// What counts by address, such as a limit on failed sign-ins, must count by this spelling. Letters beyond ASCII
// stay as they are: folding them would let one person's address stand for another's (the Kelvin sign folds to k).
func CanonicalEmail(email string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, email)
}

// APIKeyHash returns the hash under which an API key is stored.
//
// A plain SHA-256 is enough for a random key of 128 bits and more, which cannot be guessed; it would not be for a password.
func APIKeyHash(key string) [sha256.Size]byte { return sha256.Sum256([]byte(key)) }

const selectUser = `SELECT users.id, users.email, users.role, users.disabled, users.password_hash FROM users `

// User loads a user by id. A disabled user is returned as well: the caller decides.
func (s *Store) User(ctx context.Context, id string) (*User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, selectUser+`WHERE users.id = ?`, id))
	if err != nil {
		return nil, fmt.Errorf("load user %q: %w", id, err)
	}
	return u, nil
}

// UserByEmail loads a user by address, as [CanonicalEmail] spells it. A disabled user is returned as well.
func (s *Store) UserByEmail(ctx context.Context, email string) (*User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, selectUser+`WHERE users.email = ?`, CanonicalEmail(email)))
	if err != nil {
		return nil, fmt.Errorf("load user by e-mail: %w", err)
	}
	return u, nil
}

// UserByAPIKey loads the user whose key has the given [APIKeyHash]. A disabled user is returned as well.
func (s *Store) UserByAPIKey(ctx context.Context, hash [sha256.Size]byte) (*User, error) {
	const join = `JOIN api_keys ON api_keys.user_id = users.id WHERE api_keys.hash = ?`
	u, err := scanUser(s.read.QueryRowContext(ctx, selectUser+join, hash[:]))
	if err != nil {
		return nil, fmt.Errorf("load user by API key: %w", err)
	}
	return u, nil
}

// SetRole changes a user's role, or returns ErrNotFound if there is no such user.
func (s *Store) SetRole(ctx context.Context, userID, role string) error {
	if err := s.execOne(ctx, `UPDATE users SET role = ? WHERE id = ?`, role, userID); err != nil {
		return fmt.Errorf("set role of user %q: %w", userID, err)
	}
	return nil
}

func scanUser(row *sql.Row) (*User, error) {
	var u User
	if err := row.Scan(&u.ID, &u.Email, &u.Role, &u.Disabled, &u.PasswordHash); err != nil {
		return nil, missing(err)
	}
	return &u, nil
}
