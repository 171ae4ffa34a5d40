package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// windDown is how long handlers that were cut off may take to end, and the last traces to be sent.
const windDown = 5 * time.Second

// serve answers requests until ctx ends, and then those that are under way. It returns at the latest
// DRAIN_DELAY + DRAIN_TIMEOUT + windDown after ctx has ended.
func (a *app) serve(ctx context.Context, cfg config, log *slog.Logger, handler http.Handler, listener net.Listener) error {
	requests, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	server := &http.Server{
		Handler:           a.tracing.handler(a.partWhenStopping(handler)),
		ReadHeaderTimeout: min(5*time.Second, cfg.readTimeout),
		ReadTimeout:       cfg.readTimeout,
		WriteTimeout:      cfg.readTimeout + 30*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return requests },
		Protocols:         &http.Protocols{},
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // of a proxy that ends TLS before this service
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("listening", "addr", listener.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	log.Info("stopping")
	a.stopping.Store(true)
	select {
	case err := <-failed:
		return err
	case <-time.After(cfg.drainDelay):
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.drainTimeout+windDown)
	defer cancel()
	cut := time.AfterFunc(cfg.drainTimeout, func() {
		log.Warn("cutting off what is still under way", "after", cfg.drainTimeout)
		cutOff()
	})
	defer cut.Stop()
	if err := server.Shutdown(limit); err != nil {
		_ = server.Close() // the error that counts is the one above
		return fmt.Errorf("stop: %w", err)
	}
	if err := a.tracing.flush(limit); err != nil {
		log.Warn("traces are lost", "cause", err)
	}
	log.Info("stopped")
	return nil
}

// partWhenStopping ends each connection with its next response once the service is about to stop. A client on a connection that
// it keeps open would otherwise send its request at the very moment at which the connection is closed, and could not
// know whether it was carried out.
func (a *app) partWhenStopping(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
