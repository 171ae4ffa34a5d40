//go:build !race

package guard_test

import (
	"math"
	"net/http"
	"runtime"
	"testing"

	"github.com/routeguard/guard"
)

// The race detector allocates, so that these are not built with it.

// TestRouteAllocations pins what a guarded request allocates, the mux included:
// one more than that is a regression that somebody should see.
func TestRouteAllocations(t *testing.T) {
	token := routeToken(t, routeSecret, "1")
	forged := routeToken(t, []byte("fedcba9876543210fedcba9876543210"), "1")
	tests := []struct {
		name   string
		perMin int
		client *client
		status int
		most   float64
	}{
		{name: "success", client: newClient(ownRow, token, routeBody), status: http.StatusOK, most: 9},
		{name: "no token", client: newClient(ownRow, "", routeBody), status: http.StatusUnauthorized, most: 4},
		{name: "a forged token", client: newClient(ownRow, forged, routeBody), status: http.StatusUnauthorized, most: 5},
		{name: "rate limited", perMin: 1, client: newClient(ownRow, token, routeBody), status: http.StatusTooManyRequests, most: 7},
		{name: "bad JSON", client: newClient(ownRow, token, `{"name":"Apollo",`), status: http.StatusBadRequest, most: 9},
		{name: "an unknown field", client: newClient(ownRow, token, `{"admin":true}`), status: http.StatusBadRequest, most: 6},
		{name: "an invalid field", client: newClient(ownRow, token, `{"name":"ab"}`), status: http.StatusBadRequest, most: 8},
		{name: "another's row", client: newClient(foreignRow, token, routeBody), status: http.StatusNotFound, most: 5},
		{name: "a missing row", client: newClient(missingRow, token, routeBody), status: http.StatusNotFound, most: 7},
	}
	for _, tt := range tests {
		if tt.perMin == 0 {
			tt.perMin = math.MaxInt32
		}
		h := newRoute(t, routeSettings{perMin: tt.perMin})
		newClient(ownRow, token, routeBody).send(h)
		got := testing.AllocsPerRun(200, func() {
			if status := tt.client.send(h); status != tt.status {
				t.Fatalf("%s: got status %d, want %d", tt.name, status, tt.status)
			}
		})
		if got > tt.most {
			t.Errorf("%s: got %v allocations, want at most %v", tt.name, got, tt.most)
		}
	}
}

// TestNewCost pins what the construction of one guard allocates: a service has
// hundreds of routes, and tests build them again and again.
func TestNewCost(t *testing.T) {
	verifier := newRouteVerifier(t, 0)
	limits, tell := &guard.Limiter{}, &guard.Responder{}
	newRouteGuard(verifier, limits, 10, tell) // what all guards share is made once
	const guards = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range guards {
		newRouteGuard(verifier, limits, 10, tell)
	}
	runtime.ReadMemStats(&after)
	if got, most := (after.TotalAlloc-before.TotalAlloc)/guards, uint64(32<<10); got > most {
		t.Errorf("got %d bytes, want at most %d", got, most)
	}
}
