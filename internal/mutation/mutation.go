package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutation is one check, weakened.
type mutation struct {
	id   string // area-what, in lower case
	file string // from the root of the workspace, with slashes
	old  string // stands exactly once in file
	new  string // what stands there instead
	rule string // what no longer holds

	// survives says why no test can tell the difference. Empty: a test must.
	survives string
}

// list is all mutations, by area.
func list() []mutation {
	return slices.Concat(pipeline, responses, who, which, abuse, messages, wiring, addresses, origins, tokens, payloads, results, memories)
}

// apply returns the weakened source of m's file, or why m no longer fits it.
func (m mutation) apply(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return nil, fmt.Errorf("mutation %s: %w", m.id, err)
	}
	if n := strings.Count(string(source), m.old); n != 1 || m.old == m.new {
		return nil, fmt.Errorf("mutation %s no longer applies: %s has its old text %d times, want once, and a new text that differs: follow the check to where it is now\n%s",
			m.id, m.file, n, m.old)
	}
	weaker := []byte(strings.Replace(string(source), m.old, m.new, 1))
	if _, err := parser.ParseFile(token.NewFileSet(), m.file, weaker, parser.SkipObjectResolution); err != nil {
		return nil, fmt.Errorf("mutation %s does not parse: %w", m.id, err)
	}
	return weaker, nil
}

// packages is what is tested, in this order: what is nearest is quickest.
func (m mutation) packages() []string {
	own := "."
	if i := strings.LastIndexByte(m.file, '/'); i >= 0 {
		own = "./" + m.file[:i]
	}
	if own == "." {
		return []string{".", "./guardtest"}
	}
	return []string{own, ".", "./guardtest"}
}

// workspace is the folder of the go.work file, seen from here.
func workspace() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.work above the working directory: run it in the repository")
		}
		dir = up
	}
}
