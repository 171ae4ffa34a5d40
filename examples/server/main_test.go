package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func rsaKeyFile(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return key, path
}

func settings(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

// The service starts with no settings, the printed curl lines do what they say, and it stops when it is told to.
func TestRun(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stdout, log syncBuffer
	done := make(chan error, 1)
	go func() { done <- run(ctx, nil, settings(map[string]string{"ADDR": "127.0.0.1:0"}), &stdout, &log) }()
	waitFor(t, &log, "msg=listening addr=127.0.0.1:")
	lines := regexp.MustCompile(`(?m)^  # .*: (\d+).*\n  (curl .*)$`).FindAllStringSubmatch(stdout.String(), -1)
	if len(lines) != 3 {
		t.Fatalf("got %d curl lines, want 3:\n%s", len(lines), stdout.String())
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Log("skipped the printed curl lines: there is no curl here")
		lines = nil
	}
	for _, l := range lines {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", l[2]).Output()
		if err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 "+l[1]+" ") {
			t.Errorf("%s\ngot %s, %v, want %s", l[2], out, err, l[1])
		}
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("run: %v", err)
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("the service does not stop")
	}
}

// A request that is under way when the service is told to stop is answered.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log syncBuffer
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, nil, settings(map[string]string{"ADDR": "127.0.0.1:0", "READ_TIMEOUT": "5m"}), io.Discard, &log)
	}()
	waitFor(t, &log, "msg=listening addr=127.0.0.1:")
	addr := regexp.MustCompile(`addr=(\S+)`).FindStringSubmatch(log.String())[1]
	body, writer := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+addr+"/contact", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	// The client sends the body when the server asks for it, so once a part of it
	// is written the request is under way.
	r.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	answered := make(chan int, 1)
	go func() {
		res, err := client.Do(r)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		res.Body.Close()
		answered <- res.StatusCode
	}()
	_, _ = io.WriteString(writer, `{"email":"a@b.example",`)
	stop()
	waitFor(t, &log, "msg=stopping")
	_, _ = io.WriteString(writer, `"message":"Hello there, hello."}`)
	writer.Close()
	if got := <-answered; got != http.StatusAccepted {
		t.Errorf("got %d, want 202", got)
	}
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

func waitFor(t *testing.T, b *syncBuffer, text string) {
	t.Helper()
	if !comesTrue(func() bool { return strings.Contains(b.String(), text) }) {
		t.Fatalf("no %q in\n%s", text, b.String())
	}
}

// eventually waits for what another goroutine or process does.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	if !comesTrue(ok) {
		t.Fatal("it never came true")
	}
}

func comesTrue(ok func() bool) bool {
	for range 12_000 {
		if ok() {
			return true
		}
		time.Sleep(10 * time.Millisecond) // nothing depends on the time
	}
	return false
}

// listening waits for the service to listen, and returns its URL.
func listening(t *testing.T, log *syncBuffer) string {
	t.Helper()
	waitFor(t, log, "msg=listening addr=")
	return "http://" + regexp.MustCompile(`msg=listening addr=(\S+)`).FindStringSubmatch(log.String())[1]
}

func TestCommandsPrintAndExit(t *testing.T) {
	t.Parallel()
	for command, wants := range map[string][]string{
		"routes":          {"PATTERN", "PATCH /projects/{projectID}", "GET /healthz", "liveness probe", "To look at:"},
		"routes markdown": {"## `PATCH /projects/{projectID}`", "{projectID} Owned ownedBy", "API1"},
		"routes json":     {`"pattern": "PATCH /projects/{projectID}"`, `"rule": "ownedBy"`},
		"openapi":         {`"openapi": "3.1.1"`, `"/projects/{projectID}"`},
	} {
		var stdout, stderr bytes.Buffer
		if err := run(t.Context(), strings.Fields(command), settings(nil), &stdout, &stderr); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%s: no %q in\n%s", command, want, stdout.String())
			}
		}
	}
}

func TestHelpAndUnknownCommands(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
	}{
		{name: "short for help", args: []string{"-h"}, code: 0},
		{name: "help", args: []string{"--help"}, code: 0},
		{name: "a misspelled command", args: []string{"route"}, code: 2},
		{name: "a command of other programs", args: []string{"serve"}, code: 2},
		{name: "an unknown format", args: []string{"routes", "yaml"}, code: 2},
		{name: "an unknown option", args: []string{"-v"}, code: 2},
		{name: "more than help", args: []string{"--help", "routes"}, code: 2},
		{name: "an empty argument", args: []string{""}, code: 2},
	} {
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(t.Context(), program, tt.args...)
		cmd.Env, cmd.Stdout, cmd.Stderr = []string{asService + "=1", "ADDR=no start either"}, &stdout, &stderr
		if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != tt.code {
			t.Errorf("%s: got %v, want exit code %d", tt.name, err, tt.code)
		}
		told, silent := &stdout, &stderr
		if tt.code != 0 {
			told, silent = &stderr, &stdout
		}
		if told.String() != usage+"\n" || silent.Len() > 0 {
			t.Errorf("%s: got %q and on the other stream %q, want the usage and nothing", tt.name, told, silent)
		}
	}
	for _, command := range []string{"routes", "openapi", "healthcheck"} {
		if !strings.Contains(usage, "\n  "+command) {
			t.Errorf("the usage does not name %s", command)
		}
	}
}

func TestBadSettingsStopTheStart(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), nil, settings(map[string]string{
		"ADDR": "nowhere", "TRUSTED_PROXIES": "0.0.0.0/0", "ALLOWED_ORIGINS": "https://*.example", "CALLER_LIMIT": "0",
	}), io.Discard, io.Discard)
	if err == nil {
		t.Fatal("the service started")
	}
	for _, name := range []string{"ADDR", "TRUSTED_PROXIES", "ALLOWED_ORIGINS", "CALLER_LIMIT"} {
		if !strings.Contains(err.Error(), name+": ") {
			t.Errorf("no %s in %v", name, err)
		}
	}
}

// What shows only when a setting is used names it, too, and does not repeat it.
func TestSettingsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	text := filepath.Join(dir, "hunter2.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("hunter2 is no database", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, setting, value, want string }{
		{name: "a port in use", setting: "ADDR", value: taken.Addr().String(), want: "in use"},
		{name: "a database in a folder that is missing", setting: "DATABASE_URL", value: "file:" + dir + "/hunter2/x.db", want: "unable to open"},
		{name: "a folder", setting: "DATABASE_URL", value: "file:" + dir, want: "unable to open"},
		{name: "a database that is missing", setting: "DATABASE_URL", value: "file:hunter2.db?mode=rw", want: "unable to open"},
		{name: "a file that is no database", setting: "DATABASE_URL", value: "file:" + text, want: "not a database"},
	} {
		env := map[string]string{"ADDR": "127.0.0.1:0", tt.setting: tt.value}
		err := run(t.Context(), nil, settings(env), io.Discard, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), "bad settings:\n"+tt.setting+": ") || !strings.Contains(err.Error(), tt.want) ||
			!strings.Contains(err.Error(), "; write ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %s named, %q, and no value", tt.name, err, tt.setting, tt.want)
		}
	}
	unknown := &net.OpError{Op: "listen", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "hunter2", IsNotFound: true}}
	if got := withoutHost(unknown).Error(); got != "no such host" {
		t.Errorf("a host that nobody knows: got %q, want it without its name", got)
	}
}

// Programs that start the service on port 0 read the port in the log.
func TestListeningIsRecordedAtAnyLevel(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"debug", "info", "warn", "error"} {
		s := start(t, map[string]string{"LOG_LEVEL": level})
		s.stop()
		if n := strings.Count(s.log.String(), "level=INFO msg=listening addr=127.0.0.1:"); n != 1 {
			t.Errorf("%s: got %d records, want one:\n%s", level, n, s.log)
		}
		quiet := level == "warn" || level == "error"
		if n := strings.Count(s.log.String(), "level=INFO"); quiet && n != 1 {
			t.Errorf("%s: got %d records below it, want the one:\n%s", level, n, s.log)
		}
	}
}
