package replay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/routeguard/guard/internal/replay"
)

// clock is a time that moves when a test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1700000000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newMemory(t *testing.T, size int, c *clock) *replay.Memory {
	t.Helper()
	m, err := replay.New(replay.Config{Size: size, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// step is one call on a store and what must come back.
type step struct {
	do    string // claim, done, release or wait
	owner string
	key   string // empty: "k"
	after time.Duration
	want  replay.State // for claim
}

// The contract of Store, as sequences of calls. Leases are 10 s, keeps 100 s.
func TestContract(t *testing.T) {
	t.Parallel()
	const s = time.Second
	tests := []struct {
		name  string
		steps []step
	}{
		{name: "the first claim wins, the second waits", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "claim", owner: "b", want: replay.Running},
		}},
		{name: "a delivered message stays delivered", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "done"},
			{do: "claim", owner: "b", want: replay.Delivered},
			{do: "wait", after: 99 * s},
			{do: "claim", owner: "c", want: replay.Delivered},
		}},
		{name: "a delivered message is forgotten after its keep", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "done"},
			{do: "wait", after: 100 * s},
			{do: "claim", owner: "b", want: replay.Claimed},
		}},
		{name: "a failed handler releases, and the retry runs", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "release", owner: "a"},
			{do: "claim", owner: "b", want: replay.Claimed},
		}},
		{name: "a crashed claim ends with its lease", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "wait", after: 10*s - 1},
			{do: "claim", owner: "b", want: replay.Running},
			{do: "wait", after: 1},
			{do: "claim", owner: "b", want: replay.Claimed},
		}},
		{name: "a late release frees nobody else's claim", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "wait", after: 10 * s},
			{do: "claim", owner: "b", want: replay.Claimed},
			{do: "release", owner: "a"},
			{do: "claim", owner: "c", want: replay.Running},
		}},
		{name: "a late release does not forget a delivery", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "done"},
			{do: "release", owner: "a"},
			{do: "claim", owner: "b", want: replay.Delivered},
		}},
		{name: "a late done delivers, whoever runs it meanwhile", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "wait", after: 10 * s},
			{do: "claim", owner: "b", want: replay.Claimed},
			{do: "done"},
			{do: "claim", owner: "c", want: replay.Delivered},
			{do: "release", owner: "b"},
			{do: "claim", owner: "c", want: replay.Delivered},
		}},
		{name: "a late done delivers after the claim is gone", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "wait", after: 10 * s},
			{do: "done"},
			{do: "claim", owner: "b", want: replay.Delivered},
		}},
		{name: "done without a claim delivers", steps: []step{
			{do: "done"},
			{do: "claim", owner: "a", want: replay.Delivered},
		}},
		{name: "a second done starts the keep anew", steps: []step{
			{do: "done"},
			{do: "wait", after: 60 * s},
			{do: "done"},
			{do: "wait", after: 60 * s},
			{do: "claim", owner: "a", want: replay.Delivered},
		}},
		{name: "the keep outlives the lease", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "done"},
			{do: "wait", after: 10 * s},
			{do: "claim", owner: "b", want: replay.Delivered},
		}},
		{name: "the same owner may ask again after an unknown outcome", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "claim", owner: "b", want: replay.Running},
		}},
		{name: "an owner of a delivered message is told so", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "done"},
			{do: "claim", owner: "a", want: replay.Delivered},
		}},
		{name: "a release without a claim does nothing", steps: []step{
			{do: "release", owner: "a"},
			{do: "claim", owner: "a", want: replay.Claimed},
		}},
		{name: "a release before the claim does not undo it", steps: []step{
			{do: "release", owner: "a"},
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "claim", owner: "b", want: replay.Running},
		}},
		{name: "a second release frees nobody", steps: []step{
			{do: "claim", owner: "a", want: replay.Claimed},
			{do: "release", owner: "a"},
			{do: "claim", owner: "b", want: replay.Claimed},
			{do: "release", owner: "a"},
			{do: "claim", owner: "c", want: replay.Running},
		}},
		{name: "keys do not touch each other", steps: []step{
			{do: "claim", owner: "a", key: "k", want: replay.Claimed},
			{do: "claim", owner: "a", key: "k2", want: replay.Claimed},
			{do: "done", key: "k"},
			{do: "claim", owner: "b", key: "k2", want: replay.Running},
			{do: "release", owner: "a", key: "k2"},
			{do: "claim", owner: "b", key: "k", want: replay.Delivered},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			runSteps(t, newMemory(t, 0, c), c, tt.steps)
		})
	}
}

func runSteps(t *testing.T, store replay.Store, c *clock, steps []step) {
	t.Helper()
	for i, st := range steps {
		key := st.key
		if key == "" {
			key = "k"
		}
		var got replay.State
		var err error
		switch st.do {
		case "claim":
			got, err = store.Claim(t.Context(), key, st.owner, 10*time.Second)
		case "done":
			err = store.Done(t.Context(), key, 100*time.Second)
		case "release":
			err = store.Release(t.Context(), key, st.owner)
		case "wait":
			c.advance(st.after)
		}
		if err != nil || got != st.want {
			t.Fatalf("step %d, %s: got %v, %v, want %v", i, st.do, got, err, st.want)
		}
	}
}

func TestArgumentsThatNoStoreTakes(t *testing.T) {
	t.Parallel()
	m := newMemory(t, 0, newClock())
	ctx := t.Context()
	claim := func(key, owner string, d time.Duration) error {
		state, err := m.Claim(ctx, key, owner, d)
		if err != nil && state != 0 {
			t.Errorf("got %v with error %v, want no verdict", state, err)
		}
		return err
	}
	tests := []struct {
		name string
		err  error
	}{
		{"claim an empty key", claim("", "a", 1)},
		{"claim a key of 513 bytes", claim(strings.Repeat("k", 513), "a", 1)},
		{"claim for no owner", claim("k", "", 1)},
		{"claim for an owner of 65 bytes", claim("k", strings.Repeat("a", 65), 1)},
		{"claim for no time", claim("k", "a", 0)},
		{"claim for less than no time", claim("k", "a", -1)},
		{"done with an empty key", m.Done(ctx, "", 1)},
		{"done for no time", m.Done(ctx, "k", 0)},
		{"done for less than no time", m.Done(ctx, "k", -1)},
		{"release an empty key", m.Release(ctx, "", "a")},
		{"release for no owner", m.Release(ctx, "k", "")},
		{"release for an owner of 65 bytes", m.Release(ctx, "k", strings.Repeat("a", 65))},
	}
	for _, tt := range tests {
		if tt.err == nil {
			t.Errorf("%s: got no error", tt.name)
		}
	}
	if n := m.Len(); n != 0 {
		t.Errorf("got %d keys, want none", n)
	}
	if err := claim(strings.Repeat("k", 512), strings.Repeat("a", 64), 1); err != nil {
		t.Errorf("the longest key and owner: got %v", err)
	}
}

// A full store refuses new keys and forgets none: forgetting would let a replay run.
func TestAFullStoreFailsClosed(t *testing.T) {
	t.Parallel()
	c := newClock()
	m := newMemory(t, 3, c)
	runSteps(t, m, c, []step{
		{do: "claim", owner: "a", key: "claimed", want: replay.Claimed},
		{do: "done", key: "delivered"},
		{do: "claim", owner: "a", key: "other", want: replay.Claimed},
	})
	for range 100 {
		if state, err := m.Claim(t.Context(), "new", "b", time.Second); state != 0 || !errors.Is(err, replay.ErrFull) {
			t.Fatalf("got %v, %v, want ErrFull", state, err)
		}
	}
	if err := m.Done(t.Context(), "new", time.Second); !errors.Is(err, replay.ErrFull) {
		t.Errorf("done on a full store: got %v, want ErrFull", err)
	}
	runSteps(t, m, c, []step{
		{do: "claim", owner: "b", key: "claimed", want: replay.Running},
		{do: "claim", owner: "b", key: "delivered", want: replay.Delivered},
		{do: "done", key: "claimed"},
		{do: "release", owner: "a", key: "other"},
		{do: "claim", owner: "b", key: "new", want: replay.Claimed},
		{do: "wait", after: 10 * time.Second}, // the claim of "new" ends
		{do: "claim", owner: "c", key: "newer", want: replay.Claimed},
	})
	if n := m.Len(); n != 3 {
		t.Errorf("got %d keys, want 3", n)
	}
}

// More keys may end at once than one call sweeps. None of them may be seen, and the room must come back.
func TestManyKeysEndAtOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	const size = 1000
	m := newMemory(t, size, c)
	for i := range size {
		runSteps(t, m, c, []step{{do: "claim", owner: "a", key: fmt.Sprint(i), want: replay.Claimed}})
	}
	c.advance(10 * time.Second)
	for i := size - 1; i >= 0; i-- { // the last to be swept is asked for first
		runSteps(t, m, c, []step{{do: "claim", owner: "b", key: fmt.Sprint(i), want: replay.Claimed}})
	}
	if n := m.Len(); n != size {
		t.Errorf("got %d keys, want %d", n, size)
	}
	c.advance(10 * time.Second)
	for range size/64 + 1 {
		runSteps(t, m, c, []step{{do: "release", owner: "a"}})
	}
	if n := m.Len(); n != 0 {
		t.Errorf("got %d keys after sweeping, want none", n)
	}
}

func TestAnEndedContextClaimsNothing(t *testing.T) {
	t.Parallel()
	m := newMemory(t, 0, newClock())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if state, err := m.Claim(ctx, "k", "a", time.Second); state != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v, want context.Canceled", state, err)
	}
	if n := m.Len(); n != 0 {
		t.Errorf("got %d keys, want none", n)
	}
}

// The caller may be gone when its handler ends; what it says must count all the same.
func TestAnEndedContextStillSettles(t *testing.T) {
	t.Parallel()
	c := newClock()
	m := newMemory(t, 0, c)
	ctx, cancel := context.WithCancel(t.Context())
	for _, key := range []string{"fails", "works"} {
		if _, err := m.Claim(ctx, key, "a", time.Second); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := errors.Join(m.Release(ctx, "fails", "a"), m.Done(ctx, "works", time.Minute)); err != nil {
		t.Fatal(err)
	}
	runSteps(t, m, c, []step{
		{do: "claim", owner: "b", key: "fails", want: replay.Claimed},
		{do: "claim", owner: "b", key: "works", want: replay.Delivered},
	})
}

func TestUnmadeMemoryRefuses(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*replay.Memory{"nil": nil, "zero": {}} {
		if state, err := m.Claim(t.Context(), "k", "a", 1); state != 0 || err == nil {
			t.Errorf("%s: Claim: got %v, %v, want an error", name, state, err)
		}
		if m.Done(t.Context(), "k", 1) == nil || m.Release(t.Context(), "k", "a") == nil {
			t.Errorf("%s: Done or Release: got no error", name)
		}
		if m.Len() != 0 {
			t.Errorf("%s: got keys, want none", name)
		}
	}
}

func TestNewRefusesANegativeSize(t *testing.T) {
	t.Parallel()
	if m, err := replay.New(replay.Config{Size: -1}); m != nil || err == nil {
		t.Errorf("got %v, %v, want an error", m, err)
	}
}

func TestTheZeroStateIsNoVerdict(t *testing.T) {
	t.Parallel()
	for want, state := range map[string]replay.State{"State(0)": 0, "claimed": replay.Claimed, "running": replay.Running, "delivered": replay.Delivered} {
		if got := state.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Of many deliveries of one message at once, exactly one runs, and the others see Running or Delivered.
func TestManyAtOnceRunOnce(t *testing.T) {
	t.Parallel()
	m := newMemory(t, 0, newClock())
	const messages, copies = 50, 16
	var ran [messages]atomic.Int32
	var wg sync.WaitGroup
	for attempt := range copies {
		for message := range messages {
			wg.Go(func() {
				key, owner := fmt.Sprint(message), fmt.Sprintf("%d-%d", message, attempt)
				state, err := m.Claim(context.Background(), key, owner, time.Minute)
				if err != nil {
					t.Errorf("claim: %v", err)
				}
				if state != replay.Claimed {
					return
				}
				ran[message].Add(1)
				if err := m.Done(context.Background(), key, time.Hour); err != nil {
					t.Errorf("done: %v", err)
				}
			})
		}
	}
	wg.Wait()
	for message := range ran {
		if n := ran[message].Load(); n != 1 {
			t.Errorf("message %d ran %d times, want once", message, n)
		}
	}
}

// At every moment a message has one owner, also when handlers fail and release.
func TestOneOwnerAtATime(t *testing.T) {
	t.Parallel()
	m := newMemory(t, 0, newClock())
	var running, ran atomic.Int32
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			owner := fmt.Sprint(n)
			for range 20 {
				state, err := m.Claim(context.Background(), "k", owner, time.Minute)
				if err != nil {
					t.Errorf("claim: %v", err)
				}
				if state != replay.Claimed {
					continue
				}
				if n := running.Add(1); n != 1 {
					t.Errorf("got %d owners at once, want one", n)
				}
				ran.Add(1)
				running.Add(-1)
				if err := m.Release(context.Background(), "k", owner); err != nil {
					t.Errorf("release: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if ran.Load() == 0 {
		t.Error("got no run at all")
	}
}

// model is the contract as a table that forgets nothing and looks at every entry.
type model struct {
	size    int
	entries map[string]modelEntry
}

type modelEntry struct {
	owner string // empty: delivered
	ends  time.Time
}

func (m *model) expire(now time.Time) {
	for k, e := range m.entries {
		if !now.Before(e.ends) {
			delete(m.entries, k)
		}
	}
}

func (m *model) claim(key, owner string, now time.Time, d time.Duration) (replay.State, error) {
	m.expire(now)
	e, ok := m.entries[key]
	switch {
	case ok && e.owner == "":
		return replay.Delivered, nil
	case ok && e.owner == owner:
		return replay.Claimed, nil
	case ok:
		return replay.Running, nil
	case len(m.entries) >= m.size:
		return 0, replay.ErrFull
	}
	m.entries[key] = modelEntry{owner: owner, ends: now.Add(d)}
	return replay.Claimed, nil
}

func (m *model) done(key string, now time.Time, d time.Duration) error {
	m.expire(now)
	if _, ok := m.entries[key]; !ok && len(m.entries) >= m.size {
		return replay.ErrFull
	}
	m.entries[key] = modelEntry{ends: now.Add(d)}
	return nil
}

func (m *model) release(key, owner string, now time.Time) {
	m.expire(now)
	if e, ok := m.entries[key]; ok && e.owner == owner {
		delete(m.entries, key)
	}
}

// Random calls on a small store answer as the model does.
func TestMemoryFollowsTheModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := newClock()
		size := 1 + r.IntN(8)
		m, want := newMemory(t, size, c), &model{size: size, entries: map[string]modelEntry{}}
		for i := range 500 {
			key, owner := fmt.Sprint(r.IntN(10)), fmt.Sprint(r.IntN(3))
			d := time.Duration(1 + r.IntN(20))
			if got, expected, call := play(t, m, want, c, r.IntN(4), key, owner, d); got != expected {
				t.Fatalf("seed %d, call %d, %s: got %s, want %s", seed, i, call, got, expected)
			}
			if n := m.Len(); n > size {
				t.Fatalf("seed %d: got %d keys, want at most %d", seed, n, size)
			}
		}
	}
}

// play makes one call on both and returns what each answered.
func play(t *testing.T, m *replay.Memory, want *model, c *clock, op int, key, owner string, d time.Duration) (got, expected, call string) {
	switch op {
	case 0:
		state, err := m.Claim(t.Context(), key, owner, d)
		state2, err2 := want.claim(key, owner, c.Now(), d)
		return fmt.Sprint(state, err), fmt.Sprint(state2, err2), "claim " + key + " by " + owner
	case 1:
		return fmt.Sprint(m.Done(t.Context(), key, d)), fmt.Sprint(want.done(key, c.Now(), d)), "done " + key
	case 2:
		want.release(key, owner, c.Now())
		return fmt.Sprint(m.Release(t.Context(), key, owner)), fmt.Sprint(nil), "release " + key + " by " + owner
	}
	c.advance(d)
	return "", "", "wait"
}

func BenchmarkClaimDone(b *testing.B) {
	m, err := replay.New(replay.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	keys := make([]string, 4096)
	for i := range keys {
		keys[i] = fmt.Sprintf("route %064d", i)
	}
	for i := 0; b.Loop(); i++ {
		key := keys[i%len(keys)]
		if _, err := m.Claim(b.Context(), key, "owner", time.Microsecond); err != nil {
			b.Fatal(err)
		}
		if err := m.Done(b.Context(), key, time.Microsecond); err != nil {
			b.Fatal(err)
		}
	}
}
