// Package checks holds the analyzers of guardvet, one in each file.
//
// They look only at what the source says for certain: constants, variables that
// are assigned once, and functions that are called by name. What they cannot see
// they do not report, except for unguarded, which reports every handler that it
// cannot see to be a guard. Files ending in _test.go are not judged.
//
// A finding that is right as it is gets a comment with a reason, on its line or
// the line above:
//
//	//guard:unguarded static files
//	//guard:allow errleak the caller is an operator
package checks

import (
	"slices"

	"golang.org/x/tools/go/analysis"
)

// All returns the analyzers, in the order of the five questions.
func All() []*analysis.Analyzer {
	return []*analysis.Analyzer{Unguarded, RawBody, Param, RawID, SQLOwner, Reason, ErrLeak}
}

// names are the checks that a guard:allow comment can name. It is a list of its
// own because the analyzers depend on it.
var names = []string{"unguarded", "rawbody", "param", "rawid", "sqlowner", "reason", "errleak"}

func isCheck(name string) bool { return slices.Contains(names, name) }
