package main

import (
	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.New(guard.Anyone, guard.JSON[UpdateProject], OwnProject, Limit, Errs, Handler) // want: does not match

func main() {}
