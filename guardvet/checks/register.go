package checks

import (
	"go/ast"
	"go/types"
	"strings"
)

// registration is a call that puts a handler behind a pattern.
type registration struct {
	call    *ast.CallExpr
	pattern ast.Expr
	handler ast.Expr
	guarded bool // by (*guard.Mux).Handle
}

// chiMethods are those of chi.Router that register a handler, with the number of
// their arguments. NotFound and MethodNotAllowed serve no route.
var chiMethods = map[string]int{
	"Connect": 2, "Delete": 2, "Get": 2, "Head": 2, "Options": 2, "Patch": 2, "Post": 2, "Put": 2, "Query": 2, "Trace": 2,
	"Handle": 2, "HandleFunc": 2, "Mount": 2, "Method": 3, "MethodFunc": 3,
}

func (x *index) registration(call *ast.CallExpr) (registration, bool) {
	f := x.callee(call)
	receiver, name := method(f)
	n := len(call.Args)
	switch {
	case f == nil || f.Pkg() == nil || n < 2:
	case receiver == guardPath+".Mux" && name == "Handle":
		return registration{call, call.Args[0], call.Args[1], true}, true
	case receiver == "net/http.ServeMux" && (name == "Handle" || name == "HandleFunc"),
		receiver == "" && f.Pkg().Path() == "net/http" && (f.Name() == "Handle" || f.Name() == "HandleFunc"):
		return registration{call, call.Args[0], call.Args[1], false}, true
	case isChi(receiver) && chiMethods[name] == n:
		return registration{call, call.Args[n-2], call.Args[n-1], false}, true
	}
	return registration{}, false
}

// isChi reports whether a type is a router of chi, of any major version.
func isChi(name string) bool {
	rest, ok := strings.CutPrefix(name, "github.com/go-chi/chi")
	if !ok {
		return false
	}
	version, typ, _ := strings.Cut(rest, ".")
	return (version == "" || strings.HasPrefix(version, "/v")) && (typ == "Mux" || typ == "Router")
}

// handles reports whether a value of type t can be a handler.
func handles(t types.Type) bool {
	if t == nil {
		return false
	}
	if s, ok := t.Underlying().(*types.Signature); ok {
		return s.Results().Len() == 0 && s.Params().Len() == 2 && typeName(s.Params().At(0).Type()) == "net/http.ResponseWriter" &&
			typeName(s.Params().At(1).Type()) == "net/http.Request"
	}
	o, _, _ := types.LookupFieldOrMethod(t, true, nil, "ServeHTTP")
	f, ok := o.(*types.Func)
	return ok && handles(f.Type())
}
