package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/routeguard/guard/examples/server/store"
)

// canary stands in hostile input. It must not come back.
const canary = "canary7f3a"

// hostile is one request that must be refused, and how: "400 invalid_body: /name=min".
type hostile struct {
	name   string
	method string // POST where there is a body
	path   string
	body   string
	fields []string
	want   string
}

// jsonRoutes are the routes that take a JSON body, and whom they admit.
var jsonRoutes = []struct{ method, path, user string }{
	{"PATCH", "/projects/" + aliceProject, "alice"},
	{"POST", "/projects", "alice"},
	{"POST", "/contact", ""},
	{"POST", "/login", ""},
	{"POST", "/admin/users/bob/role", "admin"},
}

// hostileJSON is refused by every route that takes JSON, in the same way.
func hostileJSON() []hostile {
	const c = canary
	syntax, encoding, typed := "400 invalid_body: =syntax", "400 invalid_body: =encoding", "400 invalid_body: =type"
	unknown, media := "400 invalid_body: =unknown_field", "415 unsupported_media_type"
	return []hostile{
		{name: "a space", body: " ", want: "400 invalid_body: =required"},
		{name: "line breaks", body: "\r\n\t \n", want: "400 invalid_body: =required"},
		{name: "null", body: `null`, want: typed},
		{name: "true", body: `true`, want: typed},
		{name: "a number", body: `1`, want: typed},
		{name: "a string", body: `"` + c + `"`, want: typed},
		{name: "an array", body: `[]`, want: typed},
		{name: "an array of objects", body: `[{"` + c + `":1}]`, want: typed},
		{name: "a word", body: c, want: syntax},
		{name: "an open object", body: `{`, want: syntax},
		{name: "an open name", body: `{"` + c, want: syntax},
		{name: "a name alone", body: `{"` + c + `"`, want: unknown + ", =syntax"},
		{name: "a name and a colon", body: `{"` + c + `":`, want: unknown + ", =syntax"},
		{name: "an open object with a member", body: `{"` + c + `":1`, want: unknown + ", =syntax"},
		{name: "a comma at the end", body: `{"` + c + `":1,}`, want: unknown + ", =syntax"},
		{name: "a comma at the start", body: `{,"` + c + `":1}`, want: syntax},
		{name: "a comma alone", body: `{,}`, want: syntax},
		{name: "no comma", body: `{"` + c + `":1 "b":2}`, want: unknown + ", =syntax"},
		{name: "no colon", body: `{"` + c + `" 1}`, want: unknown + ", =syntax"},
		{name: "single quotes", body: `{'` + c + `':1}`, want: syntax},
		{name: "no quotes", body: `{` + c + `:1}`, want: syntax},
		{name: "a number as a name", body: `{1:1}`, want: syntax},
		{name: "null as a name", body: `{null:1}`, want: syntax},
		{name: "a comment", body: `{/*` + c + `*/}`, want: syntax},
		{name: "a line comment", body: "{}//" + c, want: "400 invalid_body: =trailing_data"},
		{name: "a hash comment", body: "#" + c + "\n{}", want: syntax},
		{name: "a closing brace too many", body: `{}}`, want: "400 invalid_body: =trailing_data"},
		{name: "a second document", body: `{} {"` + c + `":1}`, want: "400 invalid_body: =trailing_data"},
		{name: "a second document on its own line", body: "{}\n{}", want: "400 invalid_body: =trailing_data"},
		{name: "a word behind", body: `{}` + c, want: "400 invalid_body: =trailing_data"},
		{name: "a comma behind", body: `{},`, want: "400 invalid_body: =trailing_data"},
		{name: "a NUL behind", body: "{}\x00", want: "400 invalid_body: =trailing_data"},
		{name: "a record separator", body: "\x1e{}\n", want: syntax},
		{name: "a closing bracket", body: `{]`, want: syntax},
		{name: "a JSONP call", body: c + `({})`, want: syntax},
		{name: "an anti-hijacking prefix", body: ")]}',\n{}", want: syntax},
		{name: "XML", body: `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`, want: syntax},
		{name: "YAML", body: "name: " + c, want: syntax},
		{name: "a form", body: "name=" + c, want: syntax},
		{name: "gzip", body: "\x1f\x8b\x08\x00\x00\x00\x00\x00", want: encoding},
		{name: "a byte order mark", body: "\xef\xbb\xbf{}", want: encoding},
		{name: "UTF-16", body: "{\x00}\x00", want: syntax},
		{name: "UTF-16 with a byte order mark", body: "\xff\xfe{\x00}\x00", want: encoding},
		{name: "UTF-32", body: "\x00\x00\x00{\x00\x00\x00}", want: syntax},
		{name: "a byte that is not UTF-8", body: "\xff", want: encoding},
		{name: "a name that is not UTF-8", body: "{\"\xff" + c + "\":1}", want: encoding},
		{name: "a value that is not UTF-8", body: "{\"x\":\"\xff" + c + "\"}", want: "400 invalid_body: =unknown_field, =encoding"},
		{name: "an overlong slash", body: "{\"x\":\"\xc0\xaf\"}", want: "400 invalid_body: =unknown_field, =encoding"},
		{name: "a surrogate in UTF-8", body: "{\"x\":\"\xed\xa0\x80\"}", want: "400 invalid_body: =unknown_field, =encoding"},
		{name: "half a surrogate pair", body: `{"x":"\ud83d"}`, want: unknown + ", =syntax"},
		{name: "a surrogate pair the wrong way round", body: `{"x":"\ude39\ud83d"}`, want: unknown + ", =syntax"},
		{name: "half a surrogate pair as a name", body: `{"\ud83d":1}`, want: syntax},
		{name: "an escape that is none", body: `{"x":"\x41"}`, want: unknown + ", =syntax"},
		{name: "a short escape", body: `{"x":"\u12"}`, want: unknown + ", =syntax"},
		{name: "a line break in a string", body: "{\"x\":\"a\nb\"}", want: unknown + ", =syntax"},
		{name: "a NUL in a string", body: "{\"x\":\"a\x00b\"}", want: unknown + ", =syntax"},
		{name: "a no-break space", body: "{\u00a0}", want: syntax},
		{name: "a form feed", body: "{\f}", want: syntax},
		{name: "a vertical tab", body: "\v{}", want: syntax},
		{name: "True", body: `{"x":True}`, want: unknown + ", =syntax"},
		{name: "undefined", body: `{"x":undefined}`, want: unknown + ", =syntax"},
		{name: "NaN", body: `{"x":NaN}`, want: unknown + ", =syntax"},
		{name: "Infinity", body: `{"x":-Infinity}`, want: unknown + ", =syntax"},
		{name: "hexadecimal", body: `{"x":0x10}`, want: unknown + ", =syntax"},
		{name: "a leading zero", body: `{"x":01}`, want: unknown + ", =syntax"},
		{name: "a plus", body: `{"x":+1}`, want: unknown + ", =syntax"},
		{name: "a point without digits", body: `{"x":1.}`, want: unknown + ", =syntax"},
		{name: "an exponent without digits", body: `{"x":1e}`, want: unknown + ", =syntax"},
		{name: "an unknown name", body: `{"` + c + `":1}`, want: unknown},
		{name: "an empty name", body: `{"":1}`, want: unknown},
		{name: "__proto__", body: `{"__proto__":{"isAdmin":true}}`, want: unknown},
		{name: "constructor", body: `{"constructor":{"prototype":{"` + c + `":1}}}`, want: unknown},
		{name: "$where", body: `{"$where":"sleep(1000)"}`, want: unknown},
		{name: "@type", body: `{"@type":"java.lang.Runtime"}`, want: unknown},
		{name: "an id", body: `{"id":"` + bobProject + `"}`, want: unknown},
		{name: "an owner", body: `{"ownerId":"bob"}`, want: unknown},
		{name: "an owner, another style", body: `{"owner_id":"bob"}`, want: unknown},
		{name: "a Go name", body: `{"OwnerID":"bob"}`, want: unknown},
		{name: "the wildcard", body: `{"projectID":"` + bobProject + `"}`, want: unknown},
		{name: "another wildcard", body: `{"userID":"alice"}`, want: unknown},
		{name: "a flag", body: `{"isAdmin":true}`, want: unknown},
		{name: "times", body: `{"createdAt":"2020-01-01T00:00:00Z","updatedAt":null}`, want: unknown},
		{name: "a name that is a kilobyte", body: `{"` + strings.Repeat("n", 1<<10) + `":1}`, want: unknown},
		{name: "a name that is 200 KiB", body: `{"` + strings.Repeat("n", 200<<10) + `":1}`, want: unknown},
		{name: "a thousand unknown names", body: manyNames(1000), want: unknown},
		{name: "twenty thousand unknown names", body: manyNames(20_000), want: unknown},
		{name: "a name twice", body: `{"` + c + `":1,"` + c + `":1}`, want: "400 invalid_body: =duplicate_field, =unknown_field"},
		{name: "a name twice, once escaped", body: `{"a":1,"\u0061":1}`, want: "400 invalid_body: =duplicate_field, =unknown_field"},
		{name: "a name twice, deep", body: `{"x":[[{"a":1,"a":1}]]}`, want: "400 invalid_body: =duplicate_field, =unknown_field"},
		{name: "a thousand levels", body: `{"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, want: unknown},
		{name: "fifty thousand levels", body: strings.Repeat(`{"x":`, 50_000), want: unknown + ", =syntax"},
		{name: "fifty thousand brackets", body: strings.Repeat("[", 50_000), want: syntax},
		{name: "a number of a hundred thousand digits", body: `{"x":` + strings.Repeat("9", 100_000) + `}`, want: unknown},
		{name: "a quarter of a megabyte", body: `{"x":"` + strings.Repeat("x", 256<<10-8) + `"}`, want: unknown},
		{name: "a byte more", body: `{"x":"` + strings.Repeat("x", 256<<10-7) + `"}`, want: "413 body_too_large"},
		{name: "spaces to a byte more", body: `{}` + strings.Repeat(" ", 256<<10-1), want: "413 body_too_large"},
		{name: "a megabyte", body: strings.Repeat("x", 1<<20), want: "413 body_too_large"},

		{name: "text", body: `{}`, fields: []string{"Content-Type: text/plain"}, want: media},
		{name: "a form type", body: `{}`, fields: []string{"Content-Type: application/x-www-form-urlencoded"}, want: media},
		{name: "a multipart type", body: `{}`, fields: []string{"Content-Type: multipart/form-data; boundary=x"}, want: media},
		{name: "text/json", body: `{}`, fields: []string{"Content-Type: text/json"}, want: media},
		{name: "a JSON suffix", body: `{}`, fields: []string{"Content-Type: application/merge-patch+json"}, want: media},
		{name: "a star", body: `{}`, fields: []string{"Content-Type: */*"}, want: media},
		{name: "two types in one", body: `{}`, fields: []string{"Content-Type: application/json, text/plain"}, want: media},
		{name: "two charsets", body: `{}`, fields: []string{"Content-Type: application/json; charset=utf-8; charset=utf-7"}, want: media},
		{name: "UTF-7", body: `{}`, fields: []string{"Content-Type: application/json; charset=utf-7"}, want: media},
		{name: "a parameter", body: `{}`, fields: []string{"Content-Type: application/json; version=1"}, want: media},
		{name: "a coding", body: `{}`, fields: []string{"Content-Encoding: gzip"}, want: media},
		{name: "the identity coding", body: `{}`, fields: []string{"Content-Encoding: identity"}, want: media},
		{name: "two codings", body: `{}`, fields: []string{"Content-Encoding: gzip, br"}, want: media},
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"n%d":1`, i)
	}
	return "{" + b.String()[1:] + "}"
}

// hostileFields are bodies whose fields are wrong.
func hostileFields() []hostile {
	const (
		name    = `"name":"A name"`
		summary = `"summary":"Twenty characters, or more."`
		team    = `"visibility":"team"`
		mail    = `"email":"a@example.com"`
		text    = `"message":"Ten characters."`
	)
	patch := "/projects/" + aliceProject
	role := "/admin/users/bob/role"
	blank := "\u2028\u2029\u00a0\u3000"
	list := []hostile{
		{name: "nothing to change", method: "PATCH", path: patch, body: `{}`, want: "400 invalid_body: =required"},
		{name: "nothing at all", path: "/projects", body: `{}`, want: "400 invalid_body: /name=required, /summary=required, /visibility=required"},
		{name: "a visibility that there is not", method: "PATCH", path: patch, body: `{"visibility":"` + canary + `"}`, want: "400 invalid_body: /visibility=oneof"},
		{name: "a visibility in another case", method: "PATCH", path: patch, body: `{"visibility":"Team"}`, want: "400 invalid_body: /visibility=oneof"},
		{name: "a visibility with a space", method: "PATCH", path: patch, body: `{"visibility":" team"}`, want: "400 invalid_body: /visibility=oneof"},
		{name: "two visibilities", method: "PATCH", path: patch, body: `{"visibility":"private team"}`, want: "400 invalid_body: /visibility=oneof"},
		{name: "an empty visibility", method: "PATCH", path: patch, body: `{"visibility":""}`, want: "400 invalid_body: /visibility=oneof"},
		{name: "everything wrong", path: "/projects", body: `{"name":"x","summary":"y","visibility":"z"}`, want: "400 invalid_body: /name=min, /summary=min, /visibility=oneof"},
		{name: "everything of another type", path: "/projects", body: `{"name":1,"summary":[],"visibility":{}}`, want: "400 invalid_body: /name=type, /summary=type, /visibility=type"},
		{name: "another case", path: "/projects", body: `{"Name":"A name",` + summary + `,` + team + `}`, want: "400 invalid_body: =unknown_field"},
		{name: "a fullwidth name", path: "/projects", body: `{"ｎame":"A name",` + summary + `,` + team + `}`, want: "400 invalid_body: =unknown_field"},
		{name: "a name with a NUL", path: "/projects", body: `{"name\u0000":"A name",` + summary + `,` + team + `}`, want: "400 invalid_body: =unknown_field"},
		{name: "the same name twice", path: "/projects", body: `{` + name + `,` + summary + `,` + team + `,"name":"` + canary + `"}`, want: "400 invalid_body: /name=duplicate_field"},
		{name: "the same name twice, once escaped", path: "/projects", body: `{` + name + `,"n\u0061me":"` + canary + `"}`, want: "400 invalid_body: /name=duplicate_field"},
		{name: "a query beside the body", path: "/projects?name=" + canary, body: `{` + name + `,` + summary + `,` + team + `}`, want: "400 invalid_parameters: query=unknown_parameter"},
		{name: "a method override", path: "/projects?_method=DELETE", body: `{` + name + `,` + summary + `,` + team + `}`, want: "400 invalid_parameters: query=unknown_parameter"},
		{name: "no e-mail and no message", path: "/contact", body: `{}`, want: "400 invalid_body: /email=required, /message=required"},
		{name: "a short message", path: "/contact", body: `{` + mail + `,"message":"short"}`, want: "400 invalid_body: /message=min"},
		{name: "a message of blanks", path: "/contact", body: `{` + mail + `,"message":"` + strings.Repeat(blank, 5) + `"}`, want: "400 invalid_body: /message=notblank"},
		{name: "a prompt of blanks", path: "/ai/complete", body: `{"prompt":" \n` + blank + `"}`, want: "400 invalid_body: /prompt=notblank"},
		{name: "a long message", path: "/contact", body: `{` + mail + `,"message":"` + strings.Repeat("é", 2001) + `"}`, want: "400 invalid_body: /message=max"},
		{name: "an answer to somebody", path: "/contact", body: `{` + mail + `,` + text + `,"to":"` + canary + `"}`, want: "400 invalid_body: =unknown_field"},
		{name: "no e-mail and no password", path: "/login", body: `{}`, want: "400 invalid_body: /email=required, /password=required"},
		{name: "a long password", path: "/login", body: `{` + mail + `,"password":"` + strings.Repeat("p", 201) + `"}`, want: "400 invalid_body: /password=max"},
		{name: "a password of another type", path: "/login", body: `{` + mail + `,"password":{"$ne":null}}`, want: "400 invalid_body: /password=type"},
		{name: "an e-mail of another type", path: "/login", body: `{"email":{"$gt":""},"password":"x"}`, want: "400 invalid_body: /email=type"},
		{name: "an array of e-mails", path: "/login", body: `{"email":["alice@example.com"],"password":"x"}`, want: "400 invalid_body: /email=type"},
		{name: "a role beside", path: "/login", body: `{` + mail + `,"password":"x","role":"admin"}`, want: "400 invalid_body: =unknown_field"},
		{name: "no role", path: role, body: `{}`, want: "400 invalid_body: /role=required"},
		{name: "an empty role", path: role, body: `{"role":""}`, want: "400 invalid_body: /role=required"},
		{name: "a role that there is not", path: role, body: `{"role":"` + canary + `"}`, want: "400 invalid_body: /role=oneof"},
		{name: "a role in another case", path: role, body: `{"role":"Admin"}`, want: "400 invalid_body: /role=oneof"},
		{name: "a role in another script", path: role, body: `{"role":"аdmin"}`, want: "400 invalid_body: /role=oneof"},
		{name: "a role with a line break", path: role, body: `{"role":"admin\n"}`, want: "400 invalid_body: /role=oneof"},
		{name: "two roles", path: role, body: `{"role":["admin"]}`, want: "400 invalid_body: /role=type"},
		{name: "no such user", path: "/admin/users/" + canary + "/role", body: `{"role":"admin"}`, want: "404 not_found"},
		{name: "a user with a slash", path: "/admin/users/bob%2falice/role", body: `{"role":"admin"}`, want: "404 not_found"},
		{name: "a user with a NUL", path: "/admin/users/bob%00/role", body: `{"role":"admin"}`, want: "404 not_found"},
		{name: "a user in another case", path: "/admin/users/Bob/role", body: `{"role":"admin"}`, want: "404 not_found"},
		{name: "a user that is a pattern", path: "/admin/users/%25/role", body: `{"role":"admin"}`, want: "404 not_found"},
		{name: "a user that is SQL", path: "/admin/users/'%20or%20'1'='1/role", body: `{"role":"admin"}`, want: "404 not_found"},
	}
	for _, value := range []struct{ name, json, want string }{
		{"null", `null`, "null"}, {"a number", `17`, "type"}, {"true", `true`, "type"}, {"an array", `["A name"]`, "type"}, {"an object", `{"A":"name"}`, "type"},
		{"empty", `""`, "min"}, {"blank", `"     "`, "min"}, {"line breaks", `"\r\n\t\r\n"`, "min"}, {"blank in Unicode", `"` + blank + `"`, "min"},
		{"zero width", `"\u200b\u200b\u200b\ufeff"`, "min"}, {"two characters between spaces", `"  ab  "`, "min"},
	} {
		list = append(list,
			hostile{name: "a name that is " + value.name, method: "PATCH", path: patch, body: `{"name":` + value.json + `}`, want: "400 invalid_body: /name=" + value.want},
			hostile{name: "a summary that is " + value.name, method: "PATCH", path: patch, body: `{"summary":` + value.json + `}`, want: "400 invalid_body: /summary=" + value.want})
	}
	list = append(list,
		hostile{name: "81 characters", method: "PATCH", path: patch, body: `{"name":"` + strings.Repeat("é", 81) + `"}`, want: "400 invalid_body: /name=max"},
		hostile{name: "301 characters", method: "PATCH", path: patch, body: `{"summary":"` + strings.Repeat("s", 301) + `"}`, want: "400 invalid_body: /summary=max"},
		hostile{name: "a hundred thousand combining marks", method: "PATCH", path: patch, body: `{"name":"abc` + strings.Repeat("\u0301", 100_000) + `"}`, want: "400 invalid_body: /name=max"})
	for _, address := range []string{
		"", " ", canary, "a@", "@example.com", "a b@example.com", "a@example.com,b@example.com", "a@example.com\\nBcc: b@example.com", "a@exam ple.com",
		"a@b@example.com", "<a@example.com>", "Alice <a@example.com>", "a@example..com", "a..b@example.com", "javascript:a@example.com", "a@-example.com", "a\\u0000@example.com",
		strings.Repeat("l", 65) + "@example.com", "a@" + strings.Repeat("d", 250) + ".com", strings.Repeat("l", 100_000) + "@example.com",
	} {
		code := "email"
		if strings.TrimSpace(address) == "" {
			code = "required"
		}
		list = append(list, hostile{name: fmt.Sprintf("the address %.40q", address), path: "/contact", body: `{"email":"` + address + `",` + text + `}`, want: "400 invalid_body: /email=" + code})
	}
	return list
}

// hostileParameters are queries and paths.
func hostileParameters() []hostile {
	const bad = "400 invalid_parameters: query"
	var list []hostile
	add := func(path, want string) { list = append(list, hostile{method: "GET", path: path, want: want}) }
	for _, route := range []string{"/projects?", "/search?q=ab&"} {
		for _, n := range []string{"0", "-1", "51", "1000"} {
			code := "/limit=max"
			if n == "0" || n == "-1" {
				code = "/limit=min"
			}
			add(route+"limit="+n, bad+code)
		}
		for _, n := range []string{"", "x", "1.0", "1e1", "0x10", "01", "-0", "%2B1", "+1", "1+", "%201", "1%20", "1_0", "١", "１", "NaN", "true", "1,2", "[1]", "null", canary} {
			add(route+"limit="+n, bad+"/limit=type")
		}
		add(route+"limit", bad+"/limit=type")
		add(route+"limit=99999999999999999999", bad+"/limit=range")
		add(route+"limit=-99999999999999999999", bad+"/limit=range")
		add(route+"limit="+strings.Repeat("9", 5000), bad+"/limit=range")
		add(route+"limit=1%00", bad+"/limit=characters")
		add(route+"limit=1%0A", bad+"/limit=characters")
		add(route+"limit=%FF", bad+"/limit=encoding")
		add(route+"limit=1&limit=1", bad+"/limit=repeated")
		add(route+"limit=1&limit=2", bad+"/limit=repeated")
		add(route+"limit=1&lim%69t=2", bad+"/limit=repeated")
		for _, name := range []string{"Limit=1", "LIMIT=1", "limit%20=1", "limit[]=1", "limit.x=1", canary + "=1", "=1", "=", "_method=DELETE", "access_token=x", "ownerId=bob", "isAdmin=true", "callback=" + canary, "__proto__[x]=1", "%00=1", "%FF=1"} {
			add(route+name, bad+"=unknown_parameter")
		}
		for _, raw := range []string{"limit=%", "limit=%1", "limit=%zz", "%=1", "limit=1;cursor=2", ";", "limit=1%", "%u0031=1"} {
			add(route+raw, bad+"=syntax")
		}
		add(route+strings.Repeat("x=1&", 200), bad+"=too_many")
		add(route+"x="+strings.Repeat("a", 17<<10), bad+"=too_long")
	}
	for _, q := range []string{"", "%20", "%20%20%20", "+", "%E2%80%8B", "%C2%A0%C2%A0"} {
		add("/search?q="+q, bad+"/q=required")
	}
	add("/search", bad+"/q=required")
	add("/search?q", bad+"/q=required")
	add("/search?q=a", bad+"/q=min")
	add("/search?q=%20a%20", bad+"/q=min")
	add("/search?q=%C3%A9", bad+"/q=min")
	add("/search?q="+strings.Repeat("a", 65), bad+"/q=max")
	add("/search?q=ab&q=cd", bad+"/q=repeated")
	for _, raw := range []string{"ab%00", "ab%0A", "ab%0D%0ASet-Cookie:%20x", "ab%1B[31m", "ab%7F", "ab%C2%85"} {
		add("/search?q="+raw, bad+"/q=characters")
	}
	for _, raw := range []string{"%FF%FE", "ab%C0%AF", "ab%ED%A0%80"} {
		add("/search?q="+raw, bad+"/q=encoding")
	}
	add("/projects?cursor="+canary, bad+"/cursor=cursor")
	add("/projects?cursor="+strings.Repeat("A", 101), bad+"/cursor=max")
	add("/projects?cursor=%00", bad+"/cursor=characters")
	add("/projects?cursor='%20or%201=1--", bad+"/cursor=cursor")
	for _, id := range []string{"1", canary, "00000000-0000-0000-0000-000000000000", strings.ToUpper(aliceProject), "{" + aliceProject + "}", "urn:uuid:" + aliceProject,
		strings.ReplaceAll(aliceProject, "-", ""), aliceProject + "%00", aliceProject + "%20", "%20" + aliceProject, aliceProject + "%2f", "..%2f" + aliceProject, "%2e%2e", "%FF",
		aliceProject + ";x", aliceProject + ".json", strings.Repeat("a", 4000), "null", "%27", "*", bobProject} {
		add("/projects/"+id, "404 not_found")
		list = append(list, hostile{method: "PATCH", path: "/projects/" + id, body: `{"name":"A name"}`, want: "404 not_found"})
	}
	add("/projects/"+aliceProject+"?x=1", bad+"=unknown_parameter")
	add("/me?x=1", bad+"=unknown_parameter")
	list = append(list,
		hostile{method: "GET", path: "/me", body: `{}`, want: "400 unexpected_body"},
		hostile{method: "GET", path: "/projects", body: canary, want: "400 unexpected_body"},
		hostile{method: "GET", path: "/search?q=ab", body: `{"q":"cd"}`, want: "400 unexpected_body"},
		hostile{method: "DELETE", path: "/projects/" + aliceProject, body: `{"force":true}`, want: "400 unexpected_body"},
		hostile{method: "POST", path: "/logout", body: `{"all":true}`, want: "400 unexpected_body"},
		hostile{method: "PUT", path: "/projects/" + aliceProject, body: `{}`, want: "405 method_not_allowed"},
		hostile{method: canary, path: "/projects", body: `{}`, want: "405 method_not_allowed"},
		hostile{method: "POST", path: "/" + canary, body: `{}`, want: "404 not_found"})
	return list
}

// Several hundred hostile requests: each is refused as it should be, none is a failure of the service, and none learns what
// it sent itself.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"TRUSTED_PROXIES": "127.0.0.0/8", "CALLER_LIMIT": "100000"})
	var all []hostile
	for _, route := range jsonRoutes {
		for _, h := range hostileJSON() {
			h.method, h.path = route.method, route.path
			all = append(all, h)
		}
	}
	all = append(append(all, hostileFields()...), hostileParameters()...)
	tokens := map[string]string{"alice": s.bearer(t, "alice"), "admin": s.bearer(t, "admin")}
	for i, h := range all {
		if h.method == "" {
			h.method = "POST"
		}
		// Each comes from an address of its own, since this is not about limits.
		fields := append([]string{fmt.Sprintf("X-Forwarded-For: 198.18.%d.%d", i/250, i%250+1)}, h.fields...)
		switch {
		case strings.HasPrefix(h.path, "/admin"):
			fields = append(fields, tokens["admin"])
		case !strings.HasPrefix(h.path, "/login") && !strings.HasPrefix(h.path, "/contact") && !strings.HasPrefix(h.path, "/search"):
			fields = append(fields, tokens["alice"])
		}
		r := s.do(t, h.method, h.path, h.body, fields...)
		at := fmt.Sprintf("%s %.80s %s %.60q", h.method, h.path, h.name, h.body)
		got := verdict(t, r)
		if got != h.want {
			t.Errorf("%s: got %s, want %s", at, got, h.want)
		}
		if strings.Contains(r.body, canary) || len(r.body) > 4<<10 {
			t.Errorf("%s: the response has %d bytes, or repeats the request: %.200s", at, len(r.body), r.body)
		}
		if r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("X-Request-Id") == "" || r.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got header %v", at, r.header)
		}
	}
	if len(all) < 700 {
		t.Errorf("only %d requests", len(all))
	}
	if strings.Contains(s.log.String(), `"level":"ERROR"`) {
		t.Error("the log has an error")
	}
	// The service is as it was.
	if r := s.do(t, "GET", "/projects/"+aliceProject, "", tokens["alice"]); r.status != http.StatusOK {
		t.Errorf("alice's project is gone: %d", r.status)
	}
	if user, err := s.store.User(t.Context(), "bob"); err != nil || user.Role != store.RoleMember {
		t.Errorf("bob is %+v, %v", user, err)
	}
}

// verdict writes a refusal as "400 invalid_body: /name=min, /summary=min".
func verdict(t *testing.T, r response) string {
	t.Helper()
	code, fields := refusal(t, r)
	if fields == "" {
		return fmt.Sprintf("%d %s", r.status, code)
	}
	return fmt.Sprintf("%d %s: %s", r.status, code, fields)
}
