package checks_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/routeguard/guard/guardvet/checks"
)

// The test data is a module that uses the real guard and the real chi. Each
// package is about one check, with good and bad code side by side.
func TestChecks(t *testing.T) {
	fetch(t)
	var packages []string
	for _, a := range checks.All() {
		packages = append(packages, "./"+a.Name)
	}
	analysistest.Run(findings{t}, filepath.Join(folder(t), "testdata"), suite(), packages...)
}

// suite runs each check on the package of its name, and those that need facts on
// what the packages import. Loading everything once is what takes the time.
func suite() *analysis.Analyzer {
	all := &analysis.Analyzer{Name: "suite", Doc: "run each check on its own package"}
	for _, a := range checks.All() {
		all.Requires = a.Requires // the same for all
		all.FactTypes = append(all.FactTypes, a.FactTypes...)
	}
	all.Run = func(pass *analysis.Pass) (any, error) {
		own := slices.ContainsFunc(checks.All(), func(a *analysis.Analyzer) bool { return a.Name == pass.Pkg.Name() })
		for _, a := range checks.All() {
			if a.Name != pass.Pkg.Name() && (own || len(a.FactTypes) == 0) {
				continue
			}
			p := *pass
			p.Analyzer = a
			if _, err := a.Run(&p); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	return all
}

func TestAllAreValidAndNamed(t *testing.T) {
	t.Parallel()
	all := checks.All()
	if err := analysis.Validate(all); err != nil {
		t.Error(err)
	}
	var names []string
	for _, a := range all {
		names = append(names, a.Name)
		if !strings.Contains(a.Doc, "\nJudged") || !strings.Contains(a.Doc, "\nNot judged") {
			t.Errorf("%s does not say what is and what is not judged", a.Name)
		}
	}
	if got, want := strings.Join(names, " "), "unguarded rawbody param rawid sqlowner reason errleak"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(all) {
		t.Error("two checks have the same name")
	}
}

// findings leaves out what analysistest says of facts: they are a means.
type findings struct{ *testing.T }

func (f findings) Errorf(format string, args ...any) {
	f.Helper()
	if text := fmt.Sprintf(format, args...); !strings.Contains(text, "unexpected fact: ") {
		f.T.Error(text)
	}
}

// fetch makes sure that the modules of the test data are there: analysistest
// loads them without the network.
func fetch(t *testing.T) {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "./...")
	cmd.Dir = "testdata"
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
