package input

import (
	"context"
	"net/http"
)

// ReadAll reads a whole body of at most limit bytes, of any type, before anything about the request is believed.
//
// Its failures are those of Decode: 413, 408 and 400.
func ReadAll(ctx context.Context, w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *Failure) {
	if noBody(r) {
		return nil, nil
	}
	var s scratch
	if err := s.readAll(w, r, limit); err != nil {
		return nil, readFailure(ctx, err)
	}
	return s.buf, nil
}
