package password

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/argon2"
)

// reference comes from the test suite of the reference implementation (phc-winner-argon2, src/test.c).
const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

func TestHashVerifies(t *testing.T) {
	t.Parallel()
	h := New(2)
	for _, pw := range []string{"x", "correct horse battery staple", "пароль 🔑", "nul\x00inside", strings.Repeat("x", MaxBytes)} {
		hash, err := h.Hash(t.Context(), pw)
		if err != nil {
			t.Fatalf("Hash: %v", err)
		}
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("got %s, want the cost that OWASP recommends", hash)
		}
		if ok, err := h.Verify(t.Context(), hash, pw); !ok || err != nil {
			t.Errorf("the password itself: got %v, %v, want true", ok, err)
		}
		for _, wrong := range []string{"", pw + "x", pw[1:], "nul", strings.ToUpper(pw) + "\x00"} {
			if ok, err := h.Verify(t.Context(), hash, wrong); ok || err != nil {
				t.Errorf("another password: got %v, %v, want false", ok, err)
			}
		}
	}
}

func TestSamePasswordHasDifferentHashes(t *testing.T) {
	t.Parallel()
	h := New(2)
	first, err1 := h.Hash(t.Context(), "password")
	second, err2 := h.Hash(t.Context(), "password")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("two hashes have the same salt")
	}
}

func TestHashOfTheReferenceImplementationVerifies(t *testing.T) {
	t.Parallel()
	h := New(1)
	if ok, err := h.Verify(t.Context(), reference, "password"); !ok || err != nil {
		t.Errorf("got %v, %v, want true", ok, err)
	}
	if ok, err := h.Verify(t.Context(), reference, "Password"); ok || err != nil {
		t.Errorf("another password: got %v, %v, want false", ok, err)
	}
}

func TestPasswordLength(t *testing.T) {
	t.Parallel()
	h := New(1)
	for _, pw := range []string{"", strings.Repeat("x", MaxBytes+1)} {
		if hash, err := h.Hash(t.Context(), pw); !errors.Is(err, ErrLength) || hash != "" {
			t.Errorf("Hash of %d bytes: got %q, %v, want ErrLength", len(pw), hash, err)
		}
		h.derive = func(_, _ []byte, _, _ uint32, _ uint8, n uint32) []byte {
			t.Errorf("%d bytes caused work", len(pw))
			return make([]byte, n)
		}
		if ok, err := h.Verify(t.Context(), reference, pw); ok || err != nil {
			t.Errorf("Verify of %d bytes: got %v, %v, want false", len(pw), ok, err)
		}
	}
}

func TestMalformedHashes(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if _, err := parsePHC("$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key); err != nil {
		t.Fatalf("the hash that the cases below spoil: %v", err)
	}
	h := New(1)
	h.derive = func(_, _ []byte, _, _ uint32, _ uint8, n uint32) []byte {
		t.Error("a malformed hash caused work")
		return make([]byte, n)
	}
	for _, tt := range []struct{ name, hash string }{
		{name: "empty", hash: ""},
		{name: "the password itself", hash: "password"},
		{name: "only separators", hash: "$$$$$"},
		{name: "bcrypt", hash: "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"},
		{name: "argon2i", hash: "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key},
		{name: "another version", hash: "$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key},
		{name: "no version", hash: "$argon2id$m=19456,t=2,p=1$" + salt + "$" + key},
		{name: "no key", hash: "$argon2id$v=19$m=19456,t=2,p=1$" + salt},
		{name: "empty key", hash: "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$"},
		{name: "short key", hash: "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$AAAAAAAAAAAAAAAAAAAA"},
		{name: "short salt", hash: "$argon2id$v=19$m=19456,t=2,p=1$c29tc2Fs$" + key},
		{name: "long key", hash: "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + strings.Repeat("AAAA", 22)},
		{name: "too much memory", hash: "$argon2id$v=19$m=65537,t=2,p=1$" + salt + "$" + key},
		{name: "as much memory as fits", hash: "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + key},
		{name: "more memory than fits", hash: "$argon2id$v=19$m=4294967296,t=2,p=1$" + salt + "$" + key},
		{name: "too little memory", hash: "$argon2id$v=19$m=7,t=2,p=1$" + salt + "$" + key},
		{name: "no passes", hash: "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key},
		{name: "too many passes", hash: "$argon2id$v=19$m=19456,t=11,p=1$" + salt + "$" + key},
		{name: "no lanes", hash: "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + key},
		{name: "too many lanes", hash: "$argon2id$v=19$m=19456,t=2,p=5$" + salt + "$" + key},
		{name: "another order", hash: "$argon2id$v=19$t=2,m=19456,p=1$" + salt + "$" + key},
		{name: "a sign", hash: "$argon2id$v=19$m=+19456,t=2,p=1$" + salt + "$" + key},
		{name: "a leading zero", hash: "$argon2id$v=19$m=019456,t=2,p=1$" + salt + "$" + key},
		{name: "more parameters", hash: "$argon2id$v=19$m=19456,t=2,p=1,data=x$" + salt + "$" + key},
		{name: "padded base64", hash: "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "==$" + key},
		{name: "a line break", hash: "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "\n"},
		{name: "bits after the end", hash: "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key[:42] + "d"},
		{name: "text in front", hash: "x$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key},
		{name: "a field more", hash: "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "$"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if ok, err := h.Verify(t.Context(), tt.hash, "password"); ok || !errors.Is(err, ErrMalformedHash) {
				t.Errorf("got %v, %v, want false and ErrMalformedHash", ok, err)
			}
		})
	}
}

// Invariants: a hash that is accepted is written back as it was, and stays within the bounds; parsing never panics.
func FuzzParsePHC(f *testing.F) {
	f.Add(reference)
	f.Add(unknownAccount)
	f.Add("$argon2id$v=19$m=1,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err != nil {
			return
		}
		if p.String() != s || p.memory > maxMemoryKiB || p.passes > maxPasses || p.lanes > maxLanes || len(p.key) < minKeyBytes {
			t.Fatalf("accepted %q as %+v", s, p)
		}
	})
}

// work is what one derivation costs.
type work struct {
	time, memory uint32
	threads      uint8
	keyLen       uint32
	salt         int
}

func TestUnknownAccountCostsTheSameWork(t *testing.T) {
	t.Parallel()
	var done []work
	h := New(1)
	h.derive = func(pw, salt []byte, time, memory uint32, threads uint8, n uint32) []byte {
		done = append(done, work{time: time, memory: memory, threads: threads, keyLen: n, salt: len(salt)})
		return argon2.IDKey(pw, salt, time, memory, threads, n)
	}
	hash, err := h.Hash(t.Context(), "password")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Verify(t.Context(), hash, "wrong"); ok || err != nil {
		t.Fatalf("got %v, %v, want false", ok, err)
	}
	if err := h.VerifyUnknown(t.Context(), "wrong"); err != nil {
		t.Fatalf("VerifyUnknown: %v", err)
	}
	if len(done) != 3 || done[1] != done[0] || done[2] != done[0] {
		t.Errorf("got %+v, want the same work three times", done)
	}
}

func TestTenThousandSignInsAtOnceStayWithinTheBound(t *testing.T) {
	t.Parallel()
	const signIns, bound = 10_000, 4
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var running, peak, finished int
		count := func(change, done int) {
			mu.Lock()
			defer mu.Unlock()
			running += change
			finished += done
			peak = max(peak, running)
		}
		h := New(bound)
		h.derive = func(_, _ []byte, _, _ uint32, _ uint8, n uint32) []byte {
			count(1, 0)
			time.Sleep(20 * time.Millisecond) // of the bubble's own time
			count(-1, 1)
			return make([]byte, n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var gaveUp atomic.Int64
		var wg sync.WaitGroup
		for range signIns {
			wg.Go(func() {
				if err := h.VerifyUnknown(ctx, "password"); errors.Is(err, context.DeadlineExceeded) {
					gaveUp.Add(1)
				} else if err != nil {
					t.Errorf("got %v, want a result or DeadlineExceeded", err)
				}
			})
		}
		wg.Wait()
		if peak != bound {
			t.Errorf("got %d at the same time, want %d", peak, bound)
		}
		if got := finished + int(gaveUp.Load()); got != signIns {
			t.Errorf("%d answered, want %d", got, signIns)
		}
		if finished < bound*49 || finished > bound*51 {
			t.Errorf("%d finished, want about %d in a second", finished, bound*50)
		}
		if err := h.VerifyUnknown(t.Context(), "password"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestCanceledCallDoesNoWork(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := New(1)
	h.derive = func(_, _ []byte, _, _ uint32, _ uint8, n uint32) []byte {
		t.Error("a canceled call caused work")
		return make([]byte, n)
	}
	for range 20 {
		if _, err := h.Hash(ctx, "password"); !errors.Is(err, context.Canceled) {
			t.Errorf("Hash: got %v, want context.Canceled", err)
		}
		if ok, err := h.Verify(ctx, reference, "password"); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("Verify: got %v, %v, want context.Canceled", ok, err)
		}
	}
}

func TestPanicGivesThePlaceBack(t *testing.T) {
	t.Parallel()
	h := New(1)
	h.derive = func(_, _ []byte, _, _ uint32, _ uint8, _ uint32) []byte { panic("no memory") }
	for range 2 {
		func() {
			defer func() { _ = recover() }()
			_ = h.VerifyUnknown(t.Context(), "password")
			t.Error("the panic was swallowed")
		}()
	}
	if len(h.slots) != 0 {
		t.Error("a place is still taken")
	}
}

func TestUnusableHashers(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]*Hasher{"nil": nil, "zero": {}} {
		if _, err := h.Hash(t.Context(), "password"); err == nil {
			t.Errorf("%s: Hash: got no error", name)
		}
		if ok, err := h.Verify(t.Context(), reference, "password"); ok || err == nil {
			t.Errorf("%s: Verify: got %v, %v, want false and an error", name, ok, err)
		}
		if err := h.VerifyUnknown(t.Context(), "password"); err == nil {
			t.Errorf("%s: VerifyUnknown: got no error", name)
		}
	}
	for _, max := range []int{0, -1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New(%d) did not panic", max)
				}
			}()
			New(max)
		}()
	}
}

func BenchmarkVerify(b *testing.B) {
	h := New(1)
	hash, err := h.Hash(b.Context(), "password")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := h.Verify(b.Context(), hash, "password"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
