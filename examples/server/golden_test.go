package main

import (
	"testing"

	"github.com/routeguard/guard/guardtest"
)

// A new, changed or weakened route fails here until the golden file says so, too.
func TestRoutesAreReviewed(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"CALLER_LIMIT": "60"})
	guardtest.Golden(t, s.mux, "testdata/routes.golden")
}
