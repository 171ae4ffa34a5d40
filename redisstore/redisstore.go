// Package redisstore shares limits, webhook deliveries and revoked tokens on Redis.
//
//	store, err := redisstore.Connect(os.Getenv("REDIS_URL"), redisstore.Options{})
//	limits := &guard.Limiter{Store: store, Outage: guard.OutageLocal}
//
// It runs on Redis 6 and later, and on Valkey. The clock is the server's.
//
// # Round trips
//
// All limits of one stage are one script: one round trip, charged together or not
// at all. A token is counted in whole microseconds, rounded up: a limit of 100,000
// a second is exact, one of 300,000 is enforced as 250,000, and no limit admits
// more than 1,000,000 a second.
//
// # When Redis is dead or slow
//
// Every call has a short time limit of its own. After three failures in a row the
// store stops asking: for half a second each call returns [ErrDown] at once, then
// one of them tries again. So an outage costs a request microseconds, apart from the
// first few, and what a limit does meanwhile is guard.Limiter's Outage. A call whose
// answer was lost is never repeated: it may have charged, but never admits twice.
//
// guard.Limiter logs an outage once. The client itself logs each failed dial to the
// standard error; a service turns that off in main, with logging.Disable of
// github.com/redis/go-redis/v9/logging.
//
// # What is stored
//
// Keys are digests: no address, account or message id is readable, unless somebody
// guesses it, which [Options.Secret] prevents. Each key expires when it means nothing
// any more. Give the data a database without eviction (maxmemory-policy
// noeviction), or, for limits alone, with volatile-ttl, which drops the fullest buckets
// first. Any other policy lets a flood of new keys reset the limits of others.
//
// # Cluster
//
// One script needs one slot, so all buckets of a prefix have one hash tag: the
// limits of a service live on one node, about 50,000 decisions a second. A service
// that needs more gives each guard.Limiter a store with a prefix of its own. Places,
// messages and revoked tokens spread over all nodes.
package redisstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	defaultPrefix  = "guard"
	maxPrefix      = 64
	minSecret      = 16
	defaultTimeout = 25 * time.Millisecond
	maxTimeout     = 10 * time.Second
)

// Options changes the defaults of a [Store]. The zero value is ready for use.
type Options struct {
	// Prefix starts every key. Empty means "guard".
	//
	// Services and environments that share a Redis need different ones. It may hold
	// up to 64 letters, digits and any of ":._-".
	Prefix string

	// Secret keeps whoever reads the keys from guessing addresses and accounts.
	//
	// It has at least 16 bytes, not all zero, the same ones in every instance. Without it the digests
	// are plain SHA-256, which hides nothing that can be enumerated.
	Secret []byte

	// Timeout bounds each call, waiting for a connection included. Zero is 25 ms.
	Timeout time.Duration

	// OnState is called when the store stops asking Redis, with the cause, and with
	// nil when it asks again: once for each change, not for each request. Nil is allowed.
	//
	// It runs on the goroutine of a request, which waits for it, and on one at a time.
	// What changes meanwhile is told afterwards, unless it has changed back by then.
	OnState func(cause error)
}

// Store keeps limits, deliveries and revoked tokens on Redis.
//
// It is a guard.Store and a guard.ReplayStore. It is safe for concurrent use and starts no goroutine. The zero value and
// nil return errors.
type Store struct {
	client  redis.UniversalClient
	owned   bool // Close closes client
	prefix  string
	secret  [sha256.Size]byte
	timeout time.Duration
	breaker breaker
}

// ErrDown means that Redis did not answer lately and was not asked.
var ErrDown = errors.New("redisstore: redis does not answer; not asked again yet")

var errUnmade = errors.New("redisstore: the Store was not made by New or Connect")

// New makes a Store on a client that the service has already.
//
// The client must honor the deadlines of contexts (ContextTimeoutEnabled), or a
// paused Redis would hold every request for seconds; New returns an error if it
// sees that it does not. It cannot see the options of wrapped clients: set them as
// [Connect] does. New does not dial, and leaves closing the client to the caller.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	o, err := o.complete()
	if err = errors.Join(err, checkClient(client)); err != nil {
		return nil, err
	}
	return o.store(client), nil
}

// Connect makes a Store with a client of its own, from a URL such as
// redis://user:password@host:6379/0, or rediss:// for TLS.
//
// It sets time limits and retries itself, whatever the URL says of them. It does not
// dial: a Redis that is down does not keep a service from starting. The error never
// holds the URL, since that holds a password.
func Connect(url string, o Options) (*Store, error) {
	o, err := o.complete()
	client, urlErr := redis.ParseURL(url)
	if urlErr != nil {
		err = errors.Join(err, errors.New("redisstore: the URL is not valid: write redis://host:6379/0, or rediss:// for TLS"))
	}
	if err != nil {
		return nil, err
	}
	harden(client, o.Timeout)
	s := o.store(redis.NewClient(client))
	s.owned = true
	return s, nil
}

// Close closes the client that Connect made. It does nothing after New.
func (s *Store) Close() error {
	if s == nil || !s.owned {
		return nil
	}
	return s.client.Close()
}

func (o Options) store(client redis.UniversalClient) *Store {
	s := &Store{client: client, prefix: o.Prefix, timeout: o.Timeout, breaker: newBreaker(o.OnState)}
	if len(o.Secret) > 0 {
		s.secret = sha256.Sum256(o.Secret)
	}
	return s
}

// complete fills in the defaults and reports all mistakes.
func (o Options) complete() (Options, error) {
	var errs []error
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if !validPrefix(o.Prefix) {
		errs = append(errs, fmt.Errorf("redisstore: Prefix is %q: use up to %d letters, digits and any of \":._-\"", o.Prefix, maxPrefix))
	}
	if n := len(o.Secret); n > 0 && n < minSecret {
		errs = append(errs, fmt.Errorf("redisstore: Secret has %d bytes: use at least %d", n, minSecret))
	} else if n > 0 && len(bytes.Trim(o.Secret, "\x00")) == 0 {
		errs = append(errs, errors.New("redisstore: Secret is all zeros: it was never filled"))
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Timeout < time.Millisecond || o.Timeout > maxTimeout {
		errs = append(errs, fmt.Errorf("redisstore: Timeout is %s: use %s to %s, or leave it out for %s",
			o.Timeout, time.Millisecond, maxTimeout, defaultTimeout))
	}
	return o, errors.Join(errs...)
}

func validPrefix(p string) bool {
	for _, c := range []byte(p) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == ':', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return len(p) <= maxPrefix
}

// Names of what a key is for. The braces are the hash tag of a cluster.
const (
	kindLimit   = "limit"
	kindPlace   = "place"
	kindMessage = "message"
	kindRevoked = "revoked"
)

// key names what belongs to parts: 22 characters of a keyed digest.
func (s *Store) key(kind string, parts ...string) string {
	if s == nil {
		return "" // ask returns the error
	}
	var room [256]byte
	b := append(room[:0], s.secret[:]...)
	for _, part := range parts {
		b = binary.AppendUvarint(b, uint64(len(part))) // "a", "bc" is not "ab", "c"
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	if kind == kindLimit {
		return "{" + s.prefix + "}:" + kind + ":" + base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	return s.prefix + ":" + kind + ":" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// ask makes one call within the time limit and the breaker.
func (s *Store) ask(ctx context.Context, call func(context.Context) error) error {
	if s == nil || s.client == nil {
		return errUnmade
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	turn, ok := s.breaker.enter()
	if !ok {
		return ErrDown
	}
	return s.try(ctx, turn, call)
}

// try makes one call within the time limit and tells the breaker what became of it.
func (s *Store) try(ctx context.Context, turn turn, call func(context.Context) error) error {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := call(limited)
	switch {
	case err == nil || isAnswer(err):
		s.breaker.succeeded()
	case over(ctx) && (ctx.Err() == context.Canceled || time.Since(began) < s.timeout/5):
		s.breaker.undecided(turn)
	default:
		s.breaker.failed(err)
	}
	return err
}

// over reports whether the caller's own context has ended, which says nothing about
// Redis unless the call had some time. The client may notice a deadline before the
// context does.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// isAnswer reports errors about one key, from a Redis that works otherwise.
func isAnswer(err error) bool {
	return redis.HasErrorPrefix(err, "WRONGTYPE") || redis.HasErrorPrefix(err, "BADVALUE")
}
