package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// verdict is what the tests say of one mutation.
type verdict struct {
	mutation
	state string // killed, survived, explained, broken
	by    string // the test that failed, or what is wrong
}

// runAll judges the mutations in copies of the workspace and prints a line for each.
// Its error says that some have to be looked at.
func runAll(ctx context.Context, out io.Writer, root string, chosen []mutation, parallel int, timeout time.Duration) error {
	work, verdicts := make(chan mutation), make(chan verdict)
	failed := make(chan error, parallel)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var copies sync.WaitGroup
	for range parallel {
		copies.Go(func() {
			if err := judgeAll(ctx, root, timeout, work, verdicts); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	go func() {
		defer close(work)
		for _, m := range chosen {
			select {
			case work <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		copies.Wait()
		close(verdicts)
		close(failed)
	}()
	states := map[string]int{}
	for v := range verdicts {
		states[v.state]++
		fmt.Fprintf(out, "%-9s  %-32s  %s\n", v.state, v.id, v.by)
	}
	if err := errors.Join(<-failed, ctx.Err()); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d mutations: %d killed, %d explained, %d survived, %d broken\n",
		len(chosen), states["killed"], states["explained"], states["survived"], states["broken"])
	if open := states["survived"] + states["broken"]; open > 0 {
		return fmt.Errorf("%d mutations need a test or an explanation, or do not compile", open)
	}
	return nil
}

// judgeAll judges mutations in a copy of its own. A copy instead of go test's overlay
// lets tests that read the source see the mutation, too.
func judgeAll(ctx context.Context, root string, timeout time.Duration, work <-chan mutation, verdicts chan<- verdict) error {
	dir, err := os.MkdirTemp("", "mutation-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyTree(dir, root); err != nil {
		return fmt.Errorf("copy the workspace: %w", err)
	}
	l := &laboratory{dir: dir, timeout: timeout, healthy: map[string]bool{}}
	for m := range work {
		v, err := l.judge(ctx, m)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		verdicts <- v
	}
	return nil
}

// laboratory is one copy of the workspace.
type laboratory struct {
	dir     string
	timeout time.Duration
	healthy map[string]bool // packages whose tests pass as they are
}

// judge asks the packages in turn who notices a mutation.
func (l *laboratory) judge(ctx context.Context, m mutation) (verdict, error) {
	weaker, err := m.apply(l.dir)
	if err != nil {
		return verdict{m, "broken", err.Error()}, nil
	}
	for _, pkg := range m.packages() {
		if err := l.mustPass(ctx, pkg); err != nil {
			return verdict{}, err
		}
		by, passed, err := l.testWith(ctx, m.file, weaker, pkg)
		switch {
		case err != nil:
			return verdict{}, err
		case passed:
			continue
		case strings.HasPrefix(by, doesNotCompile):
			return verdict{m, "broken", by}, nil
		case m.survives != "":
			return verdict{m, "broken", "killed by " + by + ", although the list explains why it survives"}, nil
		}
		return verdict{m, "killed", by}, nil
	}
	if m.survives != "" {
		return verdict{m, "explained", m.survives}, nil
	}
	return verdict{m, "survived", m.rule}, nil
}

// mustPass makes sure that it is the mutation that a failing test notices.
func (l *laboratory) mustPass(ctx context.Context, pkg string) error {
	if l.healthy[pkg] {
		return nil
	}
	if by, passed := l.test(ctx, pkg); !passed {
		return fmt.Errorf("the tests of %s fail without a mutation: %s", pkg, by)
	}
	l.healthy[pkg] = true
	return nil
}

// testWith runs the tests of a package with other source in file, and puts it back.
func (l *laboratory) testWith(ctx context.Context, file string, source []byte, pkg string) (by string, passed bool, err error) {
	path := filepath.Join(l.dir, filepath.FromSlash(file))
	sound, err := os.ReadFile(path)
	if err != nil {
		return "", false, err
	}
	if err := os.WriteFile(path, source, 0o600); err != nil {
		return "", false, err
	}
	by, passed = l.test(ctx, pkg)
	return by, passed, os.WriteFile(path, sound, 0o600)
}

const doesNotCompile = "does not compile"

// event is the part of a test2json record that is read here.
type event struct {
	Action, Package, Test, Output string
}

// unconcerned are tests that run the compiler, and so take longer than all others. What
// they hold are declarations, which no mutation changes.
const unconcerned = "^(TestExportedAPI|TestProgramsThatMustNotBuild)$"

// test runs the tests of a package until the first one fails, and names that one.
func (l *laboratory) test(ctx context.Context, pkg string) (by string, passed bool) {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-failfast", "-vet=off", "-ldflags=-s -w",
		"-skip", unconcerned, "-timeout", l.timeout.String(), pkg)
	cmd.Dir = l.dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that go test ends its children
	output, err := cmd.Output()
	if err == nil {
		return "", true
	}
	by = "the tests of " + pkg + " did not end well: " + err.Error()
	for line := range bytes.Lines(output) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		switch {
		case e.Action == "build-output" || e.Action == "build-fail":
			return doesNotCompile + ": " + buildOutput(output), false
		case e.Action == "fail" && e.Test != "":
			return e.Test + " in " + pkg, false // the innermost one ends first
		case strings.HasPrefix(e.Output, "panic: ") || strings.HasPrefix(e.Output, "fatal error: "):
			by = strings.TrimSpace(e.Output) + " in " + pkg
		}
	}
	return by, false
}

// buildOutput is what the compiler said, on one line.
func buildOutput(output []byte) string {
	var said []string
	for line := range bytes.Lines(output) {
		var e event
		if json.Unmarshal(line, &e) == nil && e.Action == "build-output" && !strings.HasPrefix(e.Output, "#") {
			said = append(said, strings.TrimSpace(e.Output))
		}
	}
	return strings.Join(said, "; ")
}

// copyTree copies a workspace, apart from its history.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.Name() == ".git" && d.IsDir():
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case d.Name() == ".git" || !d.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o600)
	})
}
