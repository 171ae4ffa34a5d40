package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/routeguard/guard/internal/bucket"
)

// claim is what one request wants of one counter.
type claim struct {
	*counter
	in    string // the bucket's name
	addr  netip.Addr
	text  string
	cost  int
	store Store // what has counted it; nil: nothing has
}

// beforeSession is stage 1.
func (p *limitPlan[S, T]) beforeSession(ctx context.Context, x *exchange) error {
	var nobody S
	return p.take(ctx, x, p.session, nobody, nil)
}

// perCaller is stage 4.
func (p *limitPlan[S, T]) perCaller(ctx context.Context, x *exchange, caller S) error {
	return p.take(ctx, x, p.caller, caller, nil)
}

// perInput is stage 7. The handler may correct *cost.
func (p *limitPlan[S, T]) perInput(ctx context.Context, x *exchange, caller S, input *T, cost *int) error {
	if err := p.take(ctx, x, p.input, caller, input); err != nil {
		return err
	}
	for i := range x.taken {
		// One that is tried out has its say only where no other has.
		if t := &x.taken[i]; t.weigh != nil && (x.cost == nil || !t.shadow) {
			*cost, x.cost, x.told = t.charge.Cost, cost, t.charge.Cost
		}
	}
	return nil
}

// take charges one stage: all of its counters or none.
func (p *limitPlan[S, T]) take(ctx context.Context, x *exchange, stage []*counter, caller S, input *T) error {
	if len(stage) == 0 {
		return nil
	}
	var room [inline]claim
	claims := room[:0]
	for _, c := range stage {
		claims = append(claims, claim{counter: c, cost: c.cost})
		err := p.fill(x, &claims[len(claims)-1], caller, input)
		if err == nil {
			continue
		}
		if !c.shadow {
			return err
		}
		x.wouldRefuse(ctx, c, err)
		claims = claims[:len(claims)-1]
	}
	return x.take(ctx, claims)
}

// fill says whose bucket is wanted, and how much of it.
func (p *limitPlan[S, T]) fill(x *exchange, want *claim, caller S, input *T) (err error) {
	c := want.counter
	switch c.scope {
	case byIP:
		want.addr, err = x.network(ip4Bits, ip6Bits)
	case byNetwork:
		want.addr, err = x.network(network4Bits, network6Bits)
	case byCaller:
		if want.text = x.caller; x.caller == "" { // AllowAnonymous: nobody may pass uncounted
			want.addr, err = x.network(ip4Bits, ip6Bits)
		}
	case byKey:
		want.text, err = notEmpty(c.key.(func(S, *http.Request) string)(caller, x.r))
	case byInput:
		want.text, err = notEmpty(c.key.(func(T) string)(*input))
	}
	if err == nil && c.split {
		want.addr, err = x.network(network4Bits, network6Bits)
	}
	if err == nil && c.weigh != nil {
		if want.cost = c.weigh.(func(T) int)(*input); want.cost < 1 {
			err = fmt.Errorf("the cost function of a limit returned %d: 1 is the least that a request can cost", want.cost)
		}
	}
	if err == nil {
		want.in, err = c.bucketOn(x, p.id)
	}
	return err
}

func notEmpty(text string) (string, error) {
	if text == "" {
		return "", errors.New("the key of a limit is empty: all callers would share one bucket")
	}
	return text, nil
}

var errNoAddress = errors.New("a limit per address, but the socket has no IP address (a Unix socket?) and ClientIP found none")

// network is the client's address, cut to a prefix for IPv4 and one for IPv6.
func (x *exchange) network(bits4, bits6 int) (netip.Addr, error) {
	if !x.addr.IsValid() {
		return netip.Addr{}, errNoAddress
	}
	bits := bits6
	if x.addr.Is4() {
		bits = bits4
	}
	p, err := x.addr.Prefix(bits)
	return p.Addr(), err
}

// bucketOn returns the name under which a counter counts on this route.
func (c *counter) bucketOn(x *exchange, fallback string) (string, error) {
	switch {
	case c.name != "":
		return c.name, nil
	case x.r.Pattern != "":
		return x.r.Pattern, nil
	case c.limiter.Store != nil:
		return "", errors.New("a limit in a shared store has neither a name nor a pattern: call Named, or register the guard on a ServeMux")
	}
	return fallback, nil
}

func (w *claim) charge() Charge {
	return Charge{Limit: w.in, Key: Key{Scope: w.scope, Rule: w.bucket, Addr: w.addr, Text: w.text},
		Count: w.count, Per: w.per, Burst: w.burst, Cost: w.cost}
}

// take decides the claims of a stage. Neighbors that one store can decide together
// are one call; what an earlier call charged is given back if a later one refuses.
func (x *exchange) take(ctx context.Context, claims []claim) error {
	for done := 0; done < len(claims); {
		n := together(claims[done:])
		group := claims[done : done+n]
		var err error
		if done > 0 && group[0].limiter.Store != nil {
			err = x.takeAfter(ctx, claims[:done], group)
		} else {
			err = x.takeGroup(ctx, group)
		}
		if err != nil {
			if !group[0].shadow {
				x.undo(claims[:done])
				return err
			}
			x.wouldRefuse(ctx, group[0].counter, err)
		}
		done += n
	}
	for i := range claims {
		if w := &claims[i]; w.store != nil && (w.onFailure || w.weigh != nil) {
			x.taken = append(x.taken, taken{w.counter, w.store, w.charge()})
		}
	}
	x.announce(0)
	return nil
}

// together counts the claims at the front that are one decision of one store.
func together(claims []claim) int {
	n, first := 1, &claims[0]
	for ; n < len(claims) && !first.inFlight && !first.shadow; n++ {
		if next := &claims[n]; next.limiter != first.limiter || next.inFlight || next.shadow {
			break
		}
	}
	return n
}

func (x *exchange) takeGroup(ctx context.Context, group []claim) error {
	switch l := group[0].limiter; {
	case group[0].inFlight:
		return x.enter(ctx, &group[0])
	case l.Store == nil:
		return x.takeHere(l.local(), group)
	default:
		return x.takeShared(ctx, l, group)
	}
}

// takeAfter is takeGroup where a shared store decides, and others have charged before:
// one that panics or calls runtime.Goexit does not return to take, which gives back.
func (x *exchange) takeAfter(ctx context.Context, before, group []claim) error {
	returned := false
	defer func() {
		if !returned {
			x.undo(before)
		}
	}()
	err := x.takeGroup(ctx, group)
	returned = true
	return err
}

// takeHere is takeShared for this process, without allocating.
func (x *exchange) takeHere(m *memory, group []claim) error {
	var opRoom [inline]bucket.Op
	var resultRoom [inline]bucket.Result
	var outRoom [inline]Decision
	ops, results, out := opRoom[:], resultRoom[:], outRoom[:]
	if len(group) > inline {
		ops, results, out = make([]bucket.Op, len(group)), make([]bucket.Result, len(group)), make([]Decision, len(group))
	}
	ops, results, out = ops[:len(group)], results[:len(group)], out[:len(group)]
	for i := range group {
		w := &group[i]
		ops[i] = bucket.Op{Key: m.key(w.digest(m), w.addr, w.text), Count: w.count, Per: w.per, Burst: w.burst, Cost: w.cost}
	}
	ok := m.table.Take(ops, results)
	for i := range group {
		out[i] = Decision(results[i])
	}
	return x.verdict(m, group, out, ok)
}

// digest returns what the keys of w's counter have in common, and keeps it: a
// guard is usually registered under one pattern.
func (w *claim) digest(m *memory) bucket.Key {
	if kept := w.under.Load(); kept != nil && kept.in == w.in {
		return kept.digest
	}
	made := &bucketName{usedUp{w.counter, w.in}, m.under(w.in, w.scope, w.bucket)}
	w.under.CompareAndSwap(nil, made)
	return made.digest
}

func (x *exchange) takeShared(ctx context.Context, l *Limiter, group []claim) error {
	charges, out := make([]Charge, len(group)), make([]Decision, len(group))
	for i := range group {
		charges[i] = group[i].charge()
	}
	var ok bool
	calls := 0
	store, err := l.ask(ctx, x.tell, func(ctx context.Context, s Store) (err error) {
		calls++
		ok, err = s.Take(ctx, charges, out)
		return err
	})
	if err != nil || store == nil {
		return err
	}
	if ok && calls == 1 && l.Outage == OutageLocal {
		store = l.warm(ctx, store, charges)
	}
	return x.verdict(store, group, out, ok)
}

// verdict fails closed: a store that says yes must say so for every bucket.
func (x *exchange) verdict(store Store, group []claim, out []Decision, ok bool) error {
	longest := -1
	for i := range group {
		if d := &out[i]; !d.Allowed && (longest < 0 || d.longerThan(&out[longest])) {
			longest = i
		}
		x.noteQuota(&group[i], &out[i])
	}
	if ok && longest < 0 {
		for i := range group {
			group[i].store = store
		}
		return nil
	}
	e := x.because(refuseRate, errUndecided)
	e.RetryAfter = time.Second
	if longest >= 0 {
		w := &group[longest]
		e.cause, e.limit = w.usedUp(), w.label
		if d := out[longest].RetryAfter; d != 0 {
			e.RetryAfter = d
		}
	}
	return e
}

var errUndecided = errors.New("the limit store refused without naming a limit")

// longerThan compares refusals: one that never ends is the longest.
func (d *Decision) longerThan(o *Decision) bool {
	return o.RetryAfter >= 0 && (d.RetryAfter < 0 || d.RetryAfter > o.RetryAfter)
}

// usedUp is the cause of a refusal. Its text is made when the log asks for it: a
// flood of refusals is where time is short.
type usedUp struct {
	of *counter
	in string
}

func (u *usedUp) Error() string {
	return fmt.Sprintf("limit %q of %q (%s) is used up", u.of.label, u.in, u.of.describe())
}

func (w *claim) usedUp() *usedUp {
	if kept := w.under.Load(); kept != nil && kept.in == w.in {
		return &kept.usedUp
	}
	return &usedUp{w.counter, w.in}
}

// enter takes a place in flight. It is given back when the request ends.
func (x *exchange) enter(ctx context.Context, w *claim) error {
	charge, l := w.charge(), w.limiter
	var release func()
	var ok bool
	enter := func(ctx context.Context, s Store) (err error) {
		release, ok, err = s.Acquire(ctx, charge, w.count, w.lease)
		return err
	}
	if l.Store == nil {
		_ = enter(ctx, l.local()) // has no error
	} else if store, err := l.ask(ctx, x.tell, enter); err != nil || store == nil {
		return err
	}
	if !ok {
		e := x.because(refuseRate, w.usedUp())
		e.limit, e.RetryAfter = w.label, time.Second
		return e
	}
	x.places = append(x.places, release)
	return nil
}

// leave gives back the places of a request. It runs when everything else has: a
// place that is forgotten is lost until the process ends.
func (x *exchange) leave() {
	for _, release := range x.places {
		defer x.giveBack(release) // one that calls runtime.Goexit keeps none of the others
	}
	if !x.done {
		x.flush()
	}
}

func (x *exchange) giveBack(release func()) {
	returned := false
	defer func() {
		if !returned {
			x.flush()
		}
	}()
	if err := contain(func() error { release(); return nil }); err != nil {
		x.warn("limit release failed", "", err)
	}
	returned = true
}

// wouldRefuse reports what a shadow limit would have refused, or could not decide.
func (x *exchange) wouldRefuse(ctx context.Context, c *counter, err error) {
	x.tell.note(ctx, slog.LevelInfo, "limit would refuse",
		slog.String("request_id", x.id), slog.String("route", x.route), slog.String("limit", c.label), causeAttr(err))
}
