package route

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/go-playground/validator/v10"
)

// refusal is an error response. Its request id is added when it is sent.
type refusal struct {
	status    int
	Message   string       `json:"error"`
	Code      string       `json:"code"`
	RequestID string       `json:"requestId"`
	Fields    []fieldError `json:"errors,omitempty"`
}

type fieldError struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
}

func (r *refusal) Error() string { return r.Code }

var (
	errUnauthenticated = &refusal{status: http.StatusUnauthorized, Code: "unauthenticated", Message: "Authentication required."}
	errForbidden       = &refusal{status: http.StatusForbidden, Code: "forbidden", Message: "You are not allowed to do this."}
	errRateLimited     = &refusal{status: http.StatusTooManyRequests, Code: "rate_limited", Message: "Too many requests."}
	errNotFound        = &refusal{status: http.StatusNotFound, Code: "not_found", Message: "Not found."}
	errMediaType       = &refusal{status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Message: "Unsupported media type."}
	errTooLarge        = &refusal{status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Message: "Request body too large."}
	errBody            = &refusal{status: http.StatusBadRequest, Code: "invalid_body", Message: "Invalid request body."}
	errInternal        = &refusal{status: http.StatusInternalServerError, Code: "internal", Message: "Internal error."}
)

// invalid names the fields that broke a rule.
func invalid(err error) *refusal {
	broken, ok := errors.AsType[validator.ValidationErrors](err)
	if !ok {
		return errInternal
	}
	e := *errBody
	for _, f := range broken {
		e.Fields = append(e.Fields, fieldError{f.Field(), f.Tag()})
	}
	return &e
}

// as returns the refusal that an error is, with a request id. Anything else is
// internal.
func as(err error, requestID string) *refusal {
	known, ok := errors.AsType[*refusal](err)
	if !ok {
		known = errInternal
	}
	e := *known
	e.RequestID = requestID
	return &e
}

func writeRefusal(w http.ResponseWriter, requestID string, err error) {
	e := as(err, requestID)
	writeJSON(w, e.status, e)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // an error means that the client is gone
}
