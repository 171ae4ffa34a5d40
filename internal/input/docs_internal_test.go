package input

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page lists every server-owned name, and no other.
func TestDocsListServerOwnedNames(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/input.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Field names that are the server's")
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| [^|]+ \| ([a-z ]+) \|$`).FindAllStringSubmatch(section, -1) {
		for _, name := range strings.Fields(row[1]) {
			listed[name] = true
		}
	}
	delete(listed, "names") // the head of the table
	for name := range serverOwned {
		if !listed[name] {
			t.Errorf("%s is not listed", name)
		}
	}
	for name := range listed {
		if !serverOwned[name] {
			t.Errorf("%s is listed and not server-owned", name)
		}
	}
}
