package main

import (
	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.New(nil, guard.JSON[UpdateProject], OwnProject, Limit, Errs, Handler) // want: cannot use nil

func main() {}
