// Command soak drives the example service with good and hostile traffic while it is restarted and its Redis dies.
//
//	go run ./examples/soak -for 10m
//
// Run it from the root of the repository. It needs a redis-server; with wrk in PATH, wrk makes most of the good traffic.
// Two instances share one Redis and one database on disk. Clients reach one over HTTP/1.1 and HTTP/2 without TLS, the other
// over both with TLS, through a proxy that ends it.
//
// At the end it prints what was sent and answered, and how memory, goroutines and file descriptors went. It fails where a
// response has a 5xx that no fault explains, where a hostile request was let in, where an answer is not one of the
// service's own, and where an instance grows under a load that stays the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	duration := flag.Duration("for", 10*time.Minute, "how long, at least 30s")
	keep := flag.Bool("v", false, "show the services' logs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := soak(ctx, *duration, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func soak(ctx context.Context, duration time.Duration, verbose bool) error {
	if duration < 30*time.Second {
		return errors.New("-for: write 30s or more, or no growth can be seen")
	}
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()

	record := newRecord()
	world, err := newWorld(ctx, dir, verbose, record)
	if err != nil {
		return err
	}
	defer world.stop()

	var traffic sync.WaitGroup
	for _, worker := range workers(world, record) {
		traffic.Go(func() { worker(ctx) })
	}
	traffic.Go(func() { world.watch(ctx) })
	traffic.Go(func() { world.disturb(ctx, duration) })
	traffic.Wait()

	record.print(os.Stdout)
	for _, i := range world.instances {
		i.printGrowth(os.Stdout)
	}
	return errors.Join(append(record.mistakes(), world.mistakes()...)...)
}
