package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/routeguard/guard/redisstore"
)

func TestMain(m *testing.M) {
	logging.Disable() // each failed dial
	os.Exit(m.Run())
}

// server is a redis-server of the test's own, on a loopback port.
type server struct {
	t    *testing.T
	addr string
	args []string
	dir  string

	mu  sync.Mutex
	cmd *exec.Cmd
}

// startServer starts a redis-server, or skips the test where there is none.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server in PATH")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, addr: listener.Addr().String(), args: args, dir: t.TempDir()}
	listener.Close()
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.dir}, s.args...)
	cmd := exec.Command("redis-server", args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.cmd = cmd
	s.mu.Unlock()
	c := s.client()
	defer c.Close()
	eventually(s.t, "redis-server answers", func() bool { return c.Ping(context.Background()).Err() == nil })
}

// kill ends the server at once. A server that was stopped with a signal dies too.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) url() string { return "redis://" + s.addr + "/0" }

// client is for the test's own questions, with the patience of the defaults.
func (s *server) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.addr})
}

func (s *server) do(args ...any) any {
	s.t.Helper()
	c := s.client()
	defer c.Close()
	v, err := c.Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return v
}

// calls is how many commands of a name the server has run.
func (s *server) calls(command string) int {
	s.t.Helper()
	for line := range strings.Lines(fmt.Sprint(s.do("INFO", "commandstats"))) {
		var n int
		if _, err := fmt.Sscanf(line, "cmdstat_"+command+":calls=%d,", &n); err == nil {
			return n
		}
	}
	return 0
}

func connect(t *testing.T, url string, o redisstore.Options) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Connect(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// patient is a time limit for tests of something else, on a busy machine.
const patient = 5 * time.Second

// eventually fails the test if ok does not come true within ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

// slowProxy passes bytes on, each answer later by delay.
type slowProxy struct {
	addr  string
	mu    sync.Mutex
	delay time.Duration
	cut   bool // the next answer is lost, and its connection
}

func startProxy(t *testing.T, to string) *slowProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &slowProxy{addr: listener.Addr().String()}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			go p.pass(upstream, client, false)
			go p.pass(client, upstream, true)
		}
	}()
	return p
}

func (p *slowProxy) pass(to, from net.Conn, late bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if late {
			p.mu.Lock()
			delay, cut := p.delay, p.cut
			p.cut = false
			p.mu.Unlock()
			if cut {
				return
			}
			time.Sleep(delay)
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *slowProxy) slow(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = by
}

// loseAnswer loses the next answer.
func (p *slowProxy) loseAnswer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
}
