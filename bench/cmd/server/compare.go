package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/routeguard/guard/bench/internal/route"
)

// comparison measures all servers, one after another, in interleaved passes.
type comparison struct {
	passes      int
	time        time.Duration
	connections int
}

// sample is what one run of wrk says of a server.
type sample struct {
	perSecond float64
	cpu       float64 // nanoseconds of the server's process for each request
}

func (c comparison) run(ctx context.Context) error {
	if c.passes < 1 || c.time < time.Second || c.connections < 1 {
		return errors.New("-passes and -connections are 1 or more, -time is a second or more")
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is not installed, which sends the requests: on Debian and Ubuntu, apt-get install wrk")
	}
	dir, err := os.MkdirTemp("", "guard-wrk-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, text := route.Script()
	script := filepath.Join(dir, "requests.lua")
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		return err
	}
	var servers []*child
	for _, i := range append(route.All(), route.Idle()) {
		s, err := start(ctx, i.Name)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	samples, err := c.measure(ctx, servers, path, script)
	if err != nil {
		return err
	}
	for _, s := range servers {
		if err := s.stop(); err != nil {
			return err
		}
	}
	c.print(servers, samples)
	return nil
}

// measure returns the samples of each server. The first pass warms them up and does
// not count; every other pass runs in the other direction.
func (c comparison) measure(ctx context.Context, servers []*child, path, script string) ([][]sample, error) {
	samples := make([][]sample, len(servers))
	for pass := range c.passes + 1 {
		for n := range servers {
			if pass%2 == 1 {
				n = len(servers) - 1 - n
			}
			s, err := c.load(ctx, servers[n], path, script)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", servers[n].name, err)
			}
			if pass > 0 {
				samples[n] = append(samples[n], s)
			}
		}
	}
	return samples, nil
}

func (c comparison) load(ctx context.Context, s *child, path, script string) (sample, error) {
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	wrk := exec.CommandContext(ctx, "wrk", "-t1", "-c"+strconv.Itoa(c.connections), "-d"+strconv.Itoa(int(c.time.Seconds()))+"s",
		"-s", script, "http://"+s.addr+path)
	out, err := wrk.CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	after, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	n, rate, err := parse(string(out))
	return sample{perSecond: rate, cpu: float64(after-before) / n}, err
}

var (
	requestsIn = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	perSecond  = regexp.MustCompile(`(?m)^Requests/sec:\s+([\d.]+)$`)
	faults     = regexp.MustCompile(`(?m)^.*(Non-2xx|Socket errors).*$`)
)

// parse reads what wrk prints: how many requests were answered, and how many in a
// second. Any that failed make the numbers worthless.
func parse(out string) (n, rate float64, err error) {
	if fault := faults.FindString(out); fault != "" {
		return 0, 0, fmt.Errorf("wrk: %s", strings.TrimSpace(fault))
	}
	total, second := requestsIn.FindStringSubmatch(out), perSecond.FindStringSubmatch(out)
	if total == nil || second == nil {
		return 0, 0, fmt.Errorf("wrk does not tell the requests: %s", out)
	}
	if n, err = strconv.ParseFloat(total[1], 64); err != nil {
		return 0, 0, err
	}
	rate, err = strconv.ParseFloat(second[1], 64)
	return n, rate, err
}

func (c comparison) print(servers []*child, samples [][]sample) {
	fmt.Printf("%s, whole servers, wrk with %d connections: medians of %d interleaved passes; ratios are to %q in the same pass\n\n",
		time.Now().Format(time.DateOnly), c.connections, c.passes, servers[0].name)
	fmt.Println("| server | requests/s | ratio | CPU a request | ratio |\n| --- | ---: | ---: | ---: | ---: |")
	for n, s := range servers {
		median := func(value func(of, base sample) float64) float64 {
			return route.Median(c.passes, func(pass int) float64 { return value(samples[n][pass], samples[0][pass]) })
		}
		fmt.Printf("| %s | %.0f | %.2f | %.1f µs | %.2f |\n", s.name,
			median(func(of, _ sample) float64 { return of.perSecond }),
			median(func(of, base sample) float64 { return of.perSecond / base.perSecond }),
			median(func(of, _ sample) float64 { return of.cpu / 1e3 }),
			median(func(of, base sample) float64 { return of.cpu / base.cpu }))
	}
}
