package strictjwt

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep the JSON of a token may nest.
const maxDepth = 32

// maxNumericDate is the last second of the year 9999.
const maxNumericDate = 253402300799

// decodeObject decodes one JSON object and nothing else into dst. Duplicate
// names at any depth, bad UTF-8, lone surrogates, a byte order mark and trailing
// data are errors; names match by exact bytes after unescaping.
func decodeObject(data []byte, dst any, part string) error {
	if !nestsWithin(data, maxDepth) {
		return invalid("the " + part + " nests too deeply")
	}
	if jsontext.Value(data).Kind() != '{' { // null would leave dst as it is
		return invalid("the " + part + " is not a JSON object")
	}
	err := json.Unmarshal(data, dst)
	if err == nil {
		return nil
	}
	// The library's text quotes the token, so only its kind is passed on.
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return invalid("the " + part + " has a duplicate member")
	}
	if own, ok := errors.AsType[invalid](err); ok {
		return invalid("in the " + part + ", " + memberOf(err) + " " + string(own))
	}
	return invalid("the " + part + " is not strict JSON")
}

// memberOf names the top-level member that err is about: always a registered
// name, since only those have types with errors of their own.
func memberOf(err error) string {
	if sem, ok := errors.AsType[*json.SemanticError](err); ok {
		for name := range sem.JSONPointer.Tokens() {
			return name
		}
	}
	return "a member"
}

// nestsWithin reports whether no more than limit objects and arrays are open at
// once. It reads ahead of the parser, whose own limit is 10,000.
func nestsWithin(data []byte, limit int) bool {
	if bytes.Count(data, []byte("{"))+bytes.Count(data, []byte("[")) <= limit {
		return true // as nearly always, and quickly found out
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// text is a JSON string; null and other kinds are refused where they stand.
type text struct {
	value   string
	present bool
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (t *text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != '"' {
		return invalid("is not a string")
	}
	t.value, t.present = token.String(), true
	return nil
}

// texts is a JSON string or an array of them (RFC 7519, section 4.1.3).
type texts []string

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (t *texts) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() == '"' {
		*t = texts{token.String()}
		return nil
	}
	if token.Kind() != '[' {
		return invalid("is neither a string nor an array")
	}
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		switch token.Kind() {
		case '"':
			*t = append(*t, token.String())
		case ']':
			return nil
		default:
			return invalid("has an element that is not a string")
		}
	}
}

// numericDate is whole seconds since 1970, up to the year 9999.
//
// RFC 7519, section 2, allows fractions. They are refused together with
// exponents: as a float64, 1e19 overflows into the past on its way to an int64,
// and two readers round the same digits to different seconds.
type numericDate struct {
	seconds int64
	present bool
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (d *numericDate) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var seconds int64
	for _, c := range value {
		if c < '0' || c > '9' {
			return invalid("is not a whole number of seconds since 1970")
		}
		if seconds = 10*seconds + int64(c-'0'); seconds > maxNumericDate {
			return invalid("is after the year 9999")
		}
	}
	d.seconds, d.present = seconds, true
	return nil
}
