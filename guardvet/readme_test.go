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
