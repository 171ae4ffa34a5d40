package strictjwt_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard/internal/strictjwt"
)

// TestVerifyConcurrently mixes good, forged and forgotten tokens while the key
// changes. A token of the old key may pass only until the change plus CacheAge,
// which the clock of the test makes a definite moment.
func TestVerifyConcurrently(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	var rotated atomic.Bool
	next := []byte(strings.Repeat("another key ", 4))
	c := config("HS256")
	c.CacheSize = 16
	c.Now = func() time.Time { return clock().Add(time.Duration(offset.Load())) }
	c.Key, c.Keyfunc = nil, func(*jwt.Token) (any, error) {
		if rotated.Load() {
			return next, nil
		}
		return secret, nil
	}
	v := newVerifier(t, c)
	var old, young []string
	for i := range 40 {
		payload := swap(basePayload, "user-1", fmt.Sprint("user-", i))
		old = append(old, sign("HS256", secret, baseHeader, payload))
		young = append(young, sign("HS256", next, baseHeader, payload))
	}
	// all runs check from several goroutines on every token.
	all := func(tokens []string, check func(i int, claims strictjwt.Claims, err error)) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i, token := range tokens {
					claims, err := v.Verify(t.Context(), token)
					check(i, claims, err)
					if _, err := v.Verify(t.Context(), forge(token)); err == nil {
						t.Error("a forged token verified")
					}
					if i%5 == 0 {
						v.Forget(token)
					}
				}
			})
		}
		wg.Wait()
	}
	good := func(i int, claims strictjwt.Claims, err error) {
		if want := fmt.Sprint("user-", i); err != nil || claims.Subject != want {
			t.Errorf("got %q, %v, want %q", claims.Subject, err, want)
		}
	}
	bad := func(i int, _ strictjwt.Claims, err error) {
		if err == nil {
			t.Errorf("token %d of the old key verified", i)
		}
	}
	all(old, good)
	rotated.Store(true)
	all(young, good)
	offset.Store(int64(time.Minute))
	all(old, bad)
	all(young, good)
}
