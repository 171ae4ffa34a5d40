package locking

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/cookbook/internal/trial"
)

const (
	alices = "/pages/0198f000-0000-7000-8000-0000000000a1"
	bobs   = "/pages/0198f000-0000-7000-8000-0000000000b1"
)

func newService(t *testing.T) Service {
	t.Helper()
	db := trial.DB(t, Schema)
	trial.Exec(t, db, `INSERT INTO pages VALUES ('0198f000-0000-7000-8000-0000000000a1', 'alice', 'First', 1),
		('0198f000-0000-7000-8000-0000000000b1', 'bob', 'Bob''s', 1)`)
	return Service{db}
}

var users = map[string]User{"alice": {"alice"}}

func TestPreconditions(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.Routes(trial.Callers(users), trial.Errs(t))
	put := func(name, body string, status int, want string, fields ...string) trial.Case {
		return trial.Case{Name: name, As: "alice", Do: "PUT " + alices, Body: body, Fields: fields, Status: status, Want: want}
	}
	trial.Run(t, h, []trial.Case{
		put("no precondition", `{"text":"x"}`, 428, "precondition_required"),
		put("an empty one", `{"text":"x"}`, 428, "precondition_required", "If-Match: "),
		put("a version that is not there yet", `{"text":"x"}`, 412, "precondition_failed", `If-Match: "2"`),
		put("whatever is there", `{"text":"x"}`, 412, "precondition_failed", `If-Match: *`),
		put("a weak tag", `{"text":"x"}`, 412, "precondition_failed", `If-Match: W/"1"`),
		put("without quotes", `{"text":"x"}`, 412, "precondition_failed", `If-Match: 1`),
		put("a list", `{"text":"x"}`, 412, "precondition_failed", `If-Match: "1", "2"`),
		put("two fields", `{"text":"x"}`, 400, "repeated", `If-Match: "1"`, `If-Match: "2"`),
		put("a precondition in the body", `{"text":"x","ifMatch":"\"1\""}`, 400, "unknown_field"),
		put("the version that is there", `{"text":"Second"}`, 200, "Second", `If-Match: "1"`),
		put("the same one again", `{"text":"Lost"}`, 412, "precondition_failed", `If-Match: "1"`),
		put("the new one", `{"text":"Third"}`, 200, "Third", `If-Match: "2"`),
		{Name: "another's page, whatever its version", As: "alice", Do: "PUT " + bobs, Body: `{"text":"x"}`, Fields: []string{`If-Match: "1"`}, Status: 404, Want: "not_found"},
		{Name: "another's page without a precondition", As: "alice", Do: "DELETE " + bobs, Status: 404, Want: "not_found"},
		{Name: "deleting without a precondition", As: "alice", Do: "DELETE " + alices, Status: 428, Want: "precondition_required"},
		{Name: "deleting what has been changed", As: "alice", Do: "DELETE " + alices, Fields: []string{`If-Match: "1"`}, Status: 412, Want: "precondition_failed"},
	})
	w := trial.Send(h, "alice", "GET "+alices, "")
	if got := w.Header().Get("ETag"); got != `"3"` {
		t.Errorf("got ETag %s, want \"3\"", got)
	}
	if got := trial.Send(h, "alice", "DELETE "+alices, "", "If-Match: "+w.Header().Get("ETag")).Code; got != 204 {
		t.Errorf("deleting what was read: got %d, want 204", got)
	}
}

// An editor goes on from the tag of its own answer, without reading again.
func TestAnswerOfAnEditHasTheNextTag(t *testing.T) {
	t.Parallel()
	h := newService(t).Routes(trial.Callers(users), trial.Errs(t))
	tag := `"1"`
	for n := range 3 {
		w := trial.Send(h, "alice", "PUT "+alices, fmt.Sprintf(`{"text":"edit %d"}`, n), "If-Match: "+tag)
		if w.Code != 200 {
			t.Fatalf("edit %d with %s: got %d %s, want 200", n, tag, w.Code, w.Body)
		}
		tag = w.Header().Get("ETag")
	}
}

// Ten writers have read the same version: one of them writes, nine are told.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	s := newService(t)
	h := s.Routes(trial.Callers(users), trial.Errs(t))
	codes := make([]int, 10)
	var wg sync.WaitGroup
	for n := range codes {
		wg.Go(func() {
			codes[n] = trial.Send(h, "alice", "PUT "+alices, fmt.Sprintf(`{"text":"writer %d"}`, n), `If-Match: "1"`).Code
		})
	}
	wg.Wait()
	winner := ""
	for n, code := range codes {
		switch {
		case code == 200 && winner == "":
			winner = fmt.Sprintf("writer %d", n)
		case code != 412:
			t.Errorf("writer %d: got %d, want 412; the others got %d", n, code, codes)
		}
	}
	if got, want := trial.Text(t, s.DB, `SELECT text || ' at ' || version FROM pages WHERE owner_id = 'alice'`), winner+" at 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Both writers have passed the check with the version that the guard loaded: the statement decides.
func TestTheStatementDecides(t *testing.T) {
	t.Parallel()
	s := newService(t)
	p, err := s.page(t.Context(), uuid.MustParse("0198f000-0000-7000-8000-0000000000a1"))
	if err != nil {
		t.Fatal(err)
	}
	call := func(text string) error {
		_, err := s.edit(t.Context(), &guard.Call[User, EditPage, *Page]{Caller: users["alice"], Input: EditPage{`"1"`, text}, Resource: p})
		return err
	}
	if err := call("one"); err != nil {
		t.Errorf("the first: %v", err)
	}
	if err := call("two"); !errors.Is(err, errChanged) {
		t.Errorf("the second: got %v, want errChanged", err)
	}
	late := &guard.Call[User, DeletePage, *Page]{Caller: users["alice"], Input: DeletePage{`"1"`}, Resource: p}
	if _, err := s.remove(t.Context(), late); !errors.Is(err, errChanged) {
		t.Errorf("a late delete: got %v, want errChanged", err)
	}
	if got := trial.Text(t, s.DB, `SELECT text FROM pages WHERE owner_id = 'alice'`); got != "one" {
		t.Errorf("got text %q, want one", got)
	}
}
