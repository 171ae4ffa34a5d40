package store

import (
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold returns text in the form in which search compares it: without regard to case in any script (STRASSE finds
// Straße) and to how a character is spelled in Unicode (é as one code point or two). Accents count.
//
// A Caser keeps state between calls, so each call has its own.
func fold(text string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
}

func foldOptional(text *string) *string {
	if text == nil {
		return nil
	}
	return new(fold(*text))
}
