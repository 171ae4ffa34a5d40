package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/store"
)

// model is a completer that a test writes.
type model func(ctx context.Context, prompt string) iter.Seq2[string, error]

func (m model) Complete(ctx context.Context, prompt string) iter.Seq2[string, error] {
	return m(ctx, prompt)
}

// said is what a model says that knows its text from the start. An error ends it.
func said(err error, texts ...string) model {
	return func(context.Context, string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, text := range texts {
				if !yield(text, nil) {
					return
				}
			}
			if err != nil {
				yield("", err)
			}
		}
	}
}

func TestCompletionStream(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		model completer
		want  string
	}{
		{name: "each piece is an event", model: said(nil, "One", " two"),
			want: "data: {\"text\":\"One\"}\n\ndata: {\"text\":\" two\"}\n\nevent: done\ndata: {}\n\n"},
		{name: "a line end in the text does not end an event", model: said(nil, "a\n\nevent: done\r\n"),
			want: "data: {\"text\":\"a\\n\\nevent: done\\r\\n\"}\n\nevent: done\ndata: {}\n\n"},
		{name: "a model with nothing to say is done", model: said(nil), want: "event: done\ndata: {}\n\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, nil)
			s.completer = tt.model
			r := s.do(t, "POST", "/ai/complete", `{"prompt":"Hello"}`, s.bearer(t, "alice"))
			if r.status != 200 || r.body != tt.want {
				t.Errorf("got %d %q, want 200 %q", r.status, r.body, tt.want)
			}
			if got := r.header.Get("Content-Type"); got != "text/event-stream" {
				t.Errorf("got Content-Type %q, want text/event-stream", got)
			}
			if got := r.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("got Cache-Control %q, want no-store", got)
			}
		})
	}
}

func TestCompletionRefusals(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	s.completer = said(nil, "never")
	alice := s.bearer(t, "alice")
	tests := []struct {
		name    string
		body    string
		headers []string
		status  int
		code    string
	}{
		{name: "nobody", body: `{"prompt":"Hello"}`, status: 401, code: "unauthenticated"},
		{name: "no prompt", body: `{}`, headers: []string{alice}, status: 400, code: "invalid_body"},
		{name: "an empty prompt", body: `{"prompt":""}`, headers: []string{alice}, status: 400, code: "invalid_body"},
		{name: "a prompt of 4001 characters", body: `{"prompt":"` + strings.Repeat("é", 4001) + `"}`, headers: []string{alice}, status: 400, code: "invalid_body"},
		{name: "a model that the caller chose", body: `{"prompt":"Hello","model":"large"}`, headers: []string{alice}, status: 400, code: "invalid_body"},
		{name: "a form", body: `prompt=Hello`, headers: []string{alice, "Content-Type: application/x-www-form-urlencoded"}, status: 415, code: "unsupported_media_type"},
		{name: "another site's page", body: `{"prompt":"Hello"}`, headers: []string{"Cookie: __Host-session=" + s.token(t, "alice"), "Sec-Fetch-Site: same-site"}, status: 403, code: "cross_origin"},
	}
	for _, tt := range tests {
		r := s.do(t, "POST", "/ai/complete", tt.body, tt.headers...)
		if r.status != tt.status || r.code(t) != tt.code {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, r.status, r.body, tt.status, tt.code)
		}
	}
	if r := s.do(t, "POST", "/ai/complete", `{"prompt":"`+strings.Repeat("é", 4000)+`"}`, alice); r.status != 200 {
		t.Errorf("a prompt of 4000 characters: got %d %s, want 200", r.status, r.body)
	}
}

func TestCompletionThatFailsBeforeItsFirstEventIsAProblem(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	s.completer = said(errors.New("the model is asleep"))
	r := s.do(t, "POST", "/ai/complete", `{"prompt":"Hello"}`, s.bearer(t, "alice"))
	if r.status != 500 || r.code(t) != "internal" || r.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %s %s, want a problem with status 500", r.status, r.header, r.body)
	}
	if strings.Contains(r.body, "asleep") || !strings.Contains(s.log.String(), "the model is asleep") {
		t.Errorf("got %s, want the cause in the log and not in the body", r.body)
	}
}

func TestCompletionThatFailsLaterBreaksOff(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	s.completer = said(errors.New("the model fell asleep"), "One")
	res := s.stream(t, t.Context())
	body, err := io.ReadAll(res.Body)
	if err == nil || strings.Contains(string(body), "done") {
		t.Errorf("got %q, %v, want a stream that is cut without its done", body, err)
	}
}

// stream begins a completion as alice.
func (s *service) stream(t *testing.T, ctx context.Context) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "POST", s.url+"/ai/complete", strings.NewReader(`{"prompt":"Hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token(t, "alice"))
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// The first event arrives while the model is still at work: nothing collects them. A client that goes away then
// stops the model.
func TestCompletionStopsWithItsClient(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	stopped := make(chan error, 1)
	s.completer = model(func(ctx context.Context, _ string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			if !yield("One", nil) {
				return
			}
			<-ctx.Done()
			stopped <- ctx.Err()
			yield("", ctx.Err())
		}
	})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	line, err := bufio.NewReader(s.stream(t, ctx).Body).ReadString('\n')
	if err != nil || line != "data: {\"text\":\"One\"}\n" {
		t.Fatalf("got %q, %v, want the first event", line, err)
	}
	leave()
	select {
	case err := <-stopped:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("the model works on for nobody")
	}
}

// A stream outlives the server's own timeouts, its first event included, and a client that takes nothing does not
// keep it for long.
func TestCompletionAndTheServersTimeouts(t *testing.T) {
	t.Parallel()
	const pause, words = 50 * time.Second, 5
	slow := func(stopped *error) model {
		return func(ctx context.Context, _ string) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				defer func() { *stopped = ctx.Err() }()
				for range words {
					time.Sleep(pause) // of the bubble
					if ctx.Err() != nil || !yield(strings.Repeat("x", 100_000), nil) {
						return
					}
				}
			}
		}
	}
	t.Run("a slow model is waited for", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var stopped error
			conn := completeInBubble(t, slow(&stopped))
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || strings.Count(string(body), "data: {\"text\"") != words || !strings.HasSuffix(string(body), "event: done\ndata: {}\n\n") {
				t.Errorf("got %d bytes, %v, want %d events and done", len(body), err, words)
			}
		})
	})
	t.Run("a model that fails late is answered", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			conn := completeInBubble(t, func(context.Context, string) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					time.Sleep(pause)
					yield("", errors.New("the model is asleep"))
				}
			})
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || res.StatusCode != 500 {
				t.Errorf("got %v, %v, want status 500", res, err)
			}
		})
	})
	t.Run("a client that takes nothing is cut off", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var stopped error
			start := time.Now()
			conn := completeInBubble(t, slow(&stopped))
			time.Sleep(pause + eventTimeout + time.Second)
			if _, err := io.ReadAll(conn); err != nil {
				t.Errorf("got %v, want a connection that the server has closed", err)
			}
			if took := time.Since(start); took > 2*pause {
				t.Errorf("cut off after %s, want less than %s", took, 2*pause)
			}
		})
	})
}

// completeInBubble asks for a completion over a pipe, from a server with short timeouts.
func completeInBubble(t *testing.T, m model) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	route := guard.New(
		guard.Bearer(func(context.Context, string) (*Session, error) { return &Session{User: &store.User{ID: "alice"}}, nil }),
		guard.JSON[Completion], guard.NoResource, guard.Unlimited("a test"), &guard.Responder{}, guard.Stream((&app{completer: m}).complete))
	srv := &http.Server{Handler: route, ReadTimeout: time.Second, WriteTimeout: 2 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(&onePipe{conn: server, closed: make(chan struct{})})
	}()
	t.Cleanup(func() {
		srv.Close()
		client.Close()
		<-done
	})
	_, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\nContent-Length: 14\r\nConnection: close\r\n\r\n{\"prompt\":\"x\"}")
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// onePipe is a listener with one connection.
type onePipe struct {
	conn   net.Conn
	closed chan struct{}
}

func (p *onePipe) Accept() (net.Conn, error) {
	if c := p.conn; c != nil {
		p.conn = nil
		return c, nil
	}
	<-p.closed
	return nil, net.ErrClosed
}

func (p *onePipe) Close() error   { close(p.closed); return nil }
func (p *onePipe) Addr() net.Addr { return &net.TCPAddr{} }

// A handler is a function of its Call: no HTTP, no guard.
func TestCompleteWithoutHTTP(t *testing.T) {
	t.Parallel()
	a := &app{completer: localCompleter{}}
	call := &guard.Call[*Session, Completion, guard.None]{
		Caller: &Session{User: &store.User{ID: "alice"}}, Input: Completion{Prompt: "What is next?"}}
	w := httptest.NewRecorder()
	if err := a.complete(t.Context(), call, w); err != nil {
		t.Fatal(err)
	}
	if !w.Flushed || !strings.HasSuffix(w.Body.String(), "\n\nevent: done\ndata: {}\n\n") {
		t.Errorf("got %q, want events and done, flushed", w.Body)
	}
}

func TestLocalCompleter(t *testing.T) {
	t.Parallel()
	collect := func(prompt string) string {
		var b strings.Builder
		for text, err := range (localCompleter{}).Complete(t.Context(), prompt) {
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(text)
		}
		return b.String()
	}
	if a, b := collect("one"), collect("one"); a != b || len(strings.Fields(a)) != completionWords {
		t.Errorf("got %q and %q, want the same %d words", a, b, completionWords)
	}
	if a, b := collect("one"), collect("two"); a == b {
		t.Errorf("got %q for two prompts", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for text, err := range (localCompleter{pause: time.Hour}).Complete(ctx, "one") {
		if text != "" || !errors.Is(err, context.Canceled) {
			t.Errorf("got %q, %v, want context.Canceled", text, err)
		}
	}
}

// The page reads the events as JSON.
func TestCompletionTextIsJSON(t *testing.T) {
	t.Parallel()
	var got CompletionText
	s := startService(t, nil)
	s.completer = said(nil, "\u2028\x00\"</script>")
	r := s.do(t, "POST", "/ai/complete", `{"prompt":"Hello"}`, s.bearer(t, "alice"))
	line, _, _ := strings.Cut(strings.TrimPrefix(r.body, "data: "), "\n")
	if err := json.Unmarshal([]byte(line), &got); err != nil || got.Text != "\u2028\x00\"</script>" {
		t.Errorf("got %q, %v", got.Text, err)
	}
}

func TestCompletionTokens(t *testing.T) {
	t.Parallel()
	for prompt, want := range map[string]int{"a": 1, "abcd": 1, "abcde": 2, "éééé": 1, strings.Repeat("a", 4000): 1000} {
		if got := (Completion{Prompt: prompt}).tokens(); got != want {
			t.Errorf("%d characters: got %d tokens, want %d", len(prompt), got, want)
		}
	}
}

// A caller's prompts are weighed: ten of the longest fill a minute, whatever the number of requests allows.
func TestCompletionsAreWeighed(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	body := `{"prompt":"` + strings.Repeat("word ", 800) + `"}`
	const longest = promptTokens / 1000
	for n, began := 1, time.Now(); ; n++ {
		r := s.do(t, "POST", "/ai/complete", body, s.bearer(t, "alice"))
		back := int(time.Since(began) * longest / time.Minute)
		if n > longest && r.status == 429 && r.header.Get("Retry-After") != "" {
			break
		}
		if r.status != 200 || n > longest+back {
			t.Fatalf("prompt %d: got %d %s, want %d of status 200, %d more for the time that it took, and then 429 with Retry-After", n, r.status, r.body, longest, back)
		}
	}
	if r := s.do(t, "POST", "/ai/complete", `{"prompt":"Hello"}`, s.bearer(t, "bob")); r.status != 200 {
		t.Errorf("another caller: got %d, want 200", r.status)
	}
}

func TestTwoCompletionsAtATime(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	started, finish := make(chan struct{}), make(chan struct{})
	s.completer = model(func(ctx context.Context, _ string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			started <- struct{}{}
			select {
			case <-finish:
				yield("done", nil)
			case <-ctx.Done():
				yield("", ctx.Err())
			}
		}
	})
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			if r := s.do(t, "POST", "/ai/complete", `{"prompt":"Hello"}`, s.bearer(t, "alice")); r.status != 200 {
				t.Errorf("got %d %s, want 200", r.status, r.body)
			}
		})
		<-started
	}
	if r := s.do(t, "POST", "/ai/complete", `{"prompt":"Hello"}`, s.bearer(t, "alice")); r.status != 429 {
		t.Errorf("the third: got %d, want 429", r.status)
	}
	close(finish)
	running.Wait()
	running.Go(func() { <-started })
	if r := s.do(t, "POST", "/ai/complete", `{"prompt":"Hello"}`, s.bearer(t, "alice")); r.status != 200 {
		t.Errorf("after they ended: got %d, want 200", r.status)
	}
	running.Wait()
}
