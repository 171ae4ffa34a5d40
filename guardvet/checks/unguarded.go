package checks

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// Unguarded reports handlers that are registered around the guard.
var Unguarded = &analysis.Analyzer{
	Name: "unguarded",
	Doc: `report handlers that are registered around the guard

Judged: http.Handle, http.HandleFunc, (*http.ServeMux).Handle and HandleFunc, and
the methods of chi's Mux and Router that register a handler, also through a type
that embeds one or a variable that holds the method.

A handler is fine where it is a *guard.Guard, a guard.Guarded or a *guard.Mux, a
ServeMux or chi router (whose own registrations are judged), its ServeHTTP method, a call that
passes only such handlers on (middleware), or a function that returns nothing else,
in this package or another. Anything else needs a comment with a reason, on its
line or the one above:

	//guard:unguarded liveness probe
	mux.HandleFunc("GET /healthz", healthy)

Judged as well, in packages that import guard: nil and functions as the handler of
http.Server, http.ListenAndServe, http.Serve and their TLS forms; and middleware
that writes an answer of its own, beyond http.Error, redirects and a bare status.

Not judged: other routers; chi's NotFound and MethodNotAllowed; other handlers that
are given to a server; what a package registers when it is imported (net/http/pprof,
expvar), where the default mux is not served; what else middleware does in front of
a guard; tests.`,
	Run:       runUnguarded,
	Requires:  []*analysis.Analyzer{indexer},
	FactTypes: []analysis.Fact{new(returnsGuard)},
}

// returnsGuard is the fact that a function's first result is always guarded.
type returnsGuard struct{}

func (*returnsGuard) AFact() {}

func (*returnsGuard) String() string { return "returnsGuard" }

func runUnguarded(pass *analysis.Pass) (any, error) {
	x := indexOf(pass)
	if pass.Pkg.Path() == guardPath {
		return nil, nil // its Mux registers what it was given
	}
	g := guardedness{x, map[*types.Func]bool{}}
	for f := range x.funcs {
		if g.returns(f) {
			pass.ExportObjectFact(f, new(returnsGuard))
		}
	}
	if usesGuard(pass) {
		g.servers()
	}
	for c := range x.in.Root().Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		r, ok := x.registration(call)
		if !ok || r.guarded || g.holds(r.handler) {
			continue
		}
		at := "a pattern"
		if pattern, ok := x.text(r.pattern); ok {
			at = `"` + pattern + `"`
		}
		x.report(call, "the handler of %s is not known to be guarded: pass guard.New(…) or guard.Wrap(…), or write why it needs none: //guard:unguarded reason", at)
	}
	return nil, nil
}

// guardedness decides which handlers are guarded.
type guardedness struct {
	x    *index
	done map[*types.Func]bool
}

func (g guardedness) holds(e ast.Expr) bool {
	if guardedType(g.x.info.TypeOf(e)) {
		return true
	}
	switch e := g.x.resolve(e).(type) {
	case *ast.Ident:
		v := g.x.valueOf(e)
		return v.many && v.n == 0 && g.holdsCall(v.expr)
	case *ast.CallExpr:
		return guardedType(g.x.info.TypeOf(e)) || g.holdsCall(e)
	case *ast.SelectorExpr:
		return e.Sel.Name == "ServeHTTP" && g.holds(e.X)
	default:
		return guardedType(g.x.info.TypeOf(e))
	}
}

// holdsCall judges what a call returns: a function of ours, or middleware.
func (g guardedness) holdsCall(e ast.Expr) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	if t, ok := g.x.info.TypeOf(call).(*types.Tuple); ok && t.Len() > 0 && guardedType(t.At(0).Type()) {
		return true
	}
	if f := g.x.callee(call); f != nil && (g.returns(f) || g.x.pass.ImportObjectFact(f, new(returnsGuard))) {
		return true
	}
	passed := 0
	for _, a := range call.Args {
		if !handles(g.x.info.TypeOf(a)) {
			continue
		}
		if !g.holds(a) {
			return false
		}
		passed++
	}
	return passed > 0
}

// returns reports whether the first result of a function of this package is
// always guarded. A function that calls itself is not known to be.
func (g guardedness) returns(f *types.Func) bool {
	if result, ok := g.done[f]; ok {
		return result
	}
	g.done[f] = false
	d := g.x.funcs[f]
	if d == nil || f.Signature().Results().Len() == 0 || !handles(f.Signature().Results().At(0).Type()) {
		return false
	}
	found, all := 0, true
	ast.Inspect(d.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			found++
			all = all && len(n.Results) > 0 && (g.x.info.Types[n.Results[0]].IsNil() || g.holds(n.Results[0]))
		}
		return true
	})
	g.done[f] = all && found > 0
	return g.done[f]
}

// guardedType reports whether every handler of type t is guarded, or a router.
func guardedType(t types.Type) bool {
	name := typeName(t)
	switch {
	case name == "":
		return false
	case name == guardPath+".Guard", name == guardPath+".Mux", name == guardPath+".Guarded", name == "net/http.ServeMux", isChi(name):
		return true
	}
	if types.IsInterface(t) {
		return false
	}
	o, _, _ := types.LookupFieldOrMethod(t, true, nil, "ServeHTTP")
	f, ok := o.(*types.Func)
	if !ok {
		return false
	}
	receiver, _ := method(f) // promoted from an embedded field
	return receiver != name && receiver != "" && !types.IsInterface(f.Signature().Recv().Type()) && guardedType(f.Signature().Recv().Type())
}
