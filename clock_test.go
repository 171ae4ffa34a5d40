package guard_test

import (
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// A clock that jumps admits nobody twice: a limit's bucket is full at most once for
// each time that was never there before, and a message that was delivered stays so.
func TestClocksThatJump(t *testing.T) {
	t.Parallel()
	now := signedAt
	l := newLimited((&guard.Limiter{Store: guard.NewMemoryStore(func() time.Time { return now })}).PerIP(5, time.Hour))
	b := newBilling(t, func(c *guard.Webhook) { c.Now = func() time.Time { return now } })
	fields := signed("msg_1", invoicePaid)
	for _, step := range []struct {
		name  string
		at    time.Duration // from the start
		admit int
		hook  int // status of the one message, signed at the start
	}{
		{name: "the start", at: 0, admit: 5, hook: 204},
		{name: "an hour back", at: -time.Hour, hook: 401},
		{name: "the start again", at: 0, hook: 204},
		{name: "two minutes back", at: -2 * time.Minute, hook: 204},
		{name: "two days forward", at: 48 * time.Hour, admit: 5, hook: 401},
		{name: "a day back", at: 24 * time.Hour, hook: 401},
		{name: "two days forward again", at: 48 * time.Hour, hook: 401},
		{name: "an hour on", at: 49 * time.Hour, admit: 5, hook: 401},
	} {
		now = signedAt.Add(step.at)
		l.expect(t, step.admit, 204)
		l.expect(t, 3, 429)
		if got := send(b, "POST", "/hooks", invoicePaid, fields...).StatusCode; got != step.hook || b.count() != 1 {
			t.Errorf("%s: got %d after %d runs, want %d after 1", step.name, got, b.count(), step.hook)
		}
	}
}
