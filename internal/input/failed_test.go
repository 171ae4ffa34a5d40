package input_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/routeguard/guard/internal/input"
)

func TestFailed(t *testing.T) {
	t.Parallel()
	var many []error
	for range 100 {
		many = append(many, input.Invalid("/a", "x", "x"))
	}
	tests := []struct {
		name  string
		err   error
		ok    bool
		code  string
		count int
		first input.Violation
	}{
		{name: "one", err: input.Invalid("/a", "taken", "is taken"), ok: true, code: "invalid_body", count: 1,
			first: input.Violation{Pointer: "/a", Code: "taken", Message: "is taken"}},
		{name: "wrapped", err: fmt.Errorf("save: %w", input.Invalid("query/cursor", "cursor", "is stale")), ok: true, code: "invalid_parameters", count: 1,
			first: input.Violation{Pointer: "query/cursor", Code: "cursor", Message: "is stale"}},
		{name: "joined", err: errors.Join(input.Invalid("query/a", "x", "x"), input.Invalid("", "y", "y")), ok: true, code: "invalid_body", count: 2,
			first: input.Violation{Pointer: "query/a", Code: "x", Message: "x"}},
		{name: "a code that is none, and no message", err: input.Invalid("/a", "Not A Code", ""), ok: true, code: "invalid_body", count: 1,
			first: input.Violation{Pointer: "/a", Code: "invalid", Message: "is invalid"}},
		{name: "too many", err: errors.Join(many...), ok: true, code: "invalid_body", count: input.MaxViolations,
			first: input.Violation{Pointer: "/a", Code: "x", Message: "x"}},
		{name: "beside another error", err: errors.Join(input.Invalid("/a", "x", "x"), errors.New("disk full"))},
		{name: "another error", err: errors.New("disk full")},
		{name: "none", err: nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, ok := input.Failed(tt.err)
			if ok != tt.ok {
				t.Fatalf("got %v, %v, want %v", f, ok, tt.ok)
			}
			if !ok {
				return
			}
			if f.Status != 400 || f.Code != tt.code || len(f.Violations) != tt.count || f.Violations[0] != tt.first {
				t.Errorf("got %+v, want 400 %s with %d violations, the first %+v", f, tt.code, tt.count, tt.first)
			}
		})
	}
}
