package reason

import (
	"net/http"

	"example.com/service/app"
	"github.com/routeguard/guard"
)

const blank = " \t"

func limits(computed string) {
	_ = guard.Unlimited("health probe")
	_ = guard.Unlimited(computed)
	_ = guard.Unlimited("")    // want `guard.Unlimited has no reason`
	_ = guard.Unlimited(blank) // want `guard.Unlimited has no reason`
	_ = guard.Unlimited("-")   // want `guard.Unlimited has no reason`

	mux := guard.NewMux(app.Errs)
	mux.Unguarded("GET /a", "static files", http.NotFoundHandler())
	mux.Unguarded("GET /b", "", http.NotFoundHandler())  // want `Unguarded has no reason`
	mux.Unguarded("GET /c", " ", http.NotFoundHandler()) // want `Unguarded has no reason`
}

//guard:unguarded a reason
//guard:allow errleak a reason

//guard:unguarded // want `the exemption from unguarded has no reason`
//guard:unguarded ... // want `the exemption from unguarded has no reason`
//guard:allow errleak // want `the exemption from errleak has no reason`
//guard:allow everything it is easier // want `there is no check "everything"`
//guard:ignore this // want `unknown comment`
