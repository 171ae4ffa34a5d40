package guardtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/internal/replay"
)

// faulty is a correct store of deliveries with the fault that a test asks for.
type faulty struct {
	guard.ReplayStore
	fault string
}

func (f *faulty) Claim(ctx context.Context, key, owner string, lease time.Duration) (guard.ReplayState, error) {
	switch f.fault {
	case "one owner for all":
		owner = "a"
	case "one key for all":
		if key != "" {
			key = "k"
		}
	case "no lease":
		lease = max(lease, 10*time.Minute)
	case "empty keys":
		if key == "" {
			key = "empty"
		}
	}
	state, err := f.ReplayStore.Claim(ctx, key, owner, lease)
	if f.fault == "running is delivered" && state == guard.ReplayRunning {
		state = guard.ReplayDelivered
	}
	if f.fault == "an error with a verdict" && err != nil {
		state = guard.ReplayClaimed
	}
	return state, err
}

func (f *faulty) Done(ctx context.Context, key string, keep time.Duration) error {
	switch f.fault {
	case "done forgets":
		return nil
	case "no keep":
		keep = max(keep, 24*time.Hour)
	case "done heeds the request":
		return errors.Join(ctx.Err(), f.ReplayStore.Done(ctx, key, keep))
	}
	return f.ReplayStore.Done(ctx, key, keep)
}

func (f *faulty) Release(ctx context.Context, key, owner string) error {
	switch f.fault {
	case "release forgets":
		return nil
	case "anybody releases":
		for _, owner := range []string{"a", "b", "c"} {
			_ = f.ReplayStore.Release(ctx, key, owner)
		}
	}
	return f.ReplayStore.Release(ctx, key, owner)
}

func TestReplayFaultsAreFound(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{
		"", "one owner for all", "one key for all", "no lease", "empty keys", "running is delivered", "an error with a verdict",
		"done forgets", "no keep", "done heeds the request", "release forgets", "anybody releases",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			found := replayFaultFound(t, fault)
			if (len(found) == 0) != (fault == "") {
				t.Errorf("failing cases: %q", found)
			}
		})
	}
}

func replayFaultFound(t *testing.T, fault string) (found []string) {
	for _, c := range replayCases() {
		r, done, clock := &recorder{}, make(chan struct{}), newClock()
		m, err := replay.New(replay.Config{Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer close(done)
			c.run(&replaySuite{T: r, clock: clock, store: &faulty{m, fault}})
		}()
		<-done
		if r.failed {
			found = append(found, c.name)
		}
	}
	return found
}
