package input_test

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/routeguard/guard/internal/input"
)

// fuzzDoc encodes to what it was decoded from, absent fields left out.
type fuzzDoc struct {
	Name  string                 `json:"name,omitzero" validate:"max=50"`
	Int   int16                  `json:"int,omitzero"`
	Uint  uint64                 `json:"uint,omitzero"`
	Float float64                `json:"float,omitzero"`
	Small float32                `json:"small,omitzero"`
	Bool  bool                   `json:"bool,omitzero"`
	Time  time.Time              `json:"time,omitzero"`
	ID    uuid.UUID              `json:"id,omitzero"`
	Addr  netip.Addr             `json:"addr,omitzero"`
	Net   netip.Prefix           `json:"net,omitzero"`
	Bytes []byte                 `json:"bytes,omitzero"`
	Key   [2]byte                `json:"key,omitzero"`
	Pair  [2]int                 `json:"pair,omitzero"`
	Tags  []string               `json:"tags,omitzero" validate:"max=5,dive,max=20"`
	Ptr   *string                `json:"ptr,omitzero" validate:"omitnil,max=5"`
	Below []fuzzDoc              `json:"below,omitzero" validate:"dive"`
	Child *fuzzDoc               `json:"child,omitzero"`
	Map   map[string]int         `json:"map,omitzero" validate:"max=3,dive,keys,max=5,endkeys,max=9"`
	Docs  map[string]*fuzzDoc    `json:"docs,omitzero" validate:"max=3,dive"`
	Any   any                    `json:"any,omitzero" guard:"any=20"`
	Raw   stdjson.RawMessage     `json:"raw,omitzero" guard:"any=20"`
	Opt   input.Optional[string] `json:"opt,omitzero" validate:"max=5"`
}

// jsonSeeds are bodies that lead into every branch.
var jsonSeeds = []string{
	`{}`, ``, ` `, `null`, `[]`, `"x"`, `{"name":"x"}`, `{"name":"\u00e9\ud83d\ude00"}`, `{"n\u0061me":"x","name":"y"}`, `{"NAME":"x"}`, `{"name":null}`,
	`{"int":-5,"uint":18446744073709551615,"float":1e3,"small":0.1,"bool":true}`, `{"int":1e3}`, `{"int":-0}`, `{"float":-0.0}`, `{"float":1e400}`, `{"float":9007199254740993}`, `{"float":80000000000001E7}`,
	`{"time":"2006-01-02T15:04:05.5+01:00","id":"0198f000-0000-7000-8000-00000000a11c","addr":"192.0.2.1","net":"10.0.0.0/8"}`,
	`{"bytes":"AQ==","key":"AQI=","pair":[1,2],"tags":["a","b"],"ptr":"x"}`, `{"below":[{"below":[{}]}],"child":{"name":"x"}}`,
	`{"map":{"a":1,"b.c]":99},"docs":{"x":{"ptr":"too long"}}}`, `{"any":{"a":[1,"x",null,true,{}]},"raw":[1, {"a" : null}]}`, `{"opt":null}`, `{"opt":"x"}`,
	"\xef\xbb\xbf{}", "{\"name\":\"\xff\"}", `{"name":"\ud800"}`, `{}{}`, `{} x`, `{"x":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}`,
}

// FuzzJSON holds these invariants: Decode never panics; what it accepts, json/v2 with unknown members refused accepts
// as well; it accepts null only where null is kept; encoding an accepted value gives a body that is accepted and encodes
// the same; the verdict does not depend on how the bytes arrive; every violation names a place that the plan knows.
func FuzzJSON(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	p, err := input.Compile(reflect.TypeFor[fuzzDoc](), input.Config{Kind: input.JSON, MaxBody: 1 << 14})
	if err != nil {
		f.Fatal(err)
	}
	decodeBytes := func(t *testing.T, r io.Reader, length int64) (fuzzDoc, *input.Failure) {
		req := httptest.NewRequest(http.MethodPost, "/", r)
		req.ContentLength = length
		req.Header.Set("Content-Type", "application/json")
		return decode[fuzzDoc](t, p, req)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, fail := decodeBytes(t, bytes.NewReader(body), int64(len(body)))
		_, chunked := decodeBytes(t, iotest.OneByteReader(bytes.NewReader(body)), -1)
		if verdict(fail) != verdict(chunked) {
			t.Fatalf("in one piece %s, in many %s", verdict(fail), verdict(chunked))
		}
		if fail != nil {
			checkFailure(t, fail)
			return
		}
		var oracle fuzzDoc
		if err := json.Unmarshal(body, &oracle, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("accepted what json/v2 refuses: %v", err)
		}
		first, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			t.Fatalf("the accepted value cannot be encoded: %v", err)
		}
		if want, got := nulls(t, body), nulls(t, first); got != want {
			t.Fatalf("the body has %d nulls and the value %d: %s", want, got, first)
		}
		again, fail := decodeBytes(t, bytes.NewReader(first), int64(len(first)))
		if fail != nil && fail.Status != http.StatusRequestEntityTooLarge {
			t.Fatalf("the encoded value is refused: %s: %s", verdict(fail), first)
		}
		if fail != nil {
			return
		}
		if second, err := json.Marshal(again, json.Deterministic(true)); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("the value changed: %s, %s, %v", first, second, err)
		}
	})
}

// checkFailure checks what every failure promises.
func checkFailure(t *testing.T, fail *input.Failure) {
	t.Helper()
	if fail.Status < 400 || fail.Status >= 500 {
		t.Fatalf("status %d: %v", fail.Status, fail.Cause)
	}
	if len(fail.Violations) > input.MaxViolations || fail.Status == 400 && strings.HasPrefix(fail.Code, "invalid_") && len(fail.Violations) == 0 {
		t.Fatalf("%d violations", len(fail.Violations))
	}
	names := map[string]bool{}
	for _, n := range strings.Fields("name int uint float small bool time id addr net bytes key pair tags ptr below child map docs any raw opt") {
		names[n] = true
	}
	for _, v := range fail.Violations {
		for part := range strings.SplitSeq(v.Pointer, "/") {
			if _, err := strconv.Atoi(part); err != nil && part != "" && !names[part] {
				t.Fatalf("pointer %q has a part that no field is called", v.Pointer)
			}
		}
		if v.Code == "" || v.Message == "" || strings.ToLower(v.Code) != v.Code {
			t.Fatalf("violation %+v", v)
		}
	}
}

// nulls counts the null literals of a valid JSON text.
func nulls(t *testing.T, text []byte) int {
	t.Helper()
	n := 0
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		tok, err := dec.ReadToken()
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if tok.Kind() == 'n' {
			n++
		}
	}
}

type fuzzQuery struct {
	Q     string        `query:"q"`
	N     int           `query:"n"`
	F     float64       `query:"f"`
	B     bool          `query:"b"`
	ID    uuid.UUID     `query:"id"`
	Tags  []string      `query:"tag"`
	Since time.Time     `query:"since"`
	D     time.Duration `query:"d"`
}

// FuzzQuery holds these invariants: Decode never panics; what it accepts, url.ParseQuery reads without an error, with known
// names only and scalars once; the values are those; encoding the values in canonical form is accepted and equal.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"", "q=a", "q=a&q=b", "q=%zz", "q=a;n=1", "n=+5", "n=05", "n=5&f=1.50&b=true", "tag=a&tag=b", "x=1", "q=%00", "q=%ff", "&&", "=", "q", "%71=a", "q=a+b%2B",
		"id=0198f000-0000-7000-8000-00000000a11c", "since=2006-01-02T15:04:05Z", "d=1h30m", "f=1e999", "f=NaN", "d=-1.5s", strings.Repeat("tag=&", 101),
	} {
		f.Add(s)
	}
	p, err := input.Compile(reflect.TypeFor[fuzzQuery](), input.Config{Kind: input.Query})
	if err != nil {
		f.Fatal(err)
	}
	run := func(t *testing.T, query string) (fuzzQuery, *input.Failure) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.RawQuery = query
		return decode[fuzzQuery](t, p, r)
	}
	f.Fuzz(func(t *testing.T, query string) {
		v, fail := run(t, query)
		if fail != nil {
			if fail.Status != 400 || fail.Code != "invalid_parameters" || len(fail.Violations) == 0 {
				t.Fatal(verdict(fail))
			}
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatalf("accepted what url.ParseQuery refuses: %v", err)
		}
		for name, list := range values {
			if !strings.Contains(" q n f b id tag since d ", " "+name+" ") || len(list) > 1 && name != "tag" {
				t.Fatalf("accepted %q with %d values", name, len(list))
			}
			for _, text := range list {
				if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
					t.Fatalf("accepted %q", text)
				}
			}
		}
		if v.Q != values.Get("q") || !reflect.DeepEqual([]string(v.Tags), values["tag"]) && len(v.Tags)+len(values["tag"]) > 0 {
			t.Fatalf("got %+v, want %v", v, values)
		}
		if n := values.Get("n"); n != "" && n != strconv.Itoa(v.N) {
			t.Fatalf("n=%s became %d", n, v.N)
		}
		again, fail := run(t, url.Values{
			"q": {v.Q}, "n": {strconv.Itoa(v.N)}, "f": {strconv.FormatFloat(v.F, 'g', -1, 64)}, "b": {strconv.FormatBool(v.B)}, "id": {v.ID.String()}, "tag": v.Tags,
			"since": {v.Since.Format(time.RFC3339Nano)}, "d": {v.D.String()},
		}.Encode())
		if fail != nil && !strings.Contains(verdict(fail), "query=too_") && !strings.Contains(v.Since.Format(time.RFC3339Nano), "+24") {
			t.Fatalf("canonical form refused: %s", verdict(fail))
		}
		if fail == nil && (again.Q != v.Q || again.F != v.F || again.ID != v.ID || !again.Since.Equal(v.Since) || again.D != v.D) {
			t.Fatalf("got %+v, want %+v", again, v)
		}
	})
}

type fuzzForm struct {
	Title string      `form:"title" validate:"max=100"`
	Tags  []string    `form:"tag" validate:"max=3"`
	File  *input.File `form:"file" file:"max=1KiB,types=text/plain"`
}

// FuzzMultipart holds these invariants: Decode never panics; what it accepts, mime/multipart reads without an error as the
// same fields and contents; the verdict does not depend on how the bytes arrive.
func FuzzMultipart(f *testing.F) {
	good := "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nhi\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"
	for _, s := range []string{good, "", "--b--\r\n", "x" + good, good + "x", strings.ReplaceAll(good, "\r\n", "\n"), good[:40], strings.ReplaceAll(good, "hello", "\x00\x01"),
		strings.ReplaceAll(good, "title", "file"), strings.ReplaceAll(good, "a.txt", ""), strings.ReplaceAll(good, "filename=", "filename*="), strings.ReplaceAll(good, "form-data", "attachment")} {
		f.Add([]byte(s))
	}
	p, err := input.Compile(reflect.TypeFor[fuzzForm](), input.Config{Kind: input.Form})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		run := func(r io.Reader, length int64) (fuzzForm, *input.Body, *input.Failure) {
			req := httptest.NewRequest(http.MethodPost, "/", r)
			req.ContentLength = length
			req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
			var v fuzzForm
			held, fail := p.Decode(context.Background(), httptest.NewRecorder(), req, &v)
			return v, held, fail
		}
		v, held, fail := run(bytes.NewReader(body), int64(len(body)))
		defer held.Close()
		_, other, chunked := run(iotest.OneByteReader(bytes.NewReader(body)), -1)
		other.Close()
		if verdict(fail) != verdict(chunked) {
			t.Fatalf("in one piece %s, in many %s", verdict(fail), verdict(chunked))
		}
		if fail != nil {
			if fail.Status >= 500 {
				t.Fatal(fail.Cause)
			}
			return
		}
		form, err := multipart.NewReader(bytes.NewReader(body), "b").ReadForm(1 << 20)
		if err != nil {
			t.Fatalf("accepted what mime/multipart refuses: %v", err)
		}
		if got := strings.Join(form.Value["title"], "|"); got != v.Title || strings.Join(form.Value["tag"], "|") != strings.Join(v.Tags, "|") {
			t.Fatalf("got %+v, mime/multipart %v", v, form.Value)
		}
		if v.File != nil {
			var want []byte
			if files := form.File["file"]; len(files) > 0 {
				sent, err := files[0].Open()
				if err != nil {
					t.Fatal(err)
				}
				want, _ = io.ReadAll(sent)
			} else {
				want = []byte(strings.Join(form.Value["file"], "|")) // with an empty filename, a text to mime/multipart
			}
			mine, err := v.File.Open()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(mine); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("file: got %q, %v, want %q", got, err, want)
			}
		}
	})
}

// FuzzNormalize holds this invariant: normalizing what was normalized changes nothing, so that a value that a service stores and
// gets back is the same value.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"", " a ", "\u200b a \u200b", "É", "E\u0301", "İ", "ß", "\u1e97\u0323", "ǆ", "\u1e9e", "a \u00a0 b", "\u0345", "Σ", "\u0300a", " \u0301"} {
		f.Add(s)
	}
	type in struct {
		A string `json:"a" normalize:"trim,lower,nfc,collapse"`
		B string `json:"b" normalize:"trim,upper,nfc,collapse"`
		C string `json:"c" normalize:"trim"`
		D string `json:"d" normalize:"lower,nfc"`
	}
	p, err := input.Compile(reflect.TypeFor[in](), input.Config{Kind: input.JSON})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		body, err := json.Marshal(map[string]string{"a": s, "b": s, "c": s, "d": s})
		if err != nil {
			t.Fatal(err)
		}
		first, fail := decode[in](t, p, jsonRequest(string(body)))
		if fail != nil {
			return
		}
		body, err = json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		second, fail := decode[in](t, p, jsonRequest(string(body)))
		if fail != nil || first != second {
			t.Fatalf("%q became %+q, then %+q", s, first, second)
		}
	})
}
