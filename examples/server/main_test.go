package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
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
	if err := run(t.Context(), []string{"route"}, settings(nil), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "usage") {
		t.Errorf("an unknown command: got %v, want the usage", err)
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
	if err := run(t.Context(), []string{"serve"}, settings(nil), io.Discard, io.Discard); err == nil {
		t.Error("an unknown command is accepted")
	}
}
