package flight_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/routeguard/guard/internal/flight"
)

var (
	errNoSession = errors.New("no such session")
	errStore     = errors.New("the store is down")
)

func isNoSession(err error) bool { return errors.Is(err, errNoSession) }

// config keeps good answers for a minute and bad ones for ten seconds.
func config() flight.Config {
	return flight.Config{Good: time.Minute, Bad: 10 * time.Second, IsBad: isNoSession}
}

// lasting is for tests in real time: no machine pauses for an hour.
func lasting() flight.Config {
	return flight.Config{Good: time.Hour, Bad: time.Hour, Timeout: time.Hour, IsBad: isNoSession}
}

// store is a session store that counts what it is asked, and answers as its function says.
type store struct {
	asked  atomic.Int32
	answer func(ctx context.Context, credential string, nth int32) (string, error)
}

func (s *store) lookup(ctx context.Context, credential string) (string, error) {
	return s.answer(ctx, credential, s.asked.Add(1))
}

// always answers with the number of the lookup, or with err.
func always(err error) *store {
	return &store{answer: func(_ context.Context, credential string, nth int32) (string, error) {
		return fmt.Sprintf("%s#%d", credential, nth), err
	}}
}

func newCache(t *testing.T, c flight.Config, s *store) *flight.Cache[string] {
	t.Helper()
	cache, err := flight.New(c, s.lookup)
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

// expect asks the cache and compares the answer.
func expect(t *testing.T, cache *flight.Cache[string], credential, want string, wantErr error) {
	t.Helper()
	got, err := cache.Get(t.Context(), credential)
	if err != nil {
		want = ""
	}
	if got != want || !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
		t.Errorf("got %q, %v, want %q, %v", got, err, want, wantErr)
	}
}

func expectAsked(t *testing.T, s *store, want int32) {
	t.Helper()
	if got := s.asked.Load(); got != want {
		t.Errorf("the store was asked %d times, want %d", got, want)
	}
}

func TestAGoodAnswerServesForItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := always(nil)
		cache := newCache(t, config(), s)
		expect(t, cache, "a", "a#1", nil)
		time.Sleep(time.Minute - 1)
		expect(t, cache, "a", "a#1", nil)
		expectAsked(t, s, 1)
		time.Sleep(1 * time.Nanosecond)
		expect(t, cache, "a", "a#2", nil)
		expect(t, cache, "b", "b#3", nil)
		expectAsked(t, s, 3)
	})
}

func TestABadAnswerServesForItsOwnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := always(fmt.Errorf("look at the table: %w", errNoSession))
		cache := newCache(t, config(), s)
		expect(t, cache, "a", "", errNoSession)
		time.Sleep(10*time.Second - 1)
		expect(t, cache, "a", "", errNoSession)
		expectAsked(t, s, 1)
		time.Sleep(1 * time.Nanosecond)
		expect(t, cache, "a", "", errNoSession)
		expectAsked(t, s, 2)
	})
}

func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	noBad := lasting()
	noBad.Bad = 0
	noIsBad := flight.Config{Good: time.Hour, Timeout: time.Hour}
	tests := []struct {
		name   string
		config flight.Config
		err    error
	}{
		{name: "an error of the store", config: lasting(), err: errStore},
		{name: "a timeout of the store", config: lasting(), err: context.DeadlineExceeded},
		{name: "a bad answer where Bad is zero", config: noBad, err: errNoSession},
		{name: "a bad answer where IsBad is nil", config: noIsBad, err: errNoSession},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := always(tt.err)
			cache := newCache(t, tt.config, s)
			expect(t, cache, "a", "", tt.err)
			expect(t, cache, "a", "", tt.err)
			expectAsked(t, s, 2)
			if good, bad := cache.Len(); good+bad != 0 {
				t.Errorf("got %d good and %d bad answers kept, want none", good, bad)
			}
		})
	}
}

// A session is returned with an error only by a broken lookup. It must not come out.
func TestASessionBesideAnErrorIsDropped(t *testing.T) {
	t.Parallel()
	cache := newCache(t, lasting(), always(errNoSession))
	for range 2 {
		if got, err := cache.Get(t.Context(), "a"); got != "" || err == nil {
			t.Errorf("got %q, %v, want the error alone", got, err)
		}
	}
}

// Had the time been counted from the end, a session withdrawn during a slow lookup would live too long.
func TestTimeCountsFromTheStartOfTheLookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{answer: func(_ context.Context, _ string, nth int32) (string, error) {
			time.Sleep(8 * time.Second)
			return fmt.Sprint(nth), nil
		}}
		cache := newCache(t, config(), s)
		expect(t, cache, "a", "1", nil)
		time.Sleep(52*time.Second - 1)
		expect(t, cache, "a", "1", nil)
		time.Sleep(1 * time.Nanosecond)
		expect(t, cache, "a", "2", nil)
	})
}

// A machine that was suspended for an hour wakes up with the session of a minute; so does a virtual machine. Its monotonic
// clock has stood still meanwhile. A wall clock that is set back must not help either.
func TestAnAnswerEndsByEitherClock(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, tt := range []struct {
		name            string
		wall, monotonic time.Duration // since the start
		asked           int32
	}{
		{name: "a second later", wall: time.Second, monotonic: time.Second, asked: 1},
		{name: "an hour suspended", wall: time.Hour, monotonic: time.Second, asked: 2},
		{name: "an hour back on the wall", wall: -time.Hour, monotonic: time.Second, asked: 1},
		{name: "set back while an hour passed", wall: time.Second, monotonic: time.Hour, asked: 2},
		{name: "a minute by the wall", wall: time.Minute, monotonic: time.Minute - 1, asked: 2},
	} {
		now := start
		c := config()
		c.Now = func() time.Time { return now }
		s := always(nil)
		cache := newCache(t, c, s)
		expect(t, cache, "a", "a#1", nil)
		now = apart(t, start, tt.wall, tt.monotonic)
		expect(t, cache, "a", fmt.Sprintf("a#%d", tt.asked), nil)
	}
}

// apart is start, some time later by the wall clock and some other by the monotonic one. Package time makes no such times
// but where it reads the clocks.
func apart(t *testing.T, start time.Time, wall, monotonic time.Duration) time.Time {
	t.Helper()
	later := start.Add(wall)
	(*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&later)).ext += int64(monotonic - wall)
	if gotWall, got := later.Round(0).Sub(start), later.Sub(start); gotWall != wall || got != monotonic {
		t.Fatalf("got %v by the wall and %v else, want %v and %v: what time.Time looks like has changed", gotWall, got, wall, monotonic)
	}
	return later
}

func TestAnAnswerSlowerThanItsTimeIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.Good = time.Second
		s := &store{answer: func(context.Context, string, int32) (string, error) {
			time.Sleep(time.Second)
			return "s", nil
		}}
		cache := newCache(t, c, s)
		expect(t, cache, "a", "s", nil)
		if good, _ := cache.Len(); good != 0 {
			t.Errorf("got %d answers kept, want none", good)
		}
	})
}

func TestConcurrentMissesShareOneLookup(t *testing.T) {
	t.Parallel()
	for _, want := range []error{nil, errNoSession, errStore} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &store{answer: func(context.Context, string, int32) (string, error) {
					time.Sleep(time.Second)
					return "s", want
				}}
				cache := newCache(t, config(), s)
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() { expect(t, cache, "a", "s", want) })
				}
				wg.Wait()
				expectAsked(t, s, 1)
			})
		})
	}
}

func TestTheFirstCallersCancellationEndsNothing(t *testing.T) {
	t.Parallel()
	type valueKey struct{}
	synctest.Test(t, func(t *testing.T) {
		s := &store{answer: func(ctx context.Context, _ string, _ int32) (string, error) {
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(5 * time.Second):
				return fmt.Sprint(ctx.Value(valueKey{})), nil
			}
		}}
		cache := newCache(t, config(), s)
		first, cancel := context.WithTimeout(context.WithValue(t.Context(), valueKey{}, "trace"), time.Second)
		defer cancel()

		var wg sync.WaitGroup
		wg.Go(func() {
			began := time.Now()
			if got, err := cache.Get(first, "a"); got != "" || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the first: got %q, %v, want its own deadline", got, err)
			}
			if d := time.Since(began); d != time.Second {
				t.Errorf("the first left after %v, want 1s", d)
			}
		})
		synctest.Wait()
		wg.Go(func() { expect(t, cache, "a", "trace", nil) })
		wg.Wait()
		expect(t, cache, "a", "trace", nil)
		expectAsked(t, s, 1)
	})
}

func TestTheAnswerIsKeptWhenEverybodyHasLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{answer: func(context.Context, string, int32) (string, error) {
			time.Sleep(5 * time.Second)
			return "s", nil
		}}
		cache := newCache(t, config(), s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := cache.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		time.Sleep(10 * time.Second)
		expect(t, cache, "a", "s", nil)
		expectAsked(t, s, 1)
	})
}

func TestAnEndedContextStartsNoLookup(t *testing.T) {
	t.Parallel()
	s := always(nil)
	cache := newCache(t, config(), s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := cache.Get(ctx, "a"); got != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("got %q, %v, want context.Canceled", got, err)
	}
	expectAsked(t, s, 0)
}

func TestTheTimeoutEndsALookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.Timeout = 2 * time.Second
		s := &store{answer: func(ctx context.Context, _ string, nth int32) (string, error) {
			if nth > 1 {
				return "s", nil
			}
			<-ctx.Done()
			// A store may take being cut off for an empty answer.
			return "", errors.Join(errNoSession, ctx.Err())
		}}
		cache := newCache(t, c, s)
		began := time.Now()
		_, err := cache.Get(t.Context(), "a")
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errNoSession) {
			t.Errorf("got %v, want a deadline and no answer", err)
		}
		if d := time.Since(began); d != 2*time.Second {
			t.Errorf("got the error after %v, want 2s", d)
		}
		synctest.Wait()
		expect(t, cache, "a", "s", nil)
	})
}

// A lookup that ignores its context holds up neither those who wait nor those who come later, and answers nobody.
func TestALookupThatIgnoresItsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.Timeout = 2 * time.Second
		s := &store{answer: func(_ context.Context, _ string, nth int32) (string, error) {
			if nth == 1 {
				time.Sleep(5 * time.Second)
			}
			return fmt.Sprint(nth), nil
		}}
		cache := newCache(t, c, s)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { expect(t, cache, "a", "", context.DeadlineExceeded) })
		}
		wg.Wait()
		expect(t, cache, "a", "2", nil)
		time.Sleep(10 * time.Second)
		expect(t, cache, "a", "2", nil)
		expectAsked(t, s, 2)
	})
}

func TestAPanicIsAnErrorForEverybody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{answer: func(_ context.Context, credential string, nth int32) (string, error) {
			if nth > 1 {
				return "s", nil
			}
			time.Sleep(time.Second)
			panic("cannot parse " + credential)
		}}
		cache := newCache(t, config(), s)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				got, err := cache.Get(t.Context(), "SECRET")
				var p *flight.PanicError
				if got != "" || !errors.As(err, &p) {
					t.Errorf("got %q, %v, want a PanicError", got, err)
					return
				}
				if p.Value != "cannot parse SECRET" || !strings.Contains(string(p.Stack), "flight_test.go") {
					t.Errorf("got value %v and stack %s", p.Value, p.Stack)
				}
				if strings.Contains(err.Error(), "SECRET") {
					t.Errorf("got error text %q, want no credential", err)
				}
			})
		}
		wg.Wait()
		expect(t, cache, "SECRET", "s", nil)
		expectAsked(t, s, 2)
	})
}

func TestGoexitIsAnErrorForEverybody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{answer: func(_ context.Context, _ string, nth int32) (string, error) {
			if nth > 1 {
				return "s", nil
			}
			time.Sleep(time.Second)
			runtime.Goexit()
			return "never", nil
		}}
		cache := newCache(t, config(), s)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { expect(t, cache, "a", "", flight.ErrExited) })
		}
		wg.Wait()
		expect(t, cache, "a", "s", nil)
	})
}

func TestAPanicOfIsBadIsContained(t *testing.T) {
	t.Parallel()
	c := lasting()
	c.IsBad = func(error) bool { panic("oops") }
	cache := newCache(t, c, always(errNoSession))
	var p *flight.PanicError
	if _, err := cache.Get(t.Context(), "a"); !errors.As(err, &p) {
		t.Errorf("got %v, want a PanicError", err)
	}
	if good, bad := cache.Len(); good+bad != 0 {
		t.Errorf("got %d good and %d bad answers kept, want none", good, bad)
	}
}

func TestForgetDropsAnswers(t *testing.T) {
	t.Parallel()
	for _, want := range []error{nil, errNoSession} {
		s := always(want)
		cache := newCache(t, lasting(), s)
		cache.Forget("a") // nothing to forget
		expect(t, cache, "a", "a#1", want)
		expect(t, cache, "b", "b#2", want)
		cache.Forget("a")
		expect(t, cache, "b", "b#2", want)
		expect(t, cache, "a", "a#3", want)
		expectAsked(t, s, 3)
	}
}

// A lookup that read the store before a session was withdrawn must not bring the session back.
func TestForgetBeatsALookupUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{answer: func(_ context.Context, _ string, nth int32) (string, error) {
			if nth == 1 {
				time.Sleep(5 * time.Second)
				return "withdrawn", nil
			}
			return "", errNoSession
		}}
		cache := newCache(t, config(), s)
		var wg sync.WaitGroup
		wg.Go(func() { expect(t, cache, "a", "withdrawn", nil) }) // began before Forget
		synctest.Wait()
		cache.Forget("a")
		expect(t, cache, "a", "", errNoSession) // began after: does not join the old lookup
		wg.Wait()
		expect(t, cache, "a", "", errNoSession) // the old answer, which came last, was not kept
		expectAsked(t, s, 2)
		if good, bad := cache.Len(); good != 0 || bad != 1 {
			t.Errorf("got %d good and %d bad answers, want 0 and 1", good, bad)
		}
	})
}

func TestGarbagePushesOutNoSession(t *testing.T) {
	t.Parallel()
	c := lasting()
	c.Size, c.BadSize = 3, 5
	s := &store{answer: func(_ context.Context, credential string, _ int32) (string, error) {
		if strings.HasPrefix(credential, "garbage") {
			return "", errNoSession
		}
		return credential, nil
	}}
	cache := newCache(t, c, s)
	for _, credential := range []string{"a", "b", "c"} {
		expect(t, cache, credential, credential, nil)
	}
	for i := range 1000 {
		expect(t, cache, fmt.Sprint("garbage", i), "", errNoSession)
		if good, bad := cache.Len(); good != 3 || bad != min(i+1, 5) {
			t.Fatalf("got %d good and %d bad answers, want 3 and %d", good, bad, min(i+1, 5))
		}
	}
	expectAsked(t, s, 1003)
	for _, credential := range []string{"a", "b", "c"} {
		expect(t, cache, credential, credential, nil)
	}
	expectAsked(t, s, 1003)
}

func TestAFullCacheDropsTheOldest(t *testing.T) {
	t.Parallel()
	c := lasting()
	c.Size = 2
	s := always(nil)
	cache := newCache(t, c, s)
	expect(t, cache, "a", "a#1", nil)
	expect(t, cache, "b", "b#2", nil)
	expect(t, cache, "c", "c#3", nil)
	expect(t, cache, "b", "b#2", nil)
	expect(t, cache, "a", "a#4", nil)
	if good, _ := cache.Len(); good != 2 {
		t.Errorf("got %d answers, want 2", good)
	}
}

func TestEndedAnswersAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cache := newCache(t, config(), always(nil))
		for i := range 100 {
			expect(t, cache, fmt.Sprint(i), fmt.Sprintf("%d#%d", i, i+1), nil)
		}
		time.Sleep(time.Minute)
		expect(t, cache, "new", "new#101", nil)
		if good, _ := cache.Len(); good != 1 {
			t.Errorf("got %d answers, want 1", good)
		}
	})
}

func TestLookupsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.Lookups = 3
		s := &store{answer: func(context.Context, string, int32) (string, error) {
			time.Sleep(time.Second)
			return "s", nil
		}}
		cache := newCache(t, c, s)
		var wg sync.WaitGroup
		for i := range 6 { // two for each of three credentials
			wg.Go(func() { expect(t, cache, fmt.Sprint(i%3), "s", nil) })
		}
		synctest.Wait()
		expect(t, cache, "one too many", "", flight.ErrBusy)
		wg.Wait()
		expect(t, cache, "one too many", "s", nil)
		expectAsked(t, s, 4)
	})
}

// Lookups that nobody can join any more still count: Forget must not be a way around the bound.
func TestForgottenLookupsCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.Lookups = 2
		s := &store{answer: func(context.Context, string, int32) (string, error) {
			time.Sleep(time.Second)
			return "s", nil
		}}
		cache := newCache(t, c, s)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { expect(t, cache, "a", "s", nil) })
			synctest.Wait()
			cache.Forget("a")
		}
		expect(t, cache, "a", "", flight.ErrBusy)
		wg.Wait()
	})
}

func TestNewRefusesMistakes(t *testing.T) {
	t.Parallel()
	lookup := always(nil).lookup
	tests := []struct {
		name   string
		config flight.Config
		lookup func(context.Context, string) (string, error)
		want   []string
	}{
		{name: "the zero config", lookup: lookup, want: []string{"Good is 0s"}},
		{name: "a negative Good", config: flight.Config{Good: -1}, lookup: lookup, want: []string{"Good is -1ns"}},
		{name: "no lookup", config: config(), want: []string{"lookup is nil"}},
		{name: "Bad without IsBad", config: flight.Config{Good: 1, Bad: 1}, lookup: lookup, want: []string{"IsBad is nil"}},
		{
			name:   "every mistake at once",
			config: flight.Config{Good: -1, Bad: -1, Size: -1, BadSize: -2, Lookups: -3, Timeout: -4},
			want:   []string{"Good is", "Bad is", "Size is -1", "BadSize is -2", "Lookups is -3", "Timeout is -4ns", "lookup is nil"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cache, err := flight.New(tt.config, tt.lookup)
			if cache != nil || err == nil {
				t.Fatalf("got %v, %v, want an error", cache, err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got error %q, want %q in it", err, part)
				}
			}
		})
	}
}

func TestUnmadeCacheAnswersNothing(t *testing.T) {
	t.Parallel()
	for name, cache := range map[string]*flight.Cache[string]{"nil": nil, "zero": {}} {
		if got, err := cache.Get(t.Context(), "a"); got != "" || err == nil {
			t.Errorf("%s: got %q, %v, want an error", name, got, err)
		}
		cache.Forget("a")
		if good, bad := cache.Len(); good+bad != 0 {
			t.Errorf("%s: got answers, want none", name)
		}
	}
}

func TestPrintingShowsNoSession(t *testing.T) {
	t.Parallel()
	cache := newCache(t, lasting(), always(nil))
	expect(t, cache, "SECRET", "SECRET#1", nil)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, cache); got != "flight.Cache" {
			t.Errorf("%s: got %q", verb, got)
		}
	}
}

// The memory of a credential is free as soon as its lookup is over, though its answer is kept.
func TestCredentialsAreNotKept(t *testing.T) {
	t.Parallel()
	cache := newCache(t, lasting(), &store{answer: func(_ context.Context, credential string, _ int32) (string, error) {
		if credential[0] == 'b' {
			return "", errNoSession
		}
		return "session", nil
	}})
	freed := make(chan string, 2)
	for _, first := range []string{"good", "bad"} {
		func() {
			b := []byte(first + strings.Repeat("x", 64))
			runtime.AddCleanup(&b[0], func(name string) { freed <- name }, first)
			_, _ = cache.Get(context.Background(), unsafe.String(&b[0], len(b)))
		}()
	}
	timeout := time.After(2 * time.Minute)
	for range 2 {
		for got := ""; got == ""; {
			runtime.GC()
			select {
			case got = <-freed:
			case <-timeout:
				t.Fatal("the cache still holds a credential")
			default:
				runtime.Gosched()
			}
		}
	}
	if good, bad := cache.Len(); good != 1 || bad != 1 {
		t.Errorf("got %d good and %d bad answers, want one of each", good, bad)
	}
}

// Random calls, one at a time, answer as a cache without bounds and without secrets would.
func TestCacheFollowsTheModel(t *testing.T) {
	t.Parallel()
	type known struct {
		answer string
		err    error
		ends   time.Time
	}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		now := time.Unix(1700000000, 0)
		var next error
		s := &store{answer: func(_ context.Context, _ string, nth int32) (string, error) { return fmt.Sprint(nth), next }}
		c := config()
		c.Now, c.Timeout = func() time.Time { return now }, time.Hour // of the machine, which may pause
		cache := newCache(t, c, s)
		model := map[string]known{}
		for range 300 {
			credential := fmt.Sprint(r.IntN(5))
			switch r.IntN(4) {
			case 0:
				now = now.Add(time.Duration(r.IntN(20)) * time.Second)
			case 1:
				cache.Forget(credential)
				delete(model, credential)
			default:
				next = []error{nil, nil, errNoSession, errStore}[r.IntN(4)]
				want, ok := model[credential]
				if !ok || !now.Before(want.ends) {
					delete(model, credential)
					want = known{answer: fmt.Sprint(s.asked.Load() + 1), err: next, ends: now.Add(time.Minute)}
					if next != nil {
						want.answer, want.ends = "", now.Add(10*time.Second)
					}
					if next != errStore {
						model[credential] = want
					}
				}
				if got, err := cache.Get(t.Context(), credential); got != want.answer || err != want.err {
					t.Fatalf("seed %d: got %q, %v, want %q, %v", seed, got, err, want.answer, want.err)
				}
			}
		}
	}
}

// Under the race detector: everything at once, and no answer for the wrong credential.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	c := config()
	c.Size, c.BadSize, c.Good, c.Bad = 4, 4, time.Microsecond*50, time.Microsecond*50
	s := &store{answer: func(_ context.Context, credential string, nth int32) (string, error) {
		switch nth % 7 {
		case 0:
			panic("oops")
		case 1:
			runtime.Goexit()
		case 2:
			return "", errNoSession
		case 3:
			return "", errStore
		}
		return credential, nil
	}}
	cache := newCache(t, c, s)
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			for i := range 500 {
				credential := fmt.Sprint((n + i) % 8)
				ctx, cancel := context.WithCancel(context.Background())
				if i%3 == 0 {
					cancel()
				}
				if i%11 == 0 {
					cache.Forget(credential)
				}
				if got, err := cache.Get(ctx, credential); err == nil && got != credential {
					t.Errorf("got %q for %q", got, credential)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

func BenchmarkHit(b *testing.B) {
	cache, err := flight.New(flight.Config{Good: time.Hour}, func(context.Context, string) (string, error) { return "s", nil })
	if err != nil {
		b.Fatal(err)
	}
	credential := "gk_live_" + strings.Repeat("x", 40)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cache.Get(b.Context(), credential); err != nil {
			b.Fatal(err)
		}
	}
}
