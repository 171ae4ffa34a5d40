package checks

import (
	"go/ast"
	"go/types"
	"reflect"
	"slices"
	"strings"
)

// route is a call of guard.New or guard.Wrap.
type route struct {
	call                      *ast.CallExpr
	wrap                      bool
	who, what, which, handler ast.Expr
	ownedInput                bool
	fn                        *types.Func  // the handler, where it is a named function
	lit                       *ast.FuncLit // or a literal
}

func (x *index) route(call *ast.CallExpr) *route {
	name := guardName(x.callee(call))
	if name != "New" && name != "Wrap" || len(call.Args) != 6 {
		return nil
	}
	a := call.Args
	r := &route{call: call, wrap: name == "Wrap", who: a[0], what: a[1], which: a[2], handler: a[5]}
	r.fn, r.lit = x.handler(r)
	return r
}

// handler finds the function at the end of a route, below After, Stream,
// OwnedInput and http.HandlerFunc.
func (x *index) handler(r *route) (*types.Func, *ast.FuncLit) {
	e := r.handler
	for range 5 {
		e = x.resolve(e)
		if lit, ok := e.(*ast.FuncLit); ok {
			return nil, lit
		}
		call, ok := e.(*ast.CallExpr)
		if !ok {
			return x.function(e), nil
		}
		switch name := guardName(x.callee(call)); {
		case (name == "After" || name == "Stream") && len(call.Args) > 0:
			e = call.Args[0]
		case name == "OwnedInput" && len(call.Args) == 4:
			r.ownedInput = true
			e = call.Args[3]
		case x.converts(call) && len(call.Args) == 1:
			e = call.Args[0]
		default:
			return nil, nil
		}
	}
	return nil, nil
}

// converts reports whether a call is a conversion.
func (x *index) converts(call *ast.CallExpr) bool { return x.info.Types[call.Fun].IsType() }

// body is the body of the handler, or nil where it is elsewhere.
func (x *index) body(r *route) *ast.BlockStmt {
	if r.lit != nil {
		return r.lit.Body
	}
	if d := x.funcs[r.fn]; d != nil {
		return d.Body
	}
	return nil
}

// routesAt returns the routes whose handler contains n.
func (x *index) routesAt(n ast.Node) []*route {
	var found []*route
	for _, r := range x.routes {
		if b := x.body(r); b != nil && b.Pos() <= n.Pos() && n.End() <= b.End() {
			found = append(found, r)
		}
	}
	return found
}

// whatName is the maker of the second answer, such as "JSON", or "".
func (x *index) whatName(r *route) string {
	if name := x.guardFunc(r.what); name != "" {
		return name
	}
	name, _ := x.guardCall(r.what)
	return name
}

// verdict is what can be said for certain.
type verdict int

const (
	unknown verdict = iota
	no
	yes
)

// only tells whether every way in is limited to a role.
func (x *index) only(who ast.Expr) verdict {
	if x.guardFunc(who) == "Anyone" {
		return no
	}
	name, call := x.guardCall(who)
	switch name {
	case "Only":
		return yes
	case "AllowOrigins", "KeepCredential":
		return x.only(call.Args[len(call.Args)-1])
	case "FirstOf":
		v := yes
		for _, a := range call.Args {
			v = min(v, x.only(a))
		}
		return v
	case "":
		return unknown
	}
	return no
}

// whichParams are the path parameters that the third answer reads.
func (x *index) whichParams(which ast.Expr) ([]string, bool) {
	if x.guardFunc(which) == "NoResource" {
		return nil, true
	}
	name, call := x.guardCall(which)
	switch name {
	case "Owned", "Authorize":
		p, ok := x.text(call.Args[0])
		return []string{p}, ok
	case "Within":
		outer, ok1 := x.whichParams(call.Args[0])
		p, ok2 := x.text(call.Args[1])
		return append(outer, p), ok1 && ok2
	}
	return nil, false
}

// pathField is a field of an input that comes from the path.
type pathField struct{ field, param string }

func pathFields(t types.Type) []pathField {
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return nil
	}
	var found []pathField
	for i := range s.NumFields() {
		if p := reflect.StructTag(s.Tag(i)).Get("path"); p != "" && p != "-" {
			p, _, _ = strings.Cut(p, ",")
			found = append(found, pathField{s.Field(i).Name(), p})
		} else if s.Field(i).Embedded() {
			found = append(found, pathFields(s.Field(i).Type())...)
		}
	}
	return found
}

// patternParams are the wildcards of a ServeMux pattern.
func patternParams(pattern string) []string {
	var found []string
	for {
		_, after, ok := strings.Cut(pattern, "{")
		if !ok {
			return found
		}
		name, rest, ok := strings.Cut(after, "}")
		if !ok {
			return found
		}
		if name = strings.TrimSuffix(name, "..."); name != "" && name != "$" && !slices.Contains(found, name) {
			found = append(found, name)
		}
		pattern = rest
	}
}
