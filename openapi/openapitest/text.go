package openapitest

import (
	"regexp/syntax"
	"strings"
)

// formatSamples are texts of each format, in the spelling that the guard takes.
var formatSamples = map[string][]string{
	"email":     {"someone@example.com", "other@example.com"},
	"uri":       {"https://example.com/one", "https://example.com/two"},
	"uuid":      {"0198f000-0000-7000-8000-00000000a11c", "0198f000-0000-7000-8000-000000000b0b"},
	"date-time": {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5+01:00"},
	"date":      {"2026-01-02", "2026-02-03"},
	"ipv4":      {"192.0.2.1", "192.0.2.2"},
	"ipv6":      {"2001:db8::1", "2001:db8::2"},
	"hostname":  {"example.com", "www.example.com"},
}

// fileSamples are the shortest contents that are told from others, by their media type.
var fileSamples = map[string]string{
	"image/png": "\x89PNG\x0D\x0A\x1A\x0A", "image/jpeg": "\xFF\xD8\xFF", "image/gif": "GIF89a", "image/webp": "RIFF\x00\x00\x00\x00WEBPVP",
	"application/pdf": "%PDF-1.7", "application/zip": "PK\x03\x04", "application/gzip": "\x1F\x8B\x08",
}

// matching returns text that an expression matches, with n turns of each repetition that takes so many.
func matching(expression string, n int) (string, bool) {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	write(&b, re.Simplify(), n)
	return b.String(), true
}

func write(b *strings.Builder, re *syntax.Regexp, n int) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(oneOf(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			write(b, sub, n)
		}
	case syntax.OpAlternate:
		write(b, re.Sub[0], n)
	case syntax.OpStar:
		for range n {
			write(b, re.Sub[0], n)
		}
	case syntax.OpPlus:
		for range max(n, 1) {
			write(b, re.Sub[0], n)
		}
	}
}

// oneOf picks a letter of a class, or its first character.
func oneOf(ranges []rune) rune {
	for _, want := range "a1A" {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= want && want <= ranges[i+1] {
				return want
			}
		}
	}
	return ranges[0]
}
