package origin_test

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/origin"
)

func mustParse(list ...string) origin.Set {
	set, err := origin.Parse(list...)
	if err != nil {
		panic(err)
	}
	return set
}

func TestParse(t *testing.T) {
	t.Parallel()
	label63 := strings.Repeat("a", 63)
	host253 := strings.Repeat(label63+".", 3) + strings.Repeat("a", 61)
	tests := []struct {
		name string
		list []string
		want []string
		errs []string
	}{
		{name: "nothing is the empty set"},
		{name: "empty texts are nothing", list: []string{"", ""}},
		{name: "empty entries", list: []string{"https://a.example,,x,"}, errs: []string{"entry 2 of 4 is empty", "is not scheme://host", "entry 4 of 4 is empty"}},
		{name: "exact origins", list: []string{"https://app.example.com", "http://localhost:3000"}, want: []string{"http://localhost:3000", "https://app.example.com"}},
		{name: "comma separated with spaces, twice the same", list: []string{" https://b.example , https://a.example", "", "https://b.example"}, want: []string{"https://a.example", "https://b.example"}},
		{name: "punycode", list: []string{"https://xn--bcher-kva.example"}, want: []string{"https://xn--bcher-kva.example"}},
		{name: "an underscore", list: []string{"https://my_app.example"}, want: []string{"https://my_app.example"}},
		{name: "a final dot is another origin", list: []string{"https://app.example."}, want: []string{"https://app.example."}},
		{name: "IPv4", list: []string{"http://127.0.0.1:8080"}, want: []string{"http://127.0.0.1:8080"}},
		{name: "IPv6", list: []string{"http://[::1]:8080", "https://[2001:db8::1]"}, want: []string{"http://[::1]:8080", "https://[2001:db8::1]"}},
		{name: "IPv4-mapped in hexadecimal", list: []string{"http://[::ffff:7f00:1]"}, want: []string{"http://[::ffff:7f00:1]"}},
		{name: "the other scheme's default port", list: []string{"http://a.example:443", "https://a.example:80"}, want: []string{"http://a.example:443", "https://a.example:80"}},
		{name: "the highest port", list: []string{"https://a.example:65535"}, want: []string{"https://a.example:65535"}},
		{name: "the longest host", list: []string{"https://" + host253 + ".:65535"}, want: []string{"https://" + host253 + ".:65535"}},

		{name: "null", list: []string{"null"}, errs: []string{`origin "null" can be sent by any page: no origin is called so`}},
		{name: "a star", list: []string{"*"}, errs: []string{`is not scheme://host`}},
		{name: "a wildcard host", list: []string{"https://*.example.com"}, errs: []string{`has a wildcard: list each origin`}},
		{name: "a wildcard port", list: []string{"https://app.example.com:*"}, errs: []string{`has a wildcard`}},
		{name: "no scheme", list: []string{"app.example.com"}, errs: []string{`is not scheme://host, as in https://app.example.com: write "https://app.example.com"`}},
		{name: "no scheme but a port", list: []string{"localhost:3000"}, errs: []string{`write "https://localhost:3000"`}},
		{name: "one slash", list: []string{"https:/app.example.com"}, errs: []string{`is not scheme://host, as in https://app.example.com`}},
		{name: "only a scheme", list: []string{"https://", "https", "://a.example"}, errs: []string{`has no host`, `is not scheme://host`, `is neither http nor https`}},
		{name: "only a port", list: []string{"https://:8080"}, errs: []string{`has no host`}},
		{name: "another scheme", list: []string{"ws://a.example", "file://", "chrome-extension://abcdefghijklmnop"}, errs: []string{`is neither http nor https`, `is neither http nor https`, `is neither http nor https`}},
		{name: "upper case in the scheme", list: []string{"HTTPS://a.example"}, errs: []string{`has upper-case letters: write "https://a.example"`}},
		{name: "upper case in the host", list: []string{"https://App.Example"}, errs: []string{`has upper-case letters: write "https://app.example"`}},
		{name: "a default port", list: []string{"https://a.example:443", "http://a.example:80"}, errs: []string{`default port, which browsers leave out: write "https://a.example"`, `write "http://a.example"`}},
		{name: "a final slash", list: []string{"https://a.example/"}, errs: []string{`has a path or a final slash: write "https://a.example"`}},
		{name: "a path", list: []string{"https://a.example/app"}, errs: []string{`write "https://a.example"`}},
		{name: "a backslash", list: []string{`https://a.example\b`}, errs: []string{`has a path or a final slash`}},
		{name: "a query", list: []string{"https://a.example?b"}, errs: []string{`has a query: write "https://a.example"`}},
		{name: "a fragment", list: []string{"https://a.example:8443#b"}, errs: []string{`has a fragment: write "https://a.example:8443"`}},
		{name: "a user", list: []string{"https://user@a.example", "https://a.example@evil.example"}, errs: []string{`has a user name: write "https://a.example"`, `has a user name: write "https://evil.example"`}},
		{name: "a name with umlauts", list: []string{"https://b\u00fccher.example"}, errs: []string{`write the host in punycode`}},
		{name: "a Kelvin sign", list: []string{"https://\u212a.example"}, errs: []string{`write the host in punycode`}},
		{name: "spaces inside", list: []string{"https://a.example https://b.example"}, errs: []string{`has a path or a final slash`}},
		{name: "a space in the host", list: []string{"https://a example"}, errs: []string{`has a character that no host has`}},
		{name: "a percent sign", list: []string{"https://%61.example"}, errs: []string{`has a character that no host has`}},
		{name: "a NUL", list: []string{"https://a\x00.example"}, errs: []string{`has a character that no host has`}},
		{name: "empty labels", list: []string{"https://.a.example", "https://a..example", "https://.", "https://a.example.."}, errs: []string{`has an empty label`, `has an empty label`, `has an empty label`, `has an empty label`}},
		{name: "a long label", list: []string{"https://" + label63 + "a.example"}, errs: []string{`has a label longer than 63 bytes`}},
		{name: "a long host", list: []string{"https://" + host253 + ".a"}, errs: []string{`has a host longer than 254 bytes`}},
		{name: "a long text", list: []string{"https://" + strings.Repeat("a.", 200)}, errs: []string{`is longer than any origin`}},
		{name: "bad ports", list: []string{"https://a.example:", "https://a.example:0", "https://a.example:08443", "https://a.example:65536", "https://a.example:+1", "https://a.example:http"}, errs: []string{`has a bad port`, `has a bad port`, `has a bad port`, `has a bad port`, `has a bad port`, `has a bad port`}},
		{name: "two ports", list: []string{"https://a.example:1:2"}, errs: []string{`has several colons`}},
		{name: "IPv6 without brackets", list: []string{"http://::1"}, errs: []string{`an IPv6 address needs brackets`}},
		{name: "unusual IPv4", list: []string{"http://127.1", "http://127.0.0.01", "http://0x7f.0.0.0x1", "http://2130706433", "http://127.0.0.1."}, errs: []string{`numeric host`, `numeric host`, `numeric host`, `numeric host`, `numeric host`}},
		{name: "unusual IPv6", list: []string{"http://[0:0:0:0:0:0:0:1]", "http://[::ffff:127.0.0.1]"}, errs: []string{`write "http://[::1]"`, `write "http://[::ffff:7f00:1]"`}},
		{name: "a zone", list: []string{"http://[fe80::1%25eth0]:80"}, errs: []string{`has a zone, which browsers leave out: write "http://[fe80::1]"`}},
		{name: "bad brackets", list: []string{"http://[::1", "http://[127.0.0.1]", "http://[]", "http://[::1]x"}, errs: []string{`brackets that do not match`, `not an IPv6 address`, `not an IPv6 address`, `brackets that do not match`}},
		{name: "every mistake, one a line, good ones between", list: []string{"null, https://a.example", "https://B.example", "http://localhost:80"}, errs: []string{`"null"`, `"https://b.example"`, `"http://localhost"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set, err := origin.Parse(tt.list...)
			if got := set.Origins(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			checkLines(t, err, tt.errs)
			for _, o := range tt.want {
				if !set.Contains(o) {
					t.Errorf("%q is not in the set", o)
				}
			}
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

func TestSetIsImmutable(t *testing.T) {
	t.Parallel()
	set := mustParse("https://a.example")
	set.Origins()[0] = "https://evil.example"
	if set.Contains("https://evil.example") || !set.Contains("https://a.example") {
		t.Errorf("a copy of the origins changed the set: %q", set.Origins())
	}
}

const self = "app.example.com"

type row struct {
	name    string
	method  string // default: POST
	host    string // default: self
	noHost  bool
	origins []string
	sites   []string
	other   http.Header
	tls     bool
	refused string // part of the reason; "" passes
}

func (row row) request() *http.Request {
	r := &http.Request{Method: row.method, Host: row.host, Header: http.Header{}}
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	if r.Host == "" && !row.noHost {
		r.Host = self
	}
	for _, o := range row.origins {
		r.Header.Add("Origin", o)
	}
	for _, s := range row.sites {
		r.Header.Add("Sec-Fetch-Site", s)
	}
	for k, v := range row.other {
		r.Header[k] = v
	}
	if row.tls {
		r.TLS = &tls.ConnectionState{}
	}
	return r
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const (
		crossSite  = "cross-origin request detected from Sec-Fetch-Site"
		crossOld   = "Origin does not match Host"
		badOrigin  = "not the serialized origin"
		badSite    = "Sec-Fetch-Site has a value"
		manySites  = "several Sec-Fetch-Site"
		manyOrigin = "several Origin"
		noHost     = "no Host"
		downgrade  = "field Origin is http on a connection with TLS"
	)
	same, evil, partner := []string{"https://" + self}, []string{"https://evil.example"}, []string{"https://partner.example"}
	rows := []row{
		// Methods.
		{name: "GET passes from anywhere", method: "GET", origins: evil, sites: []string{"cross-site"}},
		{name: "HEAD passes from anywhere", method: "HEAD", origins: evil},
		{name: "OPTIONS passes from anywhere, as preflights do", method: "OPTIONS", origins: evil, sites: []string{"cross-site"}},
		{name: "GET passes without Host", method: "GET", noHost: true},
		{name: "POST from elsewhere", origins: evil, sites: []string{"cross-site"}, refused: crossSite},
		{name: "PUT from elsewhere", method: "PUT", sites: []string{"cross-site"}, refused: crossSite},
		{name: "PATCH from elsewhere", method: "PATCH", sites: []string{"cross-site"}, refused: crossSite},
		{name: "DELETE from elsewhere", method: "DELETE", sites: []string{"cross-site"}, refused: crossSite},
		{name: "TRACE is not safe", method: "TRACE", sites: []string{"cross-site"}, refused: crossSite},
		{name: "CONNECT is not safe", method: "CONNECT", sites: []string{"cross-site"}, refused: crossSite},
		{name: "QUERY is not on the list of safe methods", method: "QUERY", sites: []string{"cross-site"}, refused: crossSite},
		{name: "get in lower case is not GET", method: "get", sites: []string{"cross-site"}, refused: crossSite},
		{name: "an unknown method is not safe", method: "GETX", origins: evil, refused: crossOld},

		// Sec-Fetch-Site.
		{name: "same-origin passes", sites: []string{"same-origin"}},
		{name: "same-origin with Origin passes", origins: same, sites: []string{"same-origin"}},
		{name: "same-origin passes though a proxy changed Host", host: "backend:8080", origins: same, sites: []string{"same-origin"}},
		{name: "none passes", sites: []string{"none"}},
		{name: "same-site is not same-origin", sites: []string{"same-site"}, refused: crossSite},
		{name: "same-site is not same-origin, whatever Origin says", origins: same, sites: []string{"same-site"}, refused: crossSite},
		{name: "a sibling host is another origin", origins: []string{"https://other.example.com"}, sites: []string{"same-site"}, refused: crossSite},
		{name: "cross-site without Origin", sites: []string{"cross-site"}, refused: crossSite},
		{name: "cross-site with the own Origin", origins: same, sites: []string{"cross-site"}, refused: crossSite},
		{name: "an empty Sec-Fetch-Site is not none", sites: []string{""}, refused: badSite},
		{name: "an empty Sec-Fetch-Site does not fall back to Origin", origins: same, sites: []string{""}, refused: badSite},
		{name: "an unknown Sec-Fetch-Site", origins: same, sites: []string{"same-orgin"}, refused: badSite},
		{name: "Sec-Fetch-Site in upper case", sites: []string{"Same-Origin"}, refused: badSite},
		{name: "Sec-Fetch-Site with spaces", sites: []string{" same-origin"}, refused: badSite},
		{name: "Sec-Fetch-Site with parameters", sites: []string{"same-origin;v=1"}, refused: badSite},
		{name: "Sec-Fetch-Site as a string", sites: []string{`"same-origin"`}, refused: badSite},
		{name: "Sec-Fetch-Site as a list", sites: []string{"same-origin, cross-site"}, refused: badSite},
		{name: "an unknown Sec-Fetch-Site from a trusted origin", origins: partner, sites: []string{"anything"}, refused: badSite},
		{name: "two Sec-Fetch-Site fields, good one first", sites: []string{"same-origin", "cross-site"}, refused: manySites},
		{name: "two Sec-Fetch-Site fields, good one last", sites: []string{"cross-site", "same-origin"}, refused: manySites},
		{name: "two equal Sec-Fetch-Site fields", sites: []string{"same-origin", "same-origin"}, refused: manySites},

		// Origin without Sec-Fetch-Site.
		{name: "neither field passes: not a browser"},
		{name: "the own https origin passes", origins: same},
		{name: "the own http origin passes without TLS of our own", origins: []string{"http://" + self}},
		{name: "the own origin with port passes", host: "localhost:8080", origins: []string{"http://localhost:8080"}},
		{name: "the own IPv6 origin passes", host: "[::1]:8080", origins: []string{"http://[::1]:8080"}},
		{name: "another host", origins: evil, refused: crossOld},
		{name: "another port", host: "localhost:8080", origins: []string{"http://localhost:9090"}, refused: crossOld},
		{name: "no port is another port", host: "localhost:8080", origins: []string{"http://localhost"}, refused: crossOld},
		{name: "a subdomain", origins: []string{"https://x." + self}, refused: crossOld},
		{name: "the parent domain", origins: []string{"https://example.com"}, refused: crossOld},
		{name: "the host as a prefix", origins: []string{"https://" + self + ".evil.example"}, refused: crossOld},
		{name: "the host as a suffix", origins: []string{"https://evil" + self}, refused: crossOld},
		{name: "a final dot is another origin", origins: []string{"https://" + self + "."}, refused: crossOld},
		{name: "null", origins: []string{"null"}, refused: badOrigin},
		{name: "null with cross-site", origins: []string{"null"}, sites: []string{"cross-site"}, refused: badOrigin},
		{name: "null with same-origin, from a form under no-referrer", origins: []string{"null"}, sites: []string{"same-origin"}},
		{name: "null with same-site", origins: []string{"null"}, sites: []string{"same-site"}, refused: badOrigin},
		{name: "null with none", origins: []string{"null"}, sites: []string{"none"}, refused: badOrigin},
		{name: "NULL", origins: []string{"NULL"}, refused: badOrigin},
		{name: "an empty Origin", origins: []string{""}, refused: badOrigin},
		{name: "an empty Origin with same-origin", origins: []string{""}, sites: []string{"same-origin"}, refused: badOrigin},
		{name: "another scheme on the own host", origins: []string{"garbage://" + self}, refused: badOrigin},
		{name: "a file scheme on the own host", origins: []string{"file://" + self}, refused: badOrigin},
		{name: "a browser extension", origins: []string{"chrome-extension://abcdefghijklmnop"}, sites: []string{"none"}, refused: badOrigin},
		{name: "no scheme", origins: []string{"//" + self}, refused: badOrigin},
		{name: "only the host", origins: []string{self}, refused: badOrigin},
		{name: "a final slash", origins: []string{"https://" + self + "/"}, refused: badOrigin},
		{name: "a path", origins: []string{"https://" + self + "/x"}, refused: badOrigin},
		{name: "a user that looks like the host", origins: []string{"https://" + self + "@evil.example"}, refused: badOrigin},
		{name: "the own host behind a user", origins: []string{"https://evil.example@" + self}, refused: badOrigin},
		{name: "the own host as fragment", origins: []string{"https://evil.example#" + self}, refused: badOrigin},
		{name: "a backslash", origins: []string{`https://evil.example\@` + self}, refused: badOrigin},
		{name: "upper case", origins: []string{"https://App.Example.Com"}, refused: badOrigin},
		{name: "upper case in both", host: "App.Example.Com", origins: []string{"https://App.Example.Com"}, refused: badOrigin},
		{name: "a default port", host: self + ":443", origins: []string{"https://" + self + ":443"}, refused: badOrigin},
		{name: "two origins in one field", origins: []string{"https://" + self + " https://evil.example"}, refused: badOrigin},
		{name: "two origins with a comma", origins: []string{"https://" + self + ",https://evil.example"}, refused: badOrigin},
		{name: "spaces around", origins: []string{" https://" + self}, refused: badOrigin},
		{name: "a NUL", origins: []string{"https://" + self + "\x00"}, refused: badOrigin},
		{name: "a very long Origin", origins: []string{"https://" + strings.Repeat("a", 1<<20)}, refused: badOrigin},
		{name: "two Origin fields, good one first", origins: []string{"https://" + self, "https://evil.example"}, refused: manyOrigin},
		{name: "two Origin fields, good one last", origins: []string{"https://evil.example", "https://" + self}, refused: manyOrigin},
		{name: "two equal Origin fields", origins: []string{"https://" + self, "https://" + self}, refused: manyOrigin},
		{name: "two Origin fields with same-origin", origins: []string{"https://" + self, "https://" + self}, sites: []string{"same-origin"}, refused: manyOrigin},
		{name: "two trusted Origin fields", origins: []string{"https://partner.example", "https://partner.example"}, refused: manyOrigin},

		// Host.
		{name: "no Host", noHost: true, refused: noHost},
		{name: "no Host and null", noHost: true, origins: []string{"null"}, refused: noHost},
		{name: "no Host and an opaque Origin", noHost: true, origins: []string{"data:text/html"}, refused: noHost},
		{name: "no Host and same-origin", noHost: true, sites: []string{"same-origin"}, refused: noHost},
		{name: "no Host and a trusted Origin", noHost: true, origins: partner, refused: noHost},

		// TLS.
		{name: "the own https origin passes with TLS", origins: same, tls: true},
		{name: "the own http origin with TLS", origins: []string{"http://" + self}, tls: true, refused: downgrade},
		{name: "the own http origin with TLS and same-origin", origins: []string{"http://" + self}, sites: []string{"same-origin"}, tls: true, refused: downgrade},
		{name: "neither field passes with TLS", tls: true},
		{name: "a trusted http origin passes with TLS", origins: []string{"http://localhost:3000"}, sites: []string{"cross-site"}, tls: true},

		// Trusted origins.
		{name: "a trusted origin passes", origins: partner},
		{name: "a trusted origin passes with cross-site", origins: partner, sites: []string{"cross-site"}},
		{name: "a trusted origin passes with same-site", origins: partner, sites: []string{"same-site"}},
		{name: "a trusted host with another scheme", origins: []string{"http://partner.example"}, sites: []string{"cross-site"}, refused: crossSite},
		{name: "a trusted host with a port", origins: []string{"https://partner.example:8443"}, refused: crossOld},
		{name: "a trusted host with its default port", origins: []string{"https://partner.example:443"}, refused: badOrigin},
		{name: "a trusted host in upper case", origins: []string{"https://Partner.example"}, refused: badOrigin},
		{name: "a subdomain of a trusted host", origins: []string{"https://x.partner.example"}, refused: crossOld},
		{name: "a trusted host as prefix", origins: []string{"https://partner.example.evil.example"}, refused: crossOld},

		// Other headers.
		{name: "X-Forwarded-Host changes nothing", origins: evil, other: http.Header{"X-Forwarded-Host": {"evil.example"}}, refused: crossOld},
		{name: "Forwarded changes nothing", origins: evil, other: http.Header{"Forwarded": {"host=evil.example;proto=https"}}, refused: crossOld},
		{name: "X-Original-Host changes nothing", origins: evil, other: http.Header{"X-Original-Host": {"evil.example"}}, refused: crossOld},
		{name: "a Host field in the header changes nothing", origins: evil, other: http.Header{"Host": {"evil.example"}}, refused: crossOld},
		{name: "X-Forwarded-Proto does not make TLS", origins: []string{"http://" + self}, other: http.Header{"X-Forwarded-Proto": {"https"}}},
		{name: "X-Forwarded-Proto does not take TLS away", origins: []string{"http://" + self}, other: http.Header{"X-Forwarded-Proto": {"http"}}, tls: true, refused: downgrade},
		{name: "Referer does not replace Origin", sites: []string{"cross-site"}, other: http.Header{"Referer": {"https://" + self + "/"}}, refused: crossSite},
		{name: "X-HTTP-Method-Override does not make it safe", origins: evil, other: http.Header{"X-Http-Method-Override": {"GET"}}, refused: crossOld},
		{name: "Sec-Fetch-Mode alone changes nothing", origins: evil, other: http.Header{"Sec-Fetch-Mode": {"same-origin"}}, refused: crossOld},
	}
	check := origin.NewCheck(mustParse("https://partner.example", "http://localhost:3000"))
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := check.Check(row.request())
			if row.refused == "" {
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.refused) {
				t.Errorf("got %v, want %q", err, row.refused)
			}
		})
	}
}

func TestZeroAndNilCheck(t *testing.T) {
	t.Parallel()
	var zero origin.Check
	if err := zero.Check(row{origins: []string{"https://" + self}}.request()); err != nil {
		t.Errorf("zero value, own origin: got %v, want no error", err)
	}
	if err := zero.Check(row{origins: []string{"https://evil.example"}}.request()); err == nil {
		t.Errorf("zero value, foreign origin: got no error")
	}
	var none *origin.Check
	if err := none.Check(row{method: http.MethodGet}.request()); err == nil {
		t.Errorf("nil: got no error")
	}
}

// The log may show the reason, so it must not hold what the client wrote.
func TestReasonsHoldNothingFromTheRequest(t *testing.T) {
	t.Parallel()
	var check origin.Check
	for _, row := range []row{
		{origins: []string{"marker://x"}},
		{origins: []string{"https://marker.example"}},
		{sites: []string{"marker"}},
		{origins: []string{"https://marker.example"}, sites: []string{"cross-site"}},
	} {
		err := check.Check(row.request())
		if err == nil || strings.Contains(err.Error(), "marker") {
			t.Errorf("got %v", err)
		}
	}
}

func TestCheckAllocatesNothingForCurrentBrowsers(t *testing.T) {
	check := origin.NewCheck(mustParse("https://partner.example"))
	for _, row := range []row{
		{name: "same-origin", origins: []string{"https://" + self}, sites: []string{"same-origin"}},
		{name: "trusted", origins: []string{"https://partner.example"}, sites: []string{"cross-site"}},
		{name: "foreign", origins: []string{"https://evil.example"}, sites: []string{"cross-site"}},
		{name: "not a browser"},
	} {
		r := row.request()
		if n := testing.AllocsPerRun(100, func() { _ = check.Check(r) }); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", row.name, n)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	check := origin.NewCheck(mustParse("https://partner.example"))
	for _, row := range []row{
		{name: "same-origin", origins: []string{"https://" + self}, sites: []string{"same-origin"}},
		{name: "old browser", origins: []string{"https://" + self}},
		{name: "not a browser"},
	} {
		b.Run(row.name, func(b *testing.B) {
			r := row.request()
			b.ReportAllocs()
			for b.Loop() {
				_ = check.Check(r)
			}
		})
	}
}
