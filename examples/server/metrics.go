package main

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/routeguard/guard"
)

// metrics counts what the guard reports. Its labels are patterns, codes and statuses, never what a client wrote.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	hooks    *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "Requests by route, status, code of the refusal and stage where they ended.",
		}, []string{"route", "status", "code", "stage"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Time from the first byte of the request to the response.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
		}, []string{"route"}),
		hooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hook_failures_total", Help: "Failed hooks after a successful handler, by route.",
		}, []string{"route"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.hooks, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe is the Responder's observation hook.
func (m *metrics) observe(_ context.Context, e guard.Event) {
	if e.Stage == guard.StageAfter {
		m.hooks.WithLabelValues(e.Route).Inc()
		return
	}
	m.requests.WithLabelValues(e.Route, strconv.Itoa(e.Status), e.Code, e.Stage.String()).Inc()
	m.seconds.WithLabelValues(e.Route).Observe(e.Duration.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
