package guard

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/routeguard/guard/internal/origin"
)

// Cookie takes the credential from a session cookie.
//
// Exactly one cookie of the name counts, since a sibling domain can plant a
// second one. Browsers send cookies by themselves, so requests with an unsafe
// method must come from the service's own origin, see [AllowOrigins].
func Cookie[S Principal](cookie SessionCookie, verify Verifier[S]) Authenticator[S] {
	cookie.mustBeSafe()
	find := func(r *http.Request) (string, found) {
		if len(r.Header["Cookie"]) == 0 {
			return "", absent
		}
		cookies := r.CookiesNamed(string(cookie))
		switch {
		case len(cookies) == 0:
			return "", absent
		case len(cookies) > 1, cookies[0].Quoted, len(cookies[0].Value) > maxCredential, !isVisibleASCII(cookies[0].Value),
			cookies[0].Value == "":
			return "", malformed
		}
		return cookies[0].Value, present
	}
	return one("Cookie", way[S]{kind: "cookie", name: string(cookie), find: find, verify: verify, check: origin.NewCheck(origin.Set{})})
}

// SessionCookie is the name of a session cookie, and sets and clears it.
//
// The name must start with "__Host-": a browser accepts such a cookie only with
// Secure, with Path=/ and without Domain, so that no sibling domain and no plain
// HTTP response can plant it.
type SessionCookie string

func (c SessionCookie) mustBeSafe() {
	name := string(c)
	probe := http.Cookie{Name: name, Value: "x", Path: "/", Secure: true}
	if len(name) <= len("__Host-") || !strings.HasPrefix(name, "__Host-") || probe.Valid() != nil {
		panic(fmt.Sprintf("guard: Cookie: the name %q is not safe: write something like \"__Host-session\"", name))
	}
}

// Set returns the cookie that holds value until expires.
//
// It is Secure, HttpOnly, SameSite=Lax, for the whole site and this host only.
func (c SessionCookie) Set(value string, expires time.Time) *http.Cookie {
	c.mustBeSafe()
	return &http.Cookie{Name: string(c), Value: value, Path: "/", Expires: expires.UTC(),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// Clear returns the cookie that removes what Set has set.
func (c SessionCookie) Clear() *http.Cookie {
	cookie := c.Set("", time.Unix(1, 0))
	cookie.MaxAge = -1
	return cookie
}
