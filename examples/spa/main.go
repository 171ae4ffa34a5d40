// Command spa serves a single-page application on another origin: CORS says who may read, AllowOrigins who may act.
//
// Both come from one list. The cookie is SameSite=Lax, so the page and this service are on one site, such as
// app.example.com and api.example.com; across sites use bearer tokens. go run ./examples/spa https://app.example.com
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/rs/cors"

	"github.com/routeguard/guard"
)

const session guard.SessionCookie = "__Host-session"

type User struct{ ID string }

func (u User) Subject() string { return u.ID }

type SignIn struct {
	Code string `json:"code" validate:"required,max=100"`
}
type Profile struct {
	Name string `json:"name" normalize:"trim" validate:"required,max=80,single_line"`
}

// newHandler serves the pages of these origins, written as browsers send them: https://app.example.com
func newHandler(pages []string, verify guard.Verifier[User], errs *guard.Responder) (http.Handler, error) {
	origins, err := guard.ParseOrigins(pages...)
	if err != nil {
		return nil, err
	}
	users := guard.AllowOrigins(origins, guard.Cookie(session, verify)) // who may act
	anyone := guard.AllowOrigins(origins, guard.Anyone)
	limits := &guard.Limiter{}
	mux := guard.NewMux(errs)
	mux.Handle("POST /session", guard.New(anyone, guard.JSON[SignIn], guard.NoResource, limits.PerIP(5, time.Minute), errs, signIn(verify)))
	mux.Handle("GET /profile", guard.New(users, guard.NoPayload, guard.NoResource, limits.PerCaller(60, time.Minute), errs, show))
	mux.Handle("PUT /profile", guard.New(users, guard.JSON[Profile], guard.NoResource, limits.PerCaller(9, time.Minute), errs, save))
	return cors.New(cors.Options{ // who may read
		AllowOriginFunc:  func(origin string) bool { return slices.Contains(pages, origin) }, // an empty AllowedOrigins would be everybody
		AllowedMethods:   []string{"GET", "POST", "PUT"},
		AllowedHeaders:   []string{"Content-Type"},
		ExposedHeaders:   []string{"Retry-After", "X-Request-ID"},
		AllowCredentials: true,
	}).Handler(mux), nil
}

func signIn(verify guard.Verifier[User]) func(context.Context, *guard.Call[guard.Anonymous, SignIn, guard.None]) (guard.Reply[guard.None], error) {
	return func(ctx context.Context, c *guard.Call[guard.Anonymous, SignIn, guard.None]) (guard.Reply[guard.None], error) {
		if _, err := verify(ctx, c.Input.Code); err != nil {
			return guard.Reply[guard.None]{}, guard.Fail(http.StatusUnauthorized, "wrong_code", "The code is wrong.").Because(err)
		}
		return guard.Reply[guard.None]{Cookies: []*http.Cookie{session.Set(c.Input.Code, time.Now().Add(time.Hour))}}, nil
	}
}

func show(_ context.Context, c *guard.Call[User, guard.None, guard.None]) (User, error) {
	return c.Caller, nil
}

func save(_ context.Context, c *guard.Call[User, Profile, guard.None]) (Profile, error) {
	return c.Input, nil
}

func main() {
	verify := func(context.Context, string) (User, error) { return User{}, guard.ErrNoSession } // your sessions
	handler, err := newHandler(os.Args[1:], verify, &guard.Responder{})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal((&http.Server{Addr: "127.0.0.1:8080", Handler: handler, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe())
}
