// Package bench compares redisstore with redis_rate, in a module of its own, so that
// nobody else needs redis_rate.
//
//	go test -bench . -benchtime 60x ./redisstore/bench
package bench

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/redisstore"
)

const (
	clients = 50
	keys    = 1000
)

func startRedis(b *testing.B) *redis.Options {
	b.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		b.Skip("no redis-server in PATH")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", b.TempDir())
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	options := &redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1, PoolSize: clients}
	for client := redis.NewClient(options); ; time.Sleep(10 * time.Millisecond) {
		if client.Ping(context.Background()).Err() == nil {
			client.Close()
			return options
		}
	}
}

// contestant makes one decision about a key.
type contestant func(ctx context.Context, key string) error

// BenchmarkDecisions makes decisions for 50 clients at once, in turns of a tenth of a
// second, so that a busy machine is busy for all. It reports the median of each turn's
// ratio. The goals: one limit at least 0.9 of redis_rate, two at least 0.75 of one.
func BenchmarkDecisions(b *testing.B) {
	options := startRedis(b)
	connect := func() *redis.Client {
		o := *options
		client := redis.NewClient(&o)
		b.Cleanup(func() { client.Close() })
		return client
	}
	limiter := redis_rate.NewLimiter(connect())
	limit := redis_rate.Limit{Rate: 1000, Burst: 1000, Period: time.Second}
	rate := func(ctx context.Context, key string) error {
		_, err := limiter.Allow(ctx, key, limit)
		return err
	}
	store, err := redisstore.New(connect(), redisstore.Options{Timeout: 5 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	one, two := take(store, "GET /projects"), take(store, "GET /projects", "GET /search")
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("0198f000-0000-7000-8000-%012d", i)
	}
	for _, c := range []contestant{rate, one, two} {
		turn(b, names, c) // connects
	}

	var rates, ones, oneToRate, twoToOne []float64
	for b.Loop() {
		r, o, t := turn(b, names, rate), turn(b, names, one), turn(b, names, two)
		rates, ones = append(rates, r), append(ones, o)
		oneToRate, twoToOne = append(oneToRate, o/r), append(twoToOne, t/o)
	}
	b.ReportMetric(median(rates), "redis_rate/s")
	b.ReportMetric(median(ones), "decisions/s")
	b.ReportMetric(median(oneToRate), "of-redis_rate")
	b.ReportMetric(median(twoToOne), "two-of-one")
}

func take(store guard.Store, limits ...string) contestant {
	return func(ctx context.Context, key string) error {
		charges := make([]guard.Charge, len(limits))
		for i, limit := range limits {
			charges[i] = guard.Charge{Limit: limit, Key: guard.Key{Scope: "caller", Text: key},
				Count: 1000, Per: time.Second, Burst: 1000, Cost: 1}
		}
		_, err := store.Take(ctx, charges, make([]guard.Decision, len(limits)))
		return err
	}
}

// turn lets 50 clients decide for a tenth of a second, and returns decisions a second.
func turn(b *testing.B, names []string, decide contestant) float64 {
	var decisions atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for client := range clients {
		wg.Go(func() {
			for i := client; time.Since(began) < 100*time.Millisecond; i += clients {
				if err := decide(context.Background(), names[i%keys]); err != nil {
					b.Error(err)
				}
				decisions.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(decisions.Load()) / time.Since(began).Seconds()
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
