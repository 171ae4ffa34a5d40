package bucket

import (
	"math/rand/v2"
	"testing"
)

// TestIndexAgainstAMap inserts and removes slots under few hashes, so that runs
// of words collide, wrap around and shift back.
func TestIndexAgainstAMap(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
	var x index
	hashes := map[int]uint32{}
	contains := func(hash uint32, slot int) bool {
		mask := uint32(len(x.words) - 1)
		for i := hash & mask; x.words[i] != 0; i = (i + 1) & mask {
			if x.words[i] == word(hash, slot) {
				return true
			}
		}
		return false
	}
	for range 50_000 {
		slot := rnd.IntN(200)
		if hash, ok := hashes[slot]; ok {
			x.remove(hash, slot)
			delete(hashes, slot)
		} else {
			hash := uint32(rnd.IntN(40)) * 0x0101_0101
			if rnd.IntN(2) == 0 {
				hash = ^uint32(0) - hash%8
			}
			x.insert(hash, slot)
			hashes[slot] = hash
		}
		if x.used != len(hashes) || 4*x.used > 3*len(x.words) {
			t.Fatalf("got %d used of %d words, want %d", x.used, len(x.words), len(hashes))
		}
		probe := rnd.IntN(200)
		for s := probe; s < min(probe+5, 200); s++ {
			if hash, ok := hashes[s]; ok && !contains(hash, s) {
				t.Fatalf("slot %d was lost", s)
			}
		}
	}
}
