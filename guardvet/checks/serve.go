package checks

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// servers are the functions of net/http that take a handler, with its index.
var servers = map[string]int{"ListenAndServe": 1, "ListenAndServeTLS": 3, "Serve": 1, "ServeTLS": 1}

// servers judges what is served, and what stands in front of it.
func (g guardedness) servers() {
	for c := range g.x.in.Root().Preorder((*ast.CallExpr)(nil), (*ast.CompositeLit)(nil), (*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		switch n := c.Node().(type) {
		case *ast.FuncDecl:
			g.x.middleware(g.x.info.TypeOf(n.Name), n.Type, n.Body)
		case *ast.FuncLit:
			g.x.middleware(g.x.info.TypeOf(n), n.Type, n.Body)
		default:
			g.serves(n)
		}
	}
}

// serves reports handlers that a server serves without a guard: the default mux, and
// functions. Other values are not judged: they come from elsewhere.
func (g guardedness) serves(n ast.Node) {
	switch n := n.(type) {
	case *ast.CallExpr:
		f := g.x.callee(n)
		if f == nil || f.Pkg() == nil || f.Pkg().Path() != "net/http" || f.Signature().Recv() != nil {
			return
		}
		if i, ok := servers[f.Name()]; ok && i < len(n.Args) {
			g.served(n.Args[i])
		}
	case *ast.CompositeLit:
		if typeName(g.x.info.TypeOf(n)) != "net/http.Server" {
			return
		}
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && isName(kv.Key, "Handler") {
				g.served(kv.Value)
			}
		}
	}
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func (g guardedness) served(e ast.Expr) {
	if g.x.info.Types[e].IsNil() {
		g.x.report(e, "nil serves http.DefaultServeMux, with all that any package has registered, such as net/http/pprof: pass the guard.Mux, or write why it needs no guard: //guard:unguarded reason")
		return
	}
	call, ok := g.x.resolve(e).(*ast.CallExpr)
	if ok && g.x.converts(call) && !g.holds(e) {
		g.x.report(e, "a function is served without a guard: pass the guard.Mux, or write why it needs no guard: //guard:unguarded reason")
	}
}

// middleware reports what a function writes as an answer of its own, where it also passes
// requests on to another handler. Refusals by http.Error or a status alone are its right.
func (x *index) middleware(form types.Type, t *ast.FuncType, body *ast.BlockStmt) {
	w := responseWriter(x, form, t)
	if w == nil || body == nil {
		return
	}
	var writes []*ast.CallExpr
	passes := false
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		s, _ := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		switch {
		case s != nil && s.Sel.Name == "ServeHTTP" && len(call.Args) == 2 && x.is(call.Args[0], w):
			passes = true
		case s != nil && x.is(s.X, w) && (s.Sel.Name == "Write" || s.Sel.Name == "WriteString"), x.writesTo(call, w):
			writes = append(writes, call)
		}
		return true
	})
	if passes && len(writes) > 0 {
		x.report(writes[0], "this answers in front of the guard, without one: make it a route of its own, or write why it needs no guard: //guard:unguarded reason")
	}
}

// bodyWriters are functions whose first argument is what they write an answer to.
var bodyWriters = []string{"fmt.Fprint", "fmt.Fprintf", "fmt.Fprintln", "io.WriteString", "io.Copy", "encoding/json.NewEncoder",
	"encoding/xml.NewEncoder", "net/http.ServeFile", "net/http.ServeContent", "net/http.ServeFileFS"}

func (x *index) writesTo(call *ast.CallExpr, w types.Object) bool {
	f := x.callee(call)
	return f != nil && f.Pkg() != nil && f.Signature().Recv() == nil && len(call.Args) > 0 && x.is(call.Args[0], w) &&
		slices.Contains(bodyWriters, f.Pkg().Path()+"."+f.Name())
}

// is reports whether an expression is a variable.
func (x *index) is(e ast.Expr, o types.Object) bool {
	id, ok := ast.Unparen(e).(*ast.Ident)
	return ok && x.info.Uses[id] == o
}

// responseWriter is the first parameter of a function with the form of a handler, or nil.
func responseWriter(x *index, form types.Type, t *ast.FuncType) types.Object {
	if len(t.Params.List) == 0 || len(t.Params.List[0].Names) == 0 || !handles(form) {
		return nil
	}
	return x.info.Defs[t.Params.List[0].Names[0]]
}

// usesGuard reports whether a package imports guard: others have no guard to answer in front of.
func usesGuard(pass *analysis.Pass) bool {
	return slices.ContainsFunc(pass.Pkg.Imports(), func(p *types.Package) bool { return p.Path() == guardPath })
}
