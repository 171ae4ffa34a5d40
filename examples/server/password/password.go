// Package password hashes and verifies passwords with Argon2id.
//
// A hash is a string in the PHC format, which carries its salt and its cost: hashes that were made with other costs,
// here or by another program, still verify.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"

	"golang.org/x/crypto/argon2"
)

// The cost of a new hash: 19 MiB, two passes, one lane, as the OWASP Password Storage Cheat Sheet recommends.
const (
	memoryKiB = 19 * 1024
	passes    = 2
	lanes     = 1
	saltBytes = 16
	keyBytes  = 32
)

// MaxBytes is the length of the longest password, in bytes. Nobody types more.
const MaxBytes = 1024

// unknownAccount is what VerifyUnknown verifies against. Its cost is that of a new hash; its key is not the key of any
// known password, and nothing depends on that.
const unknownAccount = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3MtYWNjb3VudA$" +
	"ZG9lcy1ub3QtYmVsb25nLXRvLWFueS1wYXNzd29yZC0"

var (
	// ErrLength reports a password that is empty or longer than MaxBytes.
	ErrLength = errors.New("password: must have 1 to 1024 bytes")
	// ErrMalformedHash reports a stored hash that is not Argon2id in the PHC format, or whose cost is out of bounds.
	ErrMalformedHash = errors.New("password: stored hash is malformed")

	errZero = errors.New("password: Hasher was not made by New")
)

// Hasher hashes and verifies passwords, a bounded number at a time.
//
// It is safe for concurrent use; the zero value refuses everything.
//
// One verification takes 19 MiB for some hundredths of a second. Without a bound, ten thousand sign-ins at once would take
// 190 GB; with one, they wait for their turn, each for as long as its context lets it.
type Hasher struct {
	slots  chan struct{}
	derive func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte
}

// New returns a Hasher that works on at most max passwords at the same time.
//
// The work is bound to the processor and to memory, so more than runtime.GOMAXPROCS(0) gains nothing. New panics if max
// is less than 1.
func New(max int) *Hasher {
	if max < 1 {
		panic("password: New: max is less than 1; write runtime.GOMAXPROCS(0)")
	}
	return &Hasher{slots: make(chan struct{}, max), derive: argon2.IDKey}
}

// Hash returns the hash of a password under a new random salt.
//
// Its error is ErrLength, or that of the context if it ends before a place is free.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if password == "" || len(password) > MaxBytes {
		return "", ErrLength
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails
	made := phc{memory: memoryKiB, passes: passes, lanes: lanes, salt: salt}
	key, err := h.key(ctx, made, password, keyBytes)
	if err != nil {
		return "", err
	}
	made.key = key
	return made.String(), nil
}

// Verify reports whether hash is the hash of password.
//
// A password that Hash refuses has no hash, so the answer is false, without work. The error is ErrMalformedHash, or that
// of the context if it ends before a place is free; with an error, the answer is false.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	stored, err := parsePHC(hash)
	if err != nil {
		return false, err
	}
	if password == "" || len(password) > MaxBytes {
		return false, nil
	}
	key, err := h.key(ctx, stored, password, len(stored.key))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, stored.key) == 1, nil
}

// VerifyUnknown does the work of Verify where there is no account to verify against.
//
// Call it for an unknown account and then answer as for a wrong password, so that the time of the answer does not tell
// which it was.
//
// The work is that of a hash with the present cost; while older hashes are stored, theirs may differ.
func (h *Hasher) VerifyUnknown(ctx context.Context, password string) error {
	_, err := h.Verify(ctx, unknownAccount, password)
	return err
}

// key derives the key of a password once a place is free.
func (h *Hasher) key(ctx context.Context, p phc, password string, size int) ([]byte, error) {
	if h == nil || h.slots == nil {
		return nil, errZero
	}
	if err := ctx.Err(); err != nil { // select chooses at random when a place is free as well
		return nil, err
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	return h.derive([]byte(password), p.salt, p.passes, p.memory, p.lanes, uint32(size)), nil
}
