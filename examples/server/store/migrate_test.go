package store

import (
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

func file(sql string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(sql)} }

func TestMigratingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		const query = `SELECT count(*) * 1000 + max(applied_at) FROM schema_migrations`
		before := count(t, s, query)
		if err := migrate(t.Context(), s.write, migrationFiles(), func() time.Time { return time.Time{} }); err != nil {
			t.Fatalf("second run: %v", err)
		}
		if after := count(t, s, query); after != before {
			t.Errorf("schema_migrations changed: got %d, want %d", after, before)
		}
	})
}

func TestInstancesThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		url := fileURL(t) + "?_busy_timeout=60000" // a busy machine is no fault of the store
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				s, err := Open(t.Context(), url)
				if err != nil {
					t.Errorf("Open: %v", err)
					return
				}
				if _, err := s.SeedDemo(t.Context(), testHash); err != nil {
					t.Errorf("SeedDemo: %v", err)
				}
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		wg.Wait()
	}
}

func TestNewStepsRunOnAnOldDatabase(t *testing.T) {
	t.Parallel()
	s := bare(t)
	steps := fstest.MapFS{"0001_a.sql": file(`CREATE TABLE a (n INTEGER) STRICT`)}
	if err := migrate(t.Context(), s.write, steps, s.now); err != nil {
		t.Fatalf("first step: %v", err)
	}
	steps["0002_b.sql"] = file(`INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);`)
	for range 2 {
		if err := migrate(t.Context(), s.write, steps, s.now); err != nil {
			t.Fatalf("second step: %v", err)
		}
	}
	if got := count(t, s, `SELECT count(*) FROM a`); got != 2 {
		t.Errorf("got %d rows, want 2", got)
	}
}

func TestFailedStepLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := bare(t)
	steps := fstest.MapFS{
		"0001_good.sql": file(`CREATE TABLE good (n INTEGER) STRICT`),
		"0002_bad.sql":  file(`CREATE TABLE half (n INTEGER) STRICT; INSERT INTO missing VALUES (1)`),
	}
	err := migrate(t.Context(), s.write, steps, time.Now)
	if err == nil || !strings.Contains(err.Error(), "0002_bad.sql") {
		t.Errorf("got %v, want an error that names 0002_bad.sql", err)
	}
	if got := count(t, s, `SELECT count(*) FROM sqlite_schema WHERE name IN ('good', 'half')`); got != 1 {
		t.Errorf("got %d tables, want only the one of the good step", got)
	}
	if got := count(t, s, `SELECT max(version) FROM schema_migrations`); got != 1 {
		t.Errorf("got version %d, want 1", got)
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	url := fileURL(t)
	s := opened(t, url)
	const future = `INSERT INTO schema_migrations (version, name, applied_at) VALUES (9999, '9999_future.sql', 0)`
	if _, err := s.write.ExecContext(t.Context(), future); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), url)
	if err == nil || !strings.Contains(err.Error(), "9999") {
		t.Errorf("got %v, want an error that names version 9999", err)
	}
}

func TestReadMigrations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files fs.FS
		want  string // the step that the error names; empty for no error
	}{
		{name: "the real ones", files: migrationFiles()},
		{name: "a gap", files: fstest.MapFS{"0001_a.sql": file(""), "0003_c.sql": file("")}, want: "0003_c.sql"},
		{name: "two with one number", files: fstest.MapFS{"0001_a.sql": file(""), "0001_b.sql": file("")}, want: "0001_b.sql"},
		{name: "no number", files: fstest.MapFS{"users.sql": file("")}, want: "users.sql"},
		{name: "other files are left alone", files: fstest.MapFS{"0001_a.sql": file(""), "README.md": file("")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			steps, err := readMigrations(tt.files)
			if tt.want == "" {
				if err != nil || len(steps) == 0 {
					t.Errorf("got %d steps, %v, want steps", len(steps), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error that names %s", err, tt.want)
			}
		})
	}
}

// bare returns a store on a database without a schema.
func bare(t *testing.T) *Store {
	t.Helper()
	s, err := connect(t.Context(), "")
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
