package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const password = "a password of the soak"

// world is two instances of the service, their Redis, and what is being done to them.
type world struct {
	record    *record
	dir       string
	redis     *redisServer
	instances []*instance
	roots     *x509.CertPool
	proxy     *http.Server
	mu        sync.Mutex
	failed    []error
}

// instance is one process of the service at a fixed address.
type instance struct {
	name    string
	url     string // where clients go
	at      string // where it listens
	binary  string
	env     []string
	log     io.Writer
	mu      sync.Mutex
	process *exec.Cmd
	runs    [][]sample // what each process used
	down    atomic.Bool
}

func newWorld(ctx context.Context, dir string, verbose bool, r *record) (*world, error) {
	w := &world{record: r, dir: dir}
	binary := filepath.Join(dir, "server")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./examples/server").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the service, from the root of the repository: %w\n%s", err, out)
	}
	var err error
	if w.redis, err = newRedis(ctx, dir); err != nil {
		return nil, err
	}
	certificate, err := selfSigned()
	if err != nil {
		return nil, err
	}
	w.roots = x509.NewCertPool()
	w.roots.AddCert(certificate.Leaf)
	shared := []string{"PATH=" + os.Getenv("PATH"), "DATABASE_URL=file:" + filepath.Join(dir, "soak.db"), "SEED=demo", "SEED_PASSWORD=" + password,
		"JWT_HS256_KEY=" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))),
		"WEBHOOK_SECRET=whsec_" + base64.StdEncoding.EncodeToString(webhookKey), "REDIS_URL=" + w.redis.url(),
		"CALLER_LIMIT=1000000", "TRUSTED_PROXIES=127.0.0.0/8", "READ_TIMEOUT=5s", "LOG_FORMAT=json"}
	var log io.Writer = io.Discard
	if verbose {
		log = os.Stderr
	}
	for _, name := range []string{"plain", "tls"} {
		addr, err := freeAddress()
		if err != nil {
			return nil, err
		}
		i := &instance{name: name, url: "http://" + addr, at: "http://" + addr, binary: binary,
			env: append([]string{"ADDR=" + addr}, shared...), log: &lines{w: log, r: r, name: name}}
		w.instances = append(w.instances, i)
		if name == "tls" {
			if err := w.front(i, certificate); err != nil {
				w.stop()
				return nil, err
			}
		}
		if err := i.start(ctx); err != nil {
			w.stop()
			return nil, err
		}
	}
	return w, nil
}

// front puts a proxy before an instance that ends TLS, and talks to the instance in HTTP/1.1. In HTTP/2, a ReverseProxy of
// net/http now and then forgets the end of a response that comes before the request's body was read, whoever answers.
func (w *world) front(i *instance, certificate tls.Certificate) error {
	target, err := url.Parse(i.at)
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{Transport: &http.Transport{MaxIdleConnsPerHost: 20}, FlushInterval: -1, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // origins are compared with it
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		return err
	}
	i.url = "https://" + listener.Addr().String()
	w.proxy = &http.Server{Handler: proxy, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 1 << 20, ErrorLog: proxy.ErrorLog}
	go func() { _ = w.proxy.Serve(listener) }()
	return nil
}

func (w *world) stop() {
	if w.proxy != nil {
		_ = w.proxy.Close()
	}
	for _, i := range w.instances {
		i.kill()
	}
	w.redis.kill()
}

func (w *world) mistakes() []error {
	all := w.failed
	for _, i := range w.instances {
		all = append(all, i.growth()...)
	}
	return all
}

func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = append(w.failed, err)
}

// disturb kills Redis and restarts the instances, again and again, with quiet times in between.
func (w *world) disturb(ctx context.Context, duration time.Duration) {
	step := duration / 12
	for n := 0; sleep(ctx, step); n++ {
		if n%3 == 0 {
			w.record.redisDown.Store(true)
			w.redis.kill()
			if !sleep(ctx, step) {
				return
			}
			if err := w.redis.start(ctx); err != nil && ctx.Err() == nil {
				w.fail(err)
			}
			w.record.redisBack.Store(time.Now().UnixNano())
			w.record.redisDown.Store(false)
			continue
		}
		if n < 5 { // the last part is quiet, so that growth shows
			i := w.instances[n%len(w.instances)]
			if err := i.restart(ctx); err != nil && ctx.Err() == nil {
				w.fail(fmt.Errorf("restart %s: %w", i.name, err))
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (i *instance) start(ctx context.Context) error {
	cmd := exec.Command(i.binary)
	cmd.Env, cmd.Stderr = i.env, i.log
	if err := cmd.Start(); err != nil {
		return err
	}
	i.mu.Lock()
	i.process, i.runs = cmd, append(i.runs, nil)
	i.mu.Unlock()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for range 300 {
		if r, err := client.Get(i.at + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				i.down.Store(false)
				return nil
			}
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
	return errors.New(i.name + " is not ready after 30 s")
}

// restart asks the process to stop, which must drain it and end it well.
func (i *instance) restart(ctx context.Context) error {
	i.down.Store(true)
	i.mu.Lock()
	cmd := i.process
	i.mu.Unlock()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("it did not stop well: %w", err)
	}
	return i.start(ctx)
}

func (i *instance) kill() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.process != nil {
		_ = i.process.Process.Kill()
		_ = i.process.Wait()
	}
}

// redisServer is a redis-server that can die and come back at its address.
type redisServer struct {
	addr, dir string
	mu        sync.Mutex
	cmd       *exec.Cmd
}

func newRedis(ctx context.Context, dir string) (*redisServer, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errors.New("no redis-server in PATH")
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &redisServer{addr: addr, dir: dir}
	return s, s.start(ctx)
}

func (s *redisServer) url() string { return "redis://" + s.addr + "/0" }

func (s *redisServer) start(ctx context.Context) error {
	_, port, _ := net.SplitHostPort(s.addr)
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", s.dir)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.mu.Lock()
	s.cmd = cmd
	s.mu.Unlock()
	for range 100 {
		if conn, err := net.Dial("tcp", s.addr); err == nil {
			return conn.Close()
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	return errors.New("redis-server does not listen")
}

func (s *redisServer) kill() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// lines checks that each line of a service's log is one record.
type lines struct {
	w    io.Writer
	r    *record
	name string
	rest []byte
}

var jsonRecord = regexp.MustCompile(`^\{"time":"[^"]+","level":"(DEBUG|INFO|WARN|ERROR)","msg":".*\}$`)

func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	_, _ = l.w.Write(b)
	l.rest = append(l.rest, b...)
	for {
		advance, line, _ := bufio.ScanLines(l.rest, false)
		if advance == 0 {
			return n, nil
		}
		l.r.logged(l.name, string(line))
		l.rest = l.rest[advance:]
	}
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned() (tls.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}, err
}
