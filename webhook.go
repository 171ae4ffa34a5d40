package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/routeguard/guard/internal/input"
	"github.com/routeguard/guard/internal/webhook"
)

// Webhook says whose signed messages a route accepts. See [Signed].
//
// Secrets is required; the zero value of every other field is the strict or the
// usual choice. Its text forms hide the secrets.
type Webhook struct {
	// Scheme is how the sender signs. Zero is StandardWebhooks.
	Scheme WebhookScheme

	// Secrets verify messages: one, or up to four while they rotate. For Standard
	// Webhooks "whsec_" or "whpk_" and base64 of 24 to 64 bytes, or of an Ed25519
	// public key; for GitHub and Stripe the secret as they show it, 16 to 512 bytes.
	// One that is all zeros was never filled, and is a mistake.
	Secrets []string

	// Tolerance is how far a signed time may be from now, in either direction. 0 is
	// 5 minutes; otherwise a second to an hour. GitHub signs no time.
	Tolerance time.Duration

	// MaxBody caps the body, which is read before it is known who sent it, in bytes.
	// 0 is 256 KiB, the maximum 32 MiB. The second answer may cap it lower.
	MaxBody int64

	// Replay remembers what was delivered. Nil remembers 131,072 messages in this
	// process, and answers 503 rather than forget one early. Several instances
	// behind one address need a shared store.
	Replay ReplayStore

	// Keep is how long a delivered message is remembered, at least twice Tolerance.
	// 0 is a day, or a week for GitHub, whose messages are valid for ever: one that
	// is sent again after this time runs again.
	Keep time.Duration

	// Now is the clock of Tolerance and of the store in this process; nil is time.Now.
	Now func() time.Time
}

// WebhookScheme is how a sender signs its messages.
type WebhookScheme = webhook.Scheme

const (
	// StandardWebhooks is standardwebhooks.com: v1 with whsec_ secrets, v1a with whpk_ keys.
	StandardWebhooks WebhookScheme = webhook.Standard
	// GitHub is the X-Hub-Signature-256 field over the body.
	GitHub WebhookScheme = webhook.GitHub
	// Stripe is the Stripe-Signature field over a time and the body.
	Stripe WebhookScheme = webhook.Stripe
)

// String tells the scheme, never secrets.
func (c Webhook) String() string { return c.Scheme.String() + " messages" }

// GoString is String: the %#v form must not show secrets either.
func (c Webhook) GoString() string { return c.String() }

// Format is String, whatever the verb.
func (c Webhook) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue is String, for [log/slog].
func (c Webhook) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Message is the caller of a route whose first answer is [Signed].
type Message struct {
	// ID is the sender's name for the message, at most 256 bytes. GitHub does not
	// sign it, so that it is anybody's word there, and it may be empty for GitHub
	// and Stripe.
	ID string

	// Timestamp is when this attempt was signed. It is zero for GitHub.
	Timestamp time.Time

	// Key is what the replay protection knows the message by, 64 hexadecimal digits
	// of signed content. A handler that must not act twice, not even after a crash,
	// stores it under a unique index in its own transaction.
	Key string
}

// Subject returns "webhook" for every message, and "" for the zero Message.
//
// A sender chooses its ids. Limits by them would count each message apart, so that
// PerCaller counts all messages of a route together, as Global does.
func (m Message) Subject() string {
	if m.Key == "" {
		return ""
	}
	return "webhook"
}

// Signed takes messages whose bodies are signed: Standard Webhooks, GitHub, Stripe.
//
// The body is read whole before the signature is checked, under the cap of
// Webhook.MaxBody, and what the second answer decodes is the bytes that were
// signed. A message that was delivered before is answered with 204 and the handler
// does not run; while the handler runs for one, the same message gets a 409 with
// Retry-After. Where the handler fails, the message is released, so that the
// sender's next attempt runs it again. A store that fails is a 503.
//
// The handler runs at least once: twice where it takes longer than ten minutes, or
// where the process dies between its work and the note of it. Signatures are
// not sent by browsers on their own, so there is no origin check.
//
// The error lists every mistake in c.
func Signed(c Webhook) (Authenticator[Message], error) {
	verifier, err := webhook.New(webhook.Config{Scheme: c.Scheme, Secrets: c.Secrets, Tolerance: c.Tolerance, Now: c.Now})
	errs := []error{err}
	if c.MaxBody == 0 {
		c.MaxBody = 256 << 10
	}
	if c.MaxBody < 0 || c.MaxBody > maxSignedBody {
		errs = append(errs, fmt.Errorf("webhook: MaxBody is %d; use 1 to %d bytes, or 0 for 256 KiB", c.MaxBody, maxSignedBody))
	}
	deliveries, err := newDeliveries(c, verifier.Window())
	if err := errors.Join(append(errs, err)...); err != nil {
		return Authenticator[Message]{}, fmt.Errorf("guard: Signed: %w", err)
	}
	return Authenticator[Message]{message: &signed{verifier: verifier, scheme: c.Scheme, maxBody: c.MaxBody, deliveries: deliveries}}, nil
}

const maxSignedBody = 32 << 20

// signed is stage 2 of messages.
type signed struct {
	verifier   *webhook.Verifier
	scheme     WebhookScheme
	maxBody    int64
	deliveries *deliveries
	keep       bool // a wrapped handler sees the signature
}

// authenticate reads the body, and believes nothing before its signature holds.
func (s *signed) authenticate(ctx context.Context, x *exchange) (Message, error) {
	if !s.verifier.HasCredential(x.r.Header) {
		return Message{}, unsigned(webhook.ErrMissing) // the upload is not invited
	}
	body, failure := input.ReadAll(ctx, x.w, x.r, s.maxBody)
	if failure != nil {
		return Message{}, x.tell.invalid(failure)
	}
	x.bodyRead = true
	m, err := s.verifier.Verify(x.r.Header, body)
	if err != nil {
		return Message{}, unsigned(err)
	}
	x.r = withBody(x.r, body)
	x.delivery = &delivery{of: s.deliveries, key: m.Key}
	return Message(m), nil
}

// unsigned is a 401, the same for a missing, a wrong and a stale signature: only
// the log tells them apart. No registered scheme describes signed bodies, and a
// challenge is required (RFC 9110, section 15.5.2).
func unsigned(cause error) *Error {
	e := refuseUnauthenticated.Because(cause)
	e.challenges = []string{"Webhook"}
	return e
}

// withBody returns a copy of r with the bytes that were read from it, so that the
// bytes that are decoded are those that were signed.
func withBody(r *http.Request, body []byte) *http.Request {
	again := *r
	again.Body, again.ContentLength, again.TransferEncoding = http.NoBody, int64(len(body)), nil
	if len(body) > 0 {
		again.Body = io.NopCloser(bytes.NewReader(body))
	}
	return &again
}

// strip removes the signature from r, whose header is its own.
func (s *signed) strip(r *http.Request) {
	if s.keep {
		return
	}
	for _, name := range []string{"Webhook-Signature", "X-Hub-Signature", "X-Hub-Signature-256", "Stripe-Signature"} {
		delete(r.Header, name)
	}
}
