// Command table measures one route in guard, by hand and in its peers, and prints
// two tables in Markdown.
//
//	go run ./bench/cmd/table
//
// It takes about two minutes. A flag narrows it to what is being worked on:
//
//	go run ./bench/cmd/table -only 'by hand,guard' -case success
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/routeguard/guard/bench/internal/route"
)

func main() {
	t := route.Standard()
	only := flag.String("only", "", "implementations to compare, with commas between; the first is 1.00")
	kind := flag.String("case", "", "measure the cases whose name matches this `regexp`")
	flag.IntVar(&t.Passes, "passes", t.Passes, "how often everything is measured")
	flag.DurationVar(&t.Time, "time", t.Time, "CPU time for which one case of one implementation is measured in a pass")
	flag.Parse()
	matches, err := regexp.Compile(*kind)
	if err != nil {
		exit(err)
	}
	t.Cases = slices.DeleteFunc(t.Cases, func(c route.Case) bool { return !matches.MatchString(c.Name) })
	if *only != "" {
		t.Implementations = nil
		for name := range strings.SplitSeq(*only, ",") {
			i, err := route.Named(name)
			if err != nil {
				exit(err)
			}
			t.Implementations = append(t.Implementations, i)
		}
	}
	if t.Passes < 1 || len(t.Cases) == 0 {
		exit(fmt.Errorf("there is nothing to measure: %d cases, %d passes", len(t.Cases), t.Passes))
	}
	fmt.Printf("%s, %s, %s/%s, GOMAXPROCS %d\n\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	if err := t.Print(os.Stdout); err != nil {
		exit(err)
	}
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, "table:", err)
	os.Exit(1)
}
