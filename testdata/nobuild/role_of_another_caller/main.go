package main

import (
	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.Only(Users, func(o Other) bool { return true }) // want: does not match

func main() {}
