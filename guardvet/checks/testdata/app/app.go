// Package app has what the routes of the test data share.
package app

import (
	"context"
	"time"

	"github.com/routeguard/guard"
)

type User struct {
	ID   string
	Role string
}

func (u User) Subject() string { return u.ID }
func (u User) IsAdmin() bool   { return u.Role == "admin" }

func Verify(context.Context, string) (User, error) { return User{}, guard.ErrNoSession }

var (
	Limits = &guard.Limiter{}
	Slow   = Limits.PerIP(1, time.Second)
	Errs   = &guard.Responder{}
)
