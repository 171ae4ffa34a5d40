package input

import "reflect"

// jsonNode compiles a type inside a JSON body, or returns nil after reporting why it cannot be decoded.
func (c *compiler) jsonNode(t reflect.Type, opts nodeOptions, at string) *node {
	if t == numberType {
		c.mistake(at, "%s: keeps the caller's spelling: write int64, float64 or string", t)
		return nil
	}
	n := &node{typ: t, norm: opts.norm, checks: opts.level.checks(), words: opts.level.words()}
	if o, ok := leaf(t); ok {
		return c.jsonLeaf(n, o, opts, at)
	}
	if o, ok := scalar(t); ok {
		n.op = o
		return n
	}
	switch t.Kind() {
	case reflect.Pointer:
		return c.jsonPointer(n, opts, at)
	case reflect.Slice, reflect.Array:
		return c.jsonArray(n, opts, at)
	case reflect.Map:
		return c.jsonMap(n, opts, at)
	case reflect.Struct:
		n.op, n.st = opStruct, c.nestedStruct(t, at)
		return n
	case reflect.Interface:
		if t != anyType {
			c.mistake(at, "%s: an interface has no one way to be decoded: write a concrete type", t)
			return nil
		}
		n.op = opAny
		return c.bounded(n, opts, at)
	}
	c.mistake(at, "%s: cannot be decoded: write a string, number, bool, struct, slice, array or map", t)
	return nil
}

func (c *compiler) jsonLeaf(n *node, o op, opts nodeOptions, at string) *node {
	n.op = o
	switch o {
	case opOptional:
		inner := optionalElem(n.typ)
		if inner.Kind() == reflect.Pointer || reflect.PointerTo(inner).Implements(optionalType) {
			c.mistake(at, "%s: says twice that it may be missing: write one Optional of a plain type", n.typ)
			return nil
		}
		n.elem = c.jsonNode(inner, opts, at)
		return n.orNil()
	case opRaw:
		return c.bounded(n, opts, at)
	case opFile:
		c.mistake(at, `%s: files come in forms: write form:"name" and Form`, n.typ)
		return nil
	}
	return n
}

// orNil drops a node whose inner type was reported.
func (n *node) orNil() *node {
	if n.elem == nil {
		return nil
	}
	return n
}

func (c *compiler) jsonPointer(n *node, opts nodeOptions, at string) *node {
	elem := n.typ.Elem()
	if elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Interface || reflect.PointerTo(elem).Implements(optionalType) {
		c.mistake(at, "%s: says twice that it may be missing: write one pointer to a plain type", n.typ)
		return nil
	}
	n.op, n.elem = opPointer, c.jsonNode(elem, opts, at)
	return n.orNil()
}

func (c *compiler) jsonArray(n *node, opts nodeOptions, at string) *node {
	if n.typ.Elem() == byteType {
		n.op, n.max = opBytes, -1
		if n.typ.Kind() == reflect.Array {
			n.max = n.typ.Len()
		}
		return n
	}
	if n.typ.Kind() == reflect.Array {
		n.op, n.max = opArray, n.typ.Len()
	} else {
		n.op, n.max = opSlice, MaxItems
		if declared, ok := opts.level.max(); ok {
			n.max = declared
		}
	}
	opts.level = opts.level.dive()
	n.elem = c.jsonNode(n.typ.Elem(), opts, at+"[]")
	return n.orNil()
}

func (c *compiler) jsonMap(n *node, opts nodeOptions, at string) *node {
	key := n.typ.Key()
	if key.Kind() != reflect.String || isLeaf(key) {
		c.mistake(at, "%s: a JSON object has string keys: write map[string]%s", n.typ, n.typ.Elem())
		return nil
	}
	declared, ok := opts.level.max()
	if !ok {
		c.mistake(at, `%s: has no bound: write validate:"max=50" with the largest number of entries`, n.typ)
		return nil
	}
	n.op, n.max = opMap, declared
	opts.level = opts.level.dive()
	n.elem = c.jsonNode(n.typ.Elem(), opts, at+"[]")
	return n.orNil()
}

// takesAny reports whether arbitrary JSON can stand at or below n.
func (n *node) takesAny() bool {
	return n != nil && (n.op == opAny || n.op == opRaw || n.elem.takesAny())
}

// bounded takes the bound of a field that holds arbitrary JSON.
func (c *compiler) bounded(n *node, opts nodeOptions, at string) *node {
	if opts.any == 0 {
		c.mistake(at, `%s: takes any JSON and has no bound: write guard:"any=200" with the largest number of JSON values, or a concrete type`, n.typ)
		return nil
	}
	n.max = opts.any
	return n
}

// nestedStruct compiles a struct below the top level once, so that recursive types end.
func (c *compiler) nestedStruct(t reflect.Type, at string) *structNode {
	if s, ok := c.nested[t]; ok {
		return s
	}
	s := &structNode{typ: t, byName: map[string]*field{}}
	c.nested[t] = s
	c.fields(s, t, fieldScope{sources: []Source{FromJSON}, goPath: at})
	for _, f := range s.fields {
		if other := s.byName[f.name]; other != nil {
			c.mistake(at+"."+f.goPath, "json:%q is also the source of %s: write another name", f.name, other.goPath)
		}
		f.slot, s.byName[f.name] = len(s.members), f
		s.members = append(s.members, f)
	}
	s.batchTexts()
	c.hooks(s)
	return s
}

// batchTexts has the strings that the body's *string fields point to made together: a PATCH has many of them.
func (s *structNode) batchTexts() {
	var texts []*node
	for _, f := range s.byName {
		if f.source == FromJSON && f.typ == textPointer {
			texts = append(texts, f.node)
		}
	}
	for _, n := range texts {
		n.batch = min(len(texts), maxBatch)
	}
}
