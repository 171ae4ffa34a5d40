package input

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The problems of JSON bodies.
var (
	emptyBody      = &problem{code: "required", message: "must not be empty"}
	badJSON        = &problem{code: "syntax", message: "is not valid JSON"}
	byteOrderMark  = &problem{code: "encoding", message: "must be JSON in UTF-8 without a byte order mark"}
	notUTF8        = &problem{code: "encoding", message: "must be JSON in valid UTF-8"}
	trailingData   = &problem{code: "trailing_data", message: "must be one JSON object with nothing after it"}
	duplicateField = &problem{code: "duplicate_field", message: "is given more than once"}
	duplicateName  = &problem{code: "duplicate_field", message: "has a field that is given more than once"}
	unknownField   = &problem{code: "unknown_field", message: "has an unknown field"}
	notNull        = &problem{code: "null", message: "must not be null"}
	tooDeep        = &problem{code: "too_deep", message: "is nested too deeply", param: strconv.Itoa(MaxDepth)}
	longKey        = &problem{code: "key_length", message: "has a key that is too long", param: strconv.Itoa(MaxKeyBytes)}
)

// jsonDecoder walks a JSON body along the compiled plan. jsontext judges the syntax: grammar, UTF-8, surrogates and
// duplicate names. The walk judges everything else, so that each decision stands in one place and names the field.
//
// A problem of one value is recorded and the walk goes on behind it; a problem of the syntax ends it. The methods
// return false when the walk has ended.
type jsonDecoder struct {
	dec     jsontext.Decoder
	src     bytes.Buffer
	body    []byte
	path    []frame
	scratch []byte
	texts   []string   // made together
	used    int        // how many of texts are pointed to
	budget  int        // JSON values left for the any field being decoded
	out     *collector // the scratch's own
}

// decode decodes a whole body into the struct v.
func (d *jsonDecoder) decode(body []byte, n *structNode, v reflect.Value) {
	d.body = body
	d.src = *bytes.NewBuffer(body)
	d.dec.Reset(&d.src)
	switch d.dec.PeekKind() {
	case '{':
	case 0:
		d.startSyntax()
		return
	default:
		if err := d.dec.SkipValue(); err != nil {
			d.syntax(err) // "name=x" begins like null and is no JSON at all
			return
		}
		d.fail(notObject)
		return
	}
	if !d.object(n, v) {
		return
	}
	if _, err := d.dec.ReadToken(); err != io.EOF {
		d.fail(trailingData)
	}
}

// release forgets the body. What dec still holds of it is wiped with the scratch, and decode resets it before it reads.
func (d *jsonDecoder) release() {
	d.src = bytes.Buffer{}
	d.body, d.texts, d.used = d.body[:0], nil, 0
	clear(d.path[:cap(d.path)])
	clear(d.scratch[:cap(d.scratch)])
	d.path, d.scratch = d.path[:0], d.scratch[:0]
}

// fail records a problem at the current place and ends the walk.
func (d *jsonDecoder) fail(p *problem) bool {
	d.out.add(d.path, p)
	return false
}

// note records a problem of the next value and skips it.
func (d *jsonDecoder) note(p *problem) bool {
	if !d.out.add(d.path, p) {
		return false
	}
	if err := d.dec.SkipValue(); err != nil {
		return d.syntax(err)
	}
	return true
}

// noted records a problem, if there is one, of a value that was read.
func (d *jsonDecoder) noted(p *problem) bool {
	return p == nil || d.out.add(d.path, p)
}

// startSyntax explains a body that does not begin with a value.
func (d *jsonDecoder) startSyntax() {
	d.path = d.path[:0]
	switch {
	case len(bytes.TrimLeft(d.body, " \t\r\n")) == 0:
		d.fail(emptyBody)
	case bytes.HasPrefix(d.body, []byte("\xef\xbb\xbf")):
		d.fail(byteOrderMark)
	case !utf8.Valid(d.body):
		d.fail(notUTF8)
	default:
		d.fail(badJSON)
	}
}

// syntax reports what jsontext refused. The problem is the whole body's, whose other parts mean nothing without it.
func (d *jsonDecoder) syntax(err error) bool {
	if _, duplicate := duplicated(err); duplicate {
		return d.fail(duplicateName)
	}
	p := badJSON
	if !utf8.Valid(d.body) {
		p = notUTF8
	}
	d.path = d.path[:0]
	return d.fail(p)
}

// name reads the next member name of an object. The result is valid until the next read.
func (d *jsonDecoder) name() ([]byte, error) {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	return d.unquote(raw)
}

// unquote returns the content of a JSON string, valid until the next call.
func (d *jsonDecoder) unquote(raw jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	var err error
	d.scratch, err = jsontext.AppendUnquote(d.scratch[:0], raw)
	return d.scratch, err
}

// open enters an object or array.
func (d *jsonDecoder) open() bool {
	if _, err := d.dec.ReadToken(); err != nil {
		return d.syntax(err)
	}
	if d.dec.StackDepth() > MaxDepth {
		return d.fail(tooDeep)
	}
	return true
}

// more reports whether the open object or array has another element. At its end it is closed.
func (d *jsonDecoder) more(end jsontext.Kind) (more, ok bool) {
	if d.dec.PeekKind() != end {
		return true, true
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return false, d.syntax(err)
	}
	return false, true
}

// object decodes an object into a struct.
func (d *jsonDecoder) object(n *structNode, v reflect.Value) bool {
	if !d.open() {
		return false
	}
	for next := 0; ; {
		if more, ok := d.more('}'); !more {
			return ok
		}
		f, err := d.member(n, next)
		if err != nil {
			return d.nameError(n, err)
		}
		if f == nil {
			if !d.note(unknownField) {
				return false
			}
			continue
		}
		next = f.slot + 1
		d.path = append(d.path, frame{field: f})
		d.budget = f.any
		if !d.value(f.node, f.in(v)) {
			return false
		}
		d.path = d.path[:len(d.path)-1]
	}
}

// member reads the next member name of an object and finds its field, nil where there is none. Most bodies have them in the
// order of the struct, so that the one at next is tried first.
func (d *jsonDecoder) member(n *structNode, next int) (*field, error) {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if next < len(n.members) && n.members[next].name == string(raw[1:len(raw)-1]) {
		return n.members[next], nil // no field has a name that JSON escapes
	}
	name, err := d.unquote(raw)
	if err != nil {
		return nil, err
	}
	return n.byName[string(name)], nil
}

// nameError reports a bad member name. A repeated one is named when it is one of the developer's.
func (d *jsonDecoder) nameError(n *structNode, err error) bool {
	if at, duplicate := duplicated(err); duplicate {
		if f, known := n.byName[at.LastToken()]; known {
			d.path = append(d.path, frame{field: f})
			return d.fail(duplicateField)
		}
	}
	return d.syntax(err)
}

// duplicated reports whether err is about a repeated member name, and where that stands.
func duplicated(err error) (jsontext.Pointer, bool) {
	syntactic, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok || syntactic.Err != jsontext.ErrDuplicateName {
		return "", false
	}
	return syntactic.JSONPointer, true
}

// mismatch is the problem of a value that is not of the JSON kind that a node wants.
func (n *node) mismatch() *problem {
	switch n.op {
	case opBool:
		return notBool
	case opInt:
		return notInt
	case opUint:
		return notUint
	case opFloat:
		return notFloat
	case opSlice, opArray:
		return notArray
	case opStruct, opMap:
		return notObject
	}
	return notString
}

// wants reports whether a node takes JSON values that begin with kind.
func (n *node) wants(kind jsontext.Kind) bool {
	switch n.op {
	case opBool:
		return kind == 't' || kind == 'f'
	case opInt, opUint, opFloat:
		return kind == '0'
	case opSlice, opArray:
		return kind == '['
	case opStruct, opMap:
		return kind == '{'
	case opPointer, opOptional, opAny, opRaw, opCustom:
		return true
	}
	return kind == '"'
}

// value decodes the next value into v.
func (d *jsonDecoder) value(n *node, v reflect.Value) bool {
	kind := d.dec.PeekKind()
	switch {
	case kind == 'n' && n.op != opOptional && n.op != opAny && n.op != opRaw:
		return d.note(notNull)
	case kind == 0, kind == '}', kind == ']':
		_, err := d.dec.ReadValue()
		return d.syntax(err)
	case !n.wants(kind):
		return d.note(n.mismatch())
	}
	switch n.op {
	case opPointer:
		return d.pointer(n, v)
	case opOptional:
		return d.optional(n, v, kind)
	case opStruct:
		return d.object(n.st, v)
	case opSlice:
		return d.slice(n, v)
	case opArray:
		return d.array(n, v)
	case opMap:
		return d.mapping(n, v)
	case opAny:
		return d.any(n, v)
	case opRaw:
		return d.raw(n, v)
	case opCustom:
		return d.custom(v)
	}
	return d.scalar(n, v)
}

// scalar decodes a string, number or boolean.
func (d *jsonDecoder) scalar(n *node, v reflect.Value) bool {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return d.syntax(err)
	}
	switch n.op {
	case opBool:
		v.SetBool(raw[0] == 't')
		return true
	case opInt:
		return d.noted(setInt(v, string(raw)))
	case opUint:
		return d.noted(setUint(v, string(raw)))
	case opFloat:
		return d.noted(setFloat(v, string(raw)))
	}
	text, err := d.unquote(raw)
	if err != nil {
		return d.syntax(err)
	}
	if d.unread(n) {
		return true
	}
	// The string is a copy: it never aliases the pooled buffer.
	if n.op == opBytes {
		return d.noted(n.setBase64(v, string(text)))
	}
	return d.noted(n.setText(v, n.copied(text)))
}

// unread reports whether nobody will read the text of a node: the body is refused already, and no check is left.
func (d *jsonDecoder) unread(n *node) bool {
	return d.out.hard && n.op == opString && len(n.checks) == 0
}

// copied makes a string of text. For a word that a rule expects there is one already.
func (n *node) copied(text []byte) string {
	for _, w := range n.words {
		if w == string(text) {
			return w
		}
	}
	return string(text)
}

// pointer decodes a value into a new variable.
func (d *jsonDecoder) pointer(n *node, v reflect.Value) bool {
	if d.unread(n.elem) {
		return d.value(n.elem, v) // which leaves v alone
	}
	if n.batch == 0 {
		p := reflect.New(n.typ.Elem())
		v.Set(p)
		return d.value(n.elem, p.Elem())
	}
	if d.used == len(d.texts) {
		d.texts, d.used = make([]string, n.batch), 0
	}
	p := reflect.ValueOf(&d.texts[d.used])
	d.used++
	v.Set(p)
	return d.value(n.elem, p.Elem())
}

func (d *jsonDecoder) optional(n *node, v reflect.Value, kind jsontext.Kind) bool {
	o := v.Addr().Interface().(optional)
	if kind == 'n' {
		if _, err := d.dec.ReadToken(); err != nil {
			return d.syntax(err)
		}
		o.mark(optionalNull)
		return true
	}
	o.mark(optionalValue)
	return d.value(n.elem, o.target())
}

// custom hands a value to the type's own UnmarshalJSON or UnmarshalJSONFrom. It gets a copy, since it might keep it.
func (d *jsonDecoder) custom(v reflect.Value) bool {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return d.syntax(err)
	}
	if _, depth := measure(raw); d.dec.StackDepth()+depth > MaxDepth {
		return d.fail(tooDeep)
	}
	if json.Unmarshal(bytes.Clone(raw), v.Addr().Interface(), json.RejectUnknownMembers(true)) != nil {
		return d.noted(notFormat)
	}
	return true
}
