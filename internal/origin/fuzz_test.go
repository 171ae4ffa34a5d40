package origin_test

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"testing"

	"github.com/routeguard/guard/internal/origin"
)

// FuzzParse: a good list is a list of what browsers could send. Each origin
// reads back as scheme, host and nothing else, survives a second Parse, and
// http.CrossOriginProtection takes it.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"https://a.example, http://localhost:3000", "http://[::1]:8080", "null", "https://*.example", "HTTPS://A.example:443/",
		"https://127.1", "http://[::ffff:127.0.0.1]", "https://user@a.example", "a.example", "https://a_b.example.:1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := origin.Parse(text)
		if err != nil {
			return
		}
		for _, o := range set.Origins() {
			u, err := url.Parse(o)
			if err != nil || u.Scheme+"://"+u.Host != o || u.Hostname() == "" {
				t.Errorf("%q: got %v, %v", o, u, err)
			}
			if err := http.NewCrossOriginProtection().AddTrustedOrigin(o); err != nil {
				t.Errorf("%q: got %v", o, err)
			}
			again, err := origin.Parse(o)
			if err != nil || !again.Contains(o) {
				t.Errorf("%q does not survive: %v", o, err)
			}
		}
	})
}

// FuzzCheck: a request passes only if http.CrossOriginProtection passes it,
// too; an Origin that decides is in the set or is http(s):// and Host; safe
// methods pass; null passes with same-origin alone; headers of proxies never change the verdict; the fields
// repeated, nothing unsafe passes.
func FuzzCheck(f *testing.F) {
	f.Add("POST", self, "https://"+self, "", false)
	f.Add("POST", self, "http://"+self, "same-origin", true)
	f.Add("PUT", self, "https://partner.example", "cross-site", true)
	f.Add("DELETE", "", "null", "", false)
	f.Add("POST", self, "null", "same-origin", false)
	f.Add("GET", "", "garbage://x", "same-site", false)
	f.Add("POST", "[::1]:80", "http://[::1]:80", "none", false)

	set := mustParse("https://partner.example")
	check := origin.NewCheck(set)
	plain := http.NewCrossOriginProtection()
	if err := plain.AddTrustedOrigin("https://partner.example"); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, host, from, site string, secure bool) {
		r := &http.Request{Method: method, Host: host, Header: http.Header{}}
		if secure {
			r.TLS = &tls.ConnectionState{}
		}
		if from != "" {
			r.Header.Set("Origin", from)
		}
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		passed := check.Check(r) == nil
		safe := method == "GET" || method == "HEAD" || method == "OPTIONS"

		if passed && plain.Check(r) != nil {
			t.Errorf("passed what CrossOriginProtection refuses: %+v", r)
		}
		if safe && !passed {
			t.Errorf("refused a safe method: %+v", r)
		}
		own := from == "https://"+host || from == "http://"+host && !secure
		if passed && !safe && from != "" && site == "" && !set.Contains(from) && !own {
			t.Errorf("passed Origin %q for Host %q", from, host)
		}
		if passed && !safe && from == "null" && site != "same-origin" {
			t.Errorf("passed Origin null with Sec-Fetch-Site %q", site)
		}
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Referer", "X-Forwarded-For"} {
			r.Header.Set(name, from)
		}
		if (check.Check(r) == nil) != passed {
			t.Errorf("headers of proxies changed the verdict: %+v", r)
		}
		for _, name := range []string{"Origin", "Sec-Fetch-Site"} {
			again := r.Clone(t.Context())
			again.Header.Add(name, from)
			again.Header.Add(name, from)
			if !safe && check.Check(again) == nil {
				t.Errorf("passed with repeated fields: %+v", again)
			}
		}
	})
}
