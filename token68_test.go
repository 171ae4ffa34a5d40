package guard

import (
	"bytes"
	"regexp"
	"testing"
)

// TestIsToken68 puts each byte at each place of texts of every length up to three
// steps, and compares the verdict with the grammar.
func TestIsToken68(t *testing.T) {
	t.Parallel()
	grammar := regexp.MustCompile(`\A[A-Za-z0-9._~+/-]+=*\z`)
	for n := range 25 {
		text := bytes.Repeat([]byte{'a'}, n)
		if got, want := isToken68(string(text)), n > 0; got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
		for i := range text {
			for c := range 256 {
				text[i] = byte(c)
				if got, want := isToken68(string(text)), grammar.Match(text); got != want {
					t.Errorf("%q: got %v, want %v", text, got, want)
				}
			}
			text[i] = 'a'
		}
	}
	for _, text := range []string{"=", "==", "a=", "abcdefg=", "abcdefgh==", "a=b", "abcdefgh=abcdefgh", "=abcdefgh"} {
		if got, want := isToken68(text), grammar.MatchString(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
