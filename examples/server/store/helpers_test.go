package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
)

const testHash = "not a real hash"

// databases runs test on a seeded database in memory and on one on disk.
func databases(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		test(t, seeded(t, ""))
	})
	t.Run("on disk", func(t *testing.T) {
		t.Parallel()
		test(t, seeded(t, fileURL(t)))
	})
}

func fileURL(t *testing.T) string {
	t.Helper()
	return "file:" + filepath.ToSlash(filepath.Join(t.TempDir(), "test.db"))
}

func opened(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatalf("Open(%q): %v", url, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func seeded(t *testing.T, url string) *Store {
	t.Helper()
	s := opened(t, url)
	if _, err := s.SeedDemo(t.Context(), testHash); err != nil {
		t.Fatalf("SeedDemo: %v", err)
	}
	return s
}

// clock is a time that a test moves by hand. It is not safe for concurrent use.
type clock struct{ t time.Time }

func newClock() *clock { return &clock{t: time.Date(2030, time.May, 4, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

func create(t *testing.T, s *Store, ownerID, name, visibility string) *Project {
	t.Helper()
	p, err := s.CreateProject(t.Context(), ownerID, NewProject{
		Name: name, Summary: "The summary of " + name + ", long enough.", Visibility: visibility,
	})
	if err != nil {
		t.Fatalf("CreateProject(%s, %s): %v", ownerID, name, err)
	}
	return p
}

func wantNotFound(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("%s: got %v, want ErrNotFound", what, err)
	}
}

func count(t *testing.T, s *Store, query string, args ...any) int {
	t.Helper()
	var n int
	if err := s.read.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func names(projects []*Project) []string {
	list := make([]string, 0, len(projects))
	for _, p := range projects {
		list = append(list, p.Name)
	}
	return list
}

func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

var (
	idAlice = uuid.MustParse(DemoProjectAlice)
	idBob   = uuid.MustParse(DemoProjectBob)
)
