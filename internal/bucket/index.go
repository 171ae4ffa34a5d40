package bucket

// An index finds slots by hash: open addressing with linear probing.
//
// Each word holds 32 bits of hash above the slot number plus one; 0 is empty.
// The hash bits are in the word so that deleting and growing need not visit the
// slots, which made a flood 2.2 times slower in a prototype.
type index struct {
	words []uint64 // length is a power of two
	used  int
}

const firstIndex = 16 // words

func word(hash uint32, slot int) uint64 {
	return uint64(hash)<<32 | uint64(slot+1)
}

// insert adds a slot. The caller knows that it is not there.
func (x *index) insert(hash uint32, slot int) {
	if 4*(x.used+1) > 3*len(x.words) {
		x.grow()
	}
	x.place(word(hash, slot))
	x.used++
}

// place puts a word into the first empty place from its home on.
func (x *index) place(w uint64) {
	mask := uint32(len(x.words) - 1)
	i := uint32(w>>32) & mask
	for x.words[i] != 0 {
		i = (i + 1) & mask
	}
	x.words[i] = w
}

func (x *index) grow() {
	old := x.words
	x.words = make([]uint64, max(firstIndex, 2*len(old)))
	for _, w := range old {
		if w != 0 {
			x.place(w)
		}
	}
}

// remove deletes a slot that is there, and moves back the words behind it that
// would otherwise be cut off from their home.
func (x *index) remove(hash uint32, slot int) {
	mask := uint32(len(x.words) - 1)
	target := word(hash, slot)
	hole := hash & mask
	for x.words[hole] != target {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; x.words[i] != 0; i = (i + 1) & mask {
		home := uint32(x.words[i]>>32) & mask
		if (i-home)&mask >= (i-hole)&mask {
			x.words[hole] = x.words[i]
			hole = i
		}
	}
	x.words[hole] = 0
	x.used--
}
