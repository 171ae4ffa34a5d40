package guardtest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/routeguard/guard"
)

// The bounds of guard.ReplayStore, in bytes.
const (
	maxKeyBytes   = 512
	maxOwnerBytes = 64
)

// replayCase is one rule of the contract, and why it is there.
type replayCase struct {
	name string
	why  string
	run  func(*replaySuite)
}

// replaySuite is a case at work.
type replaySuite struct {
	T     reporter
	clock *Clock
	store guard.ReplayStore
}

func (s *replaySuite) want(want guard.ReplayState, key, owner string, lease time.Duration) {
	s.T.Helper()
	got, err := s.store.Claim(context.Background(), key, owner, lease)
	if err != nil {
		s.T.Fatalf("Claim(%q, %q): %v", key, owner, err)
	}
	if got != want {
		s.T.Errorf("Claim(%q, %q) is %v, want %v", key, owner, got, want)
	}
}

func (s *replaySuite) done(key string, keep time.Duration) {
	s.T.Helper()
	if err := s.store.Done(context.Background(), key, keep); err != nil {
		s.T.Fatalf("Done(%q): %v", key, err)
	}
}

func (s *replaySuite) release(key, owner string) {
	s.T.Helper()
	if err := s.store.Release(context.Background(), key, owner); err != nil {
		s.T.Fatalf("Release(%q, %q): %v", key, owner, err)
	}
}

func replayCases() []replayCase {
	return []replayCase{
		{"an absent message goes to the first who claims it",
			"two handlers must not run for one message", firstClaim},
		{"a delivered message stays delivered",
			"the sender repeats what it was not sure of", staysDelivered},
		{"a released message can be claimed again",
			"a handler that failed must run again", released},
		{"a claim ends with its lease",
			"a process that dies cannot release", leaseEnds},
		{"a delivery is forgotten after its keep and not before",
			"until then the signature may still be fresh", keepEnds},
		{"only the owner releases",
			"a request that comes back late must not free what another one handles", onlyTheOwner},
		{"done needs no claim",
			"the work is done, also when the lease ended meanwhile", doneAnyway},
		{"messages are apart",
			"one message must not hide another", messagesApart},
		{"an owner that claims again still has the claim",
			"an error may have hidden that the first claim worked", claimAgain},
		{"of 50 at once one gets the claim",
			"checking first and claiming after runs the handler twice", oneClaim},
		{"bad arguments are errors and change nothing",
			"an empty key would be one for all messages", badArguments},
		{"an error comes with no verdict",
			"the zero state is the one that no caller takes for an answer", noVerdict},
		{"done and release work after the request has ended",
			"the sender hangs up when it likes", afterTheRequest},
	}
}

func firstClaim(s *replaySuite) {
	s.want(guard.ReplayClaimed, "k", "a", time.Hour)
	s.want(guard.ReplayRunning, "k", "b", time.Hour)
	s.want(guard.ReplayRunning, "k", "c", time.Hour)
}

func staysDelivered(s *replaySuite) {
	s.want(guard.ReplayClaimed, "k", "a", time.Hour)
	s.done("k", time.Hour)
	s.want(guard.ReplayDelivered, "k", "b", time.Hour)
	s.want(guard.ReplayDelivered, "k", "a", time.Hour)
	s.release("k", "a")
	s.want(guard.ReplayDelivered, "k", "c", time.Hour)
}

func released(s *replaySuite) {
	s.want(guard.ReplayClaimed, "k", "a", time.Hour)
	s.release("k", "a")
	s.want(guard.ReplayClaimed, "k", "b", time.Hour)
	s.release("unknown", "a")
}

func leaseEnds(s *replaySuite) {
	s.want(guard.ReplayClaimed, "k", "a", s.clock.unit())
	s.clock.wait(s.clock.unit() + 5*time.Millisecond)
	s.want(guard.ReplayClaimed, "k", "b", time.Hour)
	s.want(guard.ReplayRunning, "k", "a", time.Hour)
}

func keepEnds(s *replaySuite) {
	s.done("short", s.clock.unit())
	s.done("long", time.Hour)
	s.clock.wait(s.clock.unit() + 5*time.Millisecond)
	s.want(guard.ReplayClaimed, "short", "a", time.Hour)
	s.want(guard.ReplayDelivered, "long", "a", time.Hour)
}

func onlyTheOwner(s *replaySuite) {
	s.want(guard.ReplayClaimed, "k", "a", time.Hour)
	s.release("k", "b")
	s.want(guard.ReplayRunning, "k", "c", time.Hour)

	s.want(guard.ReplayClaimed, "late", "a", s.clock.unit())
	s.clock.wait(s.clock.unit() + 5*time.Millisecond)
	s.want(guard.ReplayClaimed, "late", "b", time.Hour)
	s.release("late", "a")
	s.want(guard.ReplayRunning, "late", "c", time.Hour)
}

func doneAnyway(s *replaySuite) {
	s.done("unclaimed", time.Hour)
	s.want(guard.ReplayDelivered, "unclaimed", "a", time.Hour)

	s.want(guard.ReplayClaimed, "k", "a", s.clock.unit())
	s.clock.wait(s.clock.unit() + 5*time.Millisecond)
	s.want(guard.ReplayClaimed, "k", "b", time.Hour)
	s.done("k", time.Hour)
	s.release("k", "b")
	s.want(guard.ReplayDelivered, "k", "c", time.Hour)
}

func messagesApart(s *replaySuite) {
	longest := strings.Repeat("k", maxKeyBytes)
	for i, key := range []string{"POST /a m1", "POST /a m2", "POST /b m1", "post /a m1", "POST /a m1 ", longest, longest[1:]} {
		s.want(guard.ReplayClaimed, key, fmt.Sprint("owner", i), time.Hour)
	}
}

func claimAgain(s *replaySuite) {
	owner := strings.Repeat("o", maxOwnerBytes)
	s.want(guard.ReplayClaimed, "k", owner, time.Hour)
	s.want(guard.ReplayClaimed, "k", owner, time.Hour)
	s.want(guard.ReplayRunning, "k", owner[1:], time.Hour)
}

func oneClaim(s *replaySuite) {
	for round := range 5 {
		key := fmt.Sprint("k", round)
		var claims atomic.Int64
		together(50, func(i int) {
			state, err := s.store.Claim(context.Background(), key, fmt.Sprint("owner", i), time.Hour)
			switch {
			case err != nil:
				s.T.Errorf("Claim: %v", err)
			case state == guard.ReplayClaimed:
				claims.Add(1)
			case state != guard.ReplayRunning:
				s.T.Errorf("Claim is %v, want claimed or running", state)
			}
		})
		if got := claims.Load(); got != 1 {
			s.T.Errorf("%d of 50 got the claim, want 1", got)
		}
	}
}

func badArguments(s *replaySuite) {
	ctx := context.Background()
	longKey, longOwner := strings.Repeat("k", maxKeyBytes+1), strings.Repeat("o", maxOwnerBytes+1)
	for _, bad := range []struct {
		key, owner string
		d          time.Duration
	}{
		{"", "a", time.Hour}, {longKey, "a", time.Hour}, {"k", "", time.Hour},
		{"k", longOwner, time.Hour}, {"k", "a", 0}, {"k", "a", -time.Hour},
	} {
		state, err := s.store.Claim(ctx, bad.key, bad.owner, bad.d)
		if err == nil || state != 0 {
			s.T.Errorf("Claim(%d bytes, %d bytes, %v) is %v without an error", len(bad.key), len(bad.owner), bad.d, state)
		}
		if bad.owner == "a" && s.store.Done(ctx, bad.key, bad.d) == nil {
			s.T.Errorf("Done(%d bytes, %v) is no error", len(bad.key), bad.d)
		}
		if bad.d > 0 && s.store.Release(ctx, bad.key, bad.owner) == nil {
			s.T.Errorf("Release(%d bytes, %d bytes) is no error", len(bad.key), len(bad.owner))
		}
	}
	s.want(guard.ReplayClaimed, "k", "b", time.Hour)
}

func noVerdict(s *replaySuite) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	state, err := s.store.Claim(ctx, "k", "a", time.Hour)
	if err != nil && state != 0 {
		s.T.Errorf("Claim is %v with the error %v, want the zero state", state, err)
	}
	if err == nil && state != guard.ReplayClaimed {
		s.T.Errorf("Claim is %v, want claimed or an error", state)
	}
	s.release("k", "a") // safe whatever became of the claim
	s.want(guard.ReplayClaimed, "k", "b", time.Hour)
}

func afterTheRequest(s *replaySuite) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.want(guard.ReplayClaimed, "k", "a", time.Hour)
	if err := s.store.Release(ctx, "k", "a"); err != nil {
		s.T.Errorf("Release: %v", err)
	}
	s.want(guard.ReplayClaimed, "k", "b", time.Hour)
	if err := s.store.Done(ctx, "k", time.Hour); err != nil {
		s.T.Errorf("Done: %v", err)
	}
	s.want(guard.ReplayDelivered, "k", "c", time.Hour)
}
