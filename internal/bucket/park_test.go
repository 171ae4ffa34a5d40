package bucket

import (
	"math/rand/v2"
	"testing"
	"time"
)

var (
	fastRule = newRule(5, time.Minute, 0)
	slowRule = newRule(10, 24*time.Hour, 0)
	longRule = newRule(1, MaxFill, 0)
)

func newPark(lines int) *park {
	return &park{seed: newSeed(), alloc: func() []line { return make([]line, lines) }}
}

// TestParkNeverForgetsADebt parks random debts of more keys than there is room
// for, over centuries: find never reports a time before the one that was put.
func TestParkNeverForgetsADebt(t *testing.T) {
	t.Parallel()
	type id struct {
		key  Key
		rule rule
	}
	for _, lines := range []int{1, 2, 7, 300} {
		rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
		p := newPark(lines)
		owed := map[id]int64{}
		var now int64
		for range 20_000 {
			who := id{Key{1, rnd.Uint64N(500)}, [...]rule{fastRule, slowRule, longRule}[rnd.IntN(3)]}
			fullAt := now + 1 + rnd.Int64N(int64(who.rule.fill()))
			p.put(who.key, who.rule, fullAt, now)
			owed[who] = max(owed[who], fullAt)

			switch rnd.IntN(1000) {
			case 0: // far, but debts survive
				now += rnd.Int64N(int64(MaxFill))
			case 1: // beyond what 40 bits can hold, once or several times
				now += rnd.Int64N(int64(10 * MaxFill))
			default:
				now += rnd.Int64N(int64(20 * time.Second))
			}
			for who, fullAt := range owed {
				if fullAt <= now {
					delete(owed, who)
				} else if got, _ := p.find(who.key, who.rule, now); got < fullAt {
					t.Fatalf("%d lines, at %d: key %v is repaid at %d, want not before %d", lines, now, who, got, fullAt)
				}
				if rnd.IntN(20) == 0 {
					break // a few of them each time
				}
			}
			if now > maxClock/2 {
				break
			}
		}
	}
}

func TestParkRoundsUpByOneUnit(t *testing.T) {
	t.Parallel()
	const unit = 1 << unitBits
	for _, start := range []int64{0, 1, 12345 * unit, rebaseAt*unit - 1, rebaseAt * unit, 5*rebaseAt*unit + 7, maxClock} {
		p := newPark(1)
		for i, debt := range []int64{1, unit - 1, unit, unit + 1, int64(time.Second), int64(MaxFill)} {
			k := Key{1, uint64(i)}
			p.put(k, longRule, start+debt, start)
			got, floored := p.find(k, longRule, start)
			if late := got - start - debt; floored || late < 0 || late >= unit {
				t.Errorf("a debt of %d ns at %d is repaid %d ns late (floor %v), want 0 to %d", debt, start, late, floored, unit-1)
			}
			if got, _ := p.find(k, longRule, start+debt+unit); got > start+debt+unit {
				t.Errorf("a debt of %d ns at %d is not repaid a unit later", debt, start)
			}
		}
	}
}

func TestParkWithoutOverflowKnowsOnlyItsKeys(t *testing.T) {
	t.Parallel()
	p := newPark(1 << 12)
	p.seed = parkPlaced // or two of the keys share a tag once in 100,000 runs
	for i := range uint64(1000) {
		p.put(Key{1, i}, fastRule, int64(time.Minute), 0)
	}
	wrong := 0
	for i := range uint64(100_000) {
		if got, _ := p.find(Key{2, i}, fastRule, 0); got > 0 {
			wrong++
		}
	}
	if p.forgotten != 0 || wrong > 2 { // 23 bits of tag: 0.003 expected
		t.Errorf("got a debt for %d of 100,000 keys never seen, %d forgotten, want 0 and 0", wrong, p.forgotten)
	}
	if got := p.live(0); got != 1000 {
		t.Errorf("got %d live, want 1000", got)
	}
	if got := p.live(int64(2 * time.Minute)); got != 0 {
		t.Errorf("got %d live after they were repaid, want 0", got)
	}
}

func TestParkOfAnOverflowingLine(t *testing.T) {
	t.Parallel()
	const s = int64(time.Second)
	p := newPark(1)
	unknown := Key{9, 9}
	for i := range int64(8) { // repaid after 10 to 17 s
		p.put(Key{1, uint64(i)}, fastRule, (10+i)*s, 0)
	}
	if got, floored := p.find(unknown, fastRule, 0); !floored || got < 10*s || got > 10*s+20*int64(time.Millisecond) {
		t.Errorf("an unknown key: got %d, floor %v, want the least debt of 10 s as floor", got, floored)
	}
	if got, _ := p.find(unknown, slowRule, 0); got != 0 {
		t.Errorf("an unknown key of a slow limit: got %d, want 0", got)
	}
	if got, floored := p.find(Key{1, 7}, fastRule, 0); floored || got < 17*s || got > 17*s+1<<unitBits {
		t.Errorf("the largest debt: got %d, floor %v, want its own of 17 s", got, floored)
	}
	if got, floored := p.find(unknown, fastRule, 11*s); got > 11*s {
		t.Errorf("after the floor: got %d, floor %v, want no debt", got, floored)
	}
	for i := range int64(100) { // slow debts leave two places
		p.put(Key{2, uint64(i)}, slowRule, (1000+i)*s, 0)
	}
	for _, i := range []uint64{6, 7} {
		if _, floored := p.find(Key{1, i}, fastRule, 0); floored {
			t.Errorf("slow debts pushed out fast key %d, one of two", i)
		}
	}
	if got, floored := p.find(unknown, slowRule, 0); !floored || got < 1094*s {
		t.Errorf("an unknown key of a slow limit: got %d, floor %v, want at least 1094 s", got, floored)
	}
	if got, _ := p.find(unknown, fastRule, 0); got > 16*s {
		t.Errorf("slow debts raised the floor of fast limits to %d", got)
	}
}

func TestParkOfKeysThatShareATag(t *testing.T) {
	t.Parallel()
	const s = int64(time.Second)
	p := newPark(1)
	p.put(Key{1, 1}, fastRule, 20*s, 0)
	twin := twinOf(t, p, Key{1, 1})
	p.put(twin, fastRule, 10*s, 0)
	for _, k := range []Key{{1, 1}, twin} {
		if got, _ := p.find(k, fastRule, 0); got < 20*s {
			t.Errorf("got %d, want the later debt of both, 20 s", got)
		}
	}
}

// twinOf finds another key with the same tag, by a second of search.
func twinOf(t *testing.T, p *park, k Key) Key {
	_, want := p.locate(k, fastRule)
	for i := range uint64(1 << 28) {
		if _, tag := p.locate(Key{3, i}, fastRule); tag == want {
			return Key{3, i}
		}
	}
	t.Fatal("no key has this tag")
	return Key{}
}
