package clientip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/routeguard/guard/internal/list"
)

// The shortest prefixes that can be trusted. 10.0.0.0/8 and fc00::/7 are the
// widest networks that one operator owns; 0.0.0.0/1 is half the internet.
const (
	minBits4 = 8
	minBits6 = 7
)

// ParsePrefixes reads networks in CIDR notation and single addresses.
//
// Each text may be a comma-separated list, as [list.Parse] reads it. The order
// is kept. The error lists every mistake and what to write instead; the
// prefixes are nil then. What [Proxies] refuses is refused here.
func ParsePrefixes(texts ...string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	err := list.Parse(texts, func(text string) error {
		p, err := parsePrefix(text)
		prefixes = append(prefixes, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	return prefixes, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "%") {
		return netip.Prefix{}, fmt.Errorf("%q has a zone: write the address without it", text)
	}
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is not a network: write one as 10.0.0.0/8", text)
		}
		return checkPrefix(p)
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an IP address nor a network: write 192.0.2.1 or 10.0.0.0/8", text)
	}
	return checkPrefix(netip.PrefixFrom(addr, addr.BitLen()))
}

// checkPrefix returns the prefix that p means, or what is wrong with it.
func checkPrefix(p netip.Prefix) (netip.Prefix, error) {
	if !p.IsValid() {
		return netip.Prefix{}, errors.New("a prefix is invalid: make prefixes with netip.ParsePrefix")
	}
	// Addresses are unmapped before they are compared, so a mapped prefix
	// would never match. A shorter one is no IPv4 network at all; its masked
	// form differs from it, and it is refused below for its host bits.
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p.Bits() == 0 {
		return netip.Prefix{}, fmt.Errorf("%q trusts everyone, so every client could choose its address: name the proxies' networks", p)
	}
	if masked := p.Masked(); p != masked {
		return netip.Prefix{}, fmt.Errorf("%q has host bits set: write %q for the network or %q for the address", p, masked, p.Addr())
	}
	shortest := minBits6
	if p.Addr().Is4() {
		shortest = minBits4
	}
	if p.Bits() < shortest {
		return netip.Prefix{}, fmt.Errorf("%q is wider than any proxy network: use /%d or longer", p, shortest)
	}
	return p, nil
}

// trustedSet checks prefixes and returns them sorted and disjoint. The
// argument is not kept.
func trustedSet(prefixes []netip.Prefix) ([]netip.Prefix, error) {
	var set []netip.Prefix
	var errs []error
	for _, p := range prefixes {
		p, err := checkPrefix(p)
		set, errs = append(set, p), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(set, netip.Prefix.Compare)
	// Sorted by address and then by length, a prefix that overlaps its
	// predecessor lies within it.
	disjoint := set[:0]
	for _, p := range set {
		if n := len(disjoint); n == 0 || !disjoint[n-1].Overlaps(p) {
			disjoint = append(disjoint, p)
		}
	}
	return disjoint, nil
}

// trusts reports whether addr, unmapped and without zone, is a trusted proxy.
func (s Source) trusts(addr netip.Addr) bool {
	_, found := slices.BinarySearchFunc(s.trusted, addr, func(p netip.Prefix, a netip.Addr) int {
		if p.Contains(a) {
			return 0
		}
		return p.Addr().Compare(a)
	})
	return found
}
