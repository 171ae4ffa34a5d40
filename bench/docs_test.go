package bench_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/routeguard/guard/bench/internal/route"
)

// The tables in the README and in docs/benchmarks.md are what the commands print: the
// same implementations and cases, in the same order, with a ratio for each.
func TestDocsShowTheTable(t *testing.T) {
	table := route.Standard()
	for _, page := range []string{"../README.md", "../docs/benchmarks.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		header := "| case |"
		for _, i := range table.Implementations {
			header += " " + i.Name + " |"
		}
		_, rest, found := strings.Cut(string(text), header+"\n")
		if !found {
			t.Errorf("%s: got no table with the line %s", page, header)
			continue
		}
		lines := strings.Split(rest, "\n")[1:]
		for n, c := range table.Cases {
			row := regexp.MustCompile(`^\| ` + regexp.QuoteMeta(c.Name) + ` \| [\d.]+ µs = 1\.00 \|( \d+\.\d\d \|)+$`)
			if !row.MatchString(lines[n]) || strings.Count(lines[n], "|") != strings.Count(header, "|") {
				t.Errorf("%s: got line %q, want one of the case %s", page, lines[n], c.Name)
			}
		}
	}
}
