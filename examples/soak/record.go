package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// record is what was answered, and what should not have been.
type record struct {
	redisDown atomic.Bool
	redisBack atomic.Int64 // when, in nanoseconds
	storeSlow atomic.Int64 // when an instance last said that it could not ask Redis

	mu      sync.Mutex
	answers map[string]map[string]int // by what was sent
	wrong   map[string]int
	logs    map[string]int
}

func newRecord() *record {
	return &record{answers: map[string]map[string]int{}, wrong: map[string]int{}, logs: map[string]int{}}
}

// answered counts an answer.
func (r *record) answered(what, answer string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers[what] == nil {
		r.answers[what] = map[string]int{}
	}
	r.answers[what][answer]++
}

// mistake notes what must not be.
func (r *record) mistake(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := fmt.Sprintf(format, args...); len(r.wrong) < 100 || r.wrong[text] > 0 {
		r.wrong[text]++
	}
}

func (r *record) mistakes() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, text := range slices.Sorted(maps.Keys(r.wrong)) {
		errs = append(errs, fmt.Errorf("%s (%d times)", text, r.wrong[text]))
	}
	return errs
}

func (r *record) logged(instance, line string) {
	if !jsonRecord.MatchString(line) || !json.Valid([]byte(line)) {
		r.mistake("%s logged a line that is no record: %.200q", instance, line)
		return
	}
	if strings.Contains(line, secretMark) {
		r.mistake("%s logged a secret: %.200q", instance, line)
	}
	var one struct{ Level, Msg string }
	_ = json.Unmarshal([]byte(line), &one) // valid, as just seen
	if strings.HasSuffix(one.Msg, "store failed") {
		r.storeSlow.Store(time.Now().UnixNano())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs[one.Level+" "+one.Msg]++
}

// explained reports whether a fault of this soak accounts for a 5xx: without Redis, nobody can tell whether a signed message
// is a repeat. Limits go on by themselves. A Redis that lives and is too slow, on a busy machine, is said by the instance.
func (r *record) explained(what string, status int) bool {
	if status != http.StatusServiceUnavailable || !strings.Contains(what, "webhook") {
		return false
	}
	return r.redisDown.Load() || time.Now().UnixNano()-max(r.redisBack.Load(), r.storeSlow.Load()) < int64(10*time.Second)
}

// check holds a response against what may be answered to what was sent.
func (r *record) check(what string, response *http.Response, body []byte, want ...int) {
	r.answered(what, response.Status)
	status := response.StatusCode
	switch {
	case slices.Contains(want, status):
	case r.explained(what, status):
	default:
		r.mistake("%s: got %d, want %v: %.200q", what, status, want, body)
		return
	}
	if status == http.StatusRequestHeaderFieldsTooLarge { // net/http's own, before there is a request
		return
	}
	id := response.Header.Get("X-Request-ID")
	if id == "" {
		r.mistake("%s: a %d without a request id", what, status)
	}
	if status < 400 || response.Request != nil && response.Request.Method == http.MethodHead {
		return
	}
	var problem struct {
		Status    int
		Code      string
		RequestID string `json:"requestId"`
	}
	if err := json.Unmarshal(body, &problem); err != nil || problem.Status != status || problem.Code == "" || problem.RequestID != id {
		r.mistake("%s: a %d that is no problem document: %.200q", what, status, body)
	}
	if strings.Contains(string(body), secretMark) {
		r.mistake("%s: a %d that repeats what was sent: %.200q", what, status, body)
	}
}

func (r *record) print(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(r.answers)) {
		var counts []string
		for _, answer := range slices.Sorted(maps.Keys(r.answers[what])) {
			counts = append(counts, fmt.Sprintf("%s: %d", answer, r.answers[what][answer]))
		}
		fmt.Fprintf(w, "%-42s %s\n", what, strings.Join(counts, ", "))
	}
	for _, message := range slices.Sorted(maps.Keys(r.logs)) {
		fmt.Fprintf(w, "logged %7d × %s\n", r.logs[message], message)
	}
}

var errStopped = errors.New("the instance is being restarted")
