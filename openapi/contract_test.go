package openapi_test

import (
	"bytes"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/openapi/openapitest"
)

var update = flag.Bool("update", false, "write the golden file")

// The document is the same each time, byte for byte. The file is what the conformance tests read.
func TestDocumentIsStable(t *testing.T) {
	t.Parallel()
	const file = "testdata/everything.json"
	doc := document(t, &guard.Responder{})
	if again := document(t, &guard.Responder{}); !bytes.Equal(doc, again) {
		t.Error("two documents of the same routes differ")
	}
	if *update {
		if err := os.WriteFile(file, doc, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(doc, want) {
		t.Errorf("the document differs from %s: look at the difference after go test ./openapi -update", file)
	}
}

// What the document promises to be taken is taken, and what it refuses is refused, by the guards themselves. No response is
// one that the document does not describe.
func TestGuardsKeepTheDocument(t *testing.T) {
	t.Parallel()
	quiet := slog.New(slog.DiscardHandler)
	for _, tt := range []struct {
		name  string
		tell  *guard.Responder
		every int // which requests are sent
	}{
		{name: "problem details", tell: &guard.Responder{Log: quiet}, every: 1},
		{name: "error objects, 422", tell: &guard.Responder{Log: quiet, Format: guard.ErrorObject, InvalidStatus: http.StatusUnprocessableEntity}, every: 7},
	} {
		name, tell := tt.name, tt.tell
		contract, err := openapitest.Read(document(t, tell))
		if err != nil {
			t.Fatal(err)
		}
		mux := service(tell)
		valid, invalid := map[string]int{}, map[string]int{}
		for i, r := range contract.Requests() {
			if i%tt.every != 0 {
				continue
			}
			res := send(t, mux, r)
			refused := res.Code == http.StatusBadRequest || res.Code == http.StatusUnprocessableEntity
			switch {
			case r.Valid:
				valid[r.Path]++
			default:
				invalid[r.Path]++
			}
			if ok := res.Code < 400; ok != r.Valid || refused == r.Valid {
				t.Errorf("%s: %s: got %d %s, want valid %t\n%s %s", name, r, res.Code, res.Body, r.Valid, r.Body, r.Query)
			}
			if err := contract.Check(r.Method, r.Path, res.Code, res.Header(), res.Body.Bytes()); err != nil {
				t.Errorf("%s: %s: %v", name, r, err)
			}
		}
		for path, least := range map[string][2]int{
			"/everything": {150, 350}, "/forms": {10, 20}, "/plain": {4, 6}, "/things/{id}/{page}": {4, 6}, "/owned/{id}": {1, 0}, "/tree/": {1, 0},
		} {
			if tt.every == 1 && (valid[path] < least[0] || invalid[path] < least[1]) {
				t.Errorf("%s: %s: got %d valid and %d invalid requests, want at least %v", name, path, valid[path], invalid[path], least)
			}
		}
	}
}

func send(t *testing.T, h http.Handler, r openapitest.Request) *httptest.ResponseRecorder {
	t.Helper()
	req, err := r.HTTP("http://example.com")
	if err != nil {
		t.Fatal(err)
	}
	req.RemoteAddr = "192.0.2.7:4711"
	req.Header.Set("Authorization", "Bearer admin")
	res := httptest.NewRecorder()
	h.ServeHTTP(res, req)
	return res
}

func serve(h http.Handler, method, target string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, nil)
	res := httptest.NewRecorder()
	h.ServeHTTP(res, req)
	return res
}

// Check finds what a document does not say.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	contract, err := openapitest.Read(document(t, &guard.Responder{}))
	if err != nil {
		t.Fatal(err)
	}
	const problem = `{"type":"about:blank","title":"T","status":400,"code":"invalid_body","requestId":"x"}`
	header := func(more ...string) http.Header {
		h := http.Header{"X-Request-Id": {"x"}, "Content-Type": {"application/problem+json"}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	tests := []struct {
		name   string
		path   string
		status int
		header http.Header
		body   string
		want   string
	}{
		{name: "a refusal as it is described", status: 400, header: header(), body: problem},
		{name: "another path", path: "/nothing", status: 400, header: header(), body: problem, want: "is not in the document"},
		{name: "another status", status: 418, header: header(), body: problem, want: "the status 418 is not described"},
		{name: "another code", status: 400, header: header(), body: strings.Replace(problem, "invalid_body", "other", 1), want: "the body is not described"},
		{name: "another status in the body", status: 400, header: header(), body: strings.Replace(problem, ":400", ":404", 1), want: "the body is not described"},
		{name: "a missing member", status: 400, header: header(), body: strings.Replace(problem, `,"requestId":"x"`, "", 1), want: "the body is not described"},
		{name: "no JSON", status: 400, header: header(), body: "no", want: "decode the body"},
		{name: "another media type", status: 400, header: header("Content-Type", "text/plain"), body: problem, want: "the media type \"text/plain\""},
		{name: "a header field too many", status: 400, header: header("Retry-After", "1"), body: problem, want: "Retry-After is not described"},
		{name: "a header field too few", status: 401, header: header(), body: strings.NewReplacer("400", "401", "invalid_body", "unauthenticated").Replace(problem), want: "no header field WWW-Authenticate"},
		{name: "a body where there is none", path: "/forms", status: 204, header: header(), body: problem, want: "a body is not described"},
	}
	for _, tt := range tests {
		path := tt.path
		if path == "" {
			path = "/everything"
		}
		err := contract.Check("POST", path, tt.status, tt.header, []byte(tt.body))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, doc := range []string{"", "[]", `{"openapi":"3.0.3"}`} {
		if _, err := openapitest.Read([]byte(doc)); err == nil {
			t.Errorf("%q: is read", doc)
		}
	}
}
