// Command server is a small projects service behind guard, to try out and to copy.
//
//	go run ./examples/server           serves it
//	go run ./examples/server routes    prints the checklist of its routes; also: routes markdown, routes json
//	go run ./examples/server openapi   prints the OpenAPI 3.1 document of its routes
//	server healthcheck                 asks the one that runs here whether it lives, for a container's engine
package main

import (
	"context"
	"errors"
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
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

// run is main without the process: it ends when ctx does.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 1 {
		switch args[0] {
		case "healthcheck":
			return checkHealth(ctx, getenv)
		case "-h", "--help":
			_, err := fmt.Fprintln(stdout, usage)
			return err
		}
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
		return badSetting("DATABASE_URL", err, "write file: and the path of a SQLite database that can be written, or unset it for one in memory")
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
		return badSetting("ADDR", withoutHost(err), "write another, such as 127.0.0.1:0 for a port that is free")
	}
	if err := a.welcome(ctx, cfg, listener.Addr(), stdout); err != nil {
		listener.Close()
		return err
	}
	cfg.announce(stderr, listener.Addr())
	return a.serve(ctx, cfg, log, mux, listener)
}

// badSetting names the setting that shows to be bad when it is used.
func badSetting(name string, err error, instead string) error {
	return fmt.Errorf("bad settings:\n%s: %w; %s", name, err, instead)
}

// withoutHost takes the name out of an error about one that nobody knows: a secret may stand in the wrong place.
func withoutHost(err error) error {
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(unknown.Err)
	}
	return err
}
