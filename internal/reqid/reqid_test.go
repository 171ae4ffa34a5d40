package reqid

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
)

// The example of RFC 9562, appendix A.6.
func TestNewMatchesTheExampleOfTheRFC(t *testing.T) {
	t.Parallel()
	random := []byte{0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f}
	tests := []struct {
		name   string
		random []byte
		want   string
	}{
		{name: "the example", random: random, want: "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"},
		{name: "all bits clear", random: make([]byte, 10), want: "017f22e2-79b0-7000-8000-000000000000"},
		{name: "all bits set", random: bytes.Repeat([]byte{0xff}, 10), want: "017f22e2-79b0-7fff-bfff-ffffffffffff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := source{reader: bytes.NewReader(bytes.Repeat(tt.random, 64))}
			got, err := s.new(time.UnixMilli(0x017f22e279b0))
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestNewIsAUUIDOfVersion7(t *testing.T) {
	t.Parallel()
	for range 1000 {
		before := time.Now().UnixMilli()
		id, err := New(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		u, err := uuid.Parse(id)
		if err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		if u.Version() != 7 || u.Variant() != uuid.RFC4122 || u.String() != id {
			t.Errorf("%q: got version %d, variant %v, canonical form %v", id, u.Version(), u.Variant(), u)
		}
		sec, nsec := u.Time().UnixTime()
		if ms := sec*1000 + nsec/1e6; ms < before {
			t.Errorf("%q: got time %d, want at least %d", id, ms, before)
		}
		if !Valid(id) {
			t.Errorf("%q is not Valid", id)
		}
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	t.Parallel()
	s := source{reader: rand.Reader}
	start := time.UnixMilli(1_800_000_000_000)
	steps := []struct {
		name string
		now  time.Time
		want time.Time
	}{
		{name: "the first id has the time", now: start, want: start},
		{name: "a later id has its own", now: start.Add(time.Second), want: start.Add(time.Second)},
		{name: "a clock set back keeps the latest", now: start.Add(-time.Hour), want: start.Add(time.Second)},
		{name: "a clock before 1970 keeps the latest", now: time.UnixMilli(-1), want: start.Add(time.Second)},
		{name: "a clock that caught up has its own", now: start.Add(2 * time.Second), want: start.Add(2 * time.Second)},
	}
	for _, step := range steps {
		id, err := s.new(step.now)
		if err != nil {
			t.Fatal(err)
		}
		sec, nsec := uuid.MustParse(id).Time().UnixTime()
		if got := time.Unix(sec, nsec); !got.Equal(step.want) {
			t.Errorf("%s: got %v, want %v", step.name, got, step.want)
		}
	}
}

func TestTimeBefore1970IsZero(t *testing.T) {
	t.Parallel()
	s := source{reader: rand.Reader}
	id, err := s.new(time.UnixMilli(-5))
	if err != nil || !strings.HasPrefix(id, "00000000-0000-7") {
		t.Errorf("got %v, %v", id, err)
	}
}

// Each of the 74 bits has to vary, and each about as often set as not. With
// 8000 ids a fair bit stays within 4000 ± 400 except once in 10^18 runs.
func TestAllRandomBitsVary(t *testing.T) {
	t.Parallel()
	const ids = 8000
	var set [128]int
	for range ids {
		id, err := New(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		u := uuid.MustParse(id)
		for i := range set {
			set[i] += int(u[i/8]>>(7-i%8)) & 1
		}
	}
	for i := 48; i < 128; i++ {
		if (i >= 48 && i < 52) || i == 64 || i == 65 {
			continue // version and variant
		}
		if set[i] < ids/2-400 || set[i] > ids/2+400 {
			t.Errorf("bit %d is set in %d of %d ids", i, set[i], ids)
		}
	}
}

func TestConcurrentIDsAreUnique(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 5000
	results := make([][]string, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for range each {
				id, err := New(time.Now())
				if err != nil {
					t.Error(err)
					return
				}
				results[i] = append(results[i], id)
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool, workers*each)
	for _, ids := range results {
		for _, id := range ids {
			seen[id] = true
		}
		if !slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(a[:13], b[:13]) }) {
			t.Errorf("the times of one goroutine's ids run backwards")
		}
	}
	if len(seen) != workers*each {
		t.Errorf("got %d different ids, want %d", len(seen), workers*each)
	}
}

var errEntropy = errors.New("no entropy")

func TestFailingEntropyIsAnErrorAndNoID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		reader io.Reader
		want   error
	}{
		{name: "an error at once", reader: iotest.ErrReader(errEntropy), want: errEntropy},
		{name: "an error in the middle", reader: io.MultiReader(bytes.NewReader(make([]byte, 639)), iotest.ErrReader(errEntropy)), want: errEntropy},
		{name: "the end at once", reader: bytes.NewReader(nil), want: io.EOF},
		{name: "the end in the middle", reader: bytes.NewReader(make([]byte, 15)), want: io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := source{reader: tt.reader}
			id, err := s.new(time.Now())
			if id != "" || !errors.Is(err, tt.want) {
				t.Errorf("got %q, %v, want an error that is %v", id, err, tt.want)
			}
		})
	}
}

// After the bytes of one fill there are no ids, whatever sync.Pool keeps.
func TestEntropyThatFailsLater(t *testing.T) {
	t.Parallel()
	fill := make([]byte, 640)
	if _, err := rand.Read(fill); err != nil {
		t.Fatal(err)
	}
	s := source{reader: io.MultiReader(bytes.NewReader(fill), iotest.ErrReader(errEntropy))}
	seen := map[string]bool{}
	for range 200 {
		id, err := s.new(time.Now())
		if (id == "") != (err != nil) {
			t.Fatalf("got %q, %v", id, err)
		}
		if err == nil {
			seen[id[14:]] = true
		}
	}
	if len(seen) == 0 || len(seen) > 64 {
		t.Errorf("got %d ids of one fill, want 1 to 64", len(seen))
	}
}

func TestSlowEntropyIsEnough(t *testing.T) {
	t.Parallel()
	s := source{reader: iotest.OneByteReader(rand.Reader)}
	if id, err := s.new(time.Now()); err != nil || !Valid(id) {
		t.Errorf("got %q, %v", id, err)
	}
}

func TestBufferHandsOutEachByteOnceAndWipesIt(t *testing.T) {
	t.Parallel()
	fill := make([]byte, 640)
	for i := range fill {
		fill[i] = byte(i%255) + 1 // never zero
	}
	r := bytes.NewReader(fill)
	var b buffer
	var got []byte
	for i := range 64 {
		var dst [10]byte
		if err := b.read(r, dst[:]); err != nil {
			t.Fatal(err)
		}
		got = append(got, dst[:]...)
		used := (i + 1) * 10
		if !bytes.Equal(b.bytes[:used], make([]byte, used)) {
			t.Fatalf("used bytes are not wiped after %d ids", i+1)
		}
		if !bytes.Equal(b.bytes[used:], fill[used:]) {
			t.Fatalf("unused bytes changed after %d ids", i+1)
		}
	}
	if !bytes.Equal(got, fill) {
		t.Errorf("the bytes handed out are not those that were read")
	}
	var dst [10]byte
	if err := b.read(r, dst[:]); !errors.Is(err, io.EOF) || dst != [10]byte{} {
		t.Errorf("got %v, %v, want %v and no bytes", dst, err, io.EOF)
	}
}

func TestBufferForgetsHalfAFill(t *testing.T) {
	t.Parallel()
	var b buffer
	var dst [10]byte
	half := io.MultiReader(bytes.NewReader(bytes.Repeat([]byte{1}, 300)), iotest.ErrReader(errEntropy))
	if err := b.read(half, dst[:]); !errors.Is(err, errEntropy) {
		t.Fatalf("got %v, want %v", err, errEntropy)
	}
	if err := b.read(bytes.NewReader(bytes.Repeat([]byte{2}, 640)), dst[:]); err != nil || dst[0] != 2 {
		t.Errorf("got %v, %v, want bytes of the second fill", dst, err)
	}
}

func TestNewAllocatesOnce(t *testing.T) {
	s := source{reader: rand.Reader}
	now := time.Now()
	// The average covers the refills; the pool may be emptied by a collection.
	if n := testing.AllocsPerRun(1000, func() { _, _ = s.new(now) }); n != 1 {
		t.Errorf("got %v allocations, want 1", n)
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		id   string
		want bool
	}{
		{name: "a UUID", id: "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", want: true},
		{name: "all kinds of characters", id: "azAZ09._-", want: true},
		{name: "8 bytes", id: "12345678", want: true},
		{name: "128 bytes", id: strings.Repeat("a", 128), want: true},
		{name: "empty", id: ""},
		{name: "7 bytes", id: "1234567"},
		{name: "129 bytes", id: strings.Repeat("a", 129)},
		{name: "a megabyte", id: strings.Repeat("a", 1<<20)},
		{name: "a space", id: "12345678 9"},
		{name: "a space at the end", id: "12345678 "},
		{name: "a line break", id: "12345678\n"},
		{name: "a carriage return and line feed", id: "1234\r\nSet-Cookie"},
		{name: "a NUL", id: "1234\x005678"},
		{name: "an escape", id: "1234\x1b[31m"},
		{name: "DEL", id: "1234567\x7f"},
		{name: "a quotation mark", id: `1234"5678`},
		{name: "a comma", id: "1234,5678"},
		{name: "a slash", id: "1234/5678"},
		{name: "a percent sign", id: "1234%205678"},
		{name: "a plus sign", id: "1234+5678"},
		{name: "a colon", id: "1234:5678"},
		{name: "a brace", id: "{12345678}"},
		{name: "a letter beyond ASCII", id: "1234567\u00e4"},
		{name: "a byte that is not UTF-8", id: "12345678\xff"},
		{name: "the neighbors of the ranges", id: "@[`{/:,^"},
		{name: "a right-to-left override", id: "1234\u202e5678"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Valid(tt.id); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// FuzzValid: the loop answers as the regular expression does.
func FuzzValid(f *testing.F) {
	for _, seed := range []string{"", "12345678", "12345678\n", "azAZ09._-", "1234567\u00e4", strings.Repeat("a", 128), strings.Repeat("a", 129)} {
		f.Add(seed)
	}
	pattern := regexp.MustCompile(`^[A-Za-z0-9._-]{8,128}\z`)
	f.Fuzz(func(t *testing.T, id string) {
		if got, want := Valid(id), pattern.MatchString(id); got != want {
			t.Errorf("%q: got %v, want %v", id, got, want)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.Run("reqid", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = New(time.Now())
		}
	})
	b.Run("google uuid", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			id, _ := uuid.NewV7()
			_ = id.String()
		}
	})
	b.Run("reqid, parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = New(time.Now())
			}
		})
	})
	b.Run("google uuid, parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				id, _ := uuid.NewV7()
				_ = id.String()
			}
		})
	})
}

// The id of a refusal for want of randomness has the form of the others.
func TestWeak(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := Weak()
		if u, err := uuid.Parse(id); err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 || !Valid(id) {
			t.Fatalf("got %q, %v, want a UUID of version 7", id, err)
		}
		if seen[id] {
			t.Fatalf("%q came twice", id)
		}
		seen[id] = true
	}
}
