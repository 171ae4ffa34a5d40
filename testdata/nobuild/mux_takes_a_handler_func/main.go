package main

import (
	"net/http"

	. "github.com/routeguard/guard/testdata/nobuild/app"
)

var _ = func() int { Mux.Handle("GET /x", http.HandlerFunc(Bare.ServeHTTP)); return 0 }() // want: does not implement guard.Guarded

func main() {}
