package guard_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/routeguard/guard"
)

// Account is a session that knows when its user last proved who they are.
type Account struct {
	ID       string
	SignedIn time.Time
}

func (a Account) Subject() string { return a.ID }

// SignedInRecently is asked for before what cannot be undone.
func (a Account) SignedInRecently() bool { return time.Since(a.SignedIn) < 5*time.Minute }

func ExampleOnly() {
	verify := func(context.Context, string) (User, error) { return User{ID: "alice", Role: "member"}, nil }
	users := guard.Bearer(verify)
	admins := guard.Only(users, User.IsAdmin)

	h := guard.New(admins, guard.NoPayload, guard.NoResource, guard.Unlimited("an example"), quiet,
		func(context.Context, *guard.Call[User, guard.None, guard.None]) (string, error) { return "done", nil })
	r := send(h, "POST", "/", "", "Authorization: Bearer token")
	fmt.Println(r.StatusCode, r.Header.Get("WWW-Authenticate"))
	// Output: 403 Bearer error="insufficient_scope"
}

// Step-up: some routes ask for a sign-in that is not long ago. The time comes from the
// session, such as a token's auth_time claim or a column of the session table.
func ExampleOnly_stepUp() {
	verify := func(_ context.Context, token string) (Account, error) {
		if token == "fresh" {
			return Account{"alice", time.Now()}, nil
		}
		return Account{"alice", time.Now().Add(-time.Hour)}, nil
	}
	users := guard.Bearer(verify)
	recent := guard.Only(users, Account.SignedInRecently)

	h := guard.New(recent, guard.NoPayload, guard.NoResource, guard.Unlimited("an example"), quiet,
		func(context.Context, *guard.Call[Account, guard.None, guard.None]) (string, error) {
			return "deleted", nil
		})
	for _, token := range []string{"fresh", "old"} {
		fmt.Println(token, send(h, "POST", "/", "", "Authorization: Bearer "+token).StatusCode)
	}
	// Output:
	// fresh 200
	// old 403
}

func ExampleAllowAnonymous() {
	verify := func(_ context.Context, token string) (User, error) {
		if token != "good" {
			return User{}, guard.ErrNoSession
		}
		return User{ID: "alice"}, nil
	}
	visitors := guard.AllowAnonymous(guard.Bearer(verify))

	greet := func(_ context.Context, c *guard.Call[guard.Maybe[User], guard.None, guard.None]) (string, error) {
		if user, ok := c.Caller.Session(); ok {
			return "Hello, " + user.ID + ".", nil
		}
		return "Hello.", nil
	}
	h := guard.New(visitors, guard.NoPayload, guard.NoResource, guard.Unlimited("an example"), quiet, greet)
	fmt.Println(send(h, "GET", "/", "").StatusCode)
	fmt.Println(send(h, "GET", "/", "", "Authorization: Bearer good").StatusCode)
	fmt.Println(send(h, "GET", "/", "", "Authorization: Bearer bad").StatusCode)
	// Output:
	// 200
	// 200
	// 401
}

func ExampleCached() {
	lookups := 0
	sessionOfKey := func(_ context.Context, key string) (User, error) {
		lookups++ // a query by guard.HashAPIKey(key)
		return User{ID: "alice"}, nil
	}
	keys := guard.Cached(sessionOfKey, guard.Cache{Good: 30 * time.Second, Bad: 5 * time.Second})
	users := guard.APIKey("X-API-Key", keys.Verify)

	h := guard.New(users, guard.NoPayload, guard.NoResource, guard.Unlimited("an example"), quiet, whoami[User])
	for range 3 {
		send(h, "GET", "/", "", "X-API-Key: k")
	}
	fmt.Println(lookups)
	keys.Forget("k") // when the key is withdrawn
	send(h, "GET", "/", "", "X-API-Key: k")
	fmt.Println(lookups)
	// Output:
	// 1
	// 2
}

func ExampleSigned() {
	sender, err := guard.Signed(guard.Webhook{
		Secrets: []string{"whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="}, // from the environment
	})
	if err != nil {
		fmt.Println(err) // every mistake, and no secret
		return
	}
	record := func(_ context.Context, c *guard.Call[guard.Message, BillingEvent, guard.None]) (guard.None, error) {
		fmt.Println(c.Caller.ID, c.Input.Type)
		return guard.None{}, nil
	}
	limits := &guard.Limiter{}
	mux := guard.NewMux(quiet)
	mux.Handle("POST /webhooks/billing", guard.New(
		sender, guard.JSON[BillingEvent], guard.NoResource, limits.PerIP(60, time.Minute), quiet, record))

	message := signature(guard.StandardWebhooks, "msg_1", time.Now(), invoicePaid, "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
	fmt.Println(send(mux, "POST", "/webhooks/billing", invoicePaid, message...).StatusCode)
	fmt.Println(send(mux, "POST", "/webhooks/billing", invoicePaid, message...).StatusCode)
	// Output:
	// msg_1 invoice.paid
	// 204
	// 204
}

// cors answers preflights, and lets pages on the given origins read what the service answers to
// their requests with cookies. It stands in front of the Mux, which has no OPTIONS routes.
func cors(origins []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, from := w.Header(), r.Header.Values("Origin")
		h.Add("Vary", "Origin")
		if len(from) != 1 || !slices.Contains(origins, from[0]) {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", from[0])
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "Location, Retry-After, X-Request-ID")
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
		h.Set("Access-Control-Allow-Headers", "Content-Type")
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
	})
}

// A single-page application on app.example.com uses the service on api.example.com with a cookie.
func ExampleAllowOrigins() {
	verify := func(context.Context, string) (User, error) { return User{ID: "alice"}, nil }
	pages := []string{"https://app.example.com"}
	origins, err := guard.ParseOrigins(pages...)
	if err != nil {
		fmt.Println(err)
		return
	}
	users := guard.AllowOrigins(origins, guard.Cookie("__Host-session", verify)) // who may act
	mux := guard.NewMux(quiet)
	mux.Handle("POST /projects", guard.New(
		users, guard.NoPayload, guard.NoResource, guard.Unlimited("an example"), quiet, whoami[User]))
	handler := cors(pages, mux) // who may read

	for _, from := range []string{"https://app.example.com", "https://evil.example"} {
		r := send(handler, "POST", "/projects", "", "Host: api.example.com", "Cookie: __Host-session=token", "Origin: "+from)
		fmt.Printf("%d %q\n", r.StatusCode, r.Header.Get("Access-Control-Allow-Origin"))
	}
	preflight := send(handler, "OPTIONS", "/projects", "", "Origin: https://app.example.com", "Access-Control-Request-Method: POST")
	fmt.Println(preflight.StatusCode, preflight.Header.Get("Access-Control-Allow-Methods"))
	// Output:
	// 200 "https://app.example.com"
	// 403 ""
	// 204 GET, POST, PATCH, DELETE
}

// The wrapped proxy forwards the caller's token.
func ExampleKeepCredential() {
	verify := func(context.Context, string) (User, error) { return User{ID: "alice"}, nil }
	users := guard.Bearer(verify)
	proxy := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Printf("%q\n", r.Header.Get("Authorization"))
	})
	for _, who := range []guard.Authenticator[User]{users, guard.KeepCredential(users)} {
		h := guard.Wrap(who, guard.NoPayload, guard.NoResource, guard.Unlimited("an example"), quiet, proxy)
		send(h, "GET", "/", "", "Authorization: Bearer token")
	}
	// Output:
	// ""
	// "Bearer token"
}

// quiet keeps the examples' output free of log records.
var quiet = &guard.Responder{Log: (&logBuffer{}).logger()}
