package main

import (
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = func() int { Mux.Unguarded("GET /x", Bare); return 0 }() // want: not enough arguments

func main() {}
