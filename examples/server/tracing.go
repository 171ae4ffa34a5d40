package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/routeguard/guard"
)

// tracing makes a span of each request. It knows methods, patterns, statuses and the guard's verdicts, and of what a
// client wrote only a path whose parameters were checked.
type tracing struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	trusted  []netip.Prefix
}

// tracing sends spans to the collector, or is nil where there is none: nothing is connected to, then.
//
// What else OpenTelemetry's environment variables say, such as a sampler or headers for the collector, its SDK reads itself.
func (c config) tracing(ctx context.Context, log *slog.Logger) (*tracing, error) {
	if c.tracesURL == "" {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.tracesURL))
	if err != nil {
		return nil, fmt.Errorf("trace to the collector: %w", err)
	}
	is, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("projects")), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe the service to the collector: %w", err)
	}
	return newTracing(c.proxies, sdk.WithBatcher(&calmExporter{SpanExporter: exporter, log: log}), sdk.WithResource(is)), nil
}

func newTracing(trusted []netip.Prefix, options ...sdk.TracerProviderOption) *tracing {
	provider := sdk.NewTracerProvider(options...)
	return &tracing{provider: provider, tracer: provider.Tracer("github.com/routeguard/guard/examples/server"), trusted: trusted}
}

// flush sends what was not sent yet, until ctx ends, and stops.
func (t *tracing) flush(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// handler puts a span around next, whose guard completes it through observeSpan. The handlers' context has it.
func (t *tracing) handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := spanMethod(r.Method)
		ctx, links := t.parent(r)
		ctx, span := t.tracer.Start(ctx, spanName(method, ""), trace.WithSpanKind(trace.SpanKindServer),
			trace.WithLinks(links...), trace.WithAttributes(method))
		ctx = context.WithValue(ctx, requestPath{}, r.URL.EscapedPath()) // escaped, it is text that a span can hold
		defer func() { span.End() }()                                    // called by defer itself, it would write down what a handler panicked with
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// requestPath is the key of a request's path for observeSpan.
type requestPath struct{}

// parent says to which trace a request belongs.
//
// A proxy of ours continues its own: the span is its child, and the proxy has decided about sampling. Anybody else begins
// a new one, which has a link to the trace that the client names: a client can neither write into a trace of ours nor
// say whether we keep one. Its tracestate is dropped, as it is free text. Nothing but the trace depends on any of this.
func (t *tracing) parent(r *http.Request) (context.Context, []trace.Link) {
	remote := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	named := trace.SpanContextFromContext(remote)
	switch {
	case !named.IsValid():
		return r.Context(), nil
	case t.trusts(r.RemoteAddr):
		return remote, nil
	}
	return r.Context(), []trace.Link{{SpanContext: named.WithTraceState(trace.TraceState{})}}
}

func (t *tracing) trusts(peer string) bool {
	addr, err := netip.ParseAddrPort(peer)
	if err != nil {
		return false
	}
	for _, p := range t.trusted {
		if p.Contains(addr.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// observeSpan completes the span of a request with what the guard reports. It leaves the error out: its text may
// repeat anything, and the log has it, under the same trace id.
func observeSpan(ctx context.Context, e guard.Event) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	if e.Stage == guard.StageAfter {
		span.AddEvent("hook failed")
		return
	}
	_, path, _ := strings.Cut(e.Route, " ") // this service's patterns are a method and a path
	span.SetName(spanName(spanMethod(e.Method), path))
	attributes := []attribute.KeyValue{attribute.String("guard.request_id", e.RequestID)}
	if path != "" {
		attributes = append(attributes, semconv.HTTPRoute(path))
	}
	if sent, ok := ctx.Value(requestPath{}).(string); ok && e.Stage > guard.StageWhich {
		attributes = append(attributes, semconv.URLPath(sent)) // before, an id in it may be anything, a token as well
	}
	const clientGone = 499 // nothing was sent
	if e.Status != clientGone {
		attributes = append(attributes, semconv.HTTPResponseStatusCode(e.Status))
	}
	if e.Code != "" {
		attributes = append(attributes, attribute.String("guard.code", e.Code), attribute.String("guard.stage", e.Stage.String()))
	}
	if e.Limit != "" {
		attributes = append(attributes, attribute.String("guard.limit", e.Limit))
	}
	if e.Status >= 500 {
		attributes = append(attributes, semconv.ErrorTypeKey.String(cmp.Or(e.Code, strconv.Itoa(e.Status))))
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attributes...)
}

var spanMethods = map[string]attribute.KeyValue{
	http.MethodGet: semconv.HTTPRequestMethodGet, http.MethodHead: semconv.HTTPRequestMethodHead,
	http.MethodPost: semconv.HTTPRequestMethodPost, http.MethodPut: semconv.HTTPRequestMethodPut,
	http.MethodPatch: semconv.HTTPRequestMethodPatch, http.MethodDelete: semconv.HTTPRequestMethodDelete,
	http.MethodOptions: semconv.HTTPRequestMethodOptions,
}

// spanMethod is the method if it is a usual one: a client may make up others.
func spanMethod(method string) attribute.KeyValue {
	if known, ok := spanMethods[method]; ok {
		return known
	}
	return semconv.HTTPRequestMethodOther
}

// spanName follows the semantic conventions of HTTP spans.
func spanName(method attribute.KeyValue, path string) string {
	name := method.Value.AsString()
	if method == semconv.HTTPRequestMethodOther {
		name = "HTTP"
	}
	return strings.TrimSpace(name + " " + path)
}

// calmExporter logs a collector that does not answer once, and once when it is back.
type calmExporter struct {
	sdk.SpanExporter
	log  *slog.Logger
	down atomic.Bool
}

func (e *calmExporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch was := e.down.Swap(err != nil); {
	case err != nil && !was:
		e.log.Warn("traces are lost: the collector failed", "cause", err)
	case err == nil && was:
		e.log.Info("traces arrive again")
	}
	return nil // the SDK would log each failure by itself, past our log
}

// tracedLog adds the trace to the records of a request.
type tracedLog struct{ slog.Handler }

func (h tracedLog) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r = r.Clone() // other handlers may share its attributes
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h tracedLog) WithAttrs(a []slog.Attr) slog.Handler { return tracedLog{h.Handler.WithAttrs(a)} }
func (h tracedLog) WithGroup(name string) slog.Handler   { return tracedLog{h.Handler.WithGroup(name)} }
