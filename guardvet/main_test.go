package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/routeguard/guard/guardvet/checks"
)

// The example service is what a clean service looks like: a finding there is a
// false one.
func TestNothingIsReportedOnTheExamples(t *testing.T) {
	t.Parallel()
	tool := build(t)
	if output, err := run(t, "go", "vet", "-vettool="+tool, "./..."); err != nil {
		t.Errorf("go vet -vettool: %v\n%s", err, output)
	}
	if output, err := run(t, tool, "./..."); err != nil {
		t.Errorf("guardvet ./...: %v\n%s", err, output)
	}
}

// hole is a change to the example service, and what guardvet says of it.
type hole struct{ check, file, old, new, want string }

var holes = []hole{
	{
		check: "unguarded", file: "server/routes.go",
		old:  "	return mux, nil\n",
		new:  "	http.HandleFunc(\"GET /debug\", healthy)\n	return mux, nil\n",
		want: `the handler of "GET /debug" is not known to be guarded`,
	},
	{
		check: "unguarded", file: "server/serve.go",
		old:  "		next.ServeHTTP(w, r)\n",
		new:  "		if r.URL.Path == \"/internal/addr\" {\n			fmt.Fprintln(w, r.RemoteAddr)\n			return\n		}\n		next.ServeHTTP(w, r)\n",
		want: "this answers in front of the guard",
	},
	{
		check: "unguarded", file: "server/serve.go",
		old:  "	failed := make(chan error, 1)\n",
		new:  "	go http.ListenAndServe(\":6060\", nil)\n	failed := make(chan error, 1)\n",
		want: "nil serves http.DefaultServeMux",
	},
	{
		check: "rawbody", file: "server/projects.go",
		old:  "	p, err := a.store.CreateProject(",
		new:  "	_, _ = c.Request.Body.Read(nil)\n	p, err := a.store.CreateProject(",
		want: "Request.Body behind a guard",
	},
	{
		check: "param", file: "server/routes.go",
		old:  `"GET /projects/{projectID}"`,
		new:  `"GET /projects/{id}"`,
		want: `the pattern "GET /projects/{id}" has no {projectID}`,
	},
	{
		check: "rawid", file: "server/login.go",
		old:  "	u := c.Caller.User\n",
		new:  "	u := c.Caller.User\n	_ = c.Request.PathValue(\"userID\")\n",
		want: "a path value read past the guard",
	},
	{
		check: "sqlowner", file: "server/store/projects.go",
		old:  "DELETE FROM projects WHERE id = ? AND owner_id = ?`, id, ownerID)",
		new:  "DELETE FROM projects WHERE id = ?`, id)",
		want: "the DELETE of projects at ",
	},
	{
		check: "sqlowner", file: "server/store/projects.go",
		old:  "WHERE id = ?1 AND owner_id = ?2 RETURNING",
		new:  "WHERE id = ?1 AND (owner_id = ?2 OR visibility = 'team') RETURNING",
		want: "the UPDATE of projects at ",
	},
	{
		check: "sqlowner", file: "server/store/users.go",
		old:  "UPDATE users SET role = ? WHERE id = ?`, role, userID)",
		new:  "UPDATE users SET role = ?`, role)",
		want: "the UPDATE of users at ",
	},
	{
		check: "reason", file: "server/routes.go",
		old:  "guard.NoPayload, guard.NoResource, perCaller, errs, a.me",
		new:  "guard.NoPayload, guard.NoResource, guard.Unlimited(\" \"), errs, a.me",
		want: "guard.Unlimited has no reason",
	},
	{
		check: "errleak", file: "server/public.go",
		old:  "		return guard.Reply[guard.None]{}, err\n",
		new:  "		return guard.Reply[guard.None]{}, guard.Fail(400, \"bad_contact\", err.Error())\n",
		want: "the text of an error is sent to the client",
	},
}

var finding = regexp.MustCompile(`(?m)^\S+\.go:\d+:\d+: `)

func TestHolesInTheExampleAreReported(t *testing.T) {
	t.Parallel()
	tool := build(t)
	overlay := plant(t, holes)
	output, err := run(t, "go", "vet", "-overlay="+overlay, "-vettool="+tool, "./...")
	if err == nil {
		t.Error("go vet passes")
	}
	for _, h := range holes {
		if !strings.Contains(output, h.want) {
			t.Errorf("%s: no %q in\n%s", h.check, h.want, output)
		}
	}
	if got := len(finding.FindAllString(output, -1)); got != len(holes) {
		t.Errorf("got %d findings, want %d:\n%s", got, len(holes), output)
	}
}

// go vet asks the tool for its flags, and passes those on that it knows.
func TestEachCheckHasAFlag(t *testing.T) {
	t.Parallel()
	output, err := run(t, build(t), "-flags")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	type toolFlag struct {
		Name string
		Bool bool
	}
	var flags []toolFlag
	if err := json.Unmarshal([]byte(output), &flags); err != nil {
		t.Fatal(err)
	}
	for _, a := range checks.All() {
		if !slices.Contains(flags, toolFlag{a.Name, true}) {
			t.Errorf("there is no -%s", a.Name)
		}
	}
}

// plant writes a copy of each file with its holes, and an overlay for the go command.
func plant(t *testing.T, holes []hole) string {
	t.Helper()
	dir := t.TempDir()
	texts := map[string]string{}
	for _, h := range holes {
		text, ok := texts[h.file]
		if !ok {
			content, err := os.ReadFile(filepath.Join("../examples", h.file))
			if err != nil {
				t.Fatal(err)
			}
			text = string(content)
		}
		if !strings.Contains(text, h.old) {
			t.Fatalf("%s has no %q: the hole no longer fits", h.file, h.old)
		}
		texts[h.file] = strings.Replace(text, h.old, h.new, 1)
	}
	replace := map[string]string{}
	for file, text := range texts {
		original, err := filepath.Abs(filepath.Join("../examples", file))
		if err != nil {
			t.Fatal(err)
		}
		replace[original] = filepath.Join(dir, file)
		write(t, replace[original], text)
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	write(t, overlay, string(content))
	return overlay
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// build makes the command, as go install does.
func build(t *testing.T) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "guardvet")
	if output, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return tool
}

func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = "../examples"
	output, err := cmd.CombinedOutput()
	return string(output), err
}
