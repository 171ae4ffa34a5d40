package guard_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

// Proxies are 10.0.0.0/8 and 2001:db8:ff::/48; the proxy that calls is 10.0.0.1, and
// an honest client is 203.0.113.9. The address is what the limit and the log use.
func TestAddressForgeries(t *testing.T) {
	t.Parallel()
	const proxy, direct = "Remote: 10.0.0.1:4000", "Remote: 198.51.100.66:4000"
	xff := func(values ...string) []string {
		fields := []string{proxy}
		for _, v := range values {
			fields = append(fields, "X-Forwarded-For: "+v)
		}
		return fields
	}
	fwd := func(values ...string) []string {
		fields := []string{proxy}
		for _, v := range values {
			fields = append(fields, "Forwarded: "+v)
		}
		return fields
	}
	cdn := func(values ...string) []string {
		fields := []string{proxy}
		for _, v := range values {
			fields = append(fields, "CF-Connecting-IP: "+v)
		}
		return fields
	}
	long := strings.Repeat("10.0.0.2, ", 100)
	type source int
	const (
		list source = iota
		rfc7239
		header
		nobody
	)
	tests := []struct {
		name   string
		from   source
		fields []string
		want   string
	}{
		{name: "an honest chain", fields: xff("203.0.113.9, 10.0.0.2"), want: "203.0.113.9"},
		{name: "two fields are one list", fields: xff("203.0.113.9", "10.0.0.2"), want: "203.0.113.9"},
		{name: "no header", fields: xff(), want: "10.0.0.1"},
		{name: "an empty header", fields: xff(" "), want: "10.0.0.1"},
		{name: "a port", fields: xff("203.0.113.9:8080"), want: "203.0.113.9"},
		{name: "a port and brackets", fields: xff("[2001:db8::9]:8080"), want: "2001:db8::9"},
		{name: "brackets", fields: xff("[2001:db8::9]"), want: "2001:db8::9"},
		{name: "a zone", fields: xff("fe80::9%eth0"), want: "fe80::9"},
		{name: "mapped", fields: xff("::ffff:203.0.113.9"), want: "203.0.113.9"},
		{name: "mapped in hex", fields: xff("::ffff:cb00:7109"), want: "203.0.113.9"},
		{name: "a mapped proxy", fields: []string{"Remote: [::ffff:10.0.0.1]:4000", "X-Forwarded-For: 203.0.113.9"}, want: "203.0.113.9"},
		{name: "an IPv6 proxy", fields: []string{"Remote: [2001:db8:ff::1]:4000", "X-Forwarded-For: 203.0.113.9"}, want: "203.0.113.9"},

		{name: "forged on the left", fields: xff("1.2.3.4, 203.0.113.9"), want: "203.0.113.9"},
		{name: "forged in a field of its own", fields: xff("1.2.3.4", "203.0.113.9"), want: "203.0.113.9"},
		{name: "a forged proxy on the left", fields: xff("10.9.9.9, 203.0.113.9"), want: "203.0.113.9"},
		{name: "a forged chain of proxies", fields: xff("1.2.3.4, 10.9.9.9, 10.8.8.8, 203.0.113.9, 10.0.0.2"), want: "203.0.113.9"},
		{name: "garbage on the left", fields: xff("<script>, 203.0.113.9"), want: "203.0.113.9"},
		{name: "a quotation mark on the left", fields: xff(`", 203.0.113.9`), want: "203.0.113.9"},
		{name: "garbage next to the proxy", fields: xff("203.0.113.9, unknown"), want: "10.0.0.1"},
		{name: "garbage behind a second proxy", fields: xff("203.0.113.9, unknown, 10.0.0.2"), want: "10.0.0.2"},
		{name: "an empty entry", fields: xff("203.0.113.9, , 10.0.0.2"), want: "10.0.0.2"},
		{name: "localhost by name", fields: xff("localhost"), want: "10.0.0.1"},
		{name: "a name", fields: xff("internal.example"), want: "10.0.0.1"},
		{name: "octal", fields: xff("0203.0.113.9"), want: "10.0.0.1"},
		{name: "an integer", fields: xff("3405803785"), want: "10.0.0.1"},
		{name: "hexadecimal", fields: xff("0xcb007109"), want: "10.0.0.1"},
		{name: "three octets", fields: xff("203.0.113"), want: "10.0.0.1"},
		{name: "a prefix", fields: xff("203.0.113.9/32"), want: "10.0.0.1"},
		{name: "a bad port", fields: xff("203.0.113.9:99999"), want: "10.0.0.1"},
		{name: "an open bracket", fields: xff("[2001:db8::9"), want: "10.0.0.1"},
		{name: "unspecified", fields: xff("0.0.0.0"), want: "10.0.0.1"},
		{name: "unspecified IPv6", fields: xff("::"), want: "10.0.0.1"},
		{name: "broadcast", fields: xff("255.255.255.255"), want: "10.0.0.1"},
		{name: "multicast", fields: xff("224.0.0.1"), want: "10.0.0.1"},
		{name: "only proxies", fields: xff("10.0.0.3, 10.0.0.2"), want: "10.0.0.3"},
		{name: "a hundred proxies", fields: xff("203.0.113.9, " + long + "10.0.0.2"), want: "10.0.0.2"},
		{name: "RFC 7239 beside the list", fields: append(xff("203.0.113.9"), "Forwarded: for=1.2.3.4"), want: "203.0.113.9"},
		{name: "other headers", fields: append(xff(), "X-Real-IP: 1.2.3.4", "True-Client-IP: 1.2.3.4", "CF-Connecting-IP: 1.2.3.4",
			"X-Client-IP: 1.2.3.4", "Client-IP: 1.2.3.4", "X-Originating-IP: 1.2.3.4", "Forwarded: for=1.2.3.4"), want: "10.0.0.1"},
		{name: "from a stranger", fields: []string{direct, "X-Forwarded-For: 1.2.3.4"}, want: "198.51.100.66"},
		{name: "from a stranger, naming a proxy", fields: []string{direct, "X-Forwarded-For: 1.2.3.4, 10.0.0.1"}, want: "198.51.100.66"},

		{name: "7239: an honest chain", from: rfc7239, fields: fwd(`for=203.0.113.9;proto=https, for=10.0.0.2`), want: "203.0.113.9"},
		{name: "7239: quoted IPv6 and a port", from: rfc7239, fields: fwd(`for="[2001:db8::9]:4711"`), want: "2001:db8::9"},
		{name: "7239: forged on the left", from: rfc7239, fields: fwd(`for=1.2.3.4, for=203.0.113.9`), want: "203.0.113.9"},
		{name: "7239: an open quotation mark", from: rfc7239, fields: fwd(`for="1.2.3.4`, `for=203.0.113.9`), want: "203.0.113.9"},
		{name: "7239: obfuscated", from: rfc7239, fields: fwd(`for=1.2.3.4, for=_hidden`), want: "10.0.0.1"},
		{name: "7239: unknown", from: rfc7239, fields: fwd(`for=unknown`), want: "10.0.0.1"},
		{name: "7239: no for", from: rfc7239, fields: fwd(`proto=https`), want: "10.0.0.1"},
		{name: "7239: two fors", from: rfc7239, fields: fwd(`for=1.2.3.4;for=203.0.113.9`), want: "10.0.0.1"},
		{name: "7239: the list is not looked at", from: rfc7239, fields: xff("1.2.3.4"), want: "10.0.0.1"},

		{name: "CDN: its header", from: header, fields: cdn("203.0.113.9"), want: "203.0.113.9"},
		{name: "CDN: twice", from: header, fields: cdn("1.2.3.4", "203.0.113.9"), want: "10.0.0.1"},
		{name: "CDN: a list", from: header, fields: cdn("1.2.3.4, 203.0.113.9"), want: "10.0.0.1"},
		{name: "CDN: the list beside it", from: header, fields: append(cdn("203.0.113.9"), "X-Forwarded-For: 1.2.3.4"), want: "203.0.113.9"},
		{name: "CDN: from a stranger", from: header, fields: []string{direct, "CF-Connecting-IP: 1.2.3.4"}, want: "198.51.100.66"},

		{name: "nobody is trusted", from: nobody, fields: []string{direct, "X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4"}, want: "198.51.100.66"},
	}
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ff::/48")}
	sources := map[source]guard.AddressSource{
		list: guard.TrustProxies(proxies...), rfc7239: guard.TrustProxies(proxies...).Forwarded(),
		header: guard.TrustHeader("cf-connecting-ip", proxies...), nobody: guard.TrustProxies(),
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := &guard.Limiter{}
			l := newLimited(limits.PerIP(1, time.Hour), func(r *guard.Responder) { r.ClientIP = sources[tt.from] })
			l.expect(t, 1, 204, tt.fields...)
			records := l.log.records(t)
			if got := records[len(records)-1]["client_ip"]; got != tt.want {
				t.Errorf("got address %v, want %s", got, tt.want)
			}
			// Whatever else the client writes to the left, its bucket stays the same.
			l.expect(t, 1, 429, tt.fields...)
			if tt.from != list || tt.want != "203.0.113.9" {
				return
			}
			for i := range 20 {
				forged := []string{tt.fields[0], fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i)}
				l.expect(t, 1, 429, append(forged, tt.fields[1:]...)...)
			}
		})
	}
}

// A proxy that is not configured gives all clients one address and one bucket.
// Nothing else would show that before the first honest client is refused.
func TestAForwardingHeaderWithoutATrustedProxyIsToldOnce(t *testing.T) {
	t.Parallel()
	trusted := guard.TrustProxies(netip.MustParsePrefix("10.0.0.0/8"))
	tests := []struct {
		name   string
		source guard.AddressSource
		fields []string
		want   int
	}{
		{name: "X-Forwarded-For", fields: []string{"X-Forwarded-For: 1.2.3.4"}, want: 1},
		{name: "Forwarded", fields: []string{"Forwarded: for=1.2.3.4"}, want: 1},
		{name: "X-Real-IP", fields: []string{"X-Real-IP: 1.2.3.4"}, want: 1},
		{name: "no header", want: 0},
		{name: "somebody is trusted", source: trusted, fields: []string{"X-Forwarded-For: 1.2.3.4"}, want: 0},
	}
	for _, tt := range tests {
		l := newLimited(guard.Unlimited("test"), func(r *guard.Responder) { r.ClientIP = tt.source })
		for range 5 {
			if r := l.try(tt.fields...); r.StatusCode != http.StatusNoContent {
				t.Errorf("%s: got %d, want 204: a warning is no refusal", tt.name, r.StatusCode)
			}
		}
		warnings := 0
		for _, r := range l.log.records(t) {
			if r["level"] == "WARN" && strings.Contains(r["msg"].(string), "no proxy is trusted") {
				warnings++
			}
		}
		if warnings != tt.want {
			t.Errorf("%s: got %d warnings, want %d", tt.name, warnings, tt.want)
		}
	}
}

func TestAddressSourceMistakes(t *testing.T) {
	t.Parallel()
	all := netip.MustParsePrefix("0.0.0.0/0")
	tests := []struct {
		name string
		make func()
		want string
	}{
		{name: "everybody is trusted", make: func() { guard.TrustProxies(all) }, want: "TrustProxies"},
		{name: "an invalid prefix", make: func() { guard.TrustProxies(netip.Prefix{}) }, want: "TrustProxies"},
		{name: "a header without a name", make: func() { guard.TrustHeader("", netip.MustParsePrefix("10.0.0.0/8")) }, want: "name is empty"},
		{name: "a header that is a list", make: func() { guard.TrustHeader("x-forwarded-for", netip.MustParsePrefix("10.0.0.0/8")) }, want: "list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "guard: ") || !strings.Contains(got, tt.want) {
					t.Errorf("got %q, want a panic with %q", got, tt.want)
				}
			}()
			tt.make()
		})
	}
	if p, err := guard.ParsePrefixes("10.0.0.0/8, nonsense", "0.0.0.0/0", "192.168.1.5/16"); err == nil || p != nil ||
		!strings.Contains(err.Error(), "nonsense") || !strings.Contains(err.Error(), "0.0.0.0/0") {
		t.Errorf("got %v %v, want an error that names every mistake", p, err)
	}
	if p, err := guard.ParsePrefixes("10.0.0.0/8, 192.0.2.1", ""); err != nil || len(p) != 2 {
		t.Errorf("got %v %v, want two prefixes", p, err)
	}
}
