package input

import (
	"encoding"
	"encoding/base64"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// The problems of single values.
var (
	notString   = &problem{code: "type", message: "must be a string"}
	notBool     = &problem{code: "type", message: "must be true or false"}
	notInt      = &problem{code: "type", message: "must be a whole number"}
	notUint     = &problem{code: "type", message: "must be a whole number that is not negative"}
	notFloat    = &problem{code: "type", message: "must be a number"}
	notObject   = &problem{code: "type", message: "must be an object"}
	notArray    = &problem{code: "type", message: "must be an array"}
	outOfRange  = &problem{code: "range", message: "is out of range"}
	notExact    = &problem{code: "range", message: "has more digits than can be kept exactly"}
	notTime     = &problem{code: "format", message: "must be a date and time such as 2006-01-02T15:04:05Z"}
	notDuration = &problem{code: "format", message: "must be a duration such as 90s or 1h30m"}
	notUUID     = &problem{code: "format", message: "must be a UUID in lower case"}
	notAddr     = &problem{code: "format", message: "must be an IP address in canonical form"}
	notPrefix   = &problem{code: "format", message: "must be an IP prefix in canonical form"}
	notBase64   = &problem{code: "format", message: "must be base64 with padding"}
	notFormat   = &problem{code: "format", message: "has an invalid format"}
	badText     = &problem{code: "characters", message: "contains characters that are not allowed"}
	badUTF8     = &problem{code: "encoding", message: "must be valid UTF-8"}
)

// setText decodes one piece of text into v. It returns nil when the text fits.
func (n *node) setText(v reflect.Value, s string) *problem {
	switch n.op {
	case opString:
		return n.setString(v, s)
	case opBool:
		if s != "true" && s != "false" {
			return notBool
		}
		v.SetBool(s == "true")
		return nil
	case opInt:
		return setInt(v, s)
	case opUint:
		return setUint(v, s)
	case opFloat:
		return setFloat(v, s)
	case opPointer:
		p := reflect.New(n.typ.Elem())
		v.Set(p)
		return n.elem.setText(p.Elem(), s)
	case opOptional:
		o := v.Addr().Interface().(optional)
		o.mark(optionalValue)
		return n.elem.setText(o.target(), s)
	}
	return n.setFormat(v, s)
}

// setFormat decodes text that has a format of its own.
func (n *node) setFormat(v reflect.Value, s string) *problem {
	switch n.op {
	case opTime:
		return setParsed(v, s, parseTime, notTime)
	case opDuration:
		return setParsed(v, s, parseDuration, notDuration)
	case opUUID:
		return setParsed(v, s, parseUUID, notUUID)
	case opAddr:
		return setParsed(v, s, parseAddr, notAddr)
	case opPrefix:
		return setParsed(v, s, parsePrefix, notPrefix)
	case opText:
		// The type gets bytes of its own, since it might keep them.
		if v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)) == nil {
			return nil
		}
	}
	return notFormat
}

// setParsed stores what parse makes of s in v, which is a T.
func setParsed[T any](v reflect.Value, s string, parse func(string) (T, bool), bad *problem) *problem {
	value, ok := parse(s)
	if !ok {
		return bad
	}
	*v.Addr().Interface().(*T) = value
	return nil
}

// setString normalizes and checks text. What a check refuses is not kept, so that no rule runs on it.
func (n *node) setString(v reflect.Value, s string) *problem {
	if n.norm != 0 {
		s = n.norm.apply(s)
	}
	for _, c := range n.checks {
		if !c.fits(s) {
			return c.problem
		}
	}
	v.SetString(s)
	return nil
}

// setInt takes the shortest decimal form of an integer and nothing else.
func setInt(v reflect.Value, s string) *problem {
	digits := strings.TrimPrefix(s, "-")
	if !shortestDigits(digits) || s == "-0" {
		return notInt
	}
	i, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v.OverflowInt(i) {
		return outOfRange
	}
	v.SetInt(i)
	return nil
}

func setUint(v reflect.Value, s string) *problem {
	if !shortestDigits(s) {
		return notUint
	}
	u, err := strconv.ParseUint(s, 10, 64)
	if err != nil || v.OverflowUint(u) {
		return outOfRange
	}
	v.SetUint(u)
	return nil
}

// shortestDigits reports whether s is decimal digits without a leading zero.
func shortestDigits(s string) bool {
	if s == "" || len(s) > 1 && s[0] == '0' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// setFloat takes a JSON number that a float can hold.
func setFloat(v reflect.Value, s string) *problem {
	f, bad := parseFloat(s, v.Type().Bits())
	if bad != nil {
		return bad
	}
	v.SetFloat(f)
	return nil
}

// parseFloat refuses what would silently become another number: overflow, underflow to zero, and integers between two
// floats, but for the one that is written for a float: its last digits are zeros. Fractions are rounded to the nearest
// float, as everywhere.
func parseFloat(s string, bits int) (float64, *problem) {
	if !jsonNumber(s) {
		return 0, notFloat
	}
	f, err := strconv.ParseFloat(s, bits)
	if err != nil {
		return 0, outOfRange
	}
	mantissa := s
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa = s[:i]
	}
	if f == 0 && strings.ContainsAny(mantissa, "123456789") {
		return 0, outOfRange
	}
	// Up to 15 digits (6 for float32) every integer is exact.
	safe := 15
	if bits == 32 {
		safe = 6
	}
	if len(s) > safe && !strings.ContainsAny(s, ".eE") && strconv.FormatFloat(f, 'f', 0, 64) != s &&
		strconv.FormatFloat(f, 'f', -1, bits) != s {
		return 0, notExact
	}
	return f, nil
}

// jsonNumber reports whether s is a number as RFC 8259 §6 writes it.
func jsonNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exp := s[i+1:]
		if exp != "" && (exp[0] == '+' || exp[0] == '-') {
			exp = exp[1:]
		}
		if !allDigits(exp) {
			return false
		}
		s = s[:i]
	}
	whole, fraction, dot := strings.Cut(s, ".")
	return shortestDigits(whole) && (!dot || allDigits(fraction))
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// parseTime takes an RFC 3339 date-time. time.Parse alone is more generous: it takes a comma before the fraction, one-digit
// hours, offsets beyond a day, and drops digits after the ninth of the fraction.
func parseTime(s string) (time.Time, bool) {
	const layout = "0000-00-00T00:00:00"
	if len(s) < len(layout)+1 || !shaped(s[:len(layout)], layout) {
		return time.Time{}, false
	}
	rest := s[len(layout):]
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 || n > 10 {
			return time.Time{}, false
		}
		rest = rest[n:]
	}
	if rest != "Z" && (len(rest) != 6 || rest[0] != '+' && rest[0] != '-' || !shaped(rest[1:], "00:00") ||
		rest[1:3] > "23" || rest[4:6] > "59") {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil
}

// shaped reports whether s has a digit where shape has 0, and the same byte everywhere else.
func shaped(s, shape string) bool {
	if len(s) != len(shape) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if shape[i] == '0' && (s[i] < '0' || s[i] > '9') || shape[i] != '0' && s[i] != shape[i] {
			return false
		}
	}
	return true
}

// parseDuration takes what time.Duration prints and what people write: digits, perhaps with a fraction, and a unit, repeated.
func parseDuration(s string) (time.Duration, bool) {
	body := strings.TrimPrefix(s, "-")
	if body == "" || len(s) > 64 || body[0] < '0' || body[0] > '9' || strings.ContainsAny(body, "+-") || s == "0" {
		return 0, false
	}
	for i := 1; i < len(body); i++ {
		if body[i] == '.' && (body[i-1] < '0' || body[i-1] > '9' || i+1 == len(body) || body[i+1] < '0' || body[i+1] > '9') {
			return 0, false
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

// parseUUID takes the canonical form alone. uuid.Parse also takes braces, urn:uuid:, dashless hex, upper case, and any two
// bytes around the canonical form.
func parseUUID(s string) (uuid.UUID, bool) {
	if len(s) != 36 {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil && id.String() == s
}

// parseAddr takes an IP address in canonical form, without a zone. An IPv4 address written as IPv6 is refused: it is another
// spelling that most comparisons miss.
func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && !a.Is4In6() && a.Zone() == "" && a.String() == s
}

// parsePrefix takes an IP prefix in canonical form, whose host bits are zero.
func parsePrefix(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	return p, err == nil && !p.Addr().Is4In6() && p.Masked() == p && p.String() == s
}

// setBase64 takes padded standard base64, one spelling per value.
func (n *node) setBase64(v reflect.Value, s string) *problem {
	// The decoder skips line breaks even in strict mode.
	if strings.ContainsAny(s, "\r\n") {
		return notBase64
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return notBase64
	}
	if n.max < 0 {
		v.SetBytes(b)
		return nil
	}
	if len(b) != n.max {
		return &problem{code: "len", message: "must be exactly " + plural(n.max, "byte"), param: strconv.Itoa(n.max)}
	}
	reflect.Copy(v, reflect.ValueOf(b))
	return nil
}

// cleanText checks text from path, query, header or form: valid UTF-8 and no control characters, except line breaks
// and tabs where a form has them.
func cleanText(s string, form bool) *problem {
	ascii := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			ascii = false
		} else if (c < ' ' || c == 0x7f) && !(form && (c == '\t' || c == '\r' || c == '\n')) {
			return badText
		}
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(s) {
		return badUTF8
	}
	for _, r := range s {
		if r >= utf8.RuneSelf && unicode.IsControl(r) {
			return badText
		}
	}
	return nil
}
