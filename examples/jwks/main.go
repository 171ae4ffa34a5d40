// Command jwks accepts the access tokens of an identity provider that publishes its keys as a JWK Set.
//
//	JWKS_URL=https://id.example/keys JWT_ISSUER=https://id.example JWT_AUDIENCE=projects-api go run ./examples/jwks
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"golang.org/x/time/rate"

	"github.com/routeguard/guard"
)

func main() {
	ctx := context.Background()
	tokens, err := newTokens(ctx, os.Getenv("JWKS_URL"), os.Getenv("JWT_ISSUER"), os.Getenv("JWT_AUDIENCE"), 30*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "127.0.0.1:8081", Handler: routes(tokens), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// newTokens fetches the keys, and again every hour and when a token names an unknown one.
//
// Anyone can name unknown keys, so that this happens once in the time refresh; other requests with unknown keys are
// refused at once. A provider must therefore publish a new key that long before it signs with it. A key that it
// withdraws works until the next fetch and guard's CacheAge have passed.
func newTokens(ctx context.Context, url, issuer, audience string, refresh time.Duration) (*guard.JWTVerifier, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{url}, keyfunc.Override{
		RefreshInterval:           time.Hour,
		RefreshUnknownKID:         rate.NewLimiter(rate.Every(refresh), 1),
		RateLimitWaitMax:          2 * time.Second, // also bounds the fetch; the library's minute would hold requests up
		HTTPTimeout:               2 * time.Second,
		NoErrorReturnFirstHTTPReq: new(bool), // false: without keys the service does not start
	})
	if err != nil {
		return nil, fmt.Errorf("fetch the keys: %w", err)
	}
	return guard.NewJWT(guard.JWT{
		Issuer: issuer, Audience: []string{audience}, Type: "at+jwt",
		Algorithms: []string{"RS256"}, // pinned here, whatever the key set says
		Keyfunc:    keys.Keyfunc,
	})
}

// User is the caller. A service with users of its own looks them up in session.
type User struct{ ID string }

// Subject is the provider's id of the user.
func (u User) Subject() string { return u.ID }

func session(_ context.Context, c guard.Claims) (User, error) { return User{c.Subject}, nil }

func routes(tokens *guard.JWTVerifier) *guard.Mux {
	errs, limits := &guard.Responder{}, &guard.Limiter{}
	mux := guard.NewMux(errs)
	mux.Handle("GET /me", guard.New(
		guard.Bearer(guard.SessionFrom(tokens, session)), guard.NoPayload, guard.NoResource,
		limits.PerCaller(60, time.Minute), errs, me))
	return mux
}

func me(_ context.Context, c *guard.Call[User, guard.None, guard.None]) (map[string]string, error) {
	return map[string]string{"id": c.Caller.ID}, nil
}
