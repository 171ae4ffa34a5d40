package clientip_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/clientip"
)

func TestParsePrefixes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		list []string
		want string // the prefixes, by spaces
		errs []string
	}{
		{name: "nothing is nothing"},
		{name: "empty texts are nothing", list: []string{"", ""}},
		{name: "empty entries", list: []string{"10.0.0.0/8,,x,"}, errs: []string{"entry 2 of 4 is empty", `"x" is neither`, "entry 4 of 4 is empty"}},
		{name: "networks and addresses", list: []string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "2001:db8::1"}, want: "10.0.0.0/8 192.0.2.1/32 2001:db8::/32 2001:db8::1/128"},
		{name: "comma separated with spaces", list: []string{" 10.0.0.0/8 ,192.0.2.1", "", "fd00::/8"}, want: "10.0.0.0/8 192.0.2.1/32 fd00::/8"},
		{name: "a mapped address is the IPv4 one", list: []string{"::ffff:192.0.2.1"}, want: "192.0.2.1/32"},
		{name: "a mapped network is the IPv4 one", list: []string{"::ffff:10.0.0.0/104"}, want: "10.0.0.0/8"},
		{name: "the shortest networks", list: []string{"10.0.0.0/8", "fc00::/7"}, want: "10.0.0.0/8 fc00::/7"},
		{name: "everyone in IPv4", list: []string{"0.0.0.0/0"}, errs: []string{`"0.0.0.0/0" trusts everyone`}},
		{name: "everyone in IPv6", list: []string{"::/0"}, errs: []string{`"::/0" trusts everyone`}},
		{name: "a zero length with host bits", list: []string{"10.0.0.1/0"}, errs: []string{`"10.0.0.1/0" trusts everyone`}},
		{name: "everyone in IPv4, mapped", list: []string{"::ffff:0.0.0.0/96"}, errs: []string{`"0.0.0.0/0" trusts everyone`}},
		{name: "everyone in two halves", list: []string{"0.0.0.0/1, 128.0.0.0/1"}, errs: []string{`"0.0.0.0/1" is wider than any proxy network: use /8 or longer`, `"128.0.0.0/1" is wider`}},
		{name: "all of IPv6 that is routed", list: []string{"2000::/3"}, errs: []string{`"2000::/3" is wider than any proxy network: use /7 or longer`}},
		{name: "just too wide", list: []string{"10.0.0.0/7", "fc00::/6"}, errs: []string{`"10.0.0.0/7" is wider`, `"fc00::/6" is wider`}},
		{name: "host bits", list: []string{"10.1.2.3/8"}, errs: []string{`"10.1.2.3/8" has host bits set: write "10.0.0.0/8" for the network or "10.1.2.3" for the address`}},
		{name: "host bits in IPv6", list: []string{"2001:db8::1/32"}, errs: []string{`write "2001:db8::/32"`}},
		{name: "host bits in a mapped network", list: []string{"::ffff:10.1.2.3/104"}, errs: []string{`write "10.0.0.0/8"`}},
		{name: "a mapped network shorter than its mark", list: []string{"::ffff:0.0.0.0/90"}, errs: []string{`has host bits set`}},
		{name: "a zone", list: []string{"fe80::1%eth0", "fe80::%eth0/10"}, errs: []string{`"fe80::1%eth0" has a zone`, `"fe80::%eth0/10" has a zone`}},
		{name: "a host name", list: []string{"localhost"}, errs: []string{`"localhost" is neither an IP address nor a network`}},
		{name: "a port", list: []string{"10.0.0.1:80"}, errs: []string{`"10.0.0.1:80" is neither`}},
		{name: "brackets", list: []string{"[::1]"}, errs: []string{`"[::1]" is neither`}},
		{name: "a wildcard", list: []string{"*", "10.*"}, errs: []string{`"*" is neither`, `"10.*" is neither`}},
		{name: "leading zeros", list: []string{"010.0.0.0/8"}, errs: []string{`"010.0.0.0/8" is not a network`}},
		{name: "a bad length", list: []string{"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8/8"}, errs: []string{`"10.0.0.0/33"`, `"10.0.0.0/"`, `"10.0.0.0/08"`, `"10.0.0.0/-1"`, `"10.0.0.0/8/8"`}},
		{name: "a net mask", list: []string{"10.0.0.0/255.0.0.0"}, errs: []string{`"10.0.0.0/255.0.0.0" is not a network`}},
		{name: "spaces inside", list: []string{"10.0.0.0 /8", "10.0.0.1 10.0.0.2"}, errs: []string{`"10.0.0.0 /8"`, `"10.0.0.1 10.0.0.2"`}},
		{name: "every mistake, one a line, good ones between", list: []string{"x, 10.0.0.0/8", "0.0.0.0/0", "192.0.2.1", "10.1.2.3/8"}, errs: []string{`"x"`, `"0.0.0.0/0"`, `"10.1.2.3/8"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := clientip.ParsePrefixes(tt.list...)
			if text := strings.Trim(fmt.Sprint(got), "[]"); text != tt.want {
				t.Errorf("got %v, want %v", text, tt.want)
			}
			checkLines(t, err, tt.errs)
		})
	}
}

// checkLines expects err to have one line for each text, in order.
func checkLines(t *testing.T, err error, texts []string) {
	t.Helper()
	if len(texts) == 0 {
		if err != nil {
			t.Errorf("got error %v, want none", err)
		}
		return
	}
	if err == nil {
		t.Fatalf("got no error, want %q", texts)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(texts) {
		t.Fatalf("got %d mistakes, want %d:\n%v", len(lines), len(texts), err)
	}
	for i, text := range texts {
		if !strings.Contains(lines[i], text) {
			t.Errorf("got %q, want %q", lines[i], text)
		}
	}
}

func TestConstructorsListEveryMistake(t *testing.T) {
	t.Parallel()
	bad := []netip.Prefix{
		{},
		netip.MustParsePrefix("0.0.0.0/0"),
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("10.1.2.3/8"),
		netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), 33),
		netip.MustParsePrefix("::ffff:0.0.0.0/96"),
	}
	mistakes := []string{"a prefix is invalid", `"0.0.0.0/0" trusts everyone`, `"10.1.2.3/8" has host bits`, "a prefix is invalid", `"0.0.0.0/0" trusts everyone`}

	source, err := clientip.Proxies(bad...)
	checkLines(t, err, mistakes)
	checkTrustsNobody(t, source)

	source, err = clientip.Header("X Real IP", bad...)
	checkLines(t, err, append([]string{`header name "X Real IP" is not a token`}, mistakes...))
	checkTrustsNobody(t, source)
}

// checkTrustsNobody makes sure that a caller who drops an error fails closed.
func checkTrustsNobody(t *testing.T, source clientip.Source) {
	t.Helper()
	h := headers("X-Forwarded-For", "203.0.113.9")
	h.Set("X-Real-IP", "203.0.113.9")
	if got := source.Find(request(proxy, h)); got.TrustedPeer || got.Addr != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("got %+v, want the peer", got)
	}
}

func TestHeaderNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want string // "" if the name is good
	}{
		{name: "CF-Connecting-IP"},
		{name: "true-client-ip"},
		{name: "X_Client_IP"},
		{name: "X-Real-IP"},
		{name: "", want: "name is empty"},
		{name: "X Real IP", want: "not a token"},
		{name: "X-Real-IP:", want: "not a token"},
		{name: "X-R\u00e9al-IP", want: "not a token"},
		{name: "x-forwarded-for", want: "use Proxies"},
		{name: "FORWARDED", want: "use Proxies"},
		{name: "host", want: "never holds"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := clientip.Header(tt.name, trusted...)
			if tt.want == "" {
				checkLines(t, err, nil)
				return
			}
			checkLines(t, err, []string{tt.want})
		})
	}
}

// The sorted set must answer as a search through all prefixes does, with
// nested, equal and adjacent prefixes of both families.
func TestTrustedSetMatchesLinearSearch(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	randomAddr := func() netip.Addr {
		if rng.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, byte(rng.IntN(3)), byte(rng.IntN(3)), byte(rng.Uint32())})
		}
		return netip.AddrFrom16([16]byte{0xfd, 0, 0, byte(rng.IntN(3)), 15: byte(rng.Uint32())})
	}
	for range 300 {
		var prefixes []netip.Prefix
		for range rng.IntN(12) {
			addr := randomAddr()
			bits := 8 + rng.IntN(addr.BitLen()-7)
			prefixes = append(prefixes, netip.PrefixFrom(addr, bits).Masked())
		}
		source := must(clientip.Proxies(prefixes...))
		for range 50 {
			addr := randomAddr()
			want := false
			for _, p := range prefixes {
				want = want || p.Contains(addr)
			}
			got := source.Find(request(netip.AddrPortFrom(addr, 80).String(), nil))
			if got.TrustedPeer != want {
				t.Fatalf("%v in %v: got %v, want %v", addr, prefixes, got.TrustedPeer, want)
			}
		}
	}
}
