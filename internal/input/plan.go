package input

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/go-playground/validator/v10"
)

// Kind is what a route takes: the answer to "what payload is allowed".
type Kind int

// The kinds. The zero Kind is None, which takes nothing.
const (
	None  Kind = iota // no query, no body
	Query             // query, path and header fields; no body
	JSON              // a JSON object as body, and query, path and header fields
	Form              // an urlencoded or multipart body, and query, path and header fields
	Raw               // a body that the handler reads itself under a cap; no fields
)

// Source is where a field comes from.
type Source string

// The sources, which are also the names of the struct tags.
const (
	FromJSON   Source = "json"
	FromForm   Source = "form"
	FromQuery  Source = "query"
	FromPath   Source = "path"
	FromHeader Source = "header"
)

// allSources are the sources in the order in which mistakes name them.
var allSources = []Source{FromJSON, FromForm, FromQuery, FromPath, FromHeader}

// Config says what Compile compiles for. The zero Config is for a route without input.
type Config struct {
	Kind Kind
	// MaxBody is the largest body in bytes. Zero is DefaultJSONBody for JSON, DefaultFormBody plus what the
	// file fields may hold for Form; Raw must say it.
	MaxBody int64
	// MediaTypes are the media types that JSON takes, such as "application/merge-patch+json" or "application/*+json".
	// Empty is application/json alone.
	MediaTypes []string
	// Validate judges the validate tags. Nil is this package's own instance, which has the rules of RegisterRules.
	// A service's own instance must be complete before Compile, and is not changed.
	Validate *validator.Validate
}

// Plan is a compiled input type. It is immutable and safe for concurrent use.
type Plan struct {
	typ      reflect.Type
	kind     Kind
	root     *structNode
	query    []*field
	path     []*field
	header   []*field
	byQuery  map[string]*field
	files    []*field
	maxBody  int64
	maxText  int64 // how much of a multipart body may be anything but file content
	media    []mediaRange
	usual    string // the first media type that is no range and takes no parameters, as nearly all requests spell it
	validate *validator.Validate
	rules    bool // something may have to be validated
	natives  natives
	keep     bool
	pool     *sync.Pool // of *scratch
}

// Compile turns a struct type into a Plan, or joins every mistake in one error.
//
// The mistakes are the developer's: a field without a source or with two, an unknown tag or rule, a rule on a type that it
// cannot judge, a name that is the server's to set. Rules are called with sample values to find them, so a rule that
// a service registers must cope with any value and have no side effect.
func Compile(t reflect.Type, c Config) (*Plan, error) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("input type %v: not a struct: write a struct type", t)
	}
	if c.Kind < None || c.Kind > Raw {
		return nil, fmt.Errorf("kind %d: unknown: write one of None, Query, JSON, Form, Raw", c.Kind)
	}
	p := &Plan{typ: t, kind: c.Kind, validate: c.Validate}
	if p.validate == nil {
		p.validate = shared()
	}
	k := &compiler{plan: p, nested: map[reflect.Type]*structNode{}}
	p.root = k.top(t)
	k.spreadHooks(p.root)
	k.bounds(c)
	k.probe()
	if err := errors.Join(k.mistakes...); err != nil {
		return nil, err
	}
	p.rules = c.Validate != nil || k.rules
	if c.Validate == nil && p.rules {
		p.natives = compileNatives(p.root, p.validate)
	}
	p.pool = &sync.Pool{New: func() any { return newScratch() }}
	return p, nil
}

// MaxBody returns the largest body in bytes, zero for a kind without a body.
func (p *Plan) MaxBody() int64 { return p.maxBody }

// MediaTypes returns the media types that the body may have. Nil means that none is checked.
func (p *Plan) MediaTypes() []string {
	var types []string
	for _, m := range p.media {
		types = append(types, m.String())
	}
	return types
}

// PathNames returns the wildcards that the route's pattern must have.
func (p *Plan) PathNames() []string {
	var names []string
	for _, f := range p.path {
		names = append(names, f.name)
	}
	return names
}

// KeepingBody returns a copy of p whose Decode keeps the body for a wrapped handler.
func (p *Plan) KeepingBody() *Plan {
	keeping := *p
	keeping.keep = true
	return &keeping
}

// field is one compiled struct field.
type field struct {
	goName    string // its own Go name
	goPath    string // its Go names from the struct that it is flattened into: "Base.Name"
	name      string // the name that callers know
	pointer   string // of the field within its struct: "/name", or "query/limit"
	source    Source
	index     []int
	ord       int
	typ       reflect.Type
	node      *node
	level     *level // parsed validate tag; nil without rules
	validate  string
	normalize string
	def       string
	hasDef    bool
	client    bool
	any       int // guard:"any=…"
	required  bool
	file      *fileRule
	slot      int // position among the fields of its source, for presence tracking
}

func (f *field) inBody() bool { return f.source == FromJSON || f.source == FromForm }

// in returns the field of the struct v. Embedded structs stand in it by value, so that there is no nil on the way.
func (f *field) in(v reflect.Value) reflect.Value {
	for _, i := range f.index {
		v = v.Field(i)
	}
	return v
}

// structNode is a compiled struct: its own fields and those of the structs embedded in it.
type structNode struct {
	typ     reflect.Type
	fields  []*field
	byName  map[string]*field // body fields by the caller's name
	members []*field          // the same by slot
	// embedded are the structs that it flattens and that have rules of their own.
	embedded []*field
	opaque   bool // validator judges one of the embedded structs otherwise than its fields one by one
	hooks    []hook
	hooked   bool // it or something below it has a Validate method
}

// compiler gathers mistakes while it builds a Plan.
type compiler struct {
	plan     *Plan
	nested   map[reflect.Type]*structNode
	mistakes []error
	rules    bool
}

func (c *compiler) mistake(at, format string, args ...any) {
	c.mistakes = append(c.mistakes, fmt.Errorf("field %s: %s", at, fmt.Sprintf(format, args...)))
}

// sourcesOf lists what each kind reads.
var sourcesOf = map[Kind][]Source{
	Query: {FromQuery, FromPath, FromHeader},
	JSON:  {FromJSON, FromQuery, FromPath, FromHeader},
	Form:  {FromForm, FromQuery, FromPath, FromHeader},
}

// top compiles the input struct itself.
func (c *compiler) top(t reflect.Type) *structNode {
	p := c.plan
	s := &structNode{typ: t, byName: map[string]*field{}}
	if ptr := reflect.PointerTo(t); ptr.Implements(json1Type) || ptr.Implements(json2Type) || ptr.Implements(textType) {
		c.mistakes = append(c.mistakes, fmt.Errorf(
			"input type %v: has its own UnmarshalJSON or UnmarshalText, which would not be called: write a struct without them", t))
	}
	if (p.kind == None || p.kind == Raw) && t.NumField() > 0 {
		c.mistakes = append(c.mistakes, fmt.Errorf(
			"input type %v: has fields, but nothing is decoded: write struct{}, or answer with Query, JSON or Form", t))
		return s
	}
	c.fields(s, t, fieldScope{sources: sourcesOf[p.kind]})
	p.byQuery = map[string]*field{}
	seen := map[string]*field{}
	for _, f := range s.fields {
		key := string(f.source) + " " + f.name
		if other := seen[key]; other != nil {
			c.mistake(f.goPath, "%s:%q is also the source of %s: write another name", f.source, f.name, other.goPath)
		}
		seen[key] = f
		c.place(s, f)
	}
	s.batchTexts()
	c.hooks(s)
	if p.kind == JSON && len(s.byName) == 0 {
		c.mistakes = append(c.mistakes, fmt.Errorf("input type %v: has no json field: write Query instead of JSON", t))
	}
	if p.kind == Form && len(s.byName) == 0 {
		c.mistakes = append(c.mistakes, fmt.Errorf("input type %v: has no form field: write Query instead of Form", t))
	}
	return s
}

// place enters a top-level field in the table of its source.
func (c *compiler) place(s *structNode, f *field) {
	p := c.plan
	switch f.source {
	case FromQuery:
		f.slot = len(p.query)
		p.query = append(p.query, f)
		p.byQuery[f.name] = f
	case FromPath:
		p.path = append(p.path, f)
	case FromHeader:
		p.header = append(p.header, f)
	default:
		f.slot, s.byName[f.name] = len(s.members), f
		s.members = append(s.members, f)
	}
	if f.file != nil {
		p.files = append(p.files, f)
	}
}

// bounds checks and completes the settings.
func (c *compiler) bounds(cfg Config) {
	p := c.plan
	p.maxBody = cfg.MaxBody
	if cfg.MaxBody < 0 {
		c.mistakes = append(c.mistakes, fmt.Errorf("max body %d: negative: write a number of bytes, or 0 for the default", cfg.MaxBody))
	}
	if cfg.MaxBody > 0 && (p.kind == None || p.kind == Query) {
		c.mistakes = append(c.mistakes, fmt.Errorf("max body %d: this kind takes no body: write 0", cfg.MaxBody))
	}
	if len(cfg.MediaTypes) > 0 && p.kind != JSON {
		c.mistakes = append(c.mistakes, errors.New("media types: only JSON takes them: leave them out"))
	}
	switch p.kind {
	case JSON:
		if p.maxBody == 0 {
			p.maxBody = DefaultJSONBody
		}
		c.mediaTypes(cfg.MediaTypes)
	case Form:
		c.formBounds()
	case Raw:
		if cfg.MaxBody == 0 {
			c.mistakes = append(c.mistakes, errors.New("max body 0: a raw body needs a cap: write a number of bytes"))
		}
	}
}

// formBounds derives the caps of a form from its file fields.
func (c *compiler) formBounds() {
	p := c.plan
	var files int64
	for _, f := range p.files {
		files += f.file.max * int64(f.file.count)
	}
	p.maxText = DefaultFormBody
	switch {
	case p.maxBody == 0:
		p.maxBody = files + DefaultFormBody
	case p.maxBody <= files:
		c.mistakes = append(c.mistakes, fmt.Errorf(
			"max body %d: the file fields alone may hold %d bytes: write more, or 0 for the default", p.maxBody, files))
	default:
		p.maxText = p.maxBody - files
	}
	p.media = []mediaRange{{"multipart", "form-data"}}
	if len(p.files) == 0 {
		p.media = slices.Insert(p.media, 0, mediaRange{"application", "x-www-form-urlencoded"})
		p.usual = p.media[0].String()
	}
}

// hook is a type's own Validate method, found at compile time.
type hook struct {
	index   []int // of the embedded struct that has it; nil is the struct itself
	pointer bool  // the method is on the pointer
}

type contextValidator interface {
	Validate(ctx context.Context) error
}

var contextValidatorType = reflect.TypeFor[contextValidator]()
