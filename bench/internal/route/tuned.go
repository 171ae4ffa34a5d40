package route

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// tuned is the floor: the same checks, with everything that one could do by hand
// for this one route and nobody would want to maintain for a hundred. Its tokens
// are in tunedtoken.go.
type tuned struct {
	tokens *tunedTokens
	pool   sync.Pool // of *scratch
}

// scratch is what one request needs, kept for the next.
type scratch struct {
	body   [8 << 10]byte
	answer []byte
	fields [3]string
	ids    [64 * 16]byte
	unused int // bytes of ids
}

func newTuned(limit Limit) http.Handler {
	h := &tuned{tokens: newTunedTokens(limit)}
	h.pool.New = func() any { return &scratch{answer: make([]byte, 0, 1<<10)} }
	mux := http.NewServeMux()
	mux.Handle("PATCH "+pattern, h)
	return mux
}

// The header values are shared by all answers, and only replaced.
var (
	tunedJSON      = []string{"application/json"}
	tunedChallenge = []string{"Bearer"}
)

func (h *tuned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, _ := h.pool.Get().(*scratch)
	defer h.pool.Put(s)
	id := s.requestID()
	w.Header()["X-Request-Id"] = []string{id}

	session, err := h.tokens.session(r)
	if err != nil {
		w.Header()["Www-Authenticate"] = tunedChallenge
		s.refuse(w, id, errUnauthenticated)
		return
	}
	if !session.caller.CanEdit() {
		s.refuse(w, id, errForbidden)
		return
	}
	if !session.limiter.Allow() {
		s.refuse(w, id, errRateLimited)
		return
	}
	project, ok := tunedProject(r.PathValue("projectID"), session.caller)
	if !ok {
		s.refuse(w, id, errNotFound)
		return
	}
	var in UpdateProject
	if e := s.decode(r, &in); e != nil {
		s.refuse(w, id, e)
		return
	}
	if e := tunedCheck(&in); e != nil {
		s.refuse(w, id, e)
		return
	}
	s.send(w, http.StatusOK, appendProject(s.answer[:0], project.changed(in)))
}

// requestID is a random UUID (version 4) without a system call for each.
func (s *scratch) requestID() string {
	if s.unused == 0 {
		_, _ = rand.Read(s.ids[:]) // never fails
		s.unused = len(s.ids)
	}
	s.unused -= 16
	b := s.ids[s.unused : s.unused+16]
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var text [36]byte
	return string(appendUUID(text[:0], uuid.UUID(b)))
}

func appendUUID(b []byte, id uuid.UUID) []byte {
	for i, part := range [][]byte{id[0:4], id[4:6], id[6:8], id[8:10], id[10:16]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}

func tunedProject(text string, caller Caller) (*Project, bool) {
	if len(text) != 36 || strings.ContainsAny(text, "ABCDEF") {
		return nil, false
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, false
	}
	p, ok := projects[id]
	if !ok || !p.OwnedBy(caller) {
		return nil, false
	}
	return p, true
}

// decode reads a body that fits the scratch into it, and a larger one beside it.
func (s *scratch) decode(r *http.Request, in *UpdateProject) *refusal {
	if t := r.Header["Content-Type"]; (len(t) != 1 || t[0] != "application/json") && !isJSON(r) {
		return errMediaType
	}
	if r.ContentLength > maxBody {
		return errTooLarge
	}
	n, err := io.ReadFull(r.Body, s.body[:])
	body := s.body[:n]
	if err == nil {
		rest, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1-int64(n)))
		if err != nil {
			return errBody
		}
		if n+len(rest) > maxBody {
			return errTooLarge
		}
		body = append(append([]byte(nil), body...), rest...)
	} else if err != io.EOF && err != io.ErrUnexpectedEOF {
		return errBody
	}
	if s.scan(string(body), in) {
		return nil
	}
	*in = UpdateProject{}
	if err := json.Unmarshal(body, in, json.RejectUnknownMembers(true)); err != nil || hasNull(body) {
		return errBody
	}
	return nil
}

// hasNull looks for a null in good JSON, which the library takes for an absent field.
func hasNull(b []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	for {
		t, err := d.ReadToken()
		if err != nil || t.Kind() == 'n' {
			return err == nil
		}
	}
}

// scan reads an object of the three fields whose strings are ASCII without escapes.
// It reports false for everything else, wrong or not, which the library judges.
func (s *scratch) scan(b string, in *UpdateProject) bool {
	b, ok := token(b, '{')
	for i := 0; ok; i++ {
		var name, value string
		if name, b, ok = plainString(b); !ok {
			return false
		}
		if b, ok = token(b, ':'); !ok {
			return false
		}
		if value, b, ok = plainString(b); !ok {
			return false
		}
		field := fieldOf(in, name)
		if field == nil || *field != nil {
			return false
		}
		s.fields[i] = value // a fourth name is unknown or a duplicate
		*field = &s.fields[i]
		if rest, more := token(b, ','); more {
			b = rest
			continue
		}
		b, ok = token(b, '}')
		return ok && len(space(b)) == 0
	}
	return false
}

func fieldOf(in *UpdateProject, name string) **string {
	switch name {
	case "name":
		return &in.Name
	case "summary":
		return &in.Summary
	case "visibility":
		return &in.Visibility
	}
	return nil
}

func space(b string) string {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

func token(b string, c byte) (string, bool) {
	if b = space(b); len(b) > 0 && b[0] == c {
		return b[1:], true
	}
	return b, false
}

func plainString(b string) (text, rest string, ok bool) {
	if b, ok = token(b, '"'); !ok {
		return "", "", false
	}
	for i := range len(b) {
		switch c := b[i]; {
		case c == '"':
			return b[:i], b[i+1:], true
		case c < ' ' || c == '\\' || c >= utf8.RuneSelf:
			return "", "", false
		}
	}
	return "", "", false
}

func tunedCheck(in *UpdateProject) *refusal {
	var broken []fieldError
	for _, f := range []struct {
		name     string
		value    *string
		min, max int
	}{{"name", in.Name, 3, 80}, {"summary", in.Summary, 20, 300}} {
		if f.value == nil {
			continue
		}
		switch n := utf8.RuneCountInString(*f.value); {
		case n < f.min:
			broken = append(broken, fieldError{f.name, "min"})
		case n > f.max:
			broken = append(broken, fieldError{f.name, "max"})
		}
	}
	if v := in.Visibility; v != nil && *v != "private" && *v != "team" {
		broken = append(broken, fieldError{"visibility", "oneof"})
	}
	if broken == nil {
		return nil
	}
	e := *errBody
	e.Fields = broken
	return &e
}

func appendProject(b []byte, v View) []byte {
	b = append(b, `{"project":{"id":"`...)
	b = appendUUID(b, v.ID)
	b = append(b, `","name":`...)
	b, _ = jsontext.AppendQuote(b, v.Name)
	b = append(b, `,"summary":`...)
	b, _ = jsontext.AppendQuote(b, v.Summary)
	b = append(b, `,"visibility":`...)
	b, _ = jsontext.AppendQuote(b, v.Visibility)
	b = append(b, `,"createdAt":"`...)
	b = v.CreatedAt.AppendFormat(b, time.RFC3339Nano)
	return append(b, "\"}}\n"...)
}

// refuse needs no quoting: all of it but the id, which is hexadecimal, is constant.
func (s *scratch) refuse(w http.ResponseWriter, id string, e *refusal) {
	b := append(s.answer[:0], `{"error":"`...)
	b = append(b, e.Message...)
	b = append(b, `","code":"`...)
	b = append(b, e.Code...)
	b = append(b, `","requestId":"`...)
	b = append(b, id...)
	b = append(b, '"')
	for i, f := range e.Fields {
		b = append(b, [...]string{`,"errors":[{"field":"`, `,{"field":"`}[min(i, 1)]...)
		b = append(b, f.Field...)
		b = append(b, `","rule":"`...)
		b = append(b, f.Rule...)
		b = append(b, `"}`...)
	}
	if e.Fields != nil {
		b = append(b, ']')
	}
	s.send(w, e.status, append(b, "}\n"...))
}

func (s *scratch) send(w http.ResponseWriter, status int, b []byte) {
	s.answer = b
	h := w.Header()
	h["Content-Type"] = tunedJSON
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
