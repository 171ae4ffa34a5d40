// Package wiring makes handlers for another package.
package wiring

import (
	"net/http"

	"example.com/service/app"
	"github.com/routeguard/guard"
)

func Guarded() http.Handler { return guard.NewMux(app.Errs) }

func Build() (http.Handler, error) {
	mux := guard.NewMux(app.Errs)
	return mux, nil
}

func Sometimes(guarded bool) http.Handler {
	if guarded {
		return Guarded()
	}
	return http.NotFoundHandler()
}
