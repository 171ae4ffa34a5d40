package guard

import "github.com/routeguard/guard/internal/input"

// Optional is a field that may be absent, null or a value, and tells which.
//
// The zero Optional is absent. It is the only type beside any and raw JSON whose
// field takes null:
//
//	DueAt guard.Optional[time.Time] `json:"dueAt" validate:"omitempty,gt"`
//
// The validate tag judges the value when there is one; required refuses both
// absent and null. In a query, header or form a field is absent or has a value. A
// type that writes an Optional as JSON adds omitzero to its tag, so that absent
// stays absent. An Optional is a plain value: it may be copied, and is as safe for
// concurrent use as a V.
type Optional[V any] struct{ optional[V] }

type optional[V any] = input.Optional[V]

// Some returns an Optional that has a value. It is for tests and for clients.
func Some[V any](v V) Optional[V] { return Optional[V]{input.Some(v)} }

// Null returns an Optional that is null. It is for tests and for clients.
func Null[V any]() Optional[V] { return Optional[V]{input.Null[V]()} }

// Value returns the value and true, or a zero V and false.
//
// It is false for what was absent or null.
func (o Optional[V]) Value() (V, bool) { return o.optional.Value() }

// IsSet reports whether the field was present, with a value or as null.
func (o Optional[V]) IsSet() bool { return o.optional.IsSet() }

// IsNull reports whether the field was present as null.
func (o Optional[V]) IsNull() bool { return o.optional.IsNull() }

// IsZero reports whether the field was absent, which is what omitzero asks.
func (o Optional[V]) IsZero() bool { return o.optional.IsZero() }
