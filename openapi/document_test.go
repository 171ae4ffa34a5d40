package openapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
	"github.com/routeguard/guard/openapi"
)

// at returns the JSON at a path of member names in a document, on a line.
func at(t *testing.T, doc []byte, path ...string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	for _, name := range path {
		o, _ := v.(map[string]any)
		v = o[name]
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func documentOf(t *testing.T, mux *guard.Mux, operations ...openapi.Operation) []byte {
	t.Helper()
	doc, err := openapi.Document(openapi.Info{Title: "A test", Version: "1", Servers: []string{"https://api.example"}}, mux.Routes(), operations...)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// The schemas of the service with all kinds of fields, one by one.
func TestSchemas(t *testing.T) {
	t.Parallel()
	doc := document(t, &guard.Responder{})
	members := map[string]string{
		"name": `{"description":"Once normalized (trim), it is required, must be at least 3 characters, must be at most 20 characters.",` +
			`"minLength":3,"type":"string","x-guard-normalize":"trim","x-guard-rules":["required","min=3","max=20"]}`,
		"kind": `{"description":"Once normalized (lower), it must be one of: big, small.","examples":["big","small"],"type":"string","x-guard-normalize":"lower","x-guard-rules":["oneof=big small"]}`,
		"blank": `{"description":"It may be blank. Once normalized (trim), it must be at least 3 characters, must contain only letters a to z.",` +
			`"type":"string","x-guard-normalize":"trim","x-guard-rules":["omitempty","min=3","alpha"]}`,
		"email":  `{"anyOf":[{"const":""},{"format":"email"}],"type":"string"}`,
		"age":    `{"anyOf":[{"const":0},{"minimum":18}],"format":"int64","type":"integer"}`,
		"size":   `{"enum":[1,2,3],"format":"int32","maximum":2147483647,"minimum":-2147483648,"type":"integer"}`,
		"count":  `{"format":"uint8","maximum":255,"minimum":0,"not":{"const":0},"type":"integer"}`,
		"weight": `{"format":"double","maximum":99.5,"minimum":0.5,"type":"number"}`,
		"agree":  `{"const":true,"type":"boolean"}`,
		"flag":   `{"type":"boolean"}`,
		"scores": `{"additionalProperties":{"format":"int64","maximum":10,"minimum":0,"type":"integer"},"maxProperties":2,` +
			`"propertyNames":{"maxLength":256,"pattern":"^[a-zA-Z]+$"},"type":"object"}`,
		"tags":    `{"items":{"maxLength":8,"minLength":2,"pattern":"^[a-zA-Z0-9]+$","type":"string"},"maxItems":3,"minItems":1,"type":"array","uniqueItems":true}`,
		"where":   `{"$ref":"#/components/schemas/point"}`,
		"spot":    `{"anyOf":[{"$ref":"#/components/schemas/point"},{"type":"null"}]}`,
		"skipped": `{"$ref":"#/components/schemas/namedUnjudged"}`,
		"pair":    `{"$ref":"#/components/schemas/pair_point"}`,
		"dueAt":   `{"description":"RFC 3339, with at most nine digits of a second's fraction.","format":"date-time","type":["string","null"]}`,
		"choice":  `{"anyOf":[{"enum":["a","b"],"type":"string"},{"type":"null"}]}`,
		"sure":    `{"format":"int64","maximum":9,"type":"integer"}`,
		"any":     `{"description":"Any JSON of at most 10 values.","x-guard-max-values":10}`,
		"repeat":  `{"description":"It must be the same as password.","type":"string","x-guard-rules":["eqfield=password"]}`,
		"prefix":  `{"allOf":[{"pattern":"z$"}],"not":{"pattern":"bad"},"pattern":"^x\\.","type":"string"}`,
	}
	for name, want := range members {
		if got := at(t, doc, "components", "schemas", "everything", "properties", name); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
	const required = `["embedded","name","kind","size","count","weight","agree","flag","when","id","data","tags","home","judged","pair","must","sure","password","fixed","prefix","inline"]`
	if got := at(t, doc, "components", "schemas", "everything", "required"); got != required {
		t.Errorf("got the required members %s, want %s", got, required)
	}
	const tree = `{"additionalProperties":false,"properties":{"children":{"items":{"$ref":"#/components/schemas/treeInput"},"maxItems":2,"type":"array"},` +
		`"label":{"maxLength":9,"minLength":1,"type":"string"}},"required":["label"],"type":"object"}`
	if got := at(t, doc, "components", "schemas", "treeInput"); got != tree {
		t.Errorf("got %s, want %s", got, tree)
	}
	const answered = `{"any":{},"at":{"format":"date-time","type":"string"},"bytes":{"contentEncoding":"base64","type":"string"},"color":{"type":"string"},` +
		`"id":{"format":"uuid","type":"string"},"left":{"format":"int64","type":["integer","null"]},"many":{"additionalProperties":{"items":{"type":"number"},"type":"array"},"type":"object"},` +
		`"maybe":{"format":"int64","type":["integer","null"]},"Plain":{"type":"string"},"quoted":{"type":"string"},"raw":{},"right":{"format":"int64","type":["integer","null"]},` +
		`"tree":{"anyOf":[{"$ref":"#/components/schemas/tree"},{"type":"null"}]}}`
	if got := at(t, doc, "components", "schemas", "result", "properties"); !sameMembers(t, got, answered) {
		t.Errorf("got %s, want %s", got, answered)
	}
}

func sameMembers(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

func TestOperations(t *testing.T) {
	t.Parallel()
	tell := &guard.Responder{}
	limits := &guard.Limiter{}
	users := guard.FirstOf(guard.Bearer(verify), guard.Cookie("__Host-s", verify))
	ten := limits.PerCaller(10, time.Minute)
	taken := guard.Fail(http.StatusConflict, "name_taken", "The name is taken.")
	mux := guard.NewMux(tell)
	mux.Handle("POST /a/{x}", guard.New(guard.Only(users, caller.IsAdmin), guard.NoPayload, guard.NoResource, ten, tell, nothing))
	mux.Handle("GET /a/{y}", guard.New(guard.AllowAnonymous(users), guard.NoPayload, guard.NoResource, limits.PerIP(1, time.Second), tell, nothing))
	mux.Handle("PURGE /a/{x}", guard.New(users, guard.NoPayload, guard.NoResource, ten.Shadow(), tell, nothing))
	mux.Handle("/any", guard.Wrap(users, guard.NoPayload, guard.NoResource, ten, tell, http.HandlerFunc(hello)))
	mux.Handle("GET /any", guard.New(users, guard.NoPayload, guard.NoResource, ten, tell, nothing))
	mux.Handle("GET files.example/all/", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("a test"), tell, nothing))
	mux.Handle("GET /all/{$}", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("a test"), tell, nothing))
	mux.Unguarded("GET /page", "a page", http.HandlerFunc(hello))
	mux.Unguarded("GET /healthz", "a probe", http.HandlerFunc(hello))
	doc := documentOf(t, mux, openapi.Operation{Pattern: "POST /a/{x}", Success: []int{201, 202}, Errors: []error{taken, fmt.Errorf("no: %w", guard.ErrNotFound)},
		Tags: []string{"a"}, Deprecated: true, ID: "make"}, openapi.Operation{Pattern: "GET /healthz", MediaType: "text/plain"})
	tests := []struct {
		name string
		path []string
		want string
	}{
		{name: "an id of its own", path: []string{"paths", "/a/{x}", "post", "operationId"}, want: `"make"`},
		{name: "an id that is made", path: []string{"paths", "/a/{x}", "get", "operationId"}, want: `"getAByX"`},
		{name: "one path has one name for its parameter", path: []string{"paths", "/a/{y}"}, want: `null`},
		{name: "a role", path: []string{"paths", "/a/{x}", "post", "x-guard-roles"}, want: `["caller.IsAdmin"]`},
		{name: "the credentials, of which one is needed", path: []string{"paths", "/a/{x}", "post", "security"},
			want: `[{"bearer":["caller.IsAdmin"]},{"cookie.__Host-s":["caller.IsAdmin"]}]`},
		{name: "no credential is needed", path: []string{"paths", "/a/{x}", "get", "security"}, want: `[{"bearer":[]},{"cookie.__Host-s":[]},{}]`},
		{name: "nobody is known", path: []string{"paths", "/all/", "get", "security"}, want: `[]`},
		{name: "a refusal of the service's own", path: []string{"paths", "/a/{x}", "post", "responses", "409", "$ref"}, want: `"#/components/responses/409.name_taken"`},
		{name: "a refusal that is wrapped", path: []string{"paths", "/a/{x}", "post", "responses", "404", "$ref"}, want: `"#/components/responses/404.not_found"`},
		{name: "roles and origins", path: []string{"paths", "/a/{x}", "post", "responses", "403", "$ref"}, want: `"#/components/responses/403.cross_origin.forbidden"`},
		{name: "no origin is checked of a GET", path: []string{"paths", "/a/{x}", "get", "responses", "403"}, want: `null`},
		{name: "a shadow refuses nothing", path: []string{"paths", "/a/{x}", "x-guard-operations", "PURGE", "responses", "429"}, want: `null`},
		{name: "every success", path: []string{"paths", "/a/{x}", "post", "responses", "202", "description"}, want: `"Accepted."`},
		{name: "the route with a method has it", path: []string{"paths", "/any", "get", "x-guard-any-method"}, want: `null`},
		{name: "the route without a method has the others", path: []string{"paths", "/any", "delete", "x-guard-any-method"}, want: `true`},
		{name: "a wrapped handler may answer anything", path: []string{"paths", "/any", "put", "responses", "2XX", "content"}, want: `{"*/*":{}}`},
		{name: "a subtree has a parameter for its rest", path: []string{"paths", "/all/{rest}", "get", "parameters"},
			want: `[{"description":"The rest of the path, which may hold slashes.","in":"path","name":"rest","required":true,"schema":{"type":"string"}}]`},
		{name: "a host is a server", path: []string{"paths", "/all/{rest}", "get", "servers"}, want: `[{"url":"https://files.example"}]`},
		{name: "what is not guarded is no API", path: []string{"paths", "/page"}, want: `null`},
		{name: "unless it is named", path: []string{"paths", "/healthz", "get"},
			want: `{"description":"Not guarded: a probe.","operationId":"getHealthz","responses":{"200":{"content":{"text/plain":{}},"description":"OK."}}}`},
		{name: "the servers", path: []string{"servers"}, want: `[{"url":"https://api.example"}]`},
	}
	for _, tt := range tests {
		if got := at(t, doc, tt.path...); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Limits tell what they tell: no policy where failures are counted, nothing of buckets that others share.
func TestLimitHeaders(t *testing.T) {
	t.Parallel()
	tell := &guard.Responder{}
	told, quiet := &guard.Limiter{Headers: true}, &guard.Limiter{}
	tests := map[string]struct {
		limit guard.Limit
		want  string
	}{
		"told":                {told.PerIP(5, time.Minute), "RateLimit,RateLimit-Policy,X-Request-ID"},
		"a global one":        {told.Global(5, time.Minute), "RateLimit-Policy,X-Request-ID"},
		"places":              {told.InFlight(5), "RateLimit-Policy,X-Request-ID"},
		"quiet":               {quiet.PerIP(5, time.Minute), "X-Request-ID"},
		"hidden":              {told.PerIP(5, time.Minute).Hidden(), "X-Request-ID"},
		"a shadow":            {told.PerIP(5, time.Minute).Shadow(), "X-Request-ID"},
		"beside one of tries": {guard.And(told.PerIP(5, time.Minute), quiet.PerIP(9, time.Hour).OnFailure()), "X-Request-ID"},
	}
	for name, tt := range tests {
		mux := guard.NewMux(tell)
		mux.Handle("GET /x", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, tt.limit, tell, nothing))
		var headers map[string]any
		if err := json.Unmarshal([]byte(at(t, documentOf(t, mux), "paths", "/x", "get", "responses", "204", "headers")), &headers); err != nil {
			t.Fatal(err)
		}
		res := serve(mux, "GET", "/x")
		for _, h := range []string{"RateLimit", "RateLimit-Policy", "X-Request-ID"} {
			_, described := headers[h]
			if described != strings.Contains(","+tt.want+",", ","+h+",") {
				t.Errorf("%s: got %s described: %t, want %s", name, h, described, tt.want)
			}
			if sent := res.Header().Get(h) != ""; sent != described && !(name == "places" && h == "RateLimit") {
				t.Errorf("%s: the guard sends %s: %t, described: %t", name, h, sent, described)
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	tell := &guard.Responder{}
	who, limit := guard.Bearer(verify), guard.Unlimited("a test")
	mux := guard.NewMux(tell)
	mux.Handle("POST /x", guard.New(who, guard.JSON[point], guard.NoResource, limit, tell, func(context.Context, *guard.Call[caller, point, guard.None]) (tree, error) { return tree{}, nil }))
	mux.Handle("GET /x", guard.New(who, guard.NoPayload, guard.NoResource, limit, tell, nothing))
	mux.Handle("GET a.example/x", guard.New(who, guard.NoPayload, guard.NoResource, limit, tell, nothing))
	_, err := openapi.Document(openapi.Info{Title: "T"}, append(mux.Routes(), checklist.Route{Pattern: "GET /x"}),
		openapi.Operation{Pattern: "POST /y"}, openapi.Operation{Pattern: "GET /x", Body: map[string]any{"a": 1}}, openapi.Operation{Pattern: "GET /x"},
		openapi.Operation{Pattern: "POST /x", Input: tree{}, Result: point{}, Success: []int{404}, Errors: []error{errors.New("private")}})
	if err == nil {
		t.Fatal("no mistake is found")
	}
	for _, want := range []string{
		"Info: Title and Version are required", `Operation "POST /y": there is no such route`, `Operation "GET /x": is given twice`,
		"GET /x: is twice in the routes", "GET a.example/x: OpenAPI cannot tell it from another route", "POST /x: Input: the example is a openapi_test.tree",
		"POST /x: Result: the example is a openapi_test.point", "POST /x: Success: 404 is no success", "POST /x: in Errors: private: no refusal",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

// A type's own name is enough where no other type has it.
func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	type Problem struct { // like the schema of errors
		A string `json:"a" validate:"max=3"`
	}
	type duration struct { // in another scope, time.Duration has no schema of this name
		Of http.Cookie
	}
	tell := &guard.Responder{}
	mux := guard.NewMux(tell)
	mux.Handle("POST /x", guard.New(guard.Anyone, guard.JSON[Problem], guard.NoResource, guard.Unlimited("a test"), tell,
		func(context.Context, *guard.Call[guard.Anonymous, Problem, guard.None]) (pair[Problem], error) {
			return pair[Problem]{}, nil
		}))
	mux.Handle("GET /x", guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("a test"), tell,
		func(context.Context, *guard.Call[guard.Anonymous, guard.None, guard.None]) (duration, error) {
			return duration{}, nil
		}))
	var schemas map[string]any
	if err := json.Unmarshal([]byte(at(t, documentOf(t, mux), "components", "schemas")), &schemas); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Problem", "openapi_test.Problem", "openapi_test.ProblemInput", "pair_Problem", "Cookie", "duration"} {
		if schemas[name] == nil {
			t.Errorf("no %s in %v", name, schemas)
		}
	}
}
