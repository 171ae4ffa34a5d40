package checks

import (
	"go/ast"
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// directive is a comment that allows a finding, and says why.
//
//	//guard:unguarded reason
//	//guard:allow check reason
type directive struct {
	comment *ast.Comment
	check   string
	reason  string
}

type line struct {
	file   string
	number int
}

func directives(pass *analysis.Pass) map[line][]directive {
	found := map[line][]directive{}
	for _, f := range pass.Files {
		for _, group := range f.Comments {
			for _, c := range group.List {
				if d, ok := parseDirective(c); ok {
					at := lineOf(pass.Fset, c.Pos())
					found[at] = append(found[at], d)
				}
			}
		}
	}
	return found
}

func parseDirective(c *ast.Comment) (directive, bool) {
	text, ok := strings.CutPrefix(c.Text, "//guard:")
	if !ok {
		return directive{}, false
	}
	// A comment inside the comment is not a reason.
	text, _, _ = strings.Cut(text, "//")
	verb, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch verb {
	case "unguarded":
		return directive{c, "unguarded", rest}, true
	case "allow":
		check, reason, _ := strings.Cut(rest, " ")
		return directive{c, check, strings.TrimSpace(reason)}, true
	}
	return directive{c, "", ""}, true
}

func lineOf(fset *token.FileSet, pos token.Pos) line {
	p := fset.Position(pos)
	return line{p.Filename, p.Line}
}

// exempt reports whether a comment with a reason stands at n or directly above.
// One without a reason exempts nothing; the reason check reports it.
func (x *index) exempt(n ast.Node) bool {
	first, last := lineOf(x.pass.Fset, n.Pos()), lineOf(x.pass.Fset, n.End())
	above := line{first.file, first.number - 1}
	for _, at := range []line{above, first, last} {
		for _, d := range x.allowed[at] {
			if d.check == x.pass.Analyzer.Name && d.reason != "" {
				return true
			}
		}
	}
	return false
}
