package strictjwt

import (
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxNameBytes bounds sub, jti and kid. OpenID Connect Core, section 2, sets it
// for sub; the other two are identifiers of the same kind.
const maxNameBytes = 255

// segments is a token in the compact serialization of RFC 7515, section 7.1.
type segments struct {
	header, payload, signature string // as they are encoded
	signed                     string // what the signature covers: two segments and their dot
}

// room is where one token is decoded. It is kept for the next one, unless a long
// token has made it large.
type room struct {
	bytes  []byte
	header wireHeader
	claims wireClaims
}

const maxKeptRoom = 4 << 10

var rooms = sync.Pool{New: func() any { return &room{bytes: make([]byte, 0, 1<<10)} }}

// release wipes the room: a pool is no place for claims.
func (r *room) release() {
	if cap(r.bytes) > maxKeptRoom {
		return
	}
	clear(r.bytes[:cap(r.bytes)])
	*r = room{bytes: r.bytes[:0]}
	rooms.Put(r)
}

// decode appends what a segment encodes and returns it.
func (r *room) decode(segment string) ([]byte, error) {
	// The copy lies behind its room, so that decoding never writes over it.
	start := len(r.bytes)
	end := start + segmentEncoding.DecodedLen(len(segment))
	r.bytes = append(slices.Grow(r.bytes, end-start+len(segment))[:end], segment...)
	n, err := segmentEncoding.Decode(r.bytes[start:end], r.bytes[end:])
	r.bytes = r.bytes[:start+n]
	return r.bytes[start:], err
}

// segmentEncoding refuses padding and trailing bits that decoding would drop
// (RFC 4648, section 3.5): with them, one token would have several spellings,
// each a different key in a cache or a deny-list.
var segmentEncoding = base64.RawURLEncoding.Strict()

// split takes a token apart. Five segments would be an encrypted token, which is not
// offered.
func split(token string) (segments, error) {
	head, rest, ok := strings.Cut(token, ".")
	if !ok {
		return segments{}, invalid("not three segments")
	}
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.IndexByte(signature, '.') >= 0 {
		return segments{}, invalid("not three segments")
	}
	if head == "" || payload == "" || signature == "" {
		return segments{}, invalid("a segment is empty")
	}
	// Decoders of base64 skip line ends, the strict one included.
	if strings.IndexByte(token, '\n') >= 0 || strings.IndexByte(token, '\r') >= 0 {
		return segments{}, invalid("a line end among the segments")
	}
	return segments{head, payload, signature, token[:len(head)+1+len(payload)]}, nil
}

// header is what a token says about its own signature, within what is allowed.
type header struct {
	algorithm algorithm
	typ       text
	kid       string
}

// wireHeader lists the members that matter. The others are ignored on purpose,
// jwk, jku, x5u and x5c above all: they offer a key of the sender's choice
// (RFC 8725, sections 2.1 and 3.10).
type wireHeader struct {
	Algorithm text           `json:"alg"`
	Type      text           `json:"typ"`
	KeyID     text           `json:"kid"`
	Critical  jsontext.Value `json:"crit"`
	Base64    jsontext.Value `json:"b64"`
}

// readHeader decodes the header, in r, and applies the policy that needs no key.
func (v *Verifier) readHeader(encoded string, r *room) (header, error) {
	if h, ok := v.headers.known(encoded); ok {
		return h, nil
	}
	decoded, err := r.decode(encoded)
	if err != nil {
		return header{}, invalid("the header is not canonical base64url")
	}
	wire := &r.header
	if err := decodeObject(decoded, wire, "header"); err != nil {
		return header{}, err
	}
	algorithm, ok := v.algorithms.byName[wire.Algorithm.value]
	if !ok {
		return header{}, invalid("the alg is not a pinned one")
	}
	if !v.acceptsType(wire.Type) {
		return header{}, invalid("the typ is not the configured one")
	}
	// No extension is implemented, so whatever crit holds is not understood
	// (RFC 7515, section 4.1.11); empty, null or not an array, it is malformed.
	if wire.Critical != nil {
		return header{}, invalid("the header has a crit")
	}
	// RFC 7797 changes what is signed. Its b64 belongs into crit, so it is
	// refused already; alone it is a sender who hopes for a lax reader.
	if wire.Base64 != nil {
		return header{}, invalid("the header has a b64")
	}
	if len(wire.KeyID.value) > maxNameBytes || hasControl(wire.KeyID.value) {
		return header{}, invalid("the kid is too long or has control characters")
	}
	return header{algorithm: algorithm, typ: wire.Type, kid: wire.KeyID.value}, nil
}

// acceptsType is the typ policy, which keeps tokens made for another purpose
// out (RFC 8725, section 3.11). Media types compare without case.
func (v *Verifier) acceptsType(typ text) bool {
	if v.typ == "" {
		return !typ.present || lowerASCII(typ.value) == "jwt"
	}
	return typ.present && fullType(typ.value) == v.typ
}

// fullType is a media type in lower case with the "application/" that may be
// left out where no other slash is (RFC 7515, section 4.1.9).
func fullType(typ string) string {
	typ = lowerASCII(typ)
	if strings.Contains(typ, "/") {
		return typ
	}
	return "application/" + typ
}

// lowerASCII leaves other letters alone: Unicode knows letters such as U+017F
// (long s) that fold into an ASCII one.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// hasControl reports whether s has a control character or is not UTF-8.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s)
}

// headerMemo remembers the last header that came with a good signature. The
// tokens of one key have the same header, byte for byte, so that it is decoded
// once. What was never signed does not get in, so forgers cannot push it out.
type headerMemo struct{ last atomic.Pointer[knownHeader] }

type knownHeader struct {
	encoded string
	header  header
}

func (m *headerMemo) known(encoded string) (header, bool) {
	last := m.last.Load()
	if last == nil || last.encoded != encoded {
		return header{}, false
	}
	return last.header, true
}

func (m *headerMemo) keep(encoded string, h header) {
	if _, ok := m.known(encoded); ok {
		return
	}
	// Cloned, or the memo would keep the whole token in memory.
	m.last.Store(&knownHeader{encoded: strings.Clone(encoded), header: h})
}

// expectUsual remembers the header that most libraries write, so that forged tokens
// which have it are as cheap before the first good one as they are after it.
func (v *Verifier) expectUsual() {
	usual := segmentEncoding.EncodeToString([]byte(`{"alg":"` + v.algorithms.names[0] + `","typ":"JWT"}`))
	if h, err := v.readHeader(usual, new(room)); err == nil {
		v.headers.keep(usual, h)
	}
}
