package guardtest

import (
	"encoding"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/routeguard/guard/checklist"
)

// bad is a value that a field must not take.
type bad struct {
	what, value string
	file        *upload
	absent      bool
}

// badValues are wrong types of a field and what is beyond its rules. given is a valid value.
func badValues(f checklist.Field, given, kind string) []bad {
	if f.FileMax > 0 {
		return badFiles(f)
	}
	var all []bad
	if f.Required {
		all = append(all, bad{what: "absent", absent: true})
	}
	if kind == inJSON {
		all = append(all, wrongTypes(f, given)...)
	} else if isNumber(f) {
		all = append(all, bad{what: "a word", value: marker}, bad{what: "a number in another spelling", value: "+1"}, bad{what: "nothing", value: " "})
	}
	write := func(text string) string {
		if kind == inJSON {
			return quote(text)
		}
		return text
	}
	switch {
	case isText(f) || shapeOf(f, given) == '"':
		for _, b := range badTexts(f) {
			all = append(all, bad{what: b.what, value: write(b.value)})
		}
	case isNumber(f):
		all = append(all, badNumbers(f)...)
	}
	return all
}

// wrongTypes are JSON values of every other type.
func wrongTypes(f checklist.Field, given string) []bad {
	shape := shapeOf(f, given)
	if shape == 0 {
		return nil
	}
	var all []bad
	if !f.Nullable {
		all = append(all, bad{what: "null", value: "null"})
	}
	for _, value := range []string{quote(marker), "7", "true", `{"` + marker + `":1}`, `["` + marker + `"]`} {
		if shapeOfText(value) != shape {
			all = append(all, bad{what: "the JSON value " + value, value: value})
		}
	}
	return all
}

// shapeOf is the kind of JSON value that a field takes: " 0 t { [, or 0 where it may be any.
func shapeOf(f checklist.Field, given string) byte {
	if f.Type == nil || strings.Contains(f.GoType, "raw JSON") {
		return 0
	}
	t := elem(f)
	switch {
	case t.Kind() == reflect.Interface:
		return 0
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()), t.String() == "time.Duration":
		return '"'
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return '"'
	}
	switch t.Kind() {
	case reflect.String:
		return '"'
	case reflect.Bool:
		return 't'
	case reflect.Slice, reflect.Array:
		return '['
	case reflect.Map:
		return '{'
	case reflect.Struct:
		if len(f.Fields) > 0 && !f.Nullable {
			return '{'
		}
		return shapeOfText(given)
	}
	if isNumber(f) {
		return '0'
	}
	return 0
}

// shapeOfText is the kind of a JSON value.
func shapeOfText(value string) byte {
	switch {
	case value == "" || value == "null":
		return 0
	case strings.ContainsRune("-0123456789", rune(value[0])):
		return '0'
	case value[0] == 't' || value[0] == 'f':
		return 't'
	}
	return value[0]
}

// elem is the field's type without pointers.
func elem(f checklist.Field) reflect.Type {
	t := f.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func isText(f checklist.Field) bool { return f.Type != nil && elem(f).Kind() == reflect.String }

func isNumber(f checklist.Field) bool {
	if f.Type == nil || elem(f).String() == "time.Duration" {
		return false
	}
	switch elem(f).Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return true
	}
	return false
}

// rules are a field's rules that stand alone, up to dive: those of the value itself.
func rules(f checklist.Field) map[string]string {
	all := map[string]string{}
	own, _, _ := strings.Cut(","+f.Rules+",", ",dive,")
	for _, r := range strings.Split(own, ",") {
		if name, param, _ := strings.Cut(r, "="); name != "" && !strings.Contains(r, "|") {
			all[name] = param
		}
	}
	return all
}

// formats are rules on text that no marker fits.
var formats = []string{"email", "url", "uri", "web_url", "http_url", "uuid", "uuid4", "uuid7", "ip", "ipv4", "ipv6", "cidr", "hostname", "fqdn",
	"oneof", "numeric", "number", "boolean", "iso4217", "iso3166_1_alpha2", "e164", "datetime", "hexcolor", "base64", "jwt", "semver", "timezone", "alpha"}

// badTexts are texts beyond the rules of a field.
func badTexts(f checklist.Field) []bad {
	var all []bad
	own := rules(f)
	for _, name := range []string{"max", "len", "lte"} {
		if n, err := strconv.Atoi(own[name]); err == nil && n < 1<<20 {
			all = append(all, bad{what: "a character more than " + own[name], value: strings.Repeat("a", n+1)})
		}
	}
	for _, name := range []string{"min", "gte", "len"} {
		if n, err := strconv.Atoi(own[name]); err == nil && n > 1 {
			all = append(all, bad{what: "a character less than " + own[name], value: strings.Repeat("a", n-1)})
		}
	}
	if _, ok := own["required"]; ok {
		all = append(all, bad{what: "an empty text"})
	}
	for _, name := range formats {
		if _, ok := own[name]; ok {
			all = append(all, bad{what: "no " + name, value: "!" + marker + "!"})
		}
	}
	for _, name := range []string{"url", "uri", "web_url", "http_url"} {
		if _, ok := own[name]; ok {
			all = append(all, bad{what: "a script for an address", value: "javascript:alert(1)"})
		}
	}
	if _, ok := own["single_line"]; ok {
		all = append(all, bad{what: "two lines", value: "a\nb"}, bad{what: "text that turns around", value: "a\u202eb"})
	}
	if _, ok := own["notblank"]; ok {
		all = append(all, bad{what: "blanks", value: "\u00a0 \t"})
	}
	if elem(f).Kind() != reflect.String && len(all) == 0 {
		all = append(all, bad{what: "no " + f.GoType, value: "!" + marker + "!"})
	}
	return all
}

// badNumbers are numbers beyond the rules and the type of a field.
func badNumbers(f checklist.Field) []bad {
	var all []bad
	own := rules(f)
	beyond := func(rule string, by int64) {
		n, ok := new(big.Int).SetString(own[rule], 10)
		if own[rule] != "" && ok {
			all = append(all, bad{what: "a number beyond " + rule + "=" + own[rule], value: n.Add(n, big.NewInt(by)).String()})
		}
	}
	for _, rule := range []string{"max", "lte"} {
		beyond(rule, 1)
	}
	for _, rule := range []string{"min", "gte"} {
		beyond(rule, -1)
	}
	beyond("lt", 0)
	beyond("gt", 0)
	if k := elem(f).Kind(); k != reflect.Float32 && k != reflect.Float64 {
		all = append(all, bad{what: "a fraction", value: "1.5"}, bad{what: "an exponent", value: "1e3"}, bad{what: "more than 64 bits", value: "99999999999999999999"})
	}
	return all
}

// badFiles are files that a field does not take.
func badFiles(f checklist.Field) []bad {
	page := []byte("<script>alert(1)</script>")
	all := []bad{
		{what: "a page", file: &upload{"page.html", "text/html", page}},
		{what: "an empty file", file: &upload{"empty", "application/octet-stream", nil}},
		{what: "text that is no file", value: marker},
	}
	for _, t := range f.FileTypes {
		all = append(all, bad{what: "a page that is declared as " + t, file: &upload{"page." + marker, t, page}})
		if begin := signature(t); len(begin) > 0 && !f.FileDeclaredAny {
			all = append(all, bad{what: t + " that is declared as bytes", file: &upload{"file." + marker, "application/octet-stream", begin}})
		}
	}
	if f.Required {
		all = append(all, bad{what: "absent", absent: true})
	}
	if f.FileMax < largest && len(f.FileTypes) > 0 {
		all = append(all, bad{what: "a byte more than " + checklist.Size(f.FileMax),
			file: &upload{"large", f.FileTypes[0], append(signature(f.FileTypes[0]), make([]byte, f.FileMax)...)}})
	}
	return all
}

// signature is how content of a type begins.
func signature(mediaType string) []byte {
	return []byte(map[string]string{"image/png": "\x89PNG\r\n\x1a\n", "image/jpeg": "\xff\xd8\xff\xe0", "image/gif": "GIF89a", "application/pdf": "%PDF-1.7\n"}[mediaType])
}

// fit makes a text as long as the rules of a field want it, and of their format where that
// is an address or one of a few words.
func fit(f checklist.Field, text string) string {
	own := rules(f)
	if _, ok := own["email"]; ok {
		return marker + "@example.com"
	}
	for _, name := range []string{"url", "uri", "web_url", "http_url"} {
		if _, ok := own[name]; ok {
			return "https://example.com/" + marker
		}
	}
	if words := strings.Fields(own["oneof"]); len(words) > 0 {
		return words[0]
	}
	if n, err := strconv.Atoi(own["min"]); err == nil {
		for len(text) < n && n < 1<<16 {
			text += " and " + text
		}
	}
	if n, err := strconv.Atoi(own["max"]); err == nil && len(text) > n && n > 0 {
		text = text[:n]
	}
	return text
}
