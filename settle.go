package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ask calls the shared store, and does what Outage says where that fails. It
// returns the store that answered, or nil where nothing was counted.
func (l *Limiter) ask(ctx context.Context, tell *Responder, call func(context.Context, Store) error) (Store, error) {
	bounded, cancel := context.WithTimeout(ctx, l.storeTimeout())
	defer cancel()
	err := call(bounded, l.Store)
	if err == nil {
		if l.down.CompareAndSwap(true, false) {
			tell.note(ctx, slog.LevelInfo, "limit store is back")
		}
		return l.Store, nil
	}
	if ctx.Err() != nil { // the request is over: that says nothing about the store
		return nil, fmt.Errorf("ask the limit store: %w (%w)", ctx.Err(), err)
	}
	if l.down.CompareAndSwap(false, true) {
		tell.note(ctx, slog.LevelError, "limit store failed",
			slog.String("outage", l.Outage.String()), causeAttr(err))
	}
	switch l.Outage {
	case OutageLocal:
		s := l.fallback()
		return s, call(ctx, s)
	case OutageOpen:
		return nil, nil
	}
	e := refuseUnavailable.Because(fmt.Errorf("ask the limit store: %w", err))
	e.RetryAfter = time.Second
	return nil, e
}

func (l *Limiter) storeTimeout() time.Duration {
	if l.StoreTimeout == 0 {
		return 250 * time.Millisecond
	}
	return l.StoreTimeout
}

// fallback counts in this process while the shared store is down.
func (l *Limiter) fallback() Store {
	if l.Instances > 1 {
		return &share{l.local(), l.Instances}
	}
	return l.local()
}

// warm counts what the shared store admitted in this process, too. Otherwise who
// can hurt the store would have a fresh burst at every instance.
func (l *Limiter) warm(ctx context.Context, shared Store, charges []Charge) Store {
	local := l.fallback()
	if ok, _ := local.Take(ctx, charges, make([]Decision, len(charges))); !ok {
		return shared // this instance has had more than its share already
	}
	return &warmed{shared, local}
}

// warmed is a shared store whose charges were noted in this process.
type warmed struct {
	Store
	local Store
}

func (w *warmed) Refund(ctx context.Context, charges []Charge) error {
	_ = w.local.Refund(ctx, charges) // has no error
	return w.Store.Refund(ctx, charges)
}

// taken is one charge that depends on how its request ends.
type taken struct {
	*counter
	store  Store
	charge Charge
}

type outcome int

const (
	outcomeFailed outcome = iota
	outcomeOK
)

// settle gives back what OnFailure limits took if the request succeeded, and
// corrects weighted ones. It acts once.
func (x *exchange) settle(o outcome) {
	all := x.taken
	x.taken = nil
	for i := range all {
		t := &all[i]
		// The response is out, or about to be: nothing here may undo it.
		err := contain(func() error {
			switch {
			case t.onFailure && o == outcomeOK:
				return x.refund(t.limiter, t.store, t.charge)
			case t.weigh != nil && x.cost != nil && *x.cost != x.told: // the handler knows better
				return x.correct(t, *x.cost)
			}
			return nil
		})
		if err != nil {
			x.warn("limit could not be settled", t.label, err)
		}
	}
}

// correct charges what the request did cost instead of what it was charged.
func (x *exchange) correct(t *taken, spent int) error {
	switch {
	case spent < 0:
		return fmt.Errorf("the handler set Call.Cost to %d: 0 is the least", spent)
	case spent > t.charge.Cost:
		t.charge.Cost = spent - t.charge.Cost
		return x.chargeMore(t.limiter, t.store, t.charge)
	case spent == t.charge.Cost || !x.returned:
		return nil // what a handler says before it panics is taken at its worst
	}
	t.charge.Cost -= spent
	return x.refund(t.limiter, t.store, t.charge)
}

// refund is not retried when it fails: its state is unknown, and giving back
// twice would admit too much. It outlives a client that went away.
func (x *exchange) refund(l *Limiter, store Store, c Charge) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), l.storeTimeout())
	defer cancel()
	return store.Refund(ctx, []Charge{c})
}

// chargeMore takes as much of c as there is.
func (x *exchange) chargeMore(l *Limiter, store Store, c Charge) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), l.storeTimeout())
	defer cancel()
	for range 3 { // others take from the same bucket meanwhile
		var out [1]Decision
		ok, err := store.Take(ctx, []Charge{c}, out[:])
		if err != nil || ok || out[0].Remaining < 1 {
			return err
		}
		c.Cost = min(c.Cost, out[0].Remaining)
	}
	return errors.New("the bucket kept changing")
}

// undo gives back what a stage has charged before it was refused.
func (x *exchange) undo(claims []claim) {
	for i := range claims {
		w := &claims[i]
		if w.store == nil {
			continue
		}
		if err := contain(func() error { return x.refund(w.limiter, w.store, w.charge()) }); err != nil {
			x.warn("limit could not be given back", w.label, err)
		}
	}
}

func (x *exchange) warn(message, limit string, err error) {
	x.tell.note(x.r.Context(), slog.LevelWarn, message,
		slog.String("request_id", x.id), slog.String("route", x.route), slog.String("limit", limit), causeAttr(err))
}
