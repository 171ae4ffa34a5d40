package input_test

import (
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/input"
)

// anyDoc takes any JSON value within bounds.
type anyDoc struct {
	V any `json:"v" guard:"any=50000"`
}

// TestJSONConformance runs texts of RFC 8259 through the decoder, as the value of a field that takes anything.
func TestJSONConformance(t *testing.T) {
	t.Parallel()
	accepted := map[string][]string{
		"arrays": {`[]`, `[ ]`, `[1]`, `[1,2]`, `[[]]`, `[""]`, `["a"]`, `[false]`, `[null]`, `[1,null,null,null,2]`, `[1 ]`, ` [1]`, "[1\n]", `[null, 1, "1", {}]`, `[[]   ]`, "[\t\r\n ]"},
		"numbers": {`0`, `-0`, `1`, `-1`, `123`, `0e1`, `0e+1`, `0E1`, `1e2`, `1E22`, `1E-2`, `1E+2`, `1e-2`, `123e45`, `123e65`, `123.456e78`, `20e1`, `-123`, `-1.5`, `123.456789`,
			`0.5`, `-0.5`, `1.0`, `1.00`, `-0.000000000000000000000000000000000000000000000000000000000000000000000000000001`, `1e308`, `2.2250738585072014e-308`, `5e-324`, `9007199254740992`, `1E1`},
		"objects": {`{}`, `{ }`, `{"a":1}`, `{"":0}`, `{"a":[]}`, `{"a":"b","c":"d"}`, `{"a":{"b":{"c":{}}}}`, "{\n\"a\"\r:\t1 }", `{"foo\u0000bar":42}`, `{"min":-1.0e+28,"max":1.0e+28}`, `{"x":[{"id":"xxx"}],"id":"yyy"}`,
			`{"title":"\u041f\u043e\u043b\u0442\u043e\u0440\u0430"}`, `{"A":1,"a":2}`},
		"strings": {`""`, `"a"`, `" "`, `"\u0060\u012a\u12AB"`, `"\uD801\udc37"`, `"\ud83d\ude39\ud83d\udc8d"`, `"\"\\\/\b\f\n\r\t"`, `"\\u0000"`, `"\""`, `"a/*b*/c/*d//e"`, `"\\a"`, `"\\n"`, `"\u0012"`, `"\uFFFF"`, `"asd"`,
			`"\uDBFF\uDFFF"`, `"new\u00A0line"`, "\"\U0010ffff\"", "\"\uffff\"", `"\u0000"`, `"\u002c"`, `"π"`, "\"\U0001bfff\"", `"\u0821"`, `"\u0123"`, "\"\u2028\"", "\"\u2029\"", `"\u0061\u30af\u30EA\u30b9"`, `"new\u000Aline"`,
			"\"\x7f\"", `"\uA66D"`, "\"⍂㈴⍂\"", `"\u0022"`, `"\uDBFF\uDFFE"`, `"\uD83F\uDFFE"`, `"\u200B"`, `"\u2064"`, `"\uFDD0"`, `"\uFFFE"`, "\"€𝄞\"", "\"a\x7fa\"", `"\/"`},
		"literals": {`true`, `false`, `null`, " true ", "\nnull\t"},
	}
	refused := map[string][]string{
		"arrays": {`[1 true]`, `[a`, `["": 1]`, `[""],`, `[,1]`, `[1,,2]`, `["x",,]`, `["x"]]`, `["",]`, `["x"`, `[x`, `[3[4]]`, "[\xff]", `[1:2]`, `[,]`, `[-]`, `[   , ""]`, "[\"a\",\n4\n,1,", `[1,]`, `[1,,]`, "[\"\va\"\\f]", `[*]`, `[""`, `[1,`,
			"[1,\n1\n,1", `[{}`, `]`, `[`, `[1}`, `[}`, "[\u00a0]", "[\v1]", "[\f]", `[1;2]`},
		"numbers": {`-01`, `-1.0.`, `-2.`, `.-1`, `.2e-3`, `0.1.2`, `0.3e+`, `0.3e`, `0.e1`, `0E+`, `0E`, `0e+`, `0e`, `1.0e+`, `1.0e-`, `1.0e`, `1 000.0`, `1eE2`, `2.e+3`, `2.e-3`, `2.e3`, `9.e+`, `Inf`, `NaN`, "\uff11", `1+2`, `0x1`, `0x42`, `Infinity`,
			`0e+-1`, `-123.123foo`, `-Infinity`, `-foo`, `- 1`, `-012`, `-.123`, `-1x`, `1ea`, "1e\xe5", `1.`, `.123`, `1.2a-3`, `1.8011670033376514H-308`, `012`, `+1`, `++1234`, `-NaN`, `01`, `00`, `-00`, `1_000`, `1e`, `1e+`, `0b1`, `0o7`, `1,5`, `--1`, `+`, `-`, `e1`, `1e1.5`,
			"0\x00", `١`, `1e1e1`, `1'000`, `1f`, `1L`, `1n`, "-\u2212"},
		"too large numbers": {`1e309`, `-1e309`, `1e999999999`, `123123e100000`, `1e-400`, `123.456e-789`, `9007199254740993`, `-9007199254740993`, `-237462374673276894279832749832423479823246327846`},
		"objects": {`["x", truth]`, `{[: "x"}`, `{"x", null}`, `{"x"::"b"}`, `{"a":"a" 123}`, `{key: 'value'}`, `{"a" b}`, `{:"b"}`, `{"a"`, `{"a":`, `{1:1}`, `{9999E9999:1}`, `{null:null,null:null}`, `{"id":0,,,,,}`, `{'a':0}`, `{"id":0,}`, `{"a":"b"}/**/`, `{"a":"b"}/**//`,
			`{"a":"b"}//`, `{"a":"b"}/`, `{"a":"b",,"c":"d"}`, `{a: "b"}`, `{"a":"a`, `{ "foo" : "bar", "a" }`, `{"a":"b"}#`, `{"a" "b"}`, `{`, `}`, `{]`, `{,`, `{"a":1]`, `{"\ud800":1}`, `{"a":/*x*/1}`, `{"a":1 "b":2}`, `{true:1}`, `{"a"=1}`, `{"a";1}`, "{\"a\x00\":1}", `{"\x":1}`, `{{}}`,
			`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":1}}`},
		"strings": {` `, `["\uD800\"]`, `"\u00`, `"\uD834\uDd"`, `"\uD800\u"`, `"\uD800\u1"`, `"\uD800\u1x"`, `é`, "\"\\\x00\"", `"\\\"`, `"\x00"`, `"\🌀"`, "\"\\\t\"", `"\`, `"\u00A"`, `"\uqqqq"`, "\"\\u\xe5\"", `"\a"`, "\"\\\xe5\"", `\u0020"asd"`, `\n`, `"`, `'single quote'`, `abc`, `"\`, "\"a\x00a\"", "\"new\nline\"",
			"\"\t\"", `"\UA66D"`, `"x`, `"\u{41}"`, `"\N"`, `"\0"`, `"\08"`, "\"\x1f\"", "\"\r\"", `"\ud800"`, `"\udc00"`, `"\uDd1e\uD834"`, `"\ud800abc"`, `"\uD800\uD800\n"`, "\"\xed\xa0\x80\"", "\"\xff\"", "\"\xc0\xaf\"", "\"\xe0\x80\xaf\"", "\"\xf4\x90\x80\x80\"", "\"\x81\"", "\"\xe0\xff\"", "\"\xfc\x83\xbf\xbf\xbf\xbf\"", "\"\xf8\x88\x80\x80\x80\"",
			`""x`, `“a”`, "`a`"},
		"literals":   {`nul`, `nulll`, `nu ll`, `NULL`, `True`, `TRUE`, `tru`, `truee`, `fals`, `falsee`, `False`, `undefined`, `none`, `t`, `n`, `f`, `true false`, `nullnull`},
		"structures": {`<null>`, `<.>`, `[<null>]`, `[1]x`, `[1]]`, `["asd]`, `aå`, `[True]`, `1]`, `{"x": true,`, `[][]`, `2@`, `{}}`, `{"":`, `{"a":/*comment*/"b"}`, `{"a": true} "x"`, `['`, `[,`, `[{"":[{"":`, "[\"a\"", `["a`, `{"a":"a"`, "\u2060", `*`, `[1`, `[ false, nul`, `[ true, fals`, `[ false, tru`, "\xef\xbb\xbf{}", "\xe5", `,`, `:`, `#`, `//`, `/**/1`, `1/**/`, `1//`, "1 \x00", "\x00", "\u00a01", "\v1"},
	}
	p := compile[anyDoc](t, input.Config{Kind: input.JSON})
	n := 0
	for group, texts := range accepted {
		for _, text := range texts {
			n++
			if _, fail := decode[anyDoc](t, p, jsonRequest(`{"v":`+text+`}`)); fail != nil {
				t.Errorf("%s: %q: got %s, want ok", group, text, verdict(fail))
			}
		}
	}
	for group, texts := range refused {
		for _, text := range texts {
			n++
			if _, fail := decode[anyDoc](t, p, jsonRequest(`{"v":`+text+`}`)); fail == nil || fail.Status != 400 || fail.Code != "invalid_body" {
				t.Errorf("%s: %q: got %s, want 400", group, text, verdict(fail))
			}
		}
	}
	if n < 350 {
		t.Errorf("the corpus has %d texts", n)
	}
	// A truncated or doubled document is never one.
	const whole = `{"v":[1,"a\u00e9",{"b":[true,null,-1.5e3]},"😀"]}`
	for i := range len(whole) {
		if _, fail := decode[anyDoc](t, p, jsonRequest(whole[:i])); fail == nil {
			t.Errorf("accepted %q", whole[:i])
		}
	}
	for _, text := range []string{whole + whole, whole + " " + whole, whole + "\n" + whole, whole + "\x1e" + whole} {
		if _, fail := decode[anyDoc](t, p, jsonRequest(text)); fail == nil {
			t.Errorf("accepted %q", text)
		}
	}
	for _, levels := range []int{31, 32, 1000, 100000} {
		_, fail := decode[anyDoc](t, p, jsonRequest(`{"v":`+strings.Repeat("[", levels)+strings.Repeat("]", levels)+`}`))
		if want := levels <= input.MaxDepth-1; (fail == nil) != want {
			t.Errorf("%d levels below the body: got %s", levels, verdict(fail))
		}
	}
}
