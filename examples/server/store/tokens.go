package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	// revocationGrace is how long a revocation outlives its token. It covers the leeway that a verifier allows after
	// the token's expiry, and clocks that differ between machines.
	revocationGrace = time.Hour
	// maxPurge bounds the work that one revocation does for those before it. Each adds one row, so the
	// table shrinks even so.
	maxPurge = 100
)

// Revoke makes the session token with the id jti unusable.
//
// exp is the token's own expiry: the revocation is dropped some time after it. Revoking a token again is not an error.
func (s *Store) Revoke(ctx context.Context, jti string, exp time.Time) error {
	if jti == "" {
		return errors.New("revoke token: the token has no id")
	}
	err := inTx(ctx, s.write, func(tx *sql.Tx) error {
		const insert = `INSERT INTO revoked_tokens (jti, expires_at) VALUES (?, ?)
			ON CONFLICT (jti) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`
		if _, err := tx.ExecContext(ctx, insert, jti, toMicros(exp)); err != nil {
			return err
		}
		const purge = `DELETE FROM revoked_tokens WHERE jti IN
			(SELECT jti FROM revoked_tokens WHERE expires_at < ? ORDER BY expires_at LIMIT ?)`
		_, err := tx.ExecContext(ctx, purge, toMicros(s.now().Add(-revocationGrace)), maxPurge)
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

// Revoked reports whether the session token with the id jti was revoked.
//
// A token without an id cannot be revoked, so it counts as revoked; so does every token while the database fails.
func (s *Store) Revoked(ctx context.Context, jti string) (bool, error) {
	if jti == "" {
		return true, nil
	}
	var revoked bool
	const query = `SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = ?)`
	if err := s.read.QueryRowContext(ctx, query, jti).Scan(&revoked); err != nil {
		return true, fmt.Errorf("look up revoked token: %w", err)
	}
	return revoked, nil
}
