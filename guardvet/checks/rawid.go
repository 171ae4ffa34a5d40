package checks

import (
	"go/ast"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// RawID reports handlers that find their resource by an id that no one authorized.
var RawID = &analysis.Analyzer{
	Name: "rawid",
	Doc: `report ids that a handler takes from the path past the guard

Judged, in handlers of guard.New:

  - c.Request.PathValue, and chi.URLParam of c.Request, where the third answer was
    NoResource, or where it reads other parameters (an Owned project, and a task of
    any project);
  - c.Input.SomeID, a field with a path tag whose name ends in ID, passed to a
    function that takes a context and nothing of c.Caller, where the answer was
    NoResource, callers are known, and Only does not limit them to a role.

Judged, in handlers of guard.Wrap with NoResource, for known callers without Only:
r.PathValue and chi.URLParam.

Not judged: ids in the body or the query, ids that pass through other variables
or functions first, routes that are not made in the handler's package, answers
that are fields or parameters; tests.`,
	Run:      runRawID,
	Requires: []*analysis.Analyzer{indexer},
}

func runRawID(pass *analysis.Pass) (any, error) {
	x := indexOf(pass)
	for c := range x.in.Root().Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		if request, name := x.pathValue(call); request != nil {
			x.rawPathValue(call, request, name)
			continue
		}
		x.rawInputID(call)
	}
	return nil, nil
}

// pathValue finds the request and the parameter's name in a call that reads one.
func (x *index) pathValue(call *ast.CallExpr) (request, name ast.Expr) {
	f := x.callee(call)
	receiver, method := method(f)
	switch {
	case receiver == "net/http.Request" && method == "PathValue" && len(call.Args) == 1:
		if s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
			return s.X, call.Args[0]
		}
	case f != nil && f.Pkg() != nil && strings.HasPrefix(f.Pkg().Path(), "github.com/go-chi/chi") && f.Name() == "URLParam" && len(call.Args) == 2:
		return call.Args[0], call.Args[1]
	}
	return nil, nil
}

func (x *index) rawPathValue(call *ast.CallExpr, request, name ast.Expr) {
	routes := x.routesAt(call)
	c, typed := x.callOf(request, "Request")
	if !typed {
		if x.wrapsNoResource(routes) {
			x.report(call, "a path value read in a wrapped handler whose answer was NoResource: answer with Owned, Within or Authorize")
		}
		return
	}
	_, _, resource, _ := callType(c)
	if isNone(resource) {
		x.report(call, "a path value read past the guard, whose answer was NoResource: answer with Owned, Within or Authorize, or declare an input field with a path tag")
		return
	}
	param, ok := x.text(name)
	if !ok || len(routes) == 0 {
		return
	}
	for _, r := range routes {
		if params, ok := x.whichParams(r.which); !ok || r.ownedInput || slices.Contains(params, param) {
			return
		}
	}
	x.report(call, "{%s} read past the guard, which authorized another parameter: answer with Within", param)
}

// wrapsNoResource reports whether a wrapped handler serves known callers of any
// role and no resource, for certain.
func (x *index) wrapsNoResource(routes []*route) bool {
	for _, r := range routes {
		if !r.wrap || x.guardFunc(r.which) != "NoResource" || x.only(r.who) != no || x.guardFunc(r.who) == "Anyone" || x.anonymous(r.who) {
			return false
		}
	}
	return len(routes) > 0
}

func (x *index) anonymous(who ast.Expr) bool {
	n := named(x.info.TypeOf(who))
	return n != nil && n.TypeArgs().Len() == 1 && typeName(n.TypeArgs().At(0)) == guardPath+".Anonymous"
}

// rawInputID judges load(ctx, c.Input.ProjectID).
func (x *index) rawInputID(call *ast.CallExpr) {
	if len(call.Args) < 2 || typeName(x.info.TypeOf(call.Args[0])) != "context.Context" {
		return
	}
	var id ast.Expr
	var field string
	for _, a := range call.Args[1:] {
		if x.mentionsCaller(a) {
			return
		}
		if name := x.inputID(a); name != "" {
			id, field = a, name
		}
	}
	if id == nil {
		return
	}
	routes := x.routesAt(call)
	for _, r := range routes {
		if r.wrap || r.ownedInput || x.guardFunc(r.which) != "NoResource" || x.only(r.who) != no {
			return
		}
	}
	if len(routes) > 0 {
		x.report(id, "Input.%s names a resource that nobody authorized, since the answer was NoResource: answer with Owned, Within or Authorize", field)
	}
}

// inputID finds c.Input.SomeID in an argument: a path field of a route for
// known callers that touches no resource. It returns the field's name, or "".
func (x *index) inputID(arg ast.Expr) string {
	s, ok := x.resolve(arg).(*ast.SelectorExpr)
	if !ok || !strings.HasSuffix(strings.ToLower(s.Sel.Name), "id") {
		return ""
	}
	t, ok := x.callOf(s.X, "Input")
	if !ok {
		return ""
	}
	caller, in, resource, _ := callType(t)
	if !isNone(resource) || typeName(caller) == guardPath+".Anonymous" {
		return ""
	}
	if !slices.ContainsFunc(pathFields(in), func(f pathField) bool { return f.field == s.Sel.Name }) {
		return ""
	}
	return s.Sel.Name
}

// mentionsCaller reports whether an argument was made from c.Caller, or is the
// whole Call.
func (x *index) mentionsCaller(arg ast.Expr) bool {
	if _, _, _, whole := callType(x.info.TypeOf(arg)); whole {
		return true
	}
	return x.madeFromCaller(arg, 5)
}

func (x *index) madeFromCaller(e ast.Expr, depth int) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if _, ok := x.callOf(n, "Caller"); ok {
				found = true
			}
		case *ast.Ident:
			if v := x.valueOf(n); v.expr != nil && depth > 0 {
				found = found || x.madeFromCaller(v.expr, depth-1)
			}
		}
		return !found
	})
	return found
}
