// Command server is a small projects service behind guard, to try out and to copy.
//
//	go run ./examples/server           serves it
//	go run ./examples/server routes    prints the checklist of its routes; also: routes markdown, routes json
//	go run ./examples/server openapi   prints the OpenAPI 3.1 document of its routes
//	server healthcheck                 asks the one that runs here whether it lives, for a container's engine
package main

import (
	"context"
	"fmt"
	"io"
	"net"
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
	context.AfterFunc(ctx, stop) // a second signal does not wait for the drain
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is main without the process: it ends when ctx does.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == "healthcheck" {
		return checkHealth(ctx, getenv)
	}
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
	if a.tracing, err = cfg.tracing(ctx, log); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return err
	}
	if err := a.seed(ctx, cfg, listener.Addr(), stdout); err != nil {
		listener.Close()
		return err
	}
	return a.serve(ctx, cfg, log, mux, listener)
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
