// Package guardtest helps to test the routes of a service, and what it plugs into guard.
//
// [Golden] compares the checklist of the routes with a reviewed file, and [Attack]
// attacks each of them. For a test of one route, [Sessions] admits callers by name,
// [Token] mints tokens, and [WantProblem] checks a refusal:
//
//	users := guardtest.Sessions(t, map[string]User{"alice": {ID: "alice"}})
//	h := guard.New(users, guard.JSON[Input], guard.NoResource, guard.Unlimited("a test"), &guard.Responder{}, handler)
//
// Limits need no clock of a test's own: in a testing/synctest bubble their time passes
// when the test sleeps, and no test waits.
//
// [Store] and [SharedStore] are the conformance suites of guard.Store, and
// [ReplayStore] is that of a store of webhook deliveries. A failure says which rule
// of the contract is broken, and why the rule is there.
package guardtest

import (
	"testing"

	"github.com/routeguard/guard"
)

// Store checks a guard.Store against the contract of its interface.
//
// It calls open once for each case, for an empty store. A store whose data
// outlives open needs a prefix or a database of its own each time. Register what has to
// be closed with t.Cleanup.
func Store(t *testing.T, open func(t *testing.T, clock *Clock) guard.Store) {
	t.Helper()
	for _, c := range storeCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			c.run(&storeSuite{T: reasons{t, c.why}, clock: clock, stores: []guard.Store{open(t, clock)}})
		})
	}
}

// SharedStore checks a guard.Store that several processes share.
//
// Open returns n stores on the same data, empty at first, as n processes would make
// them. SharedStore checks all that [Store] checks, spread over the stores, and that
// the places of a process that died become free.
func SharedStore(t *testing.T, open func(t *testing.T, clock *Clock, n int) []guard.Store) {
	t.Helper()
	const processes = 4
	for _, c := range append(storeCases(), sharedCases()...) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			stores := open(t, clock, processes)
			if len(stores) != processes {
				t.Fatalf("open returned %d stores, want %d", len(stores), processes)
			}
			c.run(&storeSuite{T: reasons{t, c.why}, clock: clock, stores: stores})
		})
	}
}

// ReplayStore checks a store of webhook deliveries against its contract.
//
// It calls open once for each case, for an empty store.
func ReplayStore(t *testing.T, open func(t *testing.T, clock *Clock) guard.ReplayStore) {
	t.Helper()
	for _, c := range replayCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			c.run(&replaySuite{T: reasons{t, c.why}, clock: clock, store: open(t, clock)})
		})
	}
}

// reporter is what the cases need of a *testing.T.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// reasons adds to each failure why the rule is there.
type reasons struct {
	reporter
	why string
}

func (r reasons) Errorf(format string, args ...any) {
	r.Helper()
	r.reporter.Errorf(format+"\nwhy: "+r.why, args...)
}

func (r reasons) Fatalf(format string, args ...any) {
	r.Helper()
	r.reporter.Fatalf(format+"\nwhy: "+r.why, args...)
}
