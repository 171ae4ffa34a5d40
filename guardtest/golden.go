package guardtest

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/routeguard/guard"
)

// updateGolden is the environment variable that writes golden files instead of comparing.
const updateGolden = "GUARD_UPDATE"

// Golden compares the checklist of mux with a file, and fails where they differ.
//
//	func TestRoutes(t *testing.T) { guardtest.Golden(t, newMux(), "testdata/routes.golden") }
//
// A new, changed or weakened route fails the test until somebody has looked at the
// difference and runs it with GUARD_UPDATE=1, which writes the file. The file is
// reviewed like code. A missing file fails.
func Golden(t testing.TB, mux *guard.Mux, file string) {
	t.Helper()
	got := checklist(mux)
	if os.Getenv(updateGolden) != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s does not exist: review these routes and run the test with %s=1 to write it\n%s", file, updateGolden, got)
	}
	if err != nil {
		t.Fatal(err)
	}
	if changes := difference(string(want), got); changes != "" {
		t.Fatalf("the routes differ from %s: review the change, and run the test with %s=1 to accept it\n%s", file, updateGolden, changes)
	}
}

// checklist is a route a paragraph: a table would change in every line when one
// column grows.
func checklist(mux *guard.Mux) string {
	var b strings.Builder
	for _, r := range mux.Routes() {
		b.WriteString(r.Pattern + "\n")
		for _, answer := range [][2]string{{"who", r.Who}, {"what", r.What}, {"fields", r.Fields}, {"which", r.Which}, {"limits", r.Limits}, {"notes", r.Notes}} {
			for line := range strings.Lines(answer[1]) {
				b.WriteString("\t" + answer[0] + "\t" + strings.TrimSuffix(line, "\n") + "\n")
			}
		}
	}
	return b.String()
}

// difference lists the routes that were removed (-) and added (+); a changed one is
// both. It is empty where nothing but the order of routes changed, or nothing at all.
func difference(old, current string) string {
	was, is := paragraphs(old), paragraphs(current)
	var b strings.Builder
	for _, p := range was {
		if !slices.Contains(is, p) {
			mark(&b, "-", p)
		}
	}
	for _, p := range is {
		if !slices.Contains(was, p) {
			mark(&b, "+", p)
		}
	}
	if b.Len() == 0 && len(was) != len(is) {
		return "a route stands there twice\n"
	}
	return b.String()
}

// paragraphs splits a checklist into its routes.
func paragraphs(text string) []string {
	var all []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		if strings.HasPrefix(line, "\t") && len(all) > 0 {
			all[len(all)-1] += line
			continue
		}
		all = append(all, line)
	}
	return all
}

func mark(b *strings.Builder, sign, paragraph string) {
	for line := range strings.Lines(paragraph) {
		b.WriteString(sign + " " + line)
	}
}
