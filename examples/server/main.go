// Command server is a small projects service behind guard, to try out and to copy.
//
//	go run ./examples/server           serves it
//	go run ./examples/server routes    prints the checklist of its routes; also: routes markdown, routes json
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"github.com/routeguard/guard/examples/server/password"
	"github.com/routeguard/guard/examples/server/store"
)

func main() {
	logging.Disable() // go-redis would log every try during an outage, which the limiter logs once
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is main without the process: it ends when ctx does.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	printRoutes, err := printer(args)
	if err != nil {
		return err
	}
	cfg, err := loadConfig(getenv)
	if err != nil {
		return fmt.Errorf("bad settings:\n%w", err)
	}
	db, err := store.Open(ctx, cfg.databaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	shared, err := cfg.sharedStore()
	if err != nil {
		return err
	}
	defer shared.Close()

	log := cfg.logger(stderr)
	a := &app{
		store:     db,
		passwords: password.New(runtime.GOMAXPROCS(0)),
		tokens:    signer{key: cfg.jwtHS256Key, issuer: cfg.jwtIssuer, audience: cfg.jwtAudience},
		shared:    shared,
		completer: localCompleter{pause: 40 * time.Millisecond},
	}
	mux, err := a.routes(cfg, log)
	if err != nil {
		return err
	}
	if printRoutes != nil {
		return printRoutes(stdout, mux.Routes())
	}
	listener, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return err
	}
	if err := a.seed(ctx, cfg, listener.Addr(), stdout); err != nil {
		listener.Close()
		return err
	}
	return serve(ctx, cfg, log, mux, listener)
}

// serve answers requests until ctx ends, and then those that are under way.
func serve(ctx context.Context, cfg config, log *slog.Logger, handler http.Handler, listener net.Listener) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: min(5*time.Second, cfg.readTimeout),
		ReadTimeout:       cfg.readTimeout,
		WriteTimeout:      cfg.readTimeout + 30*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("listening", "addr", listener.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	drain, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	log.Info("stopped")
	return nil
}

// seed adds the demo data, and tells how to try the service with it.
func (a *app) seed(ctx context.Context, cfg config, addr net.Addr, stdout io.Writer) error {
	if !cfg.seedDemo {
		return nil
	}
	hash, err := a.passwords.Hash(ctx, string(cfg.seedPassword))
	if err != nil {
		return fmt.Errorf("hash the demo password: %w", err)
	}
	added, err := a.store.SeedDemo(ctx, hash)
	if err != nil {
		return err
	}
	secret := "the password that they were given"
	if added > 0 && cfg.seedRandom {
		secret = "the password " + string(cfg.seedPassword)
	}
	_, err = fmt.Fprintf(stdout, welcome, addr, secret, store.DemoAPIKey, store.DemoProjectAlice, store.DemoProjectBob)
	return err
}

const welcome = `The service is at http://%[1]s; open it in a browser.
Sign in as alice@example.com, bob@example.com or admin@example.com with %[2]s.
Alice also has an API key; try, from another terminal:

  # Alice renames her project: 200
  curl -i -X PATCH http://%[1]s/projects/%[4]s -H 'X-API-Key: %[3]s' -H 'Content-Type: application/json' -d '{"name":"Renamed by curl"}'

  # she sets a field that is not hers to set: 400
  curl -i -X PATCH http://%[1]s/projects/%[4]s -H 'X-API-Key: %[3]s' -H 'Content-Type: application/json' -d '{"ownerId":"bob"}'

  # she tries Bob's project: 404, as if it did not exist
  curl -i http://%[1]s/projects/%[5]s -H 'X-API-Key: %[3]s'

`
