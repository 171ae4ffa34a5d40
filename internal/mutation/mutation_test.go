package main

import (
	"strings"
	"testing"
)

// A mutation whose check was moved or rewritten tests nothing any more: the list has to
// follow the source.
func TestMutationsApply(t *testing.T) {
	t.Parallel()
	root, err := workspace()
	if err != nil {
		t.Fatal(err)
	}
	all, seen := list(), map[string]bool{}
	for _, m := range all {
		if m.id == "" || m.id != strings.ToLower(m.id) || strings.Contains(m.id, " ") || seen[m.id] {
			t.Errorf("mutation %q: the id is empty, not in lower case, with a space, or there twice", m.id)
		}
		seen[m.id] = true
		if m.rule == "" {
			t.Errorf("mutation %s does not say what it weakens", m.id)
		}
		if _, err := m.apply(root); err != nil {
			t.Error(err)
		}
	}
	if len(all) < 60 {
		t.Errorf("got %d mutations, want at least 60", len(all))
	}
}
