// Command weight states what importing guard adds to a service that already uses
// validator and golang-jwt: modules, packages, build time and size.
//
//	go run ./bench/cmd/weight
//
// Each build starts with an empty build cache, so it compiles the standard library,
// too. It takes a few minutes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const module = "github.com/routeguard/guard"

// programs are what is built, the least first.
var programs = []struct{ name, source string }{
	{"net/http alone", `package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			slog.Error("decode", "err", err)
		}
	})
	_ = http.ListenAndServe("localhost:0", nil)
}
`},
	{"validator and golang-jwt", `package main

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/go-playground/validator/v10"
	"github.com/golang-jwt/jwt/v5"
)

func main() {
	rules := validator.New()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		token, err := jwt.Parse(r.Header.Get("Authorization"), func(*jwt.Token) (any, error) { return []byte("key"), nil })
		var in struct { Name string }
		err2 := json.NewDecoder(r.Body).Decode(&in)
		slog.Error("request", "token", token, "err", err, "decode", err2, "invalid", rules.Struct(in))
	})
	_ = http.ListenAndServe("localhost:0", nil)
}
`},
	{"guard", `package main

import (
	"context"
	"net/http"
	"time"

	"github.com/routeguard/guard"
)

type user string

func (u user) Subject() string { return string(u) }

type input struct {
	Name string ` + "`json:\"name\" validate:\"required\"`" + `
}

func main() {
	tokens, err := guard.NewJWT(guard.JWT{})
	if err != nil {
		panic(err)
	}
	users := guard.Bearer(guard.SessionFrom(tokens, func(_ context.Context, c guard.Claims) (user, error) { return user(c.Subject), nil }))
	limits, errs := &guard.Limiter{}, &guard.Responder{}
	mux := guard.NewMux(errs)
	mux.Handle("POST /", guard.New(users, guard.JSON[input], guard.NoResource, limits.PerCaller(10, time.Minute), errs,
		func(_ context.Context, c *guard.Call[user, input, guard.None]) (string, error) { return c.Input.Name, nil }))
	_ = http.ListenAndServe("localhost:0", mux)
}
`},
}

func main() {
	passes := flag.Int("passes", 3, "how often each program is built")
	flag.Parse()
	if err := run(context.Background(), *passes); err != nil {
		fmt.Fprintln(os.Stderr, "weight:", err)
		os.Exit(1)
	}
}

// weight is what a program takes.
type weight struct {
	at                string // where it stands
	modules, packages []string
	size              int64
	cpu, wall         []time.Duration // one for each pass
}

func run(ctx context.Context, passes int) error {
	if passes < 1 {
		return fmt.Errorf("-passes is %d: write 1 or more", passes)
	}
	dir, err := os.MkdirTemp("", "guard-weight-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	weights, err := weigh(ctx, dir)
	if err != nil {
		return err
	}
	for range passes {
		for i := range weights {
			if err := weights[i].measure(ctx); err != nil {
				return err
			}
		}
	}
	report(weights, passes)
	return nil
}

// weigh writes the programs into dir and counts what they consist of.
func weigh(ctx context.Context, dir string) ([]weight, error) {
	root, err := output(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return nil, err
	}
	weights := make([]weight, len(programs))
	for i, p := range programs {
		weights[i].at = filepath.Join(dir, fmt.Sprint(i))
		if err := write(weights[i].at, root, p.source); err != nil {
			return nil, err
		}
		if err := weights[i].count(ctx); err != nil {
			return nil, err
		}
	}
	return weights, nil
}

// write makes a module of a program, with the versions that guard has.
func write(at, root, source string) error {
	if err := os.Mkdir(at, 0o700); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return err
	}
	text := strings.Replace(string(mod), "module "+module, "module program", 1) +
		fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %s => %s\n", module, module, root)
	for name, content := range map[string]string{"go.mod": text, "go.sum": string(sum), "main.go": source} {
		if err := os.WriteFile(filepath.Join(at, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// count lists what a program's build consists of. Modules are those that it takes
// packages from.
func (w *weight) count(ctx context.Context) error {
	deps, err := output(ctx, w.at, "go", "list", "-deps", "-f", "{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}", ".")
	if err != nil {
		return err
	}
	for line := range strings.Lines(deps) {
		path, of, _ := strings.Cut(strings.TrimSpace(line), " ")
		w.packages = append(w.packages, path)
		if of != "" && of != "program" && !slices.Contains(w.modules, of) {
			w.modules = append(w.modules, of)
		}
	}
	return nil
}

// measure builds a program with a cache of its own.
func (w *weight) measure(ctx context.Context) error {
	cache, err := os.MkdirTemp("", "guard-weight-cache-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	return w.build(ctx, "GOCACHE="+cache)
}

func (w *weight) build(ctx context.Context, env ...string) error {
	binary := filepath.Join(w.at, "program.out")
	c := command(ctx, w.at, "go", "build", "-o", binary, ".")
	c.Env = append(c.Env, env...)
	start := time.Now()
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	w.wall = append(w.wall, time.Since(start))
	w.cpu = append(w.cpu, c.ProcessState.UserTime()+c.ProcessState.SystemTime()) // with the compilers that it waited for
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	w.size = info.Size()
	return nil
}

func report(weights []weight, passes int) {
	fmt.Printf("%s, built with an empty build cache; the median of %d builds each\n\n", time.Now().Format(time.DateOnly), passes)
	fmt.Println("| program | modules | packages | build, CPU | build | binary |\n| --- | ---: | ---: | ---: | ---: | ---: |")
	for i, w := range weights {
		fmt.Printf("| %s | %d | %d | %.1f s | %.1f s | %.1f MB |\n", programs[i].name, len(w.modules), len(w.packages),
			median(w.cpu).Seconds(), median(w.wall).Seconds(), float64(w.size)/1e6)
	}
	base, own := weights[len(weights)-2], weights[len(weights)-1]
	var added []string
	for _, m := range own.modules {
		if !slices.Contains(base.modules, m) {
			added = append(added, m)
		}
	}
	fmt.Printf("\n%s adds %.0f %% of CPU time to the build of %s, and %d modules: %s\n", module,
		100*(float64(median(own.cpu))/float64(median(base.cpu))-1), programs[len(programs)-2].name, len(added), strings.Join(added, ", "))
}

func median(of []time.Duration) time.Duration {
	of = slices.Sorted(slices.Values(of))
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}

func output(ctx context.Context, at string, name string, args ...string) (string, error) {
	out, err := command(ctx, at, name, args...).Output()
	if e, ok := err.(*exec.ExitError); ok {
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, e.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// command runs where the workspace does not reach, unless that is where it is.
func command(ctx context.Context, at, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = at, os.Environ()
	if at != "." {
		c.Env = append(c.Env, "GOWORK=off", "GOFLAGS=-mod=mod")
	}
	return c
}
