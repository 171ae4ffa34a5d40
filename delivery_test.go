package guard_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/internal/replay"
)

func TestRepeatedMessages(t *testing.T) {
	t.Parallel()
	failing := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	tests := []struct {
		name   string
		act    func(context.Context) error // of the first attempt
		first  int
		second int
		runs   int
	}{
		{name: "a delivered message does not run again", first: 204, second: 204, runs: 1},
		{name: "an error releases the message", act: failing(errors.New("disk full")), first: 500, second: 204, runs: 2},
		{name: "a public error releases the message", act: failing(guard.Fail(409, "not_yet", "Not yet.")), first: 409, second: 204, runs: 2},
		{name: "a panic releases the message", act: func(context.Context) error { panic("boom") }, first: 500, second: 204, runs: 2},
		{name: "the end of the goroutine releases the message", act: func(context.Context) error { runtime.Goexit(); return nil }, first: 500, second: 204, runs: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBilling(t)
			b.act = tt.act
			first := inGoroutine(func() *http.Response { return send(b, "POST", "/hooks", invoicePaid, signed("msg_1", invoicePaid)...) })
			if tt.first != 500 || first != nil { // Goexit takes the recorder along
				if first.StatusCode != tt.first {
					t.Errorf("the first attempt: got %d, want %d", first.StatusCode, tt.first)
				}
			}
			b.act = nil
			// The sender signs anew, a minute later.
			again := signature(guard.StandardWebhooks, "msg_1", signedAt.Add(time.Minute), invoicePaid, webhookSecret)
			second := send(b, "POST", "/hooks", invoicePaid, again...)
			if second.StatusCode != tt.second || b.count() != tt.runs {
				t.Errorf("got %d after %d runs, want %d after %d", second.StatusCode, b.count(), tt.second, tt.runs)
			}
			if second.Header.Get("Cache-Control") != "no-store" || second.Header.Get("X-Request-ID") == "" {
				t.Errorf("got header %v", second.Header)
			}
			if other := send(b, "POST", "/hooks", invoicePaid, signed("msg_2", invoicePaid)...); other.StatusCode != 204 || b.count() != tt.runs+1 {
				t.Errorf("another message: got %d after %d runs", other.StatusCode, b.count())
			}
		})
	}
}

// inGoroutine survives runtime.Goexit, which leaves nil.
func inGoroutine(f func() *http.Response) (r *http.Response) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r = f()
	}()
	<-done
	return r
}

// What was captured can be sent again only while the message is remembered or stale.
func TestDeliveriesAreForgotten(t *testing.T) {
	t.Parallel()
	b := newBilling(t, func(c *guard.Webhook) { c.Keep = time.Hour })
	attempt := func() int {
		return send(b, "POST", "/hooks", invoicePaid, signature(guard.StandardWebhooks, "msg_1", b.now, invoicePaid, webhookSecret)...).StatusCode
	}
	for _, step := range []struct {
		after time.Duration
		runs  int
	}{{0, 1}, {time.Hour - time.Second, 1}, {time.Hour, 2}} {
		b.now = signedAt.Add(step.after)
		if status := attempt(); status != 204 || b.count() != step.runs {
			t.Errorf("after %s: got %d and %d runs, want 204 and %d", step.after, status, b.count(), step.runs)
		}
	}
}

func TestTwoAtOnceRunOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBilling(t)
		proceed := make(chan struct{})
		b.act = func(context.Context) error { <-proceed; return nil }
		fields := signed("msg_1", invoicePaid)
		first := make(chan int)
		go func() { first <- send(b, "POST", "/hooks", invoicePaid, fields...).StatusCode }()
		synctest.Wait()
		for range 3 {
			r := send(b, "POST", "/hooks", invoicePaid, fields...)
			checkRefusal(t, r, 409, "message_running")
			if got := r.Header.Get("Retry-After"); got != "5" {
				t.Errorf("got Retry-After %q, want 5", got)
			}
		}
		close(proceed)
		if status := <-first; status != 204 {
			t.Errorf("the first: got %d, want 204", status)
		}
		if r := send(b, "POST", "/hooks", invoicePaid, fields...); r.StatusCode != 204 || b.count() != 1 {
			t.Errorf("got %d after %d runs, want 204 after 1", r.StatusCode, b.count())
		}
	})
}

func TestManyAtOnceRunOnce(t *testing.T) {
	t.Parallel()
	b := newBilling(t)
	fields := signed("msg_1", invoicePaid)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if status := send(b, "POST", "/hooks", invoicePaid, fields...).StatusCode; status != 204 && status != 409 {
				t.Errorf("got %d, want 204 or 409", status)
			}
		})
	}
	all.Wait()
	if b.count() != 1 {
		t.Errorf("the handler ran %d times, want 1", b.count())
	}
}

// store is a ReplayStore that a test breaks.
type store struct {
	guard.ReplayStore
	claim                           func() (guard.ReplayState, error)
	doneErr, releaseErr             error
	done, released                  int
	key, owner, otherKey            string
	lease, keep                     time.Duration
	releaseWasCancelled, claimCalls int
}

func newStore(t *testing.T) *store {
	t.Helper()
	m, err := replay.New(replay.Config{Now: func() time.Time { return signedAt }})
	if err != nil {
		t.Fatal(err)
	}
	return &store{ReplayStore: m}
}

func (s *store) Claim(ctx context.Context, key, owner string, lease time.Duration) (guard.ReplayState, error) {
	s.claimCalls++
	if s.otherKey = key; s.key == "" {
		s.key, s.owner, s.lease = key, owner, lease
	}
	if s.claim != nil {
		return s.claim()
	}
	return s.ReplayStore.Claim(ctx, key, owner, lease)
}

func (s *store) Done(ctx context.Context, key string, keep time.Duration) error {
	s.done++
	s.keep = keep
	if s.doneErr != nil {
		return s.doneErr
	}
	return s.ReplayStore.Done(ctx, key, keep)
}

func (s *store) Release(ctx context.Context, key, owner string) error {
	s.released++
	if ctx.Err() == context.Canceled { // its own deadline is another matter
		s.releaseWasCancelled++
	}
	if s.releaseErr != nil {
		return s.releaseErr
	}
	return s.ReplayStore.Release(ctx, key, owner)
}

func TestReplayStoreFailures(t *testing.T) {
	t.Parallel()
	down := errors.New("dial tcp 10.0.0.9:6379: connection refused")
	tests := []struct {
		name     string
		breaks   func(*store)
		act      func(context.Context) error
		status   int
		code     string
		runs     int
		released int
		logged   string
		records  int // 1, unless it says more
	}{
		{name: "a store that is down altogether is logged once", breaks: func(s *store) {
			s.claim, s.releaseErr = func() (guard.ReplayState, error) { return 0, down }, down
		}, status: 503, code: "unavailable", released: 1, logged: "connection refused"},
		{name: "a store that is down is 503", breaks: func(s *store) { s.claim = func() (guard.ReplayState, error) { return 0, down } },
			status: 503, code: "unavailable", released: 1, logged: "connection refused"},
		{name: "a verdict with an error is 503", breaks: func(s *store) { s.claim = func() (guard.ReplayState, error) { return guard.ReplayDelivered, down } },
			status: 503, code: "unavailable", released: 1, logged: "connection refused"},
		{name: "no verdict is 503", breaks: func(s *store) { s.claim = func() (guard.ReplayState, error) { return 0, nil } },
			status: 503, code: "unavailable", released: 1, logged: "the store answered"},
		{name: "an unknown verdict is 503", breaks: func(s *store) { s.claim = func() (guard.ReplayState, error) { return 17, nil } },
			status: 503, code: "unavailable", released: 1, logged: "the store answered"},
		{name: "a store that panics is 500", breaks: func(s *store) { s.claim = func() (guard.ReplayState, error) { panic("nil client") } },
			status: 500, code: "internal", released: 1, logged: "nil client"},
		{name: "a note that is lost does not undo the work", breaks: func(s *store) { s.doneErr = down },
			status: 204, runs: 1, logged: "note the delivery: dial tcp", records: 2},
		{name: "a release that fails is logged", breaks: func(s *store) { s.releaseErr = down }, act: func(context.Context) error { return errors.New("disk full") },
			status: 500, code: "internal", runs: 1, released: 1, logged: "release the message: dial tcp", records: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			tt.breaks(s)
			b := newBilling(t, func(c *guard.Webhook) { c.Replay = s })
			b.act = tt.act
			r := send(b, "POST", "/hooks", invoicePaid, signed("msg_1", invoicePaid)...)
			if r.StatusCode != tt.status || b.count() != tt.runs || s.released != tt.released {
				t.Errorf("got %d, %d runs, %d releases, want %d, %d, %d", r.StatusCode, b.count(), s.released, tt.status, tt.runs, tt.released)
			}
			if tt.code != "" {
				checkRefusal(t, r, tt.status, tt.code)
			}
			if !strings.Contains(b.log.String(), tt.logged) {
				t.Errorf("got log %s, want %q in it", b.log, tt.logged)
			}
			if got := len(b.log.records(t)); got != max(tt.records, 1) {
				t.Errorf("got %d records, want %d: %s", got, max(tt.records, 1), b.log)
			}
		})
	}
}

func TestReplayStoreArguments(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	b := newBilling(t, func(c *guard.Webhook) { c.Replay, c.Tolerance = s, 30*time.Minute })
	ctx, cancel := context.WithCancel(t.Context())
	b.act = func(context.Context) error { cancel(); return ctx.Err() }
	r := httptest.NewRequestWithContext(ctx, "POST", "/hooks", strings.NewReader(invoicePaid))
	for _, f := range signed("msg_1", invoicePaid) {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	b.ServeHTTP(httptest.NewRecorder(), r)
	if s.released != 1 || s.releaseWasCancelled != 0 {
		t.Errorf("a sender that has gone: got %d releases, %d of them with a cancelled context, want 1 and 0", s.released, s.releaseWasCancelled)
	}
	if !strings.HasPrefix(s.key, "POST /hooks ") || len(s.key) != len("POST /hooks ")+64 || len(s.owner) < 22 || len(s.owner) > 64 || s.lease != time.Hour {
		t.Errorf("got key %q, owner %q, lease %s", s.key, s.owner, s.lease)
	}
	b.act = nil
	if r := send(b, "POST", "/hooks", invoicePaid, signed("msg_1", invoicePaid)...); r.StatusCode != 204 || s.keep != 24*time.Hour || s.otherKey != s.key {
		t.Errorf("got %d, keep %s, key %q", r.StatusCode, s.keep, s.otherKey)
	}

	who, err := guard.Signed(guard.Webhook{Secrets: []string{webhookSecret}, Replay: s, Now: func() time.Time { return signedAt }})
	if err != nil {
		t.Fatal(err)
	}
	errs := &guard.Responder{Log: b.log.logger()}
	bare := guard.New(who, guard.JSON[BillingEvent], guard.NoResource, free, errs, b.handle)
	checkRefusal(t, send(bare, "POST", "/hooks", invoicePaid, signed("msg_9", invoicePaid)...), 500, "internal")
	if !strings.Contains(b.log.String(), "register it on a ServeMux") {
		t.Errorf("got log %s", b.log)
	}
	long := "/" + strings.Repeat("a", 1000)
	mux := route("POST "+long, errs, bare)
	if r := send(mux, "POST", long, invoicePaid, signed("msg_9", invoicePaid)...); r.StatusCode != 204 || len(s.otherKey) > 512 {
		t.Errorf("a long pattern: got %d and a key of %d bytes", r.StatusCode, len(s.otherKey))
	}
}

// One Signed on two routes: each of them gets the message once.
func TestRoutesDoNotShareMessages(t *testing.T) {
	t.Parallel()
	who, err := guard.Signed(guard.Webhook{Secrets: []string{webhookSecret}, Now: func() time.Time { return signedAt }})
	if err != nil {
		t.Fatal(err)
	}
	b := &billing{}
	errs := &guard.Responder{Log: (&logBuffer{}).logger()}
	g := func() http.Handler {
		return guard.New(who, guard.JSON[BillingEvent], guard.NoResource, free, errs, b.handle)
	}
	for i, h := range []http.Handler{g(), g()} {
		for range 2 {
			if r := send(h, "POST", "/", invoicePaid, signed("msg_1", invoicePaid)...); r.StatusCode != 204 || b.count() != i+1 {
				t.Errorf("guard %d: got %d after %d runs", i, r.StatusCode, b.count())
			}
		}
	}
}

// A refused payload is no failed handler: the message was never claimed.
func TestClaimsFollowTheOtherChecks(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	b := newBilling(t, func(c *guard.Webhook) { c.Replay = s })
	send(b, "POST", "/hooks", `{}`, signed("msg_1", `{}`)...)
	send(b, "POST", "/hooks", invoicePaid)
	if s.claimCalls != 0 || s.released != 0 {
		t.Errorf("got %d claims and %d releases, want none", s.claimCalls, s.released)
	}
}

// A handler that gives the connection up has not handled the message.
func TestAbortReleasesTheMessage(t *testing.T) {
	t.Parallel()
	b := newBilling(t)
	b.act = func(context.Context) error { panic(http.ErrAbortHandler) }
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("got panic %v, want http.ErrAbortHandler", p)
			}
		}()
		send(b, "POST", "/hooks", invoicePaid, signed("msg_1", invoicePaid)...)
	}()
	b.act = nil
	if r := send(b, "POST", "/hooks", invoicePaid, signed("msg_1", invoicePaid)...); r.StatusCode != 204 || b.count() != 2 {
		t.Errorf("got %d after %d runs, want 204 after 2", r.StatusCode, b.count())
	}
}

func TestSendersWhoGoAwayWhileTheyAreClaimed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.claim = func() (guard.ReplayState, error) { cancel(); return 0, ctx.Err() }
	b := newBilling(t, func(c *guard.Webhook) { c.Replay = s })
	r := httptest.NewRequestWithContext(ctx, "POST", "/hooks", strings.NewReader(invoicePaid))
	for _, f := range append(signed("msg_1", invoicePaid), "Content-Type: application/json") {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	b.ServeHTTP(httptest.NewRecorder(), r)
	if l := b.log.records(t)[0]; l["status"] != 499.0 || l["stage"] != "input_limit" || s.released != 1 || b.count() != 0 {
		t.Errorf("got record %v and %d releases, want 499 and 1", l, s.released)
	}
	if (guard.Message{ID: "msg_1"}).Subject() != "" {
		t.Error("a message that nobody signed has a subject")
	}
}
