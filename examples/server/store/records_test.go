package store

import (
	"bytes"
	"testing"
)

func TestAddContact(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		if err := s.AddContact(t.Context(), "visitor@example.com", "Where is the harbor?"); err != nil {
			t.Fatalf("AddContact: %v", err)
		}
		const query = `SELECT count(*) FROM contact_messages
			WHERE email = 'visitor@example.com' AND message = 'Where is the harbor?' AND created_at > 0`
		if got := count(t, s, query); got != 1 {
			t.Errorf("got %d messages, want 1", got)
		}
	})
}

func TestSaveAvatar(t *testing.T) {
	t.Parallel()
	s := seeded(t, "")
	big := bytes.Repeat([]byte{1}, MaxAvatar+1)
	for _, tt := range []struct {
		name, user, contentType string
		data                    []byte
		ok                      bool
	}{
		{name: "the largest", user: "alice", contentType: "image/png", data: big[:MaxAvatar], ok: true},
		{name: "a second one replaces the first", user: "alice", contentType: "image/jpeg", data: []byte{0xff, 0, 0xd8}, ok: true},
		{name: "one byte too large", user: "alice", contentType: "image/png", data: big},
		{name: "empty", user: "alice", contentType: "image/png"},
		{name: "another type", user: "alice", contentType: "image/svg+xml", data: []byte("<svg/>")},
		{name: "unknown user", user: "deleted-user", contentType: "image/png", data: []byte{1}},
	} {
		if err := s.SaveAvatar(t.Context(), tt.user, tt.contentType, tt.data); (err == nil) != tt.ok {
			t.Errorf("%s: got %v, want ok = %v", tt.name, err, tt.ok)
		}
	}
	var data []byte
	var contentType string
	const query = `SELECT content_type, data FROM avatars WHERE user_id = 'alice'`
	if err := s.read.QueryRowContext(t.Context(), query).Scan(&contentType, &data); err != nil {
		t.Fatal(err)
	}
	if contentType != "image/jpeg" || !bytes.Equal(data, []byte{0xff, 0, 0xd8}) {
		t.Errorf("got %s, %x, want the second picture", contentType, data)
	}
}

func TestBillingEventIsRecordedOnce(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		for _, data := range []string{`{"n":1}`, `{"n":2}`} {
			if err := s.RecordBillingEvent(t.Context(), "msg_1", "invoice.paid", []byte(data)); err != nil {
				t.Fatalf("RecordBillingEvent: %v", err)
			}
		}
		const query = `SELECT count(*) FROM billing_events WHERE id = 'msg_1' AND type = 'invoice.paid' AND data = '{"n":1}'`
		if got := count(t, s, query); got != 1 {
			t.Errorf("got %d events as they came first, want 1", got)
		}
		if err := s.RecordBillingEvent(t.Context(), "", "invoice.paid", nil); err == nil {
			t.Error("an event without an id was recorded")
		}
	})
}
