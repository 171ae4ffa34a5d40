package main

import (
	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.New(guard.JSON[UpdateProject], OwnProject, Limit, Errs, Handler) // want: not enough arguments

func main() {}
