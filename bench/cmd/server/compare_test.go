package main

import (
	"strings"
	"testing"
)

const report = `Running 2s test @ http://127.0.0.1:40061/projects/1
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   512.31us  402.06us   8.44ms   92.28%
    Req/Sec    30.63k     2.01k   33.60k    75.00%
  60961 requests in 2.00s, 22.21MB read
Requests/sec:  30475.13
Transfer/sec:     11.10MB
`

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name string
		out  string
		n    float64
		rate float64
		err  string
	}{
		{name: "a report", out: report, n: 60961, rate: 30475.13},
		{name: "refused requests", out: report + "  Non-2xx or 3xx responses: 3\n", err: "wrk: Non-2xx or 3xx responses: 3"},
		{name: "lost connections", out: strings.Replace(report, "Requests/sec", "  Socket errors: connect 0, read 1, write 0, timeout 0\nRequests/sec", 1),
			err: "wrk: Socket errors: connect 0, read 1, write 0, timeout 0"},
		{name: "nothing", out: "", err: "wrk does not tell the requests: "},
	} {
		n, rate, err := parse(tt.out)
		if n != tt.n || rate != tt.rate {
			t.Errorf("%s: got %v, %v, want %v, %v", tt.name, n, rate, tt.n, tt.rate)
		}
		if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.err)
		}
	}
}
