package input

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// File is one uploaded file of a form. The zero File is no file.
//
// It lives until the handler has returned: up to 64 KiB of it in memory, the rest in a temporary file that has no name any more where
// the system allows that. It may be copied and opened from several goroutines.
type File struct{ up *upload }

// filer is how the decoder gives a file to a File, and to a type that consists of one.
type filer interface{ hold(up *upload) }

func (f *File) hold(up *upload) { f.up = up }

var filerType = reflect.TypeFor[filer]()

// isFile reports whether t is File, or a struct of nothing but a File.
func isFile(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() == 1 && reflect.PointerTo(t).Implements(filerType)
}

// Name returns the client's name for the file: text to show, never a path. Directories, control and invisible characters are
// cut off, and it is at most 255 bytes of valid UTF-8; it is "unnamed" when nothing is left.
func (f File) Name() string {
	if f.up == nil {
		return ""
	}
	return f.up.name
}

// ContentType returns the media type, on which the client and the content agree; with declared=any it is the content's.
func (f File) ContentType() string {
	if f.up == nil {
		return ""
	}
	return f.up.mediaType
}

// Size returns the number of bytes.
func (f File) Size() int64 {
	if f.up == nil {
		return 0
	}
	return f.up.size
}

// Open returns a reader over the content, from the start. It fails for no file, and when the request is over.
func (f File) Open() (multipart.File, error) {
	if f.up == nil {
		return nil, errors.New("input: open file: no file was uploaded")
	}
	return f.up.open()
}

// upload is what the copies of a File share.
type upload struct {
	name      string
	mediaType string
	size      int64

	mu     sync.Mutex
	memory []byte
	file   *os.File
	path   string // of file, while it still has a name
	closed bool
	failed error // of storing
}

func (u *upload) open() (multipart.File, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.closed:
		return nil, errors.New("input: open file: the request is over")
	case u.file != nil:
		return openFile{io.NewSectionReader(u.file, 0, u.size)}, nil
	}
	return openFile{io.NewSectionReader(bytes.NewReader(u.memory), 0, u.size)}, nil
}

// openFile is one reader over an upload. The upload itself is closed with the request.
type openFile struct{ *io.SectionReader }

func (openFile) Close() error { return nil }

// Write stores content: up to fileMemory bytes in memory, more in a temporary file.
func (u *upload) Write(p []byte) (int, error) {
	if u.file == nil && u.size+int64(len(p)) <= fileMemory {
		u.memory = append(u.memory, p...)
		u.size += int64(len(p))
		return len(p), nil
	}
	if u.file == nil {
		if u.failed = u.spill(); u.failed != nil {
			return 0, u.failed
		}
	}
	n, err := u.file.Write(p)
	u.size += int64(n)
	u.failed = err
	return n, err
}

// spill moves the content to a temporary file. Its name is removed at once where the system allows it, so that
// nothing is left even when the process is killed.
func (u *upload) spill() error {
	f, err := os.CreateTemp("", "upload-*")
	if err != nil {
		return err
	}
	u.file = f
	if os.Remove(f.Name()) != nil {
		u.path = f.Name()
	}
	_, err = f.Write(u.memory)
	u.memory = nil
	return err
}

// remove ends the upload's life. It may be called more than once.
func (u *upload) remove() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	u.closed = true
	u.memory = nil
	if u.file == nil {
		return
	}
	// Nobody is left who could act on an error: the content is not needed any more.
	_ = u.file.Close()
	if u.path != "" {
		_ = os.Remove(u.path)
	}
}

// cleanName makes text of a client's file name.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if blank(r) && r != ' ' {
			return -1
		}
		return r
	}, name)
	name = strings.Trim(name, " .")
	for len(name) > 255 {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	if name == "" || name == "/" {
		return "unnamed"
	}
	return name
}

// fileRule is what a file tag says.
type fileRule struct {
	max      int64
	count    int
	types    []string
	declared bool // the part must declare its type; false: the content alone decides
	required bool
}

// admits returns the media type of a file that declares one, or none, and whose content begins with head. It is empty for
// a file that is not admitted.
func (r *fileRule) admits(declared string, head []byte) string {
	found, _, _ := strings.Cut(http.DetectContentType(head), ";")
	for _, t := range r.types {
		if sniffed[t] == found && (t == declared || !r.declared) {
			return t
		}
	}
	return ""
}

// sniffed says what http.DetectContentType calls a file of each type that may be allowed. A type that it cannot tell
// from others is not here; neither is one that a browser would run as a page of the service.
var sniffed = map[string]string{
	"image/png": "image/png", "image/jpeg": "image/jpeg", "image/gif": "image/gif", "image/webp": "image/webp",
	"image/bmp": "image/bmp", "image/x-icon": "image/x-icon", "image/vnd.microsoft.icon": "image/x-icon",
	"audio/mpeg": "audio/mpeg", "audio/wav": "audio/wave", "audio/wave": "audio/wave", "audio/aiff": "audio/aiff",
	"audio/basic": "audio/basic", "audio/midi": "audio/midi", "application/ogg": "application/ogg",
	"video/mp4": "video/mp4", "video/webm": "video/webm", "video/avi": "video/avi",
	"application/pdf": "application/pdf", "application/zip": "application/zip",
	"application/gzip": "application/x-gzip", "application/x-gzip": "application/x-gzip",
	"application/x-rar-compressed": "application/x-rar-compressed",
	"font/ttf":                     "font/ttf", "font/otf": "font/otf", "font/woff": "font/woff", "font/woff2": "font/woff2", "font/collection": "font/collection",
	"text/plain": "text/plain", "text/csv": "text/plain", "text/markdown": "text/plain", "application/json": "text/plain",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   "application/zip",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         "application/zip",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": "application/zip",
	"application/vnd.oasis.opendocument.text":                                   "application/zip",
}

// fileTag reads the file tag of a form field.
func (c *compiler) fileTag(f *field, tag reflect.StructTag, at string) {
	text, tagged := tag.Lookup("file")
	holdsFile := fileElem(f.typ)
	switch {
	case !tagged && !holdsFile:
		return
	case !holdsFile:
		c.mistake(at, "file: %s is no file: write File, *File or []File", f.typ)
		return
	case f.source != FromForm:
		return // the type itself is refused for the source
	case !tagged:
		c.mistake(at, `file: has no bounds: write file:"max=1MiB,types=image/png image/jpeg"`)
		return
	}
	r := &fileRule{count: 1, declared: true, required: isFile(f.typ)}
	for _, part := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "max":
			n, err := parseSize(value)
			if err != nil {
				c.mistake(at, "file: max=%s is not a size: write a number and B, KiB, MiB or GiB", value)
			}
			r.max = n
		case "types":
			r.types = strings.Fields(value)
		case "declared":
			if value != "any" {
				c.mistake(at, "file: declared=%s: write declared=any where the content alone decides, or leave it out", value)
			}
			r.declared = false
		default:
			c.mistake(at, "file: %q is unknown: write max=…, types=… and perhaps declared=any", key)
		}
	}
	c.fileBounds(f, r, at)
	f.file = r
}

func (c *compiler) fileBounds(f *field, r *fileRule, at string) {
	if r.max <= 0 {
		c.mistake(at, `file: has no max: write file:"max=1MiB,types=…"`)
	}
	if len(r.types) == 0 {
		c.mistake(at, `file: has no types: write file:"max=…,types=image/png image/jpeg"`)
	}
	for _, t := range r.types {
		switch found := sniffed[t]; {
		case found == "":
			c.mistake(at, "file: type %s cannot be told by its content, or is a page that a browser would run: write one such as image/png, application/pdf or text/csv", t)
		case found != t && !r.declared: // a CSV file looks like any text, a .docx like any archive
			c.mistake(at, "file: declared=any: what is %s by its content may be %s or not: write %[1]s, or leave declared=any out", found, t)
		}
	}
	if f.typ.Kind() == reflect.Slice {
		n, ok := f.level.max()
		if !ok || n < 1 || n > MaxParts {
			c.mistake(at, `file: has no number: write validate:"max=5" with the largest number of files`)
		}
		r.count = n
	}
}

// fileElem reports whether t is File, *File or []File.
func fileElem(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return isFile(t)
}

// fileNode compiles a file field.
func (c *compiler) fileNode(n *node, f *field, at string) *node {
	if f.source != FromForm {
		c.mistake(at, `%s: files come in forms: write form:"name" and Form`, n.typ)
		return nil
	}
	if f.file == nil {
		return nil
	}
	n.op = opFile
	n.max = f.file.count
	return n
}

// parseSize reads "1MiB".
func parseSize(s string) (int64, error) {
	for _, unit := range []struct {
		suffix string
		bytes  int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}} {
		digits, ok := strings.CutSuffix(s, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || n < 1 {
			return 0, strconv.ErrSyntax
		}
		return n * unit.bytes, nil
	}
	return 0, strconv.ErrSyntax
}

// sizeText writes a size as a developer would.
func sizeText(n int64) string {
	switch {
	case n%(1<<30) == 0:
		return strconv.FormatInt(n>>30, 10) + " GiB"
	case n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	case n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + " KiB"
	}
	return plural(int(n), "byte")
}
