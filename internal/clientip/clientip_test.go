package clientip_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/clientip"
)

// The peers of the tables. A proxy is trusted; a client is not.
const (
	proxy  = "10.0.0.1:443"
	client = "203.0.113.9:51000"
)

var trusted = mustParse("10.0.0.0/8", "192.168.7.7", "2001:db8:aaaa::/48")

func mustParse(list ...string) []netip.Prefix {
	prefixes, err := clientip.ParsePrefixes(list...)
	if err != nil {
		panic(err)
	}
	return prefixes
}

func must(s clientip.Source, err error) clientip.Source {
	if err != nil {
		panic(err)
	}
	return s
}

var (
	xff    = must(clientip.Proxies(trusted...))
	fwd    = xff.Forwarded()
	single = must(clientip.Header("cf-connecting-ip", trusted...))
)

// request returns a request as net/http would hand it over: names are
// canonical, fields keep their order.
func request(remoteAddr string, h http.Header) *http.Request {
	return &http.Request{RemoteAddr: remoteAddr, Header: h}
}

func headers(name string, fields ...string) http.Header {
	h := http.Header{}
	for _, f := range fields {
		h.Add(name, f)
	}
	return h
}

type row struct {
	name      string
	peer      string   // default: proxy
	untrusted bool     // the peer is not trusted
	fields    []string // of the configured header
	other     http.Header
	want      string // "" is the invalid address
}

func runRows(t *testing.T, source clientip.Source, name string, rows []row) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			peer := row.peer
			if peer == "" {
				peer = proxy
			}
			h := headers(name, row.fields...)
			for k, v := range row.other {
				h[k] = v
			}
			got := source.Find(request(peer, h))
			want := clientip.Result{TrustedPeer: !row.untrusted}
			if row.want != "" {
				want.Addr = netip.MustParseAddr(row.want)
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func list(n int, entry string) string {
	return strings.TrimSuffix(strings.Repeat(entry+", ", n), ", ")
}

func TestXForwardedFor(t *testing.T) {
	t.Parallel()
	runRows(t, xff, "x-forwarded-for", []row{
		// Who is believed.
		{name: "no header is the peer", want: "10.0.0.1"},
		{name: "one entry from a proxy is the client", fields: []string{"203.0.113.9"}, want: "203.0.113.9"},
		{name: "an untrusted peer is the client", peer: client, untrusted: true, want: "203.0.113.9"},
		{name: "an untrusted peer cannot name an address", peer: client, untrusted: true, fields: []string{"198.51.100.1"}, want: "203.0.113.9"},
		{name: "an untrusted peer cannot name a proxy", peer: client, untrusted: true, fields: []string{"10.0.0.2"}, want: "203.0.113.9"},
		{name: "an untrusted peer cannot name itself differently", peer: "[2001:db8::9]:1", untrusted: true, fields: []string{"2001:db8::1"}, want: "2001:db8::9"},
		{name: "loopback is not trusted by itself", peer: "127.0.0.1:9", untrusted: true, fields: []string{"198.51.100.1"}, want: "127.0.0.1"},
		{name: "a private peer is not trusted by itself", peer: "172.16.0.1:9", untrusted: true, fields: []string{"198.51.100.1"}, want: "172.16.0.1"},
		{name: "a neighbor of a trusted single address is not trusted", peer: "192.168.7.8:9", untrusted: true, fields: []string{"198.51.100.1"}, want: "192.168.7.8"},
		{name: "a trusted peer by single address is believed", peer: "192.168.7.7:9", fields: []string{"198.51.100.1"}, want: "198.51.100.1"},
		{name: "a trusted peer in IPv6 is believed", peer: "[2001:db8:aaaa::5]:9", fields: []string{"198.51.100.1"}, want: "198.51.100.1"},
		{name: "a trusted peer written as a mapped address is believed", peer: "[::ffff:10.0.0.1]:9", fields: []string{"198.51.100.1"}, want: "198.51.100.1"},
		{name: "a trusted peer with a zone is believed", peer: "[2001:db8:aaaa::5%eth0]:9", fields: []string{"198.51.100.1"}, want: "198.51.100.1"},
		{name: "an untrusted mapped peer is unmapped", peer: "[::ffff:203.0.113.9]:9", untrusted: true, fields: []string{"198.51.100.1"}, want: "203.0.113.9"},
		{name: "an untrusted peer loses its zone", peer: "[fe80::9%eth0]:9", untrusted: true, want: "fe80::9"},
		{name: "a peer without port is read", peer: "203.0.113.9", untrusted: true, want: "203.0.113.9"},
		{name: "a Unix socket has no address and is not believed", peer: "@", untrusted: true, fields: []string{"198.51.100.1"}},
		{name: "an empty peer is not believed", peer: " ", untrusted: true, fields: []string{"198.51.100.1"}},
		{name: "a host name as peer is not believed", peer: "localhost:80", untrusted: true, fields: []string{"198.51.100.1"}},
		{name: "a peer with a bad port is not believed", peer: "10.0.0.1:99999", untrusted: true, fields: []string{"198.51.100.1"}},
		{name: "two addresses as peer are not believed", peer: "10.0.0.1, 10.0.0.2", untrusted: true, fields: []string{"198.51.100.1"}},

		// Right to left.
		{name: "a spoofed leftmost entry is ignored", fields: []string{"1.1.1.1, 203.0.113.9"}, want: "203.0.113.9"},
		{name: "a spoofed proxy in the middle is ignored", fields: []string{"1.1.1.1, 10.0.0.2, 203.0.113.9"}, want: "203.0.113.9"},
		{name: "trusted hops are skipped", fields: []string{"203.0.113.9, 10.0.0.3, 10.0.0.2"}, want: "203.0.113.9"},
		{name: "a spoof left of the client behind two hops is ignored", fields: []string{"1.1.1.1, 203.0.113.9, 10.0.0.3, 10.0.0.2"}, want: "203.0.113.9"},
		{name: "loopback claimed by the client is ignored", fields: []string{"127.0.0.1, 203.0.113.9"}, want: "203.0.113.9"},
		{name: "all trusted is the leftmost", fields: []string{"10.0.0.4, 10.0.0.3, 10.0.0.2"}, want: "10.0.0.4"},
		{name: "one trusted entry is that entry", fields: []string{"10.0.0.4"}, want: "10.0.0.4"},
		{name: "a proxy that names itself is skipped", fields: []string{"203.0.113.9, 10.0.0.1"}, want: "203.0.113.9"},
		{name: "an internal client outside the trusted networks is found", fields: []string{"172.16.4.4"}, want: "172.16.4.4"},
		{name: "no space after commas is fine", fields: []string{"1.1.1.1,203.0.113.9,10.0.0.2"}, want: "203.0.113.9"},
		{name: "tabs and spaces around entries are fine", fields: []string{" \t203.0.113.9\t ,\t10.0.0.2 "}, want: "203.0.113.9"},

		// Several fields are one list.
		{name: "the last field is the nearest hop", fields: []string{"1.1.1.1", "203.0.113.9"}, want: "203.0.113.9"},
		{name: "fields are joined in order", fields: []string{"203.0.113.9", "10.0.0.3, 10.0.0.2"}, want: "203.0.113.9"},
		{name: "three fields are joined", fields: []string{"1.1.1.1, 203.0.113.9", "10.0.0.3", "10.0.0.2"}, want: "203.0.113.9"},
		{name: "a first field of garbage is not reached", fields: []string{"garbage", "203.0.113.9"}, want: "203.0.113.9"},
		{name: "a last field of garbage stops at the peer", fields: []string{"203.0.113.9", "garbage"}, want: "10.0.0.1"},
		{name: "an empty last field stops at the peer", fields: []string{"203.0.113.9", ""}, want: "10.0.0.1"},
		{name: "an empty middle field stops at its right", fields: []string{"203.0.113.9", "", "10.0.0.2"}, want: "10.0.0.2"},
		{name: "an empty first field is not reached", fields: []string{"", "203.0.113.9"}, want: "203.0.113.9"},
		{name: "all trusted over two fields is the leftmost", fields: []string{"10.0.0.4", "10.0.0.3"}, want: "10.0.0.4"},

		// IPv4-mapped addresses.
		{name: "a mapped client is unmapped", fields: []string{"::ffff:203.0.113.9"}, want: "203.0.113.9"},
		{name: "a mapped client in hexadecimal is unmapped", fields: []string{"::ffff:cb00:7109"}, want: "203.0.113.9"},
		{name: "a mapped trusted hop is skipped", fields: []string{"203.0.113.9, ::ffff:10.0.0.2"}, want: "203.0.113.9"},
		{name: "a bracketed mapped hop with port is skipped", fields: []string{"203.0.113.9, [::FFFF:10.0.0.2]:80"}, want: "203.0.113.9"},
		{name: "an IPv4-compatible address is not the trusted IPv4 one", fields: []string{"203.0.113.9, ::10.0.0.2"}, want: "::a00:2"},
		{name: "a NAT64 address is not the trusted IPv4 one", fields: []string{"203.0.113.9, 64:ff9b::10.0.0.2"}, want: "64:ff9b::a00:2"},

		// Ports, brackets, zones.
		{name: "IPv4 with port", fields: []string{"203.0.113.9:8080"}, want: "203.0.113.9"},
		{name: "IPv4 with port zero", fields: []string{"203.0.113.9:0"}, want: "203.0.113.9"},
		{name: "bare IPv6", fields: []string{"2001:db8::9"}, want: "2001:db8::9"},
		{name: "bracketed IPv6", fields: []string{"[2001:db8::9]"}, want: "2001:db8::9"},
		{name: "bracketed IPv6 with port", fields: []string{"[2001:db8::9]:443"}, want: "2001:db8::9"},
		{name: "IPv6 in upper case and long form", fields: []string{"2001:0DB8:0000:0000:0000:0000:0000:0009"}, want: "2001:db8::9"},
		{name: "a bare IPv6 address keeps its last group", fields: []string{"2001:db8::9:443"}, want: "2001:db8::9:443"},
		{name: "a zone is dropped", fields: []string{"fe80::9%eth0"}, want: "fe80::9"},
		{name: "a zone in brackets is dropped", fields: []string{"[fe80::9%25eth0]:80"}, want: "fe80::9"},
		{name: "a trusted hop with a zone is skipped", fields: []string{"203.0.113.9, 2001:db8:aaaa::2%x"}, want: "203.0.113.9"},
		{name: "IPv6 client behind IPv4 proxy and IPv6 hop", fields: []string{"1.1.1.1, 2001:db8::9, 2001:db8:aaaa::2"}, want: "2001:db8::9"},
		{name: "IPv4 client behind mixed hops", fields: []string{"2001:db8::1, 203.0.113.9, 2001:db8:aaaa::2, 10.0.0.2"}, want: "203.0.113.9"},

		// Entries that cannot be read, rightmost: the peer.
		{name: "garbage is the peer", fields: []string{"203.0.113.9, garbage"}, want: "10.0.0.1"},
		{name: "unknown is the peer", fields: []string{"203.0.113.9, unknown"}, want: "10.0.0.1"},
		{name: "an obfuscated name is the peer", fields: []string{"203.0.113.9, _obf"}, want: "10.0.0.1"},
		{name: "a trailing comma is the peer", fields: []string{"203.0.113.9,"}, want: "10.0.0.1"},
		{name: "only commas are the peer", fields: []string{",,,"}, want: "10.0.0.1"},
		{name: "only spaces are the peer", fields: []string{"   "}, want: "10.0.0.1"},
		{name: "a host name is the peer", fields: []string{"localhost"}, want: "10.0.0.1"},
		{name: "leading zeros are the peer", fields: []string{"203.0.113.009"}, want: "10.0.0.1"},
		{name: "leading zeros inside a mapped address are the peer", fields: []string{"::ffff:203.0.113.09"}, want: "10.0.0.1"},
		{name: "hexadecimal IPv4 is the peer", fields: []string{"0xcb.0.113.9"}, want: "10.0.0.1"},
		{name: "a decimal number is the peer", fields: []string{"3405803785"}, want: "10.0.0.1"},
		{name: "a short IPv4 is the peer", fields: []string{"127.1"}, want: "10.0.0.1"},
		{name: "an octet out of range is the peer", fields: []string{"203.0.113.256"}, want: "10.0.0.1"},
		{name: "an empty port is the peer", fields: []string{"203.0.113.9:"}, want: "10.0.0.1"},
		{name: "a port out of range is the peer", fields: []string{"203.0.113.9:65536"}, want: "10.0.0.1"},
		{name: "a long port is the peer", fields: []string{"203.0.113.9:000080"}, want: "10.0.0.1"},
		{name: "a signed port is the peer", fields: []string{"203.0.113.9:+80"}, want: "10.0.0.1"},
		{name: "a port name is the peer", fields: []string{"203.0.113.9:http"}, want: "10.0.0.1"},
		{name: "an open bracket is the peer", fields: []string{"[2001:db8::9"}, want: "10.0.0.1"},
		{name: "a closing bracket is the peer", fields: []string{"2001:db8::9]"}, want: "10.0.0.1"},
		{name: "empty brackets are the peer", fields: []string{"[]"}, want: "10.0.0.1"},
		{name: "text after brackets is the peer", fields: []string{"[2001:db8::9]x"}, want: "10.0.0.1"},
		{name: "two brackets are the peer", fields: []string{"[[2001:db8::9]]"}, want: "10.0.0.1"},
		{name: "an empty port after brackets is the peer", fields: []string{"[2001:db8::9]:"}, want: "10.0.0.1"},
		{name: "IPv4 in brackets is the peer", fields: []string{"[203.0.113.9]"}, want: "10.0.0.1"},
		{name: "IPv4 in brackets with port is the peer", fields: []string{"[203.0.113.9]:80"}, want: "10.0.0.1"},
		{name: "IPv4 with a zone is the peer", fields: []string{"203.0.113.9%eth0"}, want: "10.0.0.1"},
		{name: "an empty zone is the peer", fields: []string{"fe80::9%"}, want: "10.0.0.1"},
		{name: "a zone with spaces is the peer", fields: []string{"fe80::9%a b"}, want: "10.0.0.1"},
		{name: "a zone beyond 32 bytes is the peer", fields: []string{"fe80::9%" + strings.Repeat("z", 33)}, want: "10.0.0.1"},
		{name: "IPv6 with too many groups is the peer", fields: []string{"1:2:3:4:5:6:7:8:9"}, want: "10.0.0.1"},
		{name: "IPv6 longer than any is the peer", fields: []string{"[" + strings.Repeat("0000:", 20) + ":]"}, want: "10.0.0.1"},
		{name: "a network is the peer", fields: []string{"203.0.113.0/24"}, want: "10.0.0.1"},
		{name: "quotation marks are the peer", fields: []string{`"203.0.113.9"`}, want: "10.0.0.1"},
		{name: "RFC 7239 syntax is the peer", fields: []string{"for=203.0.113.9"}, want: "10.0.0.1"},
		{name: "semicolons do not separate", fields: []string{"1.1.1.1; 203.0.113.9"}, want: "10.0.0.1"},
		{name: "spaces do not separate", fields: []string{"1.1.1.1 203.0.113.9"}, want: "10.0.0.1"},
		{name: "a line break inside is the peer", fields: []string{"203.0.113.9\r\n"}, want: "10.0.0.1"},
		{name: "a NUL inside is the peer", fields: []string{"203.0.113.9\x00"}, want: "10.0.0.1"},
		{name: "a no-break space is not a space", fields: []string{"\u00a0203.0.113.9"}, want: "10.0.0.1"},
		{name: "full-width digits are the peer", fields: []string{"203.0.113.\uff19"}, want: "10.0.0.1"},
		{name: "a byte order mark is the peer", fields: []string{"\ufeff203.0.113.9"}, want: "10.0.0.1"},
		{name: "the unspecified address is the peer", fields: []string{"0.0.0.0"}, want: "10.0.0.1"},
		{name: "the unspecified IPv6 address is the peer", fields: []string{"::"}, want: "10.0.0.1"},
		{name: "the mapped unspecified address is the peer", fields: []string{"::ffff:0.0.0.0"}, want: "10.0.0.1"},
		{name: "a multicast address is the peer", fields: []string{"224.0.0.1"}, want: "10.0.0.1"},
		{name: "an IPv6 multicast address is the peer", fields: []string{"ff02::1"}, want: "10.0.0.1"},
		{name: "the broadcast address is the peer", fields: []string{"255.255.255.255"}, want: "10.0.0.1"},
		{name: "an overlong entry is the peer", fields: []string{strings.Repeat("1", 9000)}, want: "10.0.0.1"},
		{name: "an overlong blank is the peer", fields: []string{"203.0.113.9" + strings.Repeat(" ", 9000)}, want: "10.0.0.1"},

		// Entries that cannot be read, further left: the hop at their right.
		{name: "garbage left of a hop is that hop", fields: []string{"203.0.113.9, garbage, 10.0.0.2"}, want: "10.0.0.2"},
		{name: "an empty entry left of a hop is that hop", fields: []string{"203.0.113.9, , 10.0.0.2"}, want: "10.0.0.2"},
		{name: "a leading comma is the leftmost hop", fields: []string{", 10.0.0.2"}, want: "10.0.0.2"},
		{name: "unknown left of two hops is the nearer one to it", fields: []string{"203.0.113.9, unknown, 10.0.0.3, 10.0.0.2"}, want: "10.0.0.3"},
		{name: "garbage at the far left of hops is the leftmost hop", fields: []string{"garbage, 10.0.0.3, 10.0.0.2"}, want: "10.0.0.3"},
		{name: "garbage left of the client is not reached", fields: []string{"garbage, 203.0.113.9, 10.0.0.2"}, want: "203.0.113.9"},
		{name: "commas left of the client are not reached", fields: []string{",,,,203.0.113.9"}, want: "203.0.113.9"},
		{name: "an overlong entry left of a hop is that hop", fields: []string{"203.0.113.9, " + strings.Repeat("1", 9000) + ", 10.0.0.2"}, want: "10.0.0.2"},

		// Bounds.
		{name: "a huge list left of the client is not reached", fields: []string{list(50_000, "1.1.1.1") + ", 203.0.113.9"}, want: "203.0.113.9"},
		{name: "a huge number of fields left of the client is not reached", fields: append(slices.Repeat([]string{"1.1.1.1"}, 5000), "203.0.113.9"), want: "203.0.113.9"},
		{name: "the client behind 63 hops is found", fields: []string{"203.0.113.9, " + list(63, "10.0.0.2")}, want: "203.0.113.9"},
		{name: "the client behind 64 hops is out of reach", fields: []string{"203.0.113.9, 10.0.0.4, " + list(63, "10.0.0.2")}, want: "10.0.0.4"},
		{name: "64 fields of hops are the bound, too", fields: append([]string{"203.0.113.9", "10.0.0.4"}, slices.Repeat([]string{"10.0.0.2"}, 63)...), want: "10.0.0.4"},
		{name: "64 trusted entries are the leftmost", fields: []string{"10.0.0.4, " + list(63, "10.0.0.2")}, want: "10.0.0.4"},
		{name: "an entry of 8 KiB is examined", fields: []string{"1.1.1.1," + strings.Repeat(" ", 8<<10-11) + "203.0.113.9"}, want: "203.0.113.9"},
		{name: "an entry of 8 KiB alone is examined", fields: []string{strings.Repeat(" ", 8<<10-11) + "203.0.113.9"}, want: "203.0.113.9"},
		{name: "an entry beyond 8 KiB is not examined", fields: []string{"1.1.1.1," + strings.Repeat(" ", 8<<10-10) + "203.0.113.9"}, want: "10.0.0.1"},
		{name: "an entry beyond 8 KiB alone is not examined", fields: []string{strings.Repeat(" ", 8<<10-10) + "203.0.113.9"}, want: "10.0.0.1"},
		{name: "8 KiB are shared by all entries", fields: []string{"203.0.113.9," + strings.Repeat(" ", 8<<10-18) + "10.0.0.2"}, want: "10.0.0.2"},

		// Other headers.
		{name: "Forwarded is not looked at", other: headers("Forwarded", "for=198.51.100.1"), want: "10.0.0.1"},
		{name: "Forwarded does not compete", fields: []string{"203.0.113.9"}, other: headers("Forwarded", "for=198.51.100.1"), want: "203.0.113.9"},
		{name: "X-Real-IP is not looked at", other: headers("X-Real-IP", "198.51.100.1"), want: "10.0.0.1"},
		{name: "True-Client-IP is not looked at", other: headers("True-Client-IP", "198.51.100.1"), want: "10.0.0.1"},
		{name: "CF-Connecting-IP is not looked at", other: headers("CF-Connecting-IP", "198.51.100.1"), want: "10.0.0.1"},
		{name: "X-Client-IP is not looked at", other: headers("X-Client-IP", "198.51.100.1"), want: "10.0.0.1"},
		{name: "a name with underscores is not looked at", other: http.Header{"X_forwarded_for": {"198.51.100.1"}}, want: "10.0.0.1"},
		{name: "a name that is not canonical is not looked at", other: http.Header{"x-forwarded-for": {"198.51.100.1"}}, want: "10.0.0.1"},
		{name: "a name with a space is not looked at", other: http.Header{"X-Forwarded-For ": {"198.51.100.1"}}, want: "10.0.0.1"},
	})
}

func TestForwarded(t *testing.T) {
	t.Parallel()
	runRows(t, fwd, "FORWARDED", []row{
		{name: "no header is the peer", want: "10.0.0.1"},
		{name: "an untrusted peer cannot name an address", peer: client, untrusted: true, fields: []string{"for=198.51.100.1"}, want: "203.0.113.9"},
		{name: "X-Forwarded-For is not looked at", other: headers("X-Forwarded-For", "198.51.100.1"), want: "10.0.0.1"},
		{name: "X-Forwarded-For does not compete", fields: []string{"for=203.0.113.9"}, other: headers("X-Forwarded-For", "198.51.100.1"), want: "203.0.113.9"},

		// Grammar, RFC 7239 section 4 and its examples.
		{name: "a token", fields: []string{"for=203.0.113.9"}, want: "203.0.113.9"},
		{name: "the name in any case", fields: []string{"FoR=203.0.113.9"}, want: "203.0.113.9"},
		{name: "a quoted IPv4 address", fields: []string{`for="203.0.113.9"`}, want: "203.0.113.9"},
		{name: "a quoted IPv4 address with port", fields: []string{`for="203.0.113.9:47011"`}, want: "203.0.113.9"},
		{name: "a quoted IPv4 address with obfuscated port", fields: []string{`for="203.0.113.9:_x.Y-z"`}, want: "203.0.113.9"},
		{name: "a quoted IPv6 address", fields: []string{`For="[2001:db8:cafe::17]"`}, want: "2001:db8:cafe::17"},
		{name: "a quoted IPv6 address with port", fields: []string{`For="[2001:db8:cafe::17]:4711"`}, want: "2001:db8:cafe::17"},
		{name: "a zone is dropped", fields: []string{`for="[fe80::9%25eth0]"`}, want: "fe80::9"},
		{name: "a mapped address is unmapped", fields: []string{`for="[::ffff:203.0.113.9]"`}, want: "203.0.113.9"},
		{name: "escapes are removed", fields: []string{`for="\2\03.0.113\.9"`}, want: "203.0.113.9"},
		{name: "an escaped bracket is a bracket", fields: []string{`for="\[2001:db8::9\]"`}, want: "2001:db8::9"},
		{name: "parameters before and after", fields: []string{"proto=https;for=203.0.113.9;by=10.0.0.1"}, want: "203.0.113.9"},
		{name: "empty parameters", fields: []string{";;for=203.0.113.9;"}, want: "203.0.113.9"},
		{name: "spaces around semicolons", fields: []string{"proto=https ; for=203.0.113.9 ;\tby=10.0.0.1"}, want: "203.0.113.9"},
		{name: "an unknown parameter is fine", fields: []string{"secret=x;for=203.0.113.9"}, want: "203.0.113.9"},
		{name: "semicolons, commas and equals signs in quotation marks", fields: []string{`ext="a;for=1.1.1.1,for=1.1.1.1";for=203.0.113.9`}, want: "203.0.113.9"},
		{name: "escaped quotation marks", fields: []string{`for=203.0.113.9;ext="a\",for=1.1.1.1,\"b"`}, want: "203.0.113.9"},
		{name: "an escaped backslash before the closing mark", fields: []string{`for=203.0.113.9;ext="a,\\"`}, want: "203.0.113.9"},
		{name: "an empty quoted string elsewhere", fields: []string{`for=203.0.113.9;ext=""`}, want: "203.0.113.9"},
		{name: "a quoted string that ends in escaped marks", fields: []string{`for=203.0.113.9;ext="\\\""`}, want: "203.0.113.9"},
		{name: "bytes beyond ASCII in quotation marks", fields: []string{`for=203.0.113.9;ext="ä"`}, want: "203.0.113.9"},

		// Right to left.
		{name: "a spoofed leftmost element is ignored", fields: []string{"for=1.1.1.1, for=203.0.113.9"}, want: "203.0.113.9"},
		{name: "trusted hops are skipped", fields: []string{`for=1.1.1.1,for=203.0.113.9,for="[2001:db8:aaaa::2]", for=10.0.0.2`}, want: "203.0.113.9"},
		{name: "fields are joined in order", fields: []string{"for=1.1.1.1", "for=203.0.113.9", "for=10.0.0.2"}, want: "203.0.113.9"},
		{name: "all trusted is the leftmost", fields: []string{"for=10.0.0.4, for=10.0.0.3"}, want: "10.0.0.4"},
		{name: "by names nobody", fields: []string{"by=203.0.113.9"}, want: "10.0.0.1"},
		{name: "host names nobody", fields: []string{"host=203.0.113.9;proto=https"}, want: "10.0.0.1"},
		{name: "an element without for stops at the peer", fields: []string{"for=203.0.113.9, proto=https"}, want: "10.0.0.1"},
		{name: "an element without for stops at its right", fields: []string{"for=203.0.113.9, proto=https, for=10.0.0.2"}, want: "10.0.0.2"},
		{name: "X-Forwarded-For syntax is the peer", fields: []string{"203.0.113.9"}, want: "10.0.0.1"},
		{name: "64 elements are the bound", fields: []string{"for=203.0.113.9, for=10.0.0.4, " + list(63, "for=10.0.0.2")}, want: "10.0.0.4"},
		{name: "an element beyond 8 KiB is not examined", fields: []string{"for=203.0.113.9;e=" + strings.Repeat("x", 8<<10)}, want: "10.0.0.1"},
		{name: "a quoted string beyond 8 KiB is not examined", fields: []string{`for=203.0.113.9;e="` + strings.Repeat(",", 8<<10) + `"`}, want: "10.0.0.1"},
		{name: "a huge list left of the client is not reached", fields: []string{list(20_000, "for=1.1.1.1") + ", for=203.0.113.9"}, want: "203.0.113.9"},

		// Attempts to swallow, split or double an element.
		{name: "a lone quotation mark cannot swallow the proxy's element", fields: []string{`for="1.1.1.1, for=203.0.113.9`}, want: "203.0.113.9"},
		{name: "a lone quotation mark cannot swallow a quoted element", fields: []string{`for="1.1.1.1, for="[2001:db8::9]"`}, want: "2001:db8::9"},
		{name: "a trailing backslash cannot escape the proxy's quotation mark", fields: []string{`for=1.1.1.1;e="\, for="[2001:db8::9]"`}, want: "2001:db8::9"},
		{name: "an escaped mark cannot swallow the proxy's element", fields: []string{`for="\", for="[2001:db8::9]";by="_p"`}, want: "2001:db8::9"},
		{name: "a quotation mark over two fields does not join", fields: []string{`for="1.1.1.1`, `for=203.0.113.9"`}, want: "10.0.0.1"},
		{name: "a list inside one quoted value is the peer", fields: []string{`for="1.1.1.1, for=203.0.113.9"`}, want: "10.0.0.1"},
		{name: "an unclosed last element is the peer", fields: []string{`for=203.0.113.9, for="1.1.1.1`}, want: "10.0.0.1"},
		{name: "an unopened last element is the peer", fields: []string{`for=203.0.113.9, for=1.1.1.1"`}, want: "10.0.0.1"},
		{name: "an escaped closing mark is the peer", fields: []string{`for=203.0.113.9;e="x\"`}, want: "10.0.0.1"},
		{name: "two for parameters are the peer", fields: []string{"for=1.1.1.1;for=203.0.113.9"}, want: "10.0.0.1"},
		{name: "two equal for parameters are the peer", fields: []string{"for=203.0.113.9;for=203.0.113.9"}, want: "10.0.0.1"},
		{name: "two for parameters in different case are the peer", fields: []string{"for=1.1.1.1;proto=http;FOR=203.0.113.9"}, want: "10.0.0.1"},
		{name: "two for parameters left of a hop are that hop", fields: []string{"for=1.1.1.1;for=203.0.113.9, for=10.0.0.2"}, want: "10.0.0.2"},
		{name: "a for with an umlaut is no for", fields: []string{"f\u00f6r=203.0.113.9"}, want: "10.0.0.1"},
		{name: "unknown is the peer", fields: []string{"for=unknown"}, want: "10.0.0.1"},
		{name: "unknown with port is the peer", fields: []string{`for="unknown:80"`}, want: "10.0.0.1"},
		{name: "an obfuscated name is the peer", fields: []string{"for=_hidden"}, want: "10.0.0.1"},
		{name: "an obfuscated name left of a hop is that hop", fields: []string{"for=203.0.113.9, for=_SEVKISEK, for=10.0.0.2"}, want: "10.0.0.2"},
		{name: "an empty value is the peer", fields: []string{"for="}, want: "10.0.0.1"},
		{name: "an empty quoted value is the peer", fields: []string{`for=""`}, want: "10.0.0.1"},
		{name: "a name without value is the peer", fields: []string{"for=203.0.113.9;secure"}, want: "10.0.0.1"},
		{name: "a value without name is the peer", fields: []string{"for=203.0.113.9;=x"}, want: "10.0.0.1"},
		{name: "an empty value elsewhere is the peer", fields: []string{"for=203.0.113.9;proto="}, want: "10.0.0.1"},
		{name: "spaces around the equals sign are the peer", fields: []string{"for = 203.0.113.9"}, want: "10.0.0.1"},
		{name: "text after a quoted value is the peer", fields: []string{`for="203.0.113.9"x`}, want: "10.0.0.1"},
		{name: "text after a token is the peer", fields: []string{"for=203.0.113.9 x"}, want: "10.0.0.1"},
		{name: "an empty element is the peer", fields: []string{"for=203.0.113.9,"}, want: "10.0.0.1"},
		{name: "an empty field is the peer", fields: []string{"for=203.0.113.9", ""}, want: "10.0.0.1"},
		{name: "only semicolons are the peer", fields: []string{"for=203.0.113.9, ;;"}, want: "10.0.0.1"},
		{name: "IPv6 without brackets is the peer", fields: []string{`for="2001:db8::9"`}, want: "10.0.0.1"},
		{name: "IPv6 without quotation marks is the peer", fields: []string{"for=[2001:db8::9]"}, want: "10.0.0.1"},
		{name: "a port without quotation marks is the peer", fields: []string{"for=203.0.113.9:80"}, want: "10.0.0.1"},
		{name: "IPv4 in brackets is the peer", fields: []string{`for="[203.0.113.9]"`}, want: "10.0.0.1"},
		{name: "a bad port is the peer", fields: []string{`for="203.0.113.9:port"`}, want: "10.0.0.1"},
		{name: "an empty obfuscated port is the peer", fields: []string{`for="203.0.113.9:_"`}, want: "10.0.0.1"},
		{name: "an obfuscated port with a space is the peer", fields: []string{`for="203.0.113.9:_a b"`}, want: "10.0.0.1"},
		{name: "spaces inside quotation marks are the peer", fields: []string{`for=" 203.0.113.9"`}, want: "10.0.0.1"},
		{name: "a control character is the peer", fields: []string{"for=203.0.113.9;e=\"\x01\""}, want: "10.0.0.1"},
		{name: "an escaped control character is the peer", fields: []string{"for=203.0.113.9;e=\"\\\x7f\""}, want: "10.0.0.1"},
		{name: "single quotation marks are part of the token", fields: []string{"for='203.0.113.9'"}, want: "10.0.0.1"},
		{name: "many escapes are the peer", fields: []string{`for="` + strings.Repeat(`\0`, 129) + `"`}, want: "10.0.0.1"},
		{name: "the unspecified address is the peer", fields: []string{"for=0.0.0.0"}, want: "10.0.0.1"},
		{name: "a multicast address is the peer", fields: []string{`for="[ff02::1]"`}, want: "10.0.0.1"},
	})
}

func TestSingleHeader(t *testing.T) {
	t.Parallel()
	runRows(t, single, "CF-CONNECTING-IP", []row{
		{name: "no header is the peer", want: "10.0.0.1"},
		{name: "one address is the client", fields: []string{"203.0.113.9"}, want: "203.0.113.9"},
		{name: "one IPv6 address is the client", fields: []string{" 2001:db8::9 "}, want: "2001:db8::9"},
		{name: "a mapped address is unmapped", fields: []string{"::ffff:203.0.113.9"}, want: "203.0.113.9"},
		{name: "a port is dropped", fields: []string{"203.0.113.9:4711"}, want: "203.0.113.9"},
		{name: "an address in a trusted network is the client", fields: []string{"10.0.0.9"}, want: "10.0.0.9"},
		{name: "an untrusted peer cannot name an address", peer: client, untrusted: true, fields: []string{"198.51.100.1"}, want: "203.0.113.9"},
		{name: "two fields are the peer", fields: []string{"203.0.113.9", "203.0.113.9"}, want: "10.0.0.1"},
		{name: "a second empty field is the peer", fields: []string{"203.0.113.9", ""}, want: "10.0.0.1"},
		{name: "two addresses are the peer", fields: []string{"203.0.113.9, 198.51.100.1"}, want: "10.0.0.1"},
		{name: "a trailing comma is the peer", fields: []string{"203.0.113.9,"}, want: "10.0.0.1"},
		{name: "an empty field is the peer", fields: []string{""}, want: "10.0.0.1"},
		{name: "garbage is the peer", fields: []string{"unknown"}, want: "10.0.0.1"},
		{name: "the unspecified address is the peer", fields: []string{"::"}, want: "10.0.0.1"},
		{name: "a field beyond 8 KiB is the peer", fields: []string{strings.Repeat(" ", 8<<10) + "203.0.113.9"}, want: "10.0.0.1"},
		{name: "X-Forwarded-For is not looked at", other: headers("X-Forwarded-For", "198.51.100.1"), want: "10.0.0.1"},
		{name: "Forwarded is not looked at", other: headers("Forwarded", "for=198.51.100.1"), want: "10.0.0.1"},
		{name: "X-Real-IP is not looked at", other: headers("X-Real-IP", "198.51.100.1"), want: "10.0.0.1"},
	})
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	untrustedHeader := must(clientip.Header("CF-Connecting-IP"))
	tests := []struct {
		name    string
		source  clientip.Source
		headers http.Header
		want    bool
	}{
		{name: "no header", headers: headers("Accept", "*/*")},
		{name: "nil headers"},
		{name: "X-Forwarded-For", headers: headers("X-Forwarded-For", "1.1.1.1"), want: true},
		{name: "an empty X-Forwarded-For", headers: headers("X-Forwarded-For", ""), want: true},
		{name: "a name without fields", headers: http.Header{"X-Forwarded-For": nil}},
		{name: "Forwarded", headers: headers("Forwarded", "for=1.1.1.1"), want: true},
		{name: "X-Real-IP", headers: headers("X-Real-IP", "1.1.1.1"), want: true},
		{name: "a header that nobody configured", headers: headers("CF-Connecting-IP", "1.1.1.1")},
		{name: "the configured header", source: untrustedHeader, headers: headers("cf-connecting-ip", "1.1.1.1"), want: true},
		{name: "another header than the configured one", source: untrustedHeader, headers: headers("X-Forwarded-For", "1.1.1.1"), want: true},
		{name: "Proxies without prefixes", source: must(clientip.Proxies()), headers: headers("X-Forwarded-For", "1.1.1.1"), want: true},
		{name: "Forwarded of the zero value", source: clientip.Source{}.Forwarded(), headers: headers("Forwarded", "for=1.1.1.1"), want: true},
		{name: "trusted proxies, other header", source: xff, headers: headers("X-Real-IP", "1.1.1.1")},
		{name: "trusted proxies, untrusted peer", source: xff, headers: headers("X-Forwarded-For", "1.1.1.1")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.source.Find(request(client, tt.headers))
			want := clientip.Result{Addr: netip.MustParseAddr("203.0.113.9"), Ignored: tt.want}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestSocketWithoutAddress(t *testing.T) {
	t.Parallel()
	for _, source := range []clientip.Source{{}, xff, fwd, single} {
		got := source.Find(request("", headers("Accept", "*/*")))
		if want := (clientip.Result{}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestForwardedReplacesTheHeader(t *testing.T) {
	t.Parallel()
	h := headers("Forwarded", "for=203.0.113.9")
	h.Set("CF-Connecting-IP", "198.51.100.1")
	h.Set("X-Forwarded-For", "198.51.100.2")
	got := single.Forwarded().Find(request(proxy, h))
	if want := netip.MustParseAddr("203.0.113.9"); got.Addr != want {
		t.Errorf("got %v, want %v", got.Addr, want)
	}
}

func TestSourceKeepsNoReference(t *testing.T) {
	t.Parallel()
	prefixes := mustParse("10.0.0.0/8")
	source := must(clientip.Proxies(prefixes...))
	prefixes[0] = netip.MustParsePrefix("203.0.113.0/24")
	got := source.Find(request(client, headers("X-Forwarded-For", "198.51.100.1")))
	if got.TrustedPeer {
		t.Errorf("a prefix changed after construction is trusted")
	}
}

func TestFindAllocatesNothing(t *testing.T) {
	tests := []struct {
		name   string
		source clientip.Source
		peer   string
		header http.Header
	}{
		{name: "zero value", peer: client, header: headers("Accept", "*/*")},
		{name: "zero value, ignored header", peer: client, header: headers("X-Forwarded-For", "1.1.1.1")},
		{name: "no header", source: xff, peer: proxy, header: headers("Accept", "*/*")},
		{name: "untrusted peer", source: xff, peer: "[2001:db8::1%eth0]:80", header: headers("X-Forwarded-For", "1.1.1.1")},
		{name: "one entry", source: xff, peer: proxy, header: headers("X-Forwarded-For", "203.0.113.9")},
		{name: "one IPv6 entry with zone and port", source: xff, peer: proxy, header: headers("X-Forwarded-For", "[fe80::9%eth0]:80")},
		{name: "a huge list", source: xff, peer: proxy, header: headers("X-Forwarded-For", list(5000, "10.0.0.2"))},
		{name: "one element", source: fwd, peer: proxy, header: headers("Forwarded", `for="[2001:db8::9]:80";proto=https`)},
		{name: "single header", source: single, peer: proxy, header: headers("CF-Connecting-IP", "2001:db8::9")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(tt.peer, tt.header)
			var sink clientip.Result
			if n := testing.AllocsPerRun(100, func() { sink = tt.source.Find(r) }); n != 0 {
				t.Errorf("got %v allocations, want 0 (%v)", n, sink)
			}
		})
	}
}

func BenchmarkFind(b *testing.B) {
	benchmarks := []struct {
		name   string
		source clientip.Source
		header http.Header
	}{
		{name: "socket", header: headers("Accept", "*/*")},
		{name: "one entry", source: xff, header: headers("X-Forwarded-For", "203.0.113.9")},
		{name: "three entries", source: xff, header: headers("X-Forwarded-For", "203.0.113.9, 10.0.0.3, 10.0.0.2")},
		{name: "forwarded", source: fwd, header: headers("Forwarded", "for=203.0.113.9;proto=https")},
		{name: "longest walk", source: xff, header: headers("X-Forwarded-For", list(5000, "10.0.0.2"))},
		{name: "1 MiB of garbage", source: fwd, header: headers("Forwarded", strings.Repeat(`\"`, 1<<19)+`"`)},
	}
	for _, bm := range benchmarks {
		b.Run(bm.name, func(b *testing.B) {
			r := request(proxy, bm.header)
			b.ReportAllocs()
			for b.Loop() {
				bm.source.Find(r)
			}
		})
	}
}
