package guardtest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// model is a correct store, simple and slow, with the faults that a test asks for.
type model struct {
	clock  *Clock
	fault  string
	mu     sync.Mutex
	full   map[string]int64 // when a bucket is full
	places map[string]map[int]time.Time
	next   int
}

func newModel(clock *Clock, fault string) *model {
	return &model{clock: clock, fault: fault, full: map[string]int64{}, places: map[string]map[int]time.Time{}}
}

func (m *model) key(c guard.Charge) string {
	switch m.fault {
	case "ignores the scope":
		c.Key.Scope = ""
	case "ignores the rule":
		c.Key.Rule = ""
	case "ignores the address":
		return fmt.Sprintf("%q", []string{c.Limit, c.Key.Scope, c.Key.Rule, c.Key.Text})
	case "joins names without a separator":
		return c.Limit + c.Key.Scope + c.Key.Rule + c.Key.Addr.String() + c.Key.Text
	}
	return fmt.Sprintf("%q", []string{c.Limit, c.Key.Scope, c.Key.Rule, c.Key.Addr.String(), c.Key.Text})
}

func (m *model) Take(ctx context.Context, charges []guard.Charge, out []guard.Decision) (bool, error) {
	if m.fault == "checks first and charges after" {
		ok := m.decide(charges, out, false)
		runtime.Gosched()
		if ok {
			m.decide(charges, out, true)
		}
		return ok, nil
	}
	if m.fault == "charges one after the other" {
		all := true
		for i := range charges {
			all = m.decide(charges[i:i+1], out[i:i+1], true) && all
		}
		return all, nil
	}
	if m.fault == "an error that says yes" && ctx.Err() != nil {
		return true, ctx.Err()
	}
	return m.decide(charges, out, true), nil
}

func (m *model) decide(charges []guard.Charge, out []guard.Decision, charge bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now().UnixNano()
	ok := len(charges) > 0 || m.fault == "admits no charges"
	before := map[string]int64{}
	for i, c := range charges {
		out[i] = m.one(c, now, before)
		ok = ok && out[i].Allowed
	}
	if (ok || m.fault == "charges refused calls") && charge {
		for key, add := range before {
			m.full[key] = now + m.lack(key, now) + add
		}
		for i, c := range charges {
			if ok && c.Cost >= 0 && m.fault != "decides as of before the call" {
				m.describe(&out[i], c, now)
			}
		}
	}
	return ok
}

// one decides a charge on top of those before it in the call.
func (m *model) one(c guard.Charge, now int64, before map[string]int64) guard.Decision {
	if c.Count < 1 || c.Per <= 0 || c.Burst < 1 || c.Cost < 0 && m.fault != "takes negative costs" {
		return guard.Decision{RetryAfter: -1}
	}
	key, token := m.key(c), int64(c.Per)/int64(c.Count)
	size := token * int64(c.Burst)
	if m.fault == "admits one too many" {
		size += token
	}
	earlier := before[key]
	if m.fault == "looks at each charge alone" {
		earlier = 0
	}
	cost := token * min(int64(c.Cost), int64(c.Burst)+2)
	lack := m.lack(key, now) + earlier
	if m.fault == "resets in whole windows" && m.full[key]-now < size/2 {
		lack = earlier
	}
	d := guard.Decision{Allowed: c.Cost == 0 || lack+cost <= size}
	if m.fault == "refuses to look" && lack == size {
		d.Allowed = false
	}
	if !d.Allowed {
		d.RetryAfter = time.Duration(lack + cost - size)
		if earlier+cost > size && m.fault != "tells how long to wait for what never fits" {
			d.RetryAfter = -1
		}
		if m.fault == "rounds RetryAfter down" && d.RetryAfter > 0 {
			d.RetryAfter = max(1, d.RetryAfter-time.Duration(token/10))
		}
		if m.fault == "says the whole window" && d.RetryAfter > 0 {
			d.RetryAfter = time.Duration(size)
		}
	}
	m.describe(&d, c, now)
	before[key] += cost
	return d
}

// lack is the time until a bucket is full.
func (m *model) lack(key string, now int64) int64 {
	at, known := m.full[key]
	if !known || at < now && m.fault != "refunds above the burst" {
		return 0
	}
	return at - now
}

func (m *model) describe(d *guard.Decision, c guard.Charge, now int64) {
	token := int64(c.Per) / int64(c.Count)
	lack := max(0, m.lack(m.key(c), now))
	missing := (lack + token - 1) / token
	d.Remaining, d.Full = int(max(0, int64(c.Burst)-missing)), time.Duration(lack)
	d.Next = 0
	if missing > 0 {
		d.Next = time.Duration(lack - int64(c.Burst-d.Remaining-1)*token)
	}
}

func (m *model) Refund(_ context.Context, charges []guard.Charge) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range charges {
		if c.Cost > 0 && m.fault != "does not refund" {
			now := m.clock.Now().UnixNano()
			m.full[m.key(c)] = now + m.lack(m.key(c), now) - int64(c.Cost)*int64(c.Per)/int64(c.Count)
		}
	}
	return nil
}

func (m *model) Acquire(_ context.Context, c guard.Charge, most int, ttl time.Duration) (func(), bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key, now := m.key(c), m.clock.Now()
	if m.places[key] == nil {
		m.places[key] = map[int]time.Time{}
	}
	held := m.places[key]
	for id, end := range held {
		if !now.Before(end) && m.fault != "keeps places for ever" {
			delete(held, id)
		}
	}
	if len(held) >= most && m.fault != "has places without end" && (most > 0 || m.fault != "reads no places as no limit") {
		return nil, false, nil
	}
	m.next++
	id := m.next
	held[id] = now.Add(ttl)
	if m.fault == "lets places end at once" {
		held[id] = now
	}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, mine := held[id]; !mine && m.fault == "releases somebody else's place" {
			for id = range held {
				break
			}
		}
		delete(held, id)
	}, true, nil
}

// recorder is a test that notes whether it failed.
type recorder struct {
	mu     sync.Mutex
	failed bool
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(string, ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// faultFound runs all cases on a store and returns the names of those that fail.
func faultFound(fault string) (found []string) {
	for _, c := range append(storeCases(), sharedCases()...) {
		r, done := &recorder{}, make(chan struct{})
		clock := newClock()
		go func() {
			defer close(done)
			c.run(&storeSuite{T: r, clock: clock, stores: []guard.Store{newModel(clock, fault)}})
		}()
		<-done
		if r.failed {
			found = append(found, c.name)
		}
	}
	return found
}

func TestACorrectStorePasses(t *testing.T) {
	t.Parallel()
	if found := faultFound(""); len(found) != 0 {
		t.Errorf("a correct store fails %q", found)
	}
	SharedStore(t, func(_ *testing.T, clock *Clock, n int) []guard.Store {
		stores := make([]guard.Store, n)
		m := newModel(clock, "")
		for i := range stores {
			stores[i] = m
		}
		return stores
	})
}

func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{
		"ignores the scope", "ignores the rule", "ignores the address", "joins names without a separator",
		"checks first and charges after", "charges one after the other", "an error that says yes", "admits no charges",
		"charges refused calls", "decides as of before the call", "takes negative costs", "admits one too many",
		"looks at each charge alone", "resets in whole windows", "refuses to look", "rounds RetryAfter down",
		"tells how long to wait for what never fits", "says the whole window", "does not refund", "refunds above the burst",
		"keeps places for ever", "has places without end", "reads no places as no limit", "lets places end at once",
		"releases somebody else's place",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			found := faultFound(fault)
			if len(found) == 0 {
				t.Error("no case fails")
			}
			t.Logf("found by %q", found)
		})
	}
}
