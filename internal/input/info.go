package input

import "reflect"

// FieldInfo describes one field of a compiled input, for a checklist or a schema.
type FieldInfo struct {
	Name      string       // the caller's name: "name", "limit", "If-Match"
	GoName    string       // Go names from the struct that the field is listed in: "Base.Name"
	Pointer   string       // how violations name it: "/name", "query/limit"; "*" stands for an index
	Source    Source       // where it comes from
	Type      reflect.Type // its Go type
	Rules     string       // its validate tag
	Normalize string       // its normalize tag
	Default   string       // its default tag, when HasDefault
	// HasDefault tells an empty default from none.
	HasDefault bool
	Client     bool // guard:"client": clients may set it although the name looks server-owned
	Required   bool // the rules refuse its absence, or it is a path value
	Nullable   bool // JSON null is taken
	Repeated   bool // an array, a repeated parameter or several files
	MaxItems   int  // the largest number of items, entries or arbitrary values; zero when it has none
	// FileTypes and FileMax say what an uploaded file may be.
	FileTypes []string
	FileMax   int64
	// FileDeclaredAny says that a part may declare any type or none: the content alone decides.
	FileDeclaredAny bool
	// Fields are the fields of a nested struct, also inside a pointer, Optional, slice or map. A type that contains
	// itself is listed once on each path.
	Fields []FieldInfo
}

// Fields lists the input's fields in struct order. The caller may keep and change the result.
func (p *Plan) Fields() []FieldInfo {
	return infos(p.root, "", nil)
}

func infos(s *structNode, prefix string, within []*structNode) []FieldInfo {
	for _, outer := range within {
		if outer == s {
			return nil
		}
	}
	within = append(within, s)
	var list []FieldInfo
	for _, f := range s.fields {
		i := FieldInfo{
			Name: f.name, GoName: f.goPath, Source: f.source, Type: f.typ,
			Rules: f.validate, Normalize: f.normalize, Default: f.def, HasDefault: f.hasDef,
			Client: f.client, Required: f.required || f.source == FromPath,
			Nullable: f.node.op == opOptional || f.node.op == opAny || f.node.op == opRaw,
			Pointer:  prefix + f.pointer,
		}
		if f.file != nil {
			i.FileTypes, i.FileMax = append([]string(nil), f.file.types...), f.file.max
			i.FileDeclaredAny = !f.file.declared
			i.Required = i.Required || f.file.required
		}
		at := i.Pointer
		for n := f.node; n != nil; n = n.elem {
			switch n.op {
			case opSlice, opArray, opMap:
				i.Repeated = i.Repeated || n == f.node && n.op != opMap
				if i.MaxItems == 0 {
					i.MaxItems = n.max
				}
				at += "/*"
			case opAny, opRaw:
				i.MaxItems = n.max
			}
			if n.st != nil {
				i.Fields = infos(n.st, at, within)
			}
		}
		list = append(list, i)
	}
	return list
}
