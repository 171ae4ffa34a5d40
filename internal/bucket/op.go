package bucket

import (
	"fmt"
	"time"
)

// An Op is a charge on one bucket: Count tokens each Per, at most Burst at once.
//
// The key alone names the bucket. If ops give one key different rates, each rate
// is enforced in full, and what one spends the others find spent: together they
// get at most the larger burst plus the larger rate × time, or, if overload
// evicted the bucket in between, the sum of what each may have.
type Op struct {
	Key   Key
	Count int           // tokens that come back each Per; at least 1
	Per   time.Duration // positive
	Burst int           // capacity of the bucket; 0 means Count
	Cost  int           // tokens to take; 0 only looks; more than Burst never fits
}

// A Result tells what became of an [Op], or of a look at its bucket.
type Result struct {
	// Allowed reports whether this op fits. It was charged only if all ops of
	// its Take fit. An op with cost 0 always fits if it is valid.
	Allowed bool

	// Remaining is the number of whole tokens left after the call.
	Remaining int

	// RetryAfter is how long to wait until the op fits, 0 if it does, -1 for
	// never. Waiting exactly this long is enough if nobody else takes tokens.
	RetryAfter time.Duration

	// Next is the time until Remaining grows by one, 0 for a full bucket.
	Next time.Duration

	// Full is the time until the bucket is full, 0 for a full bucket.
	Full time.Duration
}

// MaxFill is the longest time that an empty bucket may take to fill.
//
// It is 400 days, which lets a parked debt fit in 40 bits. An op whose
// Burst × Per / Count is longer is refused.
const MaxFill = 400 * 24 * time.Hour

// maxBurst is the largest number up to which a float64 counts exactly.
const maxBurst = 1 << 53

// slack is added to every wait, because x/time/rate counts in float64: without it,
// one wait in 2,500 was a few nanoseconds short.
const slack = 1e3 // ns

// never is the RetryAfter of an op that cannot succeed.
const never = -1

// A rule is the rate and capacity of a bucket in the units of the table.
type rule struct {
	burst    int
	perToken float64 // ns until one token comes back
}

// Check returns an error that says why no op with this limit could be allowed.
//
// It is for construction: Take refuses such an op without a reason.
func Check(count int, per time.Duration, burst int) error {
	switch {
	case count <= 0:
		return fmt.Errorf("count is %d, want at least 1", count)
	case per <= 0:
		return fmt.Errorf("period is %v, want more than 0", per)
	case burst < 0:
		return fmt.Errorf("burst is %d, want at least 0", burst)
	}
	r := newRule(count, per, burst)
	switch {
	case int64(r.burst) > maxBurst:
		return fmt.Errorf("burst is %d, want at most 1<<53", r.burst)
	case r.fill() > float64(MaxFill):
		return fmt.Errorf("an empty bucket of %d at %d each %v fills in more than %v", r.burst, count, per, MaxFill)
	}
	return nil
}

func newRule(count int, per time.Duration, burst int) rule {
	if burst == 0 {
		burst = count
	}
	return rule{burst, float64(per) / float64(count)}
}

// rule returns the op's rule, and false for an op that must be refused whatever
// its bucket holds. The conditions are those of Check, in the form of the hot path.
func (op *Op) rule() (rule, bool) {
	r := newRule(op.Count, op.Per, op.Burst)
	ok := op.Count > 0 && op.Per > 0 && op.Burst >= 0 && op.Cost >= 0 &&
		int64(r.burst) <= maxBurst && r.fill() <= float64(MaxFill) && op.Key != (Key{})
	return r, ok
}

// fill returns the time in which an empty bucket fills, in ns.
func (r rule) fill() float64 { return float64(r.burst) * r.perToken }

// wait returns the time until a bucket in debt has room for cost, in ns; it is
// not positive if it has room now.
func (r rule) wait(debt float64, cost int) float64 {
	return (debt + float64(cost) - float64(r.burst)) * r.perToken
}

// fits reports whether cost fits on top of debt. Less than a nanosecond short
// fits, as in rate.Limiter: it is below what the clock can tell, and the bucket
// keeps the difference as debt.
func (r rule) fits(debt float64, cost int) bool {
	return cost == 0 || cost <= r.burst && r.wait(debt, cost) < 1
}

// allow sets res for an op that fits, with the debt after the call. Results are
// written in place: copying one costs more than computing it.
func (r rule) allow(res *Result, debt float64) {
	r.describe(res, debt)
	res.Allowed, res.RetryAfter = true, 0
}

// refuse sets res for an op whose cost does not fit on top of debt and of the
// cost of the ops before it on the same key.
func (r rule) refuse(res *Result, debt, before float64, cost int) {
	r.describe(res, debt)
	res.Allowed, res.RetryAfter = false, never
	if before+float64(cost) <= float64(r.burst) {
		res.RetryAfter = after(r.wait(debt+before, cost))
	}
}

// describe sets what does not depend on an op.
func (r rule) describe(res *Result, debt float64) {
	full := debt * r.perToken
	if full < 1 {
		res.Remaining, res.Next, res.Full = r.burst, 0, 0
		return
	}
	// The debt may exceed the burst where a floor stands in for it.
	tokens := float64(r.burst) - debt
	whole := int(max(0, tokens))
	next := (float64(whole+1) - tokens) * r.perToken
	if next < 1 { // as in fits: Remaining says what would be allowed now
		whole++
		next += r.perToken
	}
	res.Remaining = whole
	res.Next = after(min(next, full))
	res.Full = after(full)
}

// after returns a wait that is surely enough. The debt of a fast limit may take
// more than 292 years at the rate of a slow one with the same key.
func after(ns float64) time.Duration {
	return time.Duration(min(ns, 1<<62) + slack)
}
