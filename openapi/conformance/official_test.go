// Package conformance tests the documents of package openapi against the official schema and a public validator.
package conformance

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// officialSchemas are the files of testdata/oas, by the addresses that they are published under.
var officialSchemas = map[string]string{
	"https://spec.openapis.org/oas/3.1/schema":       "schema",
	"https://spec.openapis.org/oas/3.1/schema-base":  "schema-base",
	"https://spec.openapis.org/oas/3.1/dialect/base": "dialect-base",
	"https://spec.openapis.org/oas/3.1/meta/base":    "meta-base",
}

// official is the schema of OpenAPI documents whose Schema Objects are in the dialect of OpenAPI 3.1.
func official(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for address, file := range officialSchemas {
		if err := c.AddResource(address, parse(t, read(t, "testdata/oas/"+file+".json"))); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("https://spec.openapis.org/oas/3.1/schema-base")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t *testing.T, b []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// documents are the example's and one with fields of all kinds. Tests of the example and of package openapi hold them against
// their files.
func documents(t *testing.T) map[string][]byte {
	t.Helper()
	return map[string][]byte{"the example's": read(t, "../../examples/server/testdata/openapi.json"), "all kinds": everything(t)}
}

// everything is the document of a service with fields of all kinds. A test of package openapi holds it against the file.
func everything(t *testing.T) []byte {
	t.Helper()
	return read(t, "../testdata/everything.json")
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDocumentsFitTheOfficialSchema(t *testing.T) {
	t.Parallel()
	schema := official(t)
	for name, doc := range documents(t) {
		if err := schema.Validate(parse(t, doc)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The schema finds faults, in the document and in the schemas within.
func TestTheOfficialSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := official(t)
	for fault, change := range map[string][2]string{
		"a type that there is not":   {`"type": "string"`, `"type": "text"`},
		"a length that is no number": {`"minLength": 1`, `"minLength": "1"`},
		"a parameter from nowhere":   {`"in": "path"`, `"in": "nowhere"`},
		"a response without text":    {`"description": "OK."`, `"summary": "OK."`},
	} {
		doc := string(everything(t))
		spoiled := strings.Replace(doc, change[0], change[1], 1)
		if spoiled == doc {
			t.Errorf("%s: the document has no %s", fault, change[0])
		}
		if schema.Validate(parse(t, []byte(spoiled))) == nil {
			t.Errorf("%s: is not refused", fault)
		}
	}
}
