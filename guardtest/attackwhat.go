package guardtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/routeguard/guard/checklist"
	"github.com/routeguard/guard/internal/input"
)

// serverOwnedNames are names that a client must not set, in the styles that are usual for them.
func serverOwnedNames() []string {
	names := []string{"role", "roles", "userId", "user_id", "ownerId", "owner_id", "tenantId", "tenant_id", "orgId", "accountId", "isAdmin", "is_admin",
		"permissions", "scopes", "status", "id", "createdBy", "createdAt", "updatedAt", "emailVerified", "passwordHash", "price", "balance",
		"OwnerID", "UserID", "Role", "__proto__", "_method"}
	for _, n := range input.ServerOwned() {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// payload is the valid request with its input taken apart; false where there is none.
func (a *attack) payload(s *service) (*request, bool) {
	r := a.valid(s, usual(a.route))
	if r == nil {
		return nil, false
	}
	if r.kind == "" && json.Valid(r.body) && len(r.body) > 0 { // a raw body of JSON
		var raw map[string]json.RawMessage
		if json.Unmarshal(r.body, &raw) != nil {
			return nil, false
		}
		for name, value := range raw {
			r.members = append(r.members, member{name: name, value: string(value)})
		}
		slices.SortFunc(r.members, func(a, b member) int { return strings.Compare(a.name, b.name) })
		r.kind, r.body = inJSON, nil
	}
	return r, r.kind != ""
}

// refuseInput sends the valid input with a change, which must be refused.
func (a *attack) refuseInput(what string, change func(*request)) {
	got := a.send(func(s *service) *request {
		r, ok := a.payload(s)
		if !ok {
			return nil
		}
		change(r)
		return r
	})
	if got.ok() {
		a.found("%s is accepted: %s", what, got)
	}
}

func (r *request) add(m ...member) { r.members = append(r.members, m...) }

// text is a text as a value of the request's kind.
func (r *request) text(s string) string {
	if r.kind == inJSON {
		return quote(s)
	}
	return s
}

// upper writes a text member in upper case, and reports whether that changes it.
func (r *request) upper(name string) bool {
	for i, m := range r.members {
		text := m.value
		if m.name != name || m.file != nil || r.kind == inJSON && json.Unmarshal([]byte(m.value), &text) != nil {
			continue
		}
		r.members[i].value = r.text(strings.ToUpper(text))
		return strings.ToUpper(text) != text
	}
	return false
}

// takes reports whether the contract has a field of a name, in any spelling.
func (a *attack) takes(name string) bool {
	return slices.ContainsFunc(a.route.What.Fields, func(f checklist.Field) bool { return strings.EqualFold(f.Name, name) })
}

// serverOwned adds each name that the server alone decides, at every level of the input.
func (a *attack) serverOwned() {
	a.clientFields(a.route.What.Fields)
	r, ok := a.payload(a.s)
	if !ok {
		return
	}
	for _, name := range serverOwnedNames() {
		if a.takes(name) {
			continue
		}
		a.refuseInput("an input with the name "+name, func(r *request) { r.add(member{name: name, value: a.ownedValue(r, name)}) })
	}
	if r.kind != inJSON {
		return
	}
	a.everyObject(a.route.What.Fields, r.members, func(at string, with func(extra string) []member) {
		for _, name := range []string{"role", "ownerId", "isAdmin"} {
			a.refuseInput("an input with the name "+name+" in "+at, func(r *request) { r.members = with(quote(name) + `:"admin"`) })
		}
	})
}

// clientFields reports names of the contract itself. On a route that asks for a role, setting
// such a field may be what it is for.
func (a *attack) clientFields(fields []checklist.Field) {
	for _, f := range fields {
		a.clientFields(f.Fields)
		if !f.Client {
			continue
		}
		if len(a.route.Who.Roles) > 0 {
			a.skip("%s, which clients may set: the route asks for a role", f.Pointer)
			continue
		}
		a.found(`clients may set %s (guard:"client") without a role`, f.Pointer)
	}
}

// ownedValue is a value that a lenient decoder would take for a name.
func (a *attack) ownedValue(r *request, name string) string {
	lower := strings.ToLower(name)
	switch {
	case strings.HasPrefix(lower, "is") || strings.Contains(lower, "admin") || strings.HasSuffix(lower, "verified"):
		return "true"
	case strings.HasSuffix(lower, "id") && a.s.Stranger.ID != "":
		return r.text(a.s.Stranger.ID)
	}
	return r.text("admin")
}

// everyObject visits the objects within a JSON input. With returns the members with
// something added to the object.
func (a *attack) everyObject(fields []checklist.Field, members []member, visit func(at string, with func(extra string) []member)) {
	for i, m := range members {
		at := slices.IndexFunc(fields, func(f checklist.Field) bool { return f.Name == m.name })
		if at < 0 || len(fields[at].Fields) == 0 {
			continue
		}
		before, inner, ok := strings.Cut(m.value, "{")
		if !ok || strings.Trim(before, "[ ") != "" {
			continue
		}
		visit(fields[at].Pointer, func(extra string) []member {
			all := slices.Clone(members)
			if rest := strings.TrimLeft(inner, " "); !strings.HasPrefix(rest, "}") {
				extra += ","
			}
			all[i].value = before + "{" + extra + inner
			return all
		})
	}
}

// unknownNames adds a name that nothing knows, and writes known ones otherwise.
func (a *attack) unknownNames() {
	r, ok := a.payload(a.s)
	if !ok {
		return
	}
	a.refuseInput("an input with an unknown name", func(r *request) { r.add(member{name: marker, value: r.text(marker)}) })
	a.refuseInput("an input with an empty name", func(r *request) { r.add(member{value: r.text(marker)}) })
	for i, m := range r.members {
		for _, other := range []string{strings.ToUpper(m.name), strings.ToUpper(m.name[:1]) + m.name[1:], m.name + " ", m.name + "[]", m.name + "\u0000"} {
			if other == m.name || a.takes(other) && other != strings.ToUpper(m.name) && !strings.EqualFold(other, m.name) {
				continue
			}
			a.refuseInput("a second "+m.name+" written "+fmt.Sprintf("%q", other), func(r *request) {
				again := r.members[i]
				again.name = other
				r.add(again)
			})
		}
	}
}

// repeatedNames sends each name twice.
func (a *attack) repeatedNames() {
	r, ok := a.payload(a.s)
	if !ok {
		return
	}
	for i, m := range r.members {
		f, known := a.field(m.name)
		if known && f.Repeated && r.kind != inJSON {
			continue
		}
		a.refuseInput(m.name+" twice", func(r *request) { r.add(r.members[i]) })
	}
}

func (a *attack) field(name string) (checklist.Field, bool) {
	i := slices.IndexFunc(a.route.What.Fields, func(f checklist.Field) bool { return f.Name == name })
	if i < 0 {
		return checklist.Field{}, false
	}
	return a.route.What.Fields[i], true
}

// wrongValues sends wrong types and what is beyond the rules of each field, and leaves out
// what is required.
func (a *attack) wrongValues() {
	r, ok := a.payload(a.s)
	if !ok {
		return
	}
	for _, f := range a.route.What.Fields {
		if f.In == "path" || f.In == "header" || f.In == "query" && r.kind != inQuery {
			continue // malformed ids and the query have attacks of their own
		}
		i := slices.IndexFunc(r.members, func(m member) bool { return m.name == f.Name })
		var given string
		if i >= 0 {
			given = r.members[i].value
		}
		for _, bad := range badValues(f, given, r.kind) {
			a.refuseInput(f.Pointer+" as "+bad.what, func(r *request) {
				r.members = slices.DeleteFunc(r.members, func(m member) bool { return m.name == f.Name })
				if !bad.absent {
					r.add(member{name: f.Name, value: bad.value, file: bad.file})
				}
			})
		}
	}
}

// brokenEncoding sends what is not the one well-formed document of its kind.
func (a *attack) brokenEncoding() {
	r, ok := a.payload(a.s)
	if !ok || r.kind == inQuery {
		return
	}
	if r.kind != inJSON {
		for _, body := range []string{"%zz=" + marker, marker + ";" + marker, "--" + marker, "\xff\xfe=", strings.Repeat("a=1&", 5000)} {
			a.refuseInput(fmt.Sprintf("the body %.40q", body), func(r *request) {
				r.finish()
				r.body = []byte(body)
			})
		}
		return
	}
	good := object(r.members)
	bodies := []string{" ", "null", "true", "1", `"` + marker + `"`, "[]", "[" + good + "]", good + good, good + marker, good + ",", "\ufeff" + good,
		good[:len(good)-1], good[:len(good)-1] + ",}", "{" + marker + ":1}", `{"` + marker, good + "//" + marker, good + "\x00",
		`{"` + marker + `":"` + "\xff" + `"}`, `{"a":1,"\u0061":1}`, `{"x":NaN}`, `{"x":0x10}`, `{"x":01}`, `{'x':1}`,
		`{"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, strings.Repeat(`{"x":`, 10_000), `{"x":"\ud800"}`}
	for _, body := range bodies {
		a.refuseInput(fmt.Sprintf("the body %.40q", body), func(r *request) {
			r.body = []byte(body)
			r.header.Set("Content-Type", "application/json")
		})
	}
	if len(r.members) == 0 {
		return
	}
	a.refuseInput("a value that is not UTF-8", func(r *request) { r.members[0].value = "\"\xff" + marker + "\"" })
	a.refuseInput("a body in UTF-16", func(r *request) {
		var b bytes.Buffer
		for _, c := range good {
			b.WriteByte(byte(c))
			b.WriteByte(0)
		}
		r.body = b.Bytes()
		r.header.Set("Content-Type", "application/json")
	})
}

// largest is the largest body that is sent.
const largest = 16 << 20

// oversize sends a byte more than the cap, and a body where none is taken.
func (a *attack) oversize() {
	maxBody := a.route.What.MaxBody
	for _, c := range a.route.Who.Credentials {
		if c.MaxBody > 0 {
			maxBody = min(maxBody, c.MaxBody)
		}
	}
	switch {
	case maxBody >= largest:
		a.skip("a body of more than %s", checklist.Size(maxBody))
		return
	case maxBody == 0:
		a.mustRefuse("a body where none is taken", func(_ *service, r *request) {
			r.body = []byte(`{"role":"admin","` + marker + `":1}`)
			r.finish()
			if r.kind == inQuery && r.query == "" {
				r.query = queryOf(r.members)
			}
			r.header.Set("Content-Type", "application/json")
		})
		return
	}
	for _, streamed := range []bool{false, true} {
		what := "a body over the cap"
		if streamed {
			what += " without a declared length"
		}
		got := a.mustRefuse(what, func(_ *service, r *request) {
			r.finish()
			body := slices.Concat(r.body, bytes.Repeat([]byte(" "), int(maxBody)+1-min(len(r.body), int(maxBody))))
			if r.body = body; streamed && !r.signed {
				r.body, r.stream = nil, bytes.NewReader(body)
			}
			if r.header.Get("Content-Type") == "" {
				r.header.Set("Content-Type", "application/json")
			}
		})
		if got.refused() && got.status != http.StatusRequestEntityTooLarge && a.route.Ending != checklist.Wrap {
			a.found("%s is answered %s, want 413", what, got)
		}
	}
}

// mediaTypes declares the valid body as something else.
func (a *attack) mediaTypes() {
	r, ok := a.payload(a.s)
	if !ok || r.kind == inQuery || a.route.What.Kind == "raw body" {
		return
	}
	types := []string{"", "text/plain", "text/html", "application/xml", "application/octet-stream", "application/json; charset=utf-16",
		"application/json, text/plain", "*/*", marker, "image/png"}
	if r.kind == inJSON {
		types = append(types, "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json")
	} else {
		types = append(types, "application/json")
	}
	for _, t := range types {
		a.refuseInput(fmt.Sprintf("the Content-Type %q", t), func(r *request) {
			r.finish()
			if r.header.Del("Content-Type"); t != "" {
				r.header.Set("Content-Type", t)
			}
		})
	}
	for _, coding := range []string{"gzip", "identity, gzip", marker} {
		a.refuseInput("the Content-Encoding "+coding, func(r *request) { r.header.Set("Content-Encoding", coding) })
	}
}

// queries adds what the query does not have.
func (a *attack) queries() {
	for _, extra := range []string{marker + "=1", "role=admin", "isAdmin=true", "userId=" + marker, "ownerId=" + marker, "_method=DELETE", "debug=1", "%zz", "a=1;b=2", "%00=1", "=" + marker} {
		if name, _, _ := strings.Cut(extra, "="); a.takes(name) {
			continue
		}
		a.mustRefuse("the query "+extra, func(_ *service, r *request) {
			r.finish()
			r.query = joinQuery(r.query, extra)
		})
	}
	for _, f := range a.route.What.Fields {
		if f.In != "query" || a.route.What.Kind == "Query" {
			continue
		}
		for _, bad := range badValues(f, "", inQuery) {
			if bad.absent {
				continue
			}
			a.mustRefuse(f.Pointer+" as "+bad.what, func(_ *service, r *request) {
				r.finish()
				r.query = queryOf([]member{{name: f.Name, value: bad.value}})
			})
		}
	}
}

// refusedInputs sends what the handler must refuse, all in the same words.
func (a *attack) refusedInputs() {
	for _, in := range a.s.Inputs {
		if !in.refused || in.pattern != a.route.Pattern {
			continue
		}
		with := func(value any) func(*service) *request {
			return func(s *service) *request {
				r, err := s.request(a.route, usual(a.route), Input{pattern: in.pattern, typ: in.typ, values: []any{value}})
				if err != nil {
					a.skip("%v", err)
					return nil
				}
				return r
			}
		}
		var first answer
		for i, value := range in.values {
			got := a.send(with(value))
			switch {
			case got.ok():
				a.found("input %d of Refused is accepted: %s", i+1, got)
			case i == 0:
				first = got
			case got.same() != first.same() && a.toldApart(with(in.values[0]), with(value)):
				a.found("input %d of Refused is told apart from the first: %s and %s", i+1, got, first)
			}
		}
	}
}

// hostileText fills each text that the rules leave free, and looks at how it is answered.
// What is accepted is no hole: it may be stored, and read by its owner.
func (a *attack) hostileText() {
	r, ok := a.payload(a.s)
	if !ok {
		return
	}
	for _, f := range a.route.What.Fields {
		i := slices.IndexFunc(r.members, func(m member) bool { return m.name == f.Name })
		if f.In != r.kind && !(f.In == inForm && r.kind == inMultipart) || !isText(f) || i >= 0 && r.members[i].file != nil {
			continue
		}
		for _, text := range []string{marker, marker + `'"--;<b>{{7*7}}${7*7}%s%n`, "../../" + marker, "\u202e" + marker, strings.Repeat(marker+" ", 100)} {
			a.send(func(s *service) *request {
				r, ok := a.payload(s)
				if !ok {
					return nil
				}
				r.set(f.Name, r.text(fit(f, text)))
				return r
			})
		}
	}
}

// set replaces or adds a member.
func (r *request) set(name, value string) {
	r.members = slices.DeleteFunc(r.members, func(m member) bool { return m.name == name })
	r.add(member{name: name, value: value})
}

// privateData asks for what belongs to somebody else, by a part of it.
func (a *attack) privateData() {
	r, ok := a.payload(a.s)
	if !ok {
		return
	}
	for _, victim := range []caller{owner, stranger, tenant} {
		by := usual(a.route)
		if same(victim.user(a.s), by.user(a.s)) || a.privileged(&request{by: by}) {
			continue
		}
		for _, secret := range victim.user(a.s).Secrets {
			for _, f := range a.route.What.Fields {
				if f.In == r.kind && isText(f) {
					a.ask(f, half(secret))
				}
			}
		}
	}
}

func (a *attack) ask(f checklist.Field, text string) {
	a.send(func(s *service) *request {
		r, ok := a.payload(s)
		if !ok {
			return nil
		}
		r.set(f.Name, r.text(fit(f, text)))
		return r
	})
}

// half is the first words of a text: something to search for, that is not the text itself.
func half(s string) string {
	words := strings.Fields(s)
	if len(words) > 1 {
		return strings.Join(words[:(len(words)+1)/2], " ")
	}
	return s[:(len(s)+1)/2]
}
