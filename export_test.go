package guard

import (
	"time"

	"github.com/routeguard/guard/internal/bucket"
)

// NewMemoryStore is the in-process store with a clock of the test's.
func NewMemoryStore(now func() time.Time) Store {
	start := now()
	return &memory{bucket.New(bucket.Config{Now: func() time.Duration { return now().Sub(start) }})}
}
