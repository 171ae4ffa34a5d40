package main

import (
	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.New(Users, guard.JSON[Other], OwnProject, Limit, Errs, Handler) // want: does not match

func main() {}
