package clientip

import (
	"net/netip"
	"strings"
)

// maxNode bounds the unescaped value of a "for" parameter: an address with
// brackets, a zone and a port fits several times.
const maxNode = 128

// parseElement returns the address in one element of a Forwarded list
// (RFC 7239, section 4). It refuses an element whose grammar is broken
// anywhere, one without a "for" parameter and one with two.
//
// The RFC allows no space around semicolons; proxies write it, and it cannot
// be misread, so it is accepted.
func parseElement(element string) (netip.Addr, bool) {
	var node value
	for rest, more := element, true; more; {
		var name string
		var v value
		var ok bool
		name, v, rest, more, ok = cutPair(rest)
		if !ok {
			return netip.Addr{}, false
		}
		if !strings.EqualFold(name, "for") {
			continue
		}
		if node.text != "" {
			return netip.Addr{}, false
		}
		node = v
	}
	return node.addr()
}

// cutPair cuts the first parameter off s. An empty one, as in "a=1;;b=2", has
// the name "". more reports whether a semicolon followed.
func cutPair(s string) (name string, v value, rest string, more, ok bool) {
	s = trimOWS(s)
	if n := tokenLen(s); n > 0 {
		name, s = s[:n], s[n:]
		if !strings.HasPrefix(s, "=") {
			return "", value{}, "", false, false
		}
		if v, s, ok = cutValue(s[1:]); !ok {
			return "", value{}, "", false, false
		}
		s = trimOWS(s)
	}
	if s == "" {
		return name, v, "", false, true
	}
	return name, v, s[1:], true, s[0] == ';'
}

// value is a token, or a quoted string with its quotation marks.
type value struct {
	text string // "" is no value: neither form is ever empty
}

// cutValue cuts a token or a quoted string off s (RFC 9110, section 5.6.4).
func cutValue(s string) (v value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		n := tokenLen(s)
		return value{s[:n]}, s[n:], n > 0
	}
	for i := 1; i < len(s); i++ {
		if s[i] == '"' {
			return value{s[:i+1]}, s[i+1:], true
		}
		if s[i] == '\\' {
			i++
		}
		if i < len(s) && isControl(s[i]) {
			return value{}, "", false
		}
	}
	return value{}, "", false
}

// addr reads v as a node (RFC 7239, section 6). IPv6 has to be in brackets,
// and because a token can hold neither brackets nor colons, in quotation
// marks. "unknown" and obfuscated identifiers are no addresses.
func (v value) addr() (netip.Addr, bool) {
	var buf [maxNode]byte
	node, ok := v.unquote(buf[:0])
	if !ok {
		return netip.Addr{}, false
	}
	host, port, bracketed, ok := splitNode(node)
	if !ok || (port != "" && !isPort(port[1:]) && !isObfuscatedPort(port[1:])) {
		return netip.Addr{}, false
	}
	if bracketed {
		return parseIPv6(host)
	}
	return parseIPv4(host)
}

// unquote returns what v says, using buf if v contains escapes.
func (v value) unquote(buf []byte) (string, bool) {
	if len(v.text) < 2 || v.text[0] != '"' {
		return v.text, v.text != ""
	}
	inner := v.text[1 : len(v.text)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' {
			i++
		}
		if len(buf) == cap(buf) {
			return "", false
		}
		buf = append(buf, inner[i])
	}
	return string(buf), true
}

// isObfuscatedPort reports whether s is an obfport (RFC 7239, section 6.2).
func isObfuscatedPort(s string) bool {
	if len(s) < 2 || s[0] != '_' {
		return false
	}
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("._-", s[i]) < 0 {
			return false
		}
	}
	return true
}

// tokenLen returns the length of the token at the beginning of s
// (RFC 9110, section 5.6.2).
func tokenLen(s string) int {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return i
		}
	}
	return len(s)
}

// isControl reports whether c may not stand in a quoted string.
func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }
