package guard

import (
	"mime/multipart"

	"github.com/routeguard/guard/internal/input"
)

// File is an uploaded file: a field of [Form]'s input. The zero File is no file.
//
// A file tag is required; it bounds the size and lists the media types:
//
//	Avatar guard.File   `form:"avatar" file:"max=1MiB,types=image/png image/jpeg"`
//	Scan   *guard.File  `form:"scan"   file:"max=4MiB,types=application/pdf"`
//	Photos []guard.File `form:"photos" file:"max=2MiB,types=image/jpeg" validate:"min=1,max=5"`
//
// A File must be sent, a *File may be left out, and a []File needs a max rule. A
// type is accepted when the part declares it and the first 512 bytes look like it,
// as [http.DetectContentType] sees them. That tells a picture from a page; it does
// not prove that the rest is a well-formed picture, and it is no virus scanner. Types
// that cannot be told by their content, and those that a browser runs (HTML, SVG,
// scripts), are mistakes at construction.
//
// Programs often declare application/octet-stream, or nothing. With declared=any in
// the tag the first 512 bytes alone decide, whatever the part declares. Only types
// that differ in them may then be listed: text/csv, which looks like any text, is
// a mistake.
//
// A file lives until the handler has returned: up to 64 KiB of it in memory, the
// rest in a temporary file that has no name where the system allows that. A File
// may be copied, and opened from several goroutines.
type File struct{ file }

type file = input.File

// Name returns the client's name for the file: text to show, never a path.
//
// Directories, control and invisible characters are cut off. It is valid UTF-8 of
// at most 255 bytes, and "unnamed" when nothing is left.
func (f File) Name() string { return f.file.Name() }

// ContentType returns the media type, on which the client and the content agree.
//
// With declared=any it is the type of the content, never what the client declared.
func (f File) ContentType() string { return f.file.ContentType() }

// Size returns the number of bytes.
func (f File) Size() int64 { return f.file.Size() }

// Open returns a reader over the content, from the start.
//
// It fails for the zero File, and when the request is over. Each call returns a reader
// of its own.
func (f File) Open() (multipart.File, error) { return f.file.Open() }
