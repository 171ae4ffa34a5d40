package guard_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The exported names of the library are a promise to everybody who imports it. A change
// of them is a change of testdata/api, which is reviewed like code: GUARD_UPDATE=1
// go test -run TestExportedAPI . writes it.
func TestExportedAPI(t *testing.T) {
	t.Parallel()
	const dir = "testdata/api"
	update := os.Getenv("GUARD_UPDATE") != ""
	packages := publicPackages(t)
	kept := map[string]bool{}
	for _, p := range packages {
		name := strings.ReplaceAll(strings.TrimPrefix(p.Path(), "github.com/routeguard/"), "/", "_") + ".golden"
		kept[name] = true
		file, got := filepath.Join(dir, name), exported(p)
		if update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if changes := changedLines(string(want), got); changes != "" {
			t.Errorf("package %s differs from %s: review the change, and run the test with GUARD_UPDATE=1 to accept it\n%s", p.Path(), file, changes)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if kept[f.Name()] {
			continue
		}
		if !update {
			t.Errorf("%s/%s belongs to no package: run the test with GUARD_UPDATE=1 to remove it", dir, f.Name())
		} else if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

// publicPackages are those of the workspace that other modules can import, with the
// types that the compiler gave them. Examples and benchmarks are nobody's to import.
func publicPackages(t *testing.T) []*types.Package {
	t.Helper()
	var public []string
	for _, p := range goList(t, "work") {
		path := strings.Split(p.ImportPath, "/")
		private := slices.ContainsFunc(path, func(s string) bool { return s == "internal" || s == "examples" || s == "bench" || s == "testdata" })
		if p.Name != "main" && !private && len(p.GoFiles) > 0 { // tests alone export nothing
			public = append(public, p.ImportPath)
		}
	}
	exports := map[string]string{}
	for _, p := range goList(t, append([]string{"-export", "-deps"}, public...)...) {
		exports[p.ImportPath] = p.Export
	}
	importer := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var packages []*types.Package
	for _, path := range public {
		p, err := importer.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 3 {
		t.Fatalf("found %d public packages: %v", len(packages), public)
	}
	return packages
}

type listed struct {
	ImportPath, Name, Export string
	GoFiles                  []string
}

func goList(t *testing.T, args ...string) (all []listed) {
	t.Helper()
	list := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Export,GoFiles"}, args...)...)
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(bytes.NewReader(output)); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// exported lists the exported names of a package, one a line, with everything of their
// types that importers can see.
func exported(p *types.Package) string {
	var b strings.Builder
	qualify := func(other *types.Package) string {
		if other == p {
			return ""
		}
		return other.Name()
	}
	for _, name := range p.Scope().Names() {
		object := p.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		switch o := object.(type) {
		case *types.Const:
			fmt.Fprintf(&b, "const %s %s = %s\n", name, types.TypeString(o.Type(), qualify), o.Val())
		case *types.TypeName:
			typeLines(&b, o, qualify)
		default:
			fmt.Fprintln(&b, types.ObjectString(o, qualify))
		}
	}
	return b.String()
}

// typeLines lists a type with its exported fields and methods, promoted ones included.
// An alias of an internal type shows what that type has.
func typeLines(b *strings.Builder, o *types.TypeName, qualify types.Qualifier) {
	line := strings.TrimSpace(types.ObjectString(o, qualify))
	under := o.Type().Underlying()
	switch s := under.(type) {
	case *types.Struct:
		// Unexported fields and tags are nobody's business, and would only make the line long.
		head, _, _ := strings.Cut(line, " struct{")
		fmt.Fprintf(b, "%s struct\n", head)
		hidden := false
		for f := range s.Fields() {
			if hidden = hidden || !f.Exported(); f.Exported() {
				fmt.Fprintf(b, "\t%s.%s %s\n", o.Name(), f.Name(), types.TypeString(f.Type(), qualify))
			}
		}
		if hidden {
			fmt.Fprintf(b, "\t%s has unexported fields\n", o.Name())
		}
	case *types.Interface:
		head, _, _ := strings.Cut(line, " interface{")
		fmt.Fprintf(b, "%s interface\n", head)
		for m := range s.Methods() {
			fmt.Fprintf(b, "\t%s.%s%s\n", o.Name(), m.Name(), strings.TrimPrefix(types.TypeString(m.Type(), qualify), "func"))
		}
		return
	default:
		fmt.Fprintln(b, line)
	}
	methods := types.NewMethodSet(types.NewPointer(o.Type()))
	for i := range methods.Len() {
		m := methods.At(i).Obj()
		if !m.Exported() {
			continue
		}
		receiver := "*" + o.Name()
		if types.NewMethodSet(o.Type()).Lookup(m.Pkg(), m.Name()) != nil {
			receiver = o.Name()
		}
		fmt.Fprintf(b, "\t(%s) %s%s\n", receiver, m.Name(), strings.TrimPrefix(types.TypeString(methods.At(i).Type(), qualify), "func"))
	}
}

// changedLines lists the lines that are gone (-) and new (+).
func changedLines(old, current string) string {
	was, is := strings.Split(strings.TrimSpace(old), "\n"), strings.Split(strings.TrimSpace(current), "\n")
	var changes []string
	for _, l := range was {
		if l != "" && !slices.Contains(is, l) {
			changes = append(changes, "- "+l)
		}
	}
	for _, l := range is {
		if l != "" && !slices.Contains(was, l) {
			changes = append(changes, "+ "+l)
		}
	}
	slices.SortStableFunc(changes, func(a, b string) int { return cmp.Compare(a[2:], b[2:]) })
	return strings.Join(changes, "\n")
}
