package guard_test

import (
	"testing"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/guardtest"
)

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	guardtest.Store(t, func(_ *testing.T, clock *guardtest.Clock) guard.Store {
		return guard.NewMemoryStore(clock.Now)
	})
}

func TestMemoryStoreInRealTime(t *testing.T) {
	t.Parallel()
	guardtest.Store(t, func(_ *testing.T, clock *guardtest.Clock) guard.Store {
		clock.RealTime()
		return guard.NewMemoryStore(clock.Now)
	})
}
