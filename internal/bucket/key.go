package bucket

import (
	"hash/maphash"
	"net/netip"
)

// A Key names a bucket: a seeded 128-bit digest, without pointers.
//
// Keys compare with ==. The zero Key means no key, and an op with it is refused.
type Key struct{ Hi, Lo uint64 }

// digestSeeds are the seeds of the two halves of a Key.
type digestSeeds [2]maphash.Seed

func newDigestSeeds() digestSeeds {
	return digestSeeds{maphash.MakeSeed(), maphash.MakeSeed()}
}

// Text returns the key of a text under a limit's name.
//
// It is never the zero Key, not even for empty texts. The digest is seeded for
// each Table, so it means nothing to another process or Table, and no client
// can choose keys that collide. It allocates nothing.
func (t *Table) Text(limit, key string) Key {
	return digest(&t.text, struct{ limit, key string }{limit, key})
}

// Addr returns the key of an address under a limit's name.
//
// An IPv4-mapped IPv6 address is its IPv4 address, and a zone is dropped: one
// client has one key. Mask the address first to limit a network. An invalid
// address gives the zero Key. Text and Addr never share keys.
func (t *Table) Addr(limit string, a netip.Addr) Key {
	if !a.IsValid() {
		return Key{}
	}
	// As16 maps IPv4 into IPv6 and has no zone.
	return digest(&t.addr, struct {
		limit string
		addr  [16]byte
	}{limit, a.As16()})
}

// digest hashes v with two independent seeds. maphash chains the fields, so
// ("a", "bc") and ("ab", "c") differ. The set bit keeps it from being zero.
func digest[T comparable](seeds *digestSeeds, v T) Key {
	return Key{
		Hi: maphash.Comparable(seeds[0], v),
		Lo: maphash.Comparable(seeds[1], v) | 1,
	}
}

// Digest returns the key of any comparable value, such as a struct of a name and
// an address. It has the properties of [Table.Text].
func Digest[T comparable](t *Table, v T) Key { return digest(&t.text, v) }
