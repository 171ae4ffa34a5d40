package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// The demo data that a reader can try out at once. None of it is secret.
const (
	DemoAPIKey       = "gk_live_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd" // alice's
	DemoProjectAlice = "0198f000-0000-7000-8000-00000000a11c"
	DemoProjectBob   = "0198f000-0000-7000-8000-000000000b0b"
	demoRevokedToken = "revoked-1"
)

// SeedDemo adds the demo data that is missing, and leaves what is there as it is.
//
// passwordHash becomes the password of every demo user that it adds; usersAdded says how many these were, so that the
// caller announces a password only where it applies.
func (s *Store) SeedDemo(ctx context.Context, passwordHash string) (usersAdded int, err error) {
	if passwordHash == "" {
		return 0, errors.New("seed demo data: the password hash is empty")
	}
	err = inTx(ctx, s.write, func(tx *sql.Tx) error {
		if usersAdded, err = seedUsers(ctx, tx, passwordHash); err != nil {
			return err
		}
		if err := seedProjects(ctx, tx, s.now()); err != nil {
			return err
		}
		return seedTokens(ctx, tx)
	})
	if err != nil {
		return 0, fmt.Errorf("seed demo data: %w", err)
	}
	return usersAdded, nil
}

// SetDemoPassword gives the demo users one password, those that were there before as well. A user who only has the id of
// one, with another address, is somebody else and keeps the password.
func (s *Store) SetDemoPassword(ctx context.Context, passwordHash string) error {
	if passwordHash == "" {
		return errors.New("set the demo password: the password hash is empty")
	}
	err := inTx(ctx, s.write, func(tx *sql.Tx) error {
		for _, u := range demoUsers() {
			const query = `UPDATE users SET password_hash = ? WHERE id = ? AND email = ?`
			if _, err := tx.ExecContext(ctx, query, passwordHash, u.ID, u.Email); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("set the demo password: %w", err)
	}
	return nil
}

func demoUsers() []User {
	return []User{
		{ID: "alice", Email: "alice@example.com", Role: RoleMember},
		{ID: "bob", Email: "bob@example.com", Role: RoleMember},
		{ID: "admin", Email: "admin@example.com", Role: RoleAdmin},
		{ID: "disabled-user", Email: "disabled@example.com", Role: RoleMember, Disabled: true},
	}
}

func seedUsers(ctx context.Context, tx *sql.Tx, passwordHash string) (added int, err error) {
	const query = `INSERT INTO users (id, email, role, disabled, password_hash) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO NOTHING`
	for _, u := range demoUsers() {
		result, err := tx.ExecContext(ctx, query, u.ID, u.Email, u.Role, u.Disabled, passwordHash)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		added += int(n)
	}
	return added, nil
}

// seedProjects makes alice's project visible to the team, so that a search finds something, and bob's private, so that
// the demo shows what a search must not find.
func seedProjects(ctx context.Context, tx *sql.Tx, now time.Time) error {
	const query = `INSERT INTO projects
		(id, owner_id, name, summary, visibility, name_folded, summary_folded, created_at, updated_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT (id) DO NOTHING`
	for _, p := range []struct{ id, ownerID, name, summary, visibility string }{
		{
			id: DemoProjectAlice, ownerID: "alice", name: "Harbor lighting survey", visibility: VisibilityTeam,
			summary: "Measure and map every street light around the old harbor before the council votes on the upgrade.",
		},
		{
			id: DemoProjectBob, ownerID: "bob", name: "Family recipe archive", visibility: VisibilityPrivate,
			summary: "Scan three generations of handwritten recipe cards and make them easy to search and print.",
		},
	} {
		_, err := tx.ExecContext(ctx, query,
			p.id, p.ownerID, p.name, p.summary, p.visibility, fold(p.name), fold(p.summary), toMicros(now))
		if err != nil {
			return err
		}
	}
	return nil
}

func seedTokens(ctx context.Context, tx *sql.Tx) error {
	hash := APIKeyHash(DemoAPIKey)
	const key = `INSERT INTO api_keys (hash, user_id) VALUES (?, 'alice') ON CONFLICT (hash) DO NOTHING`
	if _, err := tx.ExecContext(ctx, key, hash[:]); err != nil {
		return err
	}
	// Far enough away that the purge never reaches it.
	never := time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)
	const revoked = `INSERT INTO revoked_tokens (jti, expires_at) VALUES (?, ?) ON CONFLICT (jti) DO NOTHING`
	_, err := tx.ExecContext(ctx, revoked, demoRevokedToken, toMicros(never))
	return err
}
