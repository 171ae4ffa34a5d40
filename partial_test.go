package guard_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/routeguard/guard"
)

// A problem is never appended to what a handler has written, flushed or not: the
// connection is cut instead.
func TestNothingFollowsTheBytesOfAHandler(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	unguarded := guard.NewMux(errs)
	fails := func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, "half")
		panic("boom")
	}
	unguarded.Unguarded("/", "test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fails(w) }))
	tests := map[string]http.Handler{
		"a stream that fails": stream(errs, func(_ context.Context, w http.ResponseWriter) error {
			_, err := io.WriteString(w, "half")
			return errors.Join(err, errors.New("boom"))
		}),
		"a stream that panics":             stream(errs, func(_ context.Context, w http.ResponseWriter) error { fails(w); return nil }),
		"a wrapped handler that panics":    wrapped(errs, func(w http.ResponseWriter, _ *http.Request) { fails(w) }),
		"an unguarded handler that panics": unguarded,
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			defer func() {
				if p := recover(); p != http.ErrAbortHandler || w.Body.String() != "half" || w.Code != 200 {
					t.Errorf("got panic %v, status %d and body %q, want http.ErrAbortHandler, 200 and half", p, w.Code, w.Body)
				}
			}()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		})
	}
}
