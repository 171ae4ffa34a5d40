package guard

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/routeguard/guard/internal/bucket"
)

// The scopes: what kind of key a limit has.
const (
	byIP      = "ip"
	byNetwork = "network"
	globally  = "global"
	byCaller  = "caller"
	byKey     = "key"
	byInput   = "input"
)

// The prefixes that stand for one client and for one client's network.
const (
	ip4Bits, ip6Bits           = 32, 64
	network4Bits, network6Bits = 24, 48
)

// rule is one token bucket a key, or one number of places a key.
type rule struct {
	limiter   *Limiter
	maker     string // for messages
	preset    string // for the checklist: what a group of rules is together
	scope     string
	name      string // empty: the route's pattern
	variant   string // tells unnamed rules of one route apart
	count     int
	per       time.Duration
	burst     int
	cost      int
	inFlight  bool
	onFailure bool
	shadow    bool
	split     bool
	hidden    bool
	key       any // func(T) string or func(S, *http.Request) string
	weigh     any // func(T) int, of CostOf
}

// mustCount panics for what makes no sense of requests in flight.
func (r *rule) mustCount(method string) {
	if r.inFlight {
		panic("guard: " + method + ": a limit of requests in flight has no tokens: leave " + method + " out")
	}
}

// counter is a rule of one route, ready to be charged.
type counter struct {
	rule
	label  string        // short and unique in its route
	bucket string        // Key.Rule
	policy bool          // the headers name it
	lease  time.Duration // of a place in flight
	under  atomic.Pointer[bucketName]
}

// bucketName is what all uses of a rule under one name have in common.
type bucketName struct {
	usedUp // with the name
	digest bucket.Key
}

// limitPlan is a route's limits, by the stage that decides them.
type limitPlan[S Principal, T any] struct {
	session, caller, input []*counter
	id                     string // the name where neither a name nor a pattern is known
	policies               string // RateLimit-Policy; empty: no headers
}

func planLimits[S Principal, T any](l Limit) (limitPlan[S, T], error) {
	var p limitPlan[S, T]
	if len(l.rules) == 0 && l.reason == "" {
		return p, errors.New(`the fourth answer (abuse) is the zero Limit: pass limits.PerCaller(60, time.Minute), or guard.Unlimited("why")`)
	}
	counters, err := countersOf(l.rules)
	errs := []error{err}
	for _, c := range counters {
		errs = append(errs, c.check(), c.checkTypes(reflect.TypeFor[S](), reflect.TypeFor[T](),
			isFunc[func(S, *http.Request) string](c.key), isFunc[func(T) string](c.key), isFunc[func(T) int](c.weigh)))
		stage := &p.session
		switch {
		case c.scope == byInput || c.weigh != nil:
			stage = &p.input
		case c.scope == byCaller || c.scope == byKey:
			stage = &p.caller
		}
		*stage = append(*stage, c)
	}
	for _, stage := range [][]*counter{p.session, p.caller, p.input} {
		arrange(stage)
	}
	p.policies = policies(counters)
	return p, errors.Join(errs...)
}

// countersOf names the rules of a route so that no two of them share a bucket.
func countersOf(rules []rule) ([]*counter, error) {
	var counters []*counter
	var errs []error
	labels, variants, named := map[string]int{}, map[string]int{}, map[[2]string]bool{}
	for _, r := range rules {
		c := &counter{rule: r, label: r.scope, lease: r.limiter.lease()}
		if r.name != "" {
			c.label = r.name
		}
		if r.inFlight {
			c.label, c.bucket = c.label+"-in-flight", "in flight"
		}
		if labels[c.label]++; labels[c.label] > 1 {
			c.label += "-" + strconv.Itoa(labels[c.label])
		}
		if r.name == "" {
			c.bucket = r.variant
			if variants[r.scope+" "+r.variant]++; variants[r.scope+" "+r.variant] > 1 {
				c.bucket += " #" + strconv.Itoa(variants[r.scope+" "+r.variant])
			}
		} else if id := [2]string{r.scope + c.bucket, r.name}; named[id] {
			errs = append(errs, fmt.Errorf("two limits by %s are named %q and would share their buckets: name them apart", r.scope, r.name))
		} else {
			named[id] = true
		}
		counters = append(counters, c)
	}
	return counters, errors.Join(errs...)
}

// arrange puts the counters of a stage in the order in which they are decided:
// places before tokens, since a place can be given back without a trace; those of
// one Limiter together; shadows last, when the others have admitted the request.
func arrange(stage []*counter) {
	first := map[*Limiter]int{}
	for i, c := range stage {
		if _, seen := first[c.limiter]; !seen {
			first[c.limiter] = i
		}
	}
	rank := func(c *counter) int {
		n := first[c.limiter]
		if !c.inFlight {
			n += len(stage)
		}
		if c.shadow {
			n += 2 * len(stage)
		}
		return n
	}
	slices.SortStableFunc(stage, func(a, b *counter) int { return rank(a) - rank(b) })
}

// check tells what would refuse every request.
func (c *counter) check() error {
	if c.inFlight {
		return nil
	}
	if err := bucket.Check(c.count, c.per, c.burst); err != nil {
		return fmt.Errorf("%s: %w", c.maker, err)
	}
	if c.cost > c.burst {
		return fmt.Errorf("%s: a request costs %d and the bucket holds %d: raise Burst or lower Cost", c.maker, c.cost, c.burst)
	}
	return nil
}

func (c *counter) checkTypes(s, t reflect.Type, byCallerFits, byInputFits, weighFits bool) error {
	switch {
	case c.scope == byCaller && s == reflect.TypeFor[Anonymous]():
		return fmt.Errorf("%s on a route for Anyone: nobody is known there, use PerIP or InFlightPerIP", c.maker)
	case c.scope == byKey && !byCallerFits:
		return fmt.Errorf("PerKey: its function is a %T, but the route's caller is %s", c.key, s)
	case c.scope == byInput && !byInputFits:
		return fmt.Errorf("%s: its function is a %T, but the route's input is %s", c.maker, c.key, t)
	case c.weigh != nil && !weighFits:
		return fmt.Errorf("CostOf: its function is a %T, but the route's input is %s", c.weigh, t)
	}
	return nil
}

func isFunc[F any](v any) bool { _, ok := v.(F); return ok }

// bound shortens the leases of a route whose handlers end by a deadline.
func (p *limitPlan[S, T]) bound(timeout time.Duration) {
	for _, stage := range [][]*counter{p.session, p.caller, p.input} {
		for _, c := range stage {
			if timeout > 0 {
				c.lease = min(c.lease, timeout)
			}
		}
	}
}

func (l *Limiter) lease() time.Duration {
	if l.Lease == 0 {
		return 10 * time.Minute
	}
	return l.Lease
}
