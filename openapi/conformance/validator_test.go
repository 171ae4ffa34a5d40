package conformance

import (
	"context"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/routeguard/guard/openapi/openapitest"
)

func load(t *testing.T, doc []byte) *openapi3.T {
	t.Helper()
	parsed, err := openapi3.NewLoader().LoadFromData(doc)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// The validator checks the examples against their schemas, too.
func TestDocumentsFitAPublicValidator(t *testing.T) {
	t.Parallel()
	for name, doc := range documents(t) {
		if err := load(t, doc).Validate(context.Background()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Somebody else's reading of the document agrees with ours: what may be sent, may be sent.
func TestAPublicValidatorAgreesAboutRequests(t *testing.T) {
	t.Parallel()
	for name, doc := range documents(t) {
		parsed := load(t, doc)
		parsed.Servers = nil
		router, err := gorillamux.NewRouter(parsed)
		if err != nil {
			t.Fatal(err)
		}
		contract, err := openapitest.Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		seen, missed := map[bool]int{}, 0
		for i, r := range contract.Requests() {
			if !r.Valid && i%10 != 0 {
				continue // it compiles the schemas again for each
			}
			if r.Header.Get("Content-Type") != "" && r.Header.Get("Content-Type") != "application/json" {
				continue // its reading of forms is its own: files and repeated fields
			}
			req, err := r.HTTP("http://example.com")
			if err != nil {
				t.Fatal(err)
			}
			route, values, err := router.FindRoute(req)
			if err != nil {
				t.Errorf("%s: %s: %v", name, r, err)
				continue
			}
			err = openapi3filter.ValidateRequest(req.Context(), &openapi3filter.RequestValidationInput{Request: req, Route: route, PathParams: values,
				Options: &openapi3filter.Options{AuthenticationFunc: authenticated}})
			if err != nil && r.Valid {
				t.Errorf("%s: %s: got %v, want valid\n%s", name, r, err, r.Body)
			}
			seen[err == nil] += count(r.Valid == (err == nil))
			missed += count(err == nil && !r.Valid)
		}
		// It does not know x-guard-rules, and takes formats for annotations.
		if seen[true] < 20 || seen[false] < 15 || missed > seen[false]/3 {
			t.Errorf("%s: agrees that %d are valid and %d are not, and takes %d others", name, seen[true], seen[false], missed)
		}
	}
}

func authenticated(context.Context, *openapi3filter.AuthenticationInput) error { return nil }

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
