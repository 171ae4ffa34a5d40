// Package store keeps the service's users, projects and records in SQLite.
//
// Every method that touches a user's own rows takes that user's id and repeats it in its WHERE clause, whatever the
// caller has checked before: a route that forgets its check, or a row that changes hands between the check and the
// write, then finds nothing.
//
// The package knows nothing of HTTP. A missing row is [ErrNotFound], a cursor that this package did not make is
// [ErrBadCursor]; every other error means that the database failed.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrNotFound reports that there is no such row or, where a method takes an owner, that it is not the owner's.
//
// The two cases look alike on purpose: a caller cannot learn that somebody else has the row.
var ErrNotFound = errors.New("store: not found")

// Store is an open database. It is safe for concurrent use; the zero value is not usable.
type Store struct {
	read   *sql.DB
	write  *sql.DB   // the same as read for a database in memory
	anchor *sql.Conn // keeps a database in memory alive; nil for a file
	now    func() time.Time
}

// Open opens the database at url and brings its schema up to date.
//
// An empty url means a private database in memory that ends with Close. Otherwise url is a SQLite URL, such as
// "file:projects.db" or "file:///var/lib/projects/projects.db"; the file is created if it is missing, its folder is not.
// Of parameters, url may have mode=rw, which does not create the file, and _busy_timeout in milliseconds.
// Several processes on one machine may open the same file, also at the same moment.
func Open(ctx context.Context, url string) (*Store, error) {
	s, err := connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	if err := s.firstConn(ctx); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if err := migrate(ctx, s.write, migrationFiles(), s.now); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	// Readers have connections of their own. A URL that gives each connection a database of its own ends here.
	return s.Ping(ctx)
}

// Ping reports whether the database answers a query.
func (s *Store) Ping(ctx context.Context) error {
	var version int
	if err := s.read.QueryRowContext(ctx, `SELECT max(version) FROM schema_migrations`).Scan(&version); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// Close waits for running queries and closes the database. It may be called more than once.
func (s *Store) Close() error {
	var errAnchor error
	if s.anchor != nil {
		if errAnchor = s.anchor.Close(); errors.Is(errAnchor, sql.ErrConnDone) {
			errAnchor = nil
		}
	}
	// The writer goes last: the last connection folds the write-ahead log into the file, which a reader may not.
	return errors.Join(errAnchor, s.read.Close(), s.write.Close())
}

// inTx runs fn in one write transaction, which is committed only if fn returns nil.
//
// All writes go through it, single statements too: an error then means that nothing was written. Without one, a
// statement can take effect and still report that its context ended, and a row that is read back from a statement can hide
// that its commit failed.
func inTx(ctx context.Context, db *sql.DB, fn func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit; ends the transaction on an error and on a panic
	if err = fn(tx); err == nil {
		err = tx.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err() // database/sql has rolled back when the context ended
	}
	return err
}

// exec runs one statement and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, query string, args ...any) (changed int64, err error) {
	err = inTx(ctx, s.write, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		changed, err = result.RowsAffected()
		return err
	})
	return changed, err
}

// execOne runs a statement that must change a row, and returns ErrNotFound if it changed none.
func (s *Store) execOne(ctx context.Context, query string, args ...any) error {
	changed, err := s.exec(ctx, query, args...)
	if err == nil && changed == 0 {
		return ErrNotFound
	}
	return err
}

// missing turns the error for "no row" into ErrNotFound.
func missing(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// Times are kept as microseconds since 1970: they sort as numbers, and no driver setting can change their meaning.

func toMicros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }
