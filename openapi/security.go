package openapi

import (
	"cmp"
	"slices"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
)

// requirements are the credentials of which one must be sent, with the roles that the caller must have.
func (b *builder) requirements(w checklist.Who) []object {
	list := []object{}
	roles := w.Roles
	if roles == nil {
		roles = []string{}
	}
	for _, c := range w.Credentials {
		name := clean(c.Kind + "." + c.Name)
		if c.Kind == "bearer" {
			name = c.Kind
		}
		if !b.security.has(name) {
			b.security.set(name, scheme(c))
			slices.SortFunc(b.security, func(x, y member) int { return cmp.Compare(x.name, y.name) })
		}
		list = append(list, object{{name, roles}})
	}
	if w.Optional {
		list = append(list, object{})
	}
	return list
}

// scheme is how a credential is sent.
func scheme(c checklist.Credential) object {
	switch c.Kind {
	case "bearer":
		return object{{"type", "http"}, {"scheme", "bearer"}}
	case "cookie":
		return object{{"type", "apiKey"}, {"in", "cookie"}, {"name", c.Name},
			{"description", "Browsers send it by themselves: unsafe methods are refused from other origins than the service's and those that it names."}}
	case "signed":
		return object{{"type", "apiKey"}, {"in", "header"}, {"name", signatures[c.Name].field}, {"description", signatures[c.Name].text}}
	}
	return object{{"type", "apiKey"}, {"in", "header"}, {"name", c.Name}}
}

// signature is how a scheme of signed messages sends its signature, and the fields beside it.
type signature struct {
	field, text string
	others      []object
}

// signatures are those of guard's schemes. OpenAPI has no kind of its own for signed bodies.
var signatures = map[string]signature{
	guard.StandardWebhooks.String(): {field: "Webhook-Signature", text: "A signature of the id, the time and the body: see standardwebhooks.com.",
		others: []object{
			{{"name", "Webhook-Id"}, {"in", "header"}, {"required", true}, {"schema", object{{"type", "string"}, {"minLength", 1}, {"maxLength", 256}}}},
			{{"name", "Webhook-Timestamp"}, {"in", "header"}, {"required", true}, {"description", "Seconds since 1970."},
				{"schema", object{{"type", "integer"}}}},
		}},
	guard.GitHub.String(): {field: "X-Hub-Signature-256", text: "sha256= and the HMAC of the body in hexadecimal, as GitHub sends it.",
		others: []object{{{"name", "X-GitHub-Delivery"}, {"in", "header"}, {"schema", object{{"type", "string"}}}}}},
	guard.Stripe.String(): {field: "Stripe-Signature", text: "A time and signatures of it and the body, as Stripe sends them."},
}

// signedBy is the scheme of a route's signed messages, or "".
func signedBy(w checklist.Who) string {
	for _, c := range w.Credentials {
		if c.Kind == "signed" {
			return c.Name
		}
	}
	return ""
}

func signatureFields(w checklist.Who) []object { return signatures[signedBy(w)].others }
