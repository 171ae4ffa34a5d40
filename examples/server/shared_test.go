package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"maps"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ports are such as the system gives to no connection and to no other test's listener. Each is used once.
var ports = func() *atomic.Uint32 {
	var last atomic.Uint32
	last.Store(rand.Uint32N(10_000))
	return &last
}()

func port() string { return strconv.Itoa(22_000 + int(ports.Add(1)%10_000)) }

// startRedis starts a redis-server, or skips the test where there is none. It returns its URL and what kills it.
func startRedis(t *testing.T) (url string, kill func()) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server in PATH")
	}
	for range 100 { // something else may have a port
		port := port()
		cmd, exited := exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", t.TempDir()), make(chan struct{})
		log := &syncBuffer{}
		cmd.Stdout = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			defer close(exited)
			_ = cmd.Wait()
		}()
		kill = func() {
			_ = cmd.Process.Kill()
			<-exited
		}
		t.Cleanup(kill)
		eventually(t, func() bool { return ended(exited) || strings.Contains(log.String(), "Ready to accept connections") })
		if !ended(exited) {
			return "redis://127.0.0.1:" + port + "/0", kill
		}
	}
	t.Fatal("a hundred ports are taken")
	return "", nil
}

func ended(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// startInstance runs the service as main does, and returns its address and its log.
func startInstance(t *testing.T, env map[string]string) (url string, log *syncBuffer) {
	t.Helper()
	env["JWT_HS256_KEY"] = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	s := start(t, env)
	return s.url, s.log
}

// started is the service as main runs it.
type started struct {
	url         string
	stdout, log *syncBuffer
	stop        func() // and wait for its end
}

// start runs the service on a port of its own, until the test ends at the latest.
func start(t *testing.T, env map[string]string) started {
	t.Helper()
	env["ADDR"] = cmp.Or(env["ADDR"], "127.0.0.1:0")
	ctx, cancel := context.WithCancel(context.Background())
	s, done := started{stdout: &syncBuffer{}, log: &syncBuffer{}}, make(chan error, 1)
	go func() { done <- run(ctx, nil, settings(env), s.stdout, s.log) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stop)
	s.url = listening(t, s.log)
	return s
}

// searches counts the statuses of n searches.
func searches(t *testing.T, url string, n int) map[int]int {
	t.Helper()
	got := map[int]int{}
	for range n {
		response, err := http.Get(url + "/search?q=team")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		got[response.StatusCode]++
	}
	return got
}

func TestInstancesShareTheirLimits(t *testing.T) {
	t.Parallel()
	redis, _ := startRedis(t)
	first, _ := startInstance(t, map[string]string{"REDIS_URL": redis, "LIMITER_OUTAGE": outageClosed})
	second, _ := startInstance(t, map[string]string{"REDIS_URL": redis, "LIMITER_OUTAGE": outageClosed})
	began, total := time.Now(), map[int]int{}
	for n := 0; n < 4 || total[429] == 0 && time.Since(began) < time.Minute; n++ {
		for _, url := range []string{first, second} {
			for status, n := range searches(t, url, 10) {
				total[status] += n
			}
		}
	}
	// A machine that is too busy to answer in time loses some: 503, and charged.
	most := 30 + int(time.Since(began)/(2*time.Second))
	if total[200] > most || total[200]+total[503] < 30 || total[429] == 0 {
		t.Errorf("got %v from two instances, want 30 admitted", total)
	}
}

func TestInstancesHandleABillingMessageOnce(t *testing.T) {
	t.Parallel()
	redis, kill := startRedis(t)
	env := maps.Clone(billingSettings)
	env["REDIS_URL"], env["LIMITER_OUTAGE"] = redis, outageOpen
	first, second := startService(t, env), startService(t, env)
	message := signed("msg_1", time.Now(), invoicePaid, billingKey)
	for range 2 {
		for _, s := range []*service{first, second} {
			if r := s.do(t, "POST", "/webhooks/billing", invoicePaid, message...); r.status != 204 {
				t.Errorf("got %d %s, want 204", r.status, r.body)
			}
		}
	}
	if n := strings.Count(first.log.String()+second.log.String(), `"stage":"respond"`); n != 1 {
		t.Errorf("the handler ran %d times, want once", n)
	}
	kill()
	if r := first.do(t, "POST", "/webhooks/billing", invoicePaid, signed("msg_2", time.Now(), invoicePaid, billingKey)...); r.status != 503 {
		t.Errorf("without Redis: got %d %s, want 503: it may be a repeat", r.status, r.body)
	}
}

func TestWithoutRedisALimitDoesWhatTheSettingSays(t *testing.T) {
	t.Parallel()
	for outage, want := range map[string]func(got map[int]int, back int) bool{
		outageLocal: func(got map[int]int, back int) bool {
			return got[200] >= 30 && got[200] <= 30+back && got[429] == 40-got[200]
		},
		outageOpen:   func(got map[int]int, _ int) bool { return got[200] == 40 },
		outageClosed: func(got map[int]int, _ int) bool { return got[503] == 40 },
	} {
		t.Run(outage, func(t *testing.T) {
			t.Parallel()
			redis, kill := startRedis(t)
			url, log := startInstance(t, map[string]string{"REDIS_URL": redis, "LIMITER_OUTAGE": outage})
			kill()
			began := time.Now()
			if got := searches(t, url, 40); !want(got, int(time.Since(began)/(2*time.Second))) {
				t.Errorf("got %v in %s", got, time.Since(began))
			}
			if n := strings.Count(log.String(), `msg="limit store failed"`); n != 1 {
				t.Errorf("the outage was logged %d times, want once:\n%s", n, log.String())
			}
		})
	}
}

// A search at one instance finds what another has changed.
func TestInstancesDoNotSearchStaleProjects(t *testing.T) {
	t.Parallel()
	redis, _ := startRedis(t)
	env := map[string]string{"REDIS_URL": redis, "LIMITER_OUTAGE": outageLocal, "DATABASE_URL": "file:" + t.TempDir() + "/shared.db", "SEED": "demo"}
	first, second := startService(t, env), startService(t, env)
	for _, name := range []string{"Zeppelin one", "Zeppelin two"} {
		second.do(t, "GET", "/search?q=zeppelin", "") // would fill a cache
		if r := first.do(t, "PATCH", "/projects/"+aliceProject, `{"name":"`+name+`"}`, first.bearer(t, "alice")); r.status != 200 {
			t.Fatalf("got %d %s", r.status, r.body)
		}
		if r := second.do(t, "GET", "/search?q=zeppelin", ""); r.status != 200 || !strings.Contains(r.body, name) {
			t.Errorf("after the change to %s: got %d %s", name, r.status, r.body)
		}
	}
}

// Who signs out at one instance is signed out at every other at once, and so is a role withdrawn.
func TestInstancesShareRevocation(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": "file:" + t.TempDir() + "/shared.db", "SEED": "demo"}
	first, second := startService(t, env), startService(t, env)
	alice, admin := first.bearer(t, "alice"), first.bearer(t, "admin")
	if r := second.do(t, "GET", "/me", "", alice); r.status != 200 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	if r := first.do(t, "POST", "/logout", "", alice); r.status != 204 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	if r := second.do(t, "GET", "/me", "", alice); r.status != 401 {
		t.Errorf("after the sign-out at the other instance: got %d %s, want 401", r.status, r.body)
	}
	if r := first.do(t, "POST", "/admin/users/admin/role", `{"role":"member"}`, admin); r.status != 204 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	if r := second.do(t, "POST", "/admin/users/bob/role", `{"role":"admin"}`, admin); r.status != 403 {
		t.Errorf("after the role was withdrawn at the other instance: got %d %s, want 403", r.status, r.body)
	}
}
