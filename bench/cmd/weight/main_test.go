package main

import (
	"slices"
	"testing"
)

// The programs build, each consists of more than the one before, and guard brings
// the modules that its documentation names.
func TestPrograms(t *testing.T) {
	weights, err := weigh(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range weights {
		if err := w.build(t.Context()); err != nil {
			t.Errorf("%s: %v", programs[i].name, err)
		}
		if w.size == 0 || i > 0 && (w.size <= weights[i-1].size || len(w.packages) <= len(weights[i-1].packages)) {
			t.Errorf("%s: got %d bytes and %d packages, no more than before", programs[i].name, w.size, len(w.packages))
		}
		weights[i] = w
	}
	own := weights[len(weights)-1].modules
	for _, want := range []string{module, "github.com/golang-jwt/jwt/v5", "github.com/go-playground/validator/v10", "github.com/google/uuid"} {
		if !slices.Contains(own, want) {
			t.Errorf("got modules %v without %s", own, want)
		}
	}
}
