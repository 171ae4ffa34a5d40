package openapi

import (
	"slices"

	"github.com/routeguard/guard/checklist"
)

// headerTable has the header fields of responses, by the names of their components.
var headerTable = object{
	{"Location", header("Where what was created is found (RFC 9110, section 10.2.2).", false, "string")},
	{"RateLimit", header("What is left of the limits, and when there is more: RateLimit header fields for HTTP.", false, "string")},
	{"RateLimit-Policy", header("The limits: RateLimit header fields for HTTP.", false, "string")},
	{"Retry-After", header("Seconds to wait (RFC 9110, section 10.2.3).", false, "integer")},
	{"WWW-Authenticate", header("The credentials that are taken (RFC 9110, section 11.6.1).", true, "string")},
	{"WWW-Authenticate.scope", header("Present where a bearer token lacks a role (RFC 6750, section 3).", false, "string")},
	{"X-Request-ID", header("Names the request in the service's log.", true, "string")},
}

func header(description string, required bool, kind string) object {
	h := object{{"description", description}}
	if required {
		h.set("required", true)
	}
	h.set("schema", object{{"type", kind}})
	return h
}

// header is a reference to a header field.
func (b *builder) header(name string) object {
	b.headers[name] = true
	return object{{"$ref", "#/components/headers/" + name}}
}

func (b *builder) headerComponents() object {
	return slices.DeleteFunc(slices.Clone(headerTable), func(m member) bool { return !b.headers[m.name] })
}

// headersOf are the header fields that every response of a route may have.
func (b *builder) headersOf(r checklist.Route) object {
	headers := object{{"X-Request-ID", b.header("X-Request-ID")}}
	policy, state := announced(r.Limits)
	if policy {
		headers.set("RateLimit-Policy", b.header("RateLimit-Policy"))
	}
	if state {
		headers.set("RateLimit", b.header("RateLimit"))
	}
	return headers
}

// announced reports whether responses tell the limits, and what is left of them. It follows the guard:
// a route that counts failures tells nothing, and buckets that others share are not told.
func announced(l checklist.Limits) (policy, state bool) {
	for _, rule := range l.Rules {
		if rule.OnFailure {
			return false, false
		}
		if rule.Headers && !rule.Shadow && rule.Weight == "" {
			policy = true
			state = state || !rule.InFlight && rule.Per != "global" && rule.Per != "input"
		}
	}
	return policy, state
}
