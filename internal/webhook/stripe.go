package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// fieldStripe is the one header field of Stripe.
const fieldStripe = "Stripe-Signature"

func (v *Verifier) verifyStripe(h http.Header, body []byte) (Message, error) {
	list, err := field(h, fieldStripe, maxListBytes)
	if err != nil {
		return Message{}, err
	}
	stamp, at, macs, err := splitStripe(list)
	if err != nil {
		return Message{}, err
	}
	if !v.anyMAC(macs, []byte(stamp+"."), body) {
		return Message{}, ErrSignature
	}
	if err := v.fresh(at); err != nil {
		return Message{}, err
	}
	// Stripe signs each attempt anew, so neither its signature nor its timestamp can name the event.
	if id, ok := eventID(body); ok {
		return Message{ID: id, Timestamp: at, Key: v.claimKey(keyOfID, []byte(id))}, nil
	}
	return Message{Timestamp: at, Key: v.claimKey(keyOfBody, body)}, nil
}

// splitStripe reads "t=1700000000,v1=hex,v1=hex,v0=hex": one t, and the v1 entries that are signatures.
//
// Other names, and v1 entries that are no signature, are passed over, as in Stripe's own libraries. Stripe sends test
// events with a v0 as well and asks receivers to ignore every name but v1, so that nobody can fall back to a weaker one.
func splitStripe(list string) (stamp string, at time.Time, macs [][]byte, err error) {
	entries := strings.SplitN(list, ",", maxSignatures+1)
	if len(entries) > maxSignatures {
		return "", time.Time{}, nil, malformed(fieldStripe, "too many signatures")
	}
	for _, entry := range entries {
		name, value, ok := strings.Cut(entry, "=")
		if !ok {
			return "", time.Time{}, nil, malformed(fieldStripe, "an entry has no =")
		}
		switch name {
		case "t":
			if stamp != "" {
				return "", time.Time{}, nil, malformed(fieldStripe, "more than one t")
			}
			if at, ok = parseTimestamp(value); !ok {
				return "", time.Time{}, nil, malformed(fieldStripe, "t is not whole seconds since 1970")
			}
			stamp = value
		case "v1":
			if b, ok := decodeHex(value); ok && len(b) == sha256.Size {
				macs = append(macs, b)
			}
		}
	}
	if stamp == "" {
		return "", time.Time{}, nil, malformed(fieldStripe, "no t")
	}
	return stamp, at, macs, nil
}

// eventID returns the one "id" of the JSON object that an authentic body is.
//
// It walks the top level itself: Unmarshal would take "ID" and "Id" for "id", and the last of several.
func eventID(body []byte) (string, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return "", false
	}
	id := ""
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return "", false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return "", false
		}
		if name != "id" {
			continue
		}
		if id != "" || json.Unmarshal(value, &id) != nil || !validID(id) {
			return "", false
		}
	}
	if _, err := d.Token(); err != nil {
		return "", false
	}
	if _, err := d.Token(); err != io.EOF {
		return "", false
	}
	return id, id != ""
}
