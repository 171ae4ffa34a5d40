package guard_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"testing"
)

// How long a comparison takes cannot be tested reliably, and a comparison in steps gives
// the same answers. So the source is looked at: where a secret decides, it is compared by
// a function that takes the same time for all values, and no loop is left early.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, function, by string
	}{
		{name: "signatures of messages", file: "internal/webhook/webhook.go", function: "anyMAC", by: "subtle.ConstantTimeCompare"},
		{name: "MACs of tokens", file: "internal/strictjwt/mac.go", function: "equal", by: "hmac.Equal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file, err := parser.ParseFile(token.NewFileSet(), tt.file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			var body *ast.BlockStmt
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == tt.function {
					body = f.Body
				}
			}
			if body == nil {
				t.Fatalf("%s has no function %s: follow the comparison to where it is now", tt.file, tt.function)
			}
			calls := map[string]bool{}
			ast.Inspect(body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					calls[types.ExprString(n.Fun)] = true
				case *ast.RangeStmt, *ast.ForStmt:
					leavesEarly(t, n)
				}
				return true
			})
			if !calls[tt.by] || calls["string"] || calls["bytes.Equal"] || calls["bytes.Compare"] {
				t.Errorf("%s calls %v, want %s and no other comparison", tt.function, calls, tt.by)
			}
		})
	}
}

func leavesEarly(t *testing.T, loop ast.Node) {
	t.Helper()
	ast.Inspect(loop, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.ReturnStmt, *ast.BranchStmt:
			t.Error("a loop over secrets is left early")
		}
		return true
	})
}
