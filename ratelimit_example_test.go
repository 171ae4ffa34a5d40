package guard_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/routeguard/guard"
)

type SignIn struct {
	Email    string `json:"email"    normalize:"trim,lower" validate:"required,email"`
	Password string `json:"password" validate:"required,max=200"`
}

func (s SignIn) account() string { return s.Email }

// Sign-in has a limit per address, and failed tries for one account slow down: its
// owner, in another network, notices nothing.
func ExampleSlowDown() {
	limits := &guard.Limiter{Store: noon()} // whose time stands still, so that the output does
	errs := &guard.Responder{Log: slog.New(slog.DiscardHandler)}
	mux := guard.NewMux(errs)
	mux.Handle("POST /login", guard.New(
		guard.Anyone, guard.JSON[SignIn], guard.NoResource,
		guard.And(limits.PerIP(60, time.Minute), guard.SlowDown(limits, SignIn.account)),
		errs,
		func(_ context.Context, c *guard.Call[guard.Anonymous, SignIn, guard.None]) (guard.None, error) {
			if c.Input.Password != "right" {
				return guard.None{}, guard.Fail(http.StatusUnauthorized, "wrong_credentials", "The e-mail address or the password is wrong.")
			}
			return guard.None{}, nil
		}))

	for range 6 {
		r := send(mux, "POST", "/login", `{"email":"alice@example.com","password":"guess"}`)
		fmt.Printf("%d, wait %q\n", r.StatusCode, r.Header.Get("Retry-After"))
	}
	r := send(mux, "POST", "/login", `{"email":"alice@example.com","password":"right"}`, "Remote: 198.51.100.7:4000")
	fmt.Println(r.StatusCode)
	// Output:
	// 401, wait ""
	// 401, wait ""
	// 401, wait ""
	// 401, wait ""
	// 401, wait ""
	// 429, wait "4"
	// 204
}

// noon is a store of its own, at a time that does not pass.
func noon() guard.Store { return guard.NewMemoryStore(func() time.Time { return signedAt }) }

type Completion struct {
	Prompt string `json:"prompt" validate:"required,max=4000"`
}

// most is the most tokens that a completion may cost.
func (c Completion) most() int { return len(c.Prompt) + 500 }

// A caller has tokens instead of requests, and two completions at a time. The most
// that one may cost is reserved; the handler says what it did cost.
func ExampleCostOf() {
	limits := &guard.Limiter{}
	errs := &guard.Responder{Log: slog.New(slog.DiscardHandler)}
	users := guard.Bearer((&service{}).verify)
	mux := guard.NewMux(errs)
	mux.Handle("POST /complete", guard.New(
		users, guard.JSON[Completion], guard.NoResource,
		guard.And(
			limits.PerCaller(60, time.Minute),
			limits.InFlightPerCaller(2),
			guard.CostOf(limits.PerCaller(1000, time.Hour), Completion.most)),
		errs,
		guard.Stream(func(_ context.Context, c *guard.Call[User, Completion, guard.None], w http.ResponseWriter) error {
			answer := "An answer."
			c.Cost = len(c.Input.Prompt) + len(answer)
			_, err := fmt.Fprint(w, answer)
			return err
		})))

	for range 3 {
		fmt.Println(send(mux, "POST", "/complete", `{"prompt":"A question?"}`, alice).StatusCode)
	}
	fmt.Println(mux.Routes()[0].Limits)
	// Output:
	// 200
	// 200
	// 200
	// 60/1m per caller + 2 in flight per caller + 1000/1h per caller by Completion.most
}
