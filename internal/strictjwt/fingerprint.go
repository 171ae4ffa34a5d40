package strictjwt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// fingerprint identifies a token in a cache.
type fingerprint [aes.BlockSize]byte

// fingerprinter computes fingerprints under a key that was drawn for one cache.
type fingerprinter struct {
	// sum returns the fingerprint of b[headroom:]. It may write before that.
	sum    func(b []byte) fingerprint
	inputs sync.Pool // of *[]byte: headroom, and room for a token
}

const (
	secretBytes = 32 // a key of AES-256
	headroom    = secretBytes
)

// newFingerprinter draws a key. Approved is whether only what FIPS 140-3 approves may be
// used, which a GCM tag under a nonce that never changes is not.
func newFingerprinter(approved bool) *fingerprinter {
	secret := make([]byte, secretBytes)
	rand.Read(secret) // never fails: crypto/rand ends the program instead
	f := &fingerprinter{sum: hashSum(secret)}
	if sum, err := polynomialSum(secret); err == nil && !approved {
		f.sum = sum
	}
	f.inputs.New = func() any {
		input := make([]byte, headroom, 1<<10)
		return &input
	}
	return f
}

// of returns the fingerprint of a token.
func (f *fingerprinter) of(token string) fingerprint {
	input := f.inputs.Get().(*[]byte)
	b := append((*input)[:headroom], token...)
	sum := f.sum(b)
	clear(b) // a pool is no place for credentials
	*input = b
	f.inputs.Put(input)
	return sum
}

// polynomialSum is AES over the tag that AES-GCM gives to data without a text: a
// polynomial of the token at a secret point (NIST SP 800-38D, section 6.4), in 40 % of
// the time that SHA-256 takes.
//
// Whatever two tokens somebody chooses, they have one fingerprint with a probability of
// n in 2^128, where n is the blocks of the longer one. That holds while nobody sees a
// tag, since two of them give the point away. None leaves this function, and without
// the last step a bit of one could, as the shard of a cache.
func polynomialSum(secret []byte) (func(b []byte) fingerprint, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize()) // one for all: nothing is encrypted with it
	return func(b []byte) fingerprint {
		tag := gcm.Seal(b[:0], nonce, nil, b[headroom:])
		block.Encrypt(tag, tag)
		return fingerprint(tag)
	}, nil
}

// hashSum is the first half of SHA-256 over the secret and the token. Nobody sees one
// to extend it, which is what the second hash of an HMAC is against.
func hashSum(secret []byte) func(b []byte) fingerprint {
	return func(b []byte) fingerprint {
		copy(b, secret)
		sum := sha256.Sum256(b)
		return fingerprint(sum[:aes.BlockSize])
	}
}
