package checks

import (
	"go/ast"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Reason reports weakened checks whose reason says nothing.
var Reason = &analysis.Analyzer{
	Name: "reason",
	Doc: `report Unlimited, Unguarded and exemption comments without a reason

Judged: the constant reasons of guard.Unlimited and (*guard.Mux).Unguarded that are
empty, blank or without a letter; comments //guard:unguarded and //guard:allow
without a reason, with a check that does not exist, or with another verb.

Not judged: reasons that are computed (guard panics at construction where they are
empty); whether a reason is a good one; tests.`,
	Run:      runReason,
	Requires: []*analysis.Analyzer{indexer},
}

func runReason(pass *analysis.Pass) (any, error) {
	x := indexOf(pass)
	for c := range x.in.Root().Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		f := x.callee(call)
		receiver, name := method(f)
		switch {
		case guardName(f) == "Unlimited" && len(call.Args) == 1:
			x.reason(call.Args[0], `guard.Unlimited has no reason: write why, such as "health probe"`)
		case receiver == guardPath+".Mux" && name == "Unguarded" && len(call.Args) == 3:
			x.reason(call.Args[1], `Unguarded has no reason: write why, such as "static files"`)
		}
	}
	for _, list := range x.allowed {
		for _, d := range list {
			x.checkDirective(d)
		}
	}
	return nil, nil
}

func (x *index) reason(e ast.Expr, message string) {
	if text, ok := x.text(e); ok && !says(text) {
		x.report(e, "%s", message)
	}
}

// says reports whether a text holds a letter: "", " " and "-" are no reasons.
func says(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r > 0xbf })
}

// checkDirective is not allowed itself: no comment excuses one without a reason.
func (x *index) checkDirective(d directive) {
	switch {
	case x.test(d.comment):
	case d.check == "":
		x.pass.ReportRangef(d.comment, "unknown comment: write //guard:unguarded reason or //guard:allow check reason")
	case !isCheck(d.check):
		x.pass.ReportRangef(d.comment, "there is no check %q: the checks are %s", d.check, strings.Join(names, ", "))
	case !says(d.reason):
		x.pass.ReportRangef(d.comment, "the exemption from %s has no reason and exempts nothing: write why", d.check)
	}
}
