package input

import (
	"net/textproto"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fieldScope is where a struct's fields stand.
type fieldScope struct {
	sources []Source
	goPath  string // Go names from the input struct, for mistakes: "Items"
	prefix  string // Go names from the struct that the fields are flattened into: "Base."
	index   []int
}

// at names a field for a mistake.
func (s fieldScope) at(name string) string {
	at := s.prefix + name
	if s.goPath != "" {
		at = s.goPath + "." + at
	}
	return at
}

// fields compiles the fields of t into s, flattening embedded structs.
func (c *compiler) fields(s *structNode, t reflect.Type, scope fieldScope) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(slices.Clone(scope.index), i)
		if flattens(sf) {
			inner := scope
			inner.prefix += sf.Name + "."
			inner.index = index
			c.embedded(s, sf, inner, scope.at(sf.Name))
			continue
		}
		if f := c.field(sf, scope); f != nil {
			f.index = index
			f.goPath = scope.prefix + sf.Name
			f.ord = len(s.fields)
			s.fields = append(s.fields, f)
		}
	}
}

// embedded compiles the fields of an embedded struct, and remembers the rules on the struct itself.
func (c *compiler) embedded(s *structNode, sf reflect.StructField, inner fieldScope, at string) {
	for _, tag := range []string{"normalize", "default", "guard", "file"} {
		if _, ok := sf.Tag.Lookup(tag); ok {
			c.mistake(at, "%s: an embedded struct is no field: write it on its fields", tag)
		}
	}
	for _, source := range allSources {
		if sf.Tag.Get(string(source)) == "-" {
			c.mistake(at, `%s:"-" does not leave an embedded struct out: embed only what clients may send`, source)
		}
	}
	f := &field{goName: sf.Name, goPath: strings.TrimSuffix(inner.prefix, "."), index: inner.index, typ: sf.Type, node: &node{op: opStruct, typ: sf.Type}}
	c.ruleTag(f, sf.Tag, at)
	if f.level != nil {
		s.embedded = append(s.embedded, f)
	}
	s.opaque = s.opaque || f.validate != "" || standsForAnother(sf.Type)
	c.fields(s, sf.Type, inner)
}

// flattens reports whether the fields of sf belong to the struct that embeds it.
func flattens(sf reflect.StructField) bool {
	return sf.Anonymous && sf.Type.Kind() == reflect.Struct && !isLeaf(sf.Type) && len(tagSources(sf.Tag)) == 0
}

// tagSources lists the sources that a tag names.
func tagSources(tag reflect.StructTag) []Source {
	var found []Source
	for _, s := range allSources {
		if v, ok := tag.Lookup(string(s)); ok && v != "-" {
			found = append(found, s)
		}
	}
	return found
}

// field compiles one field, or returns nil after reporting why it cannot be one.
func (c *compiler) field(sf reflect.StructField, scope fieldScope) *field {
	at := scope.at(sf.Name)
	sources := tagSources(sf.Tag)
	switch {
	case sf.Anonymous && sf.Type.Kind() == reflect.Pointer && len(sources) == 0:
		c.mistake(at, "embeds a pointer, which may be nil: write %s", sf.Type.Elem())
		return nil
	case !sf.IsExported():
		if len(sources) > 0 {
			c.mistake(at, "has a %s tag but is not exported: write its name with a capital letter", sources[0])
		}
		return nil
	case len(sources) == 0:
		c.mistake(at, "has no source: write %s", sourceHint(scope.sources))
		return nil
	case len(sources) > 1:
		c.mistake(at, "has two sources, %s and %s: write one of them", sources[0], sources[1])
		return nil
	case !slices.Contains(scope.sources, sources[0]):
		c.mistake(at, "%s is not read here: write %s", sources[0], sourceHint(scope.sources))
		return nil
	}
	f := &field{goName: sf.Name, source: sources[0], typ: sf.Type}
	name, wrong := fieldName(f.source, sf.Tag.Get(string(f.source)))
	if wrong != "" {
		c.mistake(at, "%s", wrong)
		return nil
	}
	f.name, f.pointer = name, string(f.source)+"/"+name
	if f.inBody() {
		f.pointer = "/" + pointerToken(name)
	}
	f.normalize = sf.Tag.Get("normalize")
	f.def, f.hasDef = sf.Tag.Lookup("default")
	c.guardTag(f, sf.Tag, at)
	c.owned(f, at)
	c.ruleTag(f, sf.Tag, at)
	opts := nodeOptions{norm: c.normalizeTag(sf, at), any: f.any, level: f.level}
	c.fileTag(f, sf.Tag, at)
	if f.source == FromJSON {
		f.node = c.jsonNode(sf.Type, opts, at)
	} else {
		f.node = c.textNode(sf.Type, f, opts, at)
	}
	if f.node == nil {
		return nil
	}
	if f.any != 0 && !f.node.takesAny() {
		c.mistake(at, "guard: any is for any, json.RawMessage and collections of them, not for %s: leave it out", f.typ)
	}
	c.defaultTag(f, at)
	return f
}

// sourceHint writes the tags that a field may have.
func sourceHint(sources []Source) string {
	var tags []string
	for _, s := range sources {
		tags = append(tags, string(s)+`:"name"`)
	}
	if len(tags) < 2 {
		return strings.Join(tags, "")
	}
	return strings.Join(tags[:len(tags)-1], ", ") + " or " + tags[len(tags)-1]
}

// fieldName reads the caller's name for a field out of a source tag. The second result is a mistake.
func fieldName(source Source, tag string) (name, mistake string) {
	name, options, _ := strings.Cut(tag, ",")
	if name == "" {
		return "", string(source) + " has no name: write " + string(source) + `:"name"`
	}
	if options != "" {
		if source != FromJSON {
			return "", string(source) + " takes no options: write the name alone"
		}
		for _, o := range strings.Split(options, ",") {
			if o != "omitempty" && o != "omitzero" {
				return "", "json option " + o + " would change what is accepted: write the name alone, or omitempty or omitzero"
			}
		}
	}
	if !plainName(name) {
		return "", string(source) + " name has a character that needs quoting: write letters, digits and . _ - $ @ : [ ]"
	}
	if source == FromPath && !isIdentifier(name) {
		return "", "path name is not one that a pattern can have: write letters, digits and _"
	}
	if source == FromHeader {
		return textproto.CanonicalMIMEHeaderKey(name), headerMistake(name)
	}
	return name, ""
}

// plainName reports whether a name can stand in every place where names stand, unquoted and unescaped.
func plainName(name string) bool {
	if !utf8.ValidString(name) || len(name) > 128 {
		return false
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-$@:[]/~ ", r) {
			return false
		}
	}
	return strings.TrimSpace(name) == name
}

// isIdentifier reports whether a name can be a wildcard of http.ServeMux.
func isIdentifier(name string) bool {
	for i, r := range name {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return name != ""
}

// headerMistake refuses header fields that net/http keeps for itself.
func headerMistake(name string) string {
	for _, r := range name {
		if r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' {
			return "header name is not a header field name: write letters, digits and -"
		}
	}
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection", "Content-Type", "Content-Encoding":
		return "header " + name + " belongs to the framing of the message: leave the field out"
	}
	return ""
}

// guardTag reads guard:"client" and guard:"any=200".
func (c *compiler) guardTag(f *field, tag reflect.StructTag, at string) {
	text, ok := tag.Lookup("guard")
	if !ok {
		return
	}
	for _, word := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(word, "=")
		switch {
		case word == "client":
			f.client = true
		case key == "any":
			n, err := parseCount(value)
			if err != nil {
				c.mistake(at, `guard: any needs a bound: write guard:"any=200" with the largest number of JSON values`)
				continue
			}
			f.any = n
		default:
			c.mistake(at, `guard: %q is unknown: write guard:"client" or guard:"any=200"`, word)
		}
	}
}

// ruleTag reads the validate tag. What it says is checked later, against the types.
func (c *compiler) ruleTag(f *field, tag reflect.StructTag, at string) {
	f.validate = tag.Get("validate")
	if f.validate == "" || f.validate == "-" {
		return
	}
	c.rules = true
	l, err := parseLevel(f.validate)
	if err != nil {
		c.mistake(at, "%v", err)
		return
	}
	f.level = l
	f.required = l.has("required")
}

// normalizeTag reads the normalize tag.
func (c *compiler) normalizeTag(sf reflect.StructField, at string) normalizer {
	tag, ok := sf.Tag.Lookup("normalize")
	if !ok {
		return 0
	}
	n, err := parseNormalize(tag)
	if err != nil {
		c.mistake(at, "%v", err)
		return 0
	}
	if !holdsText(sf.Type) {
		c.mistake(at, "normalize: %s is not text: write it on a string, a pointer to one, or a slice or map of them", sf.Type)
		return 0
	}
	return n
}

// defaultTag checks the default against the type and the rules.
func (c *compiler) defaultTag(f *field, at string) {
	if !f.hasDef {
		return
	}
	switch {
	case f.source != FromQuery && f.source != FromHeader && f.source != FromForm:
		c.mistake(at, "default: %s fields have none: write it on a query, header or form field", f.source)
		return
	case f.node.op == opSlice || f.node.op == opOptional || f.node.op == opFile:
		c.mistake(at, "default: %s takes none: write a single value type", f.typ)
		return
	}
	v := reflect.New(f.typ).Elem()
	if p := f.node.setText(v, f.def); p != nil {
		c.mistake(at, "default: %q does not fit %s: write a value that %s", f.def, f.typ, p.message)
	}
}
