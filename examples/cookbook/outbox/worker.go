package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/routeguard/guard/examples/cookbook/rows"
)

const (
	sendTimeout = 20 * time.Second
	lease       = time.Minute // longer than a job may take: whose worker dies is taken over after it
	poll        = 10 * time.Second
	maxAttempts = 10 // a job that fails so often stays in the outbox for a person to look at
	maxBackoff  = time.Hour
)

// Worker does the jobs of the outbox, each at least once. Make one with NewWorker. Several may share a database.
type Worker struct {
	DB   *sql.DB
	Send func(ctx context.Context, job int64, r Receipt) error // the job's number is the receiver's idempotency key
	Log  *slog.Logger
	Now  func() time.Time

	wake chan struct{}
}

// NewWorker returns a worker that Run starts.
func NewWorker(db *sql.DB, log *slog.Logger, send func(context.Context, int64, Receipt) error) *Worker {
	return &Worker{DB: db, Send: send, Log: log, Now: time.Now, wake: make(chan struct{}, 1)}
}

// Wake tells a waiting worker that there is something to do. It never blocks.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. It finishes the job in hand before it returns.
func (w *Worker) Run(ctx context.Context) {
	for ctx.Err() == nil {
		worked, err := w.step(ctx)
		if err != nil && ctx.Err() == nil {
			w.Log.Error("the outbox cannot be worked on", "err", err)
		}
		if worked && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-time.After(poll):
		}
	}
}

// job is a row of the outbox. The number of attempts tells whose turn it is: who has lost the lease has an old one.
type job struct {
	id       int64
	attempts int
	payload  []byte
}

// step does one job that is due, and reports whether there was one.
func (w *Worker) step(ctx context.Context) (worked bool, err error) {
	j, err := w.take(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ctx = context.WithoutCancel(ctx) // a stop waits for the job in hand
	var r Receipt
	err = json.Unmarshal(j.payload, &r)
	if err == nil {
		err = w.send(ctx, j.id, r)
	}
	if err != nil {
		return true, w.postpone(ctx, j, r.RequestID, err)
	}
	_, err = w.DB.ExecContext(ctx, `DELETE FROM outbox WHERE id = ? AND attempts = ?`, j.id, j.attempts)
	return true, err
}

// take leases the job that is due longest. Repeating the condition keeps two workers from taking one job.
func (w *Worker) take(ctx context.Context) (j job, err error) {
	now := w.Now()
	err = rows.InTx(ctx, w.DB, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `UPDATE outbox SET attempts = attempts + 1, due = ?1 WHERE due <= ?2 AND id = (
			SELECT id FROM outbox WHERE due <= ?2 AND attempts < ?3 ORDER BY due, id LIMIT 1) RETURNING id, attempts, payload`,
			now.Add(lease).UnixMilli(), now.UnixMilli(), maxAttempts).Scan(&j.id, &j.attempts, &j.payload)
	})
	return j, err
}

// send turns a panic into a failure: one bad job must not end the worker.
func (w *Worker) send(ctx context.Context, id int64, r Receipt) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return w.Send(ctx, id, r)
}

// postpone waits 2, 4, 8 … seconds, and at last gives up.
func (w *Worker) postpone(ctx context.Context, j job, requestID string, cause error) error {
	log := w.Log.With("job", j.id, "attempt", j.attempts, "request_id", requestID, "err", cause)
	if j.attempts >= maxAttempts {
		log.Error("a receipt was given up")
		return nil
	}
	log.Warn("a receipt is sent again later")
	due := w.Now().Add(min(time.Second<<j.attempts, maxBackoff))
	_, err := w.DB.ExecContext(ctx, `UPDATE outbox SET due = ? WHERE id = ? AND attempts = ?`, due.UnixMilli(), j.id, j.attempts)
	return err
}

// Serve runs the server and the worker until ctx ends. The server stops first, since its last requests still make work.
func Serve(ctx context.Context, server *http.Server, l net.Listener, w *Worker) error {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var worker sync.WaitGroup
	worker.Go(func() { w.Run(working) })
	defer worker.Wait()
	defer stop() // runs before Wait

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	return server.Shutdown(draining)
}
