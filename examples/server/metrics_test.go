package main

import (
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	s.do(t, "GET", "/me", "", s.bearer(t, "alice"))
	s.do(t, "GET", "/projects/"+bobProject, "", s.bearer(t, "alice"))
	s.do(t, "GET", "/a-path-that-a-client-made-up", "")
	r := s.do(t, "GET", "/metrics", "")
	if r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
		t.Fatalf("got %d %v", r.status, r.header)
	}
	for _, want := range []string{
		`http_requests_total{code="",route="GET /me",stage="respond",status="200"} 1`,
		`http_requests_total{code="not_found",route="GET /projects/{projectID}",stage="which",status="404"} 1`,
		`http_requests_total{code="not_found",route="",stage="route",status="404"} 1`,
		`http_request_duration_seconds_count{route="GET /me"} 1`,
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("no %s in\n%s", want, r.body)
		}
	}
	if strings.Contains(r.body, "made-up") || strings.Contains(r.body, bobProject) {
		t.Error("the metrics hold what a client wrote")
	}
}
