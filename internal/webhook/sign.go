package webhook

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Signer makes the header of a message, for senders and tests. It is safe for concurrent use.
//
// Make one with NewSigner. A zero or nil Signer signs nothing.
type Signer struct {
	scheme Scheme
	keys   []signingKey
}

// signingKey is an HMAC key or an Ed25519 key; the other one is nil.
type signingKey struct {
	mac     []byte
	private ed25519.PrivateKey
}

// NewSigner makes a Signer. Its error lists every mistake and never shows a secret.
//
// The secrets are those of Config, but for Ed25519, where a "whsk_" private key takes the place of the public one: the
// padded standard base64 of the 32-byte seed, or of the seed and the public key. A Standard message carries one
// signature for every secret, so that receivers can rotate, and here the two kinds may be mixed. So does a Stripe
// message. GitHub's field holds one signature and takes one secret.
func NewSigner(scheme Scheme, secrets ...string) (*Signer, error) {
	errs := checkCount(secrets)
	if scheme == GitHub && len(secrets) > 1 {
		errs = append(errs, errors.New("webhook: GitHub messages carry one signature; use one secret"))
	}
	s := &Signer{scheme: scheme}
	for i, secret := range secrets {
		key, err := newSigningKey(scheme, secret)
		if err != nil {
			errs = append(errs, fmt.Errorf("webhook: Secrets[%d] %w", i, err))
		}
		s.keys = append(s.keys, key)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

func newSigningKey(scheme Scheme, secret string) (signingKey, error) {
	if scheme == Standard && strings.HasPrefix(secret, prefixPrivate) {
		private, err := standardPrivate(secret)
		return signingKey{private: private}, err
	}
	// A verifier with this one secret knows all the other rules.
	v := &Verifier{scheme: scheme}
	if err := v.addSecret(secret); err != nil {
		return signingKey{}, err
	}
	if len(v.macs) == 0 {
		return signingKey{}, fmt.Errorf("is a %s public key, which cannot sign; use the %s private key",
			prefixPublic, prefixPrivate)
	}
	return signingKey{mac: v.macs[0]}, nil
}

// standardPrivate decodes a whsk_ private key.
func standardPrivate(s string) (ed25519.PrivateKey, error) {
	b, ok := decodeBase64(strings.TrimPrefix(s, prefixPrivate))
	if !ok {
		return nil, fmt.Errorf("is not padded standard base64 after %s", prefixPrivate)
	}
	if len(b) != ed25519.SeedSize && len(b) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("has %d bytes; an Ed25519 private key has %d or %d",
			len(b), ed25519.SeedSize, ed25519.PrivateKeySize)
	}
	private := ed25519.NewKeyFromSeed(b[:ed25519.SeedSize])
	// Signing with somebody else's public half gives the private half away.
	if len(b) == ed25519.PrivateKeySize && !bytes.Equal(private, b) {
		return nil, errors.New("has a public half that is not its own")
	}
	return private, nil
}

// Sign returns the header fields that sign the body as message id, at time t.
//
// Whole seconds of t count, in the years 1970 to 9999. A Standard id is 1 to 256 bytes of visible ASCII without a full
// stop. GitHub sends the id without signing it, or sends none if it is empty, and ignores t. Stripe ignores the id, which
// stands in the body.
func (s *Signer) Sign(id string, t time.Time, body []byte) (http.Header, error) {
	if s == nil || len(s.keys) == 0 {
		return nil, errUnmade
	}
	stamp, ok := formatTimestamp(t)
	if !ok && s.scheme != GitHub {
		return nil, errors.New("webhook: Sign: the time is not in the years 1970 to 9999")
	}
	if !validID(id) && (s.scheme == Standard || s.scheme == GitHub && id != "") {
		return nil, errors.New("webhook: Sign: the id is not 1 to 256 bytes of visible ASCII without a full stop")
	}
	h := http.Header{}
	switch s.scheme {
	case Standard:
		h.Set(fieldID, id)
		h.Set(fieldTimestamp, stamp)
		h.Set(fieldSignature, s.standardList(standardPrefix(id, stamp), body))
	case GitHub:
		if id != "" {
			h.Set(fieldDelivery, id)
		}
		h.Set(fieldHubSignature, hubPrefix+hex.EncodeToString(sumMAC(s.keys[0].mac, body)))
	case Stripe:
		h.Set(fieldStripe, s.stripeList(stamp, body))
	}
	return h, nil
}

// standardList is the value of the webhook-signature field.
func (s *Signer) standardList(prefix, body []byte) string {
	var entries []string
	for _, k := range s.keys {
		version, signature := versionMAC, []byte(nil)
		if k.private != nil {
			version, signature = versionEd25519, ed25519.Sign(k.private, slices.Concat(prefix, body))
		} else {
			signature = sumMAC(k.mac, prefix, body)
		}
		entries = append(entries, version+","+base64.StdEncoding.EncodeToString(signature))
	}
	return strings.Join(entries, " ")
}

// stripeList is the value of the Stripe-Signature field.
func (s *Signer) stripeList(stamp string, body []byte) string {
	entries := []string{"t=" + stamp}
	for _, k := range s.keys {
		entries = append(entries, "v1="+hex.EncodeToString(sumMAC(k.mac, []byte(stamp+"."), body)))
	}
	return strings.Join(entries, ",")
}

// Format keeps the secrets out of anything that prints a Signer.
func (s *Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhook.Signer") }
