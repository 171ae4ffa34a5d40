package main

import (
	"github.com/routeguard/guard"
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = guard.Owned("projectID", guard.ParseString, Load, (*Project).OwnedBy) // want: does not match

func main() {}
