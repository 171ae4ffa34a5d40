package guardtest_test

import (
	"testing"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/guardtest"
	"github.com/routeguard/guard/internal/replay"
)

func TestReplayMemory(t *testing.T) {
	t.Parallel()
	guardtest.ReplayStore(t, func(t *testing.T, clock *guardtest.Clock) guard.ReplayStore {
		m, err := replay.New(replay.Config{Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		return m
	})
}
