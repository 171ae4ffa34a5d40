package input

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

// scratch is what one request needs while it is decoded, kept for the next one.
type scratch struct {
	buf  []byte
	own  []byte // the buffer to go on with, while buf is a large one
	json jsonDecoder
	out  collector
	seen []bool
	path []frame
}

func newScratch() *scratch { return scratchWith(make([]byte, 0, 4<<10)) }

// scratchWith returns a scratch that reads bodies into buf.
func scratchWith(buf []byte) *scratch {
	s := &scratch{buf: buf}
	s.json.out = &s.out
	return s
}

// takeScratch returns a scratch that holds nothing of another request.
func (p *Plan) takeScratch() *scratch { return p.pool.Get().(*scratch) }

// putScratch wipes s and keeps it. What a large body has made of it is not kept, but for its buffers.
func (p *Plan) putScratch(s *scratch) {
	clear(s.buf)
	clear(s.path[:cap(s.path)])
	s.json.release()
	s.out.release()
	s.path = s.path[:0]
	if cap(s.buf) > maxOwnBuffer {
		giveLarge(s.buf)
		s = scratchWith(s.own)
	}
	s.buf = s.buf[:0]
	p.pool.Put(s)
}

// largeBuffers are wiped buffers of more than maxOwnBuffer bytes. All plans share them, so that a route
// which is sent a large body now and then keeps none of its own.
var largeBuffers sync.Pool // of *[]byte

// emptyBuffer returns a buffer with room for size bytes.
func emptyBuffer(size int) []byte {
	if size > maxOwnBuffer {
		if b, ok := largeBuffers.Get().(*[]byte); ok && cap(*b) >= size {
			return *b
		}
	}
	return make([]byte, 0, size)
}

// giveLarge keeps a wiped buffer for another request.
func giveLarge(b []byte) {
	if cap(b) > maxPooledBuffer {
		return
	}
	b = b[:0]
	largeBuffers.Put(&b)
}

// Body is what Decode holds until the request ends.
//
// It is the body's bytes, when a wrapped handler is to read them again, and uploaded files. A nil Body holds nothing. It is safe for concurrent use.
type Body struct {
	mu       sync.Mutex
	plan     *Plan
	held     *scratch
	files    []*upload
	boundary string // of a multipart body, whose parts are kept
	parts    []part
	closed   bool
}

// Reader returns a new reader over the decoded body, or http.NoBody when none was kept. After Close it reads nothing: the
// bytes belong to another request then.
func (b *Body) Reader() io.ReadCloser {
	if b == nil {
		return http.NoBody
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.boundary != "" {
		body, _ := replayParts(b.boundary, b.parts)
		return body
	}
	if b.held == nil {
		return http.NoBody
	}
	return &bodyReader{body: b}
}

// Len returns the number of bytes that Reader gives. It belongs in the request's ContentLength.
func (b *Body) Len() int64 {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.boundary != "":
		_, size := replayParts(b.boundary, b.parts)
		return size
	case b.held == nil:
		return 0
	}
	return int64(len(b.held.buf))
}

// Close wipes the bytes and removes temporary files. It may be called more than once, and on nil.
func (b *Body) Close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	if b.held != nil {
		b.plan.putScratch(b.held)
		b.held = nil
	}
	for _, f := range b.files {
		f.remove()
	}
	b.files = nil
}

// bodyReader reads the held bytes. It goes through the Body for every read, so that a handler's forgotten goroutine
// can never see the bytes of the next request.
type bodyReader struct {
	body *Body
	at   int
}

func (r *bodyReader) Read(p []byte) (int, error) {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	if r.body.held == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	n := copy(p, r.body.held.buf[r.at:])
	r.at += n
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *bodyReader) Close() error { return nil }

// errTooLarge says that a body is over its cap.
var errTooLarge = errors.New("input: body over the cap")

// readAll reads the body into s.buf, at most limit bytes of it.
func (s *scratch) readAll(w http.ResponseWriter, r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		return errTooLarge
	}
	body := r.Body
	if r.ContentLength < 0 {
		// The original writer lets net/http close the connection. A declared length is enforced by the server itself.
		body = http.MaxBytesReader(w, r.Body, limit)
	}
	for idle := 0; idle < maxIdleReads; idle++ {
		if len(s.buf) == cap(s.buf) {
			s.grow(r.ContentLength)
		}
		n, err := body.Read(s.buf[len(s.buf):cap(s.buf)])
		if n > 0 {
			idle = 0
		}
		s.buf = s.buf[:len(s.buf)+n]
		if int64(len(s.buf)) > limit {
			return errTooLarge
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// maxIdleReads is how often in a row a body may return nothing and no error. The server's own never does; one that some
// middleware has put in its place could otherwise keep a request running for ever.
const maxIdleReads = 100

// grow replaces a full buffer by a larger one, and wipes it. The declared length is -1 where there is none.
//
// A length is believed as far as bytes have come, so that whoever declares much and sends little holds little memory. Without
// one the buffer doubles.
func (s *scratch) grow(declared int64) {
	size := int64(max(2*len(s.buf), 512))
	if have := int64(len(s.buf)); declared >= have {
		size = min(declared, max(maxOwnBuffer, believedTimes*have)-1) + 1 // a byte more, to see the end
	}
	bigger := append(emptyBuffer(int(size)), s.buf...)
	clear(s.buf)
	switch {
	case cap(s.buf) > maxOwnBuffer:
		giveLarge(s.buf)
	case cap(bigger) > maxOwnBuffer:
		s.own = s.buf
	}
	s.buf = bigger
}

// readFailure explains an error of reading the body.
func readFailure(ctx context.Context, err error) *Failure {
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		f := failureTooLarge
		return &f
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout(),
		errors.Is(ctx.Err(), context.DeadlineExceeded):
		return failureTimeout.with(err)
	}
	return failureIncomplete.with(err)
}

// BodyError is why a handler cannot read a Raw body to its end. It wraps the connection's own error.
type BodyError struct {
	Failure *Failure // too large, too slow, or cut off
	err     error
}

func (e *BodyError) Error() string { return "read body: " + e.err.Error() }

func (e *BodyError) Unwrap() error { return e.err }

// rawReader tells a handler's own errors from those that the sender of the body has caused.
type rawReader struct{ body io.ReadCloser }

func (r *rawReader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if err != nil && err != io.EOF && err != http.ErrBodyReadAfterClose {
		err = &BodyError{readFailure(context.Background(), err), err}
	}
	return n, err
}

func (r *rawReader) Close() error { return r.body.Close() }

// noBody reports whether r surely has no body.
func noBody(r *http.Request) bool {
	return r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody
}

// checkNoBody refuses a request that has a body. Of a chunked one it reads a single byte.
func checkNoBody(ctx context.Context, r *http.Request) *Failure {
	if noBody(r) {
		return nil
	}
	f := failureUnexpected
	f.CloseConn = true
	// A body that waits for a 100 is announced to have content (RFC 9110 §10.1.1). Looking would invite it.
	if r.ContentLength > 0 || r.Header["Expect"] != nil {
		return &f
	}
	var one [1]byte
	for range maxIdleReads {
		n, err := r.Body.Read(one[:])
		switch {
		case n > 0:
			return &f
		case err == io.EOF:
			return nil
		case err != nil:
			return readFailure(ctx, err)
		}
	}
	return readFailure(ctx, io.ErrNoProgress)
}
