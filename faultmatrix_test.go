package guard_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
)

// matrixFault is one way to misbehave.
type matrixFault struct {
	column string
	name   string
	fault  func(s *rig, ctx context.Context) (zero bool, err error)
	write  string // what the ResponseWriter does meanwhile
	cause  string // a part of what the log learns of a 5xx
}

// faults is what a point of a rig may do instead of its work. Those of one column
// have one outcome.
var faults = []matrixFault{
	{column: "error", name: "returns an error", fault: returning(errors.New("s3cret")), cause: "s3cret"},
	{column: "error", name: "returns a typed nil error", fault: returning((*nilError)(nil))},
	{column: "zero", name: "returns nil or zero", fault: func(*rig, context.Context) (bool, error) { return true, nil }},
	{column: "hangs", name: "hangs until its deadline", fault: func(_ *rig, ctx context.Context) (bool, error) {
		<-ctx.Done()
		return false, fmt.Errorf("s3cret: %w", ctx.Err())
	}, cause: "s3cret"},
	{column: "gone", name: "the client goes away", fault: func(s *rig, ctx context.Context) (bool, error) {
		(*s.hangUp.Load())()
		<-ctx.Done()
		return false, fmt.Errorf("s3cret: %w", ctx.Err())
	}, cause: "s3cret"},
	{column: "panics", name: "panics with a string", fault: panicking("s3cret"), cause: "panic"},
	{column: "panics", name: "panics with an error", fault: panicking(errors.New("s3cret")), cause: "panic"},
	{column: "panics", name: "panics with ErrNotFound", fault: panicking(guard.ErrNotFound), cause: "panic"},
	{column: "panics", name: "panics with a public error", fault: panicking(guard.Fail(400, "s3cret", "s3cret")), cause: "panic"},
	{column: "panics", name: "panics with nil", fault: panicking(nil), cause: "panic"},
	{column: "panics", name: "panics with a typed nil", fault: panicking((*nilError)(nil)), cause: "panic"},
	{column: "panics", name: "panics with what cannot be compared", fault: panicking([]string{"s3cret"}), cause: "panic"},
	{column: "panics", name: "panics in the runtime", fault: func(*rig, context.Context) (bool, error) { var p *rigRow; return p.ID == "", nil }, cause: "panic"},
	{column: "Goexit", name: "calls runtime.Goexit", fault: func(*rig, context.Context) (bool, error) { runtime.Goexit(); return false, nil }},
	{column: "abort", name: "panics with http.ErrAbortHandler", fault: panicking(http.ErrAbortHandler)},
	{column: "clock", name: "the clock jumps forward", fault: jumping(48 * time.Hour)},
	{column: "clock", name: "the clock jumps back", fault: jumping(-48 * time.Hour)},
	{column: "write", name: "the writer fails after the first byte", fault: returning(errors.New("s3cret")), write: "error"},
	{column: "wpanic", name: "the writer panics after the first byte", fault: returning(errors.New("s3cret")), write: "panic"},
	{column: "entropy", name: "there is no randomness"},
}

func returning(err error) func(*rig, context.Context) (bool, error) {
	return func(*rig, context.Context) (bool, error) { return true, err }
}

func panicking(v any) func(*rig, context.Context) (bool, error) {
	return func(*rig, context.Context) (bool, error) { panic(v) }
}

func jumping(d time.Duration) func(*rig, context.Context) (bool, error) {
	return func(s *rig, _ context.Context) (bool, error) { s.offset.Add(int64(d)); return false, nil }
}

// nilError is an error whose methods panic where it is nil.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

// columns is the faults in the order of the matrix.
var columns = []string{"error", "zero", "hangs", "gone", "panics", "Goexit", "abort", "clock", "write", "wpanic", "entropy"}

// matrixRow is one point, and what becomes of the request there.
type matrixRow struct {
	stage  guard.Stage
	point  string
	has    string
	path   string // /typed/7 where empty
	usual  int    // status; 200 where 0
	cells  string
	outage guard.Outage // closed where 0, see outageOf
	field  string       // the credential; a token where empty
}

// The matrix says what becomes of a request when a point misbehaves.
//
// A cell is a status; ok, where the request is answered as usual; cut, where the
// connection is; or a dash, where the point cannot do it, as has says: f, a
// function that runs; c, a context that ends; e, an error to return; z, a value
// that may be nil or zero. A letter is a reason below. The record of a refusal says
// the row's stage, or the one after the @.
var matrix = []matrixRow{
	//      error  zero  hangs gone  panics Goexit abort clock write wpanic entropy
	{stage: guard.StageRoute, point: "the request", path: "/nowhere", usual: 404,
		cells: "-      -     -     -     -      -      -     ok    cut   cut    ok"},
	{stage: guard.StageBegin, point: "the request",
		cells: "-      -     -     -     -      -      -     ok    cut   cut    500"},

	{stage: guard.StageLimit, point: "Take", has: "fcez",
		cells: "503    429   503   499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageLimit, point: "Acquire", has: "fcez",
		cells: "503    429   503   499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageLimit, point: "Take", has: "fcez", outage: local,
		cells: "ok     429   ok    499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageLimit, point: "Acquire", has: "fcez", outage: local,
		cells: "ok     429   ok    499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageLimit, point: "Take", has: "fcez", outage: guard.OutageOpen,
		cells: "ok     429   ok    499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageLimit, point: "Acquire", has: "fcez", outage: guard.OutageOpen,
		cells: "ok     429   ok    499   500    500    cut   ok    cut   cut    ok"},

	{stage: guard.StageWho, point: "verify a token", has: "fcez",
		cells: "503    401   503   499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWho, point: "verify a key", has: "fcez", field: "X-API-Key: key-of-alice",
		cells: "503    401   503   499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWho, point: "verify a cookie", has: "fcez", field: "Cookie: __Host-session=session-of-alice",
		cells: "503    401   503   499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWho, point: "verify and remember", has: "fcez", path: "/cached",
		cells: "503    401   503   499   503    503    503   ok    cut   cut    ok"},
	{stage: guard.StageWho, point: "Subject", has: "fz",
		cells: "-      401   -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWho, point: "find a key", has: "fez", path: "/jwt",
		cells: "401    401   -     -     503    500    503   ok    cut   cut    ok"},
	{stage: guard.StageWho, point: "session of a token", has: "fcez", path: "/jwt",
		cells: "503    401   503   499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWho, point: "body", has: "fez", path: "/message",
		cells: "400    400   -     -     500    500    cut   401   cut   cut    500@input_limit"},

	{stage: guard.StageRole, point: "role", has: "fz",
		cells: "-      403   -     -     500    500    cut   ok    cut   cut    ok"},

	{stage: guard.StageCallerLimit, point: "key of a caller", has: "fz",
		cells: "-      500   -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageCallerLimit, point: "Take for a caller", has: "fcez",
		cells: "503    429   503   499   500    500    cut   ok    cut   cut    ok"},

	{stage: guard.StageWhich, point: "parse", has: "fez",
		cells: "404    404   -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWhich, point: "load", has: "fcez",
		cells: "500    404   503   499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWhich, point: "owns", has: "fz",
		cells: "-      404   -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWhich, point: "load a child", has: "fcez", path: "/within/7/8",
		cells: "500    404   503   499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWhich, point: "authorize", has: "fcez", path: "/authorize/7",
		cells: "500    404   503   499   500    500    cut   ok    cut   cut    ok"},

	{stage: guard.StageWhat, point: "body", has: "fez",
		cells: "400    400   -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWhat, point: "UnmarshalText", has: "fe",
		cells: "400    -     -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWhat, point: "UnmarshalJSON", has: "fe",
		cells: "400    -     -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWhat, point: "rule", has: "fcz",
		cells: "-      400   b     b     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageWhat, point: "Validate", has: "fce",
		cells: "500    -     503   499   500    500    cut   ok    cut   cut    ok"},

	{stage: guard.StageInputLimit, point: "key of an input", has: "fz",
		cells: "-      500   -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageInputLimit, point: "cost", has: "fz",
		cells: "-      500   -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageInputLimit, point: "Take for an input", has: "fcez",
		cells: "503    429   503   499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageInputLimit, point: "Claim", has: "fcez", path: "/message",
		cells: "503    503   503   499   500    500    cut   ok    cut   cut    500"},

	{stage: guard.StageHandler, point: "handler", has: "fcez",
		cells: "500    500@respond 503 499 500 500     cut   ok    cut   cut    ok"},
	{stage: guard.StageHandler, point: "id of the input", has: "fz", path: "/owned",
		cells: "-      404   -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageHandler, point: "load by input", has: "fcez", path: "/owned",
		cells: "500    404   503   499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageHandler, point: "owns by input", has: "fz", path: "/owned",
		cells: "-      404   -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageHandler, point: "stream", has: "fce", path: "/stream",
		cells: "500    -     d     499   500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageHandler, point: "http.Handler", has: "fc", path: "/wrap",
		cells: "-      -     d     ok    500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageHandler, point: "http.Handler", has: "fc", path: "/unguarded",
		cells: "-      -     d     ok    500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageHandler, point: "Map", has: "fez", path: "/domain", usual: 409,
		cells: "500    500   -     -     500    500    500   ok    cut   cut    ok"},

	{stage: guard.StageAfter, point: "hook", has: "fce",
		cells: "ok     -     ok    ok    ok     500    ok    ok    cut   cut    ok"},

	{stage: guard.StageRespond, point: "MarshalJSON", has: "fez",
		cells: "500    500   -     -     500    500    cut   ok    cut   cut    ok"},
	{stage: guard.StageRespond, point: "Done", has: "fce", path: "/message",
		cells: "ok     -     ok    ok    ok     500    ok    ok    cut   cut    500@input_limit"},
	{stage: guard.StageRespond, point: "Refund", has: "fce",
		cells: "ok     -     ok    ok    ok     ok     ok    ok    cut   cut    ok"},
	{stage: guard.StageRespond, point: "release", has: "f",
		cells: "-      -     -     -     ok     ok     ok    ok    cut   cut    ok"},
	{stage: guard.StageRespond, point: "Level", has: "fz",
		cells: "-      ok    -     -     ok     ok     ok    ok    cut   cut    ok"},
	{stage: guard.StageRespond, point: "Log", has: "fce",
		cells: "ok     -     u     ok    ok     ok     ok    ok    cut   cut    ok"},
	{stage: guard.StageRespond, point: "Observe", has: "fc",
		cells: "-      -     u     ok    ok     ok     ok    ok    cut   cut    ok"},
	{stage: guard.StageRespond, point: "Message", has: "fz", path: "/typed/7?nonsense=1", usual: 400,
		cells: "-      ok    -     -     ok     500@what ok  ok    cut   cut    ok"},
}

const local guard.Outage = -1

// reasons says why a pair that a point could have has no outcome.
var reasons = map[string]string{
	"b": "a rule returns a bool: it cannot say that its time was up, and false is a broken rule",
	"d": "what has the ResponseWriter has no deadline but the server's, see Stream and Wrap",
	"u": "it gets the request's own context, so that a trace is not cut short: it must bound itself",
}

// The stages are read from the source, so that a new one cannot be forgotten.
func stagesInSource(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "observe.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range file.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		for _, spec := range block.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if strings.HasPrefix(name.Name, "Stage") {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

// Every stage has a row, every row a cell for each fault, and every dash a reason.
func TestFaultMatrixIsComplete(t *testing.T) {
	t.Parallel()
	rows := map[guard.Stage]bool{}
	used := map[string]bool{}
	for _, row := range matrix {
		rows[row.stage] = true
		cells := strings.Fields(row.cells)
		if len(cells) != len(columns) {
			t.Fatalf("%s %s: got %d cells, want %d", row.stage, row.point, len(cells), len(columns))
		}
		for i, cell := range cells {
			why := cannot(columns[i], row.has)
			if (cell == "-") != (why != "") {
				t.Errorf("%s %s, %s: the cell is %q, but the reason is %q", row.stage, row.point, columns[i], cell, why)
			}
			used[cell] = true
		}
	}
	for i, name := range stagesInSource(t) {
		if !rows[guard.Stage(i)] {
			t.Errorf("%s has no row", name)
		}
	}
	if got := len(stagesInSource(t)); got != int(guard.StageRespond)+1 {
		t.Errorf("got %d stages in the source, want %d", got, guard.StageRespond+1)
	}
	have := map[string]bool{}
	for _, f := range faults {
		have[f.column] = true
	}
	if len(have) != len(columns) {
		t.Errorf("the faults are in %v, the matrix has %v", have, columns)
	}
	for letter := range reasons {
		if !used[letter] {
			t.Errorf("the reason %q is for nothing", letter)
		}
	}
}

// cannot says why a point is not able to do what a column says.
func cannot(column, has string) string {
	needs := map[string]struct{ what, why string }{
		"error": {"e", "it has no error to return"}, "zero": {"z", "it returns nothing that may be nil or zero"},
		"hangs": {"c", "it has no context, and nobody can end what does not return"}, "gone": {"c", "it has no context"},
		"panics": {"f", "no code of the service runs here"}, "Goexit": {"f", "no code of the service runs here"},
		"abort": {"f", "no code of the service runs here"},
	}[column]
	if strings.Contains(has, needs.what) {
		return ""
	}
	return needs.why
}

// TestFaultMatrix runs every cell on a real http.Server, whose connections are
// pipes and whose time is the bubble's. The bubble ends when all goroutines have.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	for _, row := range matrix {
		cells := strings.Fields(row.cells)
		for _, f := range faults {
			if f.column == "entropy" { // it is the whole process's: see TestWithoutRandomness
				continue
			}
			cell := cells[slices.Index(columns, f.column)]
			if cell == "-" || reasons[cell] != "" {
				continue
			}
			name := fmt.Sprintf("%s %s %s %s %s", row.stage, row.point, row.path, row.outageOf(), f.name)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { row.run(t, f, cell) })
			})
		}
	}
}

func (row *matrixRow) outageOf() guard.Outage {
	switch row.outage {
	case local:
		return guard.OutageLocal
	case guard.OutageOpen:
		return guard.OutageOpen
	}
	return guard.OutageClosed
}

// run makes one request with the fault, and one without.
func (row *matrixRow) run(t *testing.T, f matrixFault, cell string) {
	s := newRig(t, row.outageOf())
	server := newPipeServer(s)
	defer server.shutDown()
	usual := cmp.Or(row.usual, http.StatusOK)

	s.armed.Store(&injection{point: row.point, fault: f.fault, write: f.write})
	got := s.ask(t, &server.client, row)
	time.Sleep(time.Minute) // of the bubble's time, for what goes on without the client
	want := row.expect(f, cell)
	want.check(t, row, got)
	want.checkLog(t, s, row, f)
	want.checkBooks(t, s, row)
	if s.hits.Load() == 0 && f.column != "wpanic" { // after which some points are not reached
		t.Error("the fault did not happen")
	}

	s.armed.Store(nil)
	before := s.handled.Load()
	got = s.ask(t, &server.client, row)
	synctest.Wait() // until the handler has returned
	if got.err != nil || got.status != usual {
		t.Errorf("the next request: got %d %q %v, want %d", got.status, got.body, got.err, usual)
	}
	if ran := s.handled.Load() - before; usual == http.StatusOK && ran != 1 {
		t.Errorf("the next request: the handler ran %d times", ran)
	}
	if text := server.log(); text != "" {
		t.Errorf("the server itself logged %s", text)
	}
}

// outcome is what a cell means.
type outcome struct {
	cut    bool
	status int         // as sent and logged
	stage  guard.Stage // of the record of a refusal
	ok     bool        // the request is answered as usual
	failed bool        // for the limits
	broke  bool        // the stages did not return
}

func (row *matrixRow) expect(f matrixFault, cell string) (want outcome) {
	cells := strings.Fields(row.cells)
	switch f.column {
	case "panics", "abort":
		want.broke = cell != "ok" && row.point != "Map" // which is contained
	case "Goexit":
		want.broke = cell != "ok"
	case "write":
		want.broke = row.point == "http.Handler" // which aborts then
	case "wpanic":
		want.broke = true
	}
	defer func() { want.failed = !want.ok || want.broke || want.status >= 400 }()
	switch {
	case f.column == "abort" && cell == "cut":
		want.cut, want.status, want.stage = true, 499, row.stage
		return want
	case cell == "cut": // while the outcome of another column was written
		want.cut = true
		switch {
		case strings.Contains(row.has, "e"):
			cell = cells[0]
		case strings.Contains(row.has, "z"):
			cell = cells[1]
		default:
			cell = "ok"
		}
	}
	status, stage, elsewhere := strings.Cut(cell, "@")
	want.status, _ = strconv.Atoi(status)
	want.stage = row.stage
	for s := guard.StageRoute; elsewhere && s <= guard.StageRespond; s++ {
		if s.String() == stage {
			want.stage = s
		}
	}
	if cell == "ok" {
		want.ok, want.status = true, cmp.Or(row.usual, http.StatusOK)
	}
	return want
}

func (want *outcome) check(t *testing.T, row *matrixRow, got answer) {
	t.Helper()
	if want.cut {
		if got.err == nil {
			t.Errorf("got %d %q, want a cut connection", got.status, got.body)
		}
		return
	}
	if got.err != nil || got.status != want.status {
		t.Fatalf("got %d %q %v, want %d", got.status, got.body, got.err, want.status)
	}
	if all := fmt.Sprint(got.header) + got.body; strings.Contains(all, "s3cret") || strings.Contains(all, ".go") {
		t.Errorf("the response tells too much: %s", all)
	}
	if got.header.Get("X-Request-Id") == "" || got.header.Get("X-Content-Type-Options") != "nosniff" && row.path != "/unguarded" {
		t.Errorf("got header %v", got.header)
	}
	if got.status < 400 {
		return
	}
	var p problem
	if err := json.Unmarshal([]byte(got.body), &p); err != nil || p.Status != got.status || p.Code == "" || p.RequestID != got.header.Get("X-Request-Id") {
		t.Errorf("got %q (%v), want a problem of status %d with the request's id", got.body, err, got.status)
	}
	if got.header.Get("Content-Type") != "application/problem+json" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got header %v", got.header)
	}
}

// checkLog wants one record and one event, which say what the response said.
func (want *outcome) checkLog(t *testing.T, s *rig, row *matrixRow, f matrixFault) {
	t.Helper()
	var all []map[string]any
	for _, r := range s.log.records(t) {
		if strings.HasPrefix(fmt.Sprint(r["msg"]), "request ") {
			all = append(all, r)
		}
	}
	records := 1
	if row.point == "Log" && want.ok && (f.column == "panics" || f.column == "Goexit" || f.column == "abort") {
		records = 0
	}
	if len(all) != records {
		t.Fatalf("got %d records, want %d: %s", len(all), records, s.log)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	events := 0
	for _, e := range s.events {
		if e.Stage != guard.StageAfter || e.Status >= 400 {
			events++
		}
	}
	if events != 1 {
		t.Errorf("got events %+v, want 1 beside those of hooks", s.events)
	}
	if records == 0 {
		return
	}
	r := all[0]
	if r["status"] != float64(want.status) || !want.ok && r["stage"] != want.stage.String() {
		t.Errorf("got record %v, want status %d at %s", r, want.status, want.stage)
	}
	if cause := fmt.Sprint(r["cause"]); !want.ok && want.status >= 499 && row.path != "/cached" && !strings.Contains(cause, f.cause) {
		t.Errorf("got cause %q, want %q in it", cause, f.cause)
	}
}

// checkBooks wants the handler to have run only if nothing before it refused, and
// every limit to be settled accordingly.
func (want *outcome) checkBooks(t *testing.T, s *rig, row *matrixRow) {
	t.Helper()
	ran := s.handled.Load()
	early := row.stage < guard.StageHandler || row.path == "/owned" || want.stage == guard.StageInputLimit
	if !want.ok && early && ran != 0 || want.ok && row.usual == 0 && ran != 1 {
		t.Errorf("the handler ran %d times", ran)
	}
	if got := s.ledger.balance("places"); got != 0 {
		t.Errorf("got %d places in flight, want none", got)
	}
	if row.path == "/unguarded" || row.path == "/nowhere" || row.point == "Refund" || row.outage != 0 {
		return // it has no limits, or they were counted elsewhere
	}
	failures, cost := 0, 0
	if want.failed && (want.ok || want.stage > guard.StageLimit) {
		failures = 1
	}
	late := row.path == "/owned" || row.path == "/message" && want.stage == guard.StageInputLimit // after the limits
	switch {
	case ran == 0 && late, ran > 0 && want.broke:
		cost = 3 // at its worst
	case ran > 0:
		cost = 1
	}
	if got := s.ledger.balance("failures"); got != failures {
		t.Errorf("got %d failures charged, want %d", got, failures)
	}
	if got := s.ledger.balance("cost"); got != cost {
		t.Errorf("got a cost of %d, want %d", got, cost)
	}
}

// answer is a response, or why there is none.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// ask sends the request of a row.
func (s *rig) ask(t *testing.T, client *http.Client, row *matrixRow) answer {
	t.Helper()
	r := s.request(t, row)
	resp, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}
}

func (s *rig) request(t *testing.T, row *matrixRow) *http.Request {
	t.Helper()
	body := fmt.Sprintf(`{"name":"mark of the input\n\u001b[31m","text":%q,"json":%q}`, s.name, s.name)
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://service"+cmp.Or(row.path, "/typed/7"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	fields := []string{cmp.Or(row.field, "Authorization: Bearer "+s.token(t))}
	if row.path == "/message" {
		s.messages++
		fields = signature(guard.StandardWebhooks, fmt.Sprint("msg_", s.messages), s.now(), body, webhookSecret)
	}
	for _, f := range append(fields, "Content-Type: application/json") {
		name, text, _ := strings.Cut(f, ": ")
		r.Header.Set(name, text)
	}
	return r
}

// TestWithoutRandomness is the column of the matrix that needs the process for
// itself: it takes the randomness away from all of it.
func TestWithoutRandomness(t *testing.T) {
	services := make([]*rig, len(matrix))
	for i := range matrix {
		services[i] = newRig(t, matrix[i].outageOf())
	}
	old := rand.Reader
	rand.Reader = iotest.ErrReader(errors.New("no randomness"))
	defer func() { rand.Reader = old }()
	dropIDs(t)
	for i, row := range matrix {
		t.Run(fmt.Sprint(row.stage, " ", row.point, " ", row.path), func(t *testing.T) {
			r := services[i].request(t, &row)
			r.RemoteAddr = proxyAddr.String()
			if row.stage != guard.StageBegin { // the others have an id that a proxy has made
				r.Header.Set("X-Request-ID", "0198f000-0000-7000-8000-000000000001")
			}
			w := httptest.NewRecorder()
			services[i].ServeHTTP(w, r)
			want := row.expect(matrixFault{}, strings.Fields(row.cells)[len(columns)-1])
			want.check(t, &row, answer{status: w.Code, header: w.Header(), body: w.Body.String()})
			want.checkLog(t, services[i], &row, matrixFault{})
			want.checkBooks(t, services[i], &row)
		})
	}
}

// dropIDs throws away the request ids in stock, which are in a sync.Pool: each processor
// may have some that no other one finds, and the second collection has taken all of them.
func dropIDs(t *testing.T) {
	t.Helper()
	runtime.GC()
	runtime.GC()
	errs, _ := logged()
	if got := send(guard.NewMux(errs), "GET", "/", "").StatusCode; got != http.StatusInternalServerError {
		t.Fatalf("got %d, want 500: there is a request id left", got)
	}
}
