package guardtest

import (
	"bytes"
	"cmp"
	"encoding"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
)

// member is one name and value of an input: JSON text, a text, or a file.
type member struct {
	name, value string
	file        *upload
}

type upload struct {
	name, mediaType string
	content         []byte
}

// The kinds of members.
const (
	inJSON      = "json"
	inForm      = "form"
	inMultipart = "multipart"
	inQuery     = "query"
)

// encode takes an input apart into the members, headers and path values of a request.
func (r *request) encode(what checklist.What, value any) error {
	v := reflect.ValueOf(value)
	switch what.Kind {
	case "JSON":
		r.kind = inJSON
		if len(what.MediaTypes) > 0 && !slices.Contains(what.MediaTypes, "application/json") {
			r.mediaType = strings.Replace(what.MediaTypes[0], "*", "vnd.test", 1)
		}
	case "Form":
		r.kind = inForm
		if !slices.Contains(what.MediaTypes, "application/x-www-form-urlencoded") {
			r.kind = inMultipart
		}
	default:
		r.kind = inQuery
	}
	var pairs []member
	for _, f := range what.Fields {
		field, ok := fieldOf(v, f)
		if !ok || field.IsZero() {
			continue
		}
		members, err := membersOf(field, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Pointer, err)
		}
		switch f.In {
		case "path":
			r.ids[f.Name] = members[0].value
		case "header":
			r.header.Set(f.Name, members[0].value)
		case "query":
			pairs = append(pairs, members...)
		default:
			r.members = append(r.members, members...)
		}
	}
	if r.kind == inQuery {
		r.members = pairs
		return nil
	}
	r.query = queryOf(pairs)
	return nil
}

// fieldOf finds the Go field of a description.
func fieldOf(v reflect.Value, f checklist.Field) (reflect.Value, bool) {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get(f.In), ",")
		if f.In == "header" {
			name = textproto.CanonicalMIMEHeaderKey(name)
		}
		switch {
		case name == f.Name && sf.IsExported():
			return v.Field(i), true
		case sf.Anonymous && sf.Type.Kind() == reflect.Struct && name == "":
			if found, ok := fieldOf(v.Field(i), f); ok {
				return found, true
			}
		}
	}
	return reflect.Value{}, false
}

func membersOf(v reflect.Value, f checklist.Field) ([]member, error) {
	if f.In == inJSON {
		text, err := jsonOf(v.Interface())
		return []member{{name: f.Name, value: text}}, err
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8 {
		var all []member
		for i := range v.Len() {
			one, err := membersOf(v.Index(i), f)
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	}
	if file, ok := v.Interface().(guard.File); ok {
		u, err := uploadOf(file)
		return []member{{name: f.Name, file: u}}, err
	}
	text, err := textOf(v)
	return []member{{name: f.Name, value: text}}, err
}

// jsonOf leaves zero fields out, since an explicit null is refused.
func jsonOf(v any) (string, error) {
	b, err := json.Marshal(v, json.OmitZeroStructFields(true), json.Deterministic(true),
		json.WithMarshalers(json.MarshalFunc(func(d time.Duration) ([]byte, error) { return []byte(`"` + d.String() + `"`), nil })))
	return string(b), err
}

// textOf is a value as a parameter or form field has it.
func textOf(v reflect.Value) (string, error) {
	switch t := v.Interface().(type) {
	case time.Duration:
		return t.String(), nil
	case encoding.TextMarshaler:
		b, err := t.MarshalText()
		return string(b), err
	}
	switch v.Kind() {
	case reflect.Struct: // an Optional
		text, err := jsonOf(v.Interface())
		return strings.Trim(text, `"`), err
	case reflect.Slice, reflect.Map, reflect.Func, reflect.Chan:
		return "", fmt.Errorf("a %s has no form as text here", v.Type())
	}
	return fmt.Sprint(v.Interface()), nil
}

func uploadOf(f guard.File) (*upload, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	return &upload{f.Name(), f.ContentType(), content}, err
}

// finish writes the members into the body or the query.
func (r *request) finish() {
	var contentType string
	switch {
	case r.body != nil || r.stream != nil || r.kind == "":
		return
	case r.kind == inQuery:
		if r.query == "" {
			r.query = queryOf(r.members)
		}
		return
	case r.kind == inJSON:
		r.body, contentType = []byte(object(r.members)), cmp.Or(r.mediaType, "application/json")
	case r.kind == inForm:
		r.body, contentType = []byte(queryOf(r.members)), "application/x-www-form-urlencoded"
	case r.kind == inMultipart:
		r.body, contentType = multipartOf(r.members)
	}
	if _, ok := r.header["Content-Type"]; !ok {
		r.header.Set("Content-Type", contentType)
	}
}

// object is members as a JSON object, repeated ones included.
func object(members []member) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(m.name) + ":" + m.value)
	}
	return b.String() + "}"
}

// quote is a JSON string.
func quote(s string) string {
	b, _ := json.Marshal(s) // what is no UTF-8 is not quoted here
	return string(b)
}

func queryOf(members []member) string {
	var pairs []string
	for _, m := range members {
		pairs = append(pairs, url.QueryEscape(m.name)+"="+url.QueryEscape(m.value))
	}
	return strings.Join(pairs, "&")
}

func multipartOf(members []member) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, m := range members {
		h := textproto.MIMEHeader{}
		disposition := fmt.Sprintf(`form-data; name="%s"`, escapeQuotes(m.name))
		content := []byte(m.value)
		if m.file != nil {
			disposition += fmt.Sprintf(`; filename="%s"`, escapeQuotes(m.file.name))
			content = m.file.content
			h.Set("Content-Type", m.file.mediaType)
		}
		h.Set("Content-Disposition", disposition)
		part, _ := w.CreatePart(h) // a bytes.Buffer takes everything
		_, _ = part.Write(content)
	}
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

func escapeQuotes(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "%0D", "\n", "%0A").Replace(s)
}

// clone is a copy that an attack may change.
func (r *request) clone() *request {
	c := *r
	c.header = r.header.Clone()
	if c.header == nil {
		c.header = http.Header{}
	}
	c.members = slices.Clone(r.members)
	c.ids = map[string]string{}
	for k, v := range r.ids {
		c.ids[k] = v
	}
	c.rawIDs = nil
	return &c
}
