package flight_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard/internal/flight"
)

// A lookup that was cut off knows nothing, whatever it says: nobody waits for it any
// more, and its "no such session" is not kept.
func TestAnAnswerAfterTheTimeoutIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errGone := errors.New("no such session")
		var lookups atomic.Int32
		cache, err := flight.New(flight.Config{Good: time.Hour, Bad: time.Hour, Timeout: time.Second,
			IsBad: func(err error) bool { return errors.Is(err, errGone) }},
			func(ctx context.Context, _ string) (int, error) {
				lookups.Add(1)
				<-ctx.Done()
				return 0, errGone
			})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			ctx, leave := context.WithTimeout(context.Background(), time.Millisecond)
			_, _ = cache.Get(ctx, "credential")
			leave()
			time.Sleep(2 * time.Second) // of the bubble
		}
		if got := lookups.Load(); got != 2 {
			t.Errorf("got %d lookups, want 2", got)
		}
	})
}
