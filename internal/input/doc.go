// Package input turns an HTTP request into a validated struct.
//
// Compile reads a struct type once and reports every mistake in it. The Plan that it returns decodes requests: one
// strict pass over path, query, header and body, then normalization, then validation. What a handler gets was decoded
// once and completely, from exactly one spelling; what the caller of a refused request learns is which of its own fields
// is wrong, and why.
//
// # Sources
//
// Every exported field comes from exactly one place, named by its tag:
//
//	json:"name"        a member of the JSON body
//	query:"limit"      a query parameter
//	path:"projectID"   a wildcard of the route's pattern
//	header:"If-Match"  a header field
//	form:"email"       a field of a form body
//
// A body can never set what comes from path, query or header, whatever it calls its members. Embedded structs are flattened.
//
// # Other tags
//
//	normalize:"trim,lower,upper,nfc,collapse"   applied to text before it is validated, in a fixed order
//	validate:"required,min=3"                   the rules of go-playground/validator
//	default:"20"                                the value of an absent query, header or form field
//	guard:"client"                              the client may set a field whose name looks server-owned
//	guard:"any=200"                             an any or raw JSON field takes at most 200 JSON values
//	file:"max=1MiB,types=image/png image/jpeg"  what an uploaded file may be
//
// # Decisions
//
// JSON is RFC 8259 within RFC 7493. An integer field takes the shortest decimal form only: 1e3, 1.0 and -0 are refused.
// A float field takes any JSON number that is finite, does not underflow to zero, and, when it is written as an integer,
// is exactly representable. null is refused for every type but Optional, any and raw JSON, pointers included. An array has at most 1000
// items unless the field says max. Nesting is at most 32 levels. Times are RFC 3339, UUIDs are 36 characters in lower case,
// durations are Go's without a plus sign, IP addresses and prefixes are in canonical form, bytes are padded base64.
//
// The bounds of everything else are the constants in bounds.go.
//
// Rules run only on a body and query that were decoded completely, since a field that was not decoded would be judged by
// its zero value. A type's own Validate(ctx) error runs only when no rule refused, the inner types' before the outer ones'.
//
// validator judges the structs in a list or map only where its tag says dive: without it, rules in them are a mistake at construction.
//
// As everywhere with validator, required refuses zero: for a number or bool that may be 0 or false, write a pointer or an Optional. required
// takes blanks: normalize with trim, or write notblank. Of the built-in rules, those that look at the server's own files are refused, and some
// are narrowed (see preconditions): email is length-bounded, url and uri refuse what a browser would execute, ipv4 refuses a mapped address.
//
// # Codes
//
// A violation's code is a rule's name in lower case, or one of: required, type, range, format, null, unknown_field, unknown_parameter,
// duplicate_field, repeated, syntax, encoding, characters, trailing_data, too_deep, too_many, too_long, key_length, max, len,
// file_size, file_type, file_empty, alternatives (none of several rules held), invalid.
package input
