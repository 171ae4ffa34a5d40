// Package app is what the programs beside it have in common. It compiles.
package app

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
)

type User struct{ ID, Role string }

func (u User) Subject() string { return u.ID }
func (u User) IsAdmin() bool   { return u.Role == "admin" }

type UpdateProject struct {
	Name *string `json:"name" validate:"omitnil,min=3"`
}

type Other struct {
	Title string `json:"title" validate:"max=80"`
}

type Project struct{ OwnerID string }

func (p *Project) OwnedBy(u User) bool { return p.OwnerID == u.ID }

func Verify(context.Context, string) (User, error)                { return User{}, guard.ErrNoSession }
func Load(context.Context, uuid.UUID) (*Project, error)           { return nil, guard.ErrNotFound }
func Task(context.Context, *Project, uuid.UUID) (*Project, error) { return nil, guard.ErrNotFound }

var (
	Users      = guard.Bearer(Verify)
	OwnProject = guard.Owned("projectID", guard.ParseUUID, Load, (*Project).OwnedBy)
	Limits     = &guard.Limiter{}
	Limit      = Limits.PerCaller(10, time.Minute)
	Errs       = &guard.Responder{}
	Mux        = guard.NewMux(Errs)
)

func Handler(context.Context, *guard.Call[User, UpdateProject, *Project]) (guard.None, error) {
	return guard.None{}, nil
}

func Hook(context.Context, *guard.Call[User, UpdateProject, *Project], guard.None) error { return nil }

var Bare = http.NotFoundHandler()
