package webhook

import (
	"crypto/ed25519"
	"testing"
	"time"
)

// The vector of Stripe's .NET library. Its secret has 14 bytes, fewer than New takes, so the two halves are checked here.
func TestStripesVectorVerifies(t *testing.T) {
	t.Parallel()
	const body = `{
  "id": "evt_123",
  "object": "event",
  "account": "acct_123",
  "api_version": "2017-05-25",
  "created": 1533204620,
  "data": {
    "object": {
      "id": "cus_123",
      "object": "customer",
      "created": 123456789,
      "email": "test@stripe.com",
      "livemode": false,
      "metadata": {}
    }
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {
    "id": "req_123",
    "idempotency_key": "idempotency-key-123"
  },
  "type": "customer.created"
}
`
	const header = "t=1533204620,v1=2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7," +
		"v0=63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef"
	v := &Verifier{
		scheme:    Stripe,
		macs:      [][]byte{[]byte("webhook_secret")},
		tolerance: defaultTolerance,
		now:       func() time.Time { return time.Unix(1533204620+100, 0) },
	}
	got, err := v.Verify(map[string][]string{fieldStripe: {header}}, []byte(body))
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	if got.ID != "evt_123" || got.Timestamp.Unix() != 1533204620 {
		t.Errorf("got %+v, want evt_123 at 1533204620", got)
	}
}

// Why smallOrder exists: for the identity as public key, one signature without any private key fits every message.
func TestTheIdentityAsPublicKeyVerifiesAnything(t *testing.T) {
	t.Parallel()
	identity := smallOrderPoints[1]
	forged := make([]byte, ed25519.SignatureSize) // R is the identity, S is zero
	copy(forged, identity[:])
	for _, message := range []string{"", "pay me", "pay me more"} {
		if !ed25519.Verify(identity[:], []byte(message), forged) {
			t.Errorf("%q: got a refusal; if crypto/ed25519 now refuses such keys, smallOrder can go", message)
		}
	}
}

// Each listed point, with either sign, lets some R of the list and S = 0 sign one of a few messages.
func TestEverySmallOrderPointCanBeForged(t *testing.T) {
	t.Parallel()
	for i, p := range smallOrderPoints {
		for _, sign := range []byte{0, 0x80} {
			key := p
			key[31] |= sign
			if !smallOrder(key[:]) {
				t.Errorf("point %d, sign %#x: not recognized", i, sign)
			}
			// Go takes only some of the spellings that are not in lowest terms; those it takes must be forgeable.
			if sign == 0 && !forgeable(key[:]) {
				t.Errorf("point %d: could not be forged; is it of small order?", i)
			}
		}
	}
}

func forgeable(key []byte) bool {
	for n := range 256 {
		message := []byte{byte(n)}
		for _, r := range smallOrderPoints {
			for _, sign := range []byte{0, 0x80} {
				forged := make([]byte, ed25519.SignatureSize)
				copy(forged, r[:])
				forged[31] |= sign
				if ed25519.Verify(key, message, forged) {
					return true
				}
			}
		}
	}
	return false
}

func TestEventID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
		want string
	}{
		{name: "the id of an event", body: `{"id":"evt_1","object":"event"}`, want: "evt_1"},
		{name: "the id comes last", body: `{"object":{"id":"in_1"},"list":[{"id":"x"}],"id":"evt_1"}`, want: "evt_1"},
		{name: "white space around", body: " \n{ \"id\" : \"evt_1\" }\n", want: "evt_1"},
		{name: "an id spelled with an escape is the same member", body: `{"\u0069d":"evt_1"}`, want: "evt_1"},
		{name: "another case is another name", body: `{"ID":"evt_1","Id":"evt_2"}`},
		{name: "two ids", body: `{"id":"evt_1","id":"evt_2"}`},
		{name: "an empty id and another", body: `{"id":"","id":"evt_2"}`},
		{name: "an id in a nested object alone", body: `{"data":{"id":"evt_1"}}`},
		{name: "a number", body: `{"id":1}`},
		{name: "null", body: `{"id":null}`},
		{name: "an array", body: `["id","evt_1"]`},
		{name: "a string", body: `"id"`},
		{name: "nothing", body: ``},
		{name: "not JSON", body: `id=evt_1`},
		{name: "cut short", body: `{"id":"evt_1"`},
		{name: "cut short after the comma", body: `{"id":"evt_1",`},
		{name: "a second document", body: `{"id":"evt_1"}{"id":"evt_2"}`},
		{name: "an id with a control character", body: `{"id":"evt\u000a1"}`},
		{name: "an id with a lone surrogate", body: `{"id":"evt\ud800"}`},
		{name: "an id that is too long", body: `{"id":"` + string(make257()) + `"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := eventID([]byte(tt.body))
			if ok != (tt.want != "") || ok && got != tt.want {
				t.Errorf("got %q, %v, want %q", got, ok, tt.want)
			}
		})
	}
}

func make257() []byte {
	b := make([]byte, maxIDBytes+1)
	for i := range b {
		b[i] = 'a'
	}
	return b
}
