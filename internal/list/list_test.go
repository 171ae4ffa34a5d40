package list_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/routeguard/guard/internal/list"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		texts []string
		want  []string
		errs  []string // the beginnings of the lines
	}{
		{name: "no texts"},
		{name: "empty texts are empty lists", texts: []string{"", ""}},
		{name: "one entry", texts: []string{"a"}, want: []string{"a"}},
		{name: "spaces around entries", texts: []string{" a ,\tb\n"}, want: []string{"a", "b"}},
		{name: "spaces inside are the entry's", texts: []string{"a b"}, want: []string{"a b"}},
		{name: "an empty text among others", texts: []string{"a", "", "b,c"}, want: []string{"a", "b", "c"}},
		{name: "a comma at the end", texts: []string{"a,b,"}, want: []string{"a", "b"}, errs: []string{"entry 3 of 3 is empty: "}},
		{name: "a comma in front", texts: []string{",a"}, want: []string{"a"}, errs: []string{"entry 1 of 2 is empty: "}},
		{name: "two commas", texts: []string{"a,,b"}, want: []string{"a", "b"}, errs: []string{"entry 2 of 3 is empty: "}},
		{name: "a blank between commas", texts: []string{"a, ,b"}, want: []string{"a", "b"}, errs: []string{"entry 2 of 3 is empty: "}},
		{name: "a blank text", texts: []string{" "}, errs: []string{"entry 1 of 1 is empty: "}},
		{name: "nothing but a comma", texts: []string{","}, errs: []string{"entry 1 of 2", "entry 2 of 2"}},
		{name: "every mistake in its order", texts: []string{"bad1,,bad2", "a,", "bad3"}, want: []string{"bad1", "bad2", "a", "bad3"},
			errs: []string{"no bad1", "entry 2 of 3", "no bad2", "entry 2 of 2", "no bad3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			err := list.Parse(tt.texts, func(entry string) error {
				got = append(got, entry)
				if strings.HasPrefix(entry, "bad") {
					return fmt.Errorf("no %s", entry)
				}
				return nil
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("got entries %q, want %q", got, tt.want)
			}
			var lines []string
			if err != nil {
				lines = strings.Split(err.Error(), "\n")
			}
			if !slices.EqualFunc(lines, tt.errs, strings.HasPrefix) {
				t.Errorf("got mistakes %q, want %q", lines, tt.errs)
			}
		})
	}
}
