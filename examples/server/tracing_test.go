package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/routeguard/guard"
)

// traced is the service with its spans in memory.
type traced struct {
	*service
	spans *tracetest.InMemoryExporter
}

func startTraced(t *testing.T, settings map[string]string, trusted ...netip.Prefix) *traced {
	t.Helper()
	s := &traced{startService(t, settings), tracetest.NewInMemoryExporter()}
	server := httptest.NewServer(newTracing(trusted, sdk.WithSyncer(s.spans)).handler(s.mux))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// span sends a request and returns the one span that it made. The server may end it after the client has its response.
func (s *traced) span(t *testing.T, method, path, body string, headers ...string) (tracetest.SpanStub, response) {
	t.Helper()
	s.spans.Reset()
	r := s.do(t, method, path, body, headers...)
	eventually(t, func() bool { return len(s.spans.GetSpans()) > 0 })
	all := s.spans.GetSpans()
	if len(all) != 1 {
		t.Fatalf("got %d spans, want 1", len(all))
	}
	return all[0], r
}

func attributesOf(span tracetest.SpanStub) map[string]string {
	got := map[string]string{}
	for _, a := range span.Attributes {
		got[string(a.Key)] = a.Value.String()
	}
	return got
}

func TestSpans(t *testing.T) {
	t.Parallel()
	s := startTraced(t, map[string]string{"CALLER_LIMIT": "1"})
	alice := s.bearer(t, "alice")
	tests := []struct {
		name    string
		method  string
		path    string
		body    string
		headers []string
		span    string
		want    map[string]string
	}{
		{name: "a request that is served", method: "GET", path: "/projects/" + aliceProject, headers: []string{alice},
			span: "GET /projects/{projectID}", want: map[string]string{"http.request.method": "GET", "http.route": "/projects/{projectID}",
				"url.path": "/projects/" + aliceProject, "http.response.status_code": "200"}},
		{name: "a query is not part of the path", method: "GET", path: "/search?q=harbor", span: "GET /search",
			want: map[string]string{"http.request.method": "GET", "http.route": "/search", "url.path": "/search", "http.response.status_code": "200"}},
		{name: "a limit that is used up", method: "GET", path: "/projects/" + aliceProject, headers: []string{alice},
			span: "GET /projects/{projectID}", want: map[string]string{"http.request.method": "GET", "http.route": "/projects/{projectID}",
				"http.response.status_code": "429", "guard.code": "rate_limited", "guard.stage": "caller_limit", "guard.limit": "caller"}},
		{name: "another user's project", method: "GET", path: "/projects/" + aliceProject, headers: []string{s.bearer(t, "bob")},
			span: "GET /projects/{projectID}", want: map[string]string{"http.request.method": "GET", "http.route": "/projects/{projectID}",
				"http.response.status_code": "404", "guard.code": "not_found", "guard.stage": "which"}},
		{name: "no credential", method: "POST", path: "/projects", body: `{}`, span: "POST /projects",
			want: map[string]string{"http.request.method": "POST", "http.route": "/projects", "http.response.status_code": "401",
				"guard.code": "unauthenticated", "guard.stage": "who"}},
		{name: "an unknown path", method: "GET", path: "/nowhere", span: "GET",
			want: map[string]string{"http.request.method": "GET", "http.response.status_code": "404", "guard.code": "not_found", "guard.stage": "route"}},
		{name: "a method that a client made up", method: "BREW", path: "/projects", span: "HTTP",
			want: map[string]string{"http.request.method": "_OTHER", "http.response.status_code": "405", "guard.code": "method_not_allowed", "guard.stage": "route"}},
		{name: "a head request", method: "HEAD", path: "/healthz", span: "HEAD /healthz",
			want: map[string]string{"http.request.method": "HEAD", "http.route": "/healthz", "url.path": "/healthz", "http.response.status_code": "200"}},
	}
	for _, tt := range tests {
		span, r := s.span(t, tt.method, tt.path, tt.body, tt.headers...)
		tt.want["guard.request_id"] = r.header.Get("X-Request-ID")
		if got := attributesOf(span); span.Name != tt.span || span.SpanKind != trace.SpanKindServer || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %s %v, want %s %v", tt.name, span.Name, got, tt.span, tt.want)
		}
		if span.Status.Code != codes.Unset {
			t.Errorf("%s: got status %v, want none: it is no fault of ours", tt.name, span.Status)
		}
	}
}

func TestSpanOfAFailure(t *testing.T) {
	t.Parallel()
	s := startTraced(t, nil)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	span, _ := s.span(t, "GET", "/search?q=harbor", "")
	if got := attributesOf(span); got["error.type"] != "internal" || got["http.response.status_code"] != "500" || span.Status.Code != codes.Error {
		t.Errorf("got %v %v, want an error", got, span.Status)
	}
	if span.Status.Description != "" || len(span.Events) > 0 {
		t.Errorf("got %q, %v, want nothing of the cause", span.Status.Description, span.Events)
	}
}

// A handler's context has the span, and so has what it calls; the log names it. A stream that breaks off has one, too.
func TestHandlersAndTheLogKnowTheTrace(t *testing.T) {
	t.Parallel()
	s := startTraced(t, nil)
	seen := make(chan trace.SpanContext, 1)
	s.completer = model(func(ctx context.Context, _ string) iter.Seq2[string, error] {
		seen <- trace.SpanContextFromContext(ctx)
		return said(io.ErrUnexpectedEOF, "One")(ctx, "")
	})
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/ai/complete", strings.NewReader(`{"prompt":"Hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token(t, "alice"))
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	eventually(t, func() bool { return len(s.spans.GetSpans()) > 0 })
	span := s.spans.GetSpans()[0]
	if got := <-seen; got.TraceID() != span.SpanContext.TraceID() || !got.IsValid() {
		t.Errorf("the handler has trace %s, want %s", got.TraceID(), span.SpanContext.TraceID())
	}
	if len(span.Events) > 0 {
		t.Errorf("got %v, want nothing of the panic that cuts the connection", span.Events)
	}
	want := fmt.Sprintf(`"trace_id":"%s","span_id":"%s"`, span.SpanContext.TraceID(), span.SpanContext.SpanID())
	if !strings.Contains(s.log.String(), want) {
		t.Errorf("no %s in\n%s", want, s.log.String())
	}
}

// A client names a trace, and no more: it cannot write into one of ours, nor say what is kept. A proxy of ours can.
func TestWhoseTrace(t *testing.T) {
	t.Parallel()
	const id, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	loopback := netip.MustParsePrefix("127.0.0.1/32")
	for _, tt := range []struct {
		name    string
		trusted []netip.Prefix
		headers []string
		trace   string // empty: one of its own
		link    string
		spans   int
	}{
		{name: "no trace", spans: 1},
		{name: "a client's", headers: []string{"Traceparent: 00-" + id + "-" + parent + "-01"}, link: id, spans: 1},
		{name: "a client's that asks not to be kept", headers: []string{"Traceparent: 00-" + id + "-" + parent + "-00"}, link: id, spans: 1},
		{name: "a client's with a state", headers: []string{"Traceparent: 00-" + id + "-" + parent + "-01", "Tracestate: mark=secret-mark"}, link: id, spans: 1},
		{name: "a client's that is malformed", headers: []string{"Traceparent: 00-secret-mark"}, spans: 1},
		{name: "a proxy's", trusted: []netip.Prefix{loopback}, headers: []string{"Traceparent: 00-" + id + "-" + parent + "-01"}, trace: id, spans: 1},
		{name: "a proxy's that is not kept", trusted: []netip.Prefix{loopback}, headers: []string{"Traceparent: 00-" + id + "-" + parent + "-00"}, spans: 0},
		{name: "another proxy's", trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, headers: []string{"Traceparent: 00-" + id + "-" + parent + "-01"}, link: id, spans: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startTraced(t, nil, tt.trusted...)
			if r := s.do(t, "GET", "/me", "", tt.headers...); r.status != 401 {
				t.Errorf("got %d, want 401 whatever the trace is", r.status)
			}
			if tt.spans == 0 {
				s.span(t, "GET", "/me", "") // waits for the server to be done with the first one
				return
			}
			eventually(t, func() bool { return len(s.spans.GetSpans()) == tt.spans })
			span := s.spans.GetSpans()[0]
			if got := span.SpanContext.TraceID().String(); (got == id) != (tt.trace == id) || span.Parent.IsValid() != (tt.trace == id) {
				t.Errorf("got trace %s below %s, want %q", got, span.Parent.SpanID(), tt.trace)
			}
			link := ""
			for _, l := range span.Links {
				link += l.SpanContext.TraceID().String()
			}
			if link != tt.link {
				t.Errorf("got a link to %q, want %q", link, tt.link)
			}
			if strings.Contains(fmt.Sprintf("%+v", span), "secret-mark") {
				t.Errorf("the span holds what a client wrote: %+v", span)
			}
		})
	}
}

// What clients write, credentials above all, is in no span, wherever they write it and whatever becomes of the request.
func TestSpansHoldNothingOfTheClient(t *testing.T) {
	t.Parallel()
	const mark = "secret-mark"
	s := startTraced(t, nil)
	alice := s.bearer(t, "alice")
	requests := []struct {
		method, path, body string
		headers            []string
	}{
		{method: "GET", path: "/projects?cursor=" + mark, headers: []string{alice}},
		{method: "GET", path: "/search?q=" + mark},
		{method: "GET", path: "/" + mark + "?" + mark},
		{method: "GET", path: "/projects/" + mark, headers: []string{alice}},
		{method: "GET", path: "/projects/%ff" + mark, headers: []string{alice}},
		{method: "GET", path: "/me", headers: []string{"Authorization: Bearer " + mark}},
		{method: "GET", path: "/me", headers: []string{"X-API-Key: " + mark}},
		{method: "GET", path: "/me", headers: []string{"Cookie: __Host-session=" + mark}},
		{method: "GET", path: "/me", headers: []string{alice, "User-Agent: " + mark, "Referer: https://" + mark, "X-Forwarded-For: " + mark,
			"X-Request-ID: " + mark, "Baggage: user=" + mark, "Tracestate: a=" + mark, "Forwarded: for=" + mark}},
		{method: "POST", path: "/login", body: `{"email":"` + mark + `@example.com","password":"` + mark + `"}`},
		{method: "POST", path: "/projects", body: `{"` + mark + `":1}`, headers: []string{alice}},
		{method: "POST", path: "/contact", body: `{"email":"a@b.example","message":"` + mark + ` is long enough"}`},
		{method: "POST", path: "/admin/users/" + mark + "/role", body: `{"role":"admin"}`, headers: []string{s.bearer(t, "admin")}},
		{method: "SECRET-MARK", path: "/me"},
	}
	for _, r := range requests {
		s.do(t, r.method, r.path, r.body, r.headers...)
	}
	eventually(t, func() bool { return len(s.spans.GetSpans()) == len(requests) })
	for _, span := range s.spans.GetSpans() {
		text, err := json.Marshal(span)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(string(text)+fmt.Sprintf("%+v", span)), mark) || strings.Contains(string(text), s.token(t, "alice")) {
			t.Errorf("a span holds what a client wrote: %s", text)
		}
	}
}

// A span's text is UTF-8, or its whole batch could not be encoded.
func TestSpanHoldsThePathEscaped(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	h := newTracing(nil, sdk.WithSyncer(spans)).handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		observeSpan(r.Context(), guard.Event{Method: "GET", Route: "GET /files/{name}", Stage: guard.StageRespond, Status: 200})
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/files/%ff%00?q=1", nil))
	if got := attributesOf(spans.GetSpans()[0])["url.path"]; got != "/files/%ff%00" {
		t.Errorf("got %q, want it as it was sent", got)
	}
}

// collect is a collector of traces. Every batch that it is sent goes to handle.
func collect(t *testing.T, handle func(*http.Request, *collector.ExportTraceServiceRequest) int) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unzipped
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
			return
		}
		batch := &collector.ExportTraceServiceRequest{}
		if err := proto.Unmarshal(b, batch); err != nil {
			t.Errorf("%q: %v", b, err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.WriteHeader(handle(r, batch))
	}))
	t.Cleanup(server.Close)
	return server
}

// The whole way: what the service was asked arrives at a collector, the last spans before the process ends.
func TestTracesReachACollector(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var names, services []string
	server := collect(t, func(r *http.Request, batch *collector.ExportTraceServiceRequest) int {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != "POST" || r.URL.Path != "/otlp/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("got %s %s, %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
		}
		for _, rs := range batch.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				if a.Key == "service.name" {
					services = append(services, a.Value.GetStringValue())
				}
			}
			for _, ss := range rs.ScopeSpans {
				for _, span := range ss.Spans {
					names = append(names, span.Name)
				}
			}
		}
		return http.StatusOK
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log syncBuffer
	done := make(chan error, 1)
	env := map[string]string{"ADDR": "127.0.0.1:0", "OTEL_EXPORTER_OTLP_ENDPOINT": server.URL + "/otlp"}
	go func() { done <- run(ctx, nil, settings(env), io.Discard, &log) }()
	url := listening(t, &log)
	for _, path := range []string{"/healthz", "/projects/%ff%00", "/search?q=harbor"} { // a path that is no UTF-8 must not spoil its batch
		response, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if got := strings.Join(names, "|"); got != "GET /healthz|GET /projects/{projectID}|GET /search" {
		t.Errorf("got spans %s", got)
	}
	if len(services) == 0 || services[0] != "projects" {
		t.Errorf("got service names %v, want projects", services)
	}
}

func TestACollectorThatFailsIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var status, batches atomic.Int32
	status.Store(http.StatusBadRequest) // not to be tried again
	server := collect(t, func(*http.Request, *collector.ExportTraceServiceRequest) int {
		batches.Add(1)
		return int(status.Load())
	})
	var log syncBuffer
	c := load(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": server.URL})
	tracing, err := c.tracing(t.Context(), c.logger(&log))
	if err != nil {
		t.Fatal(err)
	}
	send := func(n int) {
		for range n {
			_, span := tracing.tracer.Start(t.Context(), "span")
			span.End()
			if err := tracing.provider.ForceFlush(t.Context()); err != nil {
				t.Errorf("got %v, want no error beside the log's", err)
			}
		}
	}
	send(3)
	status.Store(http.StatusOK)
	send(2)
	if err := tracing.flush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
	if lost, back := strings.Count(log.String(), "the collector failed"), strings.Count(log.String(), "traces arrive again"); lost != 1 || back != 1 || batches.Load() != 5 {
		t.Errorf("got %d batches, and records %d and %d times, want 5, once and once:\n%s", batches.Load(), lost, back, log.String())
	}
}

type brokenExporter struct{ sdk.SpanExporter }

func (brokenExporter) ExportSpans(context.Context, []sdk.ReadOnlySpan) error {
	return io.ErrUnexpectedEOF
}

// The SDK writes each error that it gets to the standard error, past the service's log.
func TestTheSDKHearsOfNoFailure(t *testing.T) {
	t.Parallel()
	c := load(t, nil)
	e := &calmExporter{SpanExporter: brokenExporter{}, log: c.logger(io.Discard)}
	if err := e.ExportSpans(t.Context(), nil); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// Without the settings there is no exporter, and no span; records have no trace.
func TestTracingIsOffByDefault(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	c := load(t, nil)
	off, err := c.tracing(t.Context(), c.logger(&log))
	if off != nil || err != nil {
		t.Fatalf("got %v, %v, want nil", off, err)
	}
	next := http.NewServeMux()
	if got := off.handler(next); got != http.Handler(next) {
		t.Errorf("got %T around the handler, want nothing", got)
	}
	if err := off.flush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
	c.logger(&log).InfoContext(t.Context(), "hello")
	if strings.Contains(log.String(), "trace_id") {
		t.Errorf("got %s", log.String())
	}
}

// A collector that does not answer does not keep the service from stopping in time.
func TestFlushEndsWithItsContext(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c := load(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + silent.Addr().String()})
	tracing, err := c.tracing(t.Context(), c.logger(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracing.tracer.Start(t.Context(), "span")
	span.End()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tracing.flush(ctx); err == nil {
		t.Error("got no error, want one: the span was not sent")
	}
}
