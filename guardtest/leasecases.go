package guardtest

import (
	"context"
	"sync/atomic"
	"time"
)

func leaseCases() []storeCase {
	return []storeCase{
		{"a key has as many places as were asked for",
			"that is the limit on what is in flight", places},
		{"a place that is released twice is free once",
			"a handler may end in more than one way, and must not free another's place", releasedTwice},
		{"places and tokens are apart",
			"a route may limit both under one name", placesAndTokens},
		{"no places are no admission",
			"zero must not be read as no limit", noPlaces},
		{"50 at once never hold more than the places",
			"counting first and adding after lets all of them in", placesAtOnce},
	}
}

func sharedCases() []storeCase {
	return []storeCase{
		{"the places of a process that died become free",
			"nobody else can release them, and the key would be locked out for ever", placesEnd},
		{"a place is held until its time has passed",
			"a place that ends early admits too many", placesLast},
		{"a release that comes too late frees nobody else's place",
			"a handler that outlived its lease must not let another one in", lateRelease},
	}
}

func places(s *storeSuite) {
	a, b := slow("a"), slow("b")
	first := s.wantPlace(true, a, 2)
	s.wantPlace(true, a, 2)
	s.wantPlace(false, a, 2)
	s.wantPlace(true, b, 2)
	first()
	s.wantPlace(true, a, 2)
	s.wantPlace(false, a, 2)
	s.wantPlace(true, a, 3) // another limit on the same key
}

func releasedTwice(s *storeSuite) {
	a := slow("a")
	first := s.wantPlace(true, a, 1)
	first()
	s.wantPlace(true, a, 1)
	first()
	first()
	s.wantPlace(false, a, 1)
}

func placesAndTokens(s *storeSuite) {
	a := slow("a")
	s.want(true, costing(a, 5))
	s.wantPlace(true, a, 1)
	s.wantPlace(false, a, 1)
	s.refund(costing(a, 5))
	s.wantPlace(false, a, 1)
	s.wantLeft(a, 5)
}

func noPlaces(s *storeSuite) {
	for _, most := range []int{0, -1} {
		release, ok, _ := s.store().Acquire(context.Background(), slow("a"), most, time.Hour)
		if ok {
			s.T.Errorf("Acquire of one of %d places is true, want false", most)
			release()
		}
	}
}

func placesAtOnce(s *storeSuite) {
	a := slow("a")
	var inside, found atomic.Int64
	together(50, func(int) {
		for range 4 {
			release, ok := s.acquire(a, 3, time.Hour)
			if !ok {
				continue
			}
			found.Add(1)
			if n := inside.Add(1); n > 3 {
				s.T.Errorf("%d hold one of 3 places", n)
			}
			inside.Add(-1)
			release()
		}
	})
	if found.Load() == 0 {
		s.T.Errorf("nobody found a place")
	}
	for range 3 { // all were released
		s.wantPlace(true, a, 3)
	}
	s.wantPlace(false, a, 3)
}

func placesEnd(s *storeSuite) {
	a, ttl := slow("a"), 5*s.clock.unit()
	if _, ok := s.acquire(a, 1, ttl); !ok {
		s.T.Fatalf("the first place is refused")
	}
	s.clock.wait(ttl + 5*time.Millisecond)
	s.wantPlace(true, a, 1)
}

func placesLast(s *storeSuite) {
	a := slow("a")
	if _, ok := s.acquire(a, 2, s.clock.unit()); !ok {
		s.T.Fatalf("the first place is refused")
	}
	if _, ok := s.acquire(a, 2, time.Hour); !ok {
		s.T.Fatalf("the second place is refused")
	}
	s.clock.wait(s.clock.unit() + 5*time.Millisecond)
	s.wantPlace(true, a, 2) // the first has ended
	s.wantPlace(false, a, 2)
	if _, ok := s.acquire(a, 3, s.clock.unit()); !ok { // a short one must not shorten the others
		s.T.Errorf("the third place is refused")
	}
	s.clock.wait(s.clock.unit() + 5*time.Millisecond)
	s.wantPlace(false, a, 2)
}

func lateRelease(s *storeSuite) {
	a := slow("a")
	late, ok := s.acquire(a, 1, s.clock.unit())
	if !ok {
		s.T.Fatalf("the first place is refused")
	}
	s.clock.wait(s.clock.unit() + 5*time.Millisecond)
	s.wantPlace(true, a, 1)
	late()
	s.wantPlace(false, a, 1)
}
