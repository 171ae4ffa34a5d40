package guard

import (
	"net/netip"

	"github.com/routeguard/guard/internal/clientip"
)

// AddressSource says where a client's address is taken from.
//
// The zero value is the socket's address: no header is believed. Limits and the
// log use the same address. It is immutable and safe for concurrent use.
type AddressSource struct{ source clientip.Source }

// TrustProxies believes X-Forwarded-For as far as these proxies have written it.
//
// The socket's peer is looked at first; only if it is one of the proxies, all
// X-Forwarded-For fields are read as one list from right to left, and the first
// address that is not a proxy is the client. What stands to the left of it was
// written by the client. An entry that is no address ends the walk at the
// nearest trusted hop. Without prefixes nothing is trusted.
//
// Prefixes come from [ParsePrefixes] or from constants. It panics on an invalid
// one and on one that holds every address: then anyone could choose its address.
func TrustProxies(proxies ...netip.Prefix) AddressSource {
	if len(proxies) == 0 {
		return AddressSource{}
	}
	s, err := clientip.Proxies(proxies...)
	if err != nil {
		panic("guard: TrustProxies: " + err.Error())
	}
	return AddressSource{s}
}

// Forwarded reads the Forwarded field of RFC 7239 instead of X-Forwarded-For.
//
// Never both: a proxy that writes the one passes the other on as the client sent it.
func (a AddressSource) Forwarded() AddressSource { return AddressSource{a.source.Forwarded()} }

// TrustHeader believes one header that these proxies overwrite.
//
// It is for content delivery networks with a field of their own, such as
// CF-Connecting-IP. The field counts only from a trusted peer, once, with one
// address; otherwise the peer is the client. It panics as [TrustProxies] does.
func TrustHeader(name string, proxies ...netip.Prefix) AddressSource {
	s, err := clientip.Header(name, proxies...)
	if err != nil {
		panic("guard: TrustHeader: " + err.Error())
	}
	return AddressSource{s}
}

// ParsePrefixes reads addresses and CIDR prefixes such as "10.0.0.0/8".
//
// Each text may be a comma-separated list; an empty one, such as of a variable that
// is not set, is an empty list. The error names every mistake. A prefix that holds
// every address is one, and so is an empty entry, as in "10.0.0.0/8,".
func ParsePrefixes(list ...string) ([]netip.Prefix, error) { return clientip.ParsePrefixes(list...) }
