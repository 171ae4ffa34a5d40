package webhook_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/webhook"
)

// publicOf returns the base64 of the public key that belongs to a whsk_ key.
func publicOf(t testing.TB, private string) string {
	t.Helper()
	seed, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(private, "whsk_"))
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(seed[:ed25519.SeedSize])
	return base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
}

// hmacSHA256 computes what a forger or a sender with another idea of the scheme would.
func hmacSHA256(key []byte, message string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}

// bodyWhoseSignature finds a body whose Standard signature holds one of the characters.
func bodyWhoseSignature(t *testing.T, holds string) string {
	t.Helper()
	s := newSigner(t, webhook.Standard, standardSecret)
	for n := range 1000 {
		body := strconv.Itoa(n)
		if strings.ContainsAny(sign(t, s, goodID, now, body).Get("Webhook-Signature"), holds) {
			return body
		}
	}
	t.Fatal("no such body")
	return ""
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// setUnusedBit sets the lowest of the bits in the last base64 digit that stand for nothing.
func setUnusedBit(s string) string {
	last := len(strings.TrimRight(s, "=")) - 1
	digit := strings.IndexByte(base64Alphabet, s[last])
	return s[:last] + string(base64Alphabet[digit|1]) + s[last+1:]
}

// addOrder adds the order of the group to S: the same signature to a verifier that does not look.
func addOrder(s string) string {
	b, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "v1a,"))
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	half := slices.Clone(b[32:])
	slices.Reverse(half)
	sum := new(big.Int).Add(new(big.Int).SetBytes(half), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return "v1a," + base64.StdEncoding.EncodeToString(slices.Concat(b[:32], sum))
}
