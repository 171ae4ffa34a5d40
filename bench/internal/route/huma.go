package route

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"
)

type (
	humaRequestID struct{}
	humaCaller    struct{}
)

// humaInput is the input with huma's own rules, which make its schema. It refuses
// unknown members by itself.
type humaInput struct {
	ProjectID string `path:"projectID"`
	Body      struct {
		Name       *string `json:"name,omitempty"       minLength:"3"  maxLength:"80"`
		Summary    *string `json:"summary,omitempty"    minLength:"20" maxLength:"300"`
		Visibility *string `json:"visibility,omitempty" enum:"private,team"`
	}
}

type humaOutput struct{ Body OneProject }

// newHuma is the route with huma on net/http's mux, without its documentation
// routes and the links to schemas in answers.
func newHuma(limit Limit) http.Handler {
	huma.ValidateStrictCasing = true
	tokens, limits := newTokenParser(), newLimiters(limit)

	config := huma.DefaultConfig("projects", "1.0.0")
	config.CreateHooks, config.OpenAPIPath, config.DocsPath, config.SchemasPath = nil, "", "", ""
	mux := http.NewServeMux()
	api := humago.New(mux, config)
	api.UseMiddleware(func(c huma.Context, next func(huma.Context)) {
		id := uuid.NewString()
		c.SetHeader("X-Request-ID", id)
		next(huma.WithValue(c, humaRequestID{}, id))
	}, func(c huma.Context, next func(huma.Context)) {
		token, ok := strings.CutPrefix(c.Header("Authorization"), "Bearer ")
		if !ok {
			humaRefuse(api, c, errUnauthenticated)
			return
		}
		caller, err := tokens.parse(token)
		if err != nil {
			humaRefuse(api, c, errUnauthenticated)
			return
		}
		if !caller.CanEdit() {
			humaRefuse(api, c, errForbidden)
			return
		}
		next(huma.WithValue(c, humaCaller{}, caller))
	}, func(c huma.Context, next func(huma.Context)) {
		if !limits.allow(humaCallerOf(c.Context()).ID) {
			humaRefuse(api, c, errRateLimited)
			return
		}
		next(c)
	})
	huma.Register(api, huma.Operation{OperationID: "update-project", Method: http.MethodPatch, Path: pattern, MaxBodyBytes: maxBody}, humaUpdate)
	return mux
}

func humaUpdate(ctx context.Context, in *humaInput) (*humaOutput, error) {
	project, ok := findProject(in.ProjectID, humaCallerOf(ctx))
	if !ok {
		return nil, huma.Error404NotFound(errNotFound.Message)
	}
	return &humaOutput{OneProject{project.changed(UpdateProject(in.Body))}}, nil
}

func humaCallerOf(ctx context.Context) Caller {
	caller, _ := ctx.Value(humaCaller{}).(Caller)
	return caller
}

func humaRefuse(api huma.API, c huma.Context, e *refusal) {
	if e == errUnauthenticated {
		c.SetHeader("WWW-Authenticate", "Bearer")
	}
	_ = huma.WriteErr(api, c, e.status, e.Message, errors.New(e.Code))
}
