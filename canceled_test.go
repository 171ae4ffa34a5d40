package guard

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// What a loader returns may be a nil of its own error type, whose text panics.
func TestTextOfALoaderThatReturnsATypedNil(t *testing.T) {
	t.Parallel()
	var none *missingText
	err := &notLoaded{"id", none}
	if got := err.Error(); got == "" {
		t.Error("got no text")
	}
	if e := (&Responder{}).public(t.Context(), err); e.Status != http.StatusInternalServerError || !errors.Is(e, err) {
		t.Errorf("got %d, want a 500 with its cause", e.Status)
	}
}

type missingText struct{ text string }

func (e *missingText) Error() string { return e.text }

type stopper struct{}

// asking is an input whose Validate asks a store, while the request is ended.
type asking struct {
	Q string `query:"q"`
}

func (a *asking) Validate(ctx context.Context) error {
	if stop, ok := ctx.Value(stopper{}).(func()); ok {
		stop()
	}
	return ctx.Err()
}

// A service that ends its requests answers those that are being validated, too.
func TestWhoCanceledTheValidation(t *testing.T) {
	t.Parallel()
	tell := &Responder{}
	h := New(Anyone, Query[asking], NoResource[Anonymous], Unlimited("a test"), tell,
		func(context.Context, *Call[Anonymous, asking, None]) (None, error) { return None{}, nil })
	for _, tt := range []struct {
		why  error
		want int
	}{{nil, statusClientGone}, {errors.New("the service is stopping"), http.StatusServiceUnavailable}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		ctx = context.WithValue(ctx, stopper{}, func() { cancel(tt.why) })
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/?q=a", nil))
		if w.Code != tt.want {
			t.Errorf("canceled by %v: got status %d, want %d", tt.why, w.Code, tt.want)
		}
	}
}
