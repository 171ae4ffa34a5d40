package route

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// BenchmarkRoute is what cmd/table measures, for benchstat:
//
//	go test -run '^$' -bench 'Route/success,_one_user$/guard' -count 10 ./bench/internal/route
func BenchmarkRoute(b *testing.B) {
	for _, c := range Cases() {
		b.Run(c.Name, func(b *testing.B) {
			for _, i := range append(All(), Idle()) {
				b.Run(i.Name, func(b *testing.B) { benchmark(b, &c, i) })
			}
		})
	}
}

func benchmark(b *testing.B, c *Case, i Implementation) {
	h, from := c.warmUp(i)
	b.ReportAllocs()
	b.ResetTimer()
	cpu := CPUTime()
	if c.parallel {
		b.RunParallel(func(pb *testing.PB) { send(b, c, h, from, pb.Next) })
	} else {
		send(b, c, h, from, b.Loop)
	}
	b.ReportMetric(float64(CPUTime()-cpu)/float64(b.N), "cpu-ns/op")
}

func send(b *testing.B, c *Case, h http.Handler, from int, more func() bool) {
	if _, err := c.send(h, from, more); err != nil {
		b.Error(err)
	}
}

// The table has a line for each case in both of its parts, and each implementation
// answers each case as it must: a wrong status is an error.
func TestTable(t *testing.T) {
	table := Standard()
	table.Passes, table.Time = 1, 0
	table.Cases = slices.DeleteFunc(table.Cases, func(c Case) bool { // those whose caches take long to fill
		return strings.Contains(c.Name, "10,000 users") || strings.Contains(c.Name, "new tokens")
	})
	var out strings.Builder
	if err := table.Print(&out); err != nil {
		t.Fatal(err)
	}
	want := len(table.Cases) * (1 + len(table.Implementations))
	got := 0
	for line := range strings.Lines(out.String()) {
		for _, c := range table.Cases {
			if strings.HasPrefix(line, "| "+c.Name+" |") {
				got++
			}
		}
	}
	if got != want {
		t.Errorf("got %d lines of cases, want %d:\n%s", got, want, &out)
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1}, 5},
		{[]float64{3, 1, 100}, 3},
		{[]float64{8, 1, 2, 100}, 5},
	} {
		if got := Median(len(tt.values), func(i int) float64 { return tt.values[i] }); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.values, got, tt.want)
		}
	}
}
