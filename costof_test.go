package guard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/routeguard/guard"
)

type weighed struct {
	Tokens int `json:"tokens"`
	Images int `json:"images"`
}

// TestTwoWeightsAreEachCharged counts with two limits that weigh the input by different things:
// what one of them weighs is no correction of the other.
func TestTwoWeightsAreEachCharged(t *testing.T) {
	t.Parallel()
	tokens := func(w weighed) int { return w.Tokens }
	images := func(w weighed) int { return w.Images }
	for _, tt := range []struct {
		name   string
		shadow bool
	}{
		{"both are enforced", false},
		{"one is tried out", true},
	} {
		limits := &guard.Limiter{}
		second := limits.PerIP(100, time.Hour).Named("images")
		weight := guard.CostOf(second, images)
		if tt.shadow {
			weight = weight.Shadow()
		}
		ran := 0
		mux := guard.NewMux(&guard.Responder{})
		mux.Handle("POST /prompts", guard.New(guard.Anyone, guard.JSON[weighed], guard.NoResource,
			guard.And(guard.CostOf(limits.PerIP(100, 100*time.Hour).Named("tokens"), tokens), weight), &guard.Responder{},
			func(_ context.Context, c *guard.Call[guard.Anonymous, weighed, guard.None]) (guard.None, error) {
				ran++
				if tt.shadow && c.Cost != 50 {
					t.Errorf("%s: got a cost of %d, want the 50 that the enforced limit has charged", tt.name, c.Cost)
				}
				return guard.None{}, nil
			}))
		for range 5 {
			r := httptest.NewRequest(http.MethodPost, "/prompts", strings.NewReader(`{"tokens":50,"images":1}`))
			r.Header.Set("Content-Type", "application/json")
			mux.ServeHTTP(httptest.NewRecorder(), r)
		}
		if ran != 2 {
			t.Errorf("%s: the handler ran %d times, want 2 of 50 tokens each", tt.name, ran)
		}
	}
}
