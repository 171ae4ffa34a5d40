package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestDataOnDiskSurvivesReopening(t *testing.T) {
	t.Parallel()
	url := fileURL(t)
	first := seeded(t, url)
	made := create(t, first, "alice", "Kept", VisibilityPrivate)
	if err := first.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}

	got, err := opened(t, url).Project(t.Context(), made.ID)
	if err != nil {
		t.Fatalf("Project: %v", err)
	}
	if *got != *made {
		t.Errorf("got %+v, want %+v", *got, *made)
	}
}

func TestCloseFoldsTheLogIntoTheFile(t *testing.T) {
	t.Parallel()
	url := fileURL(t)
	s := seeded(t, url)
	if _, err := s.User(t.Context(), "alice"); err != nil { // so that a reader has a connection too
		t.Fatalf("User: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if _, err := os.Stat(strings.TrimPrefix(url, "file:") + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("write-ahead log after Close: got %v, want it gone", err)
	}
}

func TestDatabasesInMemoryAreSeparate(t *testing.T) {
	t.Parallel()
	seeded(t, "")
	_, err := opened(t, "").User(t.Context(), "alice")
	wantNotFound(t, "alice in another database", err)
}

func TestDatabaseInMemorySurvivesTheLossOfItsConnection(t *testing.T) {
	t.Parallel()
	s := seeded(t, "")
	for i := range 3 {
		lose(t, s.write)
		if _, err := s.User(t.Context(), "alice"); err != nil {
			t.Fatalf("after losing %d connections: %v", i+1, err)
		}
	}
}

// lose makes database/sql throw one connection away, as it does after a failure.
func lose(t *testing.T, db *sql.DB) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatalf("Conn: %v", err)
	}
	if err := conn.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
		t.Fatalf("Raw: got %v, want ErrBadConn", err)
	}
	if err := conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		t.Fatalf("Close: %v", err)
	}
}

func TestCanceledCallsLeaveNothingHalfDone(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		if _, err := s.CreateProject(canceled(t), "alice", NewProject{}); !errors.Is(err, context.Canceled) {
			t.Errorf("CreateProject: got %v, want context.Canceled", err)
		}
		if _, err := s.SearchTeamProjects(canceled(t), "harbor", 1); !errors.Is(err, context.Canceled) {
			t.Errorf("SearchTeamProjects: got %v, want context.Canceled", err)
		}
		var wg sync.WaitGroup
		var written atomic.Int64
		for range 200 {
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() {
				err := s.AddContact(ctx, "someone@example.com", "left before the answer")
				if err == nil {
					written.Add(1)
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("AddContact: got %v, want context.Canceled", err)
				}
			})
			wg.Go(cancel)
		}
		wg.Wait()
		if got := count(t, s, `SELECT count(*) FROM contact_messages`); got != int(written.Load()) {
			t.Errorf("got %d messages, want the %d whose writer was told so", got, written.Load())
		}
		if _, err := s.User(t.Context(), "alice"); err != nil {
			t.Errorf("User: %v", err)
		}
		create(t, s, "alice", "Still writable", VisibilityPrivate)
	})
}

func TestReadersCannotWrite(t *testing.T) {
	t.Parallel()
	s := seeded(t, fileURL(t))
	if _, err := s.read.ExecContext(t.Context(), `DELETE FROM projects`); err == nil {
		t.Error("a DELETE on the readers' connections succeeded")
	}
}

func TestConnectionSettings(t *testing.T) {
	t.Parallel()
	s := seeded(t, fileURL(t)+"?mode=rwc&_busy_timeout=1234")
	for _, tt := range []struct {
		pragma, want string
	}{
		{pragma: "journal_mode", want: "wal"},
		{pragma: "foreign_keys", want: "1"},
		{pragma: "synchronous", want: "2"},
		{pragma: "busy_timeout", want: "1234"},
	} {
		for name, db := range map[string]*sql.DB{"writer": s.write, "reader": s.read} {
			var got string
			if err := db.QueryRowContext(t.Context(), "PRAGMA "+tt.pragma).Scan(&got); err != nil {
				t.Fatalf("PRAGMA %s: %v", tt.pragma, err)
			}
			if got != tt.want {
				t.Errorf("%s of the %s: got %s, want %s", tt.pragma, name, got, tt.want)
			}
		}
	}
}

func TestForeignKeysHold(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, s *Store) {
		p := NewProject{Name: "Nobody's", Summary: "A project without an owner.", Visibility: VisibilityPrivate}
		if _, err := s.CreateProject(t.Context(), "deleted-user", p); err == nil {
			t.Error("a project of a user who does not exist was created")
		}
	})
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, url string
		ok        bool
	}{
		{name: "empty means memory", url: "", ok: true},
		{name: "relative file", url: "file:projects.db", ok: true},
		{name: "absolute file", url: "file:///var/lib/projects.db?_busy_timeout=100", ok: true},
		{name: "SQLite's own name for memory", url: "file::memory:", ok: true},
		{name: "another database", url: "postgres://app:hunter2@db/projects"},
		{name: "a bare path", url: "hunter2.db"},
		{name: "upper case scheme", url: "FILE:hunter2.db"},
		{name: "no file", url: "file:"},
		{name: "no file but settings", url: "file:?mode=hunter2"},
		{name: "fragment", url: "file:hunter2.db#x"},
		{name: "malformed query", url: "file:hunter2.db?mode=%zz"},
		{name: "a file that must be there", url: "file:projects.db?mode=rw", ok: true},
		{name: "a blank name", url: "file: ?mode=rw"},
		{name: "a pragma that SQLite does not know", url: "file:x.db?_pragma=hunter2(1)"},
		{name: "a pragma that runs more than a pragma", url: "file:x.db?_pragma=foreign_keys(1)%3BATTACH 'hunter2.db' AS x"},
		{name: "a setting of the store's", url: "file:x.db?_synchronous=OFF"},
		{name: "a misspelled parameter", url: "file:x.db?_busy_timeot=hunter2"},
		{name: "no locks", url: "file:x.db?nolock=1"},
		{name: "read only", url: "file:x.db?mode=ro"},
		{name: "an unknown mode", url: "file:x.db?mode=hunter2"},
		{name: "a parameter twice", url: "file:x.db?_busy_timeout=1&_busy_timeout=2"},
		{name: "patience in words", url: "file:x.db?_busy_timeout=hunter2"},
		{name: "negative patience", url: "file:x.db?_busy_timeout=-1"},
		{name: "patience beyond SQLite's numbers", url: "file:x.db?_busy_timeout=2147483648"},
		{name: "a shared cache of a file", url: "file:x.db?cache=shared"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := CheckURL(tt.url)
			if (err == nil) != tt.ok {
				t.Fatalf("got %v, want ok = %v", err, tt.ok)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message repeats the URL: %v", err)
			}
		})
	}
}

func TestMemoryURLsShareOneDatabasePerStore(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"file::memory:", "file:anything?mode=memory&cache=shared"} {
		s := seeded(t, url)
		other := opened(t, url)
		if _, err := s.User(t.Context(), "alice"); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		_, err := other.User(t.Context(), "alice")
		wantNotFound(t, url+" in another store", err)
	}
	if _, err := os.Stat("anything"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database in memory left a file: %v", err)
	}
}

func TestFileNamesWithUnusualCharacters(t *testing.T) {
	t.Parallel()
	dir := filepath.ToSlash(t.TempDir())
	seeded(t, "file:"+dir+"/a%20b%23c+d%3F.db")
	if _, err := os.Stat(dir + "/a b#c+d?.db"); err != nil {
		t.Errorf("the file is not where the URL says: %v", err)
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, url string }{
		{name: "missing folder", url: "file:" + dir + "/missing/test.db"},
		{name: "a folder", url: "file:" + dir},
		{name: "not a database", url: "file:" + garbage},
		{name: "not there and not to be created", url: "file:" + dir + "/new.db?mode=rw"},
		{name: "a database for each connection", url: "file:%3Amemory%3A"},
		{name: "no such scheme", url: "mysql://localhost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), tt.url)
			if err == nil {
				s.Close()
				t.Fatal("got no error")
			}
			if s != nil {
				t.Error("got a store besides the error")
			}
		})
	}
}

func TestClosedStoreAnswersWithErrors(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", fileURL(t)} {
		s := seeded(t, url)
		for range 2 {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if err := s.Ping(t.Context()); err == nil {
			t.Error("Ping of a closed store succeeded")
		}
		if revoked, err := s.Revoked(t.Context(), "some-token"); err == nil || !revoked {
			t.Errorf("Revoked: got %v, %v, want true and an error", revoked, err)
		}
		if _, err := s.User(t.Context(), "alice"); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("User: got %v, want an error other than ErrNotFound", err)
		}
	}
}

// Two stores on one file stand for two instances of the service.
func TestParallelWriters(t *testing.T) {
	t.Parallel()
	const writers, writes = 16, 15
	onDisk := fileURL(t) + "?_busy_timeout=60000" // a busy machine is no fault of the store
	memory, first, second := seeded(t, ""), seeded(t, onDisk), seeded(t, onDisk)
	for _, tt := range []struct {
		name   string
		stores []*Store
	}{
		{name: "in memory", stores: []*Store{memory}},
		{name: "two stores on one file", stores: []*Store{first, second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() { writeAndRead(t, tt.stores[w%len(tt.stores)], w, writes) })
			}
			wg.Wait()
			got := count(t, tt.stores[0], `SELECT count(*) FROM projects WHERE name LIKE 'Writer %'`)
			if got != writers*writes {
				t.Errorf("got %d projects, want %d", got, writers*writes)
			}
		})
	}
}

func writeAndRead(t *testing.T, s *Store, writer, writes int) {
	ctx := t.Context()
	for i := range writes {
		name := fmt.Sprintf("Writer %d, write %d", writer, i)
		p, err := s.CreateProject(ctx, "alice", NewProject{Name: name, Summary: name, Visibility: VisibilityTeam})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		got, err := s.Project(ctx, p.ID)
		if err != nil || *got != *p {
			t.Errorf("%s: got %v, %v, want what was just written", name, got, err)
		}
		if err := s.Revoke(ctx, fmt.Sprintf("token-%d-%d", writer, i), s.now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
