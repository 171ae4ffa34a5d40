package guard

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"github.com/routeguard/guard/checklist"
	"github.com/routeguard/guard/internal/input"
)

// Describe returns what a guard says about a route, for the review checklist.
//
// It is for guards that another router serves; [Mux.Routes] has those of a Mux. The
// pattern is in the form of [http.ServeMux], with the names that the guard reads:
// "PATCH /projects/{projectID}". It panics as [Mux.Handle] does.
func Describe(pattern string, g Guarded) checklist.Route {
	return blueprintOf("Describe", pattern, g).at(pattern)
}

// blueprint is what a guard says about itself: a route without its pattern.
type blueprint struct {
	route  checklist.Route
	params []string // path parameters that it reads
}

func (g *Guard[T]) madeByNewOrWrap() *blueprint { return &g.plan }

// blueprintOf panics for what is no guard, and for a pattern that has not all that
// the guard reads.
func blueprintOf(maker, pattern string, g Guarded) *blueprint {
	if isNil(g) {
		panic("guard: " + maker + ": " + pattern + ": the guard is nil: pass guard.New(…) or guard.Wrap(…)")
	}
	if embedsGuard(g) {
		panic(fmt.Sprintf("guard: %s: %s: a %T embeds a guard and may answer without it: pass the guard itself", maker, pattern, g))
	}
	b := g.madeByNewOrWrap()
	if b.route.Ending == "" {
		panic("guard: " + maker + ": " + pattern + ": the guard is the zero Guard: make it with guard.New(…) or guard.Wrap(…)")
	}
	have := checklist.Route{Pattern: pattern}.Wildcards()
	for _, p := range b.params {
		if !slices.Contains(have, p) {
			panic(fmt.Sprintf("guard: %s: the pattern %q has no {%s}, which the guard reads", maker, pattern, p))
		}
	}
	return b
}

// embedsGuard reports whether g is a type that has a guard and is none.
func embedsGuard(g Guarded) bool {
	t := reflect.TypeOf(g)
	return t.Kind() != reflect.Pointer || t.Elem().PkgPath() != reflect.TypeFor[Mux]().PkgPath()
}

func (b *blueprint) at(pattern string) checklist.Route {
	r := b.route
	r.Pattern = pattern
	return r
}

func (p *pipeline[S, T, R]) describe(limit Limit) blueprint {
	r := checklist.Route{Who: p.who.describe(), What: p.what.describe(), Which: checklist.Which{Steps: p.which.steps},
		Limits: limit.describe(), Tell: p.tell.describe(), Ending: p.end.kind, After: p.end.hooks, Result: p.end.result}
	if p.end.owned != nil {
		r.Which.Steps = []checklist.Step{*p.end.owned}
	}
	return blueprint{r, append(p.which.params(), p.what.plan.PathNames()...)}
}

// params are the path parameters that the Authorizer reads, outermost first.
func (a *Authorizer[S, R]) params() []string { return checklist.Which{Steps: a.steps}.Parameters() }

// step describes how a resource of type R is found.
func step[R any](kind, param string, parse, rule any) checklist.Step {
	_, canonical := parse.(func(string) (uuid.UUID, error))
	canonical = canonical && reflect.ValueOf(parse).Pointer() == reflect.ValueOf(ParseUUID).Pointer()
	return checklist.Step{Kind: kind, Parameter: param, UUID: canonical, Rule: funcName(rule), Resource: reflect.TypeFor[R]().String()}
}

func (a *Authenticator[S]) describe() checklist.Who {
	w := checklist.Who{Anyone: a.anyone, Optional: a.optional, Caller: reflect.TypeFor[S]().String()}
	if a.message != nil {
		w.Credentials = []checklist.Credential{a.message.describe()}
	}
	if a.check != nil {
		w.Origins = a.check.Origins()
	}
	for _, way := range a.ways {
		w.Credentials = append(w.Credentials, checklist.Credential{Kind: way.kind, Name: way.name, Kept: way.keep})
		if way.check != nil {
			w.Origins = way.check.Origins()
		}
		for _, r := range way.roles {
			if !slices.Contains(w.Roles, r.name) {
				w.Roles = append(w.Roles, r.name)
			}
		}
	}
	return w
}

func (s *signed) describe() checklist.Credential {
	return checklist.Credential{Kind: "signed", Name: s.scheme.String(), MaxBody: s.maxBody, Kept: s.keep,
		Tolerance: s.verifier.Window() / 2, Remembered: s.deliveries.describe()}
}

func (d *Decoder[T]) describe() checklist.What {
	w := checklist.What{Kind: d.kind, MaxBody: d.plan.MaxBody(), MediaTypes: d.plan.MediaTypes(), Fields: fieldsOf(d.plan.Fields())}
	if t := reflect.TypeFor[T](); t != reflect.TypeFor[None]() {
		w.Type = t
	}
	return w
}

func fieldsOf(infos []input.FieldInfo) []checklist.Field {
	var fields []checklist.Field
	for _, f := range infos {
		fields = append(fields, checklist.Field{Pointer: f.Pointer, Name: f.Name, In: string(f.Source),
			Type: f.Type, GoType: checklist.TypeName(f.Type),
			Rules: f.Rules, Normalize: f.Normalize, Default: f.Default, HasDefault: f.HasDefault, Client: f.Client,
			Required: f.Required, Nullable: f.Nullable, Repeated: f.Repeated, MaxItems: f.MaxItems,
			FileMax: f.FileMax, FileTypes: f.FileTypes, FileDeclaredAny: f.FileDeclaredAny, Fields: fieldsOf(f.Fields)})
	}
	return fields
}

func (l Limit) describe() checklist.Limits {
	limits := checklist.Limits{Unlimited: l.reason}
	for i := range l.rules {
		limits.Rules = append(limits.Rules, l.rules[i].describe())
	}
	return limits
}

func (r *rule) describe() checklist.Limit {
	l := checklist.Limit{Per: r.scope, Count: r.count, Period: r.per, Burst: r.burst, InFlight: r.inFlight, Cost: r.cost, Name: r.name,
		OnFailure: r.onFailure, SplitByNetwork: r.split, Shadow: r.shadow, Preset: r.preset, Headers: r.limiter.Headers && !r.hidden}
	if r.weigh != nil {
		l.Weight = funcName(r.weigh)
	}
	if r.limiter.Store != nil {
		l.Store, l.Outage = reflect.TypeOf(r.limiter.Store).String(), r.limiter.Outage.String()
	}
	return l
}

func (t *Responder) describe() checklist.Tell {
	status := t.InvalidStatus
	if status == 0 {
		status = http.StatusBadRequest
	}
	return checklist.Tell{MediaType: t.Format.contentType(), InvalidStatus: status}
}

// resultOf is the type of what a handler's result has as its body.
func resultOf[Out any]() reflect.Type {
	out := reflect.TypeFor[Out]()
	if r, ok := any(*new(Out)).(replier); ok && out.Kind() != reflect.Pointer {
		return r.body()
	}
	return out
}
