package guard_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every piece of Go and SQL on a page names the file that it is taken from, which compiles and has tests:
//
//	<!-- examples/server/routes.go -->
//
// White space does not count, so that a page may leave an indentation out. What is in no file names the test beside the
// page that builds it: "built by TestName".
func TestPagesShowCodeThatCompiles(t *testing.T) {
	t.Parallel()
	piece := regexp.MustCompile("(?s)(?:<!-- (\\S+|built by Test\\w+) -->\n)?```(?:go|sql)\n(.*?)```")
	for name, text := range pages(t) {
		for _, p := range piece.FindAllStringSubmatch(text, -1) {
			file, code := p[1], p[2]
			if file == "" {
				t.Errorf("%s: no comment names the file of\n%s", name, code)
				continue
			}
			if test, ok := strings.CutPrefix(file, "built by "); ok {
				if !hasTest(t, filepath.Dir(name), test) {
					t.Errorf("%s: no test beside it is named %s", name, test)
				}
				continue
			}
			source, err := os.ReadFile(filepath.FromSlash(file))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if !strings.Contains(words(string(source)), words(code)) {
				t.Errorf("%s: not in %s:\n%s", name, file, code)
			}
		}
	}
}

// hasTest reports whether a folder has a test of that name.
func hasTest(t *testing.T, folder, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+test+"(t *testing.T)") {
			return true
		}
	}
	return false
}

func TestPagesLinkToWhatIsThere(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile("(?s)```.*?```|`[^`]*`")
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)\s]*)?\)`) // those with a colon leave the repository
	for name, text := range pages(t) {
		for _, l := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), filepath.FromSlash(l[1]))); err != nil {
				t.Errorf("%s: a link leads nowhere: %v", name, err)
			}
		}
	}
}

// A page that no other page links to is not found by readers.
func TestPagesAreListed(t *testing.T) {
	t.Parallel()
	all := pages(t)
	index := filepath.Join("docs", "README.md")
	for name := range all {
		rel, err := filepath.Rel("docs", name)
		if err != nil || rel == "README.md" || strings.HasPrefix(rel, "..") {
			continue
		}
		if !strings.Contains(all[index], "("+filepath.ToSlash(rel)+")") {
			t.Errorf("%s does not list %s", index, name)
		}
	}
}

// pages returns every page of this repository, with those of the nested modules.
func pages(t *testing.T) map[string]string {
	t.Helper()
	if _, err := os.Stat("examples"); os.IsNotExist(err) {
		t.Skip("no examples here: this is the module alone, not the repository")
	}
	all := map[string]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != "."):
			return filepath.SkipDir
		case filepath.Ext(name) == ".md":
			b, err := os.ReadFile(name)
			all[name] = strings.ReplaceAll(string(b), "\r\n", "\n")
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 5 {
		t.Fatalf("found %d pages", len(all))
	}
	return all
}

func words(text string) string { return strings.Join(strings.Fields(text), " ") }
