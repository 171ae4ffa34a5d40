package main

import (
	"context"
	"sync"
)

// searchCache keeps the results of recent searches until a project changes.
//
// A result is kept only if nothing changed while it was computed: a search that began before a change may have read
// the rows as they were, and must not be served after it.
type searchCache struct {
	mu         sync.Mutex
	generation uint64
	results    map[Search][]ProjectView
}

// maxSearches bounds the cache. A full one starts again: it is quick to fill, and searches come from anybody.
const maxSearches = 1024

func (c *searchCache) get(ctx context.Context, q Search, compute func(context.Context) ([]ProjectView, error)) ([]ProjectView, error) {
	c.mu.Lock()
	generation, found := c.generation, c.results[q]
	c.mu.Unlock()
	if found != nil {
		return found, nil
	}
	found, err := compute(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation {
		return found, nil
	}
	if c.results == nil || len(c.results) >= maxSearches {
		c.results = make(map[Search][]ProjectView)
	}
	c.results[q] = found
	return found, nil
}

// drop forgets everything.
func (c *searchCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.results = nil
}
