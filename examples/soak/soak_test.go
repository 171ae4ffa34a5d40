package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// runOf is a process that uses a KiB, descriptors and goroutines at each look.
func runOf(n int, use func(int) sample) []sample {
	var all []sample
	for i := range n {
		all = append(all, use(i))
	}
	return all
}

func TestGrowthIsSeen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		use  func(int) sample
		want string // part of a mistake; empty: none
	}{
		{name: "a process that stays as it is", use: func(int) sample { return sample{memory: 90_000, descriptors: 50, goroutines: 60} }},
		{name: "a process that warms up", use: func(n int) sample { return sample{memory: 90_000 - 60_000/(n+1), descriptors: 50, goroutines: 60} }},
		{name: "a process that leaks memory", use: func(n int) sample { return sample{memory: 90_000 + 3000*n, descriptors: 50, goroutines: 60} }, want: "KiB of memory"},
		{name: "a process that leaks descriptors", use: func(n int) sample { return sample{memory: 90_000, descriptors: 50 + 3*n, goroutines: 60} }, want: "file descriptors"},
		{name: "a process that leaks goroutines", use: func(n int) sample { return sample{memory: 90_000, descriptors: 50, goroutines: 60 + 5*n} }, want: "goroutines"},
	}
	for _, tt := range tests {
		i := &instance{name: "one", runs: [][]sample{runOf(3, tt.use), runOf(120, tt.use)}}
		errs := i.growth()
		if len(errs) > 1 || (len(errs) == 1) != (tt.want != "") || len(errs) == 1 && !strings.Contains(errs[0].Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, errs, tt.want)
		}
	}
	if errs := (&instance{runs: [][]sample{runOf(3, tests[0].use)}}).growth(); len(errs) != 1 {
		t.Errorf("too few looks: got %v, want a mistake", errs)
	}
}

func TestWhatIsNoAnswerOfTheServiceIsSeen(t *testing.T) {
	t.Parallel()
	const problem = `{"status":404,"code":"not_found","requestId":"1"}`
	tests := []struct {
		name, what string
		status     int
		id, body   string
		redisDown  bool
		mistake    bool
	}{
		{name: "what was expected", status: 404, id: "1", body: problem},
		{name: "a status that was not expected", status: 200, id: "1", mistake: true},
		{name: "no request id", status: 404, body: problem, mistake: true},
		{name: "no problem document", status: 404, id: "1", body: "404 page not found", mistake: true},
		{name: "a problem of another request", status: 404, id: "2", body: problem, mistake: true},
		{name: "a secret", status: 404, id: "1", body: strings.Replace(problem, "}", `,"x":"`+secretMark+`"}`, 1), mistake: true},
		{name: "a 503 that nothing explains", what: "webhook", status: 503, id: "1", body: strings.Replace(problem, "404", "503", 1), mistake: true},
		{name: "a 503 of a webhook without Redis", what: "webhook", status: 503, id: "1", body: strings.Replace(problem, "404", "503", 1), redisDown: true},
		{name: "a 503 of another route without Redis", what: "read", status: 503, id: "1", body: strings.Replace(problem, "404", "503", 1), redisDown: true, mistake: true},
		{name: "a 500 of a webhook without Redis", what: "webhook", status: 500, id: "1", body: strings.Replace(problem, "404", "500", 1), redisDown: true, mistake: true},
	}
	for _, tt := range tests {
		r := newRecord()
		r.redisDown.Store(tt.redisDown)
		response := &http.Response{StatusCode: tt.status, Status: http.StatusText(tt.status), Header: http.Header{}}
		if tt.id != "" {
			response.Header.Set("X-Request-ID", tt.id)
		}
		r.check(tt.what, response, []byte(tt.body), 404)
		if got := r.mistakes(); (len(got) > 0) != tt.mistake {
			t.Errorf("%s: got %v, want a mistake: %v", tt.name, got, tt.mistake)
		}
	}
	r := newRecord()
	r.redisBack.Store(time.Now().Add(-time.Minute).UnixNano())
	if r.explained("webhook", 503) {
		t.Error("a 503 a minute after Redis is back counts as explained")
	}
}

func TestLogLinesAreRecords(t *testing.T) {
	t.Parallel()
	r := newRecord()
	l := &lines{w: &strings.Builder{}, r: r, name: "one"}
	for _, part := range []string{`{"time":"2026-01-01T00:00:00Z","level":"INFO",`, `"msg":"request refused"}` + "\n", "panic: x\n"} {
		if _, err := l.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.mistakes(); len(got) != 1 || !strings.Contains(got[0].Error(), "panic: x") {
		t.Errorf("got %v, want the second line", got)
	}
	if r.logs["INFO request refused"] != 1 {
		t.Errorf("got %v, want the first record", r.logs)
	}
}
