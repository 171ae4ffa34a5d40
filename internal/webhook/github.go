package webhook

import (
	"net/http"
	"strings"
)

// Header fields of GitHub, as net/http spells them.
const (
	fieldHubSignature = "X-Hub-Signature-256"
	fieldDelivery     = "X-Github-Delivery"
)

// hubPrefix names the algorithm in front of the signature. The older sha1 field is never read.
const hubPrefix = "sha256="

func (v *Verifier) verifyGitHub(h http.Header, body []byte) (Message, error) {
	value, err := field(h, fieldHubSignature, maxListBytes)
	if err != nil {
		return Message{}, err
	}
	digits, ok := strings.CutPrefix(value, hubPrefix)
	if !ok {
		return Message{}, malformed(fieldHubSignature, "does not begin with sha256=")
	}
	mac, ok := decodeHex(digits)
	if !ok {
		return Message{}, malformed(fieldHubSignature, "not lower-case hexadecimal digits")
	}
	id, err := deliveryID(h)
	if err != nil {
		return Message{}, err
	}
	if !v.anyMAC([][]byte{mac}, body) {
		return Message{}, ErrSignature
	}
	return Message{ID: id, Key: v.claimKey(keyOfBody, body)}, nil
}

// deliveryID returns the delivery id, or "" where none was sent. It is not signed and decides nothing.
func deliveryID(h http.Header) (string, error) {
	if len(h.Values(fieldDelivery)) == 0 {
		return "", nil
	}
	id, err := field(h, fieldDelivery, maxIDBytes)
	if err != nil {
		return "", err
	}
	if !validID(id) {
		return "", malformed(fieldDelivery, "not visible ASCII, or with a full stop")
	}
	return id, nil
}
