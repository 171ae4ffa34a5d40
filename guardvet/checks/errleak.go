package checks

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/inspector"
)

// ErrLeak reports the text of errors that is sent to clients.
var ErrLeak = &analysis.Analyzer{
	Name: "errleak",
	Doc: `report the text of an error that is sent to a client

An error's text names tables, hosts, paths and types. Return the error, and the
guard logs it; tell the caller a fixed sentence with guard.Fail.

Judged: err.Error(), and err given to fmt.Sprint, Sprintf and the like, also through strings that are
joined and variables that are assigned once, where it reaches http.Error, http.Redirect, Write, WriteString,
fmt.Fprint or io.WriteString on a ResponseWriter, its headers, Encode of a JSON or XML encoder on one,
guard.Fail, guard.Invalid, a guard.Error, a guard.Reply, guard.Created, or what a guarded handler returns.

Fine: sentinel errors (package-level variables), also where a comparison with one
leads there.

Not judged: error types of the service and of other modules, whose text may be
made for callers; errors that pass through other functions, struct fields or
templates; panics; tests.`,
	Run:      runErrLeak,
	Requires: []*analysis.Analyzer{indexer},
}

func runErrLeak(pass *analysis.Pass) (any, error) {
	x := indexOf(pass)
	l := leaks{x, map[ast.Node]bool{}}
	for c := range x.in.Root().Preorder((*ast.CallExpr)(nil), (*ast.CompositeLit)(nil), (*ast.ReturnStmt)(nil), (*ast.AssignStmt)(nil)) {
		switch n := c.Node().(type) {
		case *ast.CallExpr:
			l.call(c, n)
		case *ast.CompositeLit:
			l.literal(c, n)
		case *ast.ReturnStmt:
			l.result(c, n)
		case *ast.AssignStmt:
			l.field(c, n)
		}
	}
	return nil, nil
}

// leaks looks for errors in what is sent.
type leaks struct {
	x        *index
	reported map[ast.Node]bool
}

// send judges the expressions that a client gets.
func (l leaks) send(c inspector.Cursor, sent ...ast.Expr) {
	for _, e := range sent {
		leak := l.find(e, 5)
		if leak == nil || l.reported[leak] || l.compared(c, leak) {
			continue
		}
		l.reported[leak] = true
		at := ast.Node(leak)
		if leak.Pos() < e.Pos() || leak.End() > e.End() {
			at = e // the text was made elsewhere; the finding is where it is sent
		}
		l.x.report(at, "the text of an error is sent to the client: return the error, and tell the caller a fixed sentence with guard.Fail")
	}
}

func (l leaks) call(c inspector.Cursor, call *ast.CallExpr) {
	f := l.x.callee(call)
	if f == nil || f.Pkg() == nil || len(call.Args) == 0 {
		return
	}
	receiver, name := method(f)
	if receiver != "" || f.Signature().Recv() != nil {
		l.methodCall(c, call, receiver, name)
		return
	}
	switch f.Pkg().Path() + "." + f.Name() {
	case "net/http.Error":
		l.send(c, call.Args[1:]...)
	case "net/http.Redirect":
		l.send(c, call.Args[2:]...)
	case "fmt.Fprintf", "fmt.Fprint", "fmt.Fprintln", "io.WriteString":
		if l.isWriter(call.Args[0]) {
			l.print(c, call, f.Name())
		}
	case guardPath + ".Fail", guardPath + ".Invalid", guardPath + ".Created":
		l.send(c, call.Args...)
	}
}

// print judges the arguments of fmt.Fprint and its like: an error there needs no Error().
func (l leaks) print(c inspector.Cursor, call *ast.CallExpr, name string) {
	for _, a := range l.printed(call.Args[1:], strings.HasSuffix(name, "f")) {
		if l.isError(a) && !l.reported[a] && !l.compared(c, a) {
			l.reported[a] = true
			l.x.report(a, "the text of an error is sent to the client: return the error, and tell the caller a fixed sentence with guard.Fail")
		}
	}
	l.send(c, call.Args[1:]...)
}

func (l leaks) methodCall(c inspector.Cursor, call *ast.CallExpr, receiver, name string) {
	s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return
	}
	switch {
	case (name == "Write" || name == "WriteString") && l.isWriter(s.X):
		l.send(c, call.Args[0])
	case (name == "Set" || name == "Add") && receiver == "net/http.Header":
		if of, ok := ast.Unparen(s.X).(*ast.CallExpr); ok && l.isHeaderOfWriter(of) {
			l.send(c, call.Args...)
		}
	case name == "Encode" && (receiver == "encoding/json.Encoder" || receiver == "encoding/xml.Encoder"):
		maker, ok := l.x.resolve(s.X).(*ast.CallExpr)
		if ok && len(maker.Args) == 1 && l.isWriter(maker.Args[0]) {
			l.send(c, call.Args[0])
		}
	}
}

func (l leaks) isHeaderOfWriter(call *ast.CallExpr) bool {
	s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	return ok && s.Sel.Name == "Header" && l.isWriter(s.X)
}

// literal judges guard.Reply{Body: …} and guard.Error{Message: …}.
func (l leaks) literal(c inspector.Cursor, lit *ast.CompositeLit) {
	switch typeName(l.x.info.TypeOf(lit)) {
	case guardPath + ".Reply", guardPath + ".Error", guardPath + ".FieldError":
		l.send(c, lit)
	}
}

// field judges e.Message = err.Error(), where e is a guard.Error or a guard.Reply.
func (l leaks) field(c inspector.Cursor, a *ast.AssignStmt) {
	if len(a.Lhs) != len(a.Rhs) {
		return
	}
	for i, left := range a.Lhs {
		s, ok := ast.Unparen(left).(*ast.SelectorExpr)
		if !ok {
			continue
		}
		switch typeName(l.x.info.TypeOf(s.X)) {
		case guardPath + ".Reply", guardPath + ".Error", guardPath + ".FieldError":
			l.send(c, a.Rhs[i])
		}
	}
}

// result judges what a guarded handler returns beside its error.
func (l leaks) result(c inspector.Cursor, r *ast.ReturnStmt) {
	if len(r.Results) != 2 {
		return
	}
	for f := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		if l.x.isHandler(f.Node()) {
			l.send(c, r.Results[0])
		}
		return // only the innermost function
	}
}

// isHandler reports whether a function has the shape of a guarded handler.
func (x *index) isHandler(n ast.Node) bool {
	var t types.Type
	switch n := n.(type) {
	case *ast.FuncDecl:
		t = x.info.TypeOf(n.Name)
	case *ast.FuncLit:
		t = x.info.TypeOf(n)
	}
	s, ok := t.(*types.Signature)
	if !ok || s.Params().Len() != 2 || s.Results().Len() != 2 {
		return false
	}
	_, _, _, ok = callType(s.Params().At(1).Type())
	return ok
}

// find returns the expression inside e that turns an error into text, or nil.
func (l leaks) find(e ast.Expr, depth int) ast.Expr {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if v := l.x.valueOf(e); v.expr != nil && !v.many && depth > 0 {
			return l.find(v.expr, depth-1)
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return l.first(depth, e.X, e.Y)
		}
	case *ast.UnaryExpr:
		return l.find(e.X, depth)
	case *ast.KeyValueExpr:
		return l.find(e.Value, depth)
	case *ast.CompositeLit:
		return l.first(depth, e.Elts...)
	case *ast.SliceExpr:
		return l.find(e.X, depth)
	case *ast.CallExpr:
		return l.findCall(e, depth)
	}
	return nil
}

func (l leaks) first(depth int, list ...ast.Expr) ast.Expr {
	for _, e := range list {
		if found := l.find(e, depth); found != nil {
			return found
		}
	}
	return nil
}

func (l leaks) findCall(call *ast.CallExpr, depth int) ast.Expr {
	if l.x.converts(call) && len(call.Args) == 1 {
		return l.find(call.Args[0], depth)
	}
	f := l.x.callee(call)
	if f == nil {
		return nil
	}
	if s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && f.Name() == "Error" && len(call.Args) == 0 && l.isError(s.X) {
		return call
	}
	if f.Pkg() == nil {
		return nil
	}
	switch f.Pkg().Path() + "." + f.Name() {
	case "fmt.Sprint", "fmt.Sprintln", "fmt.Sprintf", "fmt.Append", "fmt.Appendf", "fmt.Appendln":
		args := call.Args
		if strings.HasPrefix(f.Name(), "Append") {
			args = args[1:]
		}
		args = l.printed(args, strings.HasSuffix(f.Name(), "f"))
		if i := slices.IndexFunc(args, l.isError); i >= 0 {
			return args[i]
		}
		return l.first(depth, call.Args...)
	case "strings.TrimSpace", "strings.Join", "strings.ToUpper", "strings.ToLower", "strings.TrimPrefix", "strings.TrimSuffix",
		"strings.ReplaceAll", "html.EscapeString", "html/template.HTMLEscapeString", "strconv.Quote", guardPath + ".Created":
		return l.first(depth, call.Args...)
	}
	return nil
}

// printed are the arguments whose text fmt prints: all, or those of %v, %s and
// %q where there is a constant format. %T and %p print no text.
func (l leaks) printed(args []ast.Expr, formatted bool) []ast.Expr {
	if !formatted {
		return args
	}
	if len(args) == 0 {
		return nil
	}
	format, ok := l.x.text(args[0])
	if !ok || strings.Contains(format, "%[") {
		return args
	}
	verbs := formatVerbs(format)
	var found []ast.Expr
	for i, a := range args[1:] {
		if i >= len(verbs) || strings.IndexByte("vsqxXw", verbs[i]) >= 0 {
			found = append(found, a)
		}
	}
	return found
}

// formatVerbs are the verbs of a format, one for each argument.
func formatVerbs(format string) []byte {
	var verbs []byte
	for {
		_, after, ok := strings.Cut(format, "%")
		if !ok {
			return verbs
		}
		rest := strings.TrimLeft(after, "+-# 0123456789.*")
		verbs = append(verbs, slices.Repeat([]byte{'*'}, strings.Count(after[:len(after)-len(rest)], "*"))...)
		if rest == "" {
			return verbs
		}
		if rest[0] != '%' {
			verbs = append(verbs, rest[0])
		}
		format = rest[1:]
	}
}

var errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)

// isError reports whether e is an error whose text was not made for callers.
func (l leaks) isError(e ast.Expr) bool {
	t := l.x.info.TypeOf(e)
	if t == nil || !types.Implements(t, errorType) || l.isSentinel(e) {
		return false
	}
	if types.IsInterface(t) || typeName(t) == guardPath+".Error" {
		return true
	}
	n := named(t)
	if n == nil || n.Obj().Pkg() == nil {
		return false
	}
	return isStandard(n.Obj().Pkg().Path())
}

// isStandard knows the packages whose error types reach handlers. A module
// without a dot in its path looks like the standard library otherwise.
func isStandard(path string) bool {
	switch path {
	case "encoding/json", "encoding/xml", "encoding/base64", "strconv", "net", "net/url", "net/http", "net/textproto", "os", "io/fs", "os/exec",
		"time", "crypto/x509", "mime/multipart", "text/template", "html/template":
		return true
	}
	return false
}

// isSentinel reports whether e is a package-level variable: its text is fixed.
func (l leaks) isSentinel(e ast.Expr) bool {
	var id *ast.Ident
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		id = e
	case *ast.SelectorExpr:
		id = e.Sel
	default:
		return false
	}
	v, ok := l.x.info.Uses[id].(*types.Var)
	return ok && !v.IsField() && v.Pkg() != nil && v.Parent() == v.Pkg().Scope()
}

// compared reports whether the way here goes through a comparison of the error
// with a sentinel: if err == ErrFull, or a case of switch err.
func (l leaks) compared(c inspector.Cursor, leak ast.Expr) bool {
	subject := leak
	if call, ok := leak.(*ast.CallExpr); ok {
		if s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
			subject = s.X
		}
	}
	o := l.object(subject)
	if o == nil {
		return false
	}
	for p := range c.Enclosing((*ast.IfStmt)(nil), (*ast.CaseClause)(nil)) {
		switch n := p.Node().(type) {
		case *ast.IfStmt:
			if n.Body.Pos() <= c.Node().Pos() && c.Node().End() <= n.Body.End() && l.equals(n.Cond, o) {
				return true
			}
		case *ast.CaseClause:
			s, ok := p.Parent().Parent().Node().(*ast.SwitchStmt)
			if ok && s.Tag != nil && l.object(s.Tag) == o && len(n.List) > 0 && !slices.ContainsFunc(n.List, func(e ast.Expr) bool { return !l.isSentinel(e) }) {
				return true
			}
		}
	}
	return false
}

// equals reports whether a condition holds only for sentinels.
func (l leaks) equals(cond ast.Expr, o types.Object) bool {
	b, ok := ast.Unparen(cond).(*ast.BinaryExpr)
	if !ok {
		return false
	}
	switch b.Op {
	case token.LOR:
		return l.equals(b.X, o) && l.equals(b.Y, o)
	case token.LAND:
		return l.equals(b.X, o) || l.equals(b.Y, o)
	case token.EQL:
		return l.object(b.X) == o && l.isSentinel(b.Y) || l.object(b.Y) == o && l.isSentinel(b.X)
	}
	return false
}

func (l leaks) object(e ast.Expr) types.Object {
	if id, ok := ast.Unparen(e).(*ast.Ident); ok {
		return l.x.info.ObjectOf(id)
	}
	return nil
}

// isWriter reports whether e is a client's ResponseWriter.
func (l leaks) isWriter(e ast.Expr) bool {
	t := l.x.info.TypeOf(e)
	if typeName(t) == "net/http.ResponseWriter" {
		return true
	}
	if id, ok := ast.Unparen(e).(*ast.Ident); ok { // io.Writer(w)
		return typeName(l.x.info.TypeOf(l.x.resolve(id))) == "net/http.ResponseWriter"
	}
	return false
}
