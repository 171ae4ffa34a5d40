// Package origin decides whether a browser may send a request from where it does.
//
// It is the defense against cross-site request forgery (CSRF) for credentials
// that a browser attaches by itself. [Check] puts a strict reader in front of
// [http.CrossOriginProtection]; it never lets pass what the latter refuses.
package origin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/routeguard/guard/internal/list"
)

// Set is a list of exact origins that may send besides the service's own.
//
// The zero value is empty. A Set is immutable and safe for concurrent use.
type Set struct {
	origins []string // sorted, unique
}

// Parse reads exact origins, as browsers send them in Origin fields.
//
// An origin is http or https, a lower-case host in ASCII and a port unless it
// is the scheme's default: https://app.example.com or http://localhost:3000.
// Each text may be a comma-separated list, as [list.Parse] reads it. Anything
// that no browser would send is refused, since it would silently never match.
// The error lists every mistake and what to write instead.
func Parse(texts ...string) (Set, error) {
	var origins []string
	err := list.Parse(texts, func(text string) error {
		origins = append(origins, text)
		return explain(text)
	})
	if err != nil {
		return Set{}, err
	}
	slices.Sort(origins)
	return Set{origins: slices.Compact(origins)}, nil
}

// Contains reports whether origin is in the set, byte for byte.
func (s Set) Contains(origin string) bool {
	_, found := slices.BinarySearch(s.origins, origin)
	return found
}

// Origins returns the origins in alphabetical order. The slice is a copy.
func (s Set) Origins() []string { return slices.Clone(s.origins) }

// Check refuses requests that a foreign web page made a browser send.
//
// The zero value trusts no origin but the service's own. A Check is immutable
// and safe for concurrent use. A nil Check refuses every request.
type Check struct {
	set        Set
	protection http.CrossOriginProtection
}

// NewCheck returns a Check that lets the origins of set send, too.
//
// Trust an origin as you trust your own: its pages, and whoever can inject a
// script there, act with the session of your users.
func NewCheck(set Set) *Check {
	c := &Check{set: set}
	for _, o := range set.origins {
		// Parse is stricter than AddTrustedOrigin. Were it ever not, the
		// origin would not be trusted.
		_ = c.protection.AddTrustedOrigin(o)
	}
	return c
}

// Origins are those that may send besides the service's own.
func (c *Check) Origins() []string { return c.set.Origins() }

var sameOrigin = []string{"same-origin"}

// The reasons are for the log. They hold nothing that the client sent.
var (
	errNoCheck     = errors.New("origin check is nil")
	errNoHost      = errors.New("request has no Host")
	errManyOrigins = errors.New("request has several Origin fields")
	errManySites   = errors.New("request has several Sec-Fetch-Site fields")
	errBadSite     = errors.New("field Sec-Fetch-Site has a value that no browser sends")
	errBadOrigin   = errors.New("field Origin is not the serialized origin of a web page")
	errDowngrade   = errors.New("field Origin is http on a connection with TLS")
)

// Check returns an error if r is a cross-origin request that may change state.
//
// GET, HEAD and OPTIONS always pass: they must not change state. Any other
// method, TRACE included, passes
//
//   - if Sec-Fetch-Site is same-origin or none. Scripts cannot set that field.
//   - if Origin is in the set.
//   - if there is no Sec-Fetch-Site and Origin names the host in Host.
//   - if there is neither Sec-Fetch-Site nor Origin: all current browsers send
//     Origin with these methods, so it is no browser, and without a browser
//     there is no victim whose cookies could be abused.
//
// A sibling host (same-site) is another origin. Repeated, empty and unknown
// values are refused even where the rest would pass, and so are a request
// without Host and an Origin that is not an http or https one.
//
// That includes null, which any sandboxed frame sends, with one exception: null
// with Sec-Fetch-Site: same-origin passes. It is what browsers send with a site's
// own forms under Referrer-Policy: no-referrer. A sandboxed frame has an opaque
// origin, so that its requests are cross-site even to the host it came from.
//
// Forwarded, X-Forwarded-Host and the like are not looked at. A proxy must
// keep Host for browsers that do not send Sec-Fetch-Site, which all do since
// 2023, to hosts with TLS and to localhost.
//
// Host has no scheme. Behind a proxy that terminates TLS, http://host cannot
// be told apart from https://host unless Sec-Fetch-Site is there; HTTP Strict
// Transport Security closes that gap. On a TLS connection of our own, an http
// origin is refused unless it is in the set.
func (c *Check) Check(r *http.Request) error {
	if c == nil {
		return errNoCheck
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if r.Host == "" {
		// Compared with nothing, an Origin without host would be the same.
		return errNoHost
	}
	if err := checkSite(r.Header["Sec-Fetch-Site"]); err != nil {
		return err
	}
	if err := c.checkOrigin(r); err != nil {
		return err
	}
	return c.protection.Check(r)
}

// checkSite reads strictly what http.CrossOriginProtection decides about: it
// would take the first of several fields, and an empty one for none.
func checkSite(fields []string) error {
	if len(fields) > 1 {
		return errManySites
	}
	if len(fields) == 0 {
		return nil
	}
	switch fields[0] {
	case "same-origin", "none", "same-site", "cross-site":
		return nil
	}
	return errBadSite
}

// checkOrigin makes sure that r has at most one origin, and a web page's.
// Whether that page may send is not decided here.
func (c *Check) checkOrigin(r *http.Request) error {
	fields := r.Header["Origin"]
	if len(fields) > 1 {
		return errManyOrigins
	}
	if len(fields) == 0 || c.set.Contains(fields[0]) {
		return nil
	}
	if fields[0] == "null" && slices.Equal(r.Header["Sec-Fetch-Site"], sameOrigin) {
		return nil
	}
	if flaw(fields[0]) != "" {
		return errBadOrigin
	}
	if r.TLS != nil && strings.HasPrefix(fields[0], "http:") {
		return errDowngrade
	}
	return nil
}

// explain returns nil if text is an origin, else what is wrong with it and
// what to write instead.
func explain(text string) error {
	what := flaw(text)
	if what == "" {
		return nil
	}
	if instead := repaired(text); instead != "" {
		return fmt.Errorf("origin %q %s: write %q", text, what, instead)
	}
	return fmt.Errorf("origin %q %s", text, what)
}
