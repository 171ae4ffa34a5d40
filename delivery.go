package guard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/routeguard/guard/internal/replay"
)

// ReplayStore remembers which messages are handled and which were delivered.
//
// Its methods are atomic and safe for concurrent use. A key is at most 512 bytes, an
// owner at most 64: an unguessable string that is new for each request. The store
// owns the clock. After an error nothing is known: the request is refused with 503
// and released. A store never forgets a key before its time to make room.
type ReplayStore interface {
	// Claim gives an absent key to owner until the lease ends: ReplayClaimed.
	//
	// It returns ReplayDelivered for a delivered key, ReplayRunning for one that another
	// owner holds, and ReplayClaimed again for the same owner.
	Claim(ctx context.Context, key, owner string, lease time.Duration) (ReplayState, error)

	// Done makes key delivered until keep ends, whatever its state was.
	Done(ctx context.Context, key string, keep time.Duration) error

	// Release makes key absent if owner holds it, and otherwise does nothing.
	Release(ctx context.Context, key, owner string) error
}

// ReplayState says what a Claim found. The zero value is no verdict: an error.
type ReplayState = replay.State

const (
	// ReplayClaimed means that the message is the caller's to handle.
	ReplayClaimed ReplayState = replay.Claimed
	// ReplayRunning means that another request is handling the message.
	ReplayRunning ReplayState = replay.Running
	// ReplayDelivered means that the message was handled before.
	ReplayDelivered ReplayState = replay.Delivered
)

const (
	localDeliveries = 1 << 17          // about 32 MiB when full
	minLease        = 10 * time.Minute // of a handler that still runs
	noteTimeout     = 5 * time.Second  // for Done and Release, whatever became of the request
	retryRunning    = 5 * time.Second
)

// deliveries is what a Webhook remembers.
type deliveries struct {
	store  ReplayStore
	shared bool
	keep   time.Duration
	lease  time.Duration
}

// newDeliveries checks the replay protection of c. window is how long a captured
// message verifies, 0 for ever.
func newDeliveries(c Webhook, window time.Duration) (*deliveries, error) {
	// A lease that ends before the signature goes stale would let a captured message
	// run again where the store lost the note of its delivery.
	d := &deliveries{store: c.Replay, shared: c.Replay != nil, keep: c.Keep, lease: max(minLease, window)}
	if d.keep == 0 {
		d.keep = 24 * time.Hour
		if c.Scheme == GitHub {
			d.keep = 7 * 24 * time.Hour
		}
	}
	if d.keep < max(window, time.Second) {
		return nil, fmt.Errorf("webhook: Keep is %s; use at least twice the tolerance, %s", c.Keep, window)
	}
	if d.shared {
		if isNil(c.Replay) {
			return nil, fmt.Errorf("webhook: Replay is a nil %T; leave it out to remember in this process", c.Replay)
		}
		return d, nil
	}
	local, err := replay.New(replay.Config{Size: localDeliveries, Now: c.Now})
	d.store = local
	return d, err
}

// describe is how long delivered messages are remembered and, where that is shared, by what.
func (d *deliveries) describe() string {
	text := strings.TrimSuffix(d.keep.String(), "0m0s")
	if d.shared {
		text += fmt.Sprintf(" in %T", d.store)
	}
	return text
}

// delivery is one message on its way to the handler.
type delivery struct {
	of         *deliveries
	key, owner string
	held       bool // a claim that is neither done nor released, as far as is known
	claimed    bool // the store said so
}

var refuseRunning = &Error{Status: http.StatusConflict, Code: "message_running",
	Message: "The message is being handled.", RetryAfter: retryRunning}

// claim is the second half of stage 7. It reports whether the message was delivered
// before. From here on, the request must end with deliver or release.
func (x *exchange) claim(ctx context.Context, fallback string) (repeat bool, err error) {
	d := x.delivery
	if d == nil {
		return false, nil
	}
	if err := d.name(x, fallback); err != nil {
		return false, err
	}
	d.held = true // also if Claim fails or panics: it may have worked
	state, err := d.of.store.Claim(ctx, d.key, d.owner, d.of.lease)
	switch {
	case err != nil && ctx.Err() == context.Canceled:
		return false, err
	case err != nil:
		return false, refuseUnavailable.Because(fmt.Errorf("claim the message: %w", err))
	case state == ReplayClaimed:
		d.claimed = true
		return false, nil
	case state == ReplayDelivered:
		d.held = false
		return true, nil
	case state == ReplayRunning:
		d.held = false
		return false, refuseRunning.Because(errors.New("another request holds the message"))
	}
	return false, refuseUnavailable.Because(fmt.Errorf("claim the message: the store answered %v", state))
}

// name makes the key of the claim. Two senders may use one id, so that the route is
// part of it.
func (d *delivery) name(x *exchange, fallback string) error {
	route := x.r.Pattern
	if route == "" {
		if d.of.shared {
			return errors.New("a shared replay store, but the guard has no pattern: register it on a ServeMux")
		}
		route = fallback
	}
	if len(route) > 256 {
		sum := sha256.Sum256([]byte(route))
		route = hex.EncodeToString(sum[:])
	}
	var random [16]byte
	if _, err := io.ReadFull(rand.Reader, random[:]); err != nil { // rand.Text would end the program
		return fmt.Errorf("make an owner of the claim: %w", err)
	}
	d.key, d.owner = route+" "+d.key, hex.EncodeToString(random[:])
	return nil
}

// deliver notes that the handler has succeeded, before the sender learns of it: who
// repeats the message at once must not find it running. The work is done, so
// a store that fails here changes nothing for the sender; the claim stands until
// the message has gone stale.
func (x *exchange) deliver() {
	if d := x.delivery; d != nil && d.held && x.status < 400 {
		d.held = false
		x.note("note the delivery", func(ctx context.Context) error { return d.of.store.Done(ctx, d.key, d.of.keep) })
	}
}

// release gives a message back that was not delivered, so that the sender's next
// attempt runs it. It is deferred: it follows errors, panics and runtime.Goexit.
func (x *exchange) release() {
	if d := x.delivery; d != nil && d.held {
		d.held = false
		x.note("release the message", func(ctx context.Context) error { return d.of.store.Release(ctx, d.key, d.owner) })
	}
}

// note tells the store how a message ended, even if the sender has gone, and logs
// where it could not. After a claim that failed, the request's own record says so.
func (x *exchange) note(what string, tell func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), noteTimeout)
	defer cancel()
	if err := contain(func() error { return tell(ctx) }); err != nil && x.delivery.claimed {
		x.tell.note(ctx, slog.LevelError, "replay store failed", slog.String("request_id", x.id),
			slog.String("route", x.route), causeAttr(fmt.Errorf("%s: %w", what, err)))
	}
}
