package input

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"
)

// formBody decodes an urlencoded or multipart form.
func (d *decoding) formBody(ctx context.Context) *Failure {
	p, s := d.plan, d.scratch
	s.seen = append(s.seen[:0], make([]bool, len(p.root.byName))...)
	if d.r.Header["Content-Type"] == nil && noBody(d.r) {
		s.out.add(nil, emptyBody)
		return nil
	}
	boundary, err := p.formMedia(d.r)
	if err != nil {
		return failureMediaType.with(err)
	}
	if d.r.ContentLength > p.maxBody {
		f := failureTooLarge
		return &f
	}
	if noBody(d.r) {
		s.out.add(nil, emptyBody)
		return nil
	}
	var fail *Failure
	if boundary == "" {
		fail = d.urlencoded(ctx)
	} else {
		fail = d.multipart(ctx, boundary)
	}
	if fail == nil && !s.out.hard {
		d.absentFields()
	}
	return fail
}

// formMedia checks the headers of a form body. The boundary is empty for an urlencoded one.
func (p *Plan) formMedia(r *http.Request) (boundary string, err error) {
	values := r.Header["Content-Type"]
	if len(values) != 1 {
		return "", errors.New("input: not exactly one Content-Type field")
	}
	if values[0] == p.usual {
		return "", p.checkMedia(r)
	}
	major, minor, _, ok := splitMedia(values[0])
	if !ok || major != "multipart" {
		return "", p.checkMedia(r)
	}
	if len(r.Header["Content-Encoding"]) > 0 || minor != "form-data" {
		return "", errOtherMedia
	}
	_, params, err := mime.ParseMediaType(values[0])
	if err != nil {
		return "", errOtherMedia
	}
	for name, value := range params {
		if name != "boundary" && !(name == "charset" && strings.EqualFold(value, "utf-8")) {
			return "", errOtherMedia
		}
	}
	if !isBoundary(params["boundary"]) {
		return "", errors.New("input: multipart body without a valid boundary")
	}
	return params["boundary"], nil
}

// isBoundary checks a boundary against RFC 2046 §5.1.1.
func isBoundary(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte(`'()+_,-./:=? `, c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 70 && s[len(s)-1] != ' '
}

// urlencoded decodes an urlencoded body.
func (d *decoding) urlencoded(ctx context.Context) *Failure {
	s := d.scratch
	if err := s.readAll(d.w, d.r, d.plan.maxBody); err != nil {
		return readFailure(ctx, err)
	}
	d.read = true
	if len(s.buf) == 0 {
		s.out.add(nil, emptyBody)
		return nil
	}
	// The conversion copies: no decoded string aliases the pooled buffer.
	bad := eachPair(string(s.buf), func(name, value string) bool {
		f, known := d.plan.root.byName[name]
		if !known {
			return s.out.add(nil, unknownField)
		}
		s.note(f, s.setOnce(f, f.in(d.v), value, true))
		return !s.out.full
	})
	if bad != nil {
		s.out.add(nil, bad)
	}
	return nil
}

// absentFields gives form fields that were not sent their defaults, and asks for files that were.
func (d *decoding) absentFields() {
	s := d.scratch
	for _, f := range d.plan.root.fields {
		if f.source != FromForm || s.seen[f.slot] {
			continue
		}
		if f.file == nil {
			s.note(f, f.setDefault(f.in(d.v)))
		} else if f.file.required {
			s.note(f, missing)
		}
	}
}
