package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Limiter makes the limits of a service and owns where they are counted.
//
// The zero value counts in this process, in a table of bounded size. It must not
// be copied or changed after its first limit was made. It starts no goroutine.
type Limiter struct {
	// Store counts for several instances together. Nil counts in this process.
	Store Store

	// Outage is what a limit does while Store fails. The zero value is
	// [OutageLocal]: each instance counts by itself until the store is back.
	Outage Outage

	once  sync.Once
	table *memory
	down  atomic.Bool // the last call of Store failed
}

// Outage is what a limit does while its shared store cannot be asked.
type Outage int

const (
	// OutageLocal counts in this process instead.
	OutageLocal Outage = iota
	// OutageOpen lets requests pass uncounted: availability before protection.
	OutageOpen
	// OutageClosed refuses with 503.
	OutageClosed
)

// String returns "local", "open" or "closed".
func (o Outage) String() string {
	switch o {
	case OutageLocal:
		return "local"
	case OutageOpen:
		return "open"
	case OutageClosed:
		return "closed"
	}
	return "unknown"
}

// Limit answers what abuse controls a route has.
//
// Make one with the methods of [Limiter], [PerInput], [PerKey], [And] or
// [Unlimited]. It is immutable: each method returns a changed copy. The zero
// value is refused by [New].
//
// A limit of n per period is a token bucket that holds n tokens, or what Burst
// says, and refills evenly: no key is ever admitted more than burst + n × t/period
// times in any time t. Refused requests are not charged.
type Limit struct {
	rules  []rule
	reason string // of Unlimited
}

const (
	byIP     = "ip"
	globally = "global"
	byCaller = "caller"
	byKey    = "key"
	byInput  = "input"
)

// rule is one token bucket a key.
type rule struct {
	limiter   *Limiter
	scope     string
	name      string // empty: the route's pattern
	count     int
	per       time.Duration
	burst     int
	onFailure bool
	shadow    bool
	split     bool
	variant   string
	key       any // func(T) string or func(S, *http.Request) string
}

// Unlimited answers that a route has no limit, and why.
func Unlimited(reason string) Limit {
	if reason == "" {
		panic(`guard: Unlimited: the reason is empty: write why, such as Unlimited("health probe")`)
	}
	return Limit{reason: reason}
}

// And combines limits. Those of one stage are charged together or not at all.
func And(limits ...Limit) Limit {
	var all Limit
	for i, l := range limits {
		if len(l.rules) == 0 {
			panic(fmt.Sprintf("guard: And: argument %d is not a limit: leave it out", i+1))
		}
		all.rules = append(all.rules, l.rules...)
	}
	if len(all.rules) == 0 {
		panic("guard: And: no limits: pass at least one")
	}
	return all
}

// PerIP admits n requests per period from one address.
//
// The address is that of Responder.ClientIP; an IPv6 client is known by its /64,
// the smallest block that a provider hands out. It is charged before the session
// is looked at, invalid requests included.
func (l *Limiter) PerIP(n int, period time.Duration) Limit {
	return l.rule("PerIP", byIP, n, period, nil)
}

// Global admits n requests per period from everyone together.
func (l *Limiter) Global(n int, period time.Duration) Limit {
	return l.rule("Global", globally, n, period, nil)
}

// PerCaller admits n requests per period from one session's Subject.
func (l *Limiter) PerCaller(n int, period time.Duration) Limit {
	return l.rule("PerCaller", byCaller, n, period, nil)
}

// PerKey admits n requests per period for each key of the service's own.
//
// It is decided after the session is known and before the body is read. The key
// must not come from a header or a parameter that the client may vary at will.
func PerKey[S Principal](l *Limiter, key func(caller S, r *http.Request) string, n int, period time.Duration) Limit {
	if key == nil {
		panic("guard: PerKey: key is nil: pass a function of the caller and the request")
	}
	return l.rule("PerKey", byKey, n, period, key)
}

// PerInput admits n requests per period for each key taken from the valid input.
//
// It is for routes where the target of an attack stands in the body, such as the
// account at sign-in. Anyone can spend another's quota there: combine it with
// PerIP, keep it generous, and let it slow down rather than lock out.
func PerInput[T any](l *Limiter, key func(input T) string, n int, period time.Duration) Limit {
	if key == nil {
		panic("guard: PerInput: key is nil: pass a function of the input")
	}
	return l.rule("PerInput", byInput, n, period, key)
}

func (l *Limiter) rule(maker string, s string, n int, period time.Duration, key any) Limit {
	switch {
	case l == nil:
		panic("guard: " + maker + ": the Limiter is nil: make one with &guard.Limiter{}")
	case n < 1:
		panic(fmt.Sprintf("guard: %s: %d requests: write 1 or more", maker, n))
	case period <= 0:
		panic(fmt.Sprintf("guard: %s: a period of %s: write a positive one, such as time.Minute", maker, period))
	case l.Outage < OutageLocal || l.Outage > OutageClosed:
		panic(fmt.Sprintf("guard: %s: Limiter.Outage is %d: use OutageLocal, OutageOpen or OutageClosed", maker, l.Outage))
	}
	return Limit{rules: []rule{{limiter: l, scope: s, count: n, per: period, burst: n, key: key,
		variant: strconv.Itoa(n) + "/" + period.String()}}}
}

// Named puts the limit's buckets under a name that several routes may share.
//
// Without it they belong to the route's pattern.
func (l Limit) Named(name string) Limit {
	if name == "" {
		panic("guard: Named: the name is empty: leave Named out to use the route's pattern")
	}
	return l.with("Named", func(r *rule) { r.name = name })
}

// Burst sets how many requests may come at once. The default is the limit's n.
func (l Limit) Burst(n int) Limit {
	if n < 1 {
		panic(fmt.Sprintf("guard: Burst: %d: write 1 or more", n))
	}
	return l.with("Burst", func(r *rule) { r.burst = n })
}

// OnFailure charges only requests that fail, such as wrong passwords.
//
// A token is taken before the handler runs and given back when it succeeds, so
// that parallel guesses cannot all pass before the first one has failed. The
// burst must therefore be at least the honest concurrency of one key.
func (l Limit) OnFailure() Limit { return l.with("OnFailure", func(r *rule) { r.onFailure = true }) }

// SplitByNetwork counts each key apart for each client network as well: /24 for
// IPv4, /48 for IPv6.
//
// For [PerInput] it is what keeps an account from being locked out by somebody
// else's attempts: those come from another network and spend another bucket.
func (l Limit) SplitByNetwork() Limit {
	return l.with("SplitByNetwork", func(r *rule) { r.split = true })
}

// Shadow evaluates the limit and logs what it would refuse, and refuses nothing.
func (l Limit) Shadow() Limit { return l.with("Shadow", func(r *rule) { r.shadow = true }) }

func (l Limit) with(method string, change func(*rule)) Limit {
	if len(l.rules) != 1 {
		panic("guard: " + method + ": it changes a single limit: call it before And")
	}
	r := l.rules[0]
	change(&r)
	return Limit{rules: []rule{r}}
}

func (l *Limiter) local() *memory {
	l.once.Do(func() { l.table = newMemory() })
	return l.table
}

// limitPlan is a route's limits, by the stage that decides them.
type limitPlan[S Principal, T any] struct {
	session, caller, input []rule
	id                     string // the name where neither a name nor a pattern is known
}

func planLimits[S Principal, T any](l Limit) (limitPlan[S, T], error) {
	var p limitPlan[S, T]
	if len(l.rules) == 0 && l.reason == "" {
		return p, errors.New(`the fourth answer (abuse) is the zero Limit: pass limits.PerCaller(60, time.Minute), or guard.Unlimited("why")`)
	}
	var errs []error
	for _, r := range l.rules {
		switch r.scope {
		case byIP, globally:
			p.session = append(p.session, r)
		case byCaller, byKey:
			p.caller = append(p.caller, r)
			errs = append(errs, r.checkCaller(reflect.TypeFor[S](), isFunc[func(S, *http.Request) string](r.key)))
		case byInput:
			p.input = append(p.input, r)
			if !isFunc[func(T) string](r.key) {
				errs = append(errs, fmt.Errorf("PerInput: its function is a %T, but the route's input is %s", r.key, reflect.TypeFor[T]()))
			}
		}
	}
	for _, rules := range [][]rule{p.session, p.caller, p.input} {
		sortByLimiter(rules)
	}
	return p, errors.Join(errs...)
}

// sortByLimiter puts the rules of one Limiter next to each other, in the order
// of their first appearance, and shadow rules last.
func sortByLimiter(rules []rule) {
	first := func(r rule) int {
		return slices.IndexFunc(rules, func(o rule) bool { return o.limiter == r.limiter })
	}
	order := make([]int, len(rules))
	for i, r := range rules {
		order[i] = first(r)
		if r.shadow {
			order[i] += len(rules)
		}
	}
	sorted := slices.Clone(rules)
	index := make([]int, len(rules))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(a, b int) int { return order[a] - order[b] })
	for i, j := range index {
		sorted[i] = rules[j]
	}
	copy(rules, sorted)
}

func (r rule) checkCaller(s reflect.Type, fits bool) error {
	switch {
	case r.scope == byCaller && s == reflect.TypeFor[Anonymous]():
		return errors.New("PerCaller on a route for Anyone: nobody is known there, use PerIP")
	case r.scope == byKey && !fits:
		return fmt.Errorf("PerKey: its function is a %T, but the route's caller is %s", r.key, s)
	}
	return nil
}

func isFunc[F any](v any) bool { _, ok := v.(F); return ok }

// bucket returns the name under which a rule counts on this route.
func (r *rule) bucket(x *exchange, fallback string, key *Key) (string, error) {
	if r.name != "" {
		return r.name, nil
	}
	key.Rule = r.variant // two unnamed limits of one route must not share a bucket
	switch {
	case x.r.Pattern != "":
		return x.r.Pattern, nil
	case r.limiter.Store != nil:
		return "", errors.New("a limit in a shared store has neither a name nor a pattern: call Named, or register the guard on a ServeMux")
	}
	return fallback, nil
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

// beforeSession is stage 1.
func (p *limitPlan[S, T]) beforeSession(ctx context.Context, x *exchange) error {
	if len(p.session) == 0 {
		return nil
	}
	return x.take(ctx, p.session, p.id, func(r *rule) (Key, error) {
		if r.scope == globally {
			return Key{Scope: globally}, nil
		}
		addr, err := x.network(32, 64)
		return Key{Scope: byIP, Addr: addr}, err
	})
}

// perCaller is stage 4.
func (p *limitPlan[S, T]) perCaller(ctx context.Context, x *exchange, caller S) error {
	if len(p.caller) == 0 {
		return nil
	}
	return x.take(ctx, p.caller, p.id, func(r *rule) (Key, error) {
		switch {
		case r.scope == byCaller && x.caller == "": // AllowAnonymous: nobody may pass uncounted
			addr, err := x.network(32, 64)
			return Key{Scope: byIP, Addr: addr}, err
		case r.scope == byCaller:
			return Key{Scope: byCaller, Text: x.caller}, nil
		}
		return textKey(byKey, r.key.(func(S, *http.Request) string)(caller, x.r))
	})
}

// perInput is stage 7.
func (p *limitPlan[S, T]) perInput(ctx context.Context, x *exchange, input T) error {
	if len(p.input) == 0 {
		return nil
	}
	return x.take(ctx, p.input, p.id, func(r *rule) (Key, error) {
		return textKey(byInput, r.key.(func(T) string)(input))
	})
}

func textKey(s string, text string) (Key, error) {
	if text == "" {
		return Key{}, errors.New("the key function of a limit returned an empty key: all callers would share one bucket")
	}
	return Key{Scope: s, Text: text}, nil
}

// take charges one stage's rules: all of them or none. Rules of one Limiter are
// one decision of its store; planLimits put them next to each other.
func (x *exchange) take(ctx context.Context, rules []rule, fallback string, keyOf func(*rule) (Key, error)) error {
	before := len(x.taken)
	for len(rules) > 0 {
		n := 1
		for n < len(rules) && rules[n].limiter == rules[0].limiter && !rules[n].shadow && !rules[0].shadow {
			n++
		}
		if err := x.takeTogether(ctx, rules[:n], fallback, keyOf); err != nil {
			x.giveBack(x.taken[before:])
			x.taken = x.taken[:before]
			return err
		}
		rules = rules[n:]
	}
	return nil
}

func (x *exchange) takeTogether(ctx context.Context, rules []rule, fallback string, keyOf func(*rule) (Key, error)) error {
	charges := make([]Charge, len(rules))
	for i := range rules {
		r := &rules[i]
		key, err := keyOf(r)
		if err != nil {
			return err
		}
		if r.split {
			if key.Addr, err = x.network(24, 48); err != nil {
				return err
			}
		}
		name, err := r.bucket(x, fallback, &key)
		if err != nil {
			return err
		}
		charges[i] = Charge{Limit: name, Key: key, Count: r.count, Per: r.per, Burst: r.burst, Cost: 1}
	}
	decisions := make([]Decision, len(rules))
	l := rules[0].limiter
	store, ok, err := l.take(ctx, x.tell, charges, decisions)
	if err != nil {
		return refuseUnavailable.Because(fmt.Errorf("ask the limit store: %w", err))
	}
	if ok {
		for i := range charges {
			if store != nil {
				x.taken = append(x.taken, taken{store, charges[i], rules[i].onFailure})
			}
		}
		return nil
	}
	refused, wait := explain(charges, decisions)
	if rules[0].shadow {
		x.tell.logger().LogAttrs(ctx, slog.LevelInfo, "limit would refuse",
			slog.String("request_id", x.id), slog.String("route", x.route), slog.String("limit", refused))
		return nil
	}
	e := refuseRate.Because(errors.New(refused))
	e.RetryAfter = wait
	return e
}

// explain names the limit that refuses longest and how long that is.
func explain(charges []Charge, decisions []Decision) (string, time.Duration) {
	longest := -1
	for i, d := range decisions {
		if !d.Allowed && (longest < 0 || d.RetryAfter > decisions[longest].RetryAfter) {
			longest = i
		}
	}
	if longest < 0 {
		return "the store refused without naming a limit", 0
	}
	c := charges[longest]
	return fmt.Sprintf("limit %q of %d per %s by %s is used up", c.Limit, c.Count, c.Per, c.Key.Scope), decisions[longest].RetryAfter
}

// take asks the store, and does what Outage says where that fails. A nil store
// with ok means that nothing was charged.
func (l *Limiter) take(ctx context.Context, tell *Responder, charges []Charge, out []Decision) (Store, bool, error) {
	if l.Store == nil {
		m := l.local()
		return m, m.take(charges, out), nil
	}
	ok, err := l.Store.Take(ctx, charges, out)
	if err == nil {
		if l.down.CompareAndSwap(true, false) {
			tell.logger().LogAttrs(ctx, slog.LevelInfo, "limit store is back")
		}
		return l.Store, ok, nil
	}
	if ctx.Err() == nil && l.down.CompareAndSwap(false, true) {
		tell.logger().LogAttrs(ctx, slog.LevelError, "limit store failed",
			slog.String("outage", l.Outage.String()), slog.String("cause", err.Error()))
	}
	switch l.Outage {
	case OutageLocal:
		m := l.local()
		return m, m.take(charges, out), nil
	case OutageOpen:
		return nil, true, nil
	}
	return nil, false, err
}

// taken is one charge, kept until its request ends.
type taken struct {
	store     Store
	charge    Charge
	onFailure bool
}

type outcome int

const (
	outcomeFailed outcome = iota
	outcomeOK
)

// settle gives back what OnFailure limits took, if the request succeeded.
func (x *exchange) settle(o outcome) {
	if o != outcomeOK {
		return
	}
	for i := range x.taken {
		if x.taken[i].onFailure {
			x.giveBack(x.taken[i : i+1])
		}
	}
}

// giveBack refunds charges. A refund that fails is not retried: its state is
// unknown, and giving back twice would admit too much.
func (x *exchange) giveBack(taken []taken) {
	for _, t := range taken {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), refundTimeout)
		if err := t.store.Refund(ctx, []Charge{t.charge}); err != nil {
			x.tell.logger().LogAttrs(ctx, slog.LevelWarn, "limit refund failed",
				slog.String("request_id", x.id), slog.String("limit", t.charge.Limit), slog.String("cause", err.Error()))
		}
		cancel()
	}
}

const refundTimeout = time.Second
