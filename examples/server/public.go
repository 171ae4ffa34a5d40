package main

import (
	"context"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/store"
)

type Search struct {
	Q     string `query:"q"     normalize:"trim" validate:"required,min=2,max=64"`
	Limit int    `query:"limit" default:"20"     validate:"min=1,max=50"`
}

type SearchResults struct {
	Results []ProjectView `json:"results"`
}

func (a *app) search(ctx context.Context, c *guard.Call[guard.Anonymous, Search, guard.None]) (SearchResults, error) {
	find := func(ctx context.Context) ([]ProjectView, error) {
		projects, err := a.store.SearchTeamProjects(ctx, c.Input.Q, c.Input.Limit)
		return views(projects), err
	}
	if a.shared != nil { // another instance's mutations do not reach this one's cache
		results, err := find(ctx)
		return SearchResults{results}, err
	}
	results, err := a.searches.get(ctx, c.Input, find)
	return SearchResults{results}, err
}

type Contact struct {
	Email   string `json:"email"   normalize:"trim" validate:"required,email,max=254"`
	Message string `json:"message" validate:"required,notblank,min=10,max=2000"`
}

func (a *app) contact(ctx context.Context, c *guard.Call[guard.Anonymous, Contact, guard.None]) (guard.Reply[guard.None], error) {
	if err := a.store.AddContact(ctx, c.Input.Email, c.Input.Message); err != nil {
		return guard.Reply[guard.None]{}, err
	}
	return guard.Reply[guard.None]{Status: 202}, nil
}

type SetRole struct {
	// Only an admin gets here, and setting roles is what this route is for.
	Role string `json:"role" validate:"required,oneof=admin member" guard:"client"`
}

// user finds the target of an admin's action. The route admits admins only, so every user is theirs to change.
func (a *app) user(ctx context.Context, _ *Session, id string) (*store.User, error) {
	return a.store.User(ctx, id)
}

func (a *app) setRole(ctx context.Context, c *guard.Call[*Session, SetRole, *store.User]) (guard.None, error) {
	return guard.None{}, a.store.SetRole(ctx, c.Resource.ID, c.Input.Role)
}
