package main

import (
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
)

// asService makes the test's program the service: a process of its own, for what only a process can show.
const asService = "PROJECTS_TEST_AS_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type process struct {
	cmd  *exec.Cmd
	log  *syncBuffer
	addr string
	done chan error
}

// startProcess starts this test's program as the service, with no other environment than this one.
func startProcess(t *testing.T, env map[string]string) *process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	list := []string{asService + "=1", "ADDR=127.0.0.1:0"}
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return startProgram(t, program, list)
}

// startProgram starts a program that is the service, and waits for it to listen.
func startProgram(t *testing.T, program string, env []string) *process {
	t.Helper()
	p, ok := tryProgram(t, program, env)
	if !ok {
		t.Fatalf("the service does not listen:\n%s", p.log.String())
	}
	return p
}

// tryProgram is startProgram for an address that something else may have.
func tryProgram(t *testing.T, program string, env []string) (p *process, listens bool) {
	t.Helper()
	p = &process{cmd: exec.Command(program), log: &syncBuffer{}, done: make(chan error, 1)}
	p.cmd.Env, p.cmd.Stderr = env, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	addr := regexp.MustCompile(`listening.*addr"?[:=]"?([0-9.:\[\]]+)["\s]`)
	eventually(t, func() bool { return len(p.done) > 0 || addr.MatchString(p.log.String()) })
	found := addr.FindStringSubmatch(p.log.String())
	if found == nil {
		return p, false
	}
	p.addr = found[1]
	return p, true
}

// stop sends the signal that containers are stopped with. It does not wait.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}
