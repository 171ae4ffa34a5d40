package redisstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
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

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

// A server's port is one that the system gives to no connection and to no other test's listener: it is still free
// after a server was killed.
const (
	firstPort = 10_000
	lastPort  = 22_000 // a cluster's node takes the port 10000 above its own as well
)

var port = func() *atomic.Uint32 {
	var last atomic.Uint32
	last.Store(rand.Uint32N(lastPort - firstPort)) // two processes of tests begin elsewhere
	return &last
}()

// startServer starts a redis-server, or skips the test where there is none.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server in PATH")
	}
	for range 100 {
		s := &server{t: t, addr: fmt.Sprintf("127.0.0.1:%d", firstPort+port.Add(1)%(lastPort-firstPort)), args: args, dir: t.TempDir()}
		if s.try() {
			t.Cleanup(s.kill)
			return s
		}
	}
	t.Fatal("a hundred ports are taken")
	return nil
}

// start starts a server again that was killed.
func (s *server) start() {
	s.t.Helper()
	eventually(s.t, "redis-server starts again", s.try)
}

// try reports whether the server runs: it does not where something else has its port.
func (s *server) try() bool {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.dir}, s.args...)
	cmd, exited := exec.Command("redis-server", args...), make(chan struct{})
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	s.mu.Lock()
	s.cmd, s.exited = cmd, exited
	s.mu.Unlock()
	c := s.client()
	defer c.Close()
	ours, gone := fmt.Sprintf("process_id:%d\r\n", cmd.Process.Pid), false
	eventually(s.t, "redis-server answers or ends", func() bool {
		select {
		case <-exited:
			gone = true
		default:
		}
		return gone || strings.Contains(c.Info(context.Background(), "server").Val(), ours)
	})
	return !gone
}

// kill ends the server at once. A server that was stopped with a signal dies too.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
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

// client is for the test's own questions. It asks once, and waits.
func (s *server) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.addr, DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute, MaxRetries: -1})
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

// patient is a time limit for tests of something else, on a busy machine: the longest that there is.
const patient = 10 * time.Second

// eventually fails the test if ok does not come true within two minutes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within two minutes: %s", what)
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
