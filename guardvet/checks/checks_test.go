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
	for _, test := range []struct {
		name     string
		analyzer *analysis.Analyzer
		packages []string
	}{
		{"handlers around the guard", checks.Unguarded, []string{"./unguarded"}},
		{"bodies behind the guard", checks.RawBody, []string{"./rawbody"}},
		{"parameters that the pattern lacks", checks.Param, []string{"./param"}},
		{"ids past the guard", checks.RawID, []string{"./rawid"}},
		{"writes that forget the owner", checks.SQLOwner, []string{"./sqlowner"}},
		{"reasons that say nothing", checks.Reason, []string{"./reason"}},
		{"errors that reach the client", checks.ErrLeak, []string{"./errleak"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			analysistest.Run(findings{t}, filepath.Join(folder(t), "testdata"), test.analyzer, test.packages...)
		})
	}
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
