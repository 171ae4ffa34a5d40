package idempotency

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/internal/trial"
)

const (
	body = `{"payee":"Bob","cents":500}`
	key  = "Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324"
)

// clock is a time that a test moves between requests.
type clock struct{ now time.Time }

func newService(t *testing.T) (Service, *clock) {
	t.Helper()
	c := &clock{time.Date(2030, 5, 4, 12, 0, 0, 0, time.UTC)}
	return Service{trial.DB(t, Schema), func() time.Time { return c.now }}, c
}

var users = map[string]User{"alice": {"alice"}, "bob": {"bob"}}

func payments(t *testing.T, s Service) string {
	t.Helper()
	return trial.Text(t, s.DB, `SELECT count(*) FROM payments`)
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	s, clock := newService(t)
	h := s.Routes(trial.Callers(users), trial.Errs(t))
	first := trial.Send(h, "alice", "POST /payments", body, key)
	if first.Code != 201 {
		t.Fatalf("got %d %s, want 201", first.Code, first.Body)
	}
	told := first.Body.String()
	trial.Run(t, h, []trial.Case{
		{Name: "a repeat", As: "alice", Do: "POST /payments", Body: body, Fields: []string{key}, Status: 201, Want: told},
		{Name: "another spelling of the same request", As: "alice", Do: "POST /payments", Body: ` {"cents":500, "payee":" Bob "}`,
			Fields: []string{key}, Status: 201, Want: told},
		{Name: "another payload under the key", As: "alice", Do: "POST /payments", Body: `{"payee":"Eve","cents":500}`,
			Fields: []string{key}, Status: 422, Want: "key_reused"},
		{Name: "another amount under the key", As: "alice", Do: "POST /payments", Body: `{"payee":"Bob","cents":501}`,
			Fields: []string{key}, Status: 422, Want: "key_reused"},
		{Name: "no key", As: "alice", Do: "POST /payments", Body: body, Status: 400, Want: "header/Idempotency-Key"},
		{Name: "a key that others will choose, too", As: "alice", Do: "POST /payments", Body: body, Fields: []string{"Idempotency-Key: 1"}, Status: 400, Want: "min"},
		{Name: "two keys", As: "alice", Do: "POST /payments", Body: body, Fields: []string{key, "Idempotency-Key: 0123456789abcdef"}, Status: 400, Want: "repeated"},
		{Name: "nobody repeats what others may", As: "eve", Do: "POST /payments", Body: body, Fields: []string{key}, Status: 401, Want: "unauthenticated"},
	})
	if got := payments(t, s); got != "1" {
		t.Errorf("got %s payments, want 1", got)
	}

	w := trial.Send(h, "bob", "POST /payments", body, key)
	if w.Code != 201 || w.Body.String() == told {
		t.Errorf("another caller's key: got %d %s, want a payment of his own", w.Code, w.Body)
	}
	if got, want := w.Header().Get("Location"), first.Header().Get("Location"); got == want {
		t.Errorf("got Location %s for both callers", got)
	}
	clock.now = clock.now.Add(keepKeys)
	if w := trial.Send(h, "alice", "POST /payments", body, key); w.Code != 201 || w.Body.String() == told {
		t.Errorf("a day later: got %d %s, want a new payment", w.Code, w.Body)
	}
	if got := payments(t, s); got != "3" {
		t.Errorf("got %s payments, want 3", got)
	}
}

func TestConcurrentRepeats(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	h := s.Routes(trial.Callers(users), trial.Errs(t))
	told := make([]string, 10)
	var wg sync.WaitGroup
	for n := range told {
		wg.Go(func() {
			w := trial.Send(h, "alice", "POST /payments", body, key)
			told[n] = fmt.Sprint(w.Code, w.Header().Get("Location"), w.Body)
		})
	}
	wg.Wait()
	for n := range told {
		if told[n] != told[0] || told[n][:3] != "201" {
			t.Errorf("request %d was told %s, request 0 %s", n, told[n], told[0])
		}
	}
	if got := payments(t, s); got != "1" {
		t.Errorf("got %s payments, want 1", got)
	}
}

// What failed has not used its key up: neither is there without the other.
func TestFailureFreesTheKey(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	h := s.Routes(trial.Callers(users), &guard.Responder{Log: trial.Discard})
	trial.Exec(t, s.DB, `ALTER TABLE payments RENAME TO gone`)
	if got := trial.Send(h, "alice", "POST /payments", body, key).Code; got != 500 {
		t.Errorf("without a table: got %d, want 500", got)
	}
	if got := trial.Text(t, s.DB, `SELECT count(*) FROM creations`); got != "0" {
		t.Errorf("got %s keys of a payment that is not there", got)
	}
	trial.Exec(t, s.DB, `ALTER TABLE gone RENAME TO payments`)
	if got := trial.Send(h, "alice", "POST /payments", body, key).Code; got != 201 {
		t.Errorf("the retry: got %d, want 201", got)
	}
}

func TestKeysAreBoundedPerCaller(t *testing.T) {
	t.Parallel()
	s, clock := newService(t)
	h := s.Routes(trial.Callers(users), trial.Errs(t))
	trial.Exec(t, s.DB, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO creations SELECT 'alice', 'POST /payments', 'key number ' || i, 'x', '{}', ? FROM n`, maxKeys-1, clock.now.Unix())
	trial.Run(t, h, []trial.Case{
		{Name: "the last key", As: "alice", Do: "POST /payments", Body: body, Fields: []string{key}, Status: 201, Want: "Bob"},
		{Name: "one more", As: "alice", Do: "POST /payments", Body: body, Fields: []string{"Idempotency-Key: 0123456789abcdef"}, Status: 429, Want: "too_many_keys"},
		{Name: "a repeat of the last", As: "alice", Do: "POST /payments", Body: body, Fields: []string{key}, Status: 201, Want: "Bob"},
		{Name: "another caller", As: "bob", Do: "POST /payments", Body: body, Fields: []string{key}, Status: 201, Want: "Bob"},
	})
	if got := trial.Text(t, s.DB, `SELECT count(*) FROM creations WHERE caller_id = 'alice'`); got != fmt.Sprint(maxKeys) {
		t.Errorf("got %s keys, want %d", got, maxKeys)
	}
	clock.now = clock.now.Add(keepKeys)
	if got := trial.Send(h, "alice", "POST /payments", body, "Idempotency-Key: 0123456789abcdef").Code; got != 201 {
		t.Errorf("a day later: got %d, want 201", got)
	}
	if got := trial.Text(t, s.DB, `SELECT count(*) FROM creations WHERE caller_id = 'alice'`); got != "1" {
		t.Errorf("a day later: got %s keys, want the one that is new", got)
	}
}
