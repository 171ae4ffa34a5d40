package route

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Case is what is measured: requests of one kind, sent over and over.
type Case struct {
	Name     string
	limit    Limit
	parallel bool // from GOMAXPROCS goroutines
	refused  bool
	path     texts
	auth     func() texts // which take a while to sign
	body     string
}

// texts are texts of one length, in turn. They are one string, so that a garbage
// collection, which is measured too, has no thousands of them to visit.
type texts struct {
	all string
	n   int
}

func textsOf(n int, text func(int) string) texts {
	var all strings.Builder
	for i := range n {
		all.WriteString(text(i))
	}
	return texts{all.String(), n}
}

func (t texts) at(i int) string {
	size := len(t.all) / t.n
	at := i % t.n * size
	return t.all[at : at+size]
}

// signed is textsOf, when they are needed.
func signed(n int, text func(int) string) func() texts {
	return sync.OnceValue(func() texts { return textsOf(n, text) })
}

// minted is how many tokens the case of tokens never seen before has. They come
// around again after so many others that no cache has them any more.
const minted = 1 << 16

// Cases returns what is measured.
func Cases() []Case {
	order := rand.New(rand.NewPCG(8, 8)).Perm(users) // the same in each run
	path := textsOf(1, func(int) string { return "/projects/" + projectID(0) })
	paths := textsOf(users, func(i int) string { return "/projects/" + projectID(order[i]) })

	one := Case{limit: Lifted, path: path, auth: signed(1, func(int) string { return bearer(0, 0) }), body: goodBody}
	crowd := one
	crowd.path, crowd.auth = paths, signed(users, func(i int) string { return bearer(order[i], 0) })
	fresh := one
	fresh.auth = signed(minted, func(i int) string { return bearer(0, time.Duration(i)*time.Second) })
	refused := func(name string, change func(*Case)) Case {
		c := one
		c.refused = true
		change(&c)
		return c.named(name)
	}
	return []Case{
		one.named("success, one user"),
		crowd.named("success, 10,000 users"),
		fresh.named("success, new tokens"),
		one.fromAll().named("success, one user, parallel"),
		crowd.fromAll().named("success, 10,000 users, parallel"),
		refused("no token", func(c *Case) { c.auth = signed(1, func(int) string { return "" }) }),
		refused("forged token", func(c *Case) { c.auth = signed(1, func(int) string { return forge(bearer(0, 0)) }) }),
		refused("rate limited", func(c *Case) { c.limit = once }),
		refused("bad JSON", func(c *Case) { c.body = strings.TrimSuffix(c.body, "}") }),
		refused("unknown field", func(c *Case) { c.body = `{"owner":"me",` + c.body[1:] }),
		refused("invalid field", func(c *Case) { c.body = strings.Replace(c.body, "Footbridge", "ab", 1) }),
		refused("another's row", func(c *Case) { c.path.all = "/projects/" + projectID(1) }),
	}
}

func (c Case) named(name string) Case {
	c.Name = name
	return c
}

func (c Case) fromAll() Case {
	c.parallel = true
	return c
}

func bearer(user int, extra time.Duration) string { return "Bearer " + mint(goodClaims(user, extra)) }

// forge changes a byte in the middle of the signature, where every bit counts.
func forge(token string) string {
	i := strings.LastIndexByte(token, '.') + 9
	c := byte('A')
	if token[i] == c {
		c = 'B'
	}
	return token[:i] + string(c) + token[i+1:]
}

// requester returns the requests of the case, by their number.
func (c *Case) requester() func(i int) request {
	auth := c.auth()
	return func(i int) request {
		return request{path: c.path.at(i), auth: auth.at(i), media: "application/json", body: c.body}
	}
}

// warmUp makes the handler of an implementation, and takes it to where it is after
// a while: caches filled, limits used up. The first n requests are then behind it.
func (c *Case) warmUp(i Implementation) (h http.Handler, n int) {
	h, from := i.New(c.limit), newClient(context.Background())
	next := c.requester()
	n = min(c.auth().n, users)
	for i := range n {
		from.do(h, next(i))
	}
	return h, n
}

// send sends requests, that numbered from first, until more says no.
func (c *Case) send(h http.Handler, from int, more func() bool) (n int, err error) {
	ctx, cancel := context.WithCancel(context.Background()) // as net/http gives each connection one
	defer cancel()
	sender, next := newClient(ctx), c.requester()
	for ; more(); n++ {
		status := sender.do(h, next(from+n))
		if status != 0 && (status >= 400) != c.refused { // 0 is Idle's, which writes nothing
			return n, fmt.Errorf("%s: got status %d", c.Name, status)
		}
	}
	return n, nil
}
