package main

import (
	"context"

	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.Bearer(func(context.Context, string) (Other, error) { return Other{}, nil }) // want: does not satisfy guard.Principal

func main() {}
