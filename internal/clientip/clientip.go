// Package clientip finds a client's address behind trusted proxies.
//
// The socket is asked first. A header is read only if the socket's other end
// is a trusted proxy, and then from right to left: each proxy appends the
// address it was called from, so the right end was written by our own
// machines and the left end by whoever sent the request. The first address
// that is not trusted is the client; what stands left of it is hearsay.
//
// Whatever cannot be read stops the walk at the nearest trusted hop already
// reached. The result is then the address of a proxy of ours, never one that
// a client made up.
package clientip

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// What one request may cost. Whatever lies further left than these bounds is
// treated as unreadable.
const (
	maxEntries = 64      // list entries examined
	maxBytes   = 8 << 10 // bytes of list entries examined, separating commas apart
)

// The headers that proxies commonly write. Keys of http.Header are canonical.
const (
	xForwardedFor = "X-Forwarded-For"
	forwarded     = "Forwarded"
	xRealIP       = "X-Real-Ip"
)

// Source says where a client's address comes from.
//
// The zero value trusts nobody and takes the socket's address. A Source is
// immutable and safe for concurrent use.
type Source struct {
	trusted []netip.Prefix // sorted and disjoint
	header  string         // canonical name; "" in the zero value
	single  bool           // header holds one address instead of a list
}

// Proxies trusts the X-Forwarded-For fields that come from prefixes.
//
// A proxy in front of the service must append to the header, or replace it.
// IPv4-mapped prefixes (::ffff:10.0.0.0/104) mean the IPv4 ones. The error
// lists every prefix that is invalid, has host bits set or is so wide that it
// trusts strangers (IPv4 shorter than /8, IPv6 shorter than /7). Without
// prefixes nobody is trusted and the socket's address is the client's.
func Proxies(prefixes ...netip.Prefix) (Source, error) {
	trusted, err := trustedSet(prefixes)
	if err != nil {
		return Source{}, err
	}
	return Source{trusted: trusted, header: xForwardedFor}, nil
}

// Forwarded returns a Source that reads RFC 7239 Forwarded fields instead.
//
// It trusts whom s trusts. The header that s read is no longer looked at:
// two headers that disagree would let the client choose.
func (s Source) Forwarded() Source {
	return Source{trusted: s.trusted, header: forwarded}
}

// Header trusts one header with one address that comes from prefixes.
//
// It is for a CDN that overwrites a header of its own, such as
// CF-Connecting-IP: exactly one field with exactly one address, else the
// result is the peer. List only peers that nobody can reach except through
// that CDN: a proxy of yours that passes the header on from the open internet
// passes on forgeries. The error lists the mistakes that [Proxies] lists and
// a name that is empty, not a token, or cannot hold a single address.
func Header(name string, prefixes ...netip.Prefix) (Source, error) {
	name = http.CanonicalHeaderKey(name)
	trusted, err := trustedSet(prefixes)
	if err = errors.Join(checkName(name), err); err != nil {
		return Source{}, err
	}
	return Source{trusted: trusted, header: name, single: true}, nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the header name is empty")
	case tokenLen(name) != len(name):
		return fmt.Errorf("header name %q is not a token (RFC 9110, section 5.6.2)", name)
	case name == xForwardedFor || name == forwarded:
		return fmt.Errorf("header %q is a list that clients can begin: use Proxies", name)
	case name == "Host":
		return errors.New(`header "Host" never holds a client's address`)
	}
	return nil
}

// Result is what is known about the origin of one request.
type Result struct {
	// Addr is the client's address, without zone and never IPv4-mapped. It is
	// invalid (the zero Addr) if the socket has no IP address, as with a Unix
	// socket: a caller that needs a key must refuse or share one bucket.
	Addr netip.Addr
	// TrustedPeer reports whether the socket's other end is a trusted proxy.
	TrustedPeer bool
	// Ignored reports that a forwarding header arrived although nobody is
	// trusted. Either a client plays with headers, or a proxy was not
	// configured and all clients share its address.
	Ignored bool
}

// Find returns the client's address for r.
//
// It is safe for concurrent use. It examines at most 64 list entries and
// 8 KiB of them, and does not allocate unless an entry is malformed or has
// escapes (Forwarded only).
func (s Source) Find(r *http.Request) Result {
	peer, ok := parseEntry(r.RemoteAddr)
	if len(s.trusted) == 0 {
		return Result{Addr: peer, Ignored: s.ignores(r.Header)}
	}
	if !ok || !s.trusts(peer) {
		return Result{Addr: peer}
	}
	fields := r.Header[s.header]
	if s.single {
		return Result{Addr: fromSingle(fields, peer), TrustedPeer: true}
	}
	return Result{Addr: s.fromList(fields, peer), TrustedPeer: true}
}

// ignores reports whether h holds a header that a proxy would have written.
func (s Source) ignores(h http.Header) bool {
	if len(h[xForwardedFor]) > 0 || len(h[forwarded]) > 0 || len(h[xRealIP]) > 0 {
		return true
	}
	return s.single && len(h[s.header]) > 0
}

// fromSingle returns the one address of the one field, or peer.
func fromSingle(fields []string, peer netip.Addr) netip.Addr {
	if len(fields) != 1 || len(fields[0]) > maxBytes {
		return peer
	}
	addr, ok := parseEntry(trimOWS(fields[0]))
	if !ok || !canBeClient(addr) {
		return peer
	}
	return addr
}

// fromList walks all fields as one list (RFC 9110, section 5.3), right to
// left, and returns the first address that is not trusted. hop is the nearest
// trusted hop, at first the peer; it is the result if an entry is unreadable,
// the bounds are reached, or the list ends, where it is the leftmost address.
func (s Source) fromList(fields []string, hop netip.Addr) netip.Addr {
	entries, bytes := maxEntries, maxBytes
	for i := len(fields) - 1; i >= 0; i-- {
		list := fields[i]
		for more := true; more; entries-- {
			comma, ok := lastComma(list, s.header == forwarded, bytes)
			if !ok || entries == 0 {
				return hop
			}
			entry := list[comma+1:]
			addr, ok := s.parse(trimOWS(entry))
			if !ok || !canBeClient(addr) {
				return hop
			}
			if !s.trusts(addr) {
				return addr
			}
			hop = addr
			bytes -= len(entry)
			more = comma >= 0
			list = list[:max(0, comma)]
		}
	}
	return hop
}

func (s Source) parse(entry string) (netip.Addr, bool) {
	if s.header == forwarded {
		return parseElement(entry)
	}
	return parseEntry(entry)
}

// lastComma returns the index of the comma before the last entry of list, or
// -1 if the list has one entry. ok is false if that entry is longer than limit
// or has a quotation mark without a partner.
//
// Searching from the right matters. The proxy next to us wrote a whole entry
// and the comma before it, so nothing to the left can change where that entry
// begins. Read from the left, a client's lone quotation mark would swallow
// the entries of the proxies and make it look as if a proxy were the client.
func lastComma(list string, quotes bool, limit int) (comma int, ok bool) {
	start := max(0, len(list)-limit-1)
	for i := len(list) - 1; i >= start; i-- {
		if list[i] == ',' {
			return i, true
		}
		if quotes && list[i] == '"' {
			open := openingQuote(list[start:i])
			if open < 0 {
				return 0, false
			}
			i = start + open
		}
	}
	return -1, len(list) <= limit
}

// openingQuote returns the index of the last quotation mark in s that no
// backslash escapes, or -1.
func openingQuote(s string) int {
	for {
		i := strings.LastIndexByte(s, '"')
		if i < 0 {
			return -1
		}
		before := strings.TrimRight(s[:i], `\`)
		if (i-len(before))%2 == 0 {
			return i
		}
		s = before
	}
}

// canBeClient reports whether a packet can come from addr. Unspecified,
// multicast and broadcast addresses are no sender's.
func canBeClient(addr netip.Addr) bool {
	return !addr.IsUnspecified() && !addr.IsMulticast() && addr != broadcast
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func trimOWS(s string) string { return strings.Trim(s, " \t") }
