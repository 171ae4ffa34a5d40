package checks

import (
	"go/ast"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// Param reports guards that read a path parameter that their pattern does not have.
var Param = &analysis.Analyzer{
	Name: "param",
	Doc: `report path parameters that a guard reads and its pattern does not have

Judged: a constant pattern and a guard in the same registration, written there or
in a variable that is assigned once; the parameters of Owned, Within and Authorize,
and the path tags of the input. Registrations are those of guard.Mux and ServeMux.
guard.Mux panics on the same mistake at start-up; a plain ServeMux answers 404 to
every request.

Not judged: patterns and parameter names that are computed; guards that come from
another function; chi, where the parameter may be in the prefix of Route or Mount;
tests.`,
	Run:      runParam,
	Requires: []*analysis.Analyzer{indexer},
}

func runParam(pass *analysis.Pass) (any, error) {
	x := indexOf(pass)
	for c := range x.in.Root().Preorder((*ast.CallExpr)(nil)) {
		reg, ok := x.registration(c.Node().(*ast.CallExpr))
		if !ok {
			continue
		}
		if receiver, _ := method(x.callee(reg.call)); isChi(receiver) {
			continue // a parameter may come from the prefix of Route or Mount
		}
		pattern, ok := x.text(reg.pattern)
		if !ok {
			continue
		}
		r := x.routeOf(reg.handler)
		if r == nil {
			continue
		}
		have := patternParams(pattern)
		params, _ := x.whichParams(r.which)
		if g := named(x.info.TypeOf(r.call)); g != nil && g.TypeArgs().Len() == 1 {
			for _, f := range pathFields(g.TypeArgs().At(0)) {
				params = append(params, f.param)
			}
		}
		for i, p := range params {
			if p != "" && !slices.Contains(have, p) && !slices.Contains(params[:i], p) {
				x.report(reg.pattern, "the pattern %q has no {%s}, which the guard reads", pattern, p)
			}
		}
	}
	return nil, nil
}

// routeOf is the guard that an expression makes, or nil.
func (x *index) routeOf(e ast.Expr) *route {
	e = x.resolve(e)
	if s, ok := e.(*ast.SelectorExpr); ok && s.Sel.Name == "ServeHTTP" {
		e = x.resolve(s.X) // chi takes the method
	}
	for _, r := range x.routes {
		if ast.Expr(r.call) == e {
			return r
		}
	}
	return nil
}
