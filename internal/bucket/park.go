package bucket

const (
	debtsPerLine = 7

	// A parked time counts units of 65.536 µs from the park's base, rounded up.
	// 40 bits of them are 834 days: up to half of that may pass before the base
	// moves, and a debt reaches at most MaxFill, which is less than the other half.
	unitBits = 16
	timeBits = 40
	timeMask = 1<<timeBits - 1
	rebaseAt = 1 << (timeBits - 1) // units

	// A floor drops 8 more bits, rounded up: two fit in one word.
	floorBits = 8

	// Limits that fill slower than this are slow. They have a floor of their own,
	// so that a flood of one-a-day charges does not refuse callers limited by the
	// minute.
	slowFill = 10 * 60e9 // ns
	keepFast = 2         // places in a line that slow debts leave to fast ones
)

// A line is one cache line: seven debts and a word with two floors.
//
// A debt is a 24-bit tag (23 bits of hash and whether the limit is slow) above
// the 40-bit time at which it is repaid. A floor is the latest such time of all
// debts that the line forgot: the slow one in the upper half.
type line [debtsPerLine + 1]uint64

// A park keeps the debts of evicted buckets, one part for each shard.
//
// It never reports less than a key owes, also when two keys share a tag:
//   - a debt leaves only when it is repaid, or by raising the floor;
//   - a second debt under one tag leaves the later time;
//   - a new debt starts no earlier than the floor, which may stand for an older
//     debt under the same tag;
//   - times are rounded up.
//
// For the same reason a key that returns to the exact tier leaves its debt here:
// it may belong to another key as well, and it is repaid by itself.
type park struct {
	alloc     func() []line
	lines     []line // nil until the first debt
	base      int64  // ns
	seed      seed
	forgotten uint64
}

// find returns the time at which a key's debt is repaid, in ns; a time that is
// past for none. A key without a live debt of its own inherits the floor.
func (p *park) find(key Key, r rule, now int64) (fullAt int64, floored bool) {
	if p.lines == nil {
		return 0, false
	}
	nowUnits := p.units(now)
	l, tag := p.locate(key, r)
	for _, d := range l[:debtsPerLine] {
		if d>>timeBits == tag && d&timeMask > nowUnits {
			return p.ns(d & timeMask), false
		}
	}
	if floor := l.floor(tag); floor > nowUnits {
		return p.ns(floor), true
	}
	return 0, false
}

// put keeps a debt until fullAt, which is after now. If seven live debts are
// there already, one of the eight becomes a floor.
func (p *park) put(key Key, r rule, fullAt, now int64) {
	if p.lines == nil {
		p.lines = p.alloc()
	}
	nowUnits := p.units(now)
	l, tag := p.locate(key, r)
	full := uint64(fullAt-p.base+1<<unitBits-1) >> unitBits

	free := -1
	for i, d := range l[:debtsPerLine] {
		switch {
		case d&timeMask <= nowUnits:
			free = i
		case d>>timeBits == tag:
			l[i] = tag<<timeBits | max(full, d&timeMask)
			return
		}
	}
	debt := tag<<timeBits | max(full, l.floor(tag))
	if free >= 0 {
		l[free] = debt
		return
	}
	if i := l.least(debt); i >= 0 {
		debt, l[i] = l[i], debt
	}
	l.raise(debt>>timeBits, debt&timeMask)
	p.forgotten++
}

// locate returns the line and the tag of a key.
func (p *park) locate(key Key, r rule) (l *line, tag uint64) {
	h := p.seed.mix(key)
	tag = h << 1 & (1<<(64-timeBits) - 1)
	if r.fill() > slowFill {
		tag |= 1
	}
	// The upper half of the hash, scaled to the number of lines.
	return &p.lines[h>>32*uint64(len(p.lines))>>32], tag
}

// units returns a time in whole units since the base, which it first moves if
// it is too old. A debt of u units is live while u is more than that.
func (p *park) units(now int64) uint64 {
	passed := uint64(now-p.base) >> unitBits
	if passed < rebaseAt {
		return passed
	}
	// Once in 417 days. It moves by a multiple of the floor's unit, so that
	// floors stay exact.
	moved := passed &^ (1<<floorBits - 1)
	for i := range p.lines {
		p.lines[i].rebase(moved)
	}
	p.base += int64(moved) << unitBits
	return passed - moved
}

// ns returns the time of a number of units since the base.
func (p *park) ns(units uint64) int64 { return p.base + int64(units)<<unitBits }

// live counts debts that are not repaid.
func (p *park) live(now int64) int {
	nowUnits := p.units(now)
	n := 0
	for i := range p.lines {
		for _, d := range p.lines[i][:debtsPerLine] {
			if d&timeMask > nowUnits {
				n++
			}
		}
	}
	return n
}

// least returns which debt of a full line to forget, -1 for the extra one. It is
// the one that is repaid first, except that slow debts do not push out the last
// two fast ones: they outlast them always and would take all places.
func (l *line) least(extra uint64) int {
	slow := slowBit(extra)
	for _, d := range l[:debtsPerLine] {
		slow += slowBit(d)
	}
	slowOnly := slow >= debtsPerLine+1-keepFast

	least, until := -1, uint64(timeMask+1)
	if !slowOnly || slowBit(extra) == 1 {
		until = extra & timeMask
	}
	for i, d := range l[:debtsPerLine] {
		if slowOnly && slowBit(d) == 0 {
			continue
		}
		if d&timeMask < until {
			least, until = i, d&timeMask
		}
	}
	return least
}

// slowBit returns 1 for a debt of a slow limit.
func slowBit(debt uint64) uint64 { return debt >> timeBits & 1 }

// floor returns the floor for a tag's kind of limit, in units.
func (l *line) floor(tag uint64) uint64 {
	return l[debtsPerLine] >> floorShift(tag) & (1<<32 - 1) << floorBits
}

// raise makes a floor at least units, rounded up.
func (l *line) raise(tag, units uint64) {
	units = (units + 1<<floorBits - 1) >> floorBits
	if old := l.floor(tag) >> floorBits; units > old {
		l[debtsPerLine] += (units - old) << floorShift(tag)
	}
}

// floorShift tells the half of the floor word: the tag's lowest bit says slow.
func floorShift(tag uint64) uint64 { return tag & 1 * 32 }

// rebase subtracts units from every time in the line. What was before is repaid.
func (l *line) rebase(units uint64) {
	for i, d := range l[:debtsPerLine] {
		if d&timeMask <= units {
			l[i] = 0
		} else {
			l[i] = d - units
		}
	}
	floors := [2]uint64{l.floor(0), l.floor(1)}
	l[debtsPerLine] = 0
	for tag, floor := range floors {
		if floor > units {
			l.raise(uint64(tag), floor-units)
		}
	}
}
