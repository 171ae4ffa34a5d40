package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/guardtest"
	"github.com/routeguard/guard/redisstore"
)

// prefix is one that no other case uses.
func prefix(t *testing.T) string {
	return fmt.Sprintf("test%d", prefixes.Add(1))
}

var prefixes atomic.Int64

func TestConformance(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	guardtest.SharedStore(t, func(t *testing.T, clock *guardtest.Clock, n int) []guard.Store {
		clock.RealTime()
		p := prefix(t)
		stores := make([]guard.Store, n)
		for i := range stores {
			stores[i] = connect(t, srv.url(), redisstore.Options{Prefix: p, Timeout: patient})
		}
		return stores
	})
}

func TestReplayConformance(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	guardtest.ReplayStore(t, func(t *testing.T, clock *guardtest.Clock) guard.ReplayStore {
		clock.RealTime()
		return connect(t, srv.url(), redisstore.Options{Prefix: prefix(t), Timeout: patient})
	})
}

// One node that owns all slots refuses keys of different slots as a larger cluster does.
func TestConformanceInACluster(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "--cluster-enabled", "yes")
	slots := []any{"CLUSTER", "ADDSLOTS"}
	for i := range 16384 {
		slots = append(slots, i)
	}
	srv.do(slots...)
	eventually(t, "the cluster is up", func() bool { return strings.Contains(fmt.Sprint(srv.do("CLUSTER", "INFO")), "cluster_state:ok") })
	guardtest.SharedStore(t, func(t *testing.T, clock *guardtest.Clock, n int) []guard.Store {
		clock.RealTime()
		p := prefix(t)
		stores := make([]guard.Store, n)
		for i := range stores {
			client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{srv.addr}, ContextTimeoutEnabled: true})
			t.Cleanup(func() { client.Close() })
			s, err := redisstore.New(client, redisstore.Options{Prefix: p, Timeout: patient})
			if err != nil {
				t.Fatal(err)
			}
			stores[i] = s
		}
		return stores
	})
}

func charge(limit, text string, count int, per time.Duration) guard.Charge {
	return guard.Charge{Limit: limit, Key: guard.Key{Scope: "caller", Text: text},
		Count: count, Per: per, Burst: count, Cost: 1}
}

func take(t *testing.T, s guard.Store, charges ...guard.Charge) (bool, []guard.Decision) {
	t.Helper()
	out := make([]guard.Decision, len(charges))
	ok, err := s.Take(context.Background(), charges, out)
	if err != nil {
		t.Fatal(err)
	}
	return ok, out
}

func TestFiftyClientsOnFourInstancesAdmitNoMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	var stores [4]*redisstore.Store
	for i := range stores {
		stores[i] = connect(t, srv.url(), redisstore.Options{Timeout: patient})
	}
	c := charge("GET /", "one key", 100, time.Second)
	var admitted atomic.Int64
	began := time.Now()
	more := func() bool { // for a second, and until tokens have come back, however late the machine lets anybody ask
		return time.Since(began) < time.Second || admitted.Load() < 150 && time.Since(began) < 2*time.Minute
	}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for more() {
				ok, err := stores[i%4].Take(context.Background(), []guard.Charge{c}, make([]guard.Decision, 1))
				if err != nil {
					t.Error(err)
				}
				if ok {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	most := 100 + int64(time.Since(began)/(10*time.Millisecond))
	if got := admitted.Load(); got > most || got < 150 {
		t.Errorf("%d were admitted, want at most %d and at least 150", got, most)
	}
}

func TestAnyNumberOfLimitsIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := connect(t, srv.url(), redisstore.Options{Timeout: patient})
	take(t, s, charge("warm", "up", 5, time.Hour)) // sends the source
	for n := 1; n <= 8; n++ {
		charges := make([]guard.Charge, n)
		for i := range charges {
			charges[i] = charge(fmt.Sprint("limit", i), "key", 100, time.Hour)
		}
		before := srv.calls("evalsha") + srv.calls("eval")
		if ok, _ := take(t, s, charges...); !ok {
			t.Errorf("%d limits: refused", n)
		}
		if got := srv.calls("evalsha") + srv.calls("eval") - before; got != 1 {
			t.Errorf("%d limits: got %d round trips, want 1", n, got)
		}
	}
}

func TestScriptsAreSentAgainAfterAFlush(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := connect(t, srv.url(), redisstore.Options{Timeout: patient})
	c := charge("GET /", "key", 100, time.Hour)
	ctx := context.Background()
	for i := range 3 {
		srv.do("SCRIPT", "FLUSH")
		if _, out := take(t, s, c); out[0].Remaining != 99-i {
			t.Errorf("got %d left, want %d: charged once", out[0].Remaining, 99-i)
		}
		srv.do("SCRIPT", "FLUSH")
		if state, err := s.Claim(ctx, fmt.Sprint("m", i), "owner", time.Hour); state != guard.ReplayClaimed || err != nil {
			t.Errorf("got %v and %v, want claimed", state, err)
		}
	}
}

func TestAFlushedDatabaseStartsAnew(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := connect(t, srv.url(), redisstore.Options{Timeout: patient})
	c := charge("GET /", "key", 1, time.Hour)
	take(t, s, c)
	if ok, _ := take(t, s, c); ok {
		t.Fatal("the second of 1 is admitted")
	}
	srv.do("FLUSHALL")
	if ok, _ := take(t, s, c); !ok {
		t.Error("refused by an empty database")
	}
}

func TestKeysHoldNothingPersonalAndExpire(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	ctx := context.Background()
	for _, secret := range []string{"", "sixteen bytes or more"} {
		s := connect(t, srv.url(), redisstore.Options{Secret: []byte(secret), Timeout: patient})
		take(t, s, charge("login", "alice@example.com", 1, 5*time.Minute))
		if _, _, err := s.Acquire(ctx, charge("login", "alice@example.com", 1, 5*time.Minute), 1, 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Claim(ctx, "POST /webhooks alice@example.com", "owner", 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := s.Revoke(ctx, "alice@example.com", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	keys := srv.do("KEYS", "*").([]any)
	if len(keys) != 2*4 {
		t.Errorf("got %d keys, want 4 for each secret: %v", len(keys), keys)
	}
	form := regexp.MustCompile(`^(\{guard\}:limit|guard:(place|message|revoked)):[\w-]{22}$`)
	for _, key := range keys {
		if !form.MatchString(key.(string)) {
			t.Errorf("got key %q", key)
		}
		if ttl := srv.do("PTTL", key).(int64); ttl <= 0 || ttl > (11*time.Minute).Milliseconds() {
			t.Errorf("%v expires in %d ms", key, ttl)
		}
	}
}

func TestFullBucketsAreNotKept(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := connect(t, srv.url(), redisstore.Options{Timeout: patient})
	c := charge("GET /", "key", 5, time.Hour)
	c.Cost = 0
	take(t, s, c)
	c.Cost = 3
	take(t, s, c)
	if n := srv.do("DBSIZE"); n != int64(1) {
		t.Errorf("got %v keys, want 1", n)
	}
	if err := s.Refund(context.Background(), []guard.Charge{c}); err != nil {
		t.Fatal(err)
	}
	if n := srv.do("DBSIZE"); n != int64(0) {
		t.Errorf("got %v keys, want 0", n)
	}
}

func TestValuesOfSomethingElseAreErrors(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, spoil := range map[string]func(*server, any){
		"another type":     func(srv *server, key any) { srv.do("DEL", key); srv.do("LPUSH", key, "x") },
		"no number":        func(srv *server, key any) { srv.do("SET", key, "x") },
		"an empty string":  func(srv *server, key any) { srv.do("SET", key, "") },
		"not a number":     func(srv *server, key any) { srv.do("SET", key, "nan") },
		"an endless time":  func(srv *server, key any) { srv.do("SET", key, "inf") },
		"a negative time":  func(srv *server, key any) { srv.do("SET", key, "-1") },
		"an absurd number": func(srv *server, key any) { srv.do("SET", key, "1e300") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t)
			down := make(chan error, 10)
			s := connect(t, srv.url(), redisstore.Options{Timeout: patient, OnState: func(cause error) { down <- cause }})
			c, other := charge("GET /", "key", 5, time.Hour), charge("GET /", "other", 5, time.Hour)
			take(t, s, c)
			spoil(srv, srv.do("KEYS", "*").([]any)[0])
			for range 5 {
				ok, err := s.Take(ctx, []guard.Charge{other, c}, make([]guard.Decision, 2))
				if ok || err == nil {
					t.Fatalf("Take is %v, %v; want an error", ok, err)
				}
				if err := s.Refund(ctx, []guard.Charge{c}); err == nil {
					t.Error("Refund is no error")
				}
			}
			// One bad key says nothing about the others.
			if _, out := take(t, s, other); out[0].Remaining != 4 {
				t.Errorf("got %d left, want 4: nothing was charged", out[0].Remaining)
			}
			if len(down) > 0 {
				t.Errorf("the store stopped asking: %v", <-down)
			}
		})
	}
}

func TestAFullRedisRefusesAndForgetsNothing(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "--maxmemory-policy", "noeviction")
	s := connect(t, srv.url(), redisstore.Options{Timeout: patient})
	ctx := context.Background()
	c := charge("GET /", "key", 2, time.Hour)
	take(t, s, c)
	srv.do("CONFIG", "SET", "maxmemory", "1")
	ok, err := s.Take(ctx, []guard.Charge{c, charge("GET /", "other", 2, time.Hour)}, make([]guard.Decision, 2))
	if ok || err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("Take is %v, %v; want an error of memory", ok, err)
	}
	if state, err := s.Claim(ctx, "message", "owner", time.Hour); state != 0 || err == nil {
		t.Errorf("Claim is %v, %v; want an error", state, err)
	}
	if err := s.Revoke(ctx, "token", time.Now().Add(time.Hour)); err == nil {
		t.Error("Revoke is no error")
	}
	srv.do("CONFIG", "SET", "maxmemory", "0")
	eventually(t, "the store asks again", func() bool {
		_, err := s.Revoked(ctx, "token")
		return err == nil
	})
	if _, out := take(t, s, c); out[0].Remaining != 0 {
		t.Errorf("got %d left, want 0: the first was kept, the second not charged", out[0].Remaining)
	}
}

func TestRevoked(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	a, b := connect(t, srv.url(), redisstore.Options{Timeout: patient}), connect(t, srv.url(), redisstore.Options{Timeout: patient})
	ctx := context.Background()
	want := func(jti string, want bool) {
		t.Helper()
		if got, err := b.Revoked(ctx, jti); got != want || err != nil {
			t.Errorf("Revoked(%q) is %v, %v; want %v", jti, got, err, want)
		}
	}
	want("one", false)
	for range 2 {
		if err := a.Revoke(ctx, "one", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	want("one", true)
	want("two", false)
	if err := a.Revoke(ctx, "two", time.Now().Add(-time.Minute)); err != nil { // expired, but verifiers have leeway
		t.Error(err)
	}
	want("two", true)
	if err := a.Revoke(ctx, "old", time.Now().Add(-time.Hour)); err != nil {
		t.Error(err)
	}
	want("old", false)
	for name, err := range map[string]error{
		"an empty id": a.Revoke(ctx, "", time.Now().Add(time.Hour)),
		"a long id":   a.Revoke(ctx, strings.Repeat("x", 513), time.Now().Add(time.Hour)),
		"no expiry":   a.Revoke(ctx, "x", time.Time{}),
	} {
		if err == nil {
			t.Errorf("Revoke with %s is no error", name)
		}
	}
	if revoked, err := a.Revoked(ctx, ""); !revoked || err == nil {
		t.Errorf("Revoked(\"\") is %v, %v; want true and an error", revoked, err)
	}
	srv.kill()
	if revoked, err := a.Revoked(ctx, "two"); !revoked || err == nil {
		t.Errorf("without Redis Revoked is %v, %v; want true and an error", revoked, err)
	}
}

func TestSecretsAndPrefixesKeepStoresApart(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	c := charge("GET /", "key", 1, time.Hour)
	for _, o := range []redisstore.Options{
		{},
		{Prefix: "other"},
		{Secret: []byte("0123456789abcdef")},
		{Secret: []byte("0123456789abcdeg")},
	} {
		o.Timeout = patient
		if ok, _ := take(t, connect(t, srv.url(), o), c); !ok {
			t.Errorf("%+v shares a bucket with another", o)
		}
	}
}

func TestBadOptionsAreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := redisstore.Connect("redis://:hunter2@host:port:x/0", redisstore.Options{
		Prefix: "a{b}", Secret: []byte("short"), Timeout: -time.Second})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"URL", "Prefix", "Secret", "Timeout"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "short") {
		t.Errorf("got %q: it holds a secret", err)
	}
}

func TestASecretThatWasNeverFilled(t *testing.T) {
	t.Parallel()
	want := "redisstore: Secret is all zeros: it was never filled"
	if _, err := redisstore.Connect("redis://localhost", redisstore.Options{Secret: make([]byte, 32)}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestClientsThatWouldHoldRequestsAreRefused(t *testing.T) {
	t.Parallel()
	addrs := map[string]string{"a": "127.0.0.1:1"}
	tests := []struct {
		name   string
		client redis.UniversalClient
		want   []string // none: accepted
	}{
		{name: "nil", client: nil, want: []string{"nil"}},
		{name: "a nil pointer", client: (*redis.Client)(nil), want: []string{"nil"}},
		{name: "the defaults", client: redis.NewClient(&redis.Options{}), want: []string{"ContextTimeoutEnabled", "MaxRetries"}},
		{name: "deadlines ignored", client: redis.NewClient(&redis.Options{MaxRetries: -1}), want: []string{"ContextTimeoutEnabled"}},
		{name: "retries", client: redis.NewClient(&redis.Options{ContextTimeoutEnabled: true}), want: []string{"MaxRetries"}},
		{name: "right", client: redis.NewClient(&redis.Options{ContextTimeoutEnabled: true, MaxRetries: -1})},
		{name: "a cluster's defaults", client: redis.NewClusterClient(&redis.ClusterOptions{}), want: []string{"ContextTimeoutEnabled"}},
		{name: "a right cluster", client: redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true})},
		{name: "a ring's defaults", client: redis.NewRing(&redis.RingOptions{Addrs: addrs}), want: []string{"ContextTimeoutEnabled", "MaxRetries"}},
		{name: "a right ring", client: redis.NewRing(&redis.RingOptions{Addrs: addrs, ContextTimeoutEnabled: true, MaxRetries: -1})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.client != nil && tt.name != "a nil pointer" {
				t.Cleanup(func() { tt.client.Close() })
			}
			_, err := redisstore.New(tt.client, redisstore.Options{})
			if (err == nil) != (len(tt.want) == 0) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to name %s", err, want)
				}
			}
		})
	}
}

func TestAStoreThatNobodyMadeReturnsErrors(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := charge("GET /", "key", 1, time.Hour)
	for _, s := range []*redisstore.Store{nil, {}} {
		if ok, err := s.Take(ctx, []guard.Charge{c}, make([]guard.Decision, 1)); ok || err == nil {
			t.Errorf("Take is %v, %v", ok, err)
		}
		if _, ok, err := s.Acquire(ctx, c, 1, time.Minute); ok || err == nil {
			t.Errorf("Acquire is %v, %v", ok, err)
		}
		if state, err := s.Claim(ctx, "k", "o", time.Minute); state != 0 || err == nil {
			t.Errorf("Claim is %v, %v", state, err)
		}
		if revoked, err := s.Revoked(ctx, "k"); !revoked || err == nil {
			t.Errorf("Revoked is %v, %v", revoked, err)
		}
		for name, err := range map[string]error{
			"Refund":  s.Refund(ctx, []guard.Charge{c}),
			"Done":    s.Done(ctx, "k", time.Minute),
			"Release": s.Release(ctx, "k", "o"),
			"Revoke":  s.Revoke(ctx, "k", time.Now().Add(time.Hour)),
		} {
			if err == nil {
				t.Errorf("%s is no error", name)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNewDoesNotCloseTheClient(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{ContextTimeoutEnabled: true, MaxRetries: -1})
	s, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := client.Close(); errors.Is(err, redis.ErrClosed) {
		t.Error("the client was closed")
	}
}
