package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func readOwnREADME(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The three commands of the README make a module of one's own that builds and passes its tests.
func TestCopy(t *testing.T) {
	t.Parallel()
	readREADME(t) // skips a copy: it cannot be copied again
	if testing.Short() {
		t.Skip("skipped the copy: it compiles everything again")
	}
	block := regexp.MustCompile("(?s)## Copy it\n.*?```sh\n(.*?)```").FindStringSubmatch(readOwnREADME(t))
	if block == nil || strings.Count(block[1], "\n") != 3 {
		t.Fatalf("got %q, want three commands", block)
	}
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(dir, "guard")); err != nil {
		t.Fatal(err)
	}
	sh := func(script string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOPROXY=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", script, err, out)
		}
		return string(out)
	}
	sh(block[1])
	if left := sh(`cd projects && grep -rlF '"github.com/routeguard/guard/examples' --include='*.go' . | grep -v copy_test.go || true`); left != "" {
		t.Errorf("the old import path is still in %s", left)
	}
	if got := sh("cd projects && go build -o projects . && ./projects routes"); !strings.Contains(got, "PATCH /projects/{projectID}") {
		t.Errorf("got %q, want the checklist", got)
	}
	t.Log(sh("cd projects && go test -short -run 'Lifecycle|WithoutHTTP|PageHeaders|README|Settings' ./..."))
}

// The README's table has the settings that the service reads, no more and no fewer.
func TestREADMESettings(t *testing.T) {
	t.Parallel()
	var read []string
	if _, err := loadConfig(func(name string) string {
		if !slices.Contains(read, name) {
			read = append(read, name)
		}
		return ""
	}); err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(readOwnREADME(t), "## Settings")
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)` \\|").FindAllStringSubmatch(table, -1) {
		listed = append(listed, row[1])
	}
	slices.Sort(read)
	slices.Sort(listed)
	if !slices.Equal(read, listed) {
		t.Errorf("the README lists %v, the service reads %v", listed, read)
	}
}
