package webhook

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// field returns the value of the one header field of that name.
//
// Two fields of one name are refused: the next hop, a log or a sender may mean the other one.
func field(h http.Header, name string, limit int) (string, error) {
	values := h.Values(name)
	switch {
	case len(values) == 0:
		return "", malformed(name, "absent")
	case len(values) > 1:
		return "", malformed(name, "more than one field")
	case values[0] == "":
		return "", malformed(name, "empty")
	case len(values[0]) > limit:
		return "", malformed(name, "too long")
	}
	return values[0], nil
}

// malformed is ErrMalformed with the field and a fixed reason.
func malformed(name, reason string) error {
	return fmt.Errorf("%w: %s: %s", ErrMalformed, name, reason)
}

// validID reports whether id is 1 to 256 bytes of visible ASCII without a full stop.
//
// The package comment says what a full stop would do.
func validID(id string) bool {
	if id == "" || len(id) > maxIDBytes {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' || id[i] == '.' {
			return false
		}
	}
	return true
}

// maxUnix is the last second of the year 9999.
const maxUnix = 253402300799

// parseTimestamp reads whole seconds since 1970 in their one spelling: digits alone, no leading zero.
//
// The text itself is signed, so a second spelling would be a second message with the same meaning.
func parseTimestamp(s string) (time.Time, bool) {
	if s == "" || len(s) > len("253402300799") || (s[0] == '0' && len(s) > 1) {
		return time.Time{}, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return time.Time{}, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > maxUnix {
		return time.Time{}, false
	}
	return time.Unix(n, 0).UTC(), true
}

// formatTimestamp is the spelling that parseTimestamp reads.
func formatTimestamp(t time.Time) (string, bool) {
	n := t.Unix()
	if n < 0 || n > maxUnix {
		return "", false
	}
	return strconv.FormatInt(n, 10), true
}

// decodeBase64 reads padded standard base64 in its one spelling.
//
// Go's decoder skips CR and LF, and without Strict the unused bits of the last group; encoding again finds both.
func decodeBase64(s string) ([]byte, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(b) != s {
		return nil, false
	}
	return b, true
}

// decodeHex reads lower-case hexadecimal digits, as GitHub and Stripe write them.
func decodeHex(s string) ([]byte, bool) {
	b, err := hex.DecodeString(s)
	if err != nil || hex.EncodeToString(b) != s {
		return nil, false
	}
	return b, true
}
