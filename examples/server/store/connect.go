package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxReaders bounds the connections that read a file at the same time.
const maxReaders = 8

const (
	busyPatience = 30 * time.Second      // how long Open waits for other processes that open a new file
	busyPause    = 20 * time.Millisecond // between two attempts, on average
)

// CheckURL reports what is wrong with a database URL, without opening it. No message repeats the URL.
func CheckURL(url string) error {
	_, err := parseURL(url)
	return err
}

// connect opens the connection pools. SQLite allows one writer at a time, so writes have a pool of one connection:
// they queue there in order and until their context ends, instead of polling for the lock and failing with SQLITE_BUSY.
// Only another process can still hold the lock; busy_timeout is for that.
func connect(ctx context.Context, rawURL string) (*Store, error) {
	loc, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	if loc.memory {
		return connectMemory(ctx)
	}
	write, err := sql.Open("sqlite", loc.dsn(url.Values{"_journal_mode": {"WAL"}}))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)

	// query_only: a write that is sent to the readers by mistake fails.
	read, err := sql.Open("sqlite", loc.dsn(url.Values{"_query_only": {"on"}}))
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(maxReaders)
	read.SetMaxIdleConns(maxReaders)
	return &Store{read: read, write: write, now: time.Now}, nil
}

// firstConn opens the writer's first connection, which makes a new file a write-ahead-log database. For that step SQLite
// needs the file alone and does not wait: of two processes that open a new file together, one is refused with
// SQLITE_BUSY at once, whatever busy_timeout says. The step is tried again until busyPatience has passed; on a file that
// has been opened before it changes nothing.
func (s *Store) firstConn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, busyPatience)
	defer cancel()
	for {
		err := s.write.PingContext(ctx)
		var refused *sqlite.Error
		if !errors.As(err, &refused) || refused.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(busyPause/2 + rand.N(busyPause)): // at random, so that two that meet do not meet again
		}
	}
}

// connectMemory opens a database in memory under a name of its own. database/sql may close and replace a connection at
// any time (a canceled query is enough), and a database in memory ends with its last connection, so one of the two
// connections is held back for as long as the Store lives. The other one does all the work: without a
// write-ahead log a reader and a writer would only wait for each other.
func connectMemory(ctx context.Context) (*Store, error) {
	loc := location{path: "/" + uuid.NewString(), params: url.Values{"vfs": {"memdb"}}}
	db, err := sql.Open("sqlite", loc.dsn(nil))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	anchor, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{read: db, write: db, anchor: anchor, now: time.Now}, nil
}

// location says where a database is.
type location struct {
	memory bool
	path   string
	params url.Values
}

func parseURL(raw string) (location, error) {
	if raw == "" {
		return location{memory: true}, nil
	}
	rest, ok := strings.CutPrefix(raw, "file:")
	if !ok {
		return location{}, errors.New("the database URL is not a file: URL")
	}
	if strings.Contains(rest, "#") {
		return location{}, errors.New("the database URL has a #; write it as %23")
	}
	path, query, _ := strings.Cut(rest, "?")
	if strings.TrimSpace(path) == "" {
		return location{}, errors.New("the database URL names no file")
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return location{}, errors.New("the database URL has a malformed query")
	}
	if !known(params) {
		return location{}, errors.New("the database URL has a parameter other than mode=rw, mode=rwc, mode=memory and _busy_timeout in milliseconds")
	}
	memory := path == ":memory:" || params.Get("mode") == "memory"
	return location{memory: memory, path: path, params: params}, nil
}

// known reports whether each of the URL's parameters is one that it may choose. SQLite would ignore a misspelled one, the
// driver runs a _pragma as SQL text, and the rest is the store's to choose (see dsn) or gives up locks.
func known(params url.Values) bool {
	for name, values := range params {
		value, ok := values[0], false
		switch name {
		case "mode":
			ok = slices.Contains([]string{"rw", "rwc", "memory"}, value)
		case "cache": // goes with mode=memory in every manual, and makes no difference here
			ok = params.Get("mode") == "memory" && (value == "shared" || value == "private")
		case "_busy_timeout":
			_, err := strconv.ParseUint(value, 10, 31)
			ok = err == nil
		}
		if !ok || len(values) > 1 {
			return false
		}
	}
	return true
}

// dsn returns the location as the driver's data source name, with the settings that the store relies on.
func (l location) dsn(extra url.Values) string {
	params := url.Values{"_busy_timeout": {"5000"}} // milliseconds; the URL may choose another
	maps.Copy(params, l.params)
	maps.Copy(params, url.Values{
		"_foreign_keys": {"on"},
		// A transaction takes the write lock when it begins. One that asks for it later can be refused at once.
		"_txlock": {"immediate"},
		// A commit survives a loss of power. NORMAL is faster, and may bring a revoked token back to life.
		"_synchronous": {"FULL"},
		"_dqs":         {"0"}, // "x" is a column or an error, never a string
		"_defensive":   {"1"},
		"_error_rc":    {"1"}, // without it a missing folder reads "out of memory"
	})
	maps.Copy(params, extra)
	return "file:" + l.path + "?" + params.Encode()
}
