// Command mutation weakens one security check at a time and runs the tests.
//
//	go run ./internal/mutation              # all of them, an hour on two cores
//	go run ./internal/mutation -run origin  # those whose id matches
//
// Each mutation of the list replaces one piece of source by a weaker one, in a copy of
// the workspace. The tests of its package run first, then those of package guard, then
// those of guardtest, until one of them fails: the mutation is killed. A mutation that
// survives is a check that nobody holds. It needs a test, or, where no test can tell, a
// sentence that says why. The exit code is 1 where one has neither, and where one does
// not compile. That every mutation still applies to the source is a test of this package.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"
)

func main() {
	run := flag.String("run", "", "only mutations whose id matches this regular expression")
	parallel := flag.Int("p", 2, "mutations at the same time, each in a copy of the workspace")
	timeout := flag.Duration("timeout", 2*time.Minute, "for the tests of one package; what takes longer is killed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, *run, *parallel, *timeout); err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		stop()
		os.Exit(1)
	}
}

func command(ctx context.Context, run string, parallel int, timeout time.Duration) error {
	pattern, err := regexp.Compile(run)
	if err != nil {
		return err
	}
	var chosen []mutation
	for _, m := range list() {
		if pattern.MatchString(m.id) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 || parallel < 1 {
		return fmt.Errorf("%d mutations match %q, -p is %d: nothing to do", len(chosen), run, parallel)
	}
	root, err := workspace()
	if err != nil {
		return err
	}
	return runAll(ctx, os.Stdout, root, chosen, min(parallel, len(chosen)), timeout)
}
