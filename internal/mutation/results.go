package main

// results is how what a handler returns is encoded.
var results = []mutation{
	{
		id: "result-of-another-type", file: "internal/output/output.go",
		old:  ` || v.Type().Elem() != p.typ {`,
		new:  ` {`,
		rule: "a plan writes values of its own type alone",
	},
	{
		id: "result-half-written", file: "internal/output/output.go",
		old:  "	if err != nil {\n		return dst, false\n	}\n	return out, true",
		new:  "	return out, err == nil",
		rule: "what could not be written leaves nothing behind",
	},
	{
		id: "result-with-its-own-encoder", file: "internal/output/output.go",
		old:  `t == durationType || hasAny(t, encoders)`,
		new:  `t == durationType`,
		rule: "a type that says how it is encoded, such as one that hides a secret, is asked",
	},
	{
		id: "result-pointer-encoder", file: "internal/output/output.go",
		old:  ` || reflect.PointerTo(t).Implements(i) {`,
		new:  ` {`,
		rule: "a type whose pointer says how it is encoded is asked",
	},
	{
		id: "result-not-a-number", file: "internal/output/output.go",
		old:  `math.IsNaN(f) || math.IsInf(f, 0)`,
		new:  `math.IsInf(f, 0)`,
		rule: "a result that JSON has no form for is a 500",
	},
	{
		id: "result-left-out", file: "internal/output/object.go",
		old:  `case tag == "-", `,
		new:  `case `,
		rule: "a field with the tag - is not sent",
	},
	{
		id: "result-tag-of-unknown-meaning", file: "internal/output/object.go",
		old:  "	if !plainTag.MatchString(tag) {\n		return m, false\n	}\n",
		new:  "",
		rule: "a tag that asks for more than a plan does is for the library",
	},
	{
		id: "result-name-twice", file: "internal/output/object.go",
		old:  ` || names[m.name] {`,
		new:  ` {`,
		rule: "two fields of one name are a mistake that the library reports",
	},
	{
		id: "result-embedded", file: "internal/output/object.go",
		old:  `case !f.IsExported(), f.Anonymous:`,
		new:  `case !f.IsExported():`,
		rule: "an embedded struct is for the library",
	},
}
