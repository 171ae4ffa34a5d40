package strictjwt

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"
)

// held counts what a cache has.
func (c *cache) held() (entries, bytes int) {
	for i := range c.shards {
		for _, g := range []*generation{&c.shards[i].young, &c.shards[i].old} {
			entries += len(g.entries)
			bytes += g.bytes
			sum := 0
			for _, e := range g.entries {
				sum += e.claims.cost()
			}
			if sum != g.bytes {
				panic("the bytes of a generation do not add up")
			}
		}
	}
	return entries, bytes
}

func sized(size int, audience ...string) *Claims {
	payload := strings.Repeat("p", size)
	return &Claims{Subject: "s", Audience: audience, payload: &kept{text: &payload}}
}

// numbered is a fingerprint that spreads over the shards as a hash does.
func numbered(c *cache, n int) fingerprint {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	return c.id(string(b[:]))
}

func TestCacheBounds(t *testing.T) {
	t.Parallel()
	now := time.Unix(1800000000, 0)
	for _, tt := range []struct {
		name              string
		size, token, puts int
	}{
		{"the smallest", 2, 300, 100},
		{"three", 3, 300, 100},
		{"one lock", 1000, 300, 5000},
		{"the first with shards", 1024, 300, 5000},
		{"the default", 0, 300, 40000},
		{"long tokens", 1024, 6000, 5000},
		{"long tokens in the smallest", 2, 6000, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache(tt.size, time.Minute)
			size := tt.size
			if size == 0 {
				size = defaultCache
			}
			most := 0
			for n := range tt.puts {
				c.put(numbered(c, n), sized(tt.token), now)
				entries, bytes := 0, 0
				if n%997 == 0 || n == tt.puts-1 {
					entries, bytes = c.held()
				}
				if entries > size || bytes > max(size<<10, 64<<10) {
					t.Fatalf("got %d entries with %d bytes, want at most %d", entries, bytes, size)
				}
				most = max(most, entries)
				// The newest is always there.
				if c.get(numbered(c, n), now) == nil {
					t.Fatalf("entry %d is not found after put", n)
				}
			}
			if most == 0 {
				t.Error("nothing was kept")
			}
		})
	}
}

func TestCacheDoesNotKeepWhatIsLargerThanItsShare(t *testing.T) {
	t.Parallel()
	now := time.Unix(1800000000, 0)
	c := newCache(2, time.Minute)
	// 2000 one-letter audiences fit into a token, and weigh far more in memory.
	audience := strings.Split(strings.Repeat("a,", 2000)+"a", ",")
	c.put(numbered(c, 1), sized(6000, audience...), now)
	if entries, bytes := c.held(); entries != 0 || bytes != 0 {
		t.Errorf("got %d entries with %d bytes, want none", entries, bytes)
	}
}

// TestCacheKeepsWhatIsInUse: a token of every other request survives any number
// of tokens that are used once.
func TestCacheKeepsWhatIsInUse(t *testing.T) {
	t.Parallel()
	now := time.Unix(1800000000, 0)
	c := newCache(64, time.Minute)
	busy := numbered(c, -1)
	c.put(busy, sized(300), now)
	for n := range 1000 {
		c.put(numbered(c, n), sized(300), now)
		if c.get(busy, now) == nil {
			t.Fatalf("the busy token is gone after %d others", n)
		}
	}
	if c.get(numbered(c, 0), now) != nil {
		t.Error("a token that was used once is still there")
	}
}

// TestCacheDropsWhatIsTooOld: entries past their age go with the traffic of two
// ages, without anyone filling the cache.
func TestCacheDropsWhatIsTooOld(t *testing.T) {
	t.Parallel()
	now := time.Unix(1800000000, 0)
	c := newCache(1000, time.Minute)
	for n := range 400 {
		c.put(numbered(c, n), sized(300), now)
	}
	for n := range 3 {
		now = now.Add(time.Minute)
		c.put(numbered(c, -n-1), sized(300), now)
	}
	if entries, _ := c.held(); entries > 3 {
		t.Errorf("got %d entries, want only young ones", entries)
	}
}

func TestCacheStaysSmallInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("measures the heap")
	}
	now := time.Unix(1800000000, 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := newCache(0, time.Minute)
	for n := range 50000 {
		c.put(numbered(c, n), sized(600), now)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("the cache took %d bytes, want at most twice its 8 MiB", grown)
	} else {
		t.Logf("%d KiB", grown>>10)
	}
	runtime.KeepAlive(c)
}

func TestBothGenerationsAge(t *testing.T) {
	t.Parallel()
	now := time.Unix(1800000000, 0)
	c := newCache(4, time.Minute)
	for n := range 3 { // the first two are in the old generation then
		c.put(numbered(c, n), sized(300), now)
	}
	for n := range 3 {
		for _, at := range []time.Duration{time.Minute, -time.Nanosecond} {
			if c.get(numbered(c, n), now.Add(at)) != nil {
				t.Errorf("entry %d is a hit %v after it was put", n, at)
			}
		}
	}
	for n := range 3 {
		if c.get(numbered(c, n), now.Add(time.Minute-time.Nanosecond)) == nil {
			t.Errorf("entry %d is no hit within its age", n)
		}
	}
}

func TestForgetReachesBothGenerations(t *testing.T) {
	t.Parallel()
	now := time.Unix(1800000000, 0)
	c := newCache(4, time.Minute)
	for n := range 4 {
		c.put(numbered(c, n), sized(300), now)
	}
	if entries, _ := c.held(); entries != 4 {
		t.Fatalf("got %d entries, want 4 in two generations", entries)
	}
	for n := range 4 {
		c.forget(numbered(c, n))
	}
	if entries, bytes := c.held(); entries != 0 || bytes != 0 {
		t.Errorf("got %d entries with %d bytes, want none", entries, bytes)
	}
}

// TestHeaderMemoLearnsOnlyFromGoodSignatures: else a forger could push the
// header of the real tokens out, or have a header of his own remembered. Until the
// first good one, it is the header that most libraries write.
func TestHeaderMemoLearnsOnlyFromGoodSignatures(t *testing.T) {
	t.Parallel()
	v, err := vectorVerifier("HS256", []byte("AyM1SysPpbyDfgZld3umj1qzKObwVMko"))
	if err != nil {
		t.Fatal(err)
	}
	mac := func(input string) string {
		s := v.keys.single.macs.compute(input)
		defer v.keys.single.macs.release(s)
		return segmentEncoding.EncodeToString(s.sum)
	}
	good := segmentEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + joe
	other := segmentEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"x"}`)) + "." + joe
	usual := segmentEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))
	for _, step := range []struct{ token, want string }{
		{good + "." + mac(other), usual},
		{good + "." + mac(good), good},
		{other + "." + mac(good), good},
		{good + "." + mac(other), good},
		{other + "." + mac(other), other},
	} {
		_, _, err := v.authenticate(t.Context(), step.token, new(room))
		got := ""
		if last := v.headers.last.Load(); last != nil {
			got = last.encoded
		}
		if want, _, _ := strings.Cut(step.want, "."); got != want {
			t.Errorf("got the header %q remembered after %v, want %q", got, err, want)
		}
	}
}
