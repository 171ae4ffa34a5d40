// Package bench compares redisstore with redis_rate, in a module of its own, so that
// nobody else needs redis_rate.
//
//	go test -bench . -count 5 ./redisstore/bench
package bench

import (
	"context"
	"fmt"
	"net"
	"os/exec"
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

// BenchmarkDecisions makes decisions for 50 clients at once. The goals, within one
// run: redisstore with one limit at least 0.9 of redis_rate, two limits at least 0.75 of
// one.
func BenchmarkDecisions(b *testing.B) {
	options := startRedis(b)
	connect := func(b *testing.B) *redis.Client {
		o := *options
		client := redis.NewClient(&o)
		b.Cleanup(func() { client.Close() })
		return client
	}
	b.Run("redis_rate", func(b *testing.B) {
		limiter := redis_rate.NewLimiter(connect(b))
		limit := redis_rate.Limit{Rate: 1000, Burst: 1000, Period: time.Second}
		decide(b, func(ctx context.Context, key string) error {
			_, err := limiter.Allow(ctx, key, limit)
			return err
		})
	})
	for limits := 1; limits <= 2; limits++ {
		b.Run(fmt.Sprintf("redisstore/limits=%d", limits), func(b *testing.B) {
			store, err := redisstore.New(connect(b), redisstore.Options{Timeout: 5 * time.Second})
			if err != nil {
				b.Fatal(err)
			}
			names := []string{"GET /projects", "GET /search"}
			decide(b, func(ctx context.Context, key string) error {
				charges := make([]guard.Charge, limits)
				for i := range charges {
					charges[i] = guard.Charge{Limit: names[i], Key: guard.Key{Scope: "caller", Text: key},
						Count: 1000, Per: time.Second, Burst: 1000, Cost: 1}
				}
				_, err := store.Take(ctx, charges, make([]guard.Decision, limits))
				return err
			})
		})
	}
}

func decide(b *testing.B, one func(context.Context, string) error) {
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("0198f000-0000-7000-8000-%012d", i)
	}
	var next atomic.Uint64
	b.SetParallelism(clients / 2)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := one(context.Background(), names[next.Add(1)%keys]); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}
