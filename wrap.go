package guard

import (
	"net/http"
	"strconv"

	"github.com/routeguard/guard/internal/input"
)

// giveBack puts the decoded body back into r, framed by its length: what arrived in
// chunks or after a 100 (Continue) is complete by now.
func giveBack(r *http.Request, b *input.Body) {
	n := b.Len()
	if n == 0 {
		return
	}
	r.Body, r.ContentLength, r.TransferEncoding = b.Reader(), n, nil
	r.Header.Set("Content-Length", strconv.FormatInt(n, 10))
	r.Header.Del("Expect")
}

// removeForm removes the temporary files of a handler's own ParseMultipartForm. net/http
// does that for its own request alone, and a wrapped handler's is a copy.
func removeForm(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}
