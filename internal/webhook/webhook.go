// Package webhook verifies signed webhook messages: Standard Webhooks, GitHub and Stripe.
//
// A message is authentic when at least one of its signatures was made with one of the configured secrets over exactly
// the bytes of the body. Where the scheme signs a timestamp, it must also be near the present, so that a captured
// message is of use to nobody after a few minutes. Until then the captured message still verifies: the caller claims
// [Message.Key] in a replay store before it acts.
//
//	scheme    signed content             Message.ID                     Message.Timestamp  Message.Key is made of
//	Standard  id "." timestamp "." body  webhook-id, signed             signed             the id
//	GitHub    body                       X-GitHub-Delivery, not signed  zero               the body
//	Stripe    timestamp "." body         "id" of the event, signed      signed             the event id, else the body
//
// Why a Standard Webhooks id must not hold a full stop: the signed content of id "a.1700000000", timestamp T, body "B" is
// also that of id "a", timestamp 1700000000, body "T.B". Whoever holds one signed message could move the borders and get a
// second id or a fresh timestamp. Without a full stop in the id, and with digits alone in the timestamp, the first two
// full stops are the borders and there is one reading. The specification asks senders for the same.
//
// What GitHub's unsigned delivery id means: whoever holds one signed body can send it again under any X-GitHub-Delivery
// and any X-GitHub-Event, at any time, since no timestamp is signed either. So the key of a GitHub message is made of its
// body. The cost: two deliveries with equal bytes count as one while the replay store remembers the first. The gain is
// bounded by that memory: what it has forgotten can be sent again, so keep GitHub's keys for days.
//
// Not checked here: the size of the body (the caller caps it before reading), the method, the content type, and whether
// the key was seen before.
package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Bounds on what a message or a configuration may hold.
const (
	maxSecrets    = 4    // the current secret, the one before, the one after, and one to spare
	maxSignatures = 16   // entries in a signature field, of any version
	maxEd25519    = 4    // of them v1a: each costs a pass over the body and a curve operation for every public key
	maxIDBytes    = 256  // of an id
	maxListBytes  = 8192 // of a signature field

	defaultTolerance = 5 * time.Minute
	minTolerance     = time.Second // timestamps have whole seconds
	maxTolerance     = time.Hour   // a captured message is worth this much time to a thief
)

// Verification fails with an error that wraps one of these. Their texts hold nothing that the sender wrote.
var (
	// ErrMissing means that the request carries no signature of the scheme at all.
	ErrMissing = errors.New("webhook: no signature")
	// ErrMalformed means that a field of the scheme is absent, repeated, too long or ill-formed.
	ErrMalformed = errors.New("webhook: malformed signature")
	// ErrSignature means that no signature was made by a configured secret over this message.
	ErrSignature = errors.New("webhook: no signature matches")
	// ErrTimestamp means that the signature is right and the signed time is outside the tolerance.
	ErrTimestamp = errors.New("webhook: timestamp outside the tolerance")
)

// errUnmade is what a Verifier or Signer answers that did not come from its constructor.
var errUnmade = errors.New("webhook: not made by its constructor")

// Scheme names how messages are signed. The zero value is Standard.
type Scheme int

const (
	// Standard is Standard Webhooks: v1 (HMAC-SHA-256) with whsec_ secrets, or v1a (Ed25519) with whpk_ public keys.
	Standard Scheme = iota
	// GitHub is the X-Hub-Signature-256 field over the body.
	GitHub
	// Stripe is the Stripe-Signature field over a timestamp and the body.
	Stripe
)

// String names the scheme as its owner does.
func (s Scheme) String() string {
	switch s {
	case Standard:
		return "Standard Webhooks"
	case GitHub:
		return "GitHub"
	case Stripe:
		return "Stripe"
	}
	return fmt.Sprintf("Scheme(%d)", int(s))
}

// Config says whose messages to accept. Secrets is required.
type Config struct {
	// Scheme is how the sender signs. The zero value is Standard.
	Scheme Scheme

	// Secrets verify messages: one, or up to four while secrets rotate.
	//
	// Standard: "whsec_" and the padded standard base64 of 24 to 64 bytes, or "whpk_" and that of an Ed25519 public key;
	// both kinds while a sender changes from one to the other. A signature is tried on the keys of its own kind only. GitHub and Stripe: the secret as its owner shows it, 16 to 512 bytes.
	Secrets []string

	// Tolerance bounds how far a signed timestamp may be from now, in either direction.
	// Zero means five minutes; otherwise it is one second to one hour. GitHub signs no timestamp and ignores it.
	Tolerance time.Duration

	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Verifier tells authentic messages from all others. It is safe for concurrent use.
//
// Make one with New. A zero or nil Verifier accepts nothing.
type Verifier struct {
	scheme    Scheme
	macs      [][]byte            // HMAC keys
	publics   []ed25519.PublicKey // Ed25519 keys, Standard only
	tolerance time.Duration
	now       func() time.Time
}

// Message is what an authentic request said about itself.
type Message struct {
	// ID is the sender's name for the message, for logs. It may be empty for GitHub and Stripe.
	// GitHub does not sign it: it is visible ASCII of at most 256 bytes and otherwise anybody's word.
	ID string

	// Timestamp is when this attempt was signed. It is zero for GitHub.
	Timestamp time.Time

	// Key identifies the message for replay protection: 64 hexadecimal digits, derived from signed content alone.
	// It stays the same when the sender tries again and when secrets rotate. Two senders may use the same id, so put
	// the name of the route in front of it in a shared store.
	Key string
}

// New makes a Verifier. Its error lists every mistake and never shows a secret.
func New(c Config) (*Verifier, error) {
	v := &Verifier{scheme: c.Scheme, tolerance: c.Tolerance, now: c.Now}
	errs := v.addSecrets(c.Secrets)
	if v.tolerance == 0 {
		v.tolerance = defaultTolerance
	}
	if v.tolerance < minTolerance || v.tolerance > maxTolerance {
		errs = append(errs, fmt.Errorf("webhook: Tolerance is %v; use %v to %v, or 0 for %v",
			c.Tolerance, minTolerance, maxTolerance, defaultTolerance))
	}
	if v.now == nil {
		v.now = time.Now
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return v, nil
}

// Verify returns the message if the header signs exactly this body, and an error otherwise.
//
// It reports ErrMissing when the request carries no signature of the scheme, and ErrMalformed, ErrSignature or
// ErrTimestamp when it carries one that does not hold. The body is not kept and not changed.
func (v *Verifier) Verify(h http.Header, body []byte) (Message, error) {
	if v == nil || v.now == nil {
		return Message{}, errUnmade
	}
	if !v.HasCredential(h) {
		return Message{}, ErrMissing
	}
	switch v.scheme {
	case Standard:
		return v.verifyStandard(h, body)
	case GitHub:
		return v.verifyGitHub(h, body)
	case Stripe:
		return v.verifyStripe(h, body)
	}
	return Message{}, errUnmade
}

// HasCredential reports whether the request carries a signature of the scheme, good or bad.
//
// An empty field counts as carried. For Standard any one of the three webhook- fields does.
func (v *Verifier) HasCredential(h http.Header) bool {
	if v == nil {
		return false
	}
	switch v.scheme {
	case Standard:
		return len(h.Values(fieldID)) > 0 || len(h.Values(fieldTimestamp)) > 0 || len(h.Values(fieldSignature)) > 0
	case GitHub:
		return len(h.Values(fieldHubSignature)) > 0
	case Stripe:
		return len(h.Values(fieldStripe)) > 0
	}
	return false
}

// Window is how long one signed message verifies at most; zero means for ever.
//
// A sender's clock may run ahead by the tolerance, so this is twice the tolerance. A replay store must remember a
// delivered message for at least as long. GitHub signs no timestamp, hence zero.
func (v *Verifier) Window() time.Duration {
	if v == nil || v.scheme == GitHub {
		return 0
	}
	return 2 * v.tolerance
}

// Format keeps the secrets out of anything that prints a Verifier.
func (v *Verifier) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhook.Verifier") }

// anyMAC reports whether one of the candidates is the MAC of the parts under one of the keys.
//
// Every key is tried on every candidate, so that the time does not tell which one matched.
func (v *Verifier) anyMAC(candidates [][]byte, parts ...[]byte) bool {
	found := 0
	for _, key := range v.macs {
		want := sumMAC(key, parts...)
		for _, got := range candidates {
			found |= subtle.ConstantTimeCompare(got, want)
		}
	}
	return found == 1
}

// anyEd25519 reports whether one of the candidates is a signature of the message by one of the public keys.
// Nothing here is secret, so it stops at the first that is.
func (v *Verifier) anyEd25519(candidates [][]byte, message []byte) bool {
	for _, key := range v.publics {
		for _, got := range candidates {
			if ed25519.Verify(key, message, got) {
				return true
			}
		}
	}
	return false
}

// fresh returns nil if t is within the tolerance of now, either side included.
//
// It runs after the signature was checked, so that ErrTimestamp in a log means a clock that is off or a replay, never noise.
func (v *Verifier) fresh(t time.Time) error {
	now := v.now()
	if t.Before(now.Add(-v.tolerance)) || t.After(now.Add(v.tolerance)) {
		return ErrTimestamp
	}
	return nil
}

// sumMAC is the HMAC-SHA-256 of the parts, one after the other.
func sumMAC(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// Names of what a claim key is made of. They keep an id from ever standing for a body.
const (
	keyOfID   = "id"
	keyOfBody = "body"
)

// claimKey derives a Message.Key. It holds no secret, so that it survives their rotation.
func (v *Verifier) claimKey(kind string, content []byte) string {
	d := sha256.New()
	fmt.Fprintf(d, "webhook\x00%d\x00%s\x00", v.scheme, kind)
	d.Write(content)
	return hex.EncodeToString(d.Sum(nil))
}
