package guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/routeguard/guard"
)

// brokenWriter is a ResponseWriter of some middleware, one of whose methods is broken.
type brokenWriter struct {
	http.ResponseWriter
	method string
	fault  func()
}

func (w *brokenWriter) at(method string) {
	if w.method == method {
		w.fault()
	}
}

func (w *brokenWriter) Header() http.Header {
	w.at("Header")
	if w.method == "nil Header" {
		return nil
	}
	return w.ResponseWriter.Header()
}

func (w *brokenWriter) WriteHeader(status int) {
	w.at("WriteHeader")
	w.ResponseWriter.WriteHeader(status)
}
func (w *brokenWriter) Write(b []byte) (int, error) { w.at("Write"); return w.ResponseWriter.Write(b) }
func (w *brokenWriter) Flush() {
	w.at("Flush")
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}
func (w *brokenWriter) Unwrap() http.ResponseWriter { w.at("Unwrap"); return w.ResponseWriter }

// A ResponseWriter that panics or calls runtime.Goexit at any of its methods: the
// connection is cut, or answered where that is still possible. There is one
// record, no place is kept, and net/http logs no stack.
func TestWritersThatFail(t *testing.T) {
	t.Parallel()
	faults := map[string]func(){
		"panics":               func() { panic("s3cret") },
		"aborts":               func() { panic(http.ErrAbortHandler) },
		"calls Goexit":         runtime.Goexit,
		"panics with a nil":    func() { panic(nil) }, //nolint:govet // on purpose
		"panics with an error": func() { panic(errors.New("s3cret")) },
	}
	paths := map[string]func(http.Header){
		"/typed/7":    func(http.Header) {},
		"/typed/7?x=": func(http.Header) {}, // refused at what
		"/stream":     func(http.Header) {},
		"/wrap":       func(http.Header) {},
		"/unguarded":  func(http.Header) {},
		"/nowhere":    func(http.Header) {},
		"/cached":     func(h http.Header) { h.Del("Authorization") }, // refused at who
	}
	for _, method := range []string{"Header", "nil Header", "WriteHeader", "Write", "Flush", "Unwrap"} {
		for name, fault := range faults {
			if method == "nil Header" && name != "panics" {
				continue // it has no fault but itself
			}
			for path, change := range paths {
				t.Run(fmt.Sprint(method, " ", name, " ", path), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						s := newRig(t, guard.OutageClosed)
						broken := true
						server := newPipeServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							if broken {
								w = &brokenWriter{w, method, fault}
							}
							s.ServeHTTP(w, r)
						}))
						defer server.shutDown()
						row := &matrixRow{path: path}
						send := func() (answer, error) {
							r := s.request(t, row)
							change(r.Header)
							resp, err := server.client.Do(r)
							if err != nil {
								return answer{}, err
							}
							defer resp.Body.Close()
							b, err := io.ReadAll(resp.Body)
							return answer{status: resp.StatusCode, body: string(b)}, err
						}
						got, err := send()
						synctest.Wait()
						if strings.Contains(got.body, "s3cret") {
							t.Errorf("got %d %q", got.status, got.body)
						}
						records := 0
						for _, r := range s.log.records(t) {
							if strings.HasPrefix(fmt.Sprint(r["msg"]), "request ") {
								records++
							}
						}
						if records != 1 {
							t.Errorf("got %d records, want 1 (%v, %+v): %s", records, err, got, s.log)
						}
						if n := s.ledger.balance("places"); n != 0 {
							t.Errorf("got %d places still taken", n)
						}
						if text := server.log(); text != "" {
							t.Errorf("the server itself logged %s", text)
						}
						broken = false
						if got, err := send(); err != nil || got.status == 0 || got.status >= 500 {
							t.Errorf("the next request: got %+v, %v", got, err)
						}
					})
				})
			}
		}
	}
}

// idleBody returns nothing and no error, for ever. Each read asks for an end.
type idleBody struct{ reads int }

func (b *idleBody) Read([]byte) (int, error) { b.reads++; return 0, nil }
func (*idleBody) Close() error               { return nil }

// A body of some middleware that makes no progress is a broken body, whatever the
// route takes.
func TestBodiesWithoutProgress(t *testing.T) {
	t.Parallel()
	errs, _ := logged()
	routes := map[string]http.Handler{
		"none": open(errs, ok),
		"JSON": guard.New(guard.Anyone, guard.JSON[fragile], guard.NoResource, free, errs,
			func(context.Context, *guard.Call[guard.Anonymous, fragile, guard.None]) (string, error) {
				return "", nil
			}),
		"form": guard.New(guard.Anyone, guard.Form[chainPlain], guard.NoResource, free, errs,
			func(context.Context, *guard.Call[guard.Anonymous, chainPlain, guard.None]) (string, error) {
				return "", nil
			}),
	}
	for name, h := range routes {
		for _, mediaType := range []string{"", "application/json", "application/x-www-form-urlencoded"} {
			body := &idleBody{}
			r := httptest.NewRequest("POST", "/", body)
			r.ContentLength = -1
			if mediaType != "" {
				r.Header.Set("Content-Type", mediaType)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 400 && w.Code != 415 || w.Code == 400 && !strings.Contains(w.Body.String(), "incomplete_body") || body.reads > 100 {
				t.Errorf("%s as %q: got %d %s after %d reads, want a refusal", name, mediaType, w.Code, w.Body, body.reads)
			}
		}
	}
}
