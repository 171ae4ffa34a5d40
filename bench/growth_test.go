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

// load is requests for a handler, which answers 204 to all of them.
type load struct {
	h     http.Handler
	next  func(i int) *http.Request
	bytes int // of a body
}

// routes is a mux of n routes, of which the last is asked for.
func routes(n int) load {
	mux := guard.NewMux(quiet)
	for i := range n {
		mux.Handle(fmt.Sprintf("GET /r-%06d/{id}", i), guard.New(
			guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("benchmark"), quiet, nothing[guard.None]))
	}
	r := get("192.0.2.1:1234")
	r.URL.Path = fmt.Sprintf("/r-%06d/1", n-1)
	return load{h: mux, next: func(int) *http.Request { return r }}
}

func BenchmarkRoutes(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), routes(n).run)
	}
}

// addresses are n texts of one length, in one string.
func addresses(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "10.%d.%d.%d:1234", 100+i/10_000, 100+i/100%100, 100+i%100)
	}
	return all.String()
}

// keys has n addresses ask in turn, each with a debt that lasts: each has a place
// in the limiter's table.
func keys(n int, texts string) load {
	r := get("")
	l := load{h: guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, (&guard.Limiter{}).PerIP(1000, time.Hour).Burst(1<<20),
		quiet, nothing[guard.None])}
	size := len(texts) / n
	l.next = func(i int) *http.Request {
		at := i * size % len(texts)
		r.RemoteAddr = texts[at : at+size]
		return r
	}
	w := &discard{http.Header{}}
	for i := range n {
		l.h.ServeHTTP(w, l.next(i))
	}
	return l
}

// heap-B/key is what the limiter's table takes for a key.
func BenchmarkKeys(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			texts := addresses(n)
			before := heap()
			l := keys(n, texts)
			taken := float64(heap() - before)
			l.run(b)
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

func (l load) run(b *testing.B) {
	w := &last{discard: discard{http.Header{}}}
	b.SetBytes(int64(l.bytes))
	b.ReportAllocs()
	cpu := route.CPUTime()
	for i := 0; b.Loop(); i++ {
		l.serve(b, w, i)
	}
	b.ReportMetric(float64(route.CPUTime()-cpu)/float64(b.N), "cpu-ns/op")
}

func (l load) serve(tb testing.TB, w *last, i int) {
	clear(w.header)
	l.h.ServeHTTP(w, l.next(i))
	if w.status != http.StatusNoContent {
		tb.Fatalf("got status %d, want %d", w.status, http.StatusNoContent)
	}
}

// last is a discard that knows its last status.
type last struct {
	discard
	status int
}

func (l *last) WriteHeader(status int) { l.status = status }

// posted is a JSON body, again and again.
func posted[T any](what func() guard.Decoder[T], body []byte) load {
	r, from := get("192.0.2.1:1234"), bytes.NewReader(body)
	r.Method, r.ContentLength = http.MethodPost, int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	return load{
		h: guard.New(guard.Anyone, what, guard.NoResource, guard.Unlimited("benchmark"), quiet, nothing[T]),
		next: func(int) *http.Request {
			from.Reset(body)
			r.Body = io.NopCloser(from)
			return r
		},
		bytes: len(body),
	}
}

type tenFields struct{ TenA }

type twentyFields struct {
	TenA
	TenB
}

type fiftyFields struct {
	TenA
	TenB
	TenC
	TenD
	TenE
}

func BenchmarkFields(b *testing.B) {
	b.Run("1", fields[Field]().run)
	b.Run("10", fields[tenFields]().run)
	b.Run("20", fields[twentyFields]().run)
	b.Run("50", fields[fiftyFields]().run)
}

// fields is an object of all the fields of T, which are strings.
func fields[T any]() load {
	members := map[string]string{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if !f.Anonymous {
			members[f.Tag.Get("json")] = "twenty bytes of text"
		}
	}
	body, err := json.Marshal(members)
	if err != nil {
		panic(err) // of a map of strings
	}
	return posted(guard.JSON[T], body)
}

type text struct {
	Text string `json:"text" validate:"max=2000000"`
}

type list struct {
	Items []string `json:"items" validate:"max=100000,dive,max=100"`
}

// texts is a body of n bytes, all of them one text.
func texts(n int) load {
	body := fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("a", n-len(`{"text":""}`)))
	return posted(guard.JSONWith[text](guard.MaxBody(1<<20)), body)
}

// lists is a body of about n bytes, a list of texts of 46.
func lists(n int) load {
	item := `"` + strings.Repeat("a", 46) + `"`
	items := strings.Repeat(","+item, (n-len(`{"items":[]}`))/(len(item)+1))
	return posted(guard.JSONWith[list](guard.MaxBody(1<<20)), []byte(`{"items":[`+strings.TrimPrefix(items, ",")+`]}`))
}

func BenchmarkBody(b *testing.B) {
	for _, n := range []int{100, 1 << 10, 10 << 10, 100 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("text/%d", n), texts(n).run)
		b.Run(fmt.Sprintf("list/%d", n), lists(n).run)
	}
}

// Memory, which can be counted where time cannot, grows no faster than the input:
// what a route, a key, a field or a byte takes does not depend on how many there are.
func TestGrowth(t *testing.T) {
	tests := []struct {
		name         string
		small, large load
		times        float64 // how much larger
	}{
		{name: "1000 routes take what 1 takes", small: routes(1), large: routes(1000), times: 1},
		{name: "10,000 keys take what 10 take", small: keys(10, addresses(10)), large: keys(10_000, addresses(10_000)), times: 1},
		{name: "50 fields take 5 times what 10 take", small: fields[tenFields](), large: fields[fiftyFields](), times: 5},
		{name: "a text of 1 MiB takes 10 times what 100 KiB take", small: texts(1 << 20 / 10), large: texts(1 << 20), times: 10},
		{name: "a list of 1 MiB takes 10 times what 100 KiB take", small: lists(1 << 20 / 10), large: lists(1 << 20), times: 10},
	}
	const (
		doubling    = 2 // a buffer that grows by doubling may take twice its content
		poolBytes   = 16 << 10
		poolObjects = 8 // what a pool has lost, as it does at random under the race detector
	)
	for _, tt := range tests {
		smallBytes, smallAllocs := tt.small.allocated(t)
		largeBytes, largeAllocs := tt.large.allocated(t)
		if most := doubling*tt.times*smallBytes + poolBytes; largeBytes > most {
			t.Errorf("%s: got %.0f bytes, want at most %.0f", tt.name, largeBytes, most)
		}
		if most := doubling*tt.times*smallAllocs + poolObjects; largeAllocs > most {
			t.Errorf("%s: got %.0f allocations, want at most %.0f", tt.name, largeAllocs, most)
		}
	}
}

// allocated is what one request allocates.
func (l load) allocated(t *testing.T) (bytes, allocs float64) {
	t.Helper()
	const runs = 10
	w := &last{discard: discard{http.Header{}}}
	l.serve(t, w, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range runs {
		l.serve(t, w, i)
	}
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / runs, float64(after.Mallocs-before.Mallocs) / runs
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
