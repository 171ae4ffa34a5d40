package guardtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/routeguard/guard/checklist"
)

// updateGolden is the environment variable that writes golden files instead of comparing.
const updateGolden = "GUARD_UPDATE"

// Routes is what has a checklist: a *guard.Mux, or a checklist.List of guards on another router.
type Routes interface{ Routes() []checklist.Route }

// Golden compares the checklist of routes with a file, and fails where they differ.
//
//	func TestRoutes(t *testing.T) { guardtest.Golden(t, newMux(), "testdata/routes.golden") }
//
// A new, changed or weakened route fails the test until somebody has looked at the
// difference and runs it with GUARD_UPDATE=1, which writes the file and its folder. The file is
// reviewed like code. A missing file fails.
func Golden(t testing.TB, routes Routes, file string) {
	t.Helper()
	got := text(t, routes)
	if os.Getenv(updateGolden) != "" {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
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

func text(t testing.TB, routes Routes) string {
	t.Helper()
	var b strings.Builder
	if err := checklist.WriteText(&b, routes.Routes()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// difference lists the routes that were removed (-) and added (+), and of a changed
// one the lines that differ. It is empty where nothing but the order of routes changed,
// or nothing at all.
func difference(old, current string) string {
	was, is := paragraphs(old), paragraphs(current)
	var b strings.Builder
	for _, p := range was {
		if slices.Contains(is, p) {
			continue
		}
		if i := slices.IndexFunc(is, func(other string) bool { return header(other) == header(p) }); i >= 0 {
			changed(&b, p, is[i])
			continue
		}
		mark(&b, "-", p)
	}
	for _, p := range is {
		if !slices.Contains(was, p) && !slices.ContainsFunc(was, func(other string) bool { return header(other) == header(p) }) {
			mark(&b, "+", p)
		}
	}
	if b.Len() == 0 && len(was) != len(is) {
		return "a route stands there twice\n"
	}
	return b.String()
}

// header is a route's first line, its pattern.
func header(paragraph string) string {
	line, _, _ := strings.Cut(paragraph, "\n")
	return line
}

// changed lists the lines that one of two paragraphs of a route has alone, and those
// that stand in another order.
func changed(b *strings.Builder, old, current string) {
	was, is := slices.Collect(strings.Lines(old)), slices.Collect(strings.Lines(current))
	b.WriteString("  " + was[0])
	n := b.Len()
	for _, line := range was[1:] {
		if !slices.Contains(is, line) {
			mark(b, "-", line)
		}
	}
	for _, line := range is[1:] {
		if !slices.Contains(was, line) {
			mark(b, "+", line)
		}
	}
	if b.Len() == n { // the same lines in another order, such as the steps to a resource
		mark(b, "-", strings.Join(was[1:], ""))
		mark(b, "+", strings.Join(is[1:], ""))
	}
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
