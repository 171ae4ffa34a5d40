package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/store"
)

// Session is who is calling: the user as the database has it now, and how the user proved it.
type Session struct {
	User    *store.User
	TokenID string    // jti of the session token; empty for an API key
	Expires time.Time // of the session token
}

// Subject is the user's id.
func (s *Session) Subject() string { return s.User.ID }

// IsAdmin reports the role that the database holds. A role in the token would outlive its withdrawal.
func (s *Session) IsAdmin() bool { return s.User.Role == store.RoleAdmin }

// IsSignedIn tells a session that can be signed out from an API key.
func (s *Session) IsSignedIn() bool { return s.TokenID != "" }

// String keeps e-mail addresses and token ids out of logs.
func (s *Session) String() string { return "session of " + s.User.ID }

// LogValue is String for slog.
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// sessions turns credentials into sessions, on every request: who is disabled, deleted or signed out is so at once.
type sessions struct {
	store *store.Store
}

// fromToken loads the session of a token whose signature and claims have been verified.
func (s sessions) fromToken(ctx context.Context, claims guard.Claims) (*Session, error) {
	revoked, err := s.store.Revoked(ctx, claims.ID)
	if err != nil {
		return nil, err
	}
	if revoked {
		return nil, fmt.Errorf("%w: the token was revoked or has no id", guard.ErrNoSession)
	}
	user, err := s.active(s.store.User(ctx, claims.Subject))
	if err != nil {
		return nil, err
	}
	return &Session{User: user, TokenID: claims.ID, Expires: claims.ExpiresAt}, nil
}

func (s sessions) fromAPIKey(ctx context.Context, key string) (*Session, error) {
	user, err := s.active(s.store.UserByAPIKey(ctx, store.APIKeyHash(key)))
	if err != nil {
		return nil, err
	}
	return &Session{User: user}, nil
}

// active refuses users that are missing or disabled. A database that fails stays an error of its own: the guard
// answers 503, not 401.
func (s sessions) active(user *store.User, err error) (*store.User, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", guard.ErrNoSession, err)
	}
	if err != nil {
		return nil, err
	}
	if user.Disabled {
		return nil, fmt.Errorf("%w: the user is disabled", guard.ErrNoSession)
	}
	return user, nil
}

const sessionLifetime = time.Hour

// signer makes session tokens.
type signer struct {
	key              []byte // HS256
	issuer, audience string
}

func (s signer) sign(userID string, now time.Time) (token string, expires time.Time, err error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("make a token id: %w", err)
	}
	expires = now.Add(sessionLifetime).Truncate(time.Second)
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject: userID, Issuer: s.issuer, Audience: jwt.ClaimStrings{s.audience}, ID: id.String(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
	}).SignedString(s.key)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign a token: %w", err)
	}
	return token, expires, nil
}
