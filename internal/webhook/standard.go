package webhook

import (
	"crypto/ed25519"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
)

// Header fields of Standard Webhooks, as net/http spells them.
const (
	fieldID        = "Webhook-Id"
	fieldTimestamp = "Webhook-Timestamp"
	fieldSignature = "Webhook-Signature"
)

// Versions of a signature in Standard Webhooks.
const (
	versionMAC     = "v1"
	versionEd25519 = "v1a"
)

func (v *Verifier) verifyStandard(h http.Header, body []byte) (Message, error) {
	id, err := field(h, fieldID, maxIDBytes)
	if err != nil {
		return Message{}, err
	}
	if !validID(id) {
		return Message{}, malformed(fieldID, "not visible ASCII, or with a full stop")
	}
	stamp, err := field(h, fieldTimestamp, maxIDBytes)
	if err != nil {
		return Message{}, err
	}
	at, ok := parseTimestamp(stamp)
	if !ok {
		return Message{}, malformed(fieldTimestamp, "not whole seconds since 1970")
	}
	list, err := field(h, fieldSignature, maxListBytes)
	if err != nil {
		return Message{}, err
	}
	macs, signatures, err := splitStandard(list)
	if err != nil {
		return Message{}, err
	}
	if !v.signsStandard(macs, signatures, standardPrefix(id, stamp), body) {
		return Message{}, ErrSignature
	}
	if err := v.fresh(at); err != nil {
		return Message{}, err
	}
	return Message{ID: id, Timestamp: at, Key: v.claimKey(keyOfID, []byte(id))}, nil
}

// standardPrefix is what is signed in front of the body.
func standardPrefix(id, stamp string) []byte { return []byte(id + "." + stamp + ".") }

// signsStandard reports whether a candidate matches a key of its own kind. A v1 entry is never tried on a public key.
func (v *Verifier) signsStandard(macs, signatures [][]byte, prefix, body []byte) bool {
	if v.anyMAC(macs, prefix, body) {
		return true
	}
	if len(v.publics) == 0 || len(signatures) == 0 {
		return false
	}
	return v.anyEd25519(signatures, slices.Concat(prefix, body))
}

// splitStandard reads the space-separated list of "version,base64".
//
// Other versions, and entries that are no signature, are passed over: the list exists so that senders can add to it.
// They count against the bound, and passing over never accepts anything.
func splitStandard(list string) (macs, signatures [][]byte, err error) {
	entries := strings.SplitN(list, " ", maxSignatures+1)
	if len(entries) > maxSignatures {
		return nil, nil, malformed(fieldSignature, "too many signatures")
	}
	for _, entry := range entries {
		version, encoded, _ := strings.Cut(entry, ",")
		if version != versionMAC && version != versionEd25519 {
			continue
		}
		b, ok := decodeBase64(encoded)
		switch {
		case !ok:
		case version == versionMAC && len(b) == sha256.Size:
			macs = append(macs, b)
		case version == versionEd25519 && len(b) == ed25519.SignatureSize:
			signatures = append(signatures, b)
		}
	}
	if len(signatures) > maxEd25519 {
		return nil, nil, malformed(fieldSignature, "too many v1a signatures")
	}
	return macs, signatures, nil
}
