package guard_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testName is a test in a document, with what it says about the rows of its table:
// `TestCredentials` ("two keys", "two cookies of the name").
var testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)\\w+)`((?:,? *\\([^)]*\\))?)")

var quoted = regexp.MustCompile(`"([^"]+)"`)

// A claim in a document is as good as the test that it names: the test exists, and so do
// the rows that are quoted.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	sources := testSources(t)
	found := 0
	for _, path := range walk(t, ".md") {
		text := readFile(t, path)
		for _, m := range testName.FindAllStringSubmatch(strings.ReplaceAll(text, "\n", " "), -1) {
			found++
			source, exists := sources[m[1]]
			if !exists {
				t.Errorf("%s names %s, which does not exist", path, m[1])
				continue
			}
			for _, row := range quoted.FindAllStringSubmatch(m[2], -1) {
				if !strings.Contains(source, `"`+row[1]+`"`) {
					t.Errorf("%s says that %s has %q, which its file does not have", path, m[1], row[1])
				}
			}
		}
	}
	if found < 200 {
		t.Errorf("found %d names of tests in the documents, want at least 200: is the pattern still right?", found)
	}
}

// Every row of the threat model and of the standards says what pins it, or whose task it is.
func TestEveryClaimHasATest(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"docs/threat-model.md", "docs/standards.md"} {
		rows := 0
		for line := range strings.Lines(readFile(t, path)) {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
			if len(cells) < 3 || !strings.HasPrefix(line, "|") || strings.Contains(line, "---") || isHead(cells) {
				continue
			}
			rows++
			pinned := cells[len(cells)-1]
			if !testName.MatchString(pinned) && !strings.Contains(pinned, "the service's task") {
				t.Errorf("%s: nothing pins %q", path, strings.TrimSpace(line))
			}
		}
		if rows < 50 {
			t.Errorf("%s: found %d rows, want at least 50", path, rows)
		}
	}
}

func isHead(cells []string) bool {
	switch strings.TrimSpace(cells[len(cells)-1]) {
	case "pinned by", "where it is shown", "test, or whose task":
		return true
	}
	return false
}

// testSources returns the text of the files that have each test.
func testSources(t *testing.T) map[string]string {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	sources := map[string]string{}
	for _, path := range walk(t, "_test.go") {
		text := readFile(t, path)
		for _, m := range declared.FindAllStringSubmatch(text, -1) {
			sources[m[1]] += text
		}
	}
	return sources
}

// walk returns the files of the repository that end so.
func walk(t *testing.T, suffix string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatalf("found no file that ends in %s: %v", suffix, err)
	}
	return paths
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
