package checks

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// RawBody reports handlers that read the body which the guard has decoded.
var RawBody = &analysis.Analyzer{
	Name: "rawbody",
	Doc: `report handlers that read the request's body behind a guard

The guard has read, decoded and validated the body: what c.Request.Body still
holds was not checked. Use c.Input, or answer with guard.RawBody.

Judged: Body, GetBody, Form, PostForm and MultipartForm of c.Request, and its methods that parse a form,
in any function that has a *guard.Call. Where the input is guard.None, all routes of the handler must be seen to
answer with guard.NoPayload.

Not judged: guard.RawBody, and guard.Wrap, whose handlers find the checked body put
back; c.Request passed on to a function that reads it; tests.`,
	Run:      runRawBody,
	Requires: []*analysis.Analyzer{indexer},
}

var bodyReaders = map[string]bool{
	"Body": true, "GetBody": true, "Form": true, "PostForm": true, "MultipartForm": true,
	"ParseForm": true, "ParseMultipartForm": true, "FormValue": true, "PostFormValue": true, "FormFile": true, "MultipartReader": true,
}

func runRawBody(pass *analysis.Pass) (any, error) {
	x := indexOf(pass)
	for c := range x.in.Root().Preorder((*ast.SelectorExpr)(nil)) {
		s := c.Node().(*ast.SelectorExpr)
		if !bodyReaders[s.Sel.Name] || typeName(x.info.TypeOf(s.X)) != "net/http.Request" {
			continue
		}
		call, ok := x.callOf(s.X, "Request")
		if !ok || !x.decoded(call, s) {
			continue
		}
		x.report(s, "Request.%s behind a guard: the guard has read and checked the body: use Input, or answer with guard.RawBody", s.Sel.Name)
	}
	return nil, nil
}

// decoded reports whether the guard of the handler at n has read the body for certain.
func (x *index) decoded(call types.Type, n ast.Node) bool {
	_, in, _, _ := callType(call)
	routes := x.routesAt(n)
	for _, r := range routes {
		if r.wrap {
			return false
		}
	}
	if !isNone(in) {
		return !isTypeParam(in)
	}
	for _, r := range routes {
		if x.whatName(r) != "NoPayload" {
			return false
		}
	}
	return len(routes) > 0
}

func isTypeParam(t types.Type) bool {
	_, ok := types.Unalias(t).(*types.TypeParam)
	return ok
}
