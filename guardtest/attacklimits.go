package guardtest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/routeguard/guard/checklist"
)

// exhaustible is the largest burst that is used up.
const exhaustible = 2000

// limits uses up each of the route's limits on a fresh service, and expects a refusal.
func (a *attack) limits() {
	var enforced []checklist.Limit
	for _, l := range a.route.Limits.Rules {
		if !l.Shadow {
			enforced = append(enforced, l)
		}
	}
	if len(enforced) == 0 {
		a.found("nothing limits the route (%s): add a limit, or write into Exempt why there is none", a.route.Limits)
		return
	}
	presets := map[string]bool{}
	for _, l := range enforced {
		if presets[l.Preset] {
			continue
		}
		presets[l.Preset] = l.Preset != ""
		switch why := a.hindrance(l, enforced); {
		case why != "":
			a.skip("%s: %s", l, why)
		case l.InFlight:
			a.occupy(l)
		default:
			a.exhaust(l)
		}
	}
}

// hindrance is why a limit cannot be used up alone.
func (a *attack) hindrance(l checklist.Limit, all []checklist.Limit) string {
	switch {
	case l.InFlight && (a.route.What.MaxBody == 0 || isSigned(a.route)):
		return "it takes a body to hold a request open"
	case l.InFlight && l.Count > 16:
		return "more than 16 requests at a time are not tried"
	case l.Burst > exhaustible:
		return fmt.Sprintf("more than %d requests are not tried", exhaustible)
	case l.Store != "":
		return "it is counted in " + l.Store + ", which outlives the service"
	case l.OnFailure && a.refusable() == nil:
		return "it counts failures: add inputs that fail with Refused"
	case l.Weight != "":
		return "it is weighed by the input"
	}
	for _, other := range all {
		if other.InFlight || other.Shadow || l.InFlight || other == l || other.Preset != "" && other.Preset == l.Preset {
			continue
		}
		if other.Burst/max(other.Cost, 1) <= l.Burst/max(l.Cost, 1) && a.charged(other, l) {
			return "behind " + other.String()
		}
	}
	return ""
}

// charged reports whether the requests that use up l are charged to other as well, and to
// one key of it.
func (a *attack) charged(other, l checklist.Limit) bool {
	switch other.Per {
	case "ip":
		return l.Per == "ip"
	case "network":
		return l.Per == "ip" || l.SplitByNetwork || l.Per == "network"
	case "global":
		return true
	case "input":
		return l.Per == "input"
	}
	return beforeSession(l) == beforeSession(other)
}

func beforeSession(l checklist.Limit) bool {
	return l.Per == "ip" || l.Per == "network" || l.Per == "global"
}

// refusable is an input that the handler refuses.
func (a *attack) refusable() *Input {
	for _, in := range a.s.Inputs {
		if in.refused && in.pattern == a.route.Pattern {
			return &in
		}
	}
	return nil
}

// exhaust sends requests with one key until one is refused. The handler runs for as few as
// possible: a limit before the session is used up without a credential, one by caller
// with a missing id or a broken body.
func (a *attack) exhaust(l checklist.Limit) {
	others, with := a.spellings(l), ""
	if len(others) > 0 {
		with = ", when every other one has its " + strings.Join(others, " and ") + " in upper case"
	}
	a.fresh()
	a.s.seen = &sight{} // the looks of others would be charged
	network, began := addresses.Add(1), time.Now()
	for n := 1; ; n++ {
		r := a.cheap(l, network, n)
		if r == nil {
			return
		}
		if n%2 == 0 {
			for _, name := range others {
				r.upper(name)
			}
		}
		got := a.s.do(a.route, r)
		a.count++
		if got.status == http.StatusTooManyRequests {
			a.tooMany(l, r, got)
			break
		}
		back := int(time.Since(began) * time.Duration(l.Count) / max(l.Period, 1))
		if n*max(l.Cost, 1) > l.Burst+back+2 {
			a.found("%s: request %d is still answered %s%s", l, n, got, with)
			break
		}
		if n*max(l.Cost, 1) > 4*l.Burst+100 {
			a.skip("%s: its tokens come back as fast as requests are answered here", l)
			break
		}
	}
	if l.Per != "global" {
		a.othersPass(l)
	}
	a.spent = true
}

// spellings are the fields of an input that the service takes for the same in upper case, such as
// a mail address. A limit of failures must count them as one, or each spelling has guesses of its own.
func (a *attack) spellings(l checklist.Limit) []string {
	if _, ok := a.s.input(a.route.Pattern); !ok || l.Per != "input" || !l.OnFailure {
		return nil
	}
	var same []string
	for _, f := range a.route.What.Fields {
		a.fresh()
		r := a.valid(a.s, usual(a.route))
		if r == nil || !r.upper(f.Name) {
			continue
		}
		a.count++
		if a.s.do(a.route, r).ok() {
			same = append(same, f.Name)
		}
	}
	return same
}

// cheap is the nth request of a series.
func (a *attack) cheap(l checklist.Limit, network uint32, n int) *request {
	by := usual(a.route)
	r := a.valid(a.s, by)
	if r == nil {
		return nil
	}
	if l.OnFailure {
		in := *a.refusable()
		r, _ = a.s.request(a.route, by, in)
	} else if l.Per != "input" {
		r.broken(a)
	}
	if beforeSession(l) && !isSigned(a.route) && !l.OnFailure {
		r.withoutCredentials(a.route)
		r.by = nobody
	}
	if l.Per == "caller" && len(a.route.Who.Roles) == 0 {
		r.another(a, by, n)
	}
	switch {
	case l.Per == "ip":
		r.addr = address(network, 0)
	case l.Per == "network" || l.SplitByNetwork:
		r.addr = address(network, n)
	}
	r.elsewhere(fmt.Sprintf("203.0.113.%d", n%250+1)) // a header makes no new client
	for _, name := range []string{"X-User-Id", "X-Forwarded-User", "X-Request-Id", "User-Agent", "X-Api-Client"} {
		if !slices.ContainsFunc(a.route.Who.Credentials, func(c checklist.Credential) bool { return c.Name == name }) {
			r.header.Set(name, "client-number-"+strconv.Itoa(n))
		}
	}
	return r
}

// another uses the caller's credentials in turn: whoever has two is one caller all the same.
func (r *request) another(a *attack, by caller, n int) {
	var have []checklist.Credential
	for _, c := range a.route.Who.Credentials {
		if by.user(a.s).credential(c.Kind) != "" {
			have = append(have, c)
		}
	}
	if len(have) < 2 {
		return
	}
	c := have[n%len(have)]
	r.withoutCredentials(a.route)
	r.present(c, by.user(a.s).credential(c.Kind))
}

// broken makes a request one that is refused after the limits.
func (r *request) broken(a *attack) {
	if len(a.route.Which.Parameters()) > 0 {
		r.ids = a.missingIDs(a.s, r.ids)
		return
	}
	r.finish()
	r.query = marker + "=1"
}

// tooMany checks the refusal.
func (a *attack) tooMany(l checklist.Limit, r *request, got answer) {
	a.inspect(r, got)
	wait, err := strconv.Atoi(got.header.Get("Retry-After"))
	if err != nil || wait < 1 {
		a.found("%s: the 429 has the Retry-After %q, want whole seconds", l, got.header.Get("Retry-After"))
	}
}

// othersPass checks that somebody else, elsewhere, is not refused with them.
func (a *attack) othersPass(l checklist.Limit) {
	r := a.valid(a.s, usual(a.route))
	if r == nil {
		return
	}
	if !beforeSession(l) && usual(a.route).name == owner.name && !r.as(a.s, a.route, stranger) {
		return
	}
	if !beforeSession(l) && (usual(a.route).name != owner.name || l.Per == "input") {
		return // nobody else is known
	}
	r.broken(a)
	a.count++
	if got := a.s.do(a.route, r); got.status == http.StatusTooManyRequests {
		a.found("%s: once one has used it up, everybody is refused", l)
	}
}

// held is a body that begins to be read, and ends when it is let go.
type held struct {
	reading chan struct{}
	free    chan struct{}
	once    sync.Once
}

func (h *held) Read([]byte) (int, error) {
	h.once.Do(func() { close(h.reading) })
	<-h.free
	return 0, io.ErrUnexpectedEOF
}

// occupy takes all places of a limit of requests in flight, by bodies that do not end.
func (a *attack) occupy(l checklist.Limit) {
	a.fresh()
	a.s.seen = &sight{}
	free := make(chan struct{})
	var wg sync.WaitGroup
	network := addresses.Add(1)
	build := func() *request {
		r := a.valid(a.s, usual(a.route))
		r.finish()
		if l.Per == "ip" {
			r.addr = address(network, 0)
		}
		return r
	}
	for range l.Count {
		body := &held{reading: make(chan struct{}), free: free}
		r := build()
		r.body, r.stream = nil, body
		ended := make(chan struct{})
		wg.Go(func() {
			defer close(ended)
			a.s.do(a.route, r)
		})
		select {
		case <-body.reading:
		case <-ended: // refused before its body was read: fewer places than stated
		}
	}
	r := build()
	got := a.s.do(a.route, r)
	a.count += l.Count + 1
	if got.status != http.StatusTooManyRequests {
		a.found("%s: request %d at the same time is answered %s", l, l.Count+1, got)
	} else {
		a.tooMany(l, r, got)
	}
	close(free)
	wg.Wait()
	a.spent = true
}
