package guard

import (
	"context"
	"net/http"
	"strconv"

	"github.com/routeguard/guard/checklist"
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

type callKey struct{}

// CallOf returns the Call of a request that [Wrap] guards.
//
// The type arguments are the route's own. It reports false where there is no Call
// or one of other types.
func CallOf[S Principal, T, R any](ctx context.Context) (*Call[S, T, R], bool) {
	c, ok := ctx.Value(callKey{}).(*Call[S, T, R])
	return c, ok
}

func wrapping[S Principal, T, R any](h http.Handler, who Authenticator[S]) ending[S, T, R] {
	return ending[S, T, R]{kind: checklist.Wrap, run: func(_ context.Context, x *exchange, c *Call[S, T, R], b *input.Body) error {
		r := x.r.WithContext(context.WithValue(x.r.Context(), callKey{}, c))
		if !who.anyone || b.Len() > 0 { // what follows changes the header, which is still the server's
			r.Header = r.Header.Clone()
		}
		who.strip(r)
		giveBack(r, b)
		defer removeForm(r)
		c.Request = r // nor does it find the credential through its Call
		h.ServeHTTP(x.handOver(), r)
		x.implied()
		x.failed = x.status >= 400
		return nil
	}}
}
