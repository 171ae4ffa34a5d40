package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/routeguard/guard"
)

// drained is a service under load that is told to stop.
type drained struct {
	*process
	t     *testing.T
	token string
	gone  atomic.Bool // a balancer has noticed: its clients send nothing any more

	mu       sync.Mutex
	answered map[string]bool // request ids of complete responses
	failures []error
}

// startDrained starts the service with a log of every request.
func startDrained(t *testing.T, env map[string]string) *drained {
	t.Helper()
	key := bytes.Repeat([]byte("k"), 32)
	env["JWT_HS256_KEY"] = base64.StdEncoding.EncodeToString(key)
	env["CALLER_LIMIT"], env["LOG_FORMAT"], env["LOG_LEVEL"], env["READ_TIMEOUT"] = "1000000", "json", "debug", "1m"
	env["DATABASE_URL"], env["SEED"] = "file:"+t.TempDir()+"/projects.db", "demo"
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "alice", "iss": "https://projects.example",
		"aud": "projects-api", "exp": time.Now().Add(time.Hour).Unix(), "jti": "1"}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return &drained{process: startProcess(t, env), t: t, token: token, answered: map[string]bool{}}
}

// request sends one request and reads the whole response, or notes that it could not.
func (d *drained) request(client *http.Client, method, path, body string, want int) (*http.Response, bool) {
	r, err := http.NewRequestWithContext(d.t.Context(), method, "http://"+d.addr+path, strings.NewReader(body))
	if err != nil {
		d.t.Error(err)
		return nil, false
	}
	r.Header.Set("Authorization", "Bearer "+d.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(r)
	if err != nil {
		d.fail(err)
		return nil, false
	}
	return response, d.complete(response, want) != ""
}

// complete reads a response to its end, and returns its body.
func (d *drained) complete(response *http.Response, want int) string {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Errorf("a response broke off after %q: %v", body, err)
		return ""
	}
	if want != 0 && response.StatusCode != want {
		d.t.Errorf("got %d %s, want %d", response.StatusCode, body, want)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answered[response.Header.Get("X-Request-Id")] = true
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}

func (d *drained) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures = append(d.failures, err)
}

func (d *drained) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.answered)
}

// load is a client on a connection that it keeps open, until its balancer knows better or it gets no answer.
func (d *drained) load(n int) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := 0; !d.gone.Load(); i++ {
		var ok bool
		if i%2 == 0 {
			body := fmt.Sprintf(`{"name":"Number %d of %d","summary":"A project made under load.","visibility":"team"}`, i, n)
			_, ok = d.request(client, "POST", "/projects", body, 201)
		} else {
			_, ok = d.request(client, "GET", "/projects?limit=5", "", 200)
		}
		if !ok {
			return
		}
	}
}

// upload sends half of a request whose body the service is reading. What it returns sends the rest and reads the response.
func (d *drained) upload() (finish func() string) {
	conn, err := net.Dial("tcp", d.addr)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	const first, rest = `{"email":"a@b.example",`, `"message":"Hello there, hello."}`
	fmt.Fprintf(conn, "POST /contact HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		d.addr, len(first+rest))
	in := bufio.NewReader(conn)
	invited, err := http.ReadResponse(in, nil)
	if err != nil || invited.StatusCode != http.StatusContinue {
		d.t.Fatalf("got %v, %v, want 100", invited, err)
	}
	_, _ = io.WriteString(conn, first)
	return func() string {
		_, _ = io.WriteString(conn, rest)
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			d.t.Errorf("the upload got no response: %v", err)
			return ""
		}
		return d.complete(response, 202)
	}
}

// stream begins a completion and returns its response after the first event.
func (d *drained) stream() (*http.Response, *bufio.Reader) {
	r, err := http.NewRequestWithContext(d.t.Context(), "POST", "http://"+d.addr+"/ai/complete", strings.NewReader(`{"prompt":"Hello"}`))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.token)
	r.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Transport: &http.Transport{}}).Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	in := bufio.NewReader(response.Body)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: ") {
		d.t.Fatalf("got %q, %v, want an event", line, err)
	}
	return response, in
}

// watch is a balancer that asks for readiness, on new connections, until the service says that it is stopping. It returns
// the statuses that it saw, each run of equal ones once.
func (d *drained) watch() []int {
	var seen []int
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		r, err := http.NewRequestWithContext(d.t.Context(), "GET", "http://"+d.addr+"/readyz", nil)
		if err != nil {
			d.t.Error(err)
			return seen
		}
		response, err := client.Do(r)
		if err != nil {
			return seen
		}
		if d.complete(response, 0) == "" {
			return seen
		}
		unready := response.StatusCode == http.StatusServiceUnavailable
		if unready && !strings.Contains(d.log.String(), `"msg":"stopping"`) {
			continue // on a busy machine the database does not answer within a second
		}
		if len(seen) == 0 || seen[len(seen)-1] != response.StatusCode {
			seen = append(seen, response.StatusCode)
		}
		if unready {
			d.gone.Store(true)
			return seen
		}
	}
}

// unanswered returns the ids of requests that the service began, by its log, and whose response did not arrive.
func (d *drained) unanswered() (ids []string, began int) {
	for line := range strings.Lines(d.log.String()) {
		var record struct {
			ID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			d.t.Errorf("%q: %v", line, err)
		}
		if record.ID == "" {
			continue
		}
		began++
		if !d.answered[record.ID] {
			ids = append(ids, line)
		}
	}
	return ids, began
}

// A service that is told to stop under load loses no request. What it began gets its whole response: small requests on
// connections that are kept open, an upload that is half there, a stream. With a delay, and clients whose balancer asks
// for readiness, no client notices; without, those that go on are refused before anything was begun.
func TestStoppingUnderLoadLosesNoRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		delay    string
		balanced bool
	}{
		{name: "clients behind a balancer notice nothing", delay: "15s", balanced: true},
		{name: "clients that go on are refused before they begin", delay: "0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := startDrained(t, map[string]string{"DRAIN_DELAY": tt.delay, "DRAIN_TIMEOUT": "1m"})
			var clients sync.WaitGroup
			for n := range 24 {
				clients.Go(func() { d.load(n) })
			}
			var readiness []int
			if tt.balanced {
				clients.Go(func() { readiness = d.watch() })
			}
			eventually(t, func() bool { return d.count() > 300 })
			finishUpload := d.upload()
			stream, events := d.stream()

			d.stop(t)
			if tt.balanced {
				eventually(t, d.gone.Load)
				// A client that has not heard of it is still served, and told to leave.
				if r, ok := d.request(http.DefaultClient, "GET", "/healthz", "", 200); !ok || !r.Close {
					t.Errorf("got %v, want a response that ends its connection", r)
				}
			}
			waitFor(t, d.log, `"msg":"stopping"`)
			rest, err := io.ReadAll(events)
			if err != nil || !bytes.HasSuffix(rest, []byte("event: done\ndata: {}\n\n")) {
				t.Errorf("the stream ended with %q, %v, want all of it", rest, err)
			}
			d.complete(stream, 200)
			finishUpload()
			clients.Wait()

			if err := <-d.done; err != nil {
				t.Errorf("got %v, want exit code 0\n%s", err, d.log.String())
			}
			lost, began := d.unanswered()
			if len(lost) > 0 || began < 300 {
				t.Errorf("%d requests of %d began and got no response:\n%s", len(lost), began, strings.Join(lost, ""))
			}
			if tt.balanced && (len(d.failures) > 0 || fmt.Sprint(readiness) != "[200 503]") {
				t.Errorf("got failures %v and readiness %v, want none, and 200 before 503", d.failures, readiness)
			}
			for _, message := range []string{"stopping", "stopped"} {
				if n := strings.Count(d.log.String(), `"msg":"`+message+`"`); n != 1 {
					t.Errorf("the log says %s %d times, want once", message, n)
				}
			}
			t.Logf("%d requests, %d refused", began, len(d.failures))
		})
	}
}

// A stream that is longer than the drain is cut off, visibly: its client does not take it for the whole.
func TestStoppingCutsLongStreamsOff(t *testing.T) {
	t.Parallel()
	for tries := 1; ; tries++ {
		d := startDrained(t, map[string]string{"DRAIN_TIMEOUT": "50ms"})
		response, events := d.stream()
		d.stop(t)
		rest, err := io.ReadAll(events)
		response.Body.Close()
		if stopped := <-d.done; stopped != nil {
			t.Errorf("got %v, want exit code 0", stopped)
		}
		if err == nil && bytes.HasSuffix(rest, []byte("event: done\ndata: {}\n\n")) && tries < 5 {
			continue // on a busy machine it may end before it is cut off, within a second and a half
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(string(rest), "done") {
			t.Errorf("got %q, %v, want a stream that breaks off", rest, err)
		}
		if !strings.Contains(d.log.String(), "cutting off what is still under way") {
			t.Errorf("the log does not say so:\n%s", d.log.String())
		}
		return
	}
}

// A handler that does not end, although it was cut off, does not keep the process.
func TestStoppingEndsWithItsLimit(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, map[string]string{"DRAIN_TIMEOUT": "1ms"})
	began, release := make(chan struct{}), make(chan struct{})
	deaf := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-release
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- new(app).serve(ctx, c, c.logger(io.Discard), deaf, listener) }()
	go func() {
		if response, err := http.Get("http://" + listener.Addr().String()); err == nil {
			response.Body.Close()
		}
	}()
	<-began
	stop()
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want an error: a request was lost", err)
	}
	close(release)
}

// A request that is cut off learns why: its guard answers 503, not as if its client had gone.
func TestStoppingSaysWhy(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, map[string]string{"DRAIN_TIMEOUT": "1ms"})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	slow := guard.New(guard.Anyone, guard.NoPayload, guard.NoResource, guard.Unlimited("a test"), &guard.Responder{Log: c.logger(io.Discard)},
		func(ctx context.Context, _ *guard.Call[guard.Anonymous, guard.None, guard.None]) (guard.None, error) {
			stop()
			<-ctx.Done()
			return guard.None{}, ctx.Err()
		})
	done := make(chan error, 1)
	go func() { done <- new(app).serve(ctx, c, c.logger(io.Discard), slow, listener) }()
	response, err := http.Get("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got status %d, want 503", response.StatusCode)
	}
	if err := <-done; err != nil {
		t.Errorf("got %v, want none: the request was answered", err)
	}
}

// A second signal does not wait for the drain.
func TestASecondSignalEndsTheProcess(t *testing.T) {
	t.Parallel()
	p := startProcess(t, map[string]string{"DRAIN_DELAY": "1h"})
	p.stop(t)
	waitFor(t, p.log, "msg=stopping")
	var ended error
	eventually(t, func() bool {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // the first one may still be under way within the process
		select {
		case ended = <-p.done:
			return true
		default:
			return false
		}
	})
	if ended == nil {
		t.Error("got exit code 0, want the signal's")
	}
}

func TestReadinessEndsWhenStopping(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	for _, stopping := range []bool{false, true} {
		s.stopping.Store(stopping)
		ready, alive := s.do(t, "GET", "/readyz", ""), s.do(t, "GET", "/healthz", "")
		if want := map[bool]int{false: 200, true: 503}[stopping]; ready.status != want || alive.status != 200 {
			t.Errorf("stopping = %v: got readiness %d and liveness %d, want %d and 200", stopping, ready.status, alive.status, want)
		}
	}
	s.wantUnready(t, "the service is stopping")
}

// wantUnready checks that /readyz is refused as everything else is, and that the log says why.
func (s *service) wantUnready(t *testing.T, cause string) {
	t.Helper()
	r := s.do(t, "GET", "/readyz", "")
	wantProblem(t, "GET /readyz", r, 503, "not_ready")
	if !strings.Contains(s.log.String(), cause) {
		t.Errorf("the log does not say %q:\n%s", cause, s.log.String())
	}
	head := s.do(t, "HEAD", "/readyz", "")
	if head.status != r.status || head.body != "" || head.header.Get("Content-Length") != strconv.Itoa(len(r.body)) {
		t.Errorf("HEAD /readyz: got %d %v %q, want the header of GET alone", head.status, head.header, head.body)
	}
	for _, field := range []string{"Content-Type", "Cache-Control", "X-Content-Type-Options"} {
		if got, want := head.header.Get(field), r.header.Get(field); got != want {
			t.Errorf("HEAD /readyz: got %s %q, want %q", field, got, want)
		}
	}
}

// wantProblem checks a refusal and the headers that all of them have.
func wantProblem(t *testing.T, what string, r response, status int, code string) {
	t.Helper()
	if r.status != status || r.code(t) != code {
		t.Errorf("%s: got %d %s, want %d %s", what, r.status, r.body, status, code)
	}
	for field, want := range map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := r.header.Get(field); got != want {
			t.Errorf("%s: got %s %q, want %q", what, field, got, want)
		}
	}
	if id := r.header.Get("X-Request-Id"); id == "" || !strings.Contains(r.body, `"requestId":"`+id+`"`) {
		t.Errorf("%s: got request id %q, want the one of %s", what, id, r.body)
	}
}

// OPTIONS * is about the server as a whole, which net/http would answer by itself.
func TestTheServerAsAWhole(t *testing.T) {
	t.Parallel()
	p := startProcess(t, map[string]string{})
	for _, line := range []string{"OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.0", "GET * HTTP/1.1"} {
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprintf(conn, "%s\r\nHost: %s\r\n\r\n", line, p.addr)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		wantProblem(t, line, response{res.StatusCode, res.Header, string(body)}, 400, "bad_request")
	}
}
