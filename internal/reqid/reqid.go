// Package reqid makes and checks request ids.
package reqid

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// The lengths that [Valid] accepts, in bytes.
const (
	minLen = 8
	maxLen = 128
)

// New returns a UUID of version 7 (RFC 9562, section 5.7), in lower case.
//
// now is the time of the request, which the caller has read anyway.
// It holds the time in milliseconds and 74 random bits from crypto/rand, none
// of them a counter: an id tells nothing about the ids before and after it.
// The time never runs backwards, even if the clock is set back; ids of one
// millisecond are in no order. If the system has no randomness to give, the
// error says so and the id is empty. New is safe for concurrent use.
func New(now time.Time) (string, error) { return system.new(now) }

// Valid reports whether a caller's own id may be used as the request's id.
//
// It is 8 to 128 ASCII letters, digits, dots, underscores and hyphens:
// nothing that could break a header, a log line or a terminal.
func Valid(id string) bool {
	if len(id) < minLen || len(id) > maxLen {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// system is state of the package as crypto/rand.Reader is: it buffers what
// that Reader gave, and nobody can configure it. A virtual machine started
// twice from one snapshot has the same buffers twice; its ids still differ in
// their time.
var system = source{reader: cryptoReader{}}

// cryptoReader is rand.Reader as it is now: a test may have replaced it since this
// package was initialized.
type cryptoReader struct{}

func (cryptoReader) Read(p []byte) (int, error) { return rand.Reader.Read(p) }

// Weak returns an id in the form of [New] that needs nothing from crypto/rand.
//
// It is for the refusal of a request for which New has failed. Its 74 random bits
// are those of math/rand/v2: fit to find a log record, and no secret.
func Weak() string {
	s := source{reader: weakReader{}}
	id, _ := s.new(time.Now()) // a weakReader has no error
	return id
}

type weakReader struct{}

func (weakReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(mathrand.Uint32())
	}
	return len(p), nil
}

// source makes ids. It is safe for concurrent use if reader is.
type source struct {
	reader  io.Reader
	buffers sync.Pool    // of *buffer
	last    atomic.Int64 // the latest time used, in Unix milliseconds
}

func (s *source) new(now time.Time) (string, error) {
	var id [16]byte
	if err := s.random(id[6:]); err != nil {
		return "", err
	}
	ms := s.notBefore(now.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70 // version 7
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return format(&id), nil
}

// notBefore returns ms, or the time of an earlier id if that was later.
func (s *source) notBefore(ms int64) int64 {
	for {
		last := s.last.Load()
		if ms <= last {
			return last
		}
		if s.last.CompareAndSwap(last, ms) {
			return ms
		}
	}
}

func format(id *[16]byte) string {
	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// random fills dst from a buffer that no other goroutine holds.
func (s *source) random(dst []byte) error {
	b, _ := s.buffers.Get().(*buffer)
	if b == nil {
		b = new(buffer)
	}
	if err := b.read(s.reader, dst); err != nil {
		return fmt.Errorf("read random bytes for a request id: %w", err)
	}
	s.buffers.Put(b)
	return nil
}

// buffer saves most calls of the system: one fill is 64 ids. What was handed
// out is wiped, so that memory read later does not reveal earlier ids.
type buffer struct {
	bytes  [64 * 10]byte
	unread int
}

// read fills dst, which is at most as long as the buffer. After an error the
// buffer is empty again, so that half a fill is never used.
func (b *buffer) read(r io.Reader, dst []byte) error {
	if b.unread < len(dst) {
		b.unread = 0
		if _, err := io.ReadFull(r, b.bytes[:]); err != nil {
			return err
		}
		b.unread = len(b.bytes)
	}
	next := b.bytes[len(b.bytes)-b.unread:]
	b.unread -= copy(dst, next)
	clear(next[:len(dst)])
	return nil
}
