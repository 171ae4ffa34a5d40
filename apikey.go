package guard

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
)

// APIKey takes the credential from a header field of its own, such as X-API-Key.
//
// Look keys up by [HashAPIKey], so that a stolen table holds no key.
func APIKey[S Principal](header string, verify Verifier[S]) Authenticator[S] {
	name := http.CanonicalHeaderKey(header)
	if name == "" || name == "Authorization" || name == "Cookie" {
		panic(fmt.Sprintf("guard: APIKey: header is %q: name a field of its own, such as X-API-Key", header))
	}
	find := func(r *http.Request) (string, found) {
		fields := r.Header[name]
		if len(fields) == 0 {
			return "", absent
		}
		if len(fields) > 1 || fields[0] == "" || len(fields[0]) > maxCredential || !isVisibleASCII(fields[0]) {
			return "", malformed
		}
		return fields[0], present
	}
	return one("APIKey", way[S]{kind: "apikey", name: name, find: find, verify: verify})
}

func isVisibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// NewAPIKey makes a key with 256 random bits and the hash to store for it.
//
// The prefix, such as "gk_live_", helps people and secret scanners to recognize
// a key; it may be empty.
func NewAPIKey(prefix string) (key, hash string) {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	key = prefix + base64.RawURLEncoding.EncodeToString(b[:])
	return key, HashAPIKey(key)
}

// HashAPIKey returns what to look a key up by: its SHA-256, in hex.
//
// A plain hash is enough for keys that are random, as those of [NewAPIKey] are,
// and a lookup by hash leaks nothing through its time. Passwords need argon2id.
func HashAPIKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
