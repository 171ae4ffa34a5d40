package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var embedded embed.FS

func migrationFiles() fs.FS {
	files, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic("store: " + err.Error()) // only an invalid constant path can fail
	}
	return files
}

// migration is one step of the schema. Its file is named 0001_what_it_does.sql and never changes once it is released.
type migration struct {
	version int
	name    string
	sql     string
}

// migrate runs the steps that the database has not seen, in order, each in a transaction of its own. It stops at the
// first that fails; what ran before stays. A database that is newer than this program is refused: the program
// would not know what its columns mean.
func migrate(ctx context.Context, db *sql.DB, files fs.FS, now func() time.Time) error {
	steps, err := readMigrations(files)
	if err != nil {
		return err
	}
	const table = `CREATE TABLE IF NOT EXISTS schema_migrations (
		version    INTEGER PRIMARY KEY,
		name       TEXT    NOT NULL,
		applied_at INTEGER NOT NULL
	) STRICT`
	if _, err := db.ExecContext(ctx, table); err != nil {
		return fmt.Errorf("create schema_migrations: %w", err)
	}
	for _, step := range steps {
		if err := inTx(ctx, db, func(tx *sql.Tx) error { return step.apply(ctx, tx, now()) }); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return refuseNewer(ctx, db, len(steps))
}

// apply runs the step unless it has been run. The transaction holds the write lock from its begin, so of two processes
// that start together one runs the step and the other sees that it was run.
func (m migration) apply(ctx context.Context, tx *sql.Tx, now time.Time) error {
	var done bool
	const seen = `SELECT EXISTS (SELECT 1 FROM schema_migrations WHERE version = ?)`
	if err := tx.QueryRowContext(ctx, seen, m.version).Scan(&done); err != nil || done {
		return err
	}
	if _, err := tx.ExecContext(ctx, m.sql); err != nil {
		return err
	}
	const record = `INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)`
	_, err := tx.ExecContext(ctx, record, m.version, m.name, toMicros(now))
	return err
}

func refuseNewer(ctx context.Context, db *sql.DB, known int) error {
	var newest int
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_migrations`).Scan(&newest); err != nil {
		return err
	}
	if newest > known {
		return fmt.Errorf("the database has schema version %d, this program knows versions up to %d", newest, known)
	}
	return nil
}

// readMigrations returns the steps in order. Their numbers must run from 1 without a gap: two branches that
// both add a step then meet here, not in production.
func readMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	steps := make([]migration, 0, len(names))
	for i, name := range names {
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: want number %04d", name, i+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
		steps = append(steps, migration{version: version, name: name, sql: string(text)})
	}
	return steps, nil
}
