package bench_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/didip/tollbooth/v7"
	tollboothlimiter "github.com/didip/tollbooth/v7/limiter"
	"github.com/go-chi/httprate"
	"github.com/sethvargo/go-limiter/httplimit"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/middleware/stdlib"
	ululememory "github.com/ulule/limiter/v3/drivers/store/memory"

	"github.com/routeguard/guard"
)

// peers are limiters of n requests an hour for each address, around a handler.
var peers = []struct {
	name string
	wrap func(tb testing.TB, n int, h http.Handler) http.Handler
}{
	{name: "guard", wrap: func(_ testing.TB, n int, h http.Handler) http.Handler {
		return guarded((&guard.Limiter{}).PerIP(n, time.Hour), h)
	}},
	{name: "guard with headers", wrap: func(_ testing.TB, n int, h http.Handler) http.Handler {
		return guarded((&guard.Limiter{Headers: true}).PerIP(n, time.Hour), h)
	}},
	{name: "httprate", wrap: func(_ testing.TB, n int, h http.Handler) http.Handler {
		return httprate.LimitBy(n, time.Hour, func(r *http.Request) (string, error) {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			return httprate.CanonicalizeIP(host), err
		})(h)
	}},
	{name: "ulule", wrap: func(_ testing.TB, n int, h http.Handler) http.Handler {
		l := limiter.New(ululememory.NewStore(), limiter.Rate{Period: time.Hour, Limit: int64(n)})
		return stdlib.NewMiddleware(l).Handler(h)
	}},
	{name: "go-limiter", wrap: func(tb testing.TB, n int, h http.Handler) http.Handler {
		store, err := memorystore.New(&memorystore.Config{Tokens: uint64(n), Interval: time.Hour})
		if err != nil {
			tb.Fatal(err)
		}
		m, err := httplimit.NewMiddleware(store, httplimit.IPKeyFunc())
		if err != nil {
			tb.Fatal(err)
		}
		return m.Handle(h)
	}},
	{name: "tollbooth", wrap: func(_ testing.TB, n int, h http.Handler) http.Handler {
		l := tollbooth.NewLimiter(float64(n)/3600, &tollboothlimiter.ExpirableOptions{DefaultExpirationTTL: time.Hour})
		return tollbooth.LimitHandler(l.SetBurst(n).SetIPLookups([]string{"RemoteAddr"}), h)
	}},
	{name: "throttled", wrap: func(tb testing.TB, n int, h http.Handler) http.Handler {
		store, err := memstore.NewCtx(65536)
		if err != nil {
			tb.Fatal(err)
		}
		l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerHour(n), MaxBurst: n - 1})
		if err != nil {
			tb.Fatal(err)
		}
		return (&throttled.HTTPRateLimiterCtx{RateLimiter: l, VaryBy: &throttled.VaryBy{RemoteAddr: true}}).RateLimit(h)
	}},
}

func guarded(limit guard.Limit, h http.Handler) http.Handler {
	quiet := &guard.Responder{Log: slog.New(slog.DiscardHandler)}
	return guard.Wrap(guard.Anyone, guard.NoPayload, guard.NoResource, limit, quiet, h)
}

var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

func get(remote string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = remote
	return r
}

// Five requests pass and no more, whoever else asks in between.
func TestVerdicts(t *testing.T) {
	for _, peer := range peers {
		h := peer.wrap(t, 5, ok)
		for i := range 12 {
			for _, client := range []string{"192.0.2.1:1234", "192.0.2.2:1234"} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, get(client))
				want := http.StatusNoContent
				if i >= 5 {
					want = http.StatusTooManyRequests
				}
				if w.Code != want {
					t.Errorf("%s: request %d of %s: got %d, want %d", peer.name, i+1, client, w.Code, want)
				}
			}
		}
	}
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func serve(b *testing.B, h http.Handler) {
	r, w := get("192.0.2.1:1234"), &discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

func BenchmarkAdmitted(b *testing.B) {
	b.Run("guard without a limit", func(b *testing.B) { serve(b, guarded(guard.Unlimited("benchmark"), ok)) })
	for _, peer := range peers {
		b.Run(peer.name, func(b *testing.B) { serve(b, peer.wrap(b, 2e9, ok)) })
	}
}

func BenchmarkRefused(b *testing.B) {
	for _, peer := range peers {
		b.Run(peer.name, func(b *testing.B) { serve(b, peer.wrap(b, 1, ok)) })
	}
}
