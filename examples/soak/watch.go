package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is what a process uses at a time.
type sample struct {
	at          time.Duration // since the process was first looked at
	memory      int           // KiB, resident
	descriptors int
	goroutines  int
}

// watch looks at every instance once a second.
func (w *world) watch(ctx context.Context) {
	client := &http.Client{Timeout: 2 * time.Second}
	start := time.Now()
	for sleep(ctx, time.Second) {
		for _, i := range w.instances {
			if i.down.Load() {
				continue
			}
			if s, ok := i.look(client); ok {
				s.at = time.Since(start)
				i.mu.Lock()
				i.runs[len(i.runs)-1] = append(i.runs[len(i.runs)-1], s)
				i.mu.Unlock()
			}
		}
	}
}

func (i *instance) look(client *http.Client) (sample, bool) {
	i.mu.Lock()
	proc := fmt.Sprintf("/proc/%d/", i.process.Process.Pid)
	i.mu.Unlock()
	files, err := os.ReadDir(proc + "fd")
	if err != nil {
		return sample{}, false
	}
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		return sample{}, false
	}
	s := sample{descriptors: len(files)}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			s.memory, _ = strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	response, err := client.Get(i.at + "/metrics")
	if err != nil {
		return sample{}, false
	}
	defer response.Body.Close()
	for scan := bufio.NewScanner(response.Body); scan.Scan(); {
		if rest, ok := strings.CutPrefix(scan.Text(), "go_goroutines "); ok {
			s.goroutines, _ = strconv.Atoi(rest)
		}
	}
	return s, s.goroutines > 0 && s.memory > 0
}

// growth compares the second and the last quarter of the longest run of a process: the first one warms it up. Under a load
// that stays the same, a process that keeps what it should let go grows without end.
func (i *instance) growth() []error {
	early, late, ok := i.quarters()
	if !ok {
		return []error{fmt.Errorf("%s: no process ran long enough to see growth", i.name)}
	}
	var errs []error
	for _, use := range []struct {
		what        string
		early, late int
		slack       int // what comes and goes with the load
	}{
		{"KiB of memory", early.memory, late.memory, 32 << 10},
		{"file descriptors", early.descriptors, late.descriptors, 100},
		{"goroutines", early.goroutines, late.goroutines, 200},
	} {
		if use.late > use.early*5/4+use.slack {
			errs = append(errs, fmt.Errorf("%s grew from %d to %d %s", i.name, use.early, use.late, use.what))
		}
	}
	return errs
}

// quarters are the medians of the second and of the last quarter of the longest run.
func (i *instance) quarters() (early, late sample, ok bool) {
	var longest []sample
	for _, run := range i.runs {
		if len(run) > len(longest) {
			longest = run
		}
	}
	n := len(longest) / 4
	if n < 2 {
		return early, late, false
	}
	return medianOf(longest[n : 2*n]), medianOf(longest[3*n:]), true
}

func medianOf(samples []sample) sample {
	median := func(of func(sample) int) int {
		var all []int
		for _, s := range samples {
			all = append(all, of(s))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return sample{samples[0].at, median(func(s sample) int { return s.memory }),
		median(func(s sample) int { return s.descriptors }), median(func(s sample) int { return s.goroutines })}
}

func (i *instance) printGrowth(w io.Writer) {
	early, late, _ := i.quarters()
	fmt.Fprintf(w, "%s: %d processes; of the one that ran longest, medians of its second and its last quarter:\n", i.name, len(i.runs))
	fmt.Fprintf(w, "  memory      %6d KiB  %6d KiB\n", early.memory, late.memory)
	fmt.Fprintf(w, "  descriptors %6d      %6d\n", early.descriptors, late.descriptors)
	fmt.Fprintf(w, "  goroutines  %6d      %6d\n", early.goroutines, late.goroutines)
}
