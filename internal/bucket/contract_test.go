package bucket_test

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// The table relies on behavior of x/time/rate that its documentation does not
// promise. These tests fail when a new version changes it.

func newLimiter(t0 time.Time, r rate.Limit, burst int, full time.Duration) *rate.Limiter {
	l := &rate.Limiter{}
	l.SetBurstAt(t0.Add(-full), burst)
	l.SetLimitAt(t0.Add(-full), r)
	return l
}

func TestRateNegativeAllowNRefunds(t *testing.T) {
	t.Parallel()
	t0 := time.Unix(0, 12345).UTC()
	tests := []struct {
		name   string
		take   int
		after  time.Duration
		refund int
		want   float64
	}{
		{name: "at once", take: 4, refund: 2, want: 3},
		{name: "after tokens came back", take: 4, after: 2 * time.Second, refund: 1, want: 4},
		{name: "to exactly full", take: 4, refund: 4, want: 5},
		{name: "never above the burst", take: 1, refund: 50, want: 5},
		{name: "a full bucket stays full", take: 0, refund: 3, want: 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLimiter(t0, 1, 5, 5*time.Second)
			if !l.AllowN(t0, tt.take) {
				t.Fatalf("AllowN(%d) on a full bucket was refused", tt.take)
			}
			now := t0.Add(tt.after)
			l.AllowN(now, -tt.refund)
			if got := l.TokensAt(now); got != tt.want {
				t.Errorf("got %v tokens, want %v", got, tt.want)
			}
			for n := range int(tt.want) {
				if !l.AllowN(now, 1) {
					t.Errorf("token %d of %v was refused", n+1, tt.want)
				}
			}
			if l.AllowN(now, 1) {
				t.Errorf("more than %v tokens were allowed", tt.want)
			}
		})
	}
}

func TestRateLimiterStartsEmptyAtSetLimitAt(t *testing.T) {
	t.Parallel()
	t0 := time.Unix(0, 0).UTC()
	for _, seconds := range []int{0, 1, 3, 5, 500} {
		l := newLimiter(t0, 1, 5, time.Duration(seconds)*time.Second)
		if got, want := l.TokensAt(t0), float64(min(seconds, 5)); got != want {
			t.Errorf("started %d s ago: got %v tokens, want %v", seconds, got, want)
		}
	}
}

func TestRateReserveNTakesUpToTheBurst(t *testing.T) {
	t0 := time.Unix(0, 0).UTC()
	l := newLimiter(t0, 1, 5, 5*time.Second)
	l.ReserveN(t0, 4)
	l.ReserveN(t0, 5) // more than there is: the bucket owes
	if got, want := l.TokensAt(t0), -4.0; got != want {
		t.Errorf("got %v tokens, want %v", got, want)
	}
	if got := testing.AllocsPerRun(100, func() { l.ReserveN(t0, 1) }); got != 0 && !raceEnabled {
		t.Errorf("ReserveN allocates %v times, want 0", got)
	}
}

func TestRateRefusedAllowNChangesNothing(t *testing.T) {
	t.Parallel()
	t0 := time.Unix(0, 0).UTC()
	l := newLimiter(t0, 1, 5, 5*time.Second)
	l.AllowN(t0, 3)
	for _, n := range []int{3, 5, 6} {
		if l.AllowN(t0, n) {
			t.Errorf("AllowN(%d) with 2 tokens was allowed", n)
		}
	}
	if got := l.TokensAt(t0); got != 2 {
		t.Errorf("got %v tokens, want 2", got)
	}
}
