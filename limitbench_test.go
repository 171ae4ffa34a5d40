package guard

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// The targets are ratios to BenchmarkRateLimiterAllow in the same run. BenchmarkStage
// is a whole stage of a route: key, digest, decision, verdict.
//
//	go test -run '^$' -bench 'RateLimiterAllow|Stage|Guard' -count 6 .

func BenchmarkRateLimiterAllow(b *testing.B) {
	l := rate.NewLimiter(1e9, 1<<30)
	b.ReportAllocs()
	for b.Loop() {
		l.Allow()
	}
}

func BenchmarkStage(b *testing.B) {
	limits := &Limiter{}
	perIP, global := limits.PerIP(1e6, time.Second).Burst(1<<30), limits.Global(1e6, time.Second).Burst(1<<30)
	benchmarks := []struct {
		name    string
		limit   Limit
		refused bool
	}{
		{name: "one limit", limit: perIP},
		{name: "two limits", limit: And(perIP, global)},
		{name: "a refusal", limit: limits.PerIP(1, 24*time.Hour), refused: true},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			p, err := planLimits[Anonymous, None](bb.limit)
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Pattern = "GET /"
			x := &exchange{tell: &Responder{}, r: r, w: httptest.NewRecorder(), addr: netip.MustParseAddr("192.0.2.1")}
			ctx := context.Background()
			_ = p.beforeSession(ctx, x)
			b.ReportAllocs()
			for b.Loop() {
				if err := p.beforeSession(ctx, x); (err != nil) != bb.refused {
					b.Fatal(err)
				}
			}
		})
	}
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func BenchmarkGuard(b *testing.B) {
	quiet := &Responder{Log: slog.New(slog.DiscardHandler)}
	limits, told := &Limiter{}, &Limiter{Headers: true}
	benchmarks := []struct {
		name  string
		limit Limit
	}{
		{name: "no limit", limit: Unlimited("benchmark")},
		{name: "one limit", limit: limits.PerIP(1e6, time.Second).Burst(1 << 30)},
		{name: "one limit with headers", limit: told.PerIP(1e6, time.Second).Burst(1 << 30)},
		{name: "a refusal", limit: limits.PerIP(1, 24*time.Hour)},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			g := Wrap(Anyone, NoPayload, NoResource, bb.limit, quiet, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Pattern = "GET /"
			w := &discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				g.ServeHTTP(w, r)
			}
		})
	}
}
