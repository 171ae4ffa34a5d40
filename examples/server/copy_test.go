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
	try := func(script string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOPROXY=off")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	sh := func(script string) string {
		t.Helper()
		out, err := try(script)
		if err != nil {
			t.Fatalf("%s\n%v\n%s", script, err, out)
		}
		return out
	}
	sh(block[1])
	if left := sh(`cd projects && grep -rlF '"github.com/routeguard/guard/examples' --include='*.go' . | grep -v copy_test.go || true`); left != "" {
		t.Errorf("the old import path is still in %s", left)
	}
	if got := sh("cd projects && " + imageBuild(t, dir) + " && ../server routes"); !strings.Contains(got, "PATCH /projects/{projectID}") {
		t.Errorf("got %q, want the checklist", got)
	}
	runProgram(t, filepath.Join(dir, "server"))
	t.Log(sh("cd projects && go test -short ./..."))

	// A new route, as the README adds one, fails the golden test until it is reviewed.
	addRoute(t, filepath.Join(dir, "projects"))
	const golden = "cd projects && go test -run 'Reviewed|TestAttack' . "
	if out, err := try(golden); err == nil || !strings.Contains(out, "GET /greeting") {
		t.Errorf("got %v, %s, want a failure that shows the new route", err, out)
	}
	sh("cd projects && GUARD_UPDATE=1 go test -run Reviewed .")
	sh(golden)
}

// addRoute does to a copy what the README says.
func addRoute(t *testing.T, folder string) {
	t.Helper()
	_, section, _ := strings.Cut(readOwnREADME(t), "## Add a route")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) != 3 {
		t.Fatalf("got %d blocks of Go, want a new file, a new route and its valid input", len(blocks))
	}
	if err := os.WriteFile(filepath.Join(folder, "greeting.go"), []byte(blocks[0][1]), 0o600); err != nil {
		t.Fatal(err)
	}
	insert := func(file, before, code string) {
		t.Helper()
		file = filepath.Join(folder, file)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(b), before) != 1 {
			t.Fatalf("%s has no single %q", file, before)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(b), before, code+before, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	insert("routes.go", "\taddPage(mux)\n", blocks[1][1])
	insert("attack_test.go", "\t\t\tguardtest.Valid(\"POST /contact\"", blocks[2][1])
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
