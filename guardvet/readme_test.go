package main_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/routeguard/guard/guardvet/checks"
)

func TestREADME(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(b)
	for _, a := range checks.All() {
		if !strings.Contains(readme, "\n| `"+a.Name+"` | ") {
			t.Errorf("the table has no %s", a.Name)
		}
	}
	blocks := regexp.MustCompile("(?s)<!-- (\\S+) -->\n```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if len(blocks) == 0 || len(blocks) != strings.Count(readme, "```go") {
		t.Errorf("%d of %d Go blocks name their file", len(blocks), strings.Count(readme, "```go"))
	}
	for _, block := range blocks {
		source, err := os.ReadFile(block[1])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(words(string(source)), words(block[2])) {
			t.Errorf("not in %s:\n%s", block[1], block[2])
		}
	}
	for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(readme, -1) {
		source, err := os.ReadFile("main_test.go")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), "func "+name[1]+"(") {
			t.Errorf("there is no %s", name[1])
		}
	}
}

func words(text string) string { return strings.Join(strings.Fields(text), " ") }
