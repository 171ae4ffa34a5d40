package guard

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// appendError appends the body of an error response. It is written by hand so
// that it cannot fail: it is the last thing that must work.
func (t *Responder) appendError(b []byte, e *Error, requestID string) []byte {
	if h := e.head; h != nil && h.of == e.words() {
		b = append(b, h.text[t.Format]...)
	} else {
		b = t.Format.appendHead(b, e.words())
	}
	b = append(b, requestID...) // made here, or checked: it needs no escapes
	b = append(b, '"')
	for i, f := range t.fields(e.Fields) {
		if i == 0 {
			b = append(b, `,"errors":[{"pointer":`...)
		} else {
			b = append(b, `},{"pointer":`...)
		}
		b = appendString(b, f.Pointer)
		b = append(b, `,"code":`...)
		b = appendString(b, f.Code)
		b = append(b, `,"message":`...)
		b = appendString(b, f.Message)
	}
	if len(e.Fields) > 0 {
		b = append(b, "}]"...)
	}
	return append(b, "}\n"...)
}

// head is the beginning of an error's body, made once: refusals come in floods.
type head struct {
	of   words
	text [ErrorObject + 1]string // by Format
}

// words is what a head is made of.
type words struct {
	status        int
	code, message string
}

func (e *Error) words() words { return words{e.Status, e.Code, e.Message} }

// ownRefusal is Fail with a head, for errors that are made once.
func ownRefusal(status int, code, message string) *Error {
	e := Fail(status, code, message)
	e.head = &head{of: e.words()}
	for f := range e.head.text {
		e.head.text[f] = string(Format(f).appendHead(nil, e.words()))
	}
	return e
}

// appendHead appends the body up to the request id.
func (f Format) appendHead(b []byte, w words) []byte {
	if f == ErrorObject {
		b = append(b, `{"error":`...)
		b = appendString(b, w.message)
	} else {
		b = append(b, `{"type":"about:blank","title":`...)
		b = appendString(b, w.message)
		b = append(b, `,"status":`...)
		b = strconv.AppendInt(b, int64(w.status), 10)
	}
	b = append(b, `,"code":`...)
	b = appendString(b, w.code)
	return append(b, `,"requestId":"`...)
}

func (f Format) contentType() string {
	if f == ErrorObject {
		return "application/json; charset=utf-8"
	}
	return "application/problem+json"
}

func appendString(b []byte, s string) []byte {
	q, _ := jsontext.AppendQuote(b, s) // invalid UTF-8 becomes U+FFFD; the error says only that
	return q
}
