package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/internal/trial"
)

// post is a receiver of receipts that can fail.
type post struct {
	mu   sync.Mutex
	sent []string
	fail func(Receipt) error // nil: never
}

func (p *post) send(_ context.Context, job int64, r Receipt) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		if err := p.fail(r); err != nil {
			return err
		}
	}
	p.sent = append(p.sent, fmt.Sprint(job, " ", r.BuyerID, " ", r.Item))
	return nil
}

func (p *post) all() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.sent, ", ")
}

// shop is a service whose worker is stepped by hand, at a time that stands still.
type shop struct {
	http.Handler
	*post
	db     *sql.DB
	worker *Worker
	now    time.Time
	log    strings.Builder
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{post: &post{}, db: trial.DB(t, Schema), now: time.Date(2030, 5, 4, 12, 0, 0, 0, time.UTC)}
	s.worker = s.anotherWorker(slog.New(slog.NewTextHandler(&s.log, nil)))
	s.Handler = Service{s.db, s.worker}.Routes(trial.Callers(map[string]User{"alice": {"alice"}}), trial.Errs(t))
	return s
}

func (s *shop) anotherWorker(log *slog.Logger) *Worker {
	w := NewWorker(s.db, log, s.send)
	w.Now = func() time.Time { return s.now }
	return w
}

func (s *shop) order(t *testing.T, item string) {
	t.Helper()
	if w := trial.Send(s, "alice", "POST /orders", `{"item":"`+item+`"}`); w.Code != 201 {
		t.Fatalf("got %d %s, want 201", w.Code, w.Body)
	}
}

// step reports whether there was a job.
func (s *shop) step(t *testing.T, w *Worker) bool {
	t.Helper()
	worked, err := w.step(t.Context())
	if err != nil {
		t.Errorf("step: %v", err)
	}
	return worked
}

func TestReceiptFollowsTheOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.order(t, "a book")
	if got := s.all(); got != "" {
		t.Errorf("sent %q within the request", got)
	}
	if !s.step(t, s.worker) || s.step(t, s.worker) {
		t.Error("want one job and then none")
	}
	if got := s.all(); got != "1 alice a book" {
		t.Errorf("sent %q", got)
	}
	if got := trial.Text(t, s.db, `SELECT count(*) FROM outbox`); got != "0" {
		t.Errorf("got %s jobs left, want none", got)
	}
}

// There is no order without its job, and no job without its order.
func TestOrderAndJobAreOne(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	trial.Exec(t, s.db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO outbox (payload, due) SELECT '{}', 0 FROM n`, maxJobs)
	w := trial.Send(s, "alice", "POST /orders", `{"item":"a book"}`)
	if w.Code != 503 || w.Header().Get("Retry-After") != "60" {
		t.Errorf("a full outbox: got %d, Retry-After %q, want 503 and 60", w.Code, w.Header().Get("Retry-After"))
	}
	if got := trial.Text(t, s.db, `SELECT count(*) FROM orders`); got != "0" {
		t.Errorf("got %s orders without a job", got)
	}
	trial.Exec(t, s.db, `DELETE FROM outbox`)
	trial.Exec(t, s.db, `CREATE TRIGGER refuse BEFORE INSERT ON orders BEGIN SELECT raise(ABORT, 'no'); END`)
	if w := trial.Send(s, "alice", "POST /orders", `{"item":"a book"}`); w.Code != 500 {
		t.Errorf("an order that fails: got %d, want 500", w.Code)
	}
	if got := trial.Text(t, s.db, `SELECT count(*) FROM outbox`); got != "0" {
		t.Errorf("got %s jobs without an order", got)
	}
}

func TestFailedJobIsRetriedLater(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	failures := 0
	s.fail = func(Receipt) error {
		switch failures++; failures {
		case 1:
			return errors.New("the mail server is down")
		case 2:
			panic("a nil map")
		}
		return nil
	}
	s.order(t, "a book")
	for _, wait := range []time.Duration{2 * time.Second, 4 * time.Second} {
		if !s.step(t, s.worker) {
			t.Error("the job is not there")
		}
		s.now = s.now.Add(wait - time.Millisecond)
		if s.step(t, s.worker) {
			t.Errorf("retried before %s", wait)
		}
		s.now = s.now.Add(time.Millisecond)
	}
	if !s.step(t, s.worker) || s.all() != "1 alice a book" {
		t.Errorf("after %d failures: sent %q", failures, s.all())
	}
	if log := s.log.String(); !strings.Contains(log, "mail server") || !strings.Contains(log, "panic: a nil map") || !strings.Contains(log, "request_id=0") {
		t.Errorf("the log does not tell the failures with their request:\n%s", log)
	}
}

func TestHopelessJobStaysAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.fail = func(r Receipt) error {
		if r.Item == "bad" {
			return errors.New("no such address")
		}
		return nil
	}
	s.order(t, "bad")
	trial.Exec(t, s.db, `INSERT INTO outbox (payload, due) VALUES ('not JSON', 0)`)
	s.order(t, "good")
	for range 10 * maxAttempts {
		s.step(t, s.worker)
		s.now = s.now.Add(maxBackoff)
	}
	if got := s.all(); got != "3 alice good" {
		t.Errorf("sent %q, want the good one", got)
	}
	if got := trial.Text(t, s.db, `SELECT group_concat(id || ' ' || attempts, ', ' ORDER BY id) FROM outbox`); got != fmt.Sprintf("1 %d, 2 %[1]d", maxAttempts) {
		t.Errorf("got jobs and attempts %q, want two that were given up", got)
	}
	if got := strings.Count(s.log.String(), "given up"); got != 2 {
		t.Errorf("the log tells %d times that a job was given up, want 2", got)
	}
}

// A worker dies with a job in its hands. Another one takes it over when the lease is over, and not before.
func TestJobOfADeadWorker(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.order(t, "a book")
	taken, err := s.worker.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := s.anotherWorker(trial.Discard)
	s.now = s.now.Add(lease - time.Millisecond)
	if s.step(t, other) {
		t.Error("the job was taken from a worker that has it")
	}
	s.now = s.now.Add(time.Millisecond)
	again, err := other.take(t.Context())
	if err != nil || again.id != taken.id {
		t.Fatalf("got job %d, %v, want %d", again.id, err, taken.id)
	}
	if err := s.worker.postpone(t.Context(), taken, "", errors.New("late")); err != nil {
		t.Error(err)
	}
	if got := trial.Text(t, s.db, `SELECT due FROM outbox`); got != fmt.Sprint(s.now.Add(lease).UnixMilli()) {
		t.Error("the late worker has changed the lease of the other")
	}
}

func TestWorkersShareTheJobs(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for n := range 30 {
		s.order(t, fmt.Sprint("item ", n))
	}
	var wg sync.WaitGroup
	for range 4 {
		w := s.anotherWorker(trial.Discard)
		wg.Go(func() {
			for s.step(t, w) {
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, one := range s.sent {
		if seen[one] {
			t.Errorf("%s was sent twice", one)
		}
		seen[one] = true
	}
	if len(seen) != 30 {
		t.Errorf("got %d receipts, want 30", len(seen))
	}
}

// The worker sleeps until a request wakes it, and retries by itself.
func TestRunWakesAndRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shop{post: &post{}, db: trial.DB(t, Schema)}
		down := true
		s.fail = func(Receipt) error {
			if down {
				return errors.New("down")
			}
			return nil
		}
		w := NewWorker(s.db, trial.Discard, s.send)
		s.Handler = Service{s.db, w}.Routes(trial.Callers(map[string]User{"alice": {"alice"}}), trial.Errs(t))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { w.Run(ctx); close(done) }()
		synctest.Wait()

		began := time.Now()
		s.order(t, "a book")
		synctest.Wait()
		if got := trial.Text(t, s.db, `SELECT attempts FROM outbox`); got != "1" || !time.Now().Equal(began) {
			t.Errorf("got %s attempts after %s, want one at once", got, time.Since(began))
		}
		s.mu.Lock()
		down = false
		s.mu.Unlock()
		time.Sleep(poll) // the bubble's time
		synctest.Wait()
		if got := s.all(); got != "1 alice a book" {
			t.Errorf("sent %q after the retry", got)
		}
		stop()
		<-done
	})
}

// A stop drains the server, then lets the worker finish the job in hand, and takes no other.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	s := &shop{db: trial.DB(t, Schema)}
	begun, finish := make(chan string), make(chan struct{})
	w := NewWorker(s.db, trial.Discard, func(ctx context.Context, _ int64, r Receipt) error {
		begun <- r.Item
		<-finish
		return ctx.Err()
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := Service{s.db, w}.Routes(trial.Callers(map[string]User{"alice": {"alice"}}), trial.Errs(t))
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}, l, w) }()

	for _, item := range []string{"first", "second"} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+l.Addr().String()+"/orders", strings.NewReader(`{"item":"`+item+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Bearer alice"}, "Content-Type": {"application/json"}}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 201 {
			t.Fatalf("got %d, want 201", response.StatusCode)
		}
	}
	if got := <-begun; got != "first" {
		t.Errorf("the worker began with %q", got)
	}
	stop()
	close(finish)
	// The second job may have been begun before the worker saw the stop; never is one lost or left half done.
	for stopped := false; !stopped; {
		select {
		case <-begun:
		case err := <-served:
			stopped = true
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	}
	if got := trial.Text(t, s.db, `SELECT count(*) FROM outbox WHERE attempts > 0`); got != "0" {
		t.Errorf("got %s jobs in hand after the stop, want none", got)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the server still answers")
	}
}

// The request's end, or its client, does not touch what was promised.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ctx, hangUp := context.WithCancel(t.Context())
	service := Service{s.db, s.worker}
	call := &guard.Call[User, PlaceOrder, guard.None]{Caller: User{"alice"}, Input: PlaceOrder{"a book"}}
	if _, err := service.place(ctx, call); err != nil {
		t.Fatal(err)
	}
	hangUp()
	if !s.step(t, s.worker) || s.all() != "1 alice a book" {
		t.Errorf("sent %q", s.all())
	}
	if _, err := service.place(ctx, call); err == nil {
		t.Error("an order was placed for a client that had gone before")
	}
	if got := trial.Text(t, s.db, `SELECT (SELECT count(*) FROM orders) || ' ' || (SELECT count(*) FROM outbox)`); got != "1 0" {
		t.Errorf("got orders and jobs %q, want 1 0", got)
	}
}
