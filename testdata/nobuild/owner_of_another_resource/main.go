package main

import (
	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.Owned("projectID", guard.ParseUUID, Load, func(o Other, u User) bool { return true }) // want: does not match

func main() {}
