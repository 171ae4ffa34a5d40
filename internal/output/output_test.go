package output_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/routeguard/guard/internal/output"
)

type role string

type part struct {
	Text  string     `json:"text,omitempty"`
	When  *time.Time `json:"when,omitempty"`
	Score float64    `json:"score,omitzero"`
}

// plain has everything that a plan knows.
type plain struct {
	ID       uuid.UUID `json:"id"`
	Name     string    `json:"na-me_2"`
	Role     role
	Äther    string
	Ok       bool    `json:"ok"`
	I8       int8    `json:"i8"`
	Int      int64   `json:",omitzero"`
	U8       uint8   `json:"u8"`
	Uint     uint64  `json:"uint,omitempty"`
	F64      float64 `json:"f64"`
	Created  time.Time
	Ended    time.Time  `json:"ended,omitzero"`
	Pointer  *string    `json:"pointer"`
	Maybe    *string    `json:"maybe,omitempty"`
	Twice    **int      `json:"twice,omitempty"`
	Owner    *uuid.UUID `json:"owner,omitzero"`
	Tags     []string   `json:"tags"`
	Scores   []float64  `json:"scores,omitempty"`
	Part     part       `json:"part"`
	Empty    part       `json:"empty,omitempty"`
	Zero     part       `json:"zero,omitzero"`
	Parts    []part     `json:"parts"`
	Pointers []*part    `json:"pointers,omitzero"`
	Lists    [][]bool   `json:"lists"`
	Secret   string     `json:"-"`
	hidden   int
}

// check holds a plan's result to the library's, which it is to be byte for byte.
func check[T any](t *testing.T, value *T) {
	t.Helper()
	plan := output.For(reflect.TypeFor[T]())
	if plan == nil {
		t.Fatalf("got no plan for %T", value)
	}
	want, wantErr := jsonv2.Marshal(value, jsontext.AllowInvalidUTF8(true))
	got, ok := plan.Append([]byte("before"), value)
	if ok != (wantErr == nil) || string(got) != "before"+string(want) && ok || string(got) != "before" && !ok {
		t.Errorf("got %v %s, want %s %v", ok, got, want, wantErr)
	}
}

func TestAPlanWritesAsTheLibraryDoes(t *testing.T) {
	t.Parallel()
	check(t, &plain{})
	text, empty, n := "text", "", 3
	pn := &n
	now := time.Date(2026, 11, 23, 12, 30, 0, 120, time.FixedZone("", 5400))
	id := uuid.MustParse("0198f000-0000-7000-8000-00000000a11c")
	check(t, &plain{ID: id, Name: "a \"name\"\n\u2028<&>", Role: "admin", Äther: "ä\xff", Ok: true, I8: -128, Int: math.MinInt64, U8: 255,
		Uint: math.MaxUint64, F64: 1e21, Created: now, Ended: now.UTC(), Pointer: &text, Maybe: &empty, Twice: &pn, Owner: &id,
		Tags: []string{"", "a"}, Scores: []float64{math.Copysign(0, -1), 1e-7, 0.5}, Part: part{When: &now}, Empty: part{Text: "t"}, Zero: part{Score: 1},
		Parts: []part{{}, {Text: "x", Score: -2}}, Pointers: []*part{nil, {}}, Lists: [][]bool{nil, {true, false}}, Secret: "s", hidden: 1})
	check(t, &plain{Tags: []string{}, Parts: []part{}, Pointers: []*part{}, Scores: []float64{}})
	check(t, &text)
	check(t, &now)
	check(t, &id)
	check(t, &[]plain{{}, {}})
	list := []int(nil)
	check(t, &list)
}

func TestWhatHasNoFormIsNotWritten(t *testing.T) {
	t.Parallel()
	type one struct {
		Before string
		T      time.Time
		F      float64
	}
	for _, v := range []one{
		{F: math.NaN()}, {F: math.Inf(-1)},
		{T: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, {T: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)},
		{T: time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 24*3600))},
		{T: time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", -30*3600))},
	} {
		check(t, &v)
	}
}

type (
	ownJSON  struct{ A int }
	ownV2    struct{ A int }
	ownText  struct{ A int }
	ownBytes struct{ A int }
	ownZero  struct{ A int }
	tree     struct {
		Name string
		Left *tree
	}
	mutual struct{ Others []mutual }

	// Embedded is exported: only so are its fields those of the struct around it.
	Embedded struct{ A int }
)

func (ownJSON) MarshalJSON() ([]byte, error)           { return []byte("1"), nil }
func (*ownV2) MarshalJSONTo(e *jsontext.Encoder) error { return e.WriteToken(jsontext.Int(1)) }
func (*ownText) MarshalText() ([]byte, error)          { return []byte("1"), nil }
func (ownBytes) AppendText(b []byte) ([]byte, error)   { return append(b, '1'), nil }
func (ownZero) IsZero() bool                           { return true }
func within[T any]() reflect.Type                      { return reflect.TypeFor[struct{ In T }]() }
func tagged(tag string) reflect.Type                   { return field("A", reflect.TypeFor[string](), tag) }
func field(name string, t reflect.Type, tag string) reflect.Type {
	return reflect.StructOf([]reflect.StructField{{Name: name, Type: t, Tag: reflect.StructTag(`json:"` + tag + `"`)}})
}

func TestWhatIsNotPlainIsForTheLibrary(t *testing.T) {
	t.Parallel()
	for name, typ := range map[string]reflect.Type{
		"an interface":                reflect.TypeFor[any](),
		"an interface in a struct":    within[any](),
		"a map":                       reflect.TypeFor[map[string]string](),
		"an array":                    within[[2]int](),
		"bytes":                       within[[]byte](),
		"raw JSON":                    within[json.RawMessage](),
		"a channel":                   within[chan int](),
		"a float32":                   within[float32](),
		"a complex number":            within[complex64](),
		"a uintptr":                   within[uintptr](),
		"a duration":                  within[time.Duration](),
		"an address":                  within[netip.Addr](),
		"a type with MarshalJSON":     within[ownJSON](),
		"a type with MarshalJSONTo":   within[ownV2](),
		"a type with MarshalText":     within[*ownText](),
		"a type with AppendText":      within[[]ownBytes](),
		"a type that contains itself": reflect.TypeFor[tree](),
		"a type that lists itself":    reflect.TypeFor[mutual](),
		"a struct without fields":     reflect.TypeFor[struct{}](),
		"a struct with hidden fields": reflect.TypeFor[sync.Mutex](),
		"an embedded struct":          reflect.TypeFor[struct{ Embedded }](),
		"a named embedded struct": reflect.TypeFor[struct {
			Embedded `json:"named"`
		}](),
		"two fields of one name": reflect.TypeFor[struct {
			A string
			B string `json:"A"`
		}](),
		"a tag on a hidden field": reflect.StructOf([]reflect.StructField{{Name: "A", Type: reflect.TypeFor[string]()},
			{Name: "b", PkgPath: "example", Type: reflect.TypeFor[string](), Tag: `json:"b"`}}),
		"omitzero with IsZero": field("A", reflect.TypeFor[ownZero](), "a,omitzero"),
		"a quoted name":        tagged("'a'"),
		"a name with a space":  tagged("a b"),
		"a number as a text":   field("A", reflect.TypeFor[int](), "a,string"),
		"a format":             tagged("a,format:x"),
		"an unknown option":    tagged("a,option"),
		"a mistyped option":    tagged("a,omitEmpty"),
		"two options":          tagged("a,omitempty,omitzero"),
		"an option twice":      tagged("a,omitempty,omitempty"),
		"a comma at the end":   tagged("a,"),
		"a dash as a name":     tagged("-,"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if output.For(typ) != nil {
				t.Errorf("got a plan for %v", typ)
			}
		})
	}
}

func TestAPlanIsForItsTypeAlone(t *testing.T) {
	t.Parallel()
	plan := output.For(reflect.TypeFor[part]())
	for name, value := range map[string]any{"nothing": nil, "a nil pointer": (*part)(nil), "a value": part{}, "another type": new(plain), "a pointer to a pointer": new(*part)} {
		if got, ok := plan.Append(nil, value); ok || got != nil {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if got, ok := (*output.Plan)(nil).Append(nil, &part{}); ok || got != nil {
		t.Errorf("a nil plan: got %s", got)
	}
}

// FuzzPlan: whatever the values, a plan writes what the library writes, or neither writes anything.
func FuzzPlan(f *testing.F) {
	f.Add("name", uint64(1), 1.5, int64(0), int32(0), []byte("\xff\x00"))
	f.Add("\u2028</script>\x7f\"\\", uint64(math.MaxUint64), math.NaN(), int64(253402300800), int32(86400), []byte{})
	f.Fuzz(func(t *testing.T, text string, n uint64, fl float64, seconds int64, zone int32, raw []byte) {
		r := rand.New(rand.NewPCG(n, uint64(seconds)))
		when := time.Unix(seconds, r.Int64N(1e9)).In(time.FixedZone("", int(zone)))
		id := uuid.UUID(append(raw, make([]byte, 16)...)[:16])
		p := part{Text: string(raw), When: &when, Score: fl}
		v := &plain{ID: id, Name: text, Role: role(raw), Ok: n%2 == 0, I8: int8(n), Int: int64(n), U8: uint8(n), Uint: n, F64: fl,
			Created: when, Pointer: &text, Tags: strings.Split(text, " "), Part: p}
		if fl != fl || n%3 == 0 {
			v.F64, v.Part.Score = float64(n), 1
		}
		if n%5 == 0 {
			v.Maybe, v.Owner, v.Parts, v.Pointers, v.Ended = &text, &id, []part{p, {}}, []*part{&p}, when
		}
		check(t, v)
	})
}

type result struct {
	Project struct {
		ID         uuid.UUID `json:"id"`
		Name       string    `json:"name"`
		Summary    string    `json:"summary"`
		Visibility string    `json:"visibility"`
		CreatedAt  time.Time `json:"createdAt"`
	} `json:"project"`
}

func BenchmarkAppend(b *testing.B) {
	var v result
	v.Project.Name, v.Project.Summary, v.Project.Visibility = "Footbridge over the canal", "Where to build it, and what of.", "team"
	v.Project.CreatedAt = time.Unix(1763900000, 123456000).UTC()
	room := make([]byte, 0, 512)
	b.Run("plan", func(b *testing.B) {
		plan := output.For(reflect.TypeFor[result]())
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := plan.Append(room, &v); !ok {
				b.Fatal("it is not plain")
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		enc := jsontext.AllowInvalidUTF8(true)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jsonv2.Marshal(&v, enc); err != nil {
				b.Fatal(err)
			}
		}
	})
}
