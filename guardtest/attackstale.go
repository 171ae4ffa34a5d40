package guardtest

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/routeguard/guard/checklist"
)

// stale looks for answers that were kept from before a mutation.
//
// It makes the valid mutation on services that differ in one thing: whether somebody has
// read the GET routes before. What is read afterwards must not tell which one it was.
func (a *attack) stale() {
	if !a.route.Mutates() || isSigned(a.route) {
		return
	}
	before, warmed, after := a.after(false), a.after(true), a.after(false)
	a.s.seen, a.spent = &sight{}, true
	for i, cold := range before {
		if i >= len(after) || i >= len(warmed) || cold != after[i] {
			continue // it differs from one time to the next
		}
		if warmed[i] != cold {
			a.found("%s is answered from before it, once somebody has read it: %s instead of %s", cold.what, warmed[i].text, cold.text)
		}
	}
}

// reading is what somebody reads, without what differs from one service to another.
type reading struct{ what, text string }

// after is what can be read after the mutation on a fresh service, or nil where it fails.
func (a *attack) after(readBefore bool) []reading {
	a.fresh()
	a.s.seen = &sight{} // looks are readings
	r := a.valid(a.s, usual(a.route))
	if r == nil {
		return nil
	}
	if readBefore {
		a.s.readings()
	}
	a.count++
	if got := a.s.do(a.route, r); !got.ok() {
		return nil
	}
	return a.s.readings()
}

// readings are the answers to the GET requests of everybody who is known.
func (s *service) readings() []reading {
	var all []reading
	for _, route := range s.Routes() {
		if route.Method() != http.MethodGet || route.Unguarded != "" || isSigned(route) || len(route.Who.Roles) > 0 || route.Ending == checklist.Stream {
			continue
		}
		for _, by := range []caller{owner, stranger, tenant} {
			if route.Who.Anyone {
				by = nobody
			} else if by.user(s).credentials() == 0 {
				continue
			}
			r, err := s.valid(route, by)
			if err != nil {
				continue
			}
			all = append(all, reading{"GET " + route.Path() + " by " + by.name, s.do(route, r).steady()})
			if route.Who.Anyone {
				break
			}
		}
	}
	return all
}

// unsteady is what differs between two services with the same data: ids and times.
var unsteady = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d{4}-\d\d-\d\d[T ][\d:.]+(Z|[+-]\d\d:?\d\d)?|\d{6,}`)

// steady is the status and body, without what differs between two services.
func (a answer) steady() string {
	if !a.ok() {
		return fmt.Sprint(a.status) // an error names its request
	}
	return fmt.Sprint(a.status, " ", unsteady.ReplaceAllString(string(a.body), "…"))
}
