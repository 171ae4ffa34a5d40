package bucket

import "slices"

// inline is the number of ops that Take handles without allocating.
const inline = 8

// A step is the state of one op within a call.
type step struct {
	rule   rule
	first  int     // the first valid op of the call with this key; -1 if invalid
	before float64 // cost of the ops on this key before this one
	debt   float64 // what the bucket owed before the call
	fits   bool

	// Only in the first step of a key:
	hash   uint64
	shard  uint32
	bucket bucket
	now    int64   // its shard's time
	total  float64 // cost of all ops on this key
}

// takeAll is Take for several ops: it locks all shards that they touch, in one
// order for all callers, decides every op, and then charges all or none.
func (t *Table) takeAll(ops []Op, out []Result) bool {
	var stepRoom [inline]step
	var lockRoom [inline]uint32
	steps, locks := stepRoom[:], lockRoom[:0]
	if len(ops) > inline {
		steps, locks = make([]step, len(ops)), make([]uint32, 0, len(ops))
	}
	steps = steps[:len(ops)]
	for i := range ops {
		if t.prepare(ops, steps, i) {
			locks = append(locks, steps[i].shard)
		}
	}
	slices.Sort(locks)
	locks = slices.Compact(locks)
	clock := t.clock()

	for _, shard := range locks {
		t.shards[shard].mu.Lock()
	}
	ok := t.decide(ops, steps, clock)
	if ok {
		t.commit(ops, steps)
	}
	for _, shard := range locks {
		t.shards[shard].mu.Unlock()
	}

	for i := range min(len(ops), len(out)) {
		steps[i].report(&out[i], &ops[i], steps, ok)
	}
	return ok
}

// prepare fills in what steps[i] needs no lock for, given the steps before it.
// It reports whether the op is the first on its key.
func (t *Table) prepare(ops []Op, steps []step, i int) bool {
	st, op := &steps[i], &ops[i]
	var ok bool
	if st.rule, ok = op.rule(); !ok {
		st.first = -1
		return false
	}
	for j := range steps[:i] {
		if first := &steps[j]; first.first == j && ops[j].Key == op.Key {
			st.first = j
			st.before = first.total
			first.total += float64(op.Cost)
			return false
		}
	}
	st.first = i
	st.total = float64(op.Cost)
	st.hash = t.place.mix(op.Key)
	st.shard = t.shardOf(st.hash)
	return true
}

// decide sets fits in every step and reports whether all do. An op must fit on
// top of the debt of its bucket and of the ops before it on the same key.
func (t *Table) decide(ops []Op, steps []step, clock int64) bool {
	all := true
	for i := range steps {
		st, op := &steps[i], &ops[i]
		if st.first < 0 {
			all = false
			continue
		}
		first := &steps[st.first]
		s := &t.shards[first.shard]
		floored := s.examine(st, first, op.Key, clock)
		st.fits = st.rule.fits(st.debt+st.before, op.Cost)
		if !st.fits && floored {
			s.overload++
		}
		all = all && st.fits
	}
	return all
}

// examine sets what the bucket of a step owes, and reports whether that is a
// floor. The first step of a key comes before the others on it.
func (s *shard) examine(st, first *step, key Key, clock int64) (floored bool) {
	switch {
	case st == first:
		st.now = s.clamp(clock)
		st.bucket = s.look(key, st.hash, st.rule, st.now)
		st.debt = st.bucket.debt
		return st.bucket.floored
	case st.rule == first.rule:
		st.debt = first.debt
		return first.bucket.floored
	default:
		b := s.look(key, first.hash, st.rule, first.now)
		st.debt = max(first.debt, b.debt)
		return b.floored
	}
}

// commit charges all ops. Keys that have a slot come first: opening a slot for
// a new key may evict another, and a key that is charged by then is parked with
// its whole debt, while one that is not would lose the slot that decide found.
func (t *Table) commit(ops []Op, steps []step) {
	for i := range steps {
		if steps[i].first == i && steps[i].bucket.slot >= 0 {
			t.chargeKey(ops, steps, i)
		}
	}
	for i := range steps {
		if steps[i].first == i && steps[i].bucket.slot < 0 {
			t.chargeKey(ops, steps, i)
		}
	}
}

// chargeKey charges all ops on the key of steps[first], in their order.
func (t *Table) chargeKey(ops []Op, steps []step, first int) {
	key := &steps[first]
	if key.total == 0 {
		return // only looks, which give no slot
	}
	s := &t.shards[key.shard]
	slot := s.open(ops[first].Key, key.hash, key.rule, key.bucket, key.now)
	for i := first; i < len(steps); i++ {
		if st := &steps[i]; st.first == first && ops[i].Cost > 0 {
			s.charge(slot, st.rule, ops[i].Cost, st.debt+st.before, key.now)
		}
	}
}

// report sets res for the op of this step, in a call that was charged or not.
func (st *step) report(res *Result, op *Op, steps []step, charged bool) {
	if st.first < 0 {
		*res = Result{RetryAfter: never}
		return
	}
	switch {
	case charged:
		st.rule.allow(res, st.debt+steps[st.first].total)
	case st.fits:
		st.rule.allow(res, st.debt)
	default:
		st.rule.refuse(res, st.debt, st.before, op.Cost)
	}
}
