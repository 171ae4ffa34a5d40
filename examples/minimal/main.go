// Command minimal is the smallest whole program with a guard.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/routeguard/guard"
)

type Caller struct{ Name string }

func (c Caller) Subject() string { return c.Name }

type Greeting struct {
	To string `json:"to" normalize:"trim" validate:"required,max=80"`
}

func greet(_ context.Context, c *guard.Call[Caller, Greeting, guard.None]) (string, error) {
	return c.Caller.Name + " greets " + c.Input.To, nil
}

// routes takes the callers by the hash of their key: the keys themselves are nowhere.
func routes(callers map[string]Caller) *guard.Mux {
	users := guard.APIKey("X-API-Key", func(_ context.Context, key string) (Caller, error) {
		if caller, ok := callers[guard.HashAPIKey(key)]; ok {
			return caller, nil
		}
		return Caller{}, guard.ErrNoSession
	})
	limits, errs := &guard.Limiter{}, &guard.Responder{}
	mux := guard.NewMux(errs)
	mux.Handle("POST /greetings", guard.New(
		users, guard.JSON[Greeting], guard.NoResource, limits.PerCaller(60, time.Minute), errs, greet))
	return mux
}

func main() {
	key, hash := guard.NewAPIKey("demo_")
	log.Printf(`try: curl -H 'X-API-Key: %s' -H 'Content-Type: application/json' -d '{"to":"you"}' localhost:8080/greetings`, key)
	server := http.Server{Addr: "localhost:8080", Handler: routes(map[string]Caller{hash: {Name: "Ada"}}),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 40 * time.Second, IdleTimeout: time.Minute}
	if err := server.ListenAndServe(); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}
