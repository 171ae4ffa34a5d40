package guard_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The code in docs/input.md is that of the examples, which compile and run.
func TestInputDocsShowTheExamples(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/input.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_input_test.go")
	if err != nil {
		t.Fatal(err)
	}
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(snippets) < 7 {
		t.Errorf("found %d snippets", len(snippets))
	}
	for _, s := range snippets {
		if !strings.Contains(words(string(source)), words(s[1])) {
			t.Errorf("no example has\n%s", s[1])
		}
	}
}
