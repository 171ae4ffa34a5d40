// Package replay remembers which messages were delivered, so that each is handled once.
//
// The life of a key:
//
//	absent    -- Claim ------------------> claimed by one owner
//	claimed   -- Done -------------------> delivered
//	claimed   -- Release, or lease ends -> absent
//	delivered -- keep ends --------------> absent
//
// A handler that fails releases its claim, so that the sender's next attempt runs it again. A process that dies cannot
// release; its claim ends with the lease. So a message runs at least once, and twice only if a handler outlives its lease
// or dies after its work and before Done. Exactly once needs the handler's own transaction.
package replay

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// State says what Claim found. The zero value is no verdict, and callers treat it as an error.
type State int

const (
	// Claimed means that the caller now owns the message. It must handle it, then call Done or Release.
	Claimed State = iota + 1
	// Running means that another owner is handling the message. It may yet fail: this is no success.
	Running
	// Delivered means that the message was handled before. The sender gets the answer of success.
	Delivered
)

// String names the state in lower case.
func (s State) String() string {
	switch s {
	case Claimed:
		return "claimed"
	case Running:
		return "running"
	case Delivered:
		return "delivered"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// Bounds on what callers may pass, for every Store. All count bytes.
const (
	MaxKeyBytes   = 512
	MaxOwnerBytes = 64
)

// Store remembers claims and deliveries. Its methods are atomic and safe for concurrent use.
//
// A key names a message; callers claim only for messages whose signature they have checked, and put the name of the route
// in front of the key. An owner is an unguessable string that the caller draws anew for each request: it tells this
// claim from every other, also after an error left the outcome unknown. The store owns the clock: leases and keeps are
// durations, never points in time.
//
// Every method returns an error for an empty or too long key or owner and for a duration that is not positive, and then
// changes nothing. After any other error of Claim the outcome is unknown: the caller refuses the request (503) and
// calls Release, which is safe either way. A store never forgets a key before its time to make room: when it is full,
// Claim returns an error.
//
// One round trip each on Redis 7: Claim is SET key owner NX GET PX lease; Done is SET key mark PX keep, where mark is a
// value that no owner can have; Release is a script that deletes the key if its value is the owner.
type Store interface {
	// Claim gives an absent key to owner until the lease ends.
	//
	// It then returns Claimed. It returns Delivered if the key is delivered, and Running if another owner's claim has
	// not ended. Claiming again with the same owner returns Claimed; whether that starts the lease anew is up to the store.
	Claim(ctx context.Context, key, owner string, lease time.Duration) (State, error)

	// Done makes key delivered until keep ends, whatever its state was.
	//
	// It needs no owner: if the work is done, the message is delivered, even when the lease ended meanwhile and another
	// owner runs it again. That owner's Release then changes nothing.
	Done(ctx context.Context, key string, keep time.Duration) error

	// Release ends the claim of owner, so that key is absent again.
	//
	// It does nothing, and returns nil, if key is absent, delivered, or claimed by another owner: a request that comes back
	// after its lease ended frees nobody else's claim.
	Release(ctx context.Context, key, owner string) error
}

// ErrFull means that the store holds as many unexpired keys as it may. It forgets none of them to make room.
var ErrFull = errors.New("replay: the store is full")

// check reports arguments that no store takes. The texts hold no key.
func check(key string, d time.Duration) error {
	switch {
	case key == "":
		return errors.New("replay: the key is empty")
	case len(key) > MaxKeyBytes:
		return fmt.Errorf("replay: the key has %d bytes; at most %d", len(key), MaxKeyBytes)
	case d <= 0:
		return fmt.Errorf("replay: the duration is %v; it must be positive", d)
	}
	return nil
}

// checkOwner reports owners that no store takes.
func checkOwner(owner string) error {
	switch {
	case owner == "":
		return errors.New("replay: the owner is empty")
	case len(owner) > MaxOwnerBytes:
		return fmt.Errorf("replay: the owner has %d bytes; at most %d", len(owner), MaxOwnerBytes)
	}
	return nil
}
