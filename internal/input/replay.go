package input

import (
	"io"
	"net/http"
	"strings"
)

// replayParts returns the decoded form as a multipart body again, with the request's boundary. File names are the clean
// ones: a wrapped handler sees what was checked, not what was sent.
func replayParts(boundary string, parts []part) (io.ReadCloser, int64) {
	var readers []io.Reader
	var size int64
	add := func(text string) {
		readers = append(readers, strings.NewReader(text))
		size += int64(len(text))
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for _, p := range parts {
		add("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + quote.Replace(p.name) + `"`)
		if p.file == nil {
			add("\r\n\r\n" + p.text + "\r\n")
			continue
		}
		add("; filename=\"" + quote.Replace(p.file.name) + "\"\r\nContent-Type: " + p.file.mediaType + "\r\n\r\n")
		readers = append(readers, &uploadReader{up: p.file})
		size += p.file.size
		add("\r\n")
	}
	add("--" + boundary + "--\r\n")
	return io.NopCloser(io.MultiReader(readers...)), size
}

// uploadReader opens an upload when it is first read, so that a replay after the request's end fails instead of reading.
type uploadReader struct {
	up  *upload
	src io.Reader
}

func (u *uploadReader) Read(p []byte) (int, error) {
	if u.src == nil {
		f, err := u.up.open()
		if err != nil {
			return 0, http.ErrBodyReadAfterClose
		}
		u.src = f
	}
	return u.src.Read(p)
}
