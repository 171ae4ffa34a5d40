package clientip

import (
	"net/netip"
	"strings"
)

// parseEntry reads an address with an optional port, as RemoteAddr and
// X-Forwarded-For hold it: 192.0.2.1, 192.0.2.1:80, 2001:db8::1,
// [2001:db8::1] or [2001:db8::1]:80.
func parseEntry(s string) (netip.Addr, bool) {
	host, port, bracketed, ok := splitNode(s)
	if !ok || (port != "" && !isPort(port[1:])) {
		return netip.Addr{}, false
	}
	if bracketed || strings.Contains(host, ":") {
		return parseIPv6(host)
	}
	return parseIPv4(host)
}

// splitNode cuts s into a host and a port. port keeps its colon, so that an
// empty port is told apart from none. A bare IPv6 address is all host.
func splitNode(s string) (host, port string, bracketed, ok bool) {
	if !strings.HasPrefix(s, "[") {
		colon := strings.IndexByte(s, ':')
		if colon < 0 || strings.IndexByte(s[colon+1:], ':') >= 0 {
			return s, "", false, true
		}
		return s[:colon], s[colon:], false, true
	}
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return "", "", false, false
	}
	host, port = s[1:end], s[end+1:]
	return host, port, true, port == "" || port[0] == ':'
}

func parseIPv4(host string) (netip.Addr, bool) {
	if len(host) > len("255.255.255.255") {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	return addr, err == nil && addr.Is4()
}

// parseIPv6 drops the zone before parsing: netip would keep each spelling in
// a table of its own, and clients choose the spelling.
func parseIPv6(host string) (netip.Addr, bool) {
	host, zone, zoned := strings.Cut(host, "%")
	if zoned && !isZone(zone) {
		return netip.Addr{}, false
	}
	if len(host) > len("0000:0000:0000:0000:0000:ffff:255.255.255.255") {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !addr.Is6() {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// isZone accepts the unreserved characters of RFC 6874, and a percent sign
// because that RFC writes the separator as %25.
func isZone(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("-._~%", s[i]) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// isPort reports whether s is a decimal port number, 0 to 65535.
func isPort(s string) bool {
	if len(s) == 0 || len(s) > 5 {
		return false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
