package guard_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/routeguard/guard"
)

// forgery is what an attacker would like the log to hold: a second record, in the
// form of each log handler, and what changes a terminal.
const forgery = "\r\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\r\ntime=2026-01-01T00:00:00Z level=ERROR msg=forged\r\n2026/01/01 00:00:00 ERROR forged\x1b[31m\u2028\u0085\u009b\x7f\x00"

// logKinds is the handlers whose output must not be forged.
var logKinds = []struct {
	name string
	make func(*bytes.Buffer) slog.Handler
	line *regexp.Regexp // of one record
}{
	{"JSON", func(b *bytes.Buffer) slog.Handler {
		return slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
	}, regexp.MustCompile(`^\{"time":"[^"]+","level":"(DEBUG|INFO|WARN|ERROR)","msg":"[^"\\]+".*\}$`)},
	{"text", func(b *bytes.Buffer) slog.Handler {
		return slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
	}, regexp.MustCompile(`^time=\S+ level=(DEBUG|INFO|WARN|ERROR) msg="[^"\\]+"( .*)?$`)},
}

// Each point of the service fails with a secret in its error, in the input, in the
// credential and in the resource. No response tells any of them. The log learns the
// error's, in the attributes that are for it, and none of the others. It has as
// many lines as records, and none of another form.
func TestSecretsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	const mark = "mark of the error"
	failures := map[string]*injection{
		"an error":      {fault: returning(errors.New(mark + forgery))},
		"a panic":       {fault: panicking(mark + forgery)},
		"another panic": {fault: panicking(fmt.Errorf("%w: %s", http.ErrBodyReadAfterClose, mark+forgery))},
	}
	for _, row := range matrix {
		for name, f := range failures {
			for _, kind := range logKinds {
				if name != "an error" && (row.has == "" || row.point == "Log") {
					continue // nothing of the service runs, or nothing is logged: see TestTheStandardLoggerIsNotForged
				}
				t.Run(fmt.Sprint(row.stage, " ", row.point, row.path, " ", row.outageOf(), " ", name, " ", kind.name), func(t *testing.T) {
					t.Parallel()
					var text bytes.Buffer
					s := newRig(t, row.outageOf(), func(s *rig) { s.errs.Log = slog.New(&rigLog{kind.make(&text), s}) })
					s.armed.Store(&injection{point: row.point, fault: f.fault})
					r := s.request(t, &row)
					r.RemoteAddr = proxyAddr.String()
					r.Header.Set("User-Agent", "mark of a field")
					r.Header.Set("X-Forwarded-For", "mark of a field"+forgery)
					r.Header.Set("X-Request-ID", "mark-of-a-field"+forgery)
					r.Header.Add("Cookie", "other=mark-of-a-field")
					w := httptest.NewRecorder()
					s.ServeHTTP(w, r)
					secrets := []string{"mark of the input", "mark of the resource", "mark of a field", "mark-of-a-field",
						r.Header.Get("Authorization"), "key-of-alice", "session-of-alice"}
					leaks(t, "log", text.String(), secrets)
					leaks(t, "response", fmt.Sprint(w.Header(), w.Body), append(secrets, mark, "forged", "\x1b"))
					checkLines(t, text.String(), kind.line, int(s.logged.Load()))
				})
			}
		}
	}
}

// leaks reports the secrets that a text holds.
func leaks(t *testing.T, what, text string, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		secret = strings.TrimPrefix(secret, "Bearer ")
		if secret != "" && strings.Contains(text, secret) {
			t.Errorf("the %s holds %q: %s", what, secret, text)
		}
	}
}

// checkLines wants a log of so many records, one a line.
func checkLines(t *testing.T, text string, line *regexp.Regexp, records int) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		lines = nil
	}
	if len(lines) != records {
		t.Errorf("got %d lines of %d records: %s", len(lines), records, text)
	}
	for _, l := range lines {
		if !line.MatchString(l) || strings.ContainsFunc(l, func(c rune) bool { return c < ' ' || 0x7f <= c && c <= 0x9f || c == '\u2028' }) {
			t.Errorf("got a line that is no record: %q", l)
		}
	}
}

// What a client writes reaches no response, and forges no record, whatever part of
// the request it is in.
func TestRequestsDoNotForgeRecords(t *testing.T) {
	t.Parallel()
	const mark = "mark"
	hostile := mark + forgery
	encoded := func(s string) string { // as a client gets it past an HTTP server
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, "%%%02x", c)
		}
		return b.String()
	}
	quoted := strings.NewReplacer("\r", `\r`, "\n", `\n`, "\x1b", `\u001b`, "\x00", `\u0000`, `"`, `\"`).Replace(hostile)
	tests := []struct {
		name   string
		change func(*http.Request)
		body   string
	}{
		{name: "an id", change: func(r *http.Request) { r.URL.Path = "/typed/" + hostile }},
		{name: "an unknown path", change: func(r *http.Request) { r.URL.Path = "/" + hostile }},
		{name: "a path to clean", change: func(r *http.Request) { r.URL.Path = "//typed/../" + hostile }},
		{name: "a host", change: func(r *http.Request) { r.Host = hostile }},
		{name: "a method", change: func(r *http.Request) { r.Method = hostile }},
		{name: "a long method", change: func(r *http.Request) { r.Method = strings.Repeat("M", 1<<20) }},
		{name: "a query name", change: func(r *http.Request) { r.URL.RawQuery = encoded(hostile) + "=1" }},
		{name: "a query value", change: func(r *http.Request) { r.URL.RawQuery = "a=" + encoded(hostile) }},
		{name: "a query that is none", change: func(r *http.Request) { r.URL.RawQuery = "%zz" + hostile }},
		{name: "a token", change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+hostile) }},
		{name: "a scheme", change: func(r *http.Request) { r.Header.Set("Authorization", hostile) }},
		{name: "a key", change: func(r *http.Request) { r.Header.Del("Authorization"); r.Header.Set("X-API-Key", hostile) }},
		{name: "a cookie", change: func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("Cookie", "__Host-session="+hostile)
		}},
		{name: "an origin", change: func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("Cookie", "__Host-session=x")
			r.Header.Set("Origin", hostile)
		}},
		{name: "a site", change: func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("Cookie", "__Host-session=x")
			r.Header.Set("Sec-Fetch-Site", hostile)
		}},
		{name: "an address", change: func(r *http.Request) { r.RemoteAddr = hostile }},
		{name: "a forwarded address", change: func(r *http.Request) { r.Header.Set("X-Forwarded-For", hostile) }},
		{name: "a zone of an address", change: func(r *http.Request) { r.Header.Set("X-Forwarded-For", "fe80::1%"+hostile) }},
		{name: "a request id", change: func(r *http.Request) { r.Header.Set("X-Request-ID", hostile) }},
		{name: "a media type", change: func(r *http.Request) { r.Header.Set("Content-Type", hostile) }},
		{name: "a parameter of the media type", change: func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset="+hostile) }},
		{name: "a content coding", change: func(r *http.Request) { r.Header.Set("Content-Encoding", hostile) }},
		{name: "an expectation", change: func(r *http.Request) { r.Header.Set("Expect", hostile); r.Header.Del("Content-Type") }},
		{name: "a body", body: hostile},
		{name: "a member", body: `{"` + quoted + `":1}`},
		{name: "a member twice", body: `{"name":"` + quoted + `","name":"` + quoted + `"}`},
		{name: "a value of another type", body: `{"name":["` + quoted + `"]}`},
		{name: "a text", body: `{"name":"` + quoted + `","text":7}`},
	}
	for _, tt := range tests {
		for _, kind := range logKinds {
			t.Run(tt.name+" "+kind.name, func(t *testing.T) {
				t.Parallel()
				var text bytes.Buffer
				s := newRig(t, guard.OutageClosed, func(s *rig) { s.errs.Log = slog.New(&rigLog{kind.make(&text), s}) })
				r := s.request(t, &matrixRow{})
				r.RemoteAddr = proxyAddr.String()
				if tt.body != "" {
					r.Body, r.ContentLength = http.NoBody, int64(len(tt.body))
					r.Body = httptest.NewRequest("POST", "/", strings.NewReader(tt.body)).Body
				}
				if tt.change != nil {
					tt.change(r)
				}
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code < 400 && s.handled.Load() != 1 && w.Header().Get("Location") == "" {
					t.Errorf("got %d without the handler", w.Code)
				}
				leaks(t, "response", w.Body.String(), []string{mark, "forged", "\x1b"})
				if s.logged.Load() != 1 || text.Len() > 2000 {
					t.Errorf("got %d records of %d bytes, want one of ordinary size", s.logged.Load(), text.Len())
				}
				checkLines(t, text.String(), kind.line, 1)
			})
		}
	}
}

// The standard logger, which has the last word where the service's own panics, and
// slog's default handler, which writes to it.
//
// It does not run in parallel: the logger is the process's.
func TestTheStandardLoggerIsNotForged(t *testing.T) {
	var text bytes.Buffer
	defer log.SetFlags(log.Flags())
	defer log.SetOutput(os.Stderr)
	log.SetOutput(&text)
	log.SetFlags(log.LstdFlags)
	line := regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (guard: Responder\.|(WARN|INFO|ERROR) (request|limit|hook) )[^\x00-\x1f\x7f-\x{9f}\x{2028}]*$`)
	for _, point := range []string{"Level", "Log", "Observe", "handler", "hook", "Take", "parse"} {
		text.Reset()
		s := newRig(t, guard.OutageClosed, func(s *rig) {
			s.errs.Log = slog.New(&rigLog{slog.Default().Handler(), s})
			level := s.errs.Level
			s.errs.Level = func(e guard.Event) slog.Level { return max(level(e), slog.LevelInfo) }
		})
		s.armed.Store(&injection{point: point, fault: panicking("mark" + forgery)})
		r := s.request(t, &matrixRow{})
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if text.Len() == 0 {
			t.Errorf("%s: nothing was logged", point)
		}
		for l := range strings.Lines(text.String()) {
			if !line.MatchString(strings.TrimSuffix(l, "\n")) {
				t.Errorf("%s: got a line that is no record: %q", point, l)
			}
		}
	}
}
