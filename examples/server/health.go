package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/routeguard/guard"
)

// healthy answers while the process does. Whoever asks may restart it if it does not, so nothing else counts: a new
// process would not repair a database.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// ready answers 200 while requests are welcome. Whoever asks sends them elsewhere if it does not.
//
// It is the handler of a guard that guards nothing, for its refusals: they look like all others, with the cause in the log.
func (a *app) ready(ctx context.Context, _ *guard.Call[guard.Anonymous, guard.None, guard.None], w http.ResponseWriter) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	notReady := guard.Fail(http.StatusServiceUnavailable, "not_ready", "Not ready.")
	if a.stopping.Load() {
		return notReady.Because(errStopping)
	}
	if err := a.store.Ping(ctx); err != nil {
		return notReady.Because(err)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("ready\n"))
	return nil
}

// checkHealth asks the service that listens on ADDR whether it lives. It is the probe of an image that has no shell.
func checkHealth(ctx context.Context, getenv func(string) string) error {
	e := &environment{getenv: getenv}
	addr := e.listenAddress()
	if err := errors.Join(e.mistakes...); err != nil {
		return fmt.Errorf("bad settings:\n%w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(addr)+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	response, err := (&http.Transport{}).RoundTrip(r) // no proxy, no redirect
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("health check: %s", response.Status)
	}
	return nil
}

// reachable is an address at which a listener on addr can be reached from here: one on all addresses has no host to dial.
// It is no name: an image may have nothing that resolves one.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	switch ip, err := netip.ParseAddr(host); {
	case host == "", err == nil && ip.Unmap() == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
