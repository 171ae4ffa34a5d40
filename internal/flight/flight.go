// Package flight caches what an opaque credential stands for, and looks each one up once at a time.
//
// The cache never turns a failure into an answer: only what the lookup said is kept, and of its errors only those that
// IsBad calls answers ("there is no such session"), never those of a store that is down. An answer is kept for a time
// counted from the start of its lookup, so that a session that is withdrawn stops working within Good of that moment, also
// where the machine was suspended in between.
//
// Credentials are not kept: entries go by the HMAC-SHA-256 of the credential under a random key of the cache, so that a
// memory dump shows none, and nobody who picks credentials can choose where they land.
package flight

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Defaults for the zero values of Config.
const (
	DefaultSize    = 10_000
	DefaultLookups = 1_000
	DefaultTimeout = 10 * time.Second
)

// Config bounds a Cache. Good is required.
type Config struct {
	// Good is how long a good answer serves, counted from the start of its lookup. It must be positive.
	// It is also the longest time for which a withdrawn session still works.
	Good time.Duration

	// Bad is how long a bad answer serves, likewise. Zero means that bad answers are not kept.
	// It is also the longest time for which a credential made after a bad answer is still refused.
	Bad time.Duration

	// Size and BadSize are the most good and bad answers held; zero means 10,000. They are apart, so that
	// garbage credentials push out no session. A full half drops its oldest answer.
	Size, BadSize int

	// Lookups is the most lookups under way at once; zero means 1,000. Beyond it Get fails with ErrBusy.
	Lookups int

	// Timeout ends one lookup, whoever still waits for it. Zero means ten seconds.
	Timeout time.Duration

	// Now tells the time. Nil means time.Now.
	Now func() time.Time

	// IsBad reports whether an error is an answer about the credential rather than a failure.
	// Nil means that none is. It must be set if Bad is.
	IsBad func(error) bool
}

var (
	// ErrBusy means that as many lookups are under way as may be. It says nothing about the credential.
	ErrBusy = errors.New("flight: too many lookups under way")

	// ErrExited means that the lookup called runtime.Goexit. It says nothing about the credential.
	ErrExited = errors.New("flight: the lookup exited its goroutine")

	errUnmade = errors.New("flight: the cache was not made by New")
)

// PanicError is what every waiter gets when the lookup panics. It says nothing about the credential.
type PanicError struct {
	Value any    // what the lookup panicked with; it may hold the credential
	Stack []byte // where
}

// Error is a fixed text, without the value: a lookup that panics has the credential at hand.
func (*PanicError) Error() string { return "flight: the lookup panicked" }

// Cache answers from memory what lookup answered before. It is safe for concurrent use.
//
// Make one with New. A zero or nil Cache answers with an error. It starts a goroutine for each lookup, which ends when
// the lookup returns, and no other.
type Cache[S any] struct {
	config Config
	lookup func(ctx context.Context, credential string) (S, error)
	secret [sha256.Size]byte

	mu     sync.Mutex
	good   shelf[S]
	bad    shelf[error]
	calls  map[key]*call[S] // the call that a new Get would join
	active int              // lookups that have not returned
}

// key stands for a credential.
type key [sha256.Size]byte

// call is one lookup under way. Its answer is readable when done is closed.
type call[S any] struct {
	ctx     context.Context // the lookup's, which ends with the timeout and after done
	done    chan struct{}
	session S
	err     error
}

// New makes an empty Cache in front of lookup. Its error lists every mistake.
//
// The lookup must depend on the credential alone, since one answer serves many requests: its context carries the values
// of the request that came first, and none of its cancellation. It should return when its context ends. What it returns
// is shared, so nobody may change it, and an error that IsBad takes must not hold the credential.
func New[S any](c Config, lookup func(ctx context.Context, credential string) (S, error)) (*Cache[S], error) {
	err := c.check()
	if lookup == nil {
		err = errors.Join(err, errors.New("flight: lookup is nil"))
	}
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Size, c.BadSize = orDefault(c.Size, DefaultSize), orDefault(c.BadSize, DefaultSize)
	c.Lookups, c.Timeout = orDefault(c.Lookups, DefaultLookups), orDefault(c.Timeout, DefaultTimeout)
	cache := &Cache[S]{
		config: c,
		lookup: lookup,
		good:   newShelf[S](c.Size),
		bad:    newShelf[error](c.BadSize),
		calls:  map[key]*call[S]{},
	}
	_, _ = rand.Read(cache.secret[:]) // never fails
	return cache, nil
}

// check returns every mistake in c.
func (c Config) check() error {
	var errs []error
	mistake := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("flight: "+format, args...))
		}
	}
	mistake(c.Good <= 0, "Good is %v; it must be positive", c.Good)
	mistake(c.Bad < 0, "Bad is %v; use a positive time, or 0 to keep no bad answers", c.Bad)
	mistake(c.Bad > 0 && c.IsBad == nil, "Bad is %v and IsBad is nil; set both or neither", c.Bad)
	mistake(c.Size < 0, "Size is %d; use a positive number, or 0 for %d", c.Size, DefaultSize)
	mistake(c.BadSize < 0, "BadSize is %d; use a positive number, or 0 for %d", c.BadSize, DefaultSize)
	mistake(c.Lookups < 0, "Lookups is %d; use a positive number, or 0 for %d", c.Lookups, DefaultLookups)
	mistake(c.Timeout < 0, "Timeout is %v; use a positive time, or 0 for %v", c.Timeout, DefaultTimeout)
	return errors.Join(errs...)
}

func orDefault[T int | time.Duration](n, standard T) T {
	if n == 0 {
		return standard
	}
	return n
}

// Get returns what the lookup says of the credential, from memory or by asking.
//
// Requests with one credential share one lookup. Each leaves with its own context's error when that ends; the lookup goes
// on for the others, and for the cache, until its timeout. Errors other than those that IsBad takes are not kept.
func (c *Cache[S]) Get(ctx context.Context, credential string) (S, error) {
	var zero S
	if c == nil || c.lookup == nil {
		return zero, errUnmade
	}
	k := c.keyOf(credential)
	now := c.config.Now()

	c.mu.Lock()
	if session, ok := c.good.get(k, now); ok {
		c.mu.Unlock()
		return session, nil
	}
	if err, ok := c.bad.get(k, now); ok {
		c.mu.Unlock()
		return zero, err
	}
	running, err := c.join(ctx, k, credential, now)
	c.mu.Unlock()
	if err != nil {
		return zero, err
	}
	return c.wait(ctx, k, running)
}

// Forget drops what is known of the credential. A lookup that runs already answers those who wait for it, and nobody else.
//
// A Get that begins after Forget has returned asks anew. Forget reaches this process's cache alone.
func (c *Cache[S]) Forget(credential string) {
	if c == nil || c.lookup == nil {
		return
	}
	k := c.keyOf(credential)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.good.remove(k)
	c.bad.remove(k)
	// The running lookup may have read the store before the caller changed it. Off the map, its answer is not kept.
	delete(c.calls, k)
}

// Len is how many answers are held, good and bad. Expired ones that were not dropped yet count.
func (c *Cache[S]) Len() (good, bad int) {
	if c == nil {
		return 0, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.good.items), len(c.bad.items)
}

// Format keeps sessions and the key out of anything that prints a Cache.
func (c *Cache[S]) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("flight.Cache")) }

// keyOf hides the credential. A collision would hand one caller another's session, so a fast hash will not do.
func (c *Cache[S]) keyOf(credential string) key {
	m := hmac.New(sha256.New, c.secret[:])
	m.Write([]byte(credential))
	var k key
	m.Sum(k[:0])
	return k
}

// join returns the running lookup of k, or starts one. The caller holds the lock.
func (c *Cache[S]) join(ctx context.Context, k key, credential string, now time.Time) (*call[S], error) {
	if running := c.calls[k]; running != nil {
		return running, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("flight: look up: %w", err)
	}
	if c.active >= c.config.Lookups {
		return nil, ErrBusy
	}
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.Timeout)
	started := &call[S]{ctx: detached, done: make(chan struct{})}
	c.calls[k] = started
	c.active++
	go func() {
		// After done is closed, so that whoever sees the context end can tell an answer from a timeout.
		defer cancel()
		c.run(k, credential, started, now)
	}()
	return started, nil
}

// run makes the lookup and hands its answer to the cache and to everybody who waits.
//
// All of it is deferred, because a lookup may panic or leave its goroutine instead of returning.
func (c *Cache[S]) run(k key, credential string, running *call[S], began time.Time) {
	var isBad bool
	running.err = ErrExited // unless something else happens
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.active--
		c.keep(k, running, isBad, began)
		close(running.done)
	}()
	defer func() {
		if v := recover(); v != nil {
			var zero S
			running.session, running.err = zero, &PanicError{Value: v, Stack: debug.Stack()}
			isBad = false
		}
	}()
	session, err := c.lookup(running.ctx, credential)
	switch {
	case err == nil:
		running.session, running.err = session, nil
	case running.ctx.Err() != nil:
		// A lookup that was cut off may call that "no such session". Its text is kept, its meaning is not.
		running.err = fmt.Errorf("flight: look up: %w: %v", context.DeadlineExceeded, err)
	default:
		isBad = c.config.IsBad != nil && c.config.IsBad(err) // may panic, so err is no answer before
		running.err = err
	}
}

// keep puts an answer on its shelf, unless Forget or a timeout took the call off the map. The caller holds the lock.
func (c *Cache[S]) keep(k key, running *call[S], isBad bool, began time.Time) {
	if c.calls[k] != running {
		return
	}
	delete(c.calls, k)
	c.good.remove(k)
	c.bad.remove(k)
	switch now := c.config.Now(); {
	case running.err == nil:
		c.good.put(k, running.session, began.Add(c.config.Good), now)
	case isBad && c.config.Bad > 0:
		c.bad.put(k, running.err, began.Add(c.config.Bad), now)
	}
}

// wait returns the answer of a running lookup, or an error when ctx or the lookup's time ends first.
func (c *Cache[S]) wait(ctx context.Context, k key, running *call[S]) (S, error) {
	var zero S
	select {
	case <-running.done:
		return running.session, running.err
	case <-ctx.Done():
		return zero, fmt.Errorf("flight: wait for the lookup: %w", ctx.Err())
	case <-running.ctx.Done():
	}
	select {
	case <-running.done: // the context ends after every lookup
		return running.session, running.err
	default:
	}
	// The lookup ignores its context. Nobody joins it any more, so that the next Get asks anew.
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[k] == running {
		delete(c.calls, k)
	}
	return zero, fmt.Errorf("flight: look up: %w", context.DeadlineExceeded)
}
