package input

import (
	"errors"
	"io"
	"strings"
)

// multipartReadAhead is how far mime/multipart may read ahead of what it has returned.
const multipartReadAhead = 8 << 10

// formReader reads a multipart body and keeps the bounds that mime/multipart does not: text and framing together are bounded
// apart from file content, the body starts with its boundary (a preamble is where one parser sees a part and another does
// not) on a line that ends with CRLF, and its tail is remembered.
type formReader struct {
	r        io.Reader
	opening  string
	textLeft int64
	head     []byte
	tail     []byte
	err      error // of reading, io.EOF and a bad opening left out
}

var errOpening = errors.New("input: multipart body does not start with its boundary")

func (f *formReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
		return n, err
	}
	f.textLeft -= int64(n)
	if f.textLeft < 0 {
		f.err = errTooLarge
		return 0, errTooLarge
	}
	if !f.opens(p[:n]) {
		return 0, errOpening
	}
	f.remember(p[:n])
	return n, err
}

// opens checks the first bytes of the body.
func (f *formReader) opens(p []byte) bool {
	want := f.opening + "\r\n"
	if missing := len(want) - len(f.head); missing > 0 {
		f.head = append(f.head, p[:min(missing, len(p))]...)
	}
	return strings.HasPrefix(want, string(f.head)) || strings.HasPrefix(f.opening+"--", string(f.head))
}

// remember keeps the last bytes of the body.
func (f *formReader) remember(p []byte) {
	const keep = 70 + len("----\r\n")
	f.tail = append(f.tail, p[max(0, len(p)-keep):]...)
	f.tail = f.tail[max(0, len(f.tail)-keep):]
}

// fileReader reads file content, which does not count as text.
type fileReader struct {
	r   io.Reader
	src *formReader
}

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	f.src.textLeft += int64(n)
	return n, err
}
