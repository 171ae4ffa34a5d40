package checks

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

const guardPath = "github.com/routeguard/guard"

// indexer collects once what the checks of a package share.
var indexer = &analysis.Analyzer{
	Name:       "guardindex",
	Doc:        "collect the routes, variables and exemptions of a package",
	Run:        newIndex,
	Requires:   []*analysis.Analyzer{inspect.Analyzer},
	ResultType: reflect.TypeFor[*index](),
}

// index is what the checks know about a package.
type index struct {
	pass    *analysis.Pass
	info    *types.Info
	in      *inspector.Inspector
	values  map[types.Object]value // variables that are assigned exactly once
	funcs   map[*types.Func]*ast.FuncDecl
	routes  []*route
	allowed map[line][]directive
}

// value is what a variable was assigned: result number n of expr.
type value struct {
	expr ast.Expr // nil where it is not known
	n    int
	many bool // expr has several results
}

func indexOf(pass *analysis.Pass) *index {
	x := *pass.ResultOf[indexer].(*index)
	x.pass = pass // report and facts belong to the check that runs
	return &x
}

func newIndex(pass *analysis.Pass) (any, error) {
	x := &index{
		pass: pass, info: pass.TypesInfo, in: pass.ResultOf[inspect.Analyzer].(*inspector.Inspector),
		values: map[types.Object]value{}, funcs: map[*types.Func]*ast.FuncDecl{},
	}
	for c := range x.in.Root().Preorder((*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.RangeStmt)(nil),
		(*ast.IncDecStmt)(nil), (*ast.UnaryExpr)(nil), (*ast.FuncDecl)(nil)) {
		x.collect(c.Node())
	}
	x.allowed = directives(pass)
	for c := range x.in.Root().Preorder((*ast.CallExpr)(nil)) {
		if r := x.route(c.Node().(*ast.CallExpr)); r != nil {
			x.routes = append(x.routes, r)
		}
	}
	return x, nil
}

func (x *index) collect(n ast.Node) {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if f, ok := x.info.Defs[n.Name].(*types.Func); ok && n.Body != nil {
			x.funcs[f] = n
		}
	case *ast.AssignStmt:
		if n.Tok != token.ASSIGN && n.Tok != token.DEFINE {
			x.assign(n.Lhs[0], value{})
			return
		}
		for i, left := range n.Lhs {
			x.assign(left, valueAt(n.Rhs, i, len(n.Lhs)))
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if len(n.Values) > 0 {
				x.assign(name, valueAt(n.Values, i, len(n.Names)))
			}
		}
	case *ast.RangeStmt:
		x.assign(n.Key, value{})
		x.assign(n.Value, value{})
	case *ast.IncDecStmt:
		x.assign(n.X, value{})
	case *ast.UnaryExpr:
		if n.Op == token.AND { // whoever has the address may assign
			x.assign(n.X, value{})
		}
	}
}

func valueAt(right []ast.Expr, i, count int) value {
	if len(right) == count {
		return value{expr: right[i]}
	}
	return value{expr: right[0], n: i, many: true}
}

// assign records an assignment. A second one makes the variable unknown.
func (x *index) assign(left ast.Expr, v value) {
	id, ok := left.(*ast.Ident)
	if !ok {
		return
	}
	o := x.info.ObjectOf(id)
	if o == nil {
		return
	}
	if _, again := x.values[o]; again {
		v = value{}
	}
	x.values[o] = v
}

// resolve follows parentheses and variables that are assigned once.
func (x *index) resolve(e ast.Expr) ast.Expr {
	for range 10 {
		e = ast.Unparen(e)
		id, ok := e.(*ast.Ident)
		if !ok {
			return e
		}
		v := x.valueOf(id)
		if v.expr == nil || v.many {
			return e
		}
		e = v.expr
	}
	return e
}

// valueOf is the value of a variable. A parameter has none, even if it is
// assigned once: it came with another.
func (x *index) valueOf(id *ast.Ident) value {
	o, ok := x.info.ObjectOf(id).(*types.Var)
	if !ok || o.Kind() == types.ParamVar || o.Kind() == types.RecvVar || o.Kind() == types.ResultVar {
		return value{}
	}
	return x.values[o]
}

// function returns what an expression names: a function, a method, or nil.
func (x *index) function(e ast.Expr) *types.Func {
	switch e := x.resolve(e).(type) {
	case *ast.Ident:
		f, _ := x.info.Uses[e].(*types.Func)
		return origin(f)
	case *ast.SelectorExpr:
		f, _ := x.info.Uses[e.Sel].(*types.Func)
		return origin(f)
	case *ast.IndexExpr:
		return x.function(e.X)
	case *ast.IndexListExpr:
		return x.function(e.X)
	}
	return nil
}

func origin(f *types.Func) *types.Func {
	if f == nil {
		return nil
	}
	return f.Origin()
}

// callee is the function that a call names, directly or by a variable.
func (x *index) callee(call *ast.CallExpr) *types.Func {
	if f, ok := typeutil.Callee(x.info, call).(*types.Func); ok {
		return f.Origin()
	}
	return x.function(call.Fun)
}

// guardFunc is the name of the function of package guard that e names, or "".
func (x *index) guardFunc(e ast.Expr) string { return guardName(x.function(e)) }

// guardCall is the name of the function of package guard that e calls, or "".
func (x *index) guardCall(e ast.Expr) (string, *ast.CallExpr) {
	call, ok := x.resolve(e).(*ast.CallExpr)
	if !ok {
		return "", nil
	}
	return guardName(x.callee(call)), call
}

func guardName(f *types.Func) string {
	if f == nil || f.Pkg() == nil || f.Pkg().Path() != guardPath || f.Signature().Recv() != nil {
		return ""
	}
	return f.Name()
}

// method reports the type and name of a method, such as "net/http.ServeMux" and "Handle".
func method(f *types.Func) (receiver, name string) {
	if f == nil || f.Signature().Recv() == nil {
		return "", ""
	}
	return typeName(f.Signature().Recv().Type()), f.Name()
}

// typeName is "path.Name" of a named type or a pointer to one, without type arguments.
func typeName(t types.Type) string {
	n := named(t)
	if n == nil || n.Obj().Pkg() == nil {
		return ""
	}
	return n.Obj().Pkg().Path() + "." + n.Obj().Name()
}

func named(t types.Type) *types.Named {
	if t == nil {
		return nil
	}
	t = types.Unalias(t)
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	n, _ := t.(*types.Named)
	return n
}

// callType returns S, T and R of a *guard.Call.
func callType(t types.Type) (s, in, res types.Type, ok bool) {
	n := named(t)
	if n == nil || typeName(n) != guardPath+".Call" || n.TypeArgs().Len() != 3 {
		return nil, nil, nil, false
	}
	return n.TypeArgs().At(0), n.TypeArgs().At(1), n.TypeArgs().At(2), true
}

func isNone(t types.Type) bool { return typeName(t) == guardPath+".None" }

// callOf finds the *guard.Call whose field e is: c.Request, or a variable that
// was assigned it.
func (x *index) callOf(e ast.Expr, field string) (types.Type, bool) {
	s, ok := x.resolve(e).(*ast.SelectorExpr)
	if !ok || s.Sel.Name != field {
		return nil, false
	}
	t := x.info.TypeOf(s.X)
	_, _, _, ok = callType(t)
	return t, ok
}

// text is the constant string that e is.
func (x *index) text(e ast.Expr) (string, bool) {
	if tv, ok := x.info.Types[e]; ok && tv.Value != nil && tv.Value.Kind() == constant.String {
		return constant.StringVal(tv.Value), true
	}
	if e = x.resolve(e); e == nil {
		return "", false
	}
	tv, ok := x.info.Types[e]
	if !ok || tv.Value == nil || tv.Value.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(tv.Value), true
}

// test reports whether a node is in a file that only tests compile.
func (x *index) test(n ast.Node) bool {
	return strings.HasSuffix(x.pass.Fset.Position(n.Pos()).Filename, "_test.go")
}

// report reports a finding, unless a comment with a reason allows it.
func (x *index) report(n ast.Node, format string, args ...any) {
	if x.test(n) || x.exempt(n) {
		return
	}
	x.pass.ReportRangef(n, format, args...)
}
