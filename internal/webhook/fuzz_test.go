package webhook_test

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard/internal/webhook"
)

// Invariant: Verify never panics, and what it accepts is what Sign makes for the id, time and body it reports: the id
// and the timestamp are in their one spelling, the time is near, and one entry of the list is Sign's own.
func FuzzStandard(f *testing.F) {
	s, v := newSigner(f, webhook.Standard, standardSecret), newVerifier(f, webhook.Config{Secrets: []string{standardSecret}, Now: at(now)})
	good := sign(f, s, goodID, now, goodBody)
	f.Add(goodID, "1700000000", good.Get("webhook-signature"), []byte(goodBody))
	f.Add("msg.1", "1700000000", "v1,", []byte("1.{}"))
	f.Add("msg_1", "+1700000000", "v1a,AAAA v1,AAAA", []byte(nil))
	f.Fuzz(func(t *testing.T, id, stamp, list string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {list}}
		// A fuzzer cannot guess a MAC, so each input is also tried with a right one.
		if n, err := strconv.ParseInt(stamp, 10, 64); err == nil {
			if signed, err := s.Sign(id, time.Unix(n, 0), body); err == nil {
				h["Webhook-Signature"] = append([]string(nil), list+" "+signed.Get("webhook-signature"))
				checkStandard(t, s, v, h, body)
			}
		}
		h["Webhook-Signature"] = []string{list}
		checkStandard(t, s, v, h, body)
	})
}

func checkStandard(t *testing.T, s *webhook.Signer, v *webhook.Verifier, h http.Header, body []byte) {
	t.Helper()
	m, err := v.Verify(h, body)
	if err != nil {
		if m != (webhook.Message{}) {
			t.Fatalf("got %+v with error %v", m, err)
		}
		return
	}
	want, err := s.Sign(m.ID, m.Timestamp, body)
	if err != nil {
		t.Fatalf("accepted what Sign refuses: %v", err)
	}
	for _, name := range []string{"Webhook-Id", "Webhook-Timestamp"} {
		if h.Get(name) != want.Get(name) {
			t.Fatalf("%s: accepted %q, want %q", name, h.Get(name), want.Get(name))
		}
	}
	if !slices.Contains(strings.Split(h.Get("Webhook-Signature"), " "), want.Get("Webhook-Signature")) {
		t.Fatalf("accepted %q", h.Get("Webhook-Signature"))
	}
	if d := m.Timestamp.Sub(time.Unix(now, 0)).Abs(); d > 5*time.Minute {
		t.Fatalf("accepted a message %v off", d)
	}
}

// Invariant: Verify never panics, and accepts nothing but the one signature that Sign makes for the body.
func FuzzGitHub(f *testing.F) {
	s, v := newSigner(f, webhook.GitHub, plainSecret), newVerifier(f, webhook.Config{Scheme: webhook.GitHub, Secrets: []string{plainSecret}})
	good := sign(f, s, goodID, now, goodBody)
	f.Add(goodID, good.Get("X-Hub-Signature-256"), []byte(goodBody))
	f.Add("", "sha256=", []byte(nil))
	f.Fuzz(func(t *testing.T, delivery, signature string, body []byte) {
		h := http.Header{"X-Hub-Signature-256": {signature}, "X-Github-Delivery": {delivery}}
		m, err := v.Verify(h, body)
		if (err == nil) != (m.Key != "") {
			t.Fatalf("got %+v with error %v", m, err)
		}
		want, signErr := s.Sign("", time.Time{}, body)
		if signErr != nil {
			t.Fatal(signErr)
		}
		if err == nil && signature != want.Get("X-Hub-Signature-256") {
			t.Fatalf("accepted %q", signature)
		}
	})
}

// Invariant: Verify never panics; what it accepts has one t in its one spelling, near now, and a v1 entry of Sign's.
// With a right signature appended, a list is accepted only if it had no t of its own that differs.
func FuzzStripe(f *testing.F) {
	s := newSigner(f, webhook.Stripe, plainSecret)
	v := newVerifier(f, webhook.Config{Scheme: webhook.Stripe, Secrets: []string{plainSecret}, Now: at(now)})
	good := sign(f, s, "", now, goodBody)
	f.Add(good.Get("Stripe-Signature"), []byte(goodBody))
	f.Add("t=1,v1=,v0=", []byte(`{"id":"evt_1","id":"evt_2"}`))
	f.Add("v2=x", []byte(`{"a":[{"id":1}],"id":"evt_1"}`))
	f.Fuzz(func(t *testing.T, list string, body []byte) {
		right := sign(t, s, "", now, string(body)).Get("Stripe-Signature")
		for _, field := range []string{list, list + "," + right, right + "," + list} {
			m, err := v.Verify(http.Header{"Stripe-Signature": {field}}, body)
			if (err == nil) != (m.Key != "") {
				t.Fatalf("got %+v with error %v", m, err)
			}
			if err != nil {
				continue
			}
			entries := strings.Split(field, ",")
			stamps := slices.DeleteFunc(slices.Clone(entries), func(e string) bool { return !strings.HasPrefix(e, "t=") })
			if len(stamps) != 1 {
				t.Fatalf("accepted %d timestamps in %q", len(stamps), field)
			}
			want := strings.Split(sign(t, s, "", m.Timestamp.Unix(), string(body)).Get("Stripe-Signature"), ",")
			if stamps[0] != want[0] || !slices.Contains(entries, want[1]) {
				t.Fatalf("accepted %q", field)
			}
			if d := m.Timestamp.Sub(time.Unix(now, 0)).Abs(); d > 5*time.Minute {
				t.Fatalf("accepted a message %v off", d)
			}
		}
	})
}

// Invariant: New never panics, its error never shows a secret, and a secret that New takes for a scheme with HMAC is
// one that Sign and Verify agree on.
func FuzzSecrets(f *testing.F) {
	f.Add(0, standardSecret)
	f.Add(0, "whpk_AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Add(1, plainSecret)
	f.Add(2, "whsec_test_secret")
	f.Fuzz(func(t *testing.T, scheme int, secret string) {
		c := webhook.Config{Scheme: webhook.Scheme(scheme), Secrets: []string{secret}, Now: at(now)}
		v, err := webhook.New(c)
		if (err == nil) != (v != nil) {
			t.Fatalf("got %v and %v", v, err)
		}
		if err != nil || strings.HasPrefix(secret, "whpk_") {
			return
		}
		h := sign(t, newSigner(t, c.Scheme, secret), goodID, now, goodBody)
		if _, err := v.Verify(h, []byte(goodBody)); err != nil {
			t.Fatalf("Sign and Verify disagree: %v", err)
		}
	})
}

// Invariant: no byte of a signed message can change without the message being refused.
func FuzzTampering(f *testing.F) {
	f.Add(0, 0, byte(1))
	f.Add(1, 20, byte(0x80))
	f.Add(2, 40, byte(0xff))
	f.Fuzz(func(t *testing.T, scheme, position int, mask byte) {
		if scheme < 0 || scheme > 2 || position < 0 || mask == 0 {
			return
		}
		secret := []string{standardSecret, plainSecret, plainSecret}[scheme]
		c := webhook.Config{Scheme: webhook.Scheme(scheme), Secrets: []string{secret}, Now: at(now)}
		h := sign(t, newSigner(t, c.Scheme, secret), goodID, now, goodBody)
		h.Del("X-Github-Delivery") // the one field that nothing signs

		body, at := []byte(goodBody), position
		names := []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature", "X-Hub-Signature-256", "Stripe-Signature"}
		changed := false
		for _, name := range names {
			value := []byte(h.Get(name))
			if !changed && at < len(value) {
				value[at] ^= mask
				h.Set(name, string(value))
				changed = true
			}
			at -= len(value)
		}
		if !changed {
			body = bytes.Clone(body)
			body[at%len(body)] ^= mask
		}
		if m, err := newVerifier(t, c).Verify(h, body); err == nil {
			t.Fatalf("accepted %+v with %v and %q", m, h, body)
		}
	})
}
