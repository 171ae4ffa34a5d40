package webhook

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
)

// Prefixes of Standard Webhooks keys.
const (
	prefixMAC     = "whsec_"
	prefixPublic  = "whpk_"
	prefixPrivate = "whsk_"
)

// Sizes of secrets in bytes.
const (
	minStandardSecret = 24 // the specification asks for 24 to 64
	maxStandardSecret = 64
	minPlainSecret    = 16 // GitHub and Stripe state no minimum; 16 random bytes cannot be guessed
	maxPlainSecret    = 512
)

// addSecrets reads the secrets into the verifier and returns every mistake. No text shows a secret.
func (v *Verifier) addSecrets(secrets []string) []error {
	errs := checkCount(secrets)
	for i, s := range secrets {
		if err := v.addSecret(s); err != nil {
			errs = append(errs, fmt.Errorf("webhook: Secrets[%d] %w", i, err))
		}
	}
	return errs
}

// checkCount reports no secrets, or more than a rotation needs.
func checkCount(secrets []string) []error {
	switch n := len(secrets); {
	case n == 0:
		return []error{errors.New("webhook: Secrets is empty; use at least one secret")}
	case n > maxSecrets:
		return []error{fmt.Errorf("webhook: Secrets has %d entries; use at most %d", n, maxSecrets)}
	}
	return nil
}

func (v *Verifier) addSecret(s string) error {
	var mac []byte
	var err error
	switch v.scheme {
	case Standard:
		if strings.HasPrefix(s, prefixPublic) {
			return v.addPublic(s)
		}
		mac, err = standardSecret(s)
	case GitHub, Stripe:
		mac, err = plainSecret(s)
	default:
		err = fmt.Errorf("has no known scheme: Scheme is %v; use Standard, GitHub or Stripe", v.scheme)
	}
	if err != nil {
		return err
	}
	if len(bytes.Trim(mac, "\x00")) == 0 { // with it, anyone can sign
		return errors.New("is all zeros: it was never filled")
	}
	for _, other := range v.macs {
		if bytes.Equal(mac, other) {
			return errDuplicate
		}
	}
	v.macs = append(v.macs, mac)
	return nil
}

// errDuplicate often means that a rotation set the old secret twice and lost the new one.
var errDuplicate = errors.New("is there twice; leave one out")

func (v *Verifier) addPublic(s string) error {
	key, ok := decodeBase64(strings.TrimPrefix(s, prefixPublic))
	if !ok {
		return fmt.Errorf("is not padded standard base64 after %s", prefixPublic)
	}
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("has %d bytes; an Ed25519 public key has %d", len(key), ed25519.PublicKeySize)
	}
	if smallOrder(key) {
		return errors.New("is an Ed25519 point of small order, for which anyone can sign; use the sender's public key")
	}
	for _, other := range v.publics {
		if bytes.Equal(key, other) {
			return errDuplicate
		}
	}
	v.publics = append(v.publics, key)
	return nil
}

// standardSecret decodes a whsec_ secret.
func standardSecret(s string) ([]byte, error) {
	if strings.HasPrefix(s, prefixPrivate) {
		return nil, fmt.Errorf("is a %s private key, which belongs to the sender alone; use its %s public key",
			prefixPrivate, prefixPublic)
	}
	encoded, ok := strings.CutPrefix(s, prefixMAC)
	if !ok {
		return nil, fmt.Errorf("does not begin with %s or %s", prefixMAC, prefixPublic)
	}
	b, ok := decodeBase64(encoded)
	if !ok {
		return nil, fmt.Errorf("is not padded standard base64 after %s", prefixMAC)
	}
	if len(b) < minStandardSecret || len(b) > maxStandardSecret {
		return nil, fmt.Errorf("has %d bytes; use %d to %d random bytes", len(b), minStandardSecret, maxStandardSecret)
	}
	return b, nil
}

// plainSecret takes a secret as it is.
func plainSecret(s string) ([]byte, error) {
	if len(s) < minPlainSecret || len(s) > maxPlainSecret {
		return nil, fmt.Errorf("has %d bytes; use %d to %d", len(s), minPlainSecret, maxPlainSecret)
	}
	// A line end that came along from a file makes every message fail, and nobody can see it.
	if strings.TrimSpace(s) != s {
		return nil, errors.New("begins or ends with white space; trim it")
	}
	return []byte(s), nil
}

// smallOrderPoints are the encodings of the eight points of small order on edwards25519, the ones not in lowest terms
// included, without the sign bit. With such a public key the signature of any message is a matter of a few tries.
var smallOrderPoints = [...][ed25519.PublicKeySize]byte{
	{},     // order 4
	{0: 1}, // order 1: the identity, for which one signature fits every message
	{ // order 8
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{ // order 8
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
	{ // order 2: p-1
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{ // order 4: p, another spelling of 0
		0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{ // order 1: p+1, another spelling of 1
		0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
}

// smallOrder reports whether the 32 bytes encode a point of small order.
func smallOrder(key []byte) bool {
	y := [ed25519.PublicKeySize]byte(key)
	y[31] &= 0x7f
	for _, p := range smallOrderPoints {
		if y == p {
			return true
		}
	}
	return false
}
