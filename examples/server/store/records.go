package store

import (
	"context"
	"errors"
	"fmt"
)

// MaxAvatar is the size of the largest avatar, in bytes.
const MaxAvatar = 1 << 20

// AddContact keeps a message from the contact form.
func (s *Store) AddContact(ctx context.Context, email, message string) error {
	const query = `INSERT INTO contact_messages (email, message, created_at) VALUES (?, ?, ?)`
	if _, err := s.exec(ctx, query, email, message, toMicros(s.now())); err != nil {
		return fmt.Errorf("add contact message: %w", err)
	}
	return nil
}

// SaveAvatar keeps the user's picture in place of an earlier one.
//
// contentType is image/png or image/jpeg; data has 1 to MaxAvatar bytes. The bytes themselves are not looked at.
func (s *Store) SaveAvatar(ctx context.Context, userID, contentType string, data []byte) error {
	if len(data) == 0 || len(data) > MaxAvatar {
		return fmt.Errorf("save avatar of user %q: %d bytes, want 1 to %d", userID, len(data), MaxAvatar)
	}
	const query = `INSERT INTO avatars (user_id, content_type, data, updated_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id) DO UPDATE SET
			content_type = excluded.content_type, data = excluded.data, updated_at = excluded.updated_at`
	if _, err := s.exec(ctx, query, userID, contentType, data, toMicros(s.now())); err != nil {
		return fmt.Errorf("save avatar of user %q: %w", userID, err)
	}
	return nil
}

// RecordBillingEvent keeps an event of the billing service.
//
// id is the sender's id of the message; an id that was recorded before is left as it is, so a repeated delivery changes
// nothing.
func (s *Store) RecordBillingEvent(ctx context.Context, id, eventType string, data []byte) error {
	if id == "" {
		return errors.New("record billing event: the event has no id")
	}
	const query = `INSERT INTO billing_events (id, type, data, received_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`
	if _, err := s.exec(ctx, query, id, eventType, string(data), toMicros(s.now())); err != nil {
		return fmt.Errorf("record billing event %q: %w", id, err)
	}
	return nil
}
