package input

import (
	"errors"
	"strings"
)

// Failed returns the refusal that a handler's error asks for: one made by Invalid, or several of them joined.
// It reports false for an error that says anything else besides.
func Failed(err error) (*Failure, bool) {
	var list []Violation
	if found := new(*FieldErrors); !errors.As(err, found) {
		return nil, false
	}
	if fieldErrors(err, &list) != nil || len(list) == 0 {
		return nil, false
	}
	f := failureParameters
	list = list[:min(len(list), MaxViolations)]
	for i, v := range list {
		list[i].Code, list[i].Message = publicCode(v.Code), publicMessage(v.Message)
		if v.Pointer == "" || strings.HasPrefix(v.Pointer, "/") {
			f = failureBody
		}
	}
	f.Rules, f.Violations = true, list
	return &f, true
}
