package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/routeguard/guard"
)

var _ guard.ReplayStore = (*Store)(nil)

// The bounds of guard.ReplayStore, in bytes.
const (
	maxKeyBytes   = 512
	maxOwnerBytes = 64
)

// What the key of a message holds. No owner's mark is that of a delivered message.
const (
	delivered = "delivered"
	ownedBy   = "owner:"
)

// Claim implements guard.ReplayStore. Claiming again does not extend the lease.
func (s *Store) Claim(ctx context.Context, key, owner string, lease time.Duration) (guard.ReplayState, error) {
	if err := errors.Join(checkText("key", key, maxKeyBytes), checkText("owner", owner, maxOwnerBytes), checkTime("lease", lease)); err != nil {
		return 0, fmt.Errorf("redisstore: claim: %w", err)
	}
	reply, err := s.run(ctx, claimScript, []string{s.key(kindMessage, key)}, ownedBy+owner, delivered, millis(lease))
	if err != nil {
		return 0, fmt.Errorf("redisstore: claim: %w", err)
	}
	switch reply {
	case int64(1):
		return guard.ReplayClaimed, nil
	case int64(2):
		return guard.ReplayRunning, nil
	case int64(3):
		return guard.ReplayDelivered, nil
	}
	return 0, fmt.Errorf("redisstore: claim: %w", errReply)
}

// Done implements guard.ReplayStore.
//
// It goes on when ctx is canceled, and tries twice: the work is done, and forgetting
// that would do it again.
func (s *Store) Done(ctx context.Context, key string, keep time.Duration) error {
	if err := errors.Join(checkText("key", key, maxKeyBytes), checkTime("keep", keep)); err != nil {
		return fmt.Errorf("redisstore: done: %w", err)
	}
	return s.setTwice(context.WithoutCancel(ctx), "done", s.key(kindMessage, key), delivered, keep)
}

// Release implements guard.ReplayStore. It goes on when ctx is canceled.
func (s *Store) Release(ctx context.Context, key, owner string) error {
	if err := errors.Join(checkText("key", key, maxKeyBytes), checkText("owner", owner, maxOwnerBytes)); err != nil {
		return fmt.Errorf("redisstore: release: %w", err)
	}
	_, err := s.run(context.WithoutCancel(ctx), releaseScript, []string{s.key(kindMessage, key)}, ownedBy+owner)
	if err != nil {
		return fmt.Errorf("redisstore: release: %w", err)
	}
	return nil
}

// setTwice sets a key, and once more if that fails: setting it twice is no harm. It
// tries even while other calls do not, since what it notes must not be lost.
func (s *Store) setTwice(ctx context.Context, doing, key, value string, keep time.Duration) error {
	if s == nil || s.client == nil {
		return errUnmade
	}
	set := func(ctx context.Context) error {
		return s.client.Set(ctx, key, value, time.Duration(millis(keep))*time.Millisecond).Err()
	}
	err := s.try(ctx, 0, set)
	if err != nil && ctx.Err() == nil {
		err = s.try(ctx, 0, set)
	}
	if err != nil {
		return fmt.Errorf("redisstore: %s: %w", doing, err)
	}
	return nil
}

// millis is d in whole milliseconds, rounded up.
func millis(d time.Duration) int64 {
	return int64((d-1)/time.Millisecond) + 1
}

func checkText(what, text string, most int) error {
	switch {
	case text == "":
		return fmt.Errorf("the %s is empty", what)
	case len(text) > most:
		return fmt.Errorf("the %s has %d bytes; at most %d", what, len(text), most)
	}
	return nil
}

func checkTime(what string, d time.Duration) error {
	if d <= 0 || d > 10*maxFill {
		return fmt.Errorf("the %s is %s; use more than 0, at most %s", what, d, 10*maxFill)
	}
	return nil
}
