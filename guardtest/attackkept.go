package guardtest

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/routeguard/guard/checklist"
)

// kept looks for answers that were kept for another question.
//
// It asks the valid question on services that differ in one thing: whether one that differs
// in a parameter was asked before. The answer must not tell which one it was.
func (a *attack) kept() {
	r, ok := a.payload(a.s)
	if !ok || a.route.Method() != http.MethodGet || r.kind != inQuery || a.route.Ending == checklist.Stream {
		return
	}
	for _, f := range a.route.What.Fields {
		if f.In != inQuery || f.Repeated {
			continue
		}
		other := func(r *request) { r.set(f.Name, another(f, r)) }
		before, warmed, after := a.asked(nil), a.asked(other), a.asked(nil)
		if before == after && warmed != before {
			a.found("it is answered as the one before it, which differed in %s: %s instead of %s", f.Name, warmed, before)
		}
	}
	a.s.seen, a.spent = &sight{}, true
}

// asked is the answer of a fresh service to the valid question, after another one or first.
func (a *attack) asked(first func(*request)) string {
	a.fresh()
	a.s.seen = &sight{} // looks are questions
	if r := a.valid(a.s, usual(a.route)); r != nil && first != nil {
		first(r)
		a.count++
		a.s.do(a.route, r)
	}
	r := a.valid(a.s, usual(a.route))
	if r == nil {
		return ""
	}
	a.count++
	return a.s.do(a.route, r).steady()
}

// another is a value of a field that its rules admit, other than the one in r where there are two.
func another(f checklist.Field, r *request) string {
	var values []string
	switch own := rules(f); {
	case own["oneof"] != "":
		values = strings.Fields(own["oneof"])
	case isText(f):
		values = []string{fit(f, marker)}
	case isNumber(f):
		values = []string{cmp.Or(own["min"], own["gte"], "1"), cmp.Or(own["max"], own["lte"], "2")}
	default:
		values = []string{fmt.Sprint(!strings.Contains(queryOf(r.members), f.Name+"=true"))}
	}
	for _, m := range r.members {
		if m.name == f.Name && m.value == values[0] {
			return values[len(values)-1]
		}
	}
	return values[0]
}
