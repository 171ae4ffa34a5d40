package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// windDown is how long handlers that were cut off may take to end, and the last traces to be sent.
const windDown = 5 * time.Second

var errStopping = errors.New("the service is stopping")

// serve answers requests until ctx ends, and then those that are under way. After ctx has ended it returns within
// DRAIN_DELAY + DRAIN_TIMEOUT + windDown.
func (a *app) serve(ctx context.Context, cfg config, log *slog.Logger, routes http.Handler, listener net.Listener) error {
	requests, cutOff := context.WithCancelCause(context.WithoutCancel(ctx)) // with a cause, a cut off request is a 503
	defer cutOff(nil)
	server := &http.Server{
		Handler: a.handler(routes),
		// Otherwise net/http itself answers OPTIONS *, past the handler: a 200 without a request id or a record.
		DisableGeneralOptionsHandler: true,

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
	if err := a.drain(server, cfg.drainTimeout, log, func() { cutOff(errStopping) }); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	log.Info("stopped")
	return nil
}

// handler is what is served: the routes, and around them what every request goes through. Add what is to be around them
// here, where the tests find it.
func (a *app) handler(routes http.Handler) http.Handler {
	return a.tracing.handler(a.partWhenStopping(routes))
}

// drain lets the requests that are under way end, cuts off those that take longer than timeout, and sends the last traces.
func (a *app) drain(server *http.Server, timeout time.Duration, log *slog.Logger, cutOff func()) error {
	limit, cancel := context.WithTimeout(context.Background(), timeout+windDown)
	defer cancel()
	cut := time.AfterFunc(timeout, func() {
		log.Warn("cutting off what is still under way", "after", timeout)
		cutOff()
	})
	err := server.Shutdown(limit)
	cut.Stop()
	if err != nil {
		_ = server.Close() // the error that counts is the one of Shutdown
		return err
	}
	flush, cancel := context.WithTimeout(limit, windDown) // a collector that is down keeps nobody waiting for all of the drain
	defer cancel()
	if err := a.tracing.flush(flush); err != nil {
		log.Warn("traces are lost", "cause", err)
	}
	return nil
}

// partWhenStopping ends each connection with its next response once the service is about to stop. A client that keeps one
// open would otherwise send a request at the very moment at which it is closed, and could not know whether it was carried out.
func (a *app) partWhenStopping(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
