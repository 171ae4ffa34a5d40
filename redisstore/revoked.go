package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	maxTokenID = 512

	// A verifier accepts a token for some time after its expiry, and clocks differ.
	revokedMargin = 10 * time.Minute
)

// Revoke makes a token id revoked until the token has expired, and 10 minutes longer.
//
// A token that expired before that needs no revoking, and a zero expiry is an error.
// Revoke tries twice. After an error, the token may not be revoked.
func (s *Store) Revoke(ctx context.Context, jti string, expires time.Time) error {
	err := checkText("jti", jti, maxTokenID)
	if expires.IsZero() {
		err = errors.Join(err, errors.New("the expiry is zero"))
	}
	if err != nil {
		return fmt.Errorf("redisstore: revoke: %w", err)
	}
	keep := time.Until(expires) + revokedMargin
	if keep <= 0 {
		return nil
	}
	return s.setTwice(ctx, "revoke", s.key(kindRevoked, jti), "1", keep)
}

// Revoked reports whether a token id was revoked.
//
// It is true where it returns an error, such as [ErrDown]: a verifier returns the
// error, and the caller gets a 503 rather than a session.
func (s *Store) Revoked(ctx context.Context, jti string) (bool, error) {
	if err := checkText("jti", jti, maxTokenID); err != nil {
		return true, fmt.Errorf("redisstore: revoked: %w", err)
	}
	revoked := true
	err := s.ask(ctx, func(ctx context.Context) error {
		err := s.client.Get(ctx, s.key(kindRevoked, jti)).Err()
		if errors.Is(err, redis.Nil) {
			revoked = false
			return nil
		}
		return err
	})
	if err != nil {
		return true, fmt.Errorf("redisstore: revoked: %w", err)
	}
	return revoked, nil
}
