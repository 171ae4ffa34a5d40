package guard

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/routeguard/guard/internal/bucket"
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

	// Instances is how many instances share Store. While it fails, OutageLocal
	// gives each of them its share of every limit, rounded up to whole requests.
	// Zero is 1: the whole limit.
	Instances int

	// StoreTimeout bounds each call of Store through its context. Zero is 250 ms.
	StoreTimeout time.Duration

	// Lease is how long Store keeps the place of a request in flight if its
	// instance dies. A request that runs longer no longer counts, unless Store is
	// nil. Zero is 10 minutes; handlers under Responder.Timeout use that if shorter.
	Lease time.Duration

	// Headers sends RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10).
	// A route with an OnFailure limit sends neither. False costs nothing.
	Headers bool

	// Buckets is how many keys in debt have a bucket of their own in this process,
	// at about 140 bytes each. Zero is 65,536.
	Buckets int

	// Parked is how many more debts are kept in 8 bytes each once Buckets are
	// used up. Zero is 1<<20. Beyond both, unknown keys are refused.
	Parked int

	once  sync.Once
	table *memory
	down  atomic.Bool // the last call of Store failed
}

// Outage is what a limit does while its shared store cannot be asked.
type Outage int

const (
	// OutageLocal counts in this process instead, each instance its share. What the
	// store admitted before has been noted here: an outage is no fresh burst.
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
	return l.rate("PerIP", byIP, n, period, nil)
}

// PerNetwork admits n requests per period from one network: /24 for IPv4, /48 for IPv6.
//
// It is a second, wider limit beside PerIP, for an attacker who owns many
// addresses. Its clients are strangers to each other, so keep it generous.
func (l *Limiter) PerNetwork(n int, period time.Duration) Limit {
	return l.rate("PerNetwork", byNetwork, n, period, nil)
}

// Global admits n requests per period from everyone together.
func (l *Limiter) Global(n int, period time.Duration) Limit {
	return l.rate("Global", globally, n, period, nil)
}

// PerCaller admits n requests per period from one session's Subject.
//
// A value that several routes share counts each of them apart: n per caller and
// route. [Limit.Named] makes one budget of them.
func (l *Limiter) PerCaller(n int, period time.Duration) Limit {
	return l.rate("PerCaller", byCaller, n, period, nil)
}

// InFlight admits n requests at the same time from everyone together.
//
// A place is free again when the handler has ended, however it ends; a hijacked
// connection may outlive it. A refusal names one second as Retry-After, since
// nobody knows when a place comes free.
func (l *Limiter) InFlight(n int) Limit { return l.places("InFlight", globally, n) }

// InFlightPerIP admits n requests at the same time from one address, see [Limiter.PerIP].
func (l *Limiter) InFlightPerIP(n int) Limit { return l.places("InFlightPerIP", byIP, n) }

// InFlightPerCaller admits n requests at the same time from one session's Subject.
func (l *Limiter) InFlightPerCaller(n int) Limit { return l.places("InFlightPerCaller", byCaller, n) }

// PerKey admits n requests per period for each key of the service's own.
//
// It is decided after the session is known and before the body is read. The key
// must not come from a header or a parameter that the client may vary at will.
func PerKey[S Principal](l *Limiter, key func(caller S, r *http.Request) string, n int, period time.Duration) Limit {
	if key == nil {
		panic("guard: PerKey: key is nil: pass a function of the caller and the request")
	}
	return l.rate("PerKey", byKey, n, period, key)
}

// PerInput admits n requests per period for each key taken from the valid input.
//
// It is for routes where the target of an attack stands in the body. Anyone can
// spend another's quota there: for sign-in use [SlowDown], which cannot be turned
// against the account's owner; elsewhere combine it with PerIP and keep it generous.
func PerInput[T any](l *Limiter, key func(input T) string, n int, period time.Duration) Limit {
	if key == nil {
		panic("guard: PerInput: key is nil: pass a function of the input")
	}
	return l.rate("PerInput", byInput, n, period, key)
}

// SlowDown delays failed tries for one account from one client network, and locks nobody out.
//
// Five tries may fail at once. Each of the next has to wait, 4 seconds at first,
// then 4, 8, 14 and never more than 30, told by Retry-After. Tries that succeed or
// are refused cost nothing, so the right password works at the latest 30 seconds
// after the last failed try, and at once from every other network (/24 for IPv4,
// /48 for IPv6), whatever an attacker does elsewhere. It bounds the guesses on one
// account, not on many: for sign-in combine it with a limit per address.
//
//	guard.And(limits.PerIP(5, time.Minute), guard.SlowDown(limits, Login.account))
//
// The key is the account's canonical name, whether the account exists or not.
func SlowDown[T any](l *Limiter, account func(input T) string) Limit {
	if account == nil {
		panic("guard: SlowDown: account is nil: pass a function of the input")
	}
	// The bucket that is slowest to give a token decides. Each one's burst puts
	// its turn after that of the one before.
	tries := func(burst int, every time.Duration) Limit {
		one := l.rate("SlowDown", byInput, 1, every, account).Burst(burst).OnFailure().SplitByNetwork()
		return one.with("SlowDown", func(r *rule) { r.preset = "failures slow down to 30s per input and network" })
	}
	return And(tries(5, 4*time.Second), tries(6, 8*time.Second), tries(8, 30*time.Second))
}

// CostOf charges a limit by weight, such as the tokens of a prompt, instead of 1.
//
// The limit is then decided when the input is valid, so add another one for what
// is refused before. The cost should be the most that the request may cost: the
// handler sets Call.Cost when it knows better, and the rest is given back. More
// is charged as far as the bucket reaches, for it never holds less than nothing.
// Where a route has several such limits, what a handler sets corrects all of them:
// let it set Call.Cost only where they weigh the same thing.
// A cost below 1 is a mistake of the service and answered as 500, one above the
// burst can never be paid and is a 429 without Retry-After.
func CostOf[T any](limit Limit, cost func(input T) int) Limit {
	if cost == nil {
		panic("guard: CostOf: cost is nil: pass a function of the input")
	}
	return limit.with("CostOf", func(r *rule) {
		r.mustCount("CostOf")
		r.weigh = cost
	})
}

// Cost sets how many tokens a request takes. The default is 1.
//
// It is for a route that is dearer than others in the same named limit.
func (l Limit) Cost(n int) Limit {
	if n < 1 {
		panic(fmt.Sprintf("guard: Cost: %d: write 1 or more", n))
	}
	return l.with("Cost", func(r *rule) {
		r.mustCount("Cost")
		r.cost = n
	})
}

// Named puts the limit's buckets under a name that several routes may share.
//
// Without it they belong to the route's pattern. A name is at most 200 bytes long.
func (l Limit) Named(name string) Limit {
	switch {
	case name == "":
		panic("guard: Named: the name is empty: leave Named out to use the route's pattern")
	case len(name) > maxName:
		panic(fmt.Sprintf("guard: Named: the name has %d bytes: write at most %d", len(name), maxName))
	}
	return l.with("Named", func(r *rule) { r.name = name })
}

const maxName = 200

// Burst sets how many tokens a bucket holds. The default is the limit's n.
func (l Limit) Burst(n int) Limit {
	if n < 1 {
		panic(fmt.Sprintf("guard: Burst: %d: write 1 or more", n))
	}
	return l.with("Burst", func(r *rule) {
		r.mustCount("Burst")
		r.burst = n
	})
}

// OnFailure charges only requests that fail, such as wrong passwords.
//
// A request succeeds if its handler returned no error and the result could be
// sent; under [Wrap], if its status is below 400. A token is taken before the
// handler runs and given back on success, so that parallel guesses cannot all
// pass before the first one has failed. The burst must therefore be at least the
// honest concurrency of one key. What a later stage refuses stays charged, and so
// does a panic.
func (l Limit) OnFailure() Limit {
	return l.with("OnFailure", func(r *rule) {
		r.mustCount("OnFailure")
		r.onFailure = true
	})
}

// SplitByNetwork counts each key apart for each client network as well: /24 for
// IPv4, /48 for IPv6.
//
// For [PerInput] it is what keeps an account from being locked out by somebody
// else's attempts: those come from another network and spend another bucket.
func (l Limit) SplitByNetwork() Limit {
	return l.with("SplitByNetwork", func(r *rule) { r.split = true })
}

// Hidden keeps the limit out of the headers that Limiter.Headers sends.
func (l Limit) Hidden() Limit { return l.with("Hidden", func(r *rule) { r.hidden = true }) }

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

func (l *Limiter) rate(maker, scope string, n int, period time.Duration, key any) Limit {
	l.mustBe(maker)
	switch {
	case n < 1:
		panic(fmt.Sprintf("guard: %s: %d requests: write 1 or more", maker, n))
	case period <= 0:
		panic(fmt.Sprintf("guard: %s: a period of %s: write a positive one, such as time.Minute", maker, period))
	}
	return Limit{rules: []rule{{limiter: l, maker: maker, scope: scope, count: n, per: period, burst: n, cost: 1, key: key,
		variant: strconv.Itoa(n) + "/" + period.String()}}}
}

func (l *Limiter) places(maker, scope string, n int) Limit {
	l.mustBe(maker)
	if n < 1 {
		panic(fmt.Sprintf("guard: %s: %d requests: write 1 or more", maker, n))
	}
	return Limit{rules: []rule{{limiter: l, maker: maker, scope: scope, count: n, burst: n, cost: 1, inFlight: true,
		variant: strconv.Itoa(n) + " in flight"}}}
}

// mustBe panics for a Limiter that could not do what its fields say.
func (l *Limiter) mustBe(maker string) {
	mistake := ""
	switch {
	case l == nil:
		mistake = "the Limiter is nil: make one with &guard.Limiter{}"
	case l.Store != nil && isNil(l.Store):
		mistake = fmt.Sprintf("Limiter.Store is a nil %T: leave the field out to count in this process", l.Store)
	case l.Outage < OutageLocal || l.Outage > OutageClosed:
		mistake = fmt.Sprintf("Limiter.Outage is %d: use OutageLocal, OutageOpen or OutageClosed", l.Outage)
	case l.Instances < 0 || l.Instances > maxInstances:
		mistake = fmt.Sprintf("Limiter.Instances is %d: write 1 to %d", l.Instances, maxInstances)
	case l.StoreTimeout < 0 || l.Lease < 0:
		mistake = "Limiter.StoreTimeout and Limiter.Lease must not be negative: leave them out for the defaults"
	case l.Buckets < 0 || l.Parked < 0:
		mistake = "Limiter.Buckets and Limiter.Parked must not be negative: leave them out for the defaults"
	default:
		return
	}
	panic("guard: " + maker + ": " + mistake)
}

const maxInstances = 10_000

// LimiterStats is what a Limiter's table in this process holds and did.
type LimiterStats struct {
	Buckets   int    // keys in debt with a bucket of their own, now
	Parked    int    // debts kept in 8 bytes, now
	Evicted   uint64 // buckets that were parked, because there were too many
	Forgotten uint64 // parked debts that unknown keys have inherited since
	Refused   uint64 // requests refused for such an inherited debt: the table is too small for the flood
	StoreDown bool   // the last call of Store failed
}

// Stats is for metrics. It visits the whole table: call it every few seconds, not
// for every request.
func (l *Limiter) Stats() LimiterStats {
	s := l.local().table.Stats()
	return LimiterStats{Buckets: s.Live, Parked: s.Parked, Evicted: s.Evicted, Forgotten: s.Forgotten,
		Refused: s.Overload, StoreDown: l.down.Load()}
}

func (l *Limiter) local() *memory {
	l.once.Do(func() { l.table = &memory{bucket.New(bucket.Config{Exact: l.Buckets, Parked: l.Parked})} })
	return l.table
}
