package clientip_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/clientip"
)

var (
	fuzzSources = []clientip.Source{xff, fwd, single}
	fuzzHeaders = []string{"X-Forwarded-For", "Forwarded", "Cf-Connecting-Ip"}
	fuzzSeeds   = []string{
		"", ",", "garbage", "203.0.113.9", "203.0.113.9:80, 10.0.0.2", "[2001:db8::9%eth0]:80", "::ffff:10.0.0.2",
		"1.1.1.1,,10.0.0.2", "10.0.0.2, 10.0.0.3", "for=203.0.113.9", `for="[2001:db8::9]:80";by=_x, for=10.0.0.2`,
		`for="1.1.1.1, for=203.0.113.9`, `for="\2\0.1.1.1";e="a\",\\"`, `for="[::ffff:10.0.0.2]"`, `e="\`,
	}
)

func addSeeds(f *testing.F) {
	for i, a := range fuzzSeeds {
		for j := range fuzzSources {
			f.Add(j, proxy, a, fuzzSeeds[(i+j+1)%len(fuzzSeeds)])
			f.Add(j, client, a, "203.0.113.9")
		}
	}
}

// FuzzFind: it never panics; a peer that is not trusted is always the result;
// a result that is not the peer stands in the configured header, as text.
func FuzzFind(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, which int, peer, first, second string) {
		which = int(uint(which) % uint(len(fuzzSources)))
		h := headers(fuzzHeaders[which], first, second)
		got := fuzzSources[which].Find(request(peer, h))
		alone := clientip.Source{}.Find(request(peer, nil)).Addr

		if got.TrustedPeer && !anyContains(trusted, alone) {
			t.Errorf("peer %q is trusted", peer)
		}
		if got.Addr.Zone() != "" || got.Addr.Is4In6() {
			t.Errorf("got %v with zone or mapped", got.Addr)
		}
		if got.Addr == alone {
			return
		}
		if !got.TrustedPeer {
			t.Errorf("got %v from peer %q, want the peer", got.Addr, peer)
		}
		if !standsIn(h[fuzzHeaders[which]], got.Addr) {
			t.Errorf("got %v, which is not in %q", got.Addr, h)
		}
	})
}

// FuzzPrepend: if the right part of a list leads to an address that is not
// trusted, then nothing to the left of it, in the same field or in earlier
// ones, changes the result.
func FuzzPrepend(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, which int, _, attack, right string) {
		which = int(uint(which) % 2) // a single header is no list
		source, name := fuzzSources[which], fuzzHeaders[which]
		want := source.Find(request(proxy, headers(name, right)))
		if anyContains(trusted, want.Addr) {
			return
		}
		for _, h := range []http.Header{
			headers(name, attack+","+right),
			headers(name, attack+", "+right),
			headers(name, attack, right),
			headers(name, attack+`"`+`,`+right),
			headers(name, attack+`\`+`,`+right),
		} {
			if got := source.Find(request(proxy, h)); got != want {
				t.Errorf("got %v for %q, want %v", got, h, want)
			}
		}
	})
}

// FuzzXForwardedFor: short lists give what a plain implementation gives, that
// splits at commas and parses with netip.
func FuzzXForwardedFor(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, _ int, _, first, second string) {
		all := first + "," + second
		if strings.Contains(all, "%") || len(all) > 8<<10 || strings.Count(all, ",") > 60 {
			return // zones and bounds are narrower than netip's, on purpose
		}
		want := netip.MustParseAddr("10.0.0.1")
		entries := strings.Split(all, ",")
		for i := len(entries) - 1; i >= 0 && anyContains(trusted, want); i-- {
			addr, ok := plainParse(strings.Trim(entries[i], " \t"))
			if !ok || addr.IsUnspecified() || addr.IsMulticast() || addr.String() == "255.255.255.255" {
				break
			}
			want = addr
		}
		if got := xff.Find(request(proxy, headers("X-Forwarded-For", first, second))); got.Addr != want {
			t.Errorf("got %v, want %v", got.Addr, want)
		}
	})
}

func plainParse(s string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap(), true
	}
	if strings.HasSuffix(s, "]") {
		s += ":1"
	}
	ap, err := netip.ParseAddrPort(s)
	port := s[strings.LastIndexByte(s, ':')+1:]
	return ap.Addr().Unmap(), err == nil && len(port) <= 5
}

func anyContains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// standsIn reports whether addr is spelled out in fields.
func standsIn(fields []string, addr netip.Addr) bool {
	words := strings.FieldsFunc(strings.ReplaceAll(strings.Join(fields, ","), `\`, ""), func(r rune) bool {
		return strings.ContainsRune(",;=\"[] \t", r)
	})
	for _, word := range words {
		host, _, _ := strings.Cut(word, "%")
		if a, err := netip.ParseAddr(host); err == nil && a.Unmap() == addr {
			return true
		}
		if host, _, found := strings.Cut(word, ":"); found {
			if a, err := netip.ParseAddr(host); err == nil && a == addr {
				return true
			}
		}
	}
	return false
}
