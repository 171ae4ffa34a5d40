package openapi

import (
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// role tells the schemas of a Go type apart: what may be sent, and what is answered.
type role string

const (
	roleResult   role = ""
	roleInput    role = "Input"
	roleUnjudged role = "Unjudged" // an input whose rules validator does not look at
)

// component is the schema of a named Go type. Its name is known when all types are.
type component struct {
	typ    reflect.Type
	role   role
	schema object
	name   string
}

// link is a reference to a component. It is written when the component has its name.
type link struct{ to *component }

// MarshalJSONTo writes the reference.
func (l link) MarshalJSONTo(e *jsontext.Encoder) error {
	return json.MarshalEncode(e, "#/components/schemas/"+l.to.name)
}

func refTo(c *component) object { return object{{"$ref", link{c}}} }

// schemas are the components so far.
type schemas struct{ list []*component }

// of returns the component of a type, which build describes when it is new. It is known before it
// is built, so that a type may contain itself.
func (s *schemas) of(t reflect.Type, r role, build func() object) object {
	for _, c := range s.list {
		if c.typ == t && c.role == r {
			return refTo(c)
		}
	}
	c := &component{typ: t, role: r}
	s.list = append(s.list, c)
	c.schema = build()
	return refTo(c)
}

// object names the components and returns them in alphabetical order.
func (s *schemas) object(reserved []string) object {
	taken := map[string]bool{}
	for _, name := range reserved {
		taken[name] = true
	}
	names := s.typeNames(taken)
	for _, r := range []role{roleResult, roleInput, roleUnjudged} {
		for _, c := range s.list {
			if c.role == r {
				c.name = free(names[c.typ], taken, r)
			}
		}
	}
	slices.SortFunc(s.list, func(a, b *component) int { return cmp.Compare(a.name, b.name) })
	var all object
	for _, c := range s.list {
		all.set(c.name, c.schema)
	}
	return all
}

// typeNames gives each type the shortest name that no other type has: its own, or the one with its
// package, or the one with the package's path.
func (s *schemas) typeNames(taken map[string]bool) map[reflect.Type]string {
	names := map[reflect.Type]string{}
	for _, namer := range []func(reflect.Type) string{shortName, packageName, longName} {
		types := map[string]reflect.Type{}
		shared := map[string]bool{}
		for _, c := range s.list {
			name := namer(c.typ)
			other, seen := types[name]
			shared[name] = shared[name] || taken[name] || seen && other != c.typ
			types[name] = c.typ
		}
		for _, c := range s.list {
			if name := namer(c.typ); names[c.typ] == "" && !shared[name] {
				names[c.typ] = name
			}
		}
	}
	return names
}

// free takes a name. A type that is also answered has "Input" at the end where it is sent; what is
// still taken, since a component's name cannot have all characters of a type's, gets a number.
func free(name string, taken map[string]bool, r role) string {
	if name == "" {
		name = "Schema"
	}
	if taken[name] {
		name += string(r)
	}
	base := name
	for n := 2; taken[name]; n++ {
		name = base + "_" + strconv.Itoa(n)
	}
	taken[name] = true
	return name
}

var (
	typePath    = regexp.MustCompile(`[^\[\],\s]*/`)
	typePackage = regexp.MustCompile(`\b\w+\.`)
	localType   = regexp.MustCompile(`·[0-9]+`) // of a type that a function declares
	notInName   = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

// clean makes a component's name of a type's: of Page[example.com/x/store.Project] Page_store.Project.
func clean(name string) string {
	return strings.TrimRight(notInName.ReplaceAllString(localType.ReplaceAllString(name, ""), "_"), "_")
}

func shortName(t reflect.Type) string {
	return clean(typePackage.ReplaceAllString(typePath.ReplaceAllString(t.Name(), ""), ""))
}

func packageName(t reflect.Type) string { return clean(typePath.ReplaceAllString(t.String(), "")) }

func longName(t reflect.Type) string {
	return clean(strings.ReplaceAll(t.PkgPath()+"."+t.Name(), "/", "."))
}
