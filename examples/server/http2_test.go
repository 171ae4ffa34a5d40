package main

import (
	"net/http"
	"strings"
	"testing"
)

// A proxy that ends TLS may talk to the service in HTTP/2. Limits, errors and headers are the same there.
func TestHTTP2WithoutTLS(t *testing.T) {
	t.Parallel()
	url, _ := startInstance(t, map[string]string{})
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range 60 { // the sixth within a minute is one too many
		r, err := client.Post(url+"/contact", "application/json", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.ProtoMajor != 2 || r.Header.Get("X-Request-Id") == "" {
			t.Fatalf("got %s with header %v, want HTTP/2 and a request id", r.Proto, r.Header)
		}
		if r.StatusCode == http.StatusTooManyRequests {
			return
		}
		if r.StatusCode != http.StatusBadRequest {
			t.Fatalf("got %d, want 400 or 429", r.StatusCode)
		}
	}
	t.Error("sixty requests were none too many")
}
