package strictjwt

import (
	"crypto/hmac"
	"hash"
	"sync"
)

// macPool computes HMACs under one key.
//
// Setting a key up costs two blocks of the hash and seven allocations, more than
// the MAC of a short token. A pooled state starts again from after its key; it
// is used by one goroutine at a time and never leaves this file.
type macPool struct{ states sync.Pool }

type macState struct {
	mac   hash.Hash
	input []byte
	sum   []byte
}

// newMACPool keeps key: the caller must not change it.
func newMACPool(newHash func() hash.Hash, key []byte) *macPool {
	p := new(macPool)
	p.states.New = func() any { return &macState{mac: hmac.New(newHash, key)} }
	return p
}

// compute returns a state whose sum is the MAC of input. It goes back by release.
func (p *macPool) compute(input string) *macState {
	s := p.states.Get().(*macState)
	s.mac.Reset()
	s.input = append(s.input[:0], input...)
	s.mac.Write(s.input)
	s.sum = s.mac.Sum(s.sum[:0])
	clear(s.input) // a pool is no place for credentials
	return s
}

func (p *macPool) release(s *macState) { p.states.Put(s) }

// equal reports, in constant time, whether mac is the MAC of input.
func (p *macPool) equal(input string, mac []byte) bool {
	s := p.compute(input)
	defer p.release(s)
	return hmac.Equal(s.sum, mac)
}
