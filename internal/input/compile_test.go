package input_test

import (
	"context"
	stdjson "encoding/json"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"

	"github.com/routeguard/guard/internal/input"
)

type mistakeQuery struct {
	NoTag      string
	Dash       string               `json:"-"`
	Two        string               `query:"a" header:"b"`
	Wrong      string               `json:"name"`
	NoName     string               `query:""`
	Options    string               `query:"x,omitempty"`
	Quoted     string               `query:"a\"b"`
	Same       string               `query:"same"`
	SameToo    string               `query:"same"`
	private    string               `query:"private"`
	Struct     struct{}             `query:"struct"`
	Map        map[string]string    `query:"map"`
	Bytes      []byte               `query:"bytes"`
	Nested     [][]string           `query:"nested"`
	PtrPtr     **int                `query:"ptrptr"`
	OptPtr     input.Optional[*int] `query:"optptr"`
	PathName   string               `path:"a-b"`
	PathSlice  []string             `path:"ids"`
	BadDefault int                  `query:"bad" default:"x"`
	RuleDef    int                  `query:"ruledef" default:"7" validate:"max=5"`
	PathDef    string               `path:"def" default:"x"`
	SliceDef   []string             `query:"slicedef" default:"x"`
	Length     string               `header:"Content-Length"`
	Space      string               `header:"X Trace"`
	Auth       string               `header:"authorization"`
	Forwarded  string               `header:"x-forwarded-for"`
	Any        int                  `query:"any" guard:"any=5"`
	Guard      string               `query:"guard" guard:"clients"`
	Norm       string               `query:"norm" normalize:"trin"`
	NormTwice  string               `query:"normtwice" normalize:"trim,trim"`
	NormBoth   string               `query:"normboth" normalize:"lower,upper"`
	NormInt    int                  `query:"normint" normalize:"trim"`
	File       input.File           `query:"file" file:"max=1MiB,types=image/png"`
}

func TestQueryMistakes(t *testing.T) {
	t.Parallel()
	_ = mistakeQuery{}.private
	checkMistakes(t, reflect.TypeFor[mistakeQuery](), input.Config{Kind: input.Query}, []string{
		`field NoTag: has no source: write query:"name", path:"name" or header:"name"`,
		`field Dash: has no source`,
		`field Two: has two sources, query and header`,
		`field Wrong: json is not read here`,
		`field NoName: query has no name`,
		`field Options: query takes no options`,
		`field Quoted: query name has a character`,
		`field SameToo: query:"same" is also the source of Same`,
		`field private: has a query tag but is not exported`,
		`field Struct: struct {}: cannot be read from query text`,
		`field Map: map[string]string: cannot be read from query text`,
		`field Bytes: []uint8: cannot be read from query text`,
		`field Nested: [][]string: nests`,
		`field PtrPtr: **int: nests`,
		`field OptPtr: input.Optional[*int]: nests`,
		`field PathName: path name is not one that a pattern can have`,
		`field PathSlice: []string: cannot be read from path text`,
		`field BadDefault: default: "x" does not fit int`,
		`field RuleDef: default: "7" is refused by validate:"max=5"`,
		`field PathDef: default: path fields have none`,
		`field SliceDef: default: []string takes none`,
		`field Length: header Content-Length belongs to the framing`,
		`field Space: header name`,
		`field Auth: header Authorization is not input`,
		`field Forwarded: header X-Forwarded-For is not input`,
		`field Any: guard: any is for`,
		`field Guard: guard: "clients" is unknown`,
		`field Norm: normalize: "trin" is not a normalizer`,
		`field NormTwice: normalize: "trim" is given twice`,
		`field NormBoth: normalize: lower and upper contradict`,
		`field NormInt: normalize: int is not text`,
		`field File: input.File: files come in forms`,
	})
}

type cyclic struct {
	Name  string   `json:"name"`
	Below []cyclic `json:"below"`
	Bad   chan int `json:"bad"`
}

type mistakeJSON struct {
	String     string               `json:"string,string"`
	Inline     struct{}             `json:",inline"`
	Ignore     string               `json:"ignore,case:ignore"`
	Format     time.Time            `json:"format,format:RFC3339"`
	Unknown    map[string]any       `json:",unknown"`
	Unnamed    string               `json:",omitempty"`
	Any        any                  `json:"any"`
	AnyZero    any                  `json:"anyzero" guard:"any=0"`
	AnyWord    any                  `json:"anyword" guard:"any"`
	Raw        stdjson.RawMessage   `json:"raw"`
	Map        map[string]int       `json:"map"`
	IntMap     map[int]int          `json:"intmap" validate:"max=3"`
	Chan       chan int             `json:"chan"`
	Func       func()               `json:"func"`
	Complex    complex128           `json:"complex"`
	Reader     io.Reader            `json:"reader"`
	Number     stdjson.Number       `json:"number"`
	PtrPtr     **int                `json:"ptrptr"`
	PtrAny     *any                 `json:"ptrany"`
	PtrOpt     *input.Optional[int] `json:"ptropt"`
	OptPtr     input.Optional[*int] `json:"optptr"`
	File       input.File           `json:"file"`
	Cyclic     cyclic               `json:"cyclic"`
	Untagged   struct{ X string }   `json:"untagged"`
	InnerQuery struct {
		X string `query:"x"`
	} `json:"innerQuery"`
	Default string `json:"default" default:"x"`
	*strings.Builder
	*hiddenPointer
	excluded `json:"-"`
}

type hiddenPointer struct {
	P string `json:"p"`
}

type excluded struct {
	E string `json:"e"`
}

func TestJSONMistakes(t *testing.T) {
	t.Parallel()
	checkMistakes(t, reflect.TypeFor[mistakeJSON](), input.Config{Kind: input.JSON}, []string{
		"field String: json option string would change what is accepted",
		"field Inline: json has no name",
		"field Ignore: json option case:ignore",
		"field Format: json option format:RFC3339",
		"field Unknown: json has no name",
		"field Unnamed: json has no name",
		"field Any: interface {}: takes any JSON and has no bound",
		"field AnyZero: guard: any needs a bound",
		"field AnyZero: interface {}: takes any JSON",
		"field AnyWord: guard: any needs a bound",
		"field AnyWord: interface {}: takes any JSON",
		"field Raw: " + reflect.TypeFor[stdjson.RawMessage]().String() + ": takes any JSON",
		`field Map: map[string]int: has no bound: write validate:"max=50"`,
		"field IntMap: map[int]int: a JSON object has string keys",
		"field Chan: chan int: cannot be decoded",
		"field Func: func(): cannot be decoded",
		"field Complex: complex128: cannot be decoded",
		"field Reader: io.Reader: an interface has no one way",
		"field Number: json.Number: keeps the caller's spelling",
		"field PtrPtr: **int: says twice",
		"field PtrAny: *interface {}: says twice",
		"field PtrOpt: *input.Optional[int]: says twice",
		"field OptPtr: input.Optional[*int]: says twice",
		"field File: input.File: files come in forms",
		"field Cyclic.Bad: chan int: cannot be decoded",
		`field Untagged.X: has no source: write json:"name"`,
		"field InnerQuery.X: query is not read here",
		"field Default: default: json fields have none",
		"field Builder: embeds a pointer, which may be nil: write strings.Builder",
		"field hiddenPointer: embeds a pointer",
		`field excluded: json:"-" does not leave an embedded struct out`,
	})
}

// TestNestedNamesAreUnique builds its type at run time, since go vet refuses it in the source.
func TestNestedNamesAreUnique(t *testing.T) {
	t.Parallel()
	text := reflect.TypeFor[string]()
	inner := reflect.StructOf([]reflect.StructField{{Name: "X", Type: text, Tag: `json:"x"`}, {Name: "Y", Type: text, Tag: `json:"x"`}})
	outer := reflect.StructOf([]reflect.StructField{{Name: "In", Type: inner, Tag: `json:"in"`}})
	checkMistakes(t, outer, input.Config{Kind: input.JSON}, []string{`field In.Y: json:"x" is also the source of X`})
}

type mistakeRules struct {
	Unknown   string                 `json:"unknown" validate:"required,mni=3"`
	Second    string                 `json:"second" validate:"required,min=3,nope"`
	Or        string                 `json:"or" validate:"email|nope"`
	Param     string                 `json:"param" validate:"min=x"`
	NoParam   string                 `json:"noparam" validate:"oneof"`
	Extra     string                 `json:"extra" validate:"email=5"`
	Bool      bool                   `json:"bool" validate:"min=3"`
	EmailInt  int                    `json:"emailInt" validate:"email"`
	EmailList []string               `json:"emailList" validate:"email"`
	DiveStr   string                 `json:"diveStr" validate:"dive,min=3"`
	Items     []string               `json:"items" validate:"max=3,dive,mim=3"`
	Keys      map[string]int         `json:"keys" validate:"max=3,dive,keys,mim=3,endkeys,min=1"`
	KeysOpen  map[string]int         `json:"keysOpen" validate:"max=3,dive,keys,min=3"`
	KeysAlone map[string]int         `json:"keysAlone" validate:"max=3,keys,min=3,endkeys"`
	Empty     string                 `json:"empty" validate:"min=3,,max=5"`
	Trailing  string                 `json:"trailing" validate:"min=3,"`
	Field     string                 `json:"field" validate:"eqfield=Missing"`
	Kind      string                 `json:"kind" validate:"eqfield=Bool"`
	Pairs     string                 `json:"pairs" validate:"required_if=Field"`
	PairValue string                 `json:"pairValue" validate:"required_if=EmailInt x"`
	With      string                 `json:"with" validate:"required_with=Missing"`
	File      string                 `json:"file" validate:"file"`
	Dir       string                 `json:"dir" validate:"omitempty,dirpath"`
	Socket    string                 `json:"socket" validate:"uds_exists"`
	Time      time.Time              `json:"time" validate:"gt=2020-01-01"`
	Len       time.Time              `json:"len" validate:"len=3"`
	Fn        string                 `json:"fn" validate:"validateFn=Check"`
	Unique    []map[string]any       `json:"unique" validate:"unique,max=2,dive,max=2" guard:"any=5"`
	AnyMin    any                    `json:"anyMin" validate:"min=3" guard:"any=5"`
	AnyItem   []any                  `json:"anyItem" validate:"max=3,dive,len=3" guard:"any=5"`
	Alt       *string                `json:"alt" validate:"omitnil|min=3"`
	Lists     []int                  `json:"lists" validate:"gtfield=Items"`
	OptIf     input.Optional[string] `json:"optIf" validate:"max=3,required_if=Bool true"`
	PtrIf     *string                `json:"ptrIf" validate:"required_if=Bool true,max=3"`
	Undived   []withRule             `json:"undived" validate:"max=3"`
	UndivedIn map[string][]*withRule `json:"undivedIn" validate:"max=3,dive"`
	Meant     []withRule             `json:"meant" validate:"-"`
	Dived     []withRule             `json:"dived" validate:"dive"`
	Plain     []struct{}             `json:"plain"`
	base2     `validate:"nope"`
}

type withRule struct {
	Name string `json:"name" validate:"max=3"`
}

type base2 struct {
	X string `json:"x" validate:"eqfield=Field"` // Field is in the struct that embeds, which validator does not see
}

func TestRuleMistakes(t *testing.T) {
	t.Parallel()
	checkMistakes(t, reflect.TypeFor[mistakeRules](), input.Config{Kind: input.JSON}, []string{
		"field Unknown: validate: mni is not a rule",
		"field Second: validate: nope is not a rule",
		"field Or: validate: nope is not a rule",
		"field Param: validate: min=x: the parameter does not fit string",
		"field NoParam: validate: oneof needs a parameter",
		"field Extra: validate: email takes no parameter",
		"field Bool: validate: min cannot judge bool",
		"field EmailInt: validate: email cannot judge int",
		"field EmailList: validate: email cannot judge []string",
		"field DiveStr: validate: dive into string",
		"field Items[]: validate: mim is not a rule",
		"field Keys: validate: mim is not a rule",
		"field KeysOpen: validate: keys without endkeys",
		"field KeysOpen: map[string]int: has no bound",
		"field KeysAlone: validate: keys does not follow dive",
		"field KeysAlone: map[string]int: has no bound",
		"field Empty: validate: has an empty rule",
		"field Trailing: validate: has an empty rule",
		"field Field: validate: eqfield refers to Missing",
		"field Kind: validate: eqfield compares string with bool",
		"field Pairs: validate: required_if needs pairs",
		"field PairValue: validate: required_if=EmailInt x: the parameter does not fit",
		"field With: validate: required_with refers to Missing",
		"field File: validate: file looks at the server's own files",
		"field Dir: validate: dirpath looks at the server's own files",
		"field Socket: validate: uds_exists looks at the server's own files",
		"field Time: validate: gt of a time compares with now",
		"field Len: validate: len cannot judge time.Time",
		"field Fn: validate: validateFn calls a method",
		"field Unique: validate: unique= on []map[string]interface {} panics",
		"field AnyMin: validate: min cannot judge interface {}",
		"field AnyItem[]: validate: len cannot judge interface {}",
		"field Alt: validate: omitnil cannot be one of several",
		"field Lists: validate: gtfield cannot judge []int",
		"field OptIf: validate: required_if=Bool true must come first",
		"field PtrIf: validate: max=3 follows required_if=Bool true, which lets nil pass",
		"field Undived: validate: the rules in",
		"field UndivedIn: validate: the rules in",
		"field base2: validate: nope is not a rule",
		"field base2.X: validate: eqfield refers to Field",
	})
}

type mistakeForm struct {
	NoBounds input.File   `form:"nobounds"`
	NoMax    input.File   `form:"nomax" file:"types=image/png"`
	BadMax   input.File   `form:"badmax" file:"max=1MB,types=image/png"`
	ZeroMax  input.File   `form:"zeromax" file:"max=0B,types=image/png"`
	NoTypes  input.File   `form:"notypes" file:"max=1MiB"`
	SVG      input.File   `form:"svg" file:"max=1MiB,types=image/svg+xml"`
	HTML     input.File   `form:"html" file:"max=1MiB,types=text/html"`
	Star     input.File   `form:"star" file:"max=1MiB,types=image/*"`
	Word     input.File   `form:"word" file:"max=1MiB,types=image/png,size=3"`
	Declared input.File   `form:"declared" file:"max=1MiB,types=image/png,declared=none"`
	AnyCSV   input.File   `form:"anycsv" file:"max=1MiB,types=image/png text/csv,declared=any"`
	AnyWord  input.File   `form:"anyword" file:"max=1MiB,types=application/vnd.oasis.opendocument.text,declared=any"`
	Many     []input.File `form:"many" file:"max=1MiB,types=image/png"`
	Text     string       `form:"text" file:"max=1MiB,types=image/png"`
	JSON     string       `json:"json"`
}

func TestFormMistakes(t *testing.T) {
	t.Parallel()
	checkMistakes(t, reflect.TypeFor[mistakeForm](), input.Config{Kind: input.Form}, []string{
		"field NoBounds: file: has no bounds",
		"field NoMax: file: has no max",
		"field BadMax: file: max=1MB is not a size",
		"field BadMax: file: has no max",
		"field ZeroMax: file: max=0B is not a size",
		"field ZeroMax: file: has no max",
		"field NoTypes: file: has no types",
		"field SVG: file: type image/svg+xml cannot be told",
		"field HTML: file: type text/html cannot be told",
		"field Star: file: type image/* cannot be told",
		`field Word: file: "size" is unknown`,
		"field Declared: file: declared=none: write declared=any",
		"field AnyCSV: file: declared=any: what is text/plain by its content may be text/csv or not: write text/plain, or leave",
		"field AnyWord: file: declared=any: what is application/zip by its content",
		"field Many: file: has no number",
		"field Text: file: string is no file",
		"field JSON: json is not read here",
	})
}

// checkMistakes compares every line of the error with what is expected at its beginning.
func checkMistakes(t *testing.T, typ reflect.Type, c input.Config, want []string) {
	t.Helper()
	_, err := input.Compile(typ, c)
	if err == nil {
		t.Fatal("Compile: got no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, w := range want {
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, w) })
		if i < 0 {
			t.Errorf("missing: %s", w)
			continue
		}
		if l := lines[i]; !strings.Contains(l[len("field X"):], ": ") || strings.HasSuffix(l, ".") {
			t.Errorf("malformed: %s", l)
		}
		lines = slices.Delete(lines, i, i+1)
	}
	for _, l := range lines {
		t.Errorf("unexpected: %s", l)
	}
}

type (
	emptyJSON struct {
		Q string `query:"q"`
	}
	fieldsNone struct {
		Q string `query:"q"`
	}
	ownJSON struct {
		Name string `json:"name"`
	}
	filesOnly struct {
		F input.File `form:"f" file:"max=1MiB,types=image/png"`
	}
)

func (*ownJSON) UnmarshalJSON([]byte) error { return nil }

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		typ  reflect.Type
		c    input.Config
		want string
	}{
		{name: "no type", typ: nil, want: "not a struct"},
		{name: "no struct", typ: reflect.TypeFor[int](), c: input.Config{Kind: input.Query}, want: "input type int: not a struct"},
		{name: "a pointer", typ: reflect.TypeFor[*named](), c: input.Config{Kind: input.JSON}, want: "not a struct"},
		{name: "an unknown kind", typ: reflect.TypeFor[struct{}](), c: input.Config{Kind: 9}, want: "kind 9: unknown"},
		{name: "None with fields", typ: reflect.TypeFor[fieldsNone](), want: "has fields, but nothing is decoded"},
		{name: "Raw with fields", typ: reflect.TypeFor[fieldsNone](), c: input.Config{Kind: input.Raw, MaxBody: 1}, want: "has fields, but nothing is decoded"},
		{name: "Raw without a cap", typ: reflect.TypeFor[struct{}](), c: input.Config{Kind: input.Raw}, want: "a raw body needs a cap"},
		{name: "JSON without json fields", typ: reflect.TypeFor[emptyJSON](), c: input.Config{Kind: input.JSON}, want: "has no json field: write Query"},
		{name: "Form without form fields", typ: reflect.TypeFor[emptyJSON](), c: input.Config{Kind: input.Form}, want: "has no form field: write Query"},
		{name: "a type with UnmarshalJSON", typ: reflect.TypeFor[ownJSON](), c: input.Config{Kind: input.JSON}, want: "has its own UnmarshalJSON"},
		{name: "a negative cap", typ: reflect.TypeFor[named](), c: input.Config{Kind: input.JSON, MaxBody: -1}, want: "max body -1: negative"},
		{name: "a cap without a body", typ: reflect.TypeFor[struct{}](), c: input.Config{MaxBody: 1}, want: "takes no body"},
		{name: "a cap below the files", typ: reflect.TypeFor[filesOnly](), c: input.Config{Kind: input.Form, MaxBody: 1 << 20}, want: "the file fields alone may hold 1048576 bytes"},
		{name: "media types of a form", typ: reflect.TypeFor[formNamed](), c: input.Config{Kind: input.Form, MediaTypes: []string{"application/json"}}, want: "media types: only JSON takes them"},
		{name: "a media type that is not JSON", typ: reflect.TypeFor[named](), c: input.Config{Kind: input.JSON, MediaTypes: []string{"text/plain"}}, want: `media type "text/plain": not JSON`},
		{name: "a media type in upper case", typ: reflect.TypeFor[named](), c: input.Config{Kind: input.JSON, MediaTypes: []string{"Application/JSON"}}, want: "not a lower-case type/subtype"},
		{name: "everything", typ: reflect.TypeFor[named](), c: input.Config{Kind: input.JSON, MediaTypes: []string{"*/*"}}, want: "not a lower-case type/subtype"},
		{name: "every subtype", typ: reflect.TypeFor[named](), c: input.Config{Kind: input.JSON, MediaTypes: []string{"application/*"}}, want: "not a lower-case type/subtype"},
		{name: "half a star", typ: reflect.TypeFor[named](), c: input.Config{Kind: input.JSON, MediaTypes: []string{"application/*x+json"}}, want: "the star stands for the whole name"},
		{name: "a parameter", typ: reflect.TypeFor[named](), c: input.Config{Kind: input.JSON, MediaTypes: []string{"application/json; charset=utf-8"}}, want: "not a lower-case type/subtype"},
	}
	for _, tt := range tests {
		p, err := input.Compile(tt.typ, tt.c)
		if err == nil || p != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, %v, want %q", tt.name, p, err, tt.want)
		}
	}
}

// TestServerOwnedFields pins the list of names in many styles, and what opens one.
func TestServerOwnedFields(t *testing.T) {
	t.Parallel()
	refused := []string{
		"role", "Role", "ROLE", "roles", "userId", "user_id", "user-id", "UserID", "USER_ID", "ownerId", "owner_id", "owner", "tenantId", "TenantID",
		"tenant_id", "tenant", "orgId", "organization_id", "accountId", "createdBy", "created_by", "updatedBy", "createdAt", "updated_at", "deletedAt", "isAdmin",
		"is_admin", "IsAdmin", "admin", "isStaff", "superuser", "is_superuser", "permissions", "scopes", "scope", "groups", "internalStatus",
		"internal_status", "verified", "isVerified", "emailVerified", "email_verified", "balance", "passwordHash", "password_hash", "user",
	}
	allowed := []string{
		"name", "email", "id", "status", "username", "userName", "account", "created", "roleName", "scopeNote", "grouping", "administrative", "ownership",
		"password", "title", "rolex", "verify", "user.name", "projectId", "customerId", "balanceSheet",
	}
	field := func(goName string, tag string) reflect.Type {
		return reflect.StructOf([]reflect.StructField{{Name: goName, Type: reflect.TypeFor[string](), Tag: reflect.StructTag(tag)}})
	}
	kinds := map[string]input.Kind{"json": input.JSON, "query": input.Query, "form": input.Form}
	for source, kind := range kinds {
		for _, name := range refused {
			_, err := input.Compile(field("X", fmt.Sprintf(`%s:%q`, source, name)), input.Config{Kind: kind})
			if err == nil || !strings.Contains(err.Error(), `guard:"client"`) {
				t.Errorf("%s:%q: got %v, want a mistake", source, name, err)
			}
			if _, err := input.Compile(field("X", fmt.Sprintf(`%s:%q guard:"client"`, source, name)), input.Config{Kind: kind}); err != nil {
				t.Errorf("%s:%q opened: got %v", source, name, err)
			}
		}
		for _, name := range allowed {
			if _, err := input.Compile(field("X", fmt.Sprintf(`%s:%q`, source, name)), input.Config{Kind: kind}); err != nil {
				t.Errorf("%s:%q: got %v", source, name, err)
			}
		}
	}
	for _, goName := range []string{"Role", "UserID", "TenantId", "IsAdmin", "Owner_ID"} {
		if _, err := input.Compile(field(goName, `json:"x"`), input.Config{Kind: input.JSON}); err == nil {
			t.Errorf("Go name %s: got no mistake", goName)
		}
	}
	for _, header := range []string{"X-User-Id", "X-Tenant-ID", "x-role", "X-Is-Admin"} {
		if _, err := input.Compile(field("X", fmt.Sprintf(`header:%q`, header)), input.Config{Kind: input.Query}); err == nil {
			t.Errorf("header %s: got no mistake", header)
		}
	}
	if _, err := input.Compile(field("UserID", `path:"userID"`), input.Config{Kind: input.Query}); err != nil {
		t.Errorf("a path field: got %v", err)
	}
}

type ownedNested struct {
	Items []struct {
		Name string `json:"name"`
		Role string `json:"role"`
	} `json:"items"`
	Map map[string]struct {
		Tenant string `json:"tenant_id"`
	} `json:"map" validate:"max=3"`
	Opt input.Optional[struct {
		Admin bool `json:"isAdmin"`
	}] `json:"opt"`
	ownedBase
}

type ownedBase struct {
	OwnerID string `json:"owner_id"`
}

func TestServerOwnedNestedFields(t *testing.T) {
	t.Parallel()
	_, err := input.Compile(reflect.TypeFor[ownedNested](), input.Config{Kind: input.JSON})
	if err == nil {
		t.Fatal("got no mistake")
	}
	for _, want := range []string{"field Items[].Role:", "field Map[].Tenant:", "field Opt.Admin:", "field ownedBase.OwnerID:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing %s in %v", want, err)
		}
	}
}

// TestCompileAcceptsWhatServicesWrite has types that must not be refused.
func TestCompileAcceptsWhatServicesWrite(t *testing.T) {
	t.Parallel()
	type address struct {
		Street string `json:"street" validate:"required"`
		Zip    string `json:"zip" validate:"required,postcode_iso3166_alpha2_field=Land"`
		Land   string `json:"land" validate:"iso3166_1_alpha2"`
	}
	type signUp struct {
		Email    string             `json:"email" validate:"required,email,max=254"`
		Password string             `json:"password" validate:"required,min=12,max=200,nefield=Email"`
		Confirm  string             `json:"confirm" validate:"eqfield=Password"`
		Plan     string             `json:"plan" validate:"oneof=free 'pro plus'"`
		VAT      *string            `json:"vat" validate:"required_if=Plan 'pro plus',omitempty,alphanum"`
		Site     string             `json:"site" validate:"omitempty,web_url|fqdn"`
		Home     address            `json:"home" validate:"required"`
		Work     *address           `json:"work" validate:"omitnil"`
		Others   []address          `json:"others" validate:"max=3,dive"`
		Named    map[string]address `json:"named" validate:"max=3,dive,keys,alpha,endkeys,required"`
		Born     time.Time          `json:"born" validate:"lt"`
		Wait     time.Duration      `json:"wait" validate:"min=1s,max=1h"`
		Until    time.Time          `json:"until" validate:"omitempty,gtfield=Born"`
		Color    string             `json:"color" validate:"omitempty,iscolor"`
		Big      *big.Int           `json:"big"`
		Comma    string             `json:"comma" validate:"excludesall=0x2C0x7C"`
		Skipped  string             `json:"skipped" validate:"-"`
		Ref      string             `query:"ref" validate:"omitempty,alphanum,len=8"`
	}
	compile[signUp](t, input.Config{Kind: input.JSON})
}

type customRules struct {
	Name string `json:"name" validate:"shout"`
}

func TestServiceValidator(t *testing.T) {
	t.Parallel()
	v := validator.New()
	if err := v.RegisterValidation("shout", func(fl validator.FieldLevel) bool {
		return fl.Field().String() == strings.ToUpper(fl.Field().String())
	}); err != nil {
		t.Fatal(err)
	}
	v.RegisterTagNameFunc(func(sf reflect.StructField) string { return "renamed-" + sf.Name })
	p := compile[customRules](t, input.Config{Kind: input.JSON, Validate: v})
	if _, fail := decode[customRules](t, p, jsonRequest(`{"name":"x"}`)); verdict(fail) != "400 invalid_body: /name=shout" || fail.Violations[0].Message != "is invalid" {
		t.Errorf("got %s", verdict(fail))
	}
	if _, fail := decode[customRules](t, p, jsonRequest(`{"name":"X"}`)); fail != nil {
		t.Errorf("got %s, want ok", verdict(fail))
	}

	type blank struct {
		Name string `json:"name" validate:"notblank"`
	}
	if _, err := input.Compile(reflect.TypeFor[blank](), input.Config{Kind: input.JSON, Validate: validator.New()}); err == nil || !strings.Contains(err.Error(), "call RegisterRules") {
		t.Errorf("a rule that is not registered: got %v", err)
	}
	w := validator.New()
	if err := input.RegisterRules(w); err != nil {
		t.Fatal(err)
	}
	compile[blank](t, input.Config{Kind: input.JSON, Validate: w})
	if err := input.RegisterRules(nil); err == nil {
		t.Error("RegisterRules(nil): got no error")
	}

	x := validator.New()
	x.RegisterStructValidation(func(sl validator.StructLevel) { panic("struct level") }, blank{})
	if err := input.RegisterRules(x); err != nil {
		t.Fatal(err)
	}
	if _, err := input.Compile(reflect.TypeFor[blank](), input.Config{Kind: input.JSON, Validate: x}); err == nil || !strings.Contains(err.Error(), "validation of a sample fails") {
		t.Errorf("a struct validation that panics: got %v", err)
	}
}

// TestStructLevelRules covers what a service registers for a whole type.
func TestStructLevelRules(t *testing.T) {
	t.Parallel()
	type span struct {
		From int `json:"from"`
		To   int `json:"to"`
	}
	v := validator.New()
	v.RegisterStructValidation(func(sl validator.StructLevel) {
		s := sl.Current().Interface().(span)
		if s.To < s.From {
			sl.ReportError(s.To, "To", "To", "after_from", "")
			sl.ReportError(s.To, "elsewhere", "Elsewhere", "Weird Tag", "")
		}
	}, span{})
	p := compile[span](t, input.Config{Kind: input.JSON, Validate: v})
	if _, fail := decode[span](t, p, jsonRequest(`{"from":2,"to":1}`)); verdict(fail) != "400 invalid_body: =invalid, /to=after_from" {
		t.Errorf("got %s", verdict(fail))
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	type item struct {
		SKU   string `json:"sku" validate:"required"`
		Below []item `json:"below" validate:"dive"`
	}
	type order struct {
		base
		Items []item                 `json:"items" validate:"required,max=5,dive"`
		Note  input.Optional[string] `json:"note" normalize:"trim"`
		Role  string                 `json:"role" guard:"client"`
		Limit int                    `query:"limit" default:"20" validate:"max=50"`
		ID    string                 `path:"orderID"`
		Match string                 `header:"if-match"`
	}
	p := compile[order](t, input.Config{Kind: input.JSON})
	var got []string
	var list func([]input.FieldInfo)
	list = func(fields []input.FieldInfo) {
		for _, f := range fields {
			got = append(got, fmt.Sprintf("%s %s %s %v|%s|%s|%s|%v,%v,%v,%v,%v,%d", f.Pointer, f.Name, f.GoName, f.Type, f.Rules, f.Normalize, f.Default,
				f.HasDefault, f.Client, f.Required, f.Nullable, f.Repeated, f.MaxItems))
			list(f.Fields)
		}
	}
	list(p.Fields())
	want := []string{
		"/shared shared base.Shared string||||false,false,false,false,false,0",
		"/items items Items []input_test.item|required,max=5,dive|||false,false,true,false,true,5",
		"/items/*/sku sku SKU string|required|||false,false,true,false,false,0",
		"/items/*/below below Below []input_test.item|dive|||false,false,false,false,true,1000",
		"/note note Note input.Optional[string]||trim||false,false,false,true,false,0",
		"/role role Role string||||false,true,false,false,false,0",
		"query/limit limit Limit int|max=50||20|true,false,false,false,false,0",
		"path/orderID orderID ID string||||false,false,true,false,false,0",
		"header/If-Match If-Match Match string||||false,false,false,false,false,0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := p.PathNames(); !slices.Equal(got, []string{"orderID"}) {
		t.Errorf("PathNames: got %v", got)
	}
	if p.MaxBody() != input.DefaultJSONBody || !slices.Equal(p.MediaTypes(), []string{"application/json"}) {
		t.Errorf("got %d, %v", p.MaxBody(), p.MediaTypes())
	}
	q := compile[uploadForm](t, input.Config{Kind: input.Form})
	if want := int64(200<<10 + 1<<10 + 2<<10 + input.DefaultFormBody); q.MaxBody() != want || !slices.Equal(q.MediaTypes(), []string{"multipart/form-data"}) {
		t.Errorf("form: got %d, %v, want %d", q.MaxBody(), q.MediaTypes(), want)
	}
	if f := q.Fields()[1]; f.FileMax != 200<<10 || !f.Required || strings.Join(f.FileTypes, " ") != "image/png image/jpeg" {
		t.Errorf("file field: got %+v", f)
	}
}

func TestDecodeIntoTheWrongType(t *testing.T) {
	t.Parallel()
	p := compile[named](t, input.Config{Kind: input.JSON})
	for _, dst := range []any{nil, named{}, (*named)(nil), new(int), new(formNamed)} {
		if _, fail := p.Decode(context.Background(), nil, jsonRequest(`{}`), dst); verdict(fail) != "500 internal_error" || fail.Cause == nil {
			t.Errorf("%T: got %s", dst, verdict(fail))
		}
	}
}
