package main

import (
	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.New(Users, guard.JSON[UpdateProject], OwnProject, Limit, Handler) // want: not enough arguments

func main() {}
