package origin

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxHost   = 254 // a DNS name with its final dot
	maxLabel  = 63
	maxOrigin = len("https://") + maxHost + len(":65535")
)

// flaw returns why s is not the serialized origin (HTML, section 7.1.1;
// RFC 6454, section 6.2) of a page from the web, or "" if it is one. It
// allocates nothing, except for IPv6 hosts.
func flaw(s string) string {
	if len(s) > maxOrigin {
		return "is longer than any origin (268 bytes)"
	}
	rest, isHTTPS := strings.CutPrefix(s, "https://")
	if !isHTTPS {
		var isHTTP bool
		if rest, isHTTP = strings.CutPrefix(s, "http://"); !isHTTP {
			return schemeFlaw(s)
		}
	}
	if i := strings.IndexAny(rest, `/?#@*\`); i >= 0 {
		return characterFlaw(rest[i])
	}
	host, port, hasPort := cutPort(rest)
	if what := hostFlaw(host); what != "" {
		return what
	}
	if !hasPort {
		return ""
	}
	return portFlaw(port, isHTTPS)
}

func schemeFlaw(s string) string {
	scheme, _, found := strings.Cut(s, "://")
	switch {
	case s == "null":
		return "can be sent by any page: no origin is called so"
	case strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"):
		if found {
			return "has upper-case letters"
		}
	case found:
		return "is neither http nor https"
	}
	return "is not scheme://host, as in https://app.example.com"
}

func characterFlaw(c byte) string {
	switch c {
	case '@':
		return "has a user name"
	case '*':
		return "has a wildcard: list each origin"
	case '?':
		return "has a query"
	case '#':
		return "has a fragment"
	}
	return "has a path or a final slash"
}

// cutPort cuts at the colon that follows the host. An IPv6 address keeps its
// brackets.
func cutPort(s string) (host, port string, found bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.IndexByte(s[i:], ']') >= 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func portFlaw(port string, isHTTPS bool) string {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '0' {
		return "has a bad port: it is a number from 1 to 65535 without leading zeros"
	}
	if isHTTPS && n == 443 || !isHTTPS && n == 80 {
		return "has the scheme's default port, which browsers leave out"
	}
	return ""
}

// hostFlaw checks a host as browsers serialize it (URL Standard, section 3.5).
func hostFlaw(host string) string {
	if host == "" {
		return "has no host"
	}
	if len(host) > maxHost {
		return "has a host longer than 254 bytes"
	}
	if host[0] == '[' {
		return ipv6Flaw(host)
	}
	label := 0 // bytes of the label so far
	for i := range len(host) {
		c := host[i]
		if c == '.' && label == 0 {
			return "has an empty label in its host"
		}
		if what := byteFlaw(c); what != "" {
			return what
		}
		if label++; c == '.' {
			label = 0
		}
		if label > maxLabel {
			return "has a label longer than 63 bytes in its host"
		}
	}
	if isNumeric(host) && !isIPv4(host) {
		return "has a numeric host that is not an IPv4 address in its usual form"
	}
	return ""
}

func byteFlaw(c byte) string {
	switch {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		return ""
	case 'A' <= c && c <= 'Z':
		return "has upper-case letters"
	case c >= 0x80:
		return "is not ASCII: write the host in punycode (xn--...)"
	case c == ':':
		return "has several colons: an IPv6 address needs brackets"
	}
	return "has a character that no host has"
}

// isNumeric reports whether browsers take host for an IPv4 address: its last
// label is a decimal or hexadecimal number (URL Standard, "ends in a number").
func isNumeric(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, found := strings.CutPrefix(last, "0x"); found {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

func isIPv4(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Is4()
}

func ipv6Flaw(host string) string {
	inner, closed := strings.CutSuffix(host[1:], "]")
	if !closed {
		return "has brackets that do not match"
	}
	if strings.Contains(inner, "%") {
		return "has a zone, which browsers leave out"
	}
	addr, err := netip.ParseAddr(inner)
	if err != nil || !addr.Is6() {
		return "has brackets around something that is not an IPv6 address"
	}
	if inner != serializeIPv6(addr) {
		return "has an IPv6 address that is not in its shortest form"
	}
	return ""
}

// serializeIPv6 spells addr as browsers do: as RFC 5952 says, but IPv4-mapped
// addresses in hexadecimal, too.
func serializeIPv6(addr netip.Addr) string {
	if !addr.Is4In6() {
		return addr.String()
	}
	b := addr.As16()
	high, low := uint64(b[12])<<8|uint64(b[13]), uint64(b[14])<<8|uint64(b[15])
	return "::ffff:" + strconv.FormatUint(high, 16) + ":" + strconv.FormatUint(low, 16)
}

// repaired returns the origin that s probably means, or "".
func repaired(s string) string {
	s = strings.ToLower(s)
	if !strings.Contains(s, "://") {
		if s == "null" || strings.HasPrefix(s, "http") {
			return "" // not a host without scheme
		}
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	host, port := u.Hostname(), u.Port()
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		host = "[" + serializeIPv6(addr.WithZone("")) + "]"
	}
	instead := u.Scheme + "://" + host
	isDefault := u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80"
	if port != "" && !isDefault {
		instead += ":" + port
	}
	if flaw(instead) != "" {
		return ""
	}
	return instead
}
