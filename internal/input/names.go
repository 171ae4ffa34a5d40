package input

import (
	"maps"
	"slices"
)

// ServerOwned returns the names that inputs must not have without guard:"client", in lower case and without
// separators, sorted. It is what the attack kit tries to set.
func ServerOwned() []string { return slices.Sorted(maps.Keys(serverOwned)) }

// GiveFile fills a File, or a struct of nothing but one, with an upload in memory. It reports whether dst is a pointer
// to one. It is for tests of handlers, and for making uploads.
func GiveFile(dst any, name, mediaType string, content []byte) bool {
	f, ok := dst.(filer)
	if ok {
		f.hold(&upload{name: name, mediaType: mediaType, size: int64(len(content)), memory: slices.Clone(content)})
	}
	return ok
}
