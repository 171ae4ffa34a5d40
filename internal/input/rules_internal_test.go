package input

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// builtinRules reads the names of validator's rules and aliases from its source in the module cache.
func builtinRules(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-playground/validator/v10").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skipf("validator's source is not at hand: %v", err)
	}
	file, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join(dir, "baked_in.go"), nil, 0)
	if err != nil {
		t.Skipf("validator's source cannot be read: %v", err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 {
			return true
		}
		if name := spec.Names[0].Name; name != "bakedInValidators" && name != "bakedInAliases" {
			return true
		}
		for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
			if lit, ok := e.(*ast.KeyValueExpr).Key.(*ast.BasicLit); ok {
				name, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, name)
			}
		}
		return false
	})
	if len(names) < 150 {
		t.Fatalf("found only %d rules in validator's source", len(names))
	}
	return names
}

// TestRuleTableIsComplete compares the table with validator's own list, so that an upgrade cannot add a rule without words.
func TestRuleTableIsComplete(t *testing.T) {
	t.Parallel()
	builtin := map[string]bool{}
	for _, name := range builtinRules(t) {
		builtin[name] = true
		if _, ok := ruleTable[name]; !ok {
			t.Errorf("rule %s has no entry", name)
		}
	}
	for name := range ruleTable {
		if _, own := ownRules[name]; !builtin[name] && !own {
			t.Errorf("entry %s is no rule of validator", name)
		}
	}
}

// TestMessages checks the wording of every rule on every kind of value that it can judge.
func TestMessages(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^(must|is|has) [^%]*[^. ]$`)
	node := &structNode{fields: []*field{{goName: "Other", goPath: "Other", name: "other-name"}}}
	for tag, r := range ruleTable {
		param := "3"
		switch r.refs {
		case refField, refList:
			param = "Other"
		case refPairs:
			param = "Other x"
		}
		if r.param == paramNone {
			param = ""
		}
		for _, v := range sampleValues {
			p := describe(subject{tag: tag, param: param, kind: v.Kind(), typ: v.Type(), parent: node})
			if !shape.MatchString(p.message) || strings.Contains(p.message, "Other") || strings.Contains(p.param, "Other") {
				t.Errorf("%s on %v: message %q, param %q", tag, v.Type(), p.message, p.param)
			}
			if p.code != strings.ToLower(tag) {
				t.Errorf("%s: code %q", tag, p.code)
			}
		}
	}
}

var sampleValues = []reflect.Value{
	reflect.ValueOf("x"), reflect.ValueOf(1), reflect.ValueOf(uint8(1)), reflect.ValueOf(1.5), reflect.ValueOf(float32(1.5)), reflect.ValueOf(true),
	reflect.ValueOf([]int{1}), reflect.ValueOf([2]int{1, 2}), reflect.ValueOf(map[string]int{"a": 1}), reflect.ValueOf([]byte("x")),
	reflect.ValueOf(time.Unix(1, 0)), reflect.ValueOf(time.Second), reflect.ValueOf(uuid.UUID{1}), reflect.ValueOf(struct{ X int }{1}),
}

// TestRuleTableKnowsWhatRulesCanJudge runs every rule on every kind of value: where the table says that a rule can judge, it
// must not panic.
func TestRuleTableKnowsWhatRulesCanJudge(t *testing.T) {
	t.Parallel()
	params := map[string]string{
		"oneof": "a b", "noneof": "a b", "oneofci": "a b", "noneofci": "a b", "datetime": "2006", "eq": "1", "ne": "1",
		"postcode_iso3166_alpha2": "DE", "spicedb": "id", "unique": "", "validateFn": "String",
	}
	c := &compiler{plan: &Plan{validate: shared()}}
	for tag, r := range ruleTable {
		if r.refuse != "" {
			continue
		}
		for _, v := range sampleValues {
			param, ok := params[tag]
			if !ok && r.param != paramNone {
				param = "1"
			}
			parent := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Other", Type: v.Type()}})).Elem()
			switch r.refs {
			case refField, refList:
				param = "Other"
			case refPairs:
				param = "Other 1"
			}
			if v.Kind() == reflect.Bool && (tag == "eq" || tag == "ne") {
				param = "true"
			}
			word := tag
			if param != "" {
				word += "=" + param
			}
			_, why := c.try(v.Interface(), parent.Interface(), word)
			judges := r.on&onAnything != 0 || r.on&kindsOf(v.Type()) != 0
			if judges && why != "" && tag != "unique" && tag != "postcode_iso3166_alpha2_field" {
				t.Errorf("%s on %v: the table says that it can judge, but it panics: %s", word, v.Type(), why)
			}
		}
	}
}

// TestWording pins the messages that callers see most.
func TestWording(t *testing.T) {
	t.Parallel()
	tests := []struct {
		tag, param string
		value      any
		want       string
	}{
		{"required", "", "", "is required"},
		{"min", "1", "", "must be at least 1 character"},
		{"min", "3", "", "must be at least 3 characters"},
		{"max", "80", "", "must be at most 80 characters"},
		{"gt", "3", "", "must be longer than 3 characters"},
		{"lt", "3", "", "must be shorter than 3 characters"},
		{"len", "1", "", "must be exactly 1 character"},
		{"min", "1", []int{}, "must have at least 1 item"},
		{"max", "3", []int{}, "must have at most 3 items"},
		{"gt", "3", []int{}, "must have more than 3 items"},
		{"lt", "3", []int{}, "must have fewer than 3 items"},
		{"len", "3", []int{}, "must have exactly 3 items"},
		{"eq", "3", []int{}, "must have exactly 3 items"},
		{"max", "1", []byte{}, "must have at most 1 byte"},
		{"max", "1", map[string]int{}, "must have at most 1 entry"},
		{"max", "2", map[string]int{}, "must have at most 2 entries"},
		{"min", "1", 0, "must be at least 1"},
		{"max", "50", 0, "must be at most 50"},
		{"gt", "0", 0, "must be greater than 0"},
		{"lt", "0.5", 1.5, "must be less than 0.5"},
		{"len", "5", 0, "must be 5"},
		{"eq", "5", 0, "must be 5"},
		{"eq", "x", "", "must be x"},
		{"ne", "x", "", "must not be x"},
		{"ne", "0", 0, "must not be 0"},
		{"min", "1s", time.Second, "must be at least 1s"},
		{"gt", "1s", time.Second, "must be longer than 1s"},
		{"gt", "", time.Time{}, "must be in the future"},
		{"lte", "", time.Time{}, "must be in the past"},
		{"oneof", "private team", "", "must be one of: private, team"},
		{"oneof", "'a b' c", "", "must be one of: a b, c"},
		{"email", "", "", "must be an email address"},
		{"eqfield", "Password", "", "must be the same as password"},
		{"required_if", "Kind x", "", "is required when kind is x"},
		{"required_with", "Password Kind", "", "is required together with password, kind"},
		{"eqfield", "Missing", "", "must be the same as another field"},
		{"excludesall", "<>", "", "must not contain any of the characters <>"},
		{"email|e164", "", "", "must be an email address, or must be a phone number in international form such as +14155550123"},
		{"house_rule", "5", "", "is invalid"},
	}
	parent := &structNode{fields: []*field{
		{goName: "Password", goPath: "Password", name: "password"}, {goName: "Kind", goPath: "Kind", name: "kind"},
	}}
	for _, tt := range tests {
		typ := reflect.TypeOf(tt.value)
		got := describe(subject{tag: tt.tag, param: tt.param, kind: typ.Kind(), typ: typ, parent: parent}).message
		if got != tt.want {
			t.Errorf("%s on %v: got %q, want %q", fmt.Sprint(tt.tag, "=", tt.param), typ, got, tt.want)
		}
	}
}

// TestEveryRuleWorks compiles and runs every rule that judges text, on values that most of them refuse.
func TestEveryRuleWorks(t *testing.T) {
	t.Parallel()
	params := map[string]string{"oneof": "a b", "noneof": "bad", "oneofci": "a b", "datetime": "2006-01-02", "postcode_iso3166_alpha2": "DE", "unique": "Other", "spicedb": "type"}
	refused := 0
	for tag, r := range ruleTable {
		if r.refuse != "" || r.on&(onString|onAnything) == 0 || tag == "validateFn" {
			continue
		}
		word := tag
		if r.param != paramNone {
			param := "30"
			switch r.refs {
			case refField, refList:
				param = "Other"
			case refPairs:
				param = "Other x"
			}
			if p, ok := params[tag]; ok {
				param = p
			}
			word += "=" + param
		}
		typ := reflect.StructOf([]reflect.StructField{
			{Name: "X", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(fmt.Sprintf(`json:"x" validate:%q`, word))},
			{Name: "Other", Type: reflect.TypeFor[string](), Tag: `json:"other"`},
		})
		p, err := Compile(typ, Config{Kind: JSON})
		if err != nil {
			t.Errorf("%s: %v", word, err)
			continue
		}
		for _, body := range []string{`{"x":"\u0001 bad é","other":"zz"}`, `{"x":"","other":"x"}`, `{"x":"30","other":""}`} {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			_, fail := p.Decode(context.Background(), httptest.NewRecorder(), r, reflect.New(typ).Interface())
			if fail == nil {
				continue
			}
			refused++
			if fail.Status != http.StatusBadRequest || len(fail.Violations) != 1 || fail.Violations[0].Pointer != "/x" ||
				fail.Violations[0].Code != strings.ToLower(tag) || strings.Contains(fail.Violations[0].Message, "Other") {
				t.Errorf("%s on %s: got %+v", word, body, fail)
			}
		}
	}
	if refused < 300 {
		t.Errorf("the rules refused only %d times", refused)
	}
}
