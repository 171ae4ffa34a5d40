package checklist

import (
	"fmt"
	"reflect"
	"strings"
)

// Point is one of the seven points of a route's review.
type Point struct {
	// Question is the same for every route.
	Question string `json:"question"`
	// Answer is what the guard does about it.
	Answer string `json:"answer"`
	// Warnings are what somebody should look at. Nil where nothing looks odd.
	Warnings []string `json:"warnings,omitempty"`
	// OWASP are the risks of the OWASP API Security Top 10 (2023) that it is about.
	OWASP []string `json:"owaspAPI2023"`
	// ASVS are requirements of the OWASP ASVS 5.0.0 that it is about.
	ASVS []string `json:"asvs5"`
}

// questions are the seven points, in their order.
var questions = []struct {
	text        string
	owasp, asvs []string
	answer      func(Route) (string, []string)
}{
	{"inputs are validated", []string{"API4:2023", "API8:2023"}, []string{"1.5.3", "2.2.1", "2.2.2"}, Route.inputs},
	{"the caller is authenticated", []string{"API2:2023"}, []string{"3.5.1", "7.2.1", "9.1.1"}, Route.caller},
	{"the exact resource is authorized", []string{"API1:2023", "API5:2023"}, []string{"8.2.1", "8.2.2"}, Route.resource},
	{"sensitive values are derived on the server", []string{"API3:2023"}, []string{"8.2.3", "8.3.1", "15.3.3"}, Route.derived},
	{"requests are rate limited", []string{"API4:2023", "API6:2023"}, []string{"2.4.1", "6.3.1", "15.2.2"}, Route.limited},
	{"errors are generic and their details private", []string{"API8:2023"}, []string{"13.4.6", "16.2.5", "16.5.1"}, Route.errors},
	{"caches are revalidated after mutations", []string{"API8:2023"}, []string{"14.2.2", "14.3.2"}, Route.caches},
}

// Points answers the seven points of the review for a route.
func (r Route) Points() []Point {
	points := make([]Point, len(questions))
	for i, q := range questions {
		answer, warnings := "not guarded: "+r.Unguarded, []string(nil)
		if r.Unguarded == "" {
			answer, warnings = q.answer(r)
		}
		points[i] = Point{q.text, answer, warnings, q.owasp, q.asvs}
	}
	if r.Unguarded != "" && r.Mutates() {
		points[1].Warnings = []string{"nothing guards a method that may change something"}
	}
	return points
}

// Warnings are those of all points.
func (r Route) Warnings() []string {
	var all []string
	for _, p := range r.Points() {
		all = append(all, p.Warnings...)
	}
	return all
}

func (r Route) inputs() (string, []string) {
	switch r.What.Kind {
	case "none":
		return "a body or a query parameter is refused", nil
	case "raw body":
		return "the handler checks up to " + Size(r.What.MaxBody) + " itself", []string{"the body is not checked before the handler"}
	}
	fields := flat(r.What.Fields)
	normalized, warnings := 0, []string(nil)
	for _, f := range fields {
		if f.Normalize != "" {
			normalized++
		}
		if f.Rules == "" && f.freeText() {
			warnings = append(warnings, f.Pointer+" has no rule")
		}
	}
	return fmt.Sprintf("%s: %s, %d normalized", r.What, plural(len(fields), "field"), normalized), warnings
}

// freeText reports whether nothing about the type says what a value looks like.
func (f Field) freeText() bool {
	t := f.Type
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice) {
		t = t.Elem()
	}
	return t != nil && f.FileMax == 0 && (t.Kind() == reflect.String || t.Kind() == reflect.Interface || TypeName(t) == "raw JSON")
}

func (r Route) caller() (string, []string) {
	var warnings []string
	if r.Method() == "" {
		warnings = append(warnings, "any method: GET and HEAD are among them, whose origin is not checked")
	}
	if r.Mutates() && (r.Who.Anyone || r.Who.Optional) {
		warnings = append(warnings, "anyone may change something")
	}
	for _, c := range r.Who.Credentials {
		if c.Kept {
			warnings = append(warnings, "the wrapped handler sees the "+c.Kind+" credential")
		}
	}
	answer := r.Who.String()
	if len(r.Who.Origins) > 0 {
		answer += ", also from " + strings.Join(r.Who.Origins, ", ")
	}
	return answer, warnings
}

func (r Route) resource() (string, []string) {
	var warnings []string
	for _, name := range r.unread() {
		warnings = append(warnings, "no answer reads {"+name+"}")
	}
	if len(r.Which.Steps) == 0 && len(r.Who.Roles) > 0 {
		return "none, for " + strings.Join(r.Who.Roles, ", "), warnings
	}
	return r.Which.String(), warnings
}

func (r Route) derived() (string, []string) {
	if r.What.Kind == "raw body" {
		return "the handler's own task: it reads the body", nil
	}
	var warnings []string
	for _, f := range flat(r.What.Fields) {
		if f.Client {
			warnings = append(warnings, "clients set "+f.Pointer)
		}
	}
	if len(warnings) > 0 {
		return "from the session and the resource, but for what is named", warnings
	}
	return "from the session and the resource: the input has no such field", nil
}

func (r Route) limited() (string, []string) {
	if len(r.Limits.Rules) == 0 {
		warning := "unlimited"
		if r.Who.Anyone || r.Who.Optional {
			warning = "unlimited and public"
		}
		return r.Limits.String(), []string{warning}
	}
	var warnings []string
	enforced := false
	for _, l := range r.Limits.Rules {
		enforced = enforced || !l.Shadow
		if l.Outage == "open" {
			warnings = append(warnings, "no limit per "+l.Per+" while the shared store is down")
		}
	}
	if !enforced {
		warnings = append(warnings, "every limit is a shadow: nothing is refused")
	}
	answer := r.Limits.String()
	if where := r.Limits.where(); where != "" {
		answer += " in " + where
	}
	return answer, warnings
}

func (r Route) errors() (string, []string) {
	answer := r.Tell.MediaType + " with a request id; causes go to the log"
	if r.Ending == Wrap {
		return answer, []string{"the wrapped handler writes errors of its own"}
	}
	return answer, nil
}

func (r Route) caches() (string, []string) {
	switch {
	case len(r.After) > 0:
		return "after: " + strings.Join(r.After, ", "), nil
	case !r.Mutates():
		return "nothing changes", nil
	}
	return "nothing follows", []string{"no hook follows this mutation"}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
