package input

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer is a set of text normalizations. However a tag orders them, they are applied as lower or upper and nfc,
// then collapse, then trim: in that order a second application changes nothing.
type normalizer uint8

const (
	normalizeTrim normalizer = 1 << iota
	normalizeLower
	normalizeUpper
	normalizeNFC
	normalizeCollapse
)

// parseNormalize reads a normalize tag.
func parseNormalize(tag string) (normalizer, error) {
	var n normalizer
	for _, word := range strings.Split(tag, ",") {
		var bit normalizer
		switch word {
		case "trim":
			bit = normalizeTrim
		case "lower":
			bit = normalizeLower
		case "upper":
			bit = normalizeUpper
		case "nfc":
			bit = normalizeNFC
		case "collapse":
			bit = normalizeCollapse
		default:
			return 0, fmt.Errorf("normalize: %q is not a normalizer: write some of trim, lower, upper, nfc, collapse", word)
		}
		if n&bit != 0 {
			return 0, fmt.Errorf("normalize: %q is given twice: write it once", word)
		}
		n |= bit
	}
	if n&normalizeLower != 0 && n&normalizeUpper != 0 {
		return 0, fmt.Errorf("normalize: lower and upper contradict each other: write one of them")
	}
	return n, nil
}

// apply normalizes s. It allocates only when s changes.
func (n normalizer) apply(s string) string {
	s = n.letters(s)
	if n&normalizeCollapse != 0 {
		s = collapse(s)
	}
	if n&normalizeTrim != 0 {
		s = trim(s)
	}
	return s
}

// letters applies case and composition. Composing can bring back a letter of the other case (U+1E97 with a dot below),
// so that both are repeated until nothing changes, which takes two rounds for every letter that Unicode has.
func (n normalizer) letters(s string) string {
	for range 3 {
		before := s
		if n&normalizeLower != 0 {
			s = strings.ToLower(s)
		}
		if n&normalizeUpper != 0 {
			s = strings.ToUpper(s)
		}
		if n&normalizeNFC == 0 {
			return s
		}
		s = norm.NFC.String(s)
		if s == before {
			return s
		}
	}
	return s
}

// trim cuts blank characters from both ends.
func trim(s string) string {
	// Most text begins and ends with a visible ASCII character.
	if s == "" || visibleASCII(s[0]) && visibleASCII(s[len(s)-1]) {
		return s
	}
	return strings.TrimFunc(s, blank)
}

func visibleASCII(c byte) bool { return c > ' ' && c < 0x7f }

// collapse replaces every run of white space by one space.
func collapse(s string) string {
	if !needsCollapse(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	inSpace := false
	for _, r := range s {
		if unicode.IsSpace(r) {
			if !inSpace {
				b.WriteByte(' ')
			}
			inSpace = true
			continue
		}
		inSpace = false
		b.WriteRune(r)
	}
	return b.String()
}

func needsCollapse(s string) bool {
	last := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf || c != ' ' && c < ' ' || c == ' ' && last == ' ' {
			return true
		}
		last = c
	}
	return false
}

// blank reports whether r shows nothing: white space, control characters, and the invisible characters that pass for
// empty text (zero-width spaces and joiners, byte order marks, directional marks, fillers, the braille blank). A name made of
// these looks empty on every screen and yet is longer than zero.
func blank(r rune) bool {
	if r < utf8.RuneSelf {
		return r <= ' ' || r == 0x7f
	}
	if unicode.IsSpace(r) || unicode.IsControl(r) {
		return true
	}
	switch {
	case r >= 0x200B && r <= 0x200F, // zero-width space, non-joiner, joiner, directional marks
		r >= 0x202A && r <= 0x202E,                         // directional embeddings and overrides
		r >= 0x2060 && r <= 0x206F,                         // word joiner, invisible operators, isolates
		r == 0x00AD,                                        // soft hyphen
		r == 0x034F,                                        // combining grapheme joiner
		r == 0x061C,                                        // Arabic letter mark
		r == 0x115F, r == 0x1160, r == 0x3164, r == 0xFFA0, // Hangul fillers
		r == 0x17B4, r == 0x17B5, // Khmer inherent vowels
		r == 0x180E, // Mongolian vowel separator
		r == 0x2800, // braille blank
		r == 0xFEFF: // byte order mark
		return true
	}
	return false
}
