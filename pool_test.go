package guard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// What guards keep for other requests (exchanges, buffers, decoders) must never show
// one request's data to another.

// TestPoolsKeepRequestsApart sends requests of many clients at once, each with a
// marker of its own, and looks for any other in what they get.
func TestPoolsKeepRequestsApart(t *testing.T) {
	t.Parallel()
	h := newRoute(t, routeSettings{perMin: math.MaxInt32})
	token := routeToken(t, routeSecret, "1")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 60 {
				// Of different lengths, so that a rest of an earlier body would show.
				marker := fmt.Sprintf("ZQ%d-%d-", i, n) + strings.Repeat(string(rune('a'+i)), 1+(n*37)%1200)
				good := newClient(ownRow, token, fmt.Sprintf(`{"name":"Apollo","description":%q}`, marker))
				good.send(h)
				var view EditedProject
				if err := json.Unmarshal(good.answer, &view); err != nil || view.Description != marker || view.Name != "Apollo" || view.Visibility != "" {
					t.Errorf("got %d %q, want the description %q", good.status, good.answer, marker)
				}
				for _, bad := range []*client{
					newClient(ownRow, token, fmt.Sprintf(`{"description":%q,"name":"A"}`, marker)),
					newClient(ownRow, token, fmt.Sprintf(`{"description":%q`, marker)),
					newClient(ownRow, marker, routeBody),
					newClient(foreignRow, token, routeBody),
				} {
					bad.send(h)
					var problem struct{ RequestID, Code string }
					if err := json.Unmarshal(bad.answer, &problem); err != nil || problem.RequestID != bad.header.Get("X-Request-Id") || problem.Code == "" {
						t.Errorf("got %q with the id %q (%v)", bad.answer, bad.header.Get("X-Request-Id"), err)
					}
					if strings.Contains(string(bad.answer), "ZQ") || strings.Contains(string(bad.answer), "Apollo") {
						t.Errorf("a refusal shows an input: %q", bad.answer)
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestWhatIsKeptStaysItsOwnRequests: a handler that keeps its Call, and a middleware
// that keeps a response's header, find there what was there.
func TestWhatIsKeptStaysItsOwnRequests(t *testing.T) {
	t.Parallel()
	type call = guard.Call[guard.Anonymous, Contact, guard.None]
	var kept []*call
	var contexts []context.Context
	h := guard.New(guard.Anyone, guard.JSON[Contact], guard.NoResource, guard.Unlimited("test"), &guard.Responder{Log: slog.New(slog.DiscardHandler)},
		func(ctx context.Context, c *call) (string, error) {
			kept, contexts = append(kept, c), append(contexts, ctx)
			return c.Input.Email, nil
		})
	var headers, copies []http.Header
	for i := range 200 {
		c := newClient(ownRow, "", fmt.Sprintf(`{"email":"u%d@b.example","message":"a long message"}`, i))
		c.send(h)
		headers, copies = append(headers, c.header), append(copies, c.header.Clone())
	}
	if len(kept) != 200 {
		t.Fatalf("got %d calls, want 200", len(kept))
	}
	for i, c := range kept {
		if want := fmt.Sprintf("u%d@b.example", i); c.Input.Email != want || c.RequestID != copies[i].Get("X-Request-Id") {
			t.Errorf("call %d: got %q with id %s, want %q with id %s", i, c.Input.Email, c.RequestID, want, copies[i].Get("X-Request-Id"))
		}
		if contexts[i].Err() == nil {
			t.Errorf("call %d: its context goes on after its request", i)
		}
		if !maps.EqualFunc(headers[i], copies[i], slices.Equal) {
			t.Errorf("response %d: got the header %v later, want %v", i, headers[i], copies[i])
		}
	}
}

// TestWhatIsKeptOfRefusals: who observes refusals, or maps their errors, and keeps what
// it gets, finds there later what was there.
func TestWhatIsKeptOfRefusals(t *testing.T) {
	t.Parallel()
	var kept []error
	var texts []string
	keep := func(err error) {
		if err != nil {
			kept, texts = append(kept, err), append(texts, err.Error())
		}
	}
	var codes []string
	tell := &guard.Responder{Log: slog.New(slog.DiscardHandler),
		Map:     func(err error) error { keep(err); return err },
		Observe: func(_ context.Context, e guard.Event) { keep(e.Err); codes = append(codes, e.Code+" "+e.Limit) }}
	verify := func(_ context.Context, token string) (User, error) {
		if strings.HasPrefix(token, "bad") {
			return User{}, fmt.Errorf("%w: %s", guard.ErrNoSession, token)
		}
		return User{ID: token}, nil
	}
	limit := (&guard.Limiter{}).PerCaller(1, 24*time.Hour).Named("edits")
	h := guard.New(guard.Bearer(verify), guard.NoPayload, guard.NoResource, limit, tell,
		func(context.Context, *guard.Call[User, guard.None, guard.None]) (guard.None, error) {
			return guard.None{}, nil
		})
	var want []string
	for i := range 50 {
		for _, tt := range []struct{ token, code string }{
			{fmt.Sprintf("bad-%d", i), "unauthenticated "}, {fmt.Sprint("u", i), " "}, {fmt.Sprint("u", i), "rate_limited edits"}, {"no/(token", "unauthenticated "},
		} {
			c := newClient(ownRow, tt.token, "")
			c.send(h)
			want = append(want, tt.code)
		}
	}
	if !slices.Equal(codes, want) {
		t.Errorf("got %q, want %q", codes, want)
	}
	if got := 200; len(kept) != got { // 150 refusals, and the errors of 50 verifications
		t.Errorf("got %d errors, want %d", len(kept), got)
	}
	for i, err := range kept {
		if err.Error() != texts[i] {
			t.Errorf("error %d: got %q later, want %q", i, err, texts[i])
		}
	}
}

// TestKeptResponseWriterIsNoOtherRequests: a stream's handler that wrongly goes on
// writing after its request reaches its own response alone.
func TestKeptResponseWriterIsNoOtherRequests(t *testing.T) {
	t.Parallel()
	var kept []http.ResponseWriter
	h := guard.New(guard.Anyone, guard.JSON[Contact], guard.NoResource, guard.Unlimited("test"), &guard.Responder{Log: slog.New(slog.DiscardHandler)},
		guard.Stream(func(_ context.Context, c *guard.Call[guard.Anonymous, Contact, guard.None], w http.ResponseWriter) error {
			kept = append(kept, w)
			return nil // the 200 is implied
		}))
	var clients []*client
	for i := range 50 {
		c := newClient(ownRow, "", fmt.Sprintf(`{"email":"u%d@b.example","message":"a long message"}`, i))
		c.send(h)
		clients = append(clients, c)
	}
	for i, w := range kept {
		id := clients[i].header.Get("X-Request-Id")
		_, _ = fmt.Fprintf(w, "late %d", i)
		if got, want := string(clients[i].answer), fmt.Sprintf("late %d", i); got != want || clients[i].header.Get("X-Request-Id") != id {
			t.Errorf("response %d: got %q with the id %q, want %q with %q", i, got, clients[i].header.Get("X-Request-Id"), want, id)
		}
	}
}
