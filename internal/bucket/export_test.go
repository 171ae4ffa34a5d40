package bucket

// NewPlaced is New with the same seeds each time. Where keys stand, and which of them
// share a place or a tag, is then part of a test: it cannot fail once in a while.
func NewPlaced(cfg Config) *Table {
	t := New(cfg)
	t.place = placed
	for i := range t.shards {
		t.shards[i].place, t.shards[i].park.seed = placed, parkPlaced
	}
	return t
}

var placed, parkPlaced = seed{0x9c1f0e6b5d3a7281, 0x2b7e151628aed2a6}, seed{0x6a09e667f3bcc909, 0xbb67ae8584caa73b}
