// Package list reads comma-separated lists, as environment variables hold them.
package list

import (
	"errors"
	"fmt"
	"strings"
)

// Parse hands each entry of the texts to parse, without the spaces around it, and returns every mistake, one a line.
//
// An empty text is a variable that is not set: it has no entries. An empty entry elsewhere is a mistake, since what was to
// stand there is missing: the variable of a template had no value, or somebody deleted half a line.
func Parse(texts []string, parse func(entry string) error) error {
	var errs []error
	for _, text := range texts {
		if text == "" {
			continue
		}
		entries := strings.Split(text, ",")
		for i, entry := range entries {
			entry = strings.TrimSpace(entry)
			if entry == "" {
				errs = append(errs, fmt.Errorf("entry %d of %d is empty: put commas only between entries, and leave the text empty for none",
					i+1, len(entries)))
				continue
			}
			errs = append(errs, parse(entry))
		}
	}
	return errors.Join(errs...)
}
