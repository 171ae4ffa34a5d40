package main

import (
	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = func() int { Mux.Handle("GET /x", Bare); return 0 }() // want: does not implement guard.Guarded

func main() {}
