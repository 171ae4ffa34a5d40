package guard_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The programs in testdata/nobuild forget an answer, swap two, or mix up types.
// None of them may compile, each for the reason that its comment gives.
func TestProgramsThatMustNotBuild(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/nobuild/*_*")
	if err != nil || len(dirs) < 20 {
		t.Fatalf("found %d programs: %v", len(dirs), err)
	}
	args := []string{"build", "-o", os.DevNull, "-gcflags=-e"}
	for _, dir := range dirs {
		args = append(args, "./"+filepath.ToSlash(dir))
	}
	output, err := exec.Command("go", args...).CombinedOutput()
	if err == nil {
		t.Fatal("all programs build")
	}
	errors := byPackage(output)
	for _, dir := range dirs {
		name := filepath.Base(dir)
		got, failed := errors["github.com/routeguard/guard/testdata/nobuild/"+name]
		if name == "control_that_builds" {
			if failed {
				t.Errorf("the control does not build, so the others prove nothing:\n%s", got)
			}
			continue
		}
		want := wanted(t, filepath.Join(dir, "main.go"))
		switch {
		case !failed:
			t.Errorf("%s builds, want an error with %q\n%s", name, want, output)
		case !strings.Contains(got, want):
			t.Errorf("%s: got\n%s\nwant %q", name, got, want)
		}
	}
}

// byPackage splits the compiler's output at its "# import/path" lines.
func byPackage(output []byte) map[string]string {
	errors := map[string]string{}
	var current string
	for line := range bytes.Lines(output) {
		if path, ok := bytes.CutPrefix(line, []byte("# ")); ok {
			current = string(bytes.TrimSpace(path))
			continue
		}
		errors[current] += string(line)
	}
	return errors
}

func wanted(t *testing.T, file string) string {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`// want: (.+)`).FindSubmatch(src)
	if m == nil {
		t.Fatalf("%s has no want comment", file)
	}
	return string(m[1])
}
