package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	billingKey      = []byte("a webhook key of thirty-two byte")
	billingSettings = map[string]string{"WEBHOOK_SECRET": "whsec_" + base64.StdEncoding.EncodeToString(billingKey)}
)

const invoicePaid = `{"type":"invoice.paid","data":{"invoice":"in_1","amount":1700}}`

// signed is the fields of a Standard Webhooks message, written out here as a sender would compute them.
func signed(id string, at time.Time, body string, key []byte) []string {
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "%s.%d.%s", id, at.Unix(), body)
	return []string{"webhook-id: " + id, fmt.Sprintf("webhook-timestamp: %d", at.Unix()),
		"webhook-signature: v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))}
}

func TestBillingMessages(t *testing.T) {
	t.Parallel()
	now := time.Now()
	good := signed("msg_1", now, invoicePaid, billingKey)
	large := `{"type":"` + strings.Repeat("a", 300<<10) + `","data":1}`
	tests := []struct {
		name    string
		body    string // default: invoicePaid
		headers []string
		status  int
		code    string
	}{
		{name: "a signed message", headers: good, status: 204},
		{name: "an old and a new signature", headers: append(good[:2:2], "webhook-signature: v1,"+strings.Repeat("A", 43)+"= "+strings.TrimPrefix(good[2], "webhook-signature: ")), status: 204},
		{name: "no signature", status: 401, code: "unauthenticated"},
		{name: "another key", headers: signed("msg_1", now, invoicePaid, []byte("another key of thirty-two bytes.")), status: 401, code: "unauthenticated"},
		{name: "another body", body: strings.Replace(invoicePaid, "1700", "1701", 1), headers: good, status: 401, code: "unauthenticated"},
		{name: "too old", headers: signed("msg_1", now.Add(-6*time.Minute), invoicePaid, billingKey), status: 401, code: "unauthenticated"},
		{name: "from the future", headers: signed("msg_1", now.Add(time.Hour), invoicePaid, billingKey), status: 401, code: "unauthenticated"},
		{name: "two ids", headers: append(good[:3:3], "webhook-id: msg_2"), status: 401, code: "unauthenticated"},
		{name: "a bearer token instead", headers: []string{"Authorization: Bearer x"}, status: 401, code: "unauthenticated"},
		{name: "too large", body: large, headers: signed("msg_1", now, large, billingKey), status: 413, code: "body_too_large"},
		{name: "no type", body: `{"data":{}}`, headers: signed("msg_1", now, `{"data":{}}`, billingKey), status: 400, code: "invalid_body"},
		{name: "no data", body: `{"type":"x"}`, headers: signed("msg_1", now, `{"type":"x"}`, billingKey), status: 400, code: "invalid_body"},
		{name: "another member", body: `{"type":"x","data":1,"role":"admin"}`, headers: signed("msg_1", now, `{"type":"x","data":1,"role":"admin"}`, billingKey), status: 400, code: "invalid_body"},
		{name: "another media type", headers: append(good[:3:3], "Content-Type: text/plain"), status: 415, code: "unsupported_media_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, billingSettings)
			body := tt.body
			if body == "" {
				body = invoicePaid
			}
			r := s.do(t, "POST", "/webhooks/billing", body, tt.headers...)
			if r.status != tt.status || r.status == 204 && r.body != "" {
				t.Fatalf("got %d %s, want %d", r.status, r.body, tt.status)
			}
			if tt.code != "" && r.code(t) != tt.code {
				t.Errorf("got %s, want code %s", r.body, tt.code)
			}
			if got := r.header.Get("WWW-Authenticate"); (r.status == 401) != (got != "") {
				t.Errorf("got %d with the challenge %q", r.status, got)
			}
			if strings.Contains(s.log.String(), string(billingKey)) || strings.Contains(s.log.String(), "v1,") {
				t.Error("the log holds a key or a signature")
			}
		})
	}
}

func TestABillingMessageRunsOnce(t *testing.T) {
	t.Parallel()
	s := startService(t, billingSettings)
	now := time.Now()
	ran := func() int { return strings.Count(s.log.String(), `"stage":"respond"`) }
	for i, at := range []time.Time{now, now, now.Add(time.Second)} { // the third is signed anew
		if r := s.do(t, "POST", "/webhooks/billing", invoicePaid, signed("msg_1", at, invoicePaid, billingKey)...); r.status != 204 {
			t.Errorf("attempt %d: got %d %s, want 204", i, r.status, r.body)
		}
		if ran() != 1 {
			t.Errorf("attempt %d: the handler ran %d times, want 1", i, ran())
		}
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			r := s.do(t, "POST", "/webhooks/billing", invoicePaid, signed("msg_2", now, invoicePaid, billingKey)...)
			if r.status != 204 && (r.status != 409 || r.header.Get("Retry-After") == "") {
				t.Errorf("got %d %s, want 204, or 409 with Retry-After", r.status, r.body)
			}
		})
	}
	all.Wait()
	if ran() != 2 {
		t.Errorf("the handler ran %d times for two messages", ran())
	}
}

func TestAFailedBillingMessageIsReleased(t *testing.T) {
	t.Parallel()
	s := startService(t, billingSettings)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := s.do(t, "POST", "/webhooks/billing", invoicePaid, signed("msg_1", time.Now(), invoicePaid, billingKey)...); r.status != 500 {
			t.Errorf("got %d %s, want 500 each time, not 409 and not 204", r.status, r.body)
		}
	}
}

func TestBillingLimit(t *testing.T) {
	t.Parallel()
	s := startService(t, billingSettings)
	limited, began := 0, time.Now()
	for range 70 {
		if s.do(t, "POST", "/webhooks/billing", invoicePaid).status == 429 {
			limited++
		}
	}
	if back := int(time.Since(began) / time.Second); limited < 10-back || limited > 10 {
		t.Errorf("%d of 70 were refused, want 10, and one less for each of %d seconds", limited, back)
	}
}

func TestGarbageCredentials(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	const key = "X-API-Key: gk_live_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd"
	good := s.bearer(t, "alice")
	for name, headers := range map[string][]string{
		"no token":                       {"Authorization: Bearer"},
		"three dots":                     {"Authorization: Bearer a.b.c"},
		"two tokens":                     {good, good},
		"a token of another key":         {good[:len(good)-12] + strings.Repeat("A", 12)},
		"a token over 8 KiB":             {"Authorization: Bearer " + strings.Repeat("a", 9<<10)},
		"two keys":                       {key, key},
		"a key with a space":             {key + " x"},
		"an empty key":                   {"X-API-Key: "},
		"a prefix of the key":            {key[:len(key)-1]},
		"two cookies":                    {"Cookie: __Host-session=" + s.token(t, "alice") + "; __Host-session=" + s.token(t, "bob")},
		"a cookie without the prefix":    {"Cookie: session=" + s.token(t, "alice")},
		"a bad token before a good key":  {"Authorization: Bearer x", key},
		"a bad key before a good cookie": {"X-API-Key: x", "Cookie: __Host-session=" + s.token(t, "alice")},
		"an API key as a token":          {"Authorization: Bearer " + key[len("X-API-Key: "):]},
	} {
		if r := s.do(t, "GET", "/me", "", headers...); r.status != 401 || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: got %d %q, want 401 with a challenge", name, r.status, r.header.Get("WWW-Authenticate"))
		}
	}
	if token := good[len("Authorization: Bearer "):]; strings.Contains(s.log.String(), token) || strings.Contains(s.log.String(), key[len("X-API-Key: "):]) {
		t.Error("the log holds a credential")
	}
}
