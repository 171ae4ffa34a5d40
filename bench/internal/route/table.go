package route

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Table measures cases × implementations.
type Table struct {
	Cases           []Case
	Implementations []Implementation // the first is what the others are compared with
	Passes          int
	Time            time.Duration // CPU time of one case, implementation and pass
}

// Standard is everything, and the harness alone.
func Standard() Table {
	return Table{Cases: Cases(), Implementations: append(All(), Idle()), Passes: 8, Time: 50 * time.Millisecond}
}

// cell is the medians over the passes. Ratio is that of CPU time to the first
// implementation's, of the same case and pass.
type cell struct {
	Sample
	ratio float64
}

// Print measures and prints two tables in Markdown: the ratios, and the numbers.
//
// The passes are interleaved: each measures all implementations of a case one
// after another, the next pass in the other direction, so that what disturbs a
// noisy machine for a while disturbs all of them.
func (t Table) Print(w io.Writer) error {
	cells := make([][]cell, len(t.Cases))
	for c := range t.Cases {
		row, err := t.row(&t.Cases[c])
		if err != nil {
			return err
		}
		cells[c] = row
	}
	t.printRatios(w, cells)
	t.printNumbers(w, cells)
	return nil
}

func (t Table) row(c *Case) ([]cell, error) {
	samples := make([][]Sample, len(t.Implementations))
	for pass := range t.Passes {
		for n := range t.Implementations {
			if pass%2 == 1 {
				n = len(t.Implementations) - 1 - n
			}
			s, err := c.measure(t.Implementations[n], t.Time)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.Implementations[n].Name, err)
			}
			samples[n] = append(samples[n], s)
		}
	}
	row := make([]cell, len(t.Implementations))
	for n, of := range samples {
		median := func(value func(pass int) float64) float64 { return Median(t.Passes, value) }
		row[n] = cell{Sample{
			Wall:   median(func(p int) float64 { return of[p].Wall }),
			CPU:    median(func(p int) float64 { return of[p].CPU }),
			Bytes:  median(func(p int) float64 { return of[p].Bytes }),
			Allocs: median(func(p int) float64 { return of[p].Allocs }),
		}, median(func(p int) float64 { return of[p].CPU / samples[0][p].CPU })}
	}
	return row, nil
}

// Median is that of the values of 0 to n-1.
func Median(n int, value func(int) float64) float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = value(i)
	}
	slices.Sort(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func (t Table) printRatios(w io.Writer, cells [][]cell) {
	fmt.Fprintf(w, "CPU time a request, relative to that of the handler by hand in the same pass; median of %d passes\n\n", t.Passes)
	fmt.Fprintf(w, "| case |")
	for _, i := range t.Implementations {
		fmt.Fprintf(w, " %s |", i.Name)
	}
	fmt.Fprintf(w, "\n| --- |%s\n", strings.Repeat(" ---: |", len(t.Implementations)))
	for c, row := range cells {
		fmt.Fprintf(w, "| %s | %.1f µs = %.2f |", t.Cases[c].Name, row[0].CPU/1e3, row[0].ratio)
		for _, cell := range row[1:] {
			fmt.Fprintf(w, " %.2f |", cell.ratio)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

func (t Table) printNumbers(w io.Writer, cells [][]cell) {
	fmt.Fprintf(w, "The same in numbers a request: ns, CPU ns, bytes, allocations\n\n| case | implementation | ns | CPU ns | B | allocs |\n| --- | --- | ---: | ---: | ---: | ---: |\n")
	for c, row := range cells {
		for n, cell := range row {
			fmt.Fprintf(w, "| %s | %s | %.0f | %.0f | %.0f | %.1f |\n", t.Cases[c].Name, t.Implementations[n].Name, cell.Wall, cell.CPU, cell.Bytes, cell.Allocs)
		}
	}
}
