package openapi_test

import (
	"bytes"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
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
	for name, tell := range map[string]*guard.Responder{
		"problem details":    {Log: slog.New(slog.DiscardHandler)},
		"error objects, 422": {Log: slog.New(slog.DiscardHandler), Format: guard.ErrorObject, InvalidStatus: http.StatusUnprocessableEntity},
	} {
		contract, err := openapitest.Read(document(t, tell))
		if err != nil {
			t.Fatal(err)
		}
		mux := service(tell)
		valid, invalid := map[string]int{}, map[string]int{}
		for _, r := range contract.Requests() {
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
			if valid[path] < least[0] || invalid[path] < least[1] {
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
