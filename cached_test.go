package guard_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
)

// lookups is a verifier that counts, and answers what a test says.
type lookups struct {
	n      atomic.Int64
	answer func(ctx context.Context, credential string) (User, error)
}

func (l *lookups) verify(ctx context.Context, credential string) (User, error) {
	l.n.Add(1)
	return l.answer(ctx, credential)
}

var (
	halfMinute = guard.Cache{Good: 30 * time.Second, Bad: 5 * time.Second}

	// lasting is for tests in real time: no machine pauses for an hour.
	lasting = guard.Cache{Good: time.Hour, Bad: time.Hour, Timeout: time.Hour}
)

func TestCachedOutcomes(t *testing.T) {
	t.Parallel()
	say := func(u User, err error) func(context.Context, string) (User, error) {
		return func(context.Context, string) (User, error) { return u, err }
	}
	tests := []struct {
		name    string
		answer  func(context.Context, string) (User, error)
		status  int
		lookups int64 // after two requests
		cause   string
	}{
		{name: "a session is remembered", answer: say(User{ID: "alice"}, nil), status: 200, lookups: 1},
		{name: "ErrNoSession is remembered", answer: say(User{}, fmt.Errorf("row: %w", guard.ErrNoSession)), status: 401, lookups: 1, cause: "no such session"},
		{name: "ErrNotFound is remembered", answer: say(User{}, guard.ErrNotFound), status: 401, lookups: 1, cause: "not found"},
		{name: "sql.ErrNoRows is remembered", answer: say(User{}, sql.ErrNoRows), status: 401, lookups: 1, cause: "no rows"},
		{name: "a broken store is not", answer: say(User{}, errors.New("connection refused")), status: 503, lookups: 2, cause: "connection refused"},
		{name: "a session without a subject is not", answer: say(User{}, nil), status: 401, lookups: 2, cause: "without a subject"},
		{name: "a session with an error is not", answer: say(User{ID: "alice"}, errors.New("half read")), status: 503, lookups: 2, cause: "half read"},
		{name: "a panic is contained, and not", answer: func(_ context.Context, credential string) (User, error) { panic("no row for " + credential) },
			status: 503, lookups: 2, cause: "cached_test.go"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := &lookups{answer: tt.answer}
			log := &logBuffer{}
			h := behind(guard.APIKey("X-API-Key", guard.Cached(l.verify, lasting).Verify), log)
			for range 2 {
				if r := send(h, "POST", "/", "", "X-API-Key: key-of-alice"); r.StatusCode != tt.status {
					t.Errorf("got %d, want %d", r.StatusCode, tt.status)
				}
			}
			if got := l.n.Load(); got != tt.lookups {
				t.Errorf("got %d lookups, want %d", got, tt.lookups)
			}
			if !strings.Contains(log.String(), tt.cause) || strings.Contains(log.String(), "key-of-alice") {
				t.Errorf("got log %s, want %q and no credential in it", log, tt.cause)
			}
		})
	}
}

// A nil session is no session, whatever its type.
func TestCachedTypedNil(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	keys := guard.Cached(func(context.Context, string) (*pointerUser, error) { n.Add(1); return nil, nil }, lasting)
	h := behind(guard.APIKey("X-API-Key", keys.Verify), &logBuffer{})
	for range 2 {
		if r := send(h, "POST", "/", "", "X-API-Key: k"); r.StatusCode != 401 {
			t.Errorf("got %d, want 401", r.StatusCode)
		}
	}
	if n.Load() != 2 {
		t.Errorf("got %d lookups, want 2", n.Load())
	}
}

type pointerUser struct{ id string }

func (u *pointerUser) Subject() string { return u.id }

func TestCachedTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		valid := true
		l := &lookups{answer: func(context.Context, string) (User, error) {
			if !valid {
				return User{}, guard.ErrNoSession
			}
			return User{ID: "alice"}, nil
		}}
		keys := guard.Cached(l.verify, halfMinute)
		h := behind(guard.APIKey("X-API-Key", keys.Verify), &logBuffer{})
		expect := func(what string, status int, lookups int64) {
			t.Helper()
			if r := send(h, "POST", "/", "", "X-API-Key: k"); r.StatusCode != status || l.n.Load() != lookups {
				t.Errorf("%s: got %d after %d lookups, want %d after %d", what, r.StatusCode, l.n.Load(), status, lookups)
			}
		}
		expect("the first request", 200, 1)
		valid = false
		time.Sleep(29 * time.Second)
		expect("a withdrawn key within Good", 200, 1)
		time.Sleep(time.Second)
		expect("a withdrawn key after Good", 401, 2)
		valid = true
		expect("a new key within Bad", 401, 2)
		time.Sleep(5 * time.Second)
		expect("a new key after Bad", 200, 3)
		valid = false
		keys.Forget("k")
		expect("a forgotten key", 401, 4)
	})
}

func TestCachedSharesLookups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proceed := make(chan struct{})
		l := &lookups{answer: func(ctx context.Context, _ string) (User, error) {
			select {
			case <-proceed:
				return User{ID: "alice"}, nil
			case <-ctx.Done():
				return User{}, ctx.Err()
			}
		}}
		keys := guard.Cached(l.verify, guard.Cache{Good: time.Minute, Lookups: 1})
		h := behind(guard.APIKey("X-API-Key", keys.Verify), &logBuffer{})

		// The first caller goes away; the others must not suffer from it.
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { _, err := keys.Verify(ctx, "k"); gone <- err }()
		synctest.Wait()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if r := send(h, "POST", "/", "", "X-API-Key: k"); r.StatusCode != 200 {
					t.Errorf("got %d, want 200", r.StatusCode)
				}
			})
		}
		synctest.Wait()
		if r := send(h, "POST", "/", "", "X-API-Key: another"); r.StatusCode != 503 {
			t.Errorf("too many lookups: got %d, want 503", r.StatusCode)
		}
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the caller's own cancellation", err)
		}
		close(proceed)
		all.Wait()
		if l.n.Load() != 1 {
			t.Errorf("got %d lookups, want 1", l.n.Load())
		}
	})
}

func TestCachedTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lookups{answer: func(ctx context.Context, _ string) (User, error) { <-ctx.Done(); return User{}, ctx.Err() }}
		h := behind(guard.APIKey("X-API-Key", guard.Cached(l.verify, guard.Cache{Good: time.Minute, Timeout: time.Second}).Verify), &logBuffer{})
		start := time.Now()
		if r := send(h, "POST", "/", "", "X-API-Key: k"); r.StatusCode != 503 || time.Since(start) != time.Second {
			t.Errorf("got %d after %s, want 503 after 1s", r.StatusCode, time.Since(start))
		}
	})
}

func TestCachedMistakes(t *testing.T) {
	t.Parallel()
	verify := (&service{}).verify
	mustPanic(t, "no verifier", "verify is nil", func() { guard.Cached[User](nil, halfMinute) })
	mustPanic(t, "no times", "Good", func() { guard.Cached(verify, guard.Cache{}) })
	mustPanic(t, "a negative time", "Bad", func() { guard.Cached(verify, guard.Cache{Good: time.Minute, Bad: -1}) })
	for name, keys := range map[string]*guard.CachedVerifier[User]{"nil": nil, "zero": {}} {
		keys.Forget("k")
		h := behind(guard.APIKey("X-API-Key", keys.Verify), &logBuffer{})
		if r := send(h, http.MethodPost, "/", "", "X-API-Key: k"); r.StatusCode != 503 {
			t.Errorf("%s: got %d, want 503", name, r.StatusCode)
		}
	}
}
