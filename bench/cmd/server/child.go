package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// child is a server in a process of its own.
type child struct {
	name    string
	addr    string
	process *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Scanner
}

func start(ctx context.Context, name string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{name: name, process: exec.CommandContext(ctx, self, name)}
	c.process.Stderr = os.Stderr
	if c.ask, err = c.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.process.Start(); err != nil {
		return nil, err
	}
	c.answers = bufio.NewScanner(out)
	if !c.answers.Scan() {
		return nil, fmt.Errorf("%s: it did not start", name)
	}
	c.addr = c.answers.Text()
	return c, nil
}

// cpu is the CPU time of the child so far.
func (c *child) cpu() (time.Duration, error) {
	if _, err := io.WriteString(c.ask, "\n"); err != nil {
		return 0, err
	}
	if !c.answers.Scan() {
		return 0, fmt.Errorf("%s: it ended", c.name)
	}
	var ns int64
	_, err := fmt.Sscan(c.answers.Text(), &ns)
	return time.Duration(ns), err
}

func (c *child) stop() error {
	if err := c.ask.Close(); err != nil {
		return err
	}
	return c.process.Wait()
}
