package input_test

import (
	stdjson "encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard/internal/input"
)

// level is a type that reads text of its own.
type textLevel int

func (l *textLevel) UnmarshalText(b []byte) error {
	if string(b) != "high" {
		return errors.New("no such level: " + string(b))
	}
	*l = 3
	return nil
}

// point is a type that reads JSON of its own.
type point struct{ x, y int }

func (p *point) UnmarshalJSON(b []byte) error {
	var pair [2]int
	if err := stdjson.Unmarshal(b, &pair); err != nil {
		return err
	}
	p.x, p.y = pair[0], pair[1]
	return nil
}

type inner struct {
	A string  `json:"a"`
	B *int    `json:"b"`
	C []inner `json:"c"`
}

type base struct {
	Shared string `json:"shared"`
}

// document has a field of every kind that JSON takes.
type document struct {
	base
	Name    string                      `json:"name"`
	Int8    int8                        `json:"int8"`
	Int64   int64                       `json:"int64"`
	Uint16  uint16                      `json:"uint16"`
	Uint64  uint64                      `json:"uint64"`
	Float64 float64                     `json:"float64"`
	Float32 float32                     `json:"float32"`
	Bool    bool                        `json:"bool"`
	Time    time.Time                   `json:"time"`
	Wait    time.Duration               `json:"wait"`
	UUID    uuid.UUID                   `json:"uuid"`
	Addr    netip.Addr                  `json:"addr"`
	Prefix  netip.Prefix                `json:"prefix"`
	Bytes   []byte                      `json:"bytes"`
	Key     [4]byte                     `json:"key"`
	Pair    [2]int                      `json:"pair"`
	Tags    []string                    `json:"tags"`
	Few     []int                       `json:"few" validate:"max=2"`
	Ptr     *string                     `json:"ptr"`
	Inner   inner                       `json:"inner"`
	InnerP  *inner                      `json:"innerP"`
	Inners  []inner                     `json:"inners"`
	Map     map[string]int              `json:"map" validate:"max=3"`
	MapIn   map[string]inner            `json:"mapIn" validate:"max=3"`
	Any     any                         `json:"any" guard:"any=8"`
	AnyMap  map[string]any              `json:"anyMap" validate:"max=3" guard:"any=8"`
	Raw     stdjson.RawMessage          `json:"raw" guard:"any=8"`
	Opt     input.Optional[string]      `json:"opt"`
	OptInt  input.Optional[int8]        `json:"optInt"`
	OptIn   input.Optional[inner]       `json:"optIn"`
	OptList input.Optional[[]string]    `json:"optList"`
	Text    textLevel                   `json:"text"`
	Point   point                       `json:"point"`
	Limit   int                         `query:"limit"`
	Header  string                      `header:"X-Trace"`
	Tilde   string                      `json:"a/b~c"`
	PtrList []*string                   `json:"ptrList"`
	PtrMap  map[string]*string          `json:"ptrMap" validate:"max=3"`
	Nested  map[string]map[string][]int `json:"nested" validate:"max=3,dive,max=3"`
}

// TestJSONVerdicts is the strictness of the JSON decoder, one body a row.
func TestJSONVerdicts(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct{ name, body, want string }{
		{name: "an empty object is a document", body: `{}`, want: "ok"},
		{name: "white space around is allowed", body: " \t\r\n{ \"name\" : \"x\" } \n", want: "ok"},
		{name: "an escaped name is the same name", body: `{"\u006eame":"x"}`, want: "ok"},
		{name: "an embedded field is flattened", body: `{"shared":"x"}`, want: "ok"},
		{name: "a name with pointer characters", body: `{"a/b~c":1}`, want: "400 invalid_body: /a~1b~0c=type"},

		{name: "an empty body", body: ``, want: "400 invalid_body: =required"},
		{name: "white space alone", body: " \r\n\t ", want: "400 invalid_body: =required"},
		{name: "top-level null", body: `null`, want: "400 invalid_body: =type"},
		{name: "top-level true", body: `true`, want: "400 invalid_body: =type"},
		{name: "top-level string", body: `"x"`, want: "400 invalid_body: =type"},
		{name: "top-level number", body: `1`, want: "400 invalid_body: =type"},
		{name: "top-level array", body: `[{}]`, want: "400 invalid_body: =type"},
		{name: "a byte order mark", body: "\xef\xbb\xbf{}", want: "400 invalid_body: =encoding"},
		{name: "UTF-16", body: "\xff\xfe{\x00}\x00", want: "400 invalid_body: =encoding"},
		{name: "UTF-16 without a mark", body: "{\x00}\x00", want: "400 invalid_body: =syntax"},

		{name: "a second document", body: `{}{}`, want: "400 invalid_body: =trailing_data"},
		{name: "a trailing scalar", body: `{} 1`, want: "400 invalid_body: =trailing_data"},
		{name: "trailing garbage", body: `{}x`, want: "400 invalid_body: =trailing_data"},
		{name: "a trailing comma after the document", body: `{},`, want: "400 invalid_body: =trailing_data"},
		{name: "a trailing NUL", body: "{}\x00", want: "400 invalid_body: =trailing_data"},
		{name: "a trailing brace", body: `{}}`, want: "400 invalid_body: =trailing_data"},
		{name: "a trailing comment", body: `{}//x`, want: "400 invalid_body: =trailing_data"},

		{name: "an unknown member", body: `{"other":1}`, want: "400 invalid_body: =unknown_field"},
		{name: "an unknown member is skipped whole", body: `{"other":{"a":[1,{"b":null}]},"name":"x"}`, want: "400 invalid_body: =unknown_field"},
		{name: "several unknown members are reported once", body: `{"x":1,"y":2,"z":3}`, want: "400 invalid_body: =unknown_field"},
		{name: "what follows an unknown member is still judged", body: `{"x":1,"name":"a","ptr":1,"tags":["a",2],"uuid":"x","text":"low"}`,
			want: "400 invalid_body: =unknown_field, /uuid=format, /tags/1=type, /ptr=type, /text=format"},
		{name: "a member in upper case", body: `{"NAME":"x"}`, want: "400 invalid_body: =unknown_field"},
		{name: "a member in title case", body: `{"Name":"x"}`, want: "400 invalid_body: =unknown_field"},
		{name: "a member that folds to a known one", body: `{"tagſ":[]}`, want: "400 invalid_body: =unknown_field"},
		{name: "a member with a space", body: `{"name ":"x"}`, want: "400 invalid_body: =unknown_field"},
		{name: "an empty member name", body: `{"":"x"}`, want: "400 invalid_body: =unknown_field"},
		{name: "a query field by its name", body: `{"limit":1}`, want: "400 invalid_body: =unknown_field"},
		{name: "a query field by its Go name", body: `{"Limit":1}`, want: "400 invalid_body: =unknown_field"},
		{name: "a header field by its name", body: `{"X-Trace":"x"}`, want: "400 invalid_body: =unknown_field"},
		{name: "an embedded struct by its Go name", body: `{"base":{"shared":"x"}}`, want: "400 invalid_body: =unknown_field"},
		{name: "an unknown member of a nested struct", body: `{"inner":{"x":1}}`, want: "400 invalid_body: /inner=unknown_field"},
		{name: "an unknown member of a struct in a list", body: `{"inners":[{},{"x":1}]}`, want: "400 invalid_body: /inners/1=unknown_field"},
		{name: "an unknown member behind a map is not located", body: `{"mapIn":{"secret":{"x":1}}}`, want: "400 invalid_body: /mapIn=unknown_field"},
		{name: "__proto__", body: `{"__proto__":{}}`, want: "400 invalid_body: =unknown_field"},

		{name: "a duplicate member", body: `{"name":"a","name":"b"}`, want: "400 invalid_body: /name=duplicate_field"},
		{name: "a duplicate member with the same value", body: `{"name":"a","name":"a"}`, want: "400 invalid_body: /name=duplicate_field"},
		{name: "a duplicate member, one escaped", body: `{"name":"a","n\u0061me":"b"}`, want: "400 invalid_body: /name=duplicate_field"},
		{name: "a duplicate unknown member", body: `{"x":"a","x":"b"}`, want: "400 invalid_body: =duplicate_field, =unknown_field"},
		{name: "a duplicate in a nested struct", body: `{"inner":{"a":"1","a":"2"}}`, want: "400 invalid_body: /inner/a=duplicate_field"},
		{name: "a duplicate in a list", body: `{"inners":[{"a":"1","a":"2"}]}`, want: "400 invalid_body: /inners/0/a=duplicate_field"},
		{name: "a duplicate key of a map is not named", body: `{"map":{"k":1,"k":2}}`, want: "400 invalid_body: /map=duplicate_field"},
		{name: "a duplicate inside any", body: `{"any":{"k":1,"k":2}}`, want: "400 invalid_body: /any=duplicate_field"},
		{name: "a duplicate deep inside any", body: `{"any":[{"k":[{"j":1,"j":1}]}]}`, want: "400 invalid_body: /any=duplicate_field"},
		{name: "a duplicate inside raw", body: `{"raw":{"k":1,"k":2}}`, want: "400 invalid_body: /raw=duplicate_field"},
		{name: "a duplicate inside an unknown member", body: `{"x":{"k":1,"k":2}}`, want: "400 invalid_body: =duplicate_field, =unknown_field"},

		{name: "invalid UTF-8 in a value", body: "{\"name\":\"\xff\"}", want: "400 invalid_body: =encoding"},
		{name: "overlong UTF-8", body: "{\"name\":\"\xc0\xaf\"}", want: "400 invalid_body: =encoding"},
		{name: "a surrogate in UTF-8", body: "{\"name\":\"\xed\xa0\x80\"}", want: "400 invalid_body: =encoding"},
		{name: "invalid UTF-8 in a name", body: "{\"n\xffme\":\"\"}", want: "400 invalid_body: =encoding"},
		{name: "invalid UTF-8 in an unknown member", body: "{\"x\":\"\xff\"}", want: "400 invalid_body: =unknown_field, =encoding"},
		{name: "a lone high surrogate", body: `{"name":"\ud800"}`, want: "400 invalid_body: =syntax"},
		{name: "a lone low surrogate", body: `{"name":"\udc00"}`, want: "400 invalid_body: =syntax"},
		{name: "surrogates the wrong way round", body: `{"name":"\udc00\ud800"}`, want: "400 invalid_body: =syntax"},
		{name: "a high surrogate and a letter", body: `{"name":"\ud800a"}`, want: "400 invalid_body: =syntax"},
		{name: "a surrogate pair is fine", body: `{"name":"\ud83d\ude00"}`, want: "ok"},
		{name: "an escaped NUL is a character", body: `{"name":"\u0000"}`, want: "ok"},
		{name: "a raw control character", body: "{\"name\":\"a\nb\"}", want: "400 invalid_body: =syntax"},
		{name: "an unknown escape", body: `{"name":"\x41"}`, want: "400 invalid_body: =syntax"},

		{name: "null for a string", body: `{"name":null}`, want: "400 invalid_body: /name=null"},
		{name: "null for an int", body: `{"int8":null}`, want: "400 invalid_body: /int8=null"},
		{name: "null for a bool", body: `{"bool":null}`, want: "400 invalid_body: /bool=null"},
		{name: "null for a float", body: `{"float64":null}`, want: "400 invalid_body: /float64=null"},
		{name: "null for a time", body: `{"time":null}`, want: "400 invalid_body: /time=null"},
		{name: "null for a UUID", body: `{"uuid":null}`, want: "400 invalid_body: /uuid=null"},
		{name: "null for a pointer", body: `{"ptr":null}`, want: "400 invalid_body: /ptr=null"},
		{name: "null for a pointer to a struct", body: `{"innerP":null}`, want: "400 invalid_body: /innerP=null"},
		{name: "null for a struct", body: `{"inner":null}`, want: "400 invalid_body: /inner=null"},
		{name: "null for a slice", body: `{"tags":null}`, want: "400 invalid_body: /tags=null"},
		{name: "null for bytes", body: `{"bytes":null}`, want: "400 invalid_body: /bytes=null"},
		{name: "null for a map", body: `{"map":null}`, want: "400 invalid_body: /map=null"},
		{name: "null for a type with UnmarshalText", body: `{"text":null}`, want: "400 invalid_body: /text=null"},
		{name: "null for a type with UnmarshalJSON", body: `{"point":null}`, want: "400 invalid_body: /point=null"},
		{name: "null for an item", body: `{"tags":["a",null]}`, want: "400 invalid_body: /tags/1=null"},
		{name: "null for an item that is a pointer", body: `{"ptrList":[null]}`, want: "400 invalid_body: /ptrList/0=null"},
		{name: "null for an entry", body: `{"map":{"k":null}}`, want: "400 invalid_body: /map=null"},
		{name: "null for an entry that is a pointer", body: `{"ptrMap":{"k":null}}`, want: "400 invalid_body: /ptrMap=null"},
		{name: "null in a nested pointer", body: `{"inner":{"b":null}}`, want: "400 invalid_body: /inner/b=null"},
		{name: "null inside an Optional struct", body: `{"optIn":{"b":null}}`, want: "400 invalid_body: /optIn/b=null"},
		{name: "null inside an Optional list", body: `{"optList":[null]}`, want: "400 invalid_body: /optList/0=null"},
		{name: "null for an Optional", body: `{"opt":null,"optInt":null,"optIn":null,"optList":null}`, want: "ok"},
		{name: "null for any", body: `{"any":null}`, want: "ok"},
		{name: "null for raw", body: `{"raw":null}`, want: "ok"},
		{name: "null inside any", body: `{"any":[null,{"k":null}]}`, want: "ok"},
		{name: "null for an entry that is any", body: `{"anyMap":{"k":null}}`, want: "ok"},
		{name: "misspelled null", body: `{"opt":nul}`, want: "400 invalid_body: =syntax"},

		{name: "32 levels", body: `{"any":` + deep(31) + `}`, want: "400 invalid_body: /any=max"},
		{name: "nesting of a recursive type", body: strings.Repeat(`{"inners":[`, 1) + nest(15) + `]}`, want: "ok"},
		{name: "nesting of a recursive type beyond the bound", body: strings.Repeat(`{"inners":[`, 1) + nest(17) + `]}`,
			want: "400 invalid_body: /inners/0" + strings.Repeat("/c/0", 15) + "=too_deep"},
		{name: "a flood of brackets in an unknown member", body: `{"x":` + deep(9000) + `}`, want: "400 invalid_body: =unknown_field"},
		{name: "an endless flood of brackets", body: `{"x":` + strings.Repeat("[", 20000), want: "400 invalid_body: =unknown_field, =syntax"},
		{name: "a flood of brackets in raw", body: `{"raw":` + deep(32) + `}`, want: "400 invalid_body: /raw=too_deep"},
		{name: "31 levels in raw", body: `{"raw":` + deep(8) + `}`, want: "ok"},
		{name: "a flood in a type of its own", body: `{"point":` + deep(32) + `}`, want: "400 invalid_body: /point=too_deep"},

		{name: "a map at its bound", body: `{"map":{"a":1,"b":2,"c":3}}`, want: "ok"},
		{name: "a map over its bound", body: `{"map":{"a":1,"b":2,"c":3,"d":4}}`, want: "400 invalid_body: /map=max"},
		{name: "a map key at its bound", body: `{"map":{"` + strings.Repeat("k", input.MaxKeyBytes) + `":1}}`, want: "ok"},
		{name: "a map key over its bound", body: `{"map":{"` + strings.Repeat("k", input.MaxKeyBytes+1) + `":1}}`, want: "400 invalid_body: /map=key_length"},
		{name: "a slice at its declared bound", body: `{"few":[1,2]}`, want: "ok"},
		{name: "a slice over its declared bound", body: `{"few":[1,2,3]}`, want: "400 invalid_body: /few=max"},
		{name: "a slice far over its declared bound with rubbish behind", body: `{"few":[1,2,3,"x",{}],"name":1}`, want: "400 invalid_body: /name=type, /few=max"},
		{name: "a slice at the default bound", body: `{"tags":[` + strings.Repeat(`"",`, input.MaxItems-1) + `""]}`, want: "ok"},
		{name: "a slice over the default bound", body: `{"tags":[` + strings.Repeat(`"",`, input.MaxItems) + `""]}`, want: "400 invalid_body: /tags=max"},
		{name: "any at its bound", body: `{"any":[1,2,3,4,5,6,7]}`, want: "ok"},
		{name: "any over its bound", body: `{"any":[1,2,3,4,5,6,7,8]}`, want: "400 invalid_body: /any=max"},
		{name: "a map of any shares one bound", body: `{"anyMap":{"a":[1,2,3],"b":[1,2,3,4]}}`, want: "400 invalid_body: /anyMap=max"},
		{name: "raw at its bound", body: `{"raw":{"a":[1,2],"b":"x:,{","c":true,"d":null,"e":-1.5e3}}`, want: "ok"},
		{name: "raw over its bound", body: `{"raw":[1,2,3,4,5,6,7,8]}`, want: "400 invalid_body: /raw=max"},
		{name: "a long key inside any", body: `{"any":{"` + strings.Repeat("k", 257) + `":1}}`, want: "400 invalid_body: /any=key_length"},

		{name: "an array that is too short", body: `{"pair":[1]}`, want: "400 invalid_body: /pair=len"},
		{name: "an array that is too long", body: `{"pair":[1,2,3]}`, want: "400 invalid_body: /pair=len"},
		{name: "an exact array", body: `{"pair":[1,2]}`, want: "ok"},

		{name: "everything wrong at once, in struct order",
			body: `{"tags":"x","ptr":1,"name":2,"int8":"x","inner":{"b":"x","a":1},"zzz":1}`,
			want: "400 invalid_body: =unknown_field, /name=type, /int8=type, /tags=type, /ptr=type, /inner/a=type, /inner/b=type"},
	}
	p := compile[document](t, input.Config{Kind: input.JSON})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, fail := decode[document](t, p, jsonRequest(tt.body)); verdict(fail) != tt.want {
				t.Errorf("got %s, want %s", verdict(fail), tt.want)
			}
		})
	}
}

// nest writes n structs that contain each other.
func nest(n int) string {
	return strings.Repeat(`{"c":[`, n) + strings.Repeat(`]}`, n)
}

// TestJSONValues tries every kind of field with texts that it takes and texts that it must not take.
func TestJSONValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		field string
		good  []string
		bad   map[string][]string // by code
	}{
		{
			field: "name",
			good:  []string{`""`, `"x"`, `"\"\\\/\b\f\n\r\t\u00e9"`, `"é€😀"`, `"` + strings.Repeat("x", 10000) + `"`},
			bad:   map[string][]string{"type": {`1`, `true`, `false`, `[]`, `["x"]`, `{}`, `1.5`, `-0`}},
		},
		{
			field: "int8",
			good:  []string{`0`, `1`, `-1`, `127`, `-128`},
			bad: map[string][]string{
				"type":  {`"1"`, `""`, `true`, `[]`, `[1]`, `{}`, `1.0`, `1.5`, `1e0`, `1e3`, `1E2`, `-0`, `0.0`, `-0.0`, `1e-1`, `10e-1`},
				"range": {`128`, `-129`, `300`, `99999999999999999999`, `-99999999999999999999999999`},
			},
		},
		{
			field: "int64",
			good:  []string{`9223372036854775807`, `-9223372036854775808`, `9007199254740993`},
			bad: map[string][]string{
				"type":  {`1.0`, `1e3`, `9.223372036854775807e18`},
				"range": {`9223372036854775808`, `-9223372036854775809`},
			},
		},
		{
			field: "uint16",
			good:  []string{`0`, `65535`},
			bad:   map[string][]string{"type": {`-1`, `-0`, `1.0`, `"1"`, `true`}, "range": {`65536`, `99999999999999999999999`}},
		},
		{
			field: "uint64",
			good:  []string{`18446744073709551615`},
			bad:   map[string][]string{"range": {`18446744073709551616`}, "type": {`-1`, `1e1`}},
		},
		{
			field: "float64",
			good: []string{`0`, `-0`, `0.0`, `1`, `0.1`, `1.5`, `1e3`, `1E+2`, `1e-2`, `-1.5e308`, `9007199254740992`, `123e65`, `0e999`,
				`100000000000000000000`, `100000000000000000000000`, `800000000000010000000`, `590295810358705651712`, `590295810358705700000`,
				`0.30000000000000004`, `5e-324`, `0.1234567890123456789012345678901234567890`},
			bad: map[string][]string{
				"type":  {`"1"`, `"NaN"`, `true`, `[]`, `{}`},
				"range": {`1e309`, `-1e309`, `1e400`, `1e-400`, `123e-10000000`, `9007199254740993`, `100000000000000000000001`, `590295810358705651713`, `12345678901234567890`},
			},
		},
		{
			field: "float32",
			good:  []string{`0.1`, `16777216`, `1099511627776`, `1099511600000`, `3.4e38`},
			bad:   map[string][]string{"range": {`16777217`, `1099511627777`, `3.5e38`, `1e-60`}},
		},
		{
			field: "bool",
			good:  []string{`true`, `false`},
			bad:   map[string][]string{"type": {`"true"`, `1`, `0`, `[]`, `{}`, `""`}},
		},
		{
			field: "time",
			good: []string{`"2006-01-02T15:04:05Z"`, `"2006-01-02T15:04:05.123456789Z"`, `"2006-01-02T15:04:05+01:00"`, `"2006-01-02T15:04:05-23:59"`,
				`"2024-02-29T00:00:00Z"`, `"0000-01-01T00:00:00Z"`},
			bad: map[string][]string{
				"type": {`0`, `1136214245`, `{}`, `[]`},
				"format": {`""`, `"2006-01-02"`, `"2006-01-02T15:04:05"`, `"2006-01-02 15:04:05Z"`, `"2006-01-02t15:04:05z"`, `"2006-01-02T15:04:05z"`,
					`"2006-01-02T15:04:05,5Z"`, `"2006-01-02T5:04:05Z"`, `"2006-01-02T15:04:05+24:00"`, `"2006-01-02T15:04:05+10:60"`,
					`"2006-13-02T15:04:05Z"`, `"2006-02-30T15:04:05Z"`, `"2023-02-29T00:00:00Z"`, `"2006-01-02T24:00:00Z"`, `"2006-01-02T15:04:60Z"`,
					`"2006-01-02T15:04:05.Z"`, `"2006-01-02T15:04:05.1234567890Z"`, `"2006-01-02T15:04:05+0100"`, `"2006-01-02T15:04:05+01"`,
					`"+2006-01-02T15:04:05Z"`, `"12006-01-02T15:04:05Z"`, `" 2006-01-02T15:04:05Z"`, `"2006-01-02T15:04:05Z "`, `"2006-01-02T15:04:05ZZ"`,
					`"2006-01-02T15:04:05 01:00"`, `"２006-01-02T15:04:05Z"`},
			},
		},
		{
			field: "wait",
			good:  []string{`"90s"`, `"1h30m"`, `"1h0m0s"`, `"0s"`, `"1.5h"`, `"-2m"`, `"300ms"`, `"5us"`, `"5µs"`, `"1ns"`},
			bad: map[string][]string{
				"type":   {`90`, `1.5`, `{}`, `true`},
				"format": {`""`, `"90"`, `"0"`, `"+5s"`, `".5s"`, `"5.s"`, `"1h-5m"`, `"1h+5m"`, `"--5s"`, `"s"`, `"1d"`, `"1 h"`, `" 1h"`, `"1h "`, `"99999999h"`, `"1H"`, `"` + strings.Repeat("1h", 40) + `"`},
			},
		},
		{
			field: "uuid",
			good:  []string{`"0198f000-0000-7000-8000-00000000a11c"`, `"00000000-0000-0000-0000-000000000000"`},
			bad: map[string][]string{
				"type": {`1`, `[0,1]`, `{}`},
				"format": {`""`, `"0198F000-0000-7000-8000-00000000A11C"`, `"{0198f000-0000-7000-8000-00000000a11c}"`, `"urn:uuid:0198f000-0000-7000-8000-00000000a11c"`,
					`"0198f000000070008000000000000a11c"`, `"x0198f000-0000-7000-8000-00000000a11cy"`, `"0198f000-0000-7000-8000-00000000a11"`,
					`"0198f000-0000-7000-8000-00000000a11g"`, `" 0198f000-0000-7000-8000-00000000a11c"`, `"0198f000_0000-7000-8000-00000000a11c"`},
			},
		},
		{
			field: "addr",
			good:  []string{`"192.0.2.1"`, `"2001:db8::1"`, `"::"`},
			bad: map[string][]string{
				"type": {`1`},
				"format": {`""`, `"192.0.2.01"`, `"192.0.2"`, `"::ffff:192.0.2.1"`, `"2001:DB8::1"`, `"2001:db8:0::1"`, `"fe80::1%eth0"`, `"[::1]"`, `"192.0.2.1:80"`, `" 192.0.2.1"`,
					`"0x7f.1"`, `"2130706433"`},
			},
		},
		{
			field: "prefix",
			good:  []string{`"10.0.0.0/8"`, `"2001:db8::/32"`},
			bad:   map[string][]string{"format": {`"10.0.0.1/8"`, `"10.0.0.0"`, `"10.0.0.0/08"`, `"10.0.0.0/33"`, `"::ffff:10.0.0.0/104"`, `""`}, "type": {`8`}},
		},
		{
			field: "bytes",
			good:  []string{`""`, `"AQID"`, `"AQ=="`, `"+/+/"`},
			bad:   map[string][]string{"format": {`"AQ"`, `"AQ="`, `"AQ==="`, `"AR=="`, `"A-_Q"`, `"AQID\n"`, `"AQ\r\nID"`, `" AQID"`, `"="`}, "type": {`1`, `[1,2]`}},
		},
		{
			field: "key",
			good:  []string{`"AQIDBA=="`},
			bad:   map[string][]string{"len": {`""`, `"AQID"`, `"AQIDBAU="`}, "format": {`"x"`}, "type": {`[1,2,3,4]`}},
		},
		{
			field: "tags",
			good:  []string{`[]`, `["a"]`, `["a","b"]`},
			bad:   map[string][]string{"type": {`{}`, `"a"`, `1`, `true`, `{"0":"a"}`}},
		},
		{
			field: "inner",
			good:  []string{`{}`, `{"a":"x","b":1,"c":[{}]}`},
			bad:   map[string][]string{"type": {`[]`, `"x"`, `1`, `[["a","x"]]`}},
		},
		{
			field: "map",
			good:  []string{`{}`, `{"":1}`, `{"a":1}`},
			bad:   map[string][]string{"type": {`[]`, `"x"`, `1`, `[["a",1]]`, `{"a":"1"}`, `{"a":1.5}`}},
		},
		{
			field: "nested",
			good:  []string{`{"a":{"b":[1,2]}}`},
			bad:   map[string][]string{"type": {`{"a":[]}`, `{"a":{"b":{}}}`}, "max": {`{"a":{"1":[],"2":[],"3":[],"4":[]}}`}},
		},
		{
			field: "any",
			good:  []string{`{}`, `[]`, `""`, `"x"`, `1`, `-0.0`, `true`, `{"a":{"b":[1,"x",null,false]}}`},
			bad:   map[string][]string{"range": {`1e999`, `{"a":9007199254740993}`}},
		},
		{
			field: "raw",
			good:  []string{`{}`, `[]`, `"\"\\"`, `1e999`, `[1, 2 ,3]`, `{"a" : {"b" : [ ] } }`},
		},
		{
			field: "opt",
			good:  []string{`null`, `""`, `"x"`},
			bad:   map[string][]string{"type": {`1`, `[]`, `{}`, `{"value":"x"}`}},
		},
		{
			field: "optInt",
			good:  []string{`null`, `0`, `-128`},
			bad:   map[string][]string{"type": {`"1"`, `1.0`}, "range": {`128`}},
		},
		{
			field: "text",
			good:  []string{`"high"`},
			bad:   map[string][]string{"format": {`""`, `"low"`, `"HIGH"`}, "type": {`3`, `{}`, `[]`}},
		},
		{
			field: "point",
			good:  []string{`[1,2]`},
			bad:   map[string][]string{"format": {`"x"`, `{"x":1}`, `["a"]`, `1`}},
		},
	}
	p := compile[document](t, input.Config{Kind: input.JSON})
	for _, tt := range tests {
		for _, text := range tt.good {
			if _, fail := decode[document](t, p, jsonRequest(`{"`+tt.field+`":`+text+`}`)); fail != nil {
				t.Errorf("%s: %s: got %s, want ok", tt.field, text, verdict(fail))
			}
		}
		for code, texts := range tt.bad {
			for _, text := range texts {
				_, fail := decode[document](t, p, jsonRequest(`{"`+tt.field+`":`+text+`}`))
				if fail == nil || fail.Status != 400 || len(fail.Violations) != 1 || fail.Violations[0].Code != code ||
					!strings.HasPrefix(fail.Violations[0].Pointer, "/"+tt.field) {
					t.Errorf("%s: %s: got %s, want %s", tt.field, text, verdict(fail), code)
				}
			}
		}
	}
}

// TestJSONDecodesWhatWasSent checks the decoded values, not only the verdict.
func TestJSONDecodesWhatWasSent(t *testing.T) {
	t.Parallel()
	p := compile[document](t, input.Config{Kind: input.JSON})
	got, fail := decode[document](t, p, jsonRequest(`{
		"shared":"s", "name":"\u00e9\n", "int8":-5, "uint16":7, "float64":1.5, "bool":true,
		"time":"2006-01-02T15:04:05Z", "wait":"90s", "uuid":"0198f000-0000-7000-8000-00000000a11c",
		"addr":"192.0.2.1", "prefix":"10.0.0.0/8", "bytes":"AQID", "key":"AQIDBA==", "pair":[1,2], "tags":["a","b"], "ptr":"p",
		"inner":{"a":"x","b":3,"c":[{"a":"y"}]}, "innerP":{"a":"z"}, "map":{"k":1}, "mapIn":{"k":{"a":"m"}},
		"any":{"l":[1,"x",true,null]}, "raw":[1, 2], "opt":null, "optInt":5, "text":"high", "point":[3,4], "ptrList":["q"]
	}`))
	if fail != nil {
		t.Fatal(verdict(fail))
	}
	checks := []struct {
		name      string
		got, want any
	}{
		{"shared", got.Shared, "s"},
		{"name", got.Name, "é\n"},
		{"int8", got.Int8, int8(-5)},
		{"uint16", got.Uint16, uint16(7)},
		{"float64", got.Float64, 1.5},
		{"bool", got.Bool, true},
		{"time", got.Time, time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)},
		{"wait", got.Wait, 90 * time.Second},
		{"uuid", got.UUID, uuid.MustParse("0198f000-0000-7000-8000-00000000a11c")},
		{"addr", got.Addr, netip.MustParseAddr("192.0.2.1")},
		{"prefix", got.Prefix, netip.MustParsePrefix("10.0.0.0/8")},
		{"bytes", string(got.Bytes), "\x01\x02\x03"},
		{"key", got.Key, [4]byte{1, 2, 3, 4}},
		{"pair", got.Pair, [2]int{1, 2}},
		{"tags", strings.Join(got.Tags, " "), "a b"},
		{"ptr", *got.Ptr, "p"},
		{"inner", *got.Inner.B, 3},
		{"inner list", got.Inner.C[0].A, "y"},
		{"innerP", got.InnerP.A, "z"},
		{"map", got.Map["k"], 1},
		{"mapIn", got.MapIn["k"].A, "m"},
		{"any", len(got.Any.(map[string]any)["l"].([]any)), 4},
		{"raw", string(got.Raw), "[1, 2]"},
		{"opt is null", got.Opt.IsNull(), true},
		{"optInt", got.OptInt, input.Some(int8(5))},
		{"absent Optional", got.OptIn.IsSet(), false},
		{"text", got.Text, textLevel(3)},
		{"point", got.Point, point{3, 4}},
		{"ptrList", *got.PtrList[0], "q"},
	}
	for _, c := range checks {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}

// TestChecksOfARefusedBody: the checks on texts that come before the rules are made although the body is refused anyway.
func TestChecksOfARefusedBody(t *testing.T) {
	t.Parallel()
	type mail struct {
		Email string `json:"email" validate:"email"`
	}
	p := compile[mail](t, input.Config{Kind: input.JSON})
	_, fail := decode[mail](t, p, jsonRequest(`{"x":1,"email":"`+strings.Repeat("a", 300)+`@b.example"}`))
	if got, want := verdict(fail), "400 invalid_body: =unknown_field, /email=email"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestPointersToTexts: each *string field that was given points to a string of its own, however they were made.
func TestPointersToTexts(t *testing.T) {
	t.Parallel()
	type pair struct {
		A *string `json:"a"`
		B *string `json:"b"`
	}
	type many struct {
		F0    *string `json:"f0"`
		F1    *string `json:"f1"`
		F2    *string `json:"f2"`
		F3    *string `json:"f3"`
		F4    *string `json:"f4"`
		F5    *string `json:"f5"`
		F6    *string `json:"f6"`
		F7    *string `json:"f7"`
		F8    *string `json:"f8"`
		F9    *string `json:"f9"`
		F10   *string `json:"f10"`
		Pairs []pair  `json:"pairs"`
	}
	p := compile[many](t, input.Config{Kind: input.JSON})
	v, fail := decode[many](t, p, jsonRequest(`{"f10":"10","f0":"0","f1":"1","f2":"2","f3":"3","f4":"4","f5":"5","f6":"6","f7":"7","f8":"8",`+
		`"pairs":[{"b":"b0"},{"a":"a1","b":"b1"}]}`))
	if _, other := decode[many](t, p, jsonRequest(`{"f0":"another","f1":"request","pairs":[{"a":"x","b":"y"}]}`)); fail != nil || other != nil {
		t.Fatalf("got %+v and %+v", fail, other)
	}
	seen := map[*string]bool{}
	for i, got := range []*string{v.F0, v.F1, v.F2, v.F3, v.F4, v.F5, v.F6, v.F7, v.F8, v.F10, v.Pairs[0].B, v.Pairs[1].A, v.Pairs[1].B} {
		want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "10", "b0", "a1", "b1"}[i]
		if got == nil || *got != want || seen[got] {
			t.Errorf("got %v (seen before: %v), want %q", got, seen[got], want)
		}
		seen[got] = true
	}
	if v.F9 != nil || v.Pairs[0].A != nil {
		t.Errorf("got %v and %v for absent fields, want nil", v.F9, v.Pairs[0].A)
	}
}
