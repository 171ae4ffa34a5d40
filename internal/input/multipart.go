package input

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// The problems of multipart bodies.
var (
	badMultipart = &problem{code: "syntax", message: "is not a valid multipart form"}
	tooManyParts = &problem{code: "too_many", message: "has too many parts", param: strconv.Itoa(MaxParts)}
	notText      = &problem{code: "type", message: "must be text"}
	notFile      = &problem{code: "type", message: "must be a file"}
	emptyFile    = &problem{code: "file_empty", message: "must not be an empty file", rule: true}
)

// part is a decoded part, kept so that the body can be replayed.
type part struct {
	name string
	text string
	file *upload
}

// multipart decodes a multipart body part by part. Text is bounded by the plan's maxText together with all framing, and
// files by their own caps; a file is judged by its first bytes before the rest is read.
//
// What is wrong with the body's structure, or with a file, ends it at once: nobody wants to receive the rest of an
// upload that is refused already.
func (d *decoding) multipart(ctx context.Context, boundary string) *Failure {
	src := &formReader{
		r:        http.MaxBytesReader(d.w, d.r.Body, d.plan.maxBody),
		opening:  "--" + boundary,
		textLeft: d.plan.maxText + multipartReadAhead,
	}
	parts := multipart.NewReader(src, boundary)
	if d.plan.keep {
		d.replay = boundary
	}
	for count := 0; ; count++ {
		one, err := parts.NextRawPart()
		if err == io.EOF {
			return d.multipartEnd(ctx, src, boundary)
		}
		if err != nil {
			return d.multipartError(ctx, src)
		}
		if count == MaxParts {
			d.scratch.out.add(nil, tooManyParts)
			return nil
		}
		fail, more := d.part(ctx, one, src)
		if fail != nil || !more {
			return fail
		}
	}
}

// multipartError explains why a part cannot be read: the connection, a cap, or the text itself. The library's own error
// may quote the body, and is dropped.
func (d *decoding) multipartError(ctx context.Context, src *formReader) *Failure {
	if src.err != nil {
		return readFailure(ctx, src.err)
	}
	bad := badMultipart
	if len(src.head) == 0 {
		bad = emptyBody
	}
	d.scratch.out.add(nil, bad)
	return nil
}

// multipartEnd checks that nothing follows the last boundary.
func (d *decoding) multipartEnd(ctx context.Context, src *formReader, boundary string) *Failure {
	if _, err := io.Copy(io.Discard, src); err != nil {
		return readFailure(ctx, src.err)
	}
	d.read = true
	end := "--" + boundary + "--"
	if tail := strings.TrimSuffix(string(src.tail), "\r\n"); !strings.HasSuffix(tail, end) {
		d.scratch.out.add(nil, badMultipart)
	}
	return nil
}

// part decodes one part. It reports whether to go on.
func (d *decoding) part(ctx context.Context, one *multipart.Part, src *formReader) (*Failure, bool) {
	s := d.scratch
	h, ok := readPartHeader(one)
	if !ok {
		s.out.add(nil, badMultipart)
		return nil, false
	}
	f, known := d.plan.root.byName[h.name]
	if !known {
		s.out.add(nil, unknownField)
		return nil, false
	}
	if f.file == nil {
		return d.textPart(ctx, f, h, one, src)
	}
	if !h.isFile {
		s.note(f, notFile)
		return nil, false
	}
	return d.filePart(ctx, f, h, one, src)
}

// textPart decodes a part that is text.
func (d *decoding) textPart(ctx context.Context, f *field, h partHeader, one io.Reader, src *formReader) (*Failure, bool) {
	s := d.scratch
	if h.isFile || h.mediaType != "" && h.mediaType != "text/plain" {
		s.note(f, notText)
		return nil, false
	}
	content, err := io.ReadAll(one)
	if err != nil {
		return d.multipartError(ctx, src), false
	}
	text := string(content)
	s.note(f, s.setOnce(f, f.in(d.v), text, true))
	if d.plan.keep {
		d.parts = append(d.parts, part{name: h.name, text: text})
	}
	return nil, !s.out.full
}

// filePart receives a file.
func (d *decoding) filePart(ctx context.Context, f *field, h partHeader, one io.Reader, src *formReader) (*Failure, bool) {
	s := d.scratch
	head := make([]byte, 512)
	n, err := io.ReadFull(one, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return d.multipartError(ctx, src), false
	}
	if src.err != nil {
		return readFailure(ctx, src.err), false
	}
	if n == 0 && h.fileName == "" {
		return nil, true // a browser's form in which no file was chosen
	}
	mediaType, bad := d.admitFile(f, h, head[:n])
	if bad != nil {
		s.note(f, bad)
		return nil, false
	}
	up := &upload{name: cleanName(h.fileName), mediaType: mediaType}
	d.files = append(d.files, up)
	src.textLeft += int64(n)
	content := io.MultiReader(bytes.NewReader(head[:n]), &fileReader{r: one, src: src})
	copied, err := io.Copy(up, io.LimitReader(content, f.file.max+1))
	switch {
	case src.err != nil:
		return readFailure(ctx, src.err), false
	case copied > f.file.max:
		fail := failureTooLarge
		fail.Violations = []Violation{{
			Pointer: f.pointer, Code: "file_size", Param: strconv.FormatInt(f.file.max, 10),
			Message: "must be at most " + sizeText(f.file.max),
		}}
		return &fail, false
	case up.failed != nil:
		return failureInternal.with(fmt.Errorf("input: store upload: %w", up.failed)), false
	case err != nil:
		return d.multipartError(ctx, src), false
	}
	d.keepFile(f, h, up)
	return nil, true
}

// admitFile judges a file by what is known before its content is read: how many came, what it says it is, and what
// its first bytes are. It returns the file's media type.
func (d *decoding) admitFile(f *field, h partHeader, head []byte) (string, *problem) {
	s := d.scratch
	v := f.in(d.v)
	switch {
	case f.typ.Kind() == reflect.Slice && v.Len() == f.file.count:
		return "", tooMany(f.file.count, "file")
	case f.typ.Kind() != reflect.Slice && s.seen[f.slot]:
		return "", repeated
	case len(head) == 0:
		return "", emptyFile
	}
	if mediaType := f.file.admits(h.mediaType, head); mediaType != "" {
		return mediaType, nil
	}
	list := strings.Join(f.file.types, ", ")
	return "", &problem{code: "file_type", message: "must be a file of type " + list, param: list, rule: true}
}

// keepFile gives the field its file.
func (d *decoding) keepFile(f *field, h partHeader, up *upload) {
	d.scratch.seen[f.slot] = true
	v := f.in(d.v)
	switch f.typ.Kind() {
	case reflect.Slice:
		v.Grow(1)
		v.SetLen(v.Len() + 1)
		v = v.Index(v.Len() - 1)
	case reflect.Pointer:
		v.Set(reflect.New(f.typ.Elem()))
		v = v.Elem()
	}
	v.Addr().Interface().(filer).hold(up)
	if d.plan.keep {
		d.parts = append(d.parts, part{name: h.name, file: up})
	}
}

// partHeader is what a part says about itself.
type partHeader struct {
	name      string
	isFile    bool // it has a file name, perhaps an empty one
	fileName  string
	mediaType string // lower case, without parameters; empty when it says none
}

// readPartHeader checks a part's header against RFC 7578: one Content-Disposition: form-data with a name, at most one
// Content-Type, no encodings (§4.7), no filename* (§4.2). Other fields are ignored (§4.8).
func readPartHeader(one *multipart.Part) (partHeader, bool) {
	var h partHeader
	size := 0
	for name, values := range one.Header {
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	disposition := one.Header["Content-Disposition"]
	types := one.Header["Content-Type"]
	if size > MaxPartHeaderBytes || len(one.Header) > MaxPartHeaders || len(disposition) != 1 || len(types) > 1 ||
		len(one.Header["Content-Encoding"]) > 0 || !plainEncoding(one.Header["Content-Transfer-Encoding"]) ||
		extendedName(disposition[0]) {
		return h, false
	}
	kind, params, err := mime.ParseMediaType(disposition[0])
	if err != nil || kind != "form-data" {
		return h, false
	}
	var named bool
	h.name, named = params["name"]
	h.fileName, h.isFile = params["filename"]
	if len(types) == 1 {
		major, minor, rest, ok := splitMedia(types[0])
		if !ok || !onlyUTF8(rest) {
			return h, false
		}
		h.mediaType = major + "/" + minor
	}
	return h, named
}

// extendedName reports whether a disposition has name* or filename*, the encoded forms of RFC 5987, which parsers read
// differently.
func extendedName(disposition string) bool {
	plain := strings.NewReplacer(" ", "", "\t", "").Replace(strings.ToLower(disposition))
	return strings.Contains(plain, ";name*") || strings.Contains(plain, ";filename*")
}

// plainEncoding reports whether a part is sent as it is. RFC 7578 §4.7 deprecates the field; some clients still write binary.
func plainEncoding(values []string) bool {
	if len(values) == 0 {
		return true
	}
	switch strings.ToLower(values[0]) {
	case "binary", "8bit", "7bit":
		return len(values) == 1
	}
	return false
}
