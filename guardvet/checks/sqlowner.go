package checks

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// SQLOwner reports writes that do not repeat the ownership that Owned checked.
var SQLOwner = &analysis.Analyzer{
	Name: "sqlowner",
	Doc: `report an UPDATE or DELETE of an owned row that does not name its owner

No lock is held between the guard's check and the handler's write: the row may
have changed hands. The statement should say WHERE id = ? AND owner_id = ?.

Judged, where all of this is certain: a route of guard.Owned; load reads one table with
a constant SELECT; owns is one comparison, or several joined by &&, of the resource's fields with the
caller; the handler, or a function that it calls by name in this or another package,
passes a constant UPDATE or DELETE of the same table to a call; and its WHERE names none of the columns
that owns compares, other than beside an OR. Columns are fields by their db or bun tag, or by their name in snake case.

Reported as well, behind Owned, Within and Authorize: such a statement without a WHERE, of
a table that their function reads. It changes the rows of everybody.

Fine: a WHERE that names a version, a revision, an etag or updated_at; functions
that also read FOR UPDATE.

Not judged: statements with a subselect, a join or a WITH; statements that are put
together at run time, and query builders; interfaces and closures; the WHERE behind Authorize
and Within; OwnedInput and hooks; other tables; owns with || or calls; tests.`,
	Run:       runSQLOwner,
	Requires:  []*analysis.Analyzer{indexer},
	FactTypes: []analysis.Fact{new(statements), new(compares)},
}

// statements is the fact about which tables a function reads and writes.
type statements struct {
	Reads  []string
	Writes []write
	Locks  bool // it reads FOR UPDATE
}

func (*statements) AFact() {}

func (s *statements) String() string {
	var texts []string
	for _, w := range s.Writes {
		texts = append(texts, w.Verb+" "+w.Table)
	}
	return "reads " + strings.Join(s.Reads, ",") + " writes " + strings.Join(texts, ",")
}

// write is an UPDATE or a DELETE.
type write struct {
	Verb, Table string
	Names       []string // of the WHERE clause, as plain gives them
	Everywhere  bool     // there is no WHERE
	At          string   // file:line
	pos         ast.Node // in this package
}

// compares is the fact that a function only compares fields of its first
// argument, each known by its possible columns.
type compares struct{ Columns []string }

func (*compares) AFact() {}

func (c *compares) String() string { return "compares " + strings.Join(c.Columns, ",") }

// maxWrites bounds the facts about a function that calls very many others.
const maxWrites = 100

func runSQLOwner(pass *analysis.Pass) (any, error) {
	x := indexOf(pass)
	o := owners{x, map[*types.Func]*statements{}}
	for f := range x.funcs {
		if s := o.statements(f); len(s.Reads)+len(s.Writes) > 0 {
			pass.ExportObjectFact(f, s.elsewhere())
		}
		if columns := x.compares(x.funcs[f].Type, x.funcs[f].Recv, x.funcs[f].Body); len(columns) > 0 {
			pass.ExportObjectFact(f, &compares{columns})
		}
	}
	reported := map[ast.Node]bool{}
	for _, r := range x.routes {
		for _, w := range o.faults(r) {
			what, at := fmt.Sprintf("this %s of %s", w.Verb, w.Table), w.pos
			if at == nil { // it is in another package
				what, at = fmt.Sprintf("the %s of %s at %s", w.Verb, w.Table, w.At), r.handler
			} else if reported[at] {
				continue
			}
			reported[at] = true
			if w.Everywhere {
				x.report(at, "%s has no WHERE: it changes the rows of everybody", what)
				continue
			}
			x.report(at, "%s does not repeat the owner that guard.Owned checked: the row may have changed hands since", what)
		}
	}
	return nil, nil
}

type owners struct {
	x    *index
	done map[*types.Func]*statements
}

// faults returns the writes behind a route that forget the owner, or every restriction.
func (o owners) faults(r *route) []write {
	name, which := o.x.guardCall(r.which)
	load, loaded := map[string]int{"Owned": 2, "Authorize": 2, "Within": 3}[name]
	if !loaded || load >= len(which.Args) || r.ownedInput {
		return nil
	}
	loads, does := o.of(o.x.function(which.Args[load])), o.handler(r)
	var columns []string
	if name == "Owned" && len(loads.Reads) == 1 && !does.Locks {
		columns = o.columns(which.Args[3])
	}
	var found []write
	for _, w := range does.Writes {
		if slices.Contains(loads.Reads, w.Table) && (w.Everywhere || len(columns) > 0 && !w.names(columns)) {
			found = append(found, w)
		}
	}
	return found
}

// names reports whether the WHERE has one of the columns, or one that changes with them.
func (w *write) names(columns []string) bool {
	return slices.ContainsFunc(w.Names, func(n string) bool { return slices.Contains(columns, n) || slices.Contains(versions, n) })
}

// handler is what the route's handler does.
func (o owners) handler(r *route) *statements {
	if r.lit != nil {
		return o.collect(r.lit.Body)
	}
	return o.of(r.fn)
}

// versions are columns that change with the owner.
var versions = []string{"version", "revision", "etag", "updatedat", "xmin"}

// columns are those that owns compares.
func (o owners) columns(owns ast.Expr) []string {
	if lit, ok := o.x.resolve(owns).(*ast.FuncLit); ok {
		return o.x.compares(lit.Type, nil, lit.Body)
	}
	f := o.x.function(owns)
	if d := o.x.funcs[f]; d != nil {
		return o.x.compares(d.Type, d.Recv, d.Body)
	}
	var fact compares
	if f != nil && o.x.pass.ImportObjectFact(f, &fact) {
		return fact.Columns
	}
	return nil
}

// of returns what a function of any package reads and writes.
func (o owners) of(f *types.Func) *statements {
	if f == nil {
		return &statements{}
	}
	if o.x.funcs[f] != nil {
		return o.statements(f)
	}
	fact := &statements{}
	o.x.pass.ImportObjectFact(f, fact)
	return fact
}

func (o owners) statements(f *types.Func) *statements {
	if s := o.done[f]; s != nil {
		return s
	}
	o.done[f] = &statements{} // for a function that calls itself
	o.done[f] = o.collect(o.x.funcs[f].Body)
	return o.done[f]
}

func (o owners) collect(body ast.Node) *statements {
	all := &statements{}
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		f := o.x.callee(call)
		if f != nil && f.Pkg() != nil && slices.Contains(textPackages, f.Pkg().Path()) {
			return true // a statement that is being put together
		}
		for _, a := range call.Args {
			if text, ok := o.x.text(a); ok {
				all.add(parseSQL(text, o.x.pass.Fset, a))
			}
		}
		if f != nil {
			all.merge(o.of(f))
		}
		return true
	})
	return all
}

// textPackages have functions that make a text of parts.
var textPackages = []string{"bytes", "fmt", "strings"}

// elsewhere is s for other packages, which cannot report in this one.
func (s *statements) elsewhere() *statements {
	c := &statements{Reads: s.Reads, Locks: s.Locks, Writes: slices.Clone(s.Writes)}
	for i := range c.Writes {
		c.Writes[i].pos = nil
	}
	return c
}

func (s *statements) add(reads string, w *write, locks bool) {
	if reads != "" && !slices.Contains(s.Reads, reads) && len(s.Reads) < maxWrites {
		s.Reads = append(s.Reads, reads)
	}
	if w != nil && len(s.Writes) < maxWrites {
		s.Writes = append(s.Writes, *w)
	}
	s.Locks = s.Locks || locks
}

func (s *statements) merge(other *statements) {
	s.Locks = s.Locks || other.Locks
	for _, r := range other.Reads {
		s.add(r, nil, false)
	}
	for _, w := range other.Writes {
		if !slices.ContainsFunc(s.Writes, func(v write) bool { return v.At == w.At }) {
			s.add("", &w, false)
		}
	}
}

// compares returns the columns that a function of the form of owns compares, or
// nil where it does anything else.
func (x *index) compares(t *ast.FuncType, recv *ast.FieldList, body *ast.BlockStmt) []string {
	resource := firstParam(x, t, recv)
	if resource == nil || len(body.List) != 1 {
		return nil
	}
	ret, ok := body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return nil
	}
	columns, ok := x.conjunction(ret.Results[0], resource)
	if !ok {
		return nil
	}
	return columns
}

func firstParam(x *index, t *ast.FuncType, recv *ast.FieldList) types.Object {
	first := t.Params
	if recv != nil {
		first = recv
	}
	if len(first.List) == 0 || len(first.List[0].Names) == 0 {
		return nil
	}
	return x.info.Defs[first.List[0].Names[0]]
}

func (x *index) conjunction(e ast.Expr, resource types.Object) ([]string, bool) {
	b, ok := ast.Unparen(e).(*ast.BinaryExpr)
	if !ok {
		return nil, false
	}
	switch b.Op {
	case token.LAND:
		left, ok1 := x.conjunction(b.X, resource)
		right, ok2 := x.conjunction(b.Y, resource)
		return append(left, right...), ok1 && ok2
	case token.EQL:
		return append(x.fieldColumns(b.X, resource), x.fieldColumns(b.Y, resource)...), true
	case token.NEQ:
		return nil, true // p != nil
	}
	return nil, false
}

// fieldColumns are the columns that p.OwnerID may stand for.
func (x *index) fieldColumns(e ast.Expr, resource types.Object) []string {
	s, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	id, ok := ast.Unparen(s.X).(*ast.Ident)
	if !ok || x.info.Uses[id] != resource {
		return nil
	}
	columns := []string{plain(s.Sel.Name)}
	if n := named(x.info.TypeOf(s.X)); n != nil {
		columns = append(columns, tagged(n, s.Sel.Name)...)
	}
	return columns
}

// position is file:line, with the last folder, so that it is the same everywhere.
func position(fset *token.FileSet, n ast.Node) string {
	p := fset.Position(n.Pos())
	folder, file := filepath.Split(p.Filename)
	return fmt.Sprintf("%s/%s:%d", filepath.Base(folder), file, p.Line)
}
