package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/bench/internal/route"
)

// How the cost of a guard grows with what it is given. Divide by the number in a
// benchmark's name: what grows no faster than its input has a quotient that does
// not grow.
//
//	go test -run '^$' -bench 'Routes|Keys|Fields|Body|Construction' ./bench
//	go test -run '^$' -bench 'Route/.*parallel/guard$' -cpu 1,2 ./bench/internal/route

var quiet = &guard.Responder{Log: slog.New(slog.DiscardHandler)}

func nothing[T any](context.Context, *guard.Call[guard.Anonymous, T, guard.None]) (guard.None, error) {
	return guard.None{}, nil
}

// routes is a mux of n routes. The last is for the path /r-000000/1 and so on.
func routes(n int) http.Handler {
	mux := guard.NewMux(quiet)
	for i := range n {
		mux.Handle(fmt.Sprintf("GET /r-%06d/{id}", i), guard.New(
			guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("benchmark"), quiet, nothing[guard.None]))
	}
	return mux
}

func BenchmarkRoutes(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h, r := routes(n), get("192.0.2.1:1234")
			r.URL.Path = fmt.Sprintf("/r-%06d/1", n-1)
			serveAll(b, h, func(int) *http.Request { return r })
		})
	}
}

// addresses is how many addresses address knows.
const addresses = 1_000_000

func address(i int) string {
	return fmt.Sprintf("10.%d.%d.%d:1234", 100+i/10_000, 100+i/100%100, 100+i%100)
}

// BenchmarkKeys has n addresses ask in turn, each with a debt, so that each has a
// place in the limiter's table. heap-B/key is what the table takes for one.
func BenchmarkKeys(b *testing.B) {
	var all strings.Builder
	for i := range addresses {
		all.WriteString(address(i))
	}
	text, size := all.String(), len(address(0))
	for _, n := range []int{10, 1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			before := heap()
			h := guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, (&guard.Limiter{}).PerIP(1000, time.Hour).Burst(1<<20),
				quiet, nothing[guard.None])
			r := get("")
			next := func(i int) *http.Request {
				at := i % n * size
				r.RemoteAddr = text[at : at+size]
				return r
			}
			w := &discard{http.Header{}}
			for i := range n {
				h.ServeHTTP(w, next(i))
			}
			taken := float64(heap() - before)
			serveAll(b, h, next)
			b.ReportMetric(taken/float64(n), "heap-B/key")
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// serveAll serves requests, the i-th of them next(i), and wants all to succeed.
func serveAll(b *testing.B, h http.Handler, next func(i int) *http.Request) {
	b.Helper()
	w := &last{discard: discard{http.Header{}}}
	b.ReportAllocs()
	cpu := route.CPUTime()
	for i := 0; b.Loop(); i++ {
		clear(w.header)
		h.ServeHTTP(w, next(i))
		if w.status != http.StatusNoContent {
			b.Fatalf("got status %d, want %d", w.status, http.StatusNoContent)
		}
	}
	b.ReportMetric(float64(route.CPUTime()-cpu)/float64(b.N), "cpu-ns/op")
}

// last is a discard that knows its last status.
type last struct {
	discard
	status int
}

func (l *last) WriteHeader(status int) { l.status = status }

// posted serves a JSON body again and again.
func posted[T any](b *testing.B, what func() guard.Decoder[T], body []byte) {
	h := guard.New(guard.Anyone, what, guard.NoResource, guard.Unlimited("benchmark"), quiet, nothing[T])
	r := get("192.0.2.1:1234")
	r.Method, r.ContentLength = http.MethodPost, int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	from := bytes.NewReader(body)
	b.SetBytes(int64(len(body)))
	serveAll(b, h, func(int) *http.Request {
		from.Reset(body)
		r.Body = io.NopCloser(from)
		return r
	})
}

func BenchmarkFields(b *testing.B) {
	b.Run("1", fields[Field])
	b.Run("10", fields[struct{ TenA }])
	b.Run("20", fields[struct {
		TenA
		TenB
	}])
	b.Run("50", fields[struct {
		TenA
		TenB
		TenC
		TenD
		TenE
	}])
}

// fields posts an object of all the fields of T, which are strings.
func fields[T any](b *testing.B) {
	members := map[string]string{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if !f.Anonymous {
			members[f.Tag.Get("json")] = "twenty bytes of text"
		}
	}
	body, err := json.Marshal(members)
	if err != nil {
		b.Fatal(err)
	}
	posted(b, guard.JSON[T], body)
}

type text struct {
	Text string `json:"text" validate:"max=2000000"`
}

type list struct {
	Items []string `json:"items" validate:"max=100000,dive,max=100"`
}

// BenchmarkBody has bodies of n bytes: one text, or a list of texts of 46 bytes.
func BenchmarkBody(b *testing.B) {
	for _, n := range []int{100, 1 << 10, 10 << 10, 100 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("text/%d", n), func(b *testing.B) {
			body := fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("a", n-len(`{"text":""}`)))
			posted(b, guard.JSONWith[text](guard.MaxBody(1<<20)), body)
		})
		b.Run(fmt.Sprintf("list/%d", n), func(b *testing.B) {
			item := `"` + strings.Repeat("a", 46) + `"`
			items := strings.Repeat(","+item, (n-len(`{"items":[]}`))/(len(item)+1))
			posted(b, guard.JSONWith[list](guard.MaxBody(1<<20)), []byte(`{"items":[`+strings.TrimPrefix(items, ",")+`]}`))
		})
	}
}

type owner string

func (o owner) Subject() string { return string(o) }

type project struct{ owner owner }

func (p *project) ownedBy(o owner) bool { return p.owner == o }

type updateProject struct {
	Name       *string `json:"name"       validate:"omitnil,min=3,max=80"`
	Summary    *string `json:"summary"    validate:"omitnil,min=20,max=300"`
	Visibility *string `json:"visibility" validate:"omitnil,oneof=private team"`
}

// BenchmarkConstruction makes one Guard of the route that bench/internal/route has. With
// -benchtime 1x it is the first one of the process.
func BenchmarkConstruction(b *testing.B) {
	users := guard.Bearer(func(_ context.Context, token string) (owner, error) { return owner(token), nil })
	ownProject := guard.Owned("projectID", guard.ParseUUID,
		func(context.Context, uuid.UUID) (*project, error) { return nil, guard.ErrNotFound }, (*project).ownedBy)
	perCaller := (&guard.Limiter{}).PerCaller(10, time.Minute)
	update := func(context.Context, *guard.Call[owner, updateProject, *project]) (guard.None, error) {
		return guard.None{}, nil
	}
	b.ReportAllocs()
	for b.Loop() {
		guard.New(users, guard.JSON[updateProject], ownProject, perCaller, quiet, update)
	}
}
