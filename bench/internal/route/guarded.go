package route

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
)

func newGuard(limit Limit) http.Handler { return guarded(limit, 0, slog.DiscardHandler) }

// newGuardUncached verifies every token anew.
func newGuardUncached(limit Limit) http.Handler { return guarded(limit, -1, slog.DiscardHandler) }

// newGuardLogging writes guard's records of level info and above: 401, 403, 404 by
// ownership and 429.
func newGuardLogging(limit Limit) http.Handler {
	return guarded(limit, 0, slog.NewJSONHandler(io.Discard, nil))
}

func guarded(limit Limit, cacheSize int, log slog.Handler) http.Handler {
	tokens, err := guard.NewJWT(guard.JWT{Issuer: issuer, Audience: []string{audience}, Algorithms: []string{"HS256"}, Key: key,
		CacheSize: cacheSize})
	if err != nil {
		panic(err) // of the constants above
	}
	users := guard.Only(guard.Bearer(guard.SessionFrom(tokens, session)), Caller.CanEdit)
	ownProject := guard.Owned("projectID", guard.ParseUUID, load, (*Project).OwnedBy)
	perCaller := (&guard.Limiter{}).PerCaller(limit.N, limit.Per)
	errs := &guard.Responder{Log: slog.New(log)}

	mux := guard.NewMux(errs)
	mux.Handle("PATCH "+pattern, guard.New(users, guard.JSON[UpdateProject], ownProject, perCaller, errs, update))
	return mux
}

func session(_ context.Context, c guard.Claims) (Caller, error) {
	var own struct {
		Role string `json:"role"`
	}
	if err := c.Decode(&own); err != nil {
		return Caller{}, guard.ErrNoSession
	}
	return Caller{ID: c.Subject, Role: own.Role}, nil
}

func load(_ context.Context, id uuid.UUID) (*Project, error) {
	p, ok := projects[id]
	if !ok {
		return nil, guard.ErrNotFound
	}
	return p, nil
}

func update(_ context.Context, c *guard.Call[Caller, UpdateProject, *Project]) (OneProject, error) {
	return OneProject{c.Resource.changed(c.Input)}, nil
}
