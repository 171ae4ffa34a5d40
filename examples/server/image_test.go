package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// instructions returns what follows each of the Dockerfile's instructions of a kind, continued lines as one.
func instructions(t *testing.T, kind string) []string {
	t.Helper()
	b, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(strings.ReplaceAll(string(b), "\\\n", " ")) {
		if rest, ok := strings.CutPrefix(line, kind+" "); ok {
			found = append(found, strings.TrimSpace(rest))
		}
	}
	return found
}

// imageBuild is the shell command that builds the image's program, with its output in folder instead.
func imageBuild(t *testing.T, folder string) string {
	t.Helper()
	for _, run := range instructions(t, "RUN") {
		run = regexp.MustCompile(`--mount=\S+\s+`).ReplaceAllString(run, "")
		if strings.Contains(run, "go build") {
			if !strings.Contains(run, "CGO_ENABLED=0") || !strings.Contains(run, "-trimpath") || strings.Count(run, "/out/") != 1 {
				t.Fatalf("got %s, want a static program without local paths in /out", run)
			}
			return strings.Replace(run, "/out/", folder+"/", 1)
		}
	}
	t.Fatal("the Dockerfile does not build the program")
	return ""
}

// imageEnv is the environment that the image sets.
func imageEnv(t *testing.T) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, line := range instructions(t, "ENV") {
		for _, pair := range strings.Fields(line) {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				t.Fatalf("got ENV %s, want NAME=value", line)
			}
			env[name] = value
		}
	}
	return env
}

// The image has no shell, no root, and settings that the service takes.
func TestImage(t *testing.T) {
	t.Parallel()
	from := instructions(t, "FROM")
	if len(from) != 2 || !strings.HasPrefix(from[1], "gcr.io/distroless/static") {
		t.Errorf("got stages %q, want a second one with nothing but the program", from)
	}
	if user := instructions(t, "USER"); len(user) != 1 || !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user[0]) {
		t.Errorf("got users %q, want a number that is not root's: Kubernetes cannot check a name", user)
	}
	env := imageEnv(t)
	var read []string
	c, err := loadConfig(func(name string) string {
		read = append(read, name)
		return env[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range env {
		if !slices.Contains(read, name) {
			t.Errorf("the image sets %s, which is no setting", name)
		}
	}
	if volumes := instructions(t, "VOLUME"); len(volumes) != 1 || !strings.HasPrefix(c.databaseURL, "file:"+volumes[0]+"/") {
		t.Errorf("got volumes %q and the database at %s, want it in the volume", volumes, c.databaseURL)
	}
	if port := instructions(t, "EXPOSE"); len(port) != 1 || !strings.HasSuffix(c.addr, ":"+port[0]) {
		t.Errorf("got ports %q and the address %s, want the same", port, c.addr)
	}
	if c.seedDemo {
		t.Error("the image has demo users")
	}
}

// The program of the image, built and started as it says: it answers its health check, and stops when it is told to.
func TestProgramOfTheImage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped the image's program: it compiles everything again")
	}
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "sh", "-ec", imageBuild(t, folder))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	runProgram(t, filepath.Join(folder, "server"))
}

// runProgram starts the program as the image does, but for the folder of its data and its port.
func runProgram(t *testing.T, program string) {
	t.Helper()
	env := imageEnv(t)
	env["DATABASE_URL"] = "file:" + t.TempDir() + "/projects.db"
	var list []string
	at := func(addr string) {
		env["ADDR"], list = addr, nil
		for name, value := range env {
			list = append(list, name+"="+value)
		}
	}
	check := instructions(t, "HEALTHCHECK")
	if len(check) != 1 || !strings.HasSuffix(check[0], `CMD ["/server", "healthcheck"]`) {
		t.Fatalf("got health checks %q", check)
	}
	healthy := func() ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), program, "healthcheck")
		cmd.Env = list
		return cmd.CombinedOutput()
	}
	at("127.0.0.1:1") // no port of anything that runs here
	if out, err := healthy(); err == nil {
		t.Errorf("nothing runs yet: got %s, want a failure", out)
	}
	var p *process
	eventually(t, func() (listens bool) {
		at(":" + port())
		p, listens = tryProgram(t, program, list)
		return listens || !strings.Contains(p.log.String(), "address already in use")
	})
	// It gives up after two seconds, which a busy machine may need.
	var out []byte
	var err error
	if !comesTrue(func() bool { out, err = healthy(); return err == nil }) || len(out) > 0 {
		t.Errorf("health check: got %v, %s\n%s", err, out, p.log.String())
	}
	p.stop(t)
	if err := <-p.done; err != nil {
		t.Errorf("got %v, want exit code 0\n%s", err, p.log.String())
	}
}

// What compose.yaml has for the service are settings, which it takes, secrets come from outside, and what a container is
// given to stop is enough.
func TestCompose(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Environment     map[string]string
			Volumes         []string
			Ports           []string
			StopGracePeriod string   `yaml:"stop_grace_period"`
			ReadOnly        bool     `yaml:"read_only"`
			CapDrop         []string `yaml:"cap_drop"`
			Command         []string
		}
		Volumes map[string]any
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	server, redis := file.Services["server"], file.Services["redis"]
	given := map[string]string{
		"JWT_HS256_KEY": strings.Repeat("QUJD", 11), "WEBHOOK_SECRET": "whsec_" + strings.Repeat("QUJD", 8), "REDIS_PASSWORD": strings.Repeat("0f", 32),
	}
	variable := regexp.MustCompile(`\$\{(\w+):([?-])([^}]*)\}`)
	env := imageEnv(t)
	for name, value := range server.Environment {
		env[name] = variable.ReplaceAllStringFunc(value, func(v string) string {
			parts := variable.FindStringSubmatch(v)
			if secret := given[parts[1]]; parts[2] == "?" {
				if secret == "" || parts[3] == "" {
					t.Errorf("%s: got %s, want a secret and what to write", name, v)
				}
				return secret
			}
			return parts[3]
		})
	}
	var read []string
	c, err := loadConfig(func(name string) string {
		read = append(read, name)
		return env[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range server.Environment {
		if !slices.Contains(read, name) {
			t.Errorf("compose.yaml sets %s, which is no setting", name)
		}
	}
	for _, name := range []string{"JWT_HS256_KEY", "WEBHOOK_SECRET", "REDIS_URL"} {
		if !strings.Contains(server.Environment[name], ":?") {
			t.Errorf("got %s %q, want it from outside, or the start to fail", name, server.Environment[name])
		}
	}
	if want := "redis://:" + given["REDIS_PASSWORD"] + "@redis:6379/0"; string(c.redisURL) != want {
		t.Errorf("got REDIS_URL %s, want %s", string(c.redisURL), want)
	}
	if grace, err := time.ParseDuration(server.StopGracePeriod); err != nil || grace <= c.drainDelay+c.drainTimeout+windDown {
		t.Errorf("got %s to stop, %v, want more than %s", server.StopGracePeriod, err, c.drainDelay+c.drainTimeout+windDown)
	}
	if !server.ReadOnly || !slices.Equal(server.CapDrop, []string{"ALL"}) || !slices.Equal(server.Volumes, []string{"data:/data"}) {
		t.Errorf("got %+v, want a container that can write its volume and nothing else", server)
	}
	for _, port := range server.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("got port %s, want it on loopback alone: there is no TLS", port)
		}
	}
	if command := strings.Join(redis.Command, " "); !strings.Contains(command, "--requirepass ${REDIS_PASSWORD:?") ||
		!strings.Contains(command, "--maxmemory-policy noeviction") || !strings.Contains(command, "--appendonly yes") {
		t.Errorf("got %s, want a password, no eviction, and what was stored on disk", command)
	}
	for _, volume := range append(server.Volumes, redis.Volumes...) {
		name, _, _ := strings.Cut(volume, ":")
		if _, ok := file.Volumes[name]; !ok {
			t.Errorf("there is no volume %s", name)
		}
	}
}

func TestHealthCheck(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	answer := func(status int) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", s.url+"/healthz")
			w.WriteHeader(status)
		}))
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
	for _, tt := range []struct{ name, addr, want string }{
		{name: "a service that answers", addr: strings.TrimPrefix(s.url, "http://")},
		{name: "a service that fails", addr: answer(500), want: "health check: 500"},
		{name: "something else that redirects", addr: answer(302), want: "health check: 302"},
		{name: "nothing", addr: "127.0.0.1:1", want: "health check: "},
		{name: "an address that is none", addr: "nowhere", want: "bad settings:\nADDR: "},
	} {
		var err error
		eventually(t, func() bool { // on a busy machine, its two seconds may be over at once
			err = run(t.Context(), []string{"healthcheck"}, settings(map[string]string{"ADDR": tt.addr}), io.Discard, io.Discard)
			return !errors.Is(err, context.DeadlineExceeded)
		})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	for addr, want := range map[string]string{":80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "[::1]:80", "[::ffff:0.0.0.0]:80": "127.0.0.1:80",
		"127.0.0.1:80": "127.0.0.1:80", "[::1]:80": "[::1]:80", "host:80": "host:80"} {
		if got := reachable(addr); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}
