package flight

import (
	"container/list"
	"time"
)

// shelf holds a bounded number of answers, each until its time ends. It is not safe for concurrent use.
//
// All answers of a shelf live equally long, so the oldest is the first to end, and a full shelf drops that one. Asking for
// an answer does not keep it longer.
type shelf[V any] struct {
	size  int
	items map[key]*list.Element
	order *list.List // of item[V], the oldest in front
}

type item[V any] struct {
	key   key
	value V
	ends  time.Time
}

// over reports whether ends has come, by whichever clock says so first. The monotonic one stands still while the machine is
// suspended, the wall clock may be set back: by one alone, a session that was withdrawn could work for longer.
func over(ends, now time.Time) bool {
	return !now.Before(ends) || !now.Round(0).Before(ends)
}

func newShelf[V any](size int) shelf[V] {
	return shelf[V]{size: size, items: map[key]*list.Element{}, order: list.New()}
}

// get returns the value of k if its time has not ended. It drops one whose time has.
func (s *shelf[V]) get(k key, now time.Time) (V, bool) {
	var zero V
	e := s.items[k]
	if e == nil {
		return zero, false
	}
	it := e.Value.(item[V])
	if over(it.ends, now) {
		s.remove(k)
		return zero, false
	}
	return it.value, true
}

// put keeps value for k until ends, in place of what was there, and drops what has ended or is too much.
func (s *shelf[V]) put(k key, value V, ends, now time.Time) {
	s.remove(k)
	if over(ends, now) {
		return
	}
	for front := s.order.Front(); front != nil; front = s.order.Front() {
		oldest := front.Value.(item[V])
		if !over(oldest.ends, now) && len(s.items) < s.size {
			break
		}
		s.remove(oldest.key)
	}
	s.items[k] = s.order.PushBack(item[V]{key: k, value: value, ends: ends})
}

// remove drops what is kept for k, if anything.
func (s *shelf[V]) remove(k key) {
	if e := s.items[k]; e != nil {
		s.order.Remove(e)
		delete(s.items, k)
	}
}
