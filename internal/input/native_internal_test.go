package input

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"
)

// nativeDoc has every kind of field and rule that natives judge themselves.
type nativeDoc struct {
	Name     string                `json:"name"     validate:"required,min=3,max=8"`
	Nick     string                `json:"nick"     validate:"omitempty,gt=2,lt=6"`
	Kind     string                `json:"kind"     validate:"oneof=private team 'all of us'"`
	Code     string                `json:"code"     validate:"omitempty,len=4,single_line"`
	Mail     string                `json:"mail"     validate:"omitempty,email,max=20"`
	Title    *string               `json:"title"    validate:"omitnil,min=3,max=0x8"`
	Alias    *string               `json:"alias"    validate:"required,notblank"`
	Either   *string               `json:"either"   validate:"omitempty,oneof=a b"`
	Count    int                   `json:"count"    validate:"gte=0,lte=10"`
	Level    *int8                 `json:"level"    validate:"omitnil,gt=-3,lt=3"`
	Sure     bool                  `json:"sure"     validate:"required"`
	Sized    float64               `json:"sized"    validate:"required"`
	Tags     []string              `json:"tags"     validate:"max=3,dive,required,max=4"`
	Some     []int                 `json:"some"     validate:"omitempty,min=1,dive,min=2"`
	Must     []string              `json:"must"     validate:"required"`
	Free     []*string             `json:"free"`
	Query    string                `query:"q"       validate:"omitempty,min=2"`
	Many     []string              `query:"m"       validate:"max=2,dive,min=2"`
	Untagged *uint                 `json:"untagged"`
	Both     *string               `json:"both"     validate:"omitnil,required,max=4"`
	BothInt  *int                  `json:"bothInt"  validate:"required,required,max=4"`
	OptMin   Optional[string]      `json:"optMin"  validate:"min=3"`
	OptOmit  Optional[string]      `json:"optOmit" validate:"omitempty,required,max=4"`
	OptReq   Optional[int]         `json:"optReq"  validate:"required,max=4"`
	OptTwo   Optional[string]      `json:"optTwo" validate:"required,required,min=1,max=4"`
	OptFree  Optional[[]string]    `json:"optFree"`
	OptIn    Optional[nativeInner] `json:"optIn"   validate:"required"`
	OptInF   Optional[nativeInner] `json:"optInF"`
	OptQ     Optional[string]      `query:"o"      validate:"omitnil,min=2"`
	nativeBase
	NativePage

	In     nativeInner    `json:"in"`
	InP    *nativeInner   `json:"inP"   validate:"omitnil"`
	InReq  *nativeInner   `json:"inReq" validate:"required"`
	InFree *nativeInner   `json:"inFree"`
	Ins    []nativeInner  `json:"ins"   validate:"omitempty,min=1,max=2,dive"`
	InPs   []*nativeInner `json:"inPs"  validate:"dive"`
	Off    nativeInner    `json:"off"   validate:"-"`
	Plain  []nativePlain  `json:"plain" validate:"max=1"`
}

// nativeInner is a struct within nativeDoc, and within itself.
type nativeInner struct {
	A    string        `json:"a" validate:"required,max=2"`
	B    *int          `json:"b" validate:"omitnil,min=2"`
	Next *nativeInner  `json:"next"`
	List []nativeInner `json:"list" validate:"max=1,dive"`
	nativeDeep
}

type nativeDeep struct {
	D string `json:"d" validate:"omitempty,len=1"`
}

type nativePlain struct {
	P string `json:"p"`
}

// nativeBase and what it embeds have fields that nativeDoc flattens. validator looks at unexported embedded structs, too.
type nativeBase struct {
	Color string `json:"color" validate:"omitempty,min=3"`
	NativeNote
}

type NativeNote struct {
	Note  *string  `json:"note"  validate:"omitnil,min=3,max=8"`
	Words []string `json:"words" validate:"max=2,dive,min=2"`
}

type NativePage struct {
	Page int `query:"page" validate:"lte=10"`
}

// TestNativesAgreeWithValidator: the same tags, judged by validator and by the compiled rules, give the same failure, word for word.
func TestNativesAgreeWithValidator(t *testing.T) {
	t.Parallel()
	native, err := Compile(reflect.TypeFor[nativeDoc](), Config{Kind: JSON})
	if err != nil {
		t.Fatal(err)
	}
	if native.natives == nil {
		t.Fatal("validator judges nativeDoc")
	}
	byValidator := *native
	byValidator.natives = nil

	texts := []string{`""`, `"a"`, `"ab"`, `"abc"`, `"äöü"`, `"abcd"`, `"abcdefgh"`, `"abcdefghi"`, `"team"`, `"all of us"`, `" "`, `"a\nbc"`, `"a@b.example"`, `"aaaaaaaaa@bbbbbbbbbbbb.example"`, `null`, ``, `7`}
	ints := []string{`0`, `-3`, `-2`, `2`, `3`, `10`, `11`, `null`, ``}
	lists := []string{`[]`, `["a"]`, `[""]`, `["abcd","abcde"]`, `["a","b","c"]`, `["a","b","c","d"]`, `null`, ``}
	inners := []string{`{"a":"x"}`, `{}`, `{"a":"xyz","b":1}`, `{"a":"x","b":2,"d":"dd"}`, `{"a":"x","next":{"b":1,"next":{"a":"xyz"}}}`,
		`{"a":"x","list":[{"a":"xyz","list":[{}]}]}`, `{"a":"x","list":[{},{}]}`, `null`, ``, `7`}
	innerLists := []string{`[]`, `[{"a":"x"}]`, `[{},{"a":"xyz"}]`, `[{"a":"x"},{"a":"x","b":0,"list":[{}]}]`, `[{},{},{}]`, `[null]`, ``}
	values := map[string][]string{
		"name": texts, "nick": texts, "kind": texts, "code": texts, "mail": texts, "title": texts, "alias": texts, "either": texts,
		"count": ints, "level": ints, "sure": {`true`, `false`, ``}, "sized": {`0`, `0.5`, ``}, "tags": lists, "must": lists,
		"in": inners, "inP": inners, "inReq": inners, "inFree": inners, "off": inners, "ins": innerLists, "inPs": innerLists,
		"plain": {`[]`, `[{}]`, `[{"p":"x"},{}]`},
		"color": texts, "note": texts, "words": lists,
		"some": {`[]`, `[1]`, `[2,3]`, `[2,1]`, ``}, "free": {`["a"]`, ``}, "untagged": {`1`, ``}, "both": texts, "optMin": texts, "optOmit": texts, "optReq": ints, "optTwo": texts,
		"optFree": lists, "optIn": inners, "optInF": inners, "bothInt": ints,
	}
	names := []string{"name", "nick", "kind", "code", "mail", "title", "alias", "either", "count", "level", "sure", "sized", "tags", "must", "some", "free", "untagged", "color", "note", "words", "both", "bothInt", "optMin", "optOmit", "optReq", "optTwo", "optFree", "optIn", "optInF",
		"in", "inP", "inReq", "inFree", "off", "ins", "inPs", "plain"}
	good := map[string]string{"name": `"abc"`, "kind": `"team"`, "alias": `"x"`, "sure": `true`, "sized": `1`, "must": `[]`, "bothInt": `1`, "optReq": `0`, "optTwo": `"a"`, "optIn": `{"a":"x"}`, "in": `{"a":"x"}`, "inReq": `{"a":"x"}`}
	queries := []string{"", "", "?q=a", "?q=ab", "?m=a", "?m=ab&m=b", "?m=ab&m=cd&m=ef", "?page=10", "?page=11&m=a", "?o=a", "?o=ab"}
	random := rand.New(rand.NewPCG(1, 2))
	accepted, refused := 0, 0
	for range 4000 {
		members := maps.Clone(good)
		for range random.IntN(4) {
			name := names[random.IntN(len(names))]
			members[name] = values[name][random.IntN(len(values[name]))]
		}
		var text []string
		for name, value := range members {
			if value != "" {
				text = append(text, fmt.Sprintf("%q:%s", name, value))
			}
		}
		body, query := "{"+strings.Join(text, ",")+"}", queries[random.IntN(len(queries))]
		want, wantDoc := decodeWith(t, &byValidator, query, body)
		got, gotDoc := decodeWith(t, native, query, body)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotDoc, wantDoc) {
			t.Fatalf("%s %s:\ngot  %+v\nwant %+v", query, body, got, want)
		}
		if got == nil {
			accepted++
		} else {
			refused++
		}
	}
	if accepted < 500 || refused < 500 {
		t.Errorf("got %d documents accepted and %d refused, want many of both", accepted, refused)
	}
}

func decodeWith(t *testing.T, p *Plan, query, body string) (*Failure, nativeDoc) {
	t.Helper()
	r := httptest.NewRequest("POST", "/"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	var doc nativeDoc
	_, fail := p.Decode(context.Background(), httptest.NewRecorder(), r, &doc)
	if fail != nil {
		fail.plan, fail.scratch = nil, nil // where it is kept is no part of it
	}
	return fail, doc
}

// TestLength: a length stands to its limit as the number of characters does.
func TestLength(t *testing.T) {
	t.Parallel()
	for _, letter := range []string{"a", "ä", "€", "😀", "\xff"} {
		for n := range 20 {
			s := strings.Repeat(letter, n)
			for limit := int64(-1); limit < 100; limit++ {
				if got, want := cmp.Compare(length(s, limit), limit), cmp.Compare(int64(n), limit); got != want {
					t.Errorf("%d of %q, limit %d: got %d, want %d", n, letter, limit, got, want)
				}
			}
		}
	}
}

// TestNativesLeaveTheRestToValidator: what is not understood completely is not judged natively in part.
func TestNativesLeaveTheRestToValidator(t *testing.T) {
	t.Parallel()
	type inner struct {
		A string `json:"a" validate:"required"`
	}
	type twins struct {
		A string `json:"a"`
		B string `json:"b" validate:"eqfield=A"`
	}
	tests := []struct {
		name string
		typ  reflect.Type
	}{
		{name: "a nested struct with a rule", typ: reflect.TypeFor[struct {
			In inner `json:"in" validate:"required"`
		}]()},
		{name: "a nested struct with a rule about another field", typ: reflect.TypeFor[struct {
			In twins `json:"in"`
		}]()},
		{name: "a nested struct that stands for another value", typ: reflect.TypeFor[struct {
			In *standIn `json:"in"`
		}]()},
		{name: "a slice of structs with a rule", typ: reflect.TypeFor[struct {
			In []inner `json:"in" validate:"dive,required"`
		}]()},
		{name: "a slice of structs that may be empty", typ: reflect.TypeFor[struct {
			In []inner `json:"in" validate:"dive,omitempty"`
		}]()},
		{name: "a slice of slices of structs", typ: reflect.TypeFor[struct {
			In [][]inner `json:"in" validate:"dive,dive"`
		}]()},
		{name: "a pointer to a slice of structs", typ: reflect.TypeFor[struct {
			In *[]inner `json:"in" validate:"omitnil,dive"`
		}]()},
		{name: "a map of structs", typ: reflect.TypeFor[struct {
			In map[string]inner `json:"in" validate:"max=2,dive"`
		}]()},
		{name: "an embedded struct with a rule", typ: reflect.TypeFor[struct {
			inner `validate:"required"`
		}]()},
		{name: "an embedded struct whose rules are switched off", typ: reflect.TypeFor[struct {
			inner `validate:"-"`
		}]()},
		{name: "an embedded struct that stands for another value", typ: reflect.TypeFor[struct{ standIn }]()},
		{name: "a rule about another field in an embedded struct", typ: reflect.TypeFor[struct{ twins }]()},
		{name: "a rule about another field", typ: reflect.TypeFor[struct {
			A string `json:"a"`
			B string `json:"b" validate:"eqfield=A"`
		}]()},
		{name: "alternatives", typ: reflect.TypeFor[struct {
			A string `json:"a" validate:"email|url"`
		}]()},
		{name: "a map", typ: reflect.TypeFor[struct {
			A map[string]string `json:"a" validate:"max=2"`
		}]()},
		{name: "a pointer whose nil a rule judges", typ: reflect.TypeFor[struct {
			A *string `json:"a" validate:"min=3"`
		}]()},
		{name: "an Optional of a list with rules", typ: reflect.TypeFor[struct {
			A Optional[[]string] `json:"a" validate:"omitempty,min=3"`
		}]()},
		{name: "an Optional that must be there, by a later rule", typ: reflect.TypeFor[struct {
			A Optional[string] `json:"a" validate:"max=4,required"`
		}]()},
		{name: "an Optional that a rule about another field judges", typ: reflect.TypeFor[struct {
			A Optional[string] `json:"a" validate:"required_with=B"`
			B string           `json:"b"`
		}]()},
		{name: "a list of Optionals", typ: reflect.TypeFor[struct {
			A []Optional[inner] `json:"a" validate:"dive"`
		}]()},
	}
	for _, tt := range tests {
		p, err := Compile(tt.typ, Config{Kind: JSON})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if p.natives != nil {
			t.Errorf("%s: it is judged natively", tt.name)
		}
	}
	p, err := Compile(reflect.TypeFor[nativeDoc](), Config{Kind: JSON, Validate: ownValidator(t)})
	if err != nil || p.natives != nil {
		t.Errorf("a service's own validator: it is not asked (%v)", err)
	}
}

// standIn is a type in whose place validator judges another value.
type standIn struct {
	A string `json:"a" validate:"required"`
}

func (standIn) ValidatorValue() any { return 0 }

func ownValidator(t *testing.T) *validator.Validate {
	t.Helper()
	v := validator.New(validator.WithRequiredStructEnabled())
	if err := RegisterRules(v); err != nil {
		t.Fatal(err)
	}
	return v
}
