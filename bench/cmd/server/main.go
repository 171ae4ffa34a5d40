// Command server measures whole servers on loopback with wrk.
//
//	go run ./bench/cmd/server
//
// It starts a server for each implementation of the route, sends requests that
// succeed to one after another, and prints requests per second and the CPU time
// of the server's process. With a name it is one of these servers, which ends with
// its standard input:
//
//	go run ./bench/cmd/server guard
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/routeguard/guard/bench/internal/route"
)

func main() {
	c := comparison{}
	flag.IntVar(&c.passes, "passes", 8, "how often each server is measured")
	flag.DurationVar(&c.time, "time", 2*time.Second, "how long each server is measured in a pass, in whole seconds")
	flag.IntVar(&c.connections, "connections", 16, "how many connections send requests")
	flag.Parse()
	var err error
	if flag.NArg() > 0 {
		err = serve(flag.Arg(0))
	} else {
		err = c.run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// serve runs a server. It prints its address, and its CPU time for each line that
// comes in.
func serve(name string) error {
	i, err := route.Named(name)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := http.Server{Handler: i.New(route.Lifted), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 40 * time.Second, IdleTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	fmt.Println(l.Addr())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(int64(route.CPUTime()))
	}
	if err := server.Close(); err != nil {
		return err
	}
	if err := <-failed; err != http.ErrServerClosed {
		return err
	}
	return lines.Err()
}
