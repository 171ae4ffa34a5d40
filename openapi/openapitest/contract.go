// Package openapitest tests a service against its own OpenAPI document.
//
// It reads nothing but the document, as package openapi writes it: [Contract.Requests] are requests that
// the document describes, good and bad, and [Contract.Check] tells whether a response is one that it describes.
// A test sends the former to the service and hands the responses to the latter:
//
//	contract, err := openapitest.Read(doc)
//	for _, r := range contract.Requests() {
//		res := send(r.HTTP(server.URL)) // with a credential, and a resource's id in r.PathValues
//		if refused := res.StatusCode == 400; refused == r.Valid {
//			t.Errorf("%s: got %d", r, res.StatusCode)
//		}
//	}
package openapitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// schema is a JSON object of the document.
type schema = map[string]any

// Contract is a document that was read. It is immutable and safe for concurrent use.
type Contract struct {
	doc      schema
	patterns sync.Map // *regexp.Regexp by its text
}

// Read reads a document that package openapi has made.
func Read(document []byte) (*Contract, error) {
	c := &Contract{}
	if err := decode(document, &c.doc); err != nil {
		return nil, fmt.Errorf("openapitest: read the document: %w", err)
	}
	if version, _ := c.doc["openapi"].(string); !strings.HasPrefix(version, "3.1.") {
		return nil, errors.New("openapitest: the document is not OpenAPI 3.1")
	}
	return c, nil
}

// decode keeps numbers as they are written.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// follow finds what a reference names. What is not there is the empty schema.
func (c *Contract) follow(ref string) schema {
	at := c.doc
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at = object(at[part])
	}
	return at
}

func object(v any) schema {
	o, _ := v.(schema)
	return o
}

// resolved is an object, or what it refers to.
func (c *Contract) resolved(v any) schema {
	o := object(v)
	if ref, ok := o["$ref"].(string); ok {
		return c.follow(ref)
	}
	return o
}

// pattern compiles the value of a pattern keyword once. Of what Go cannot read nothing is known: no text matches.
func (c *Contract) pattern(text string) *regexp.Regexp {
	if known, ok := c.patterns.Load(text); ok {
		return known.(*regexp.Regexp)
	}
	expression, err := regexp.Compile(text)
	if err != nil {
		expression = regexp.MustCompile(`[^\x00-\x{10FFFF}]`)
	}
	c.patterns.Store(text, expression)
	return expression
}

// operation is one method of one path.
type operation struct {
	method, path string
	schema
}

// operations are those of the document, in alphabetical order of their paths and methods.
func (c *Contract) operations() []operation {
	var all []operation
	paths := object(c.doc["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := object(paths[path])
		for _, method := range slices.Sorted(maps.Keys(item)) {
			if !strings.HasPrefix(method, "x-") {
				all = append(all, operation{strings.ToUpper(method), path, object(item[method])})
			}
		}
	}
	return all
}

// Check returns what is wrong with a response, or nil where the document describes it.
//
// The path is the document's own: "/projects/{projectID}". Described are the status, the
// media type, the body, and the header fields that the guard sends. A status that default alone
// stands for is not described: name the refusal in openapi.Operation.
func (c *Contract) Check(method, path string, status int, header http.Header, body []byte) error {
	op := object(object(object(c.doc["paths"])[path])[strings.ToLower(method)])
	if op == nil {
		return fmt.Errorf("%s %s: is not in the document", method, path)
	}
	responses := object(op["responses"])
	response := c.resolved(responses[strconv.Itoa(status)])
	if response == nil {
		response = c.resolved(responses[strconv.Itoa(status/100)+"XX"])
	}
	if response == nil {
		return fmt.Errorf("%s %s: the status %d is not described: %s", method, path, status, body)
	}
	if err := errors.Join(c.checkHeader(response, header), c.checkBody(response, header, body)); err != nil {
		return fmt.Errorf("%s %s: %d: %w", method, path, status, err)
	}
	return nil
}

// guardHeaders are sent by the guard where they apply, and by it alone.
var guardHeaders = []string{"Location", "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-ID"}

func (c *Contract) checkHeader(response schema, header http.Header) error {
	var errs []error
	described := object(response["headers"])
	for _, name := range guardHeaders {
		h, known := described[name]
		switch sent := header.Get(name) != ""; {
		case sent && !known:
			errs = append(errs, fmt.Errorf("the header field %s is not described", name))
		case !sent && known && c.resolved(h)["required"] == true:
			errs = append(errs, fmt.Errorf("there is no header field %s", name))
		}
	}
	return errors.Join(errs...)
}

func (c *Contract) checkBody(response schema, header http.Header, body []byte) error {
	content := object(response["content"])
	if content == nil {
		if len(body) > 0 {
			return fmt.Errorf("a body is not described: %s", body)
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	described, ok := content[media]
	if !ok {
		described, ok = content["*/*"]
	}
	if err != nil && !ok || !ok {
		return fmt.Errorf("the media type %q is not described", header.Get("Content-Type"))
	}
	s := object(object(described)["schema"])
	if s == nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
		return nil
	}
	var v any
	if err := decode(body, &v); err != nil {
		return fmt.Errorf("decode the body: %w", err)
	}
	if c.judge(s, v, example{}) == refused {
		return fmt.Errorf("the body is not described: %s", body)
	}
	return nil
}
