package store

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"

	"github.com/google/uuid"
)

// ErrBadCursor reports a cursor that [Store.Projects] did not make.
var ErrBadCursor = errors.New("store: malformed cursor")

const (
	cursorVersion = 1
	cursorBytes   = 1 + 8 + 16 // version, created_at, id
)

// position is a place in a list that is ordered newest first.
//
// Its cursor is encoded, not signed: a forged one only moves the start of the forger's own list.
type position struct {
	createdAt int64 // microseconds since 1970
	id        uuid.UUID
}

func positionOf(p *Project) position { return position{createdAt: toMicros(p.CreatedAt), id: p.ID} }

func (p position) cursor() string {
	b := make([]byte, 0, cursorBytes)
	b = append(b, cursorVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(p.createdAt))
	b = append(b, p.id[:]...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor returns the position of a cursor, or the one before the newest row if the cursor is empty.
func parseCursor(s string) (position, error) {
	if s == "" {
		return position{createdAt: math.MaxInt64, id: uuid.Max}, nil
	}
	if len(s) != base64.RawURLEncoding.EncodedLen(cursorBytes) {
		return position{}, ErrBadCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorBytes || b[0] != cursorVersion {
		return position{}, ErrBadCursor
	}
	createdAt := binary.BigEndian.Uint64(b[1:])
	if createdAt > math.MaxInt64 {
		return position{}, ErrBadCursor
	}
	return position{createdAt: int64(createdAt), id: uuid.UUID(b[9:])}, nil
}
