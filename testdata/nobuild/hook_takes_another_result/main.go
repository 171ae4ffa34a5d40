package main

import (
	"context"

	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.New(Users, guard.JSON[UpdateProject], OwnProject, Limit, Errs, guard.After(Handler, func(_ context.Context, _ *guard.Call[User, UpdateProject, *Project], _ int) error { return nil })) // want: does not match

func main() {}
