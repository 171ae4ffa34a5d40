package route

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"
	"github.com/go-chi/jwtauth/v5"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

// newChi is the route with chi and its own middleware. What that does not do, such
// as the body, is done by hand in the handler, as chi's users do.
func newChi(limit Limit) http.Handler {
	tokens := jwtauth.New("HS256", key, nil, jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithRequiredClaim("exp"),
		jwt.WithRequiredClaim("sub"), jwt.WithAcceptableSkew(leeway))
	rules := newRules()

	r := chi.NewRouter()
	r.Use(middleware.RequestID, sendRequestID)
	r.With(
		jwtauth.Verifier(tokens),
		chiCaller,
		httprate.LimitBy(limit.N, limit.Per, func(r *http.Request) (string, error) { return chiCallerOf(r).ID, nil },
			httprate.WithLimitHandler(chiRefuse(errRateLimited))),
	).Patch(pattern, func(w http.ResponseWriter, r *http.Request) {
		project, ok := findProject(chi.URLParam(r, "projectID"), chiCallerOf(r))
		if !ok {
			chiRefuse(errNotFound)(w, r)
			return
		}
		var in UpdateProject
		if err := decodeStrict(w, r, &in); err != nil {
			chiRefuse(err)(w, r)
			return
		}
		if err := check(rules, in); err != nil {
			chiRefuse(err)(w, r)
			return
		}
		writeJSON(w, http.StatusOK, OneProject{project.changed(in)})
	})
	return r
}

func sendRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(middleware.RequestIDHeader, middleware.GetReqID(r.Context()))
		next.ServeHTTP(w, r)
	})
}

func chiRefuse(err error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		writeRefusal(w, middleware.GetReqID(r.Context()), err)
	}
}

// chiCaller is jwtauth.Authenticator with the service's own error and the role.
func chiCaller(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _, err := jwtauth.FromContext(r.Context())
		if err != nil || token == nil || token.Subject() == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			chiRefuse(errUnauthenticated)(w, r)
			return
		}
		if !chiCallerOf(r).CanEdit() {
			chiRefuse(errForbidden)(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func chiCallerOf(r *http.Request) Caller {
	token, _ := r.Context().Value(jwtauth.TokenCtxKey).(jwt.Token)
	if token == nil {
		return Caller{}
	}
	role, _ := token.Get("role")
	text, _ := role.(string)
	return Caller{ID: token.Subject(), Role: text}
}
