package route

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/go-playground/validator/v10"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"golang.org/x/time/rate"
)

const echoCaller = "caller"

// newEcho is the route with echo and its own middleware for request ids, tokens,
// limits and the size of bodies. Its serializer is replaced by a strict one.
func newEcho(limit Limit) http.Handler {
	tokens := newTokenParser()
	e := echo.New()
	e.JSONSerializer = echoJSON{}
	e.Validator = echoRules{newRules()}
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		r := as(echoRefusal(err), c.Response().Header().Get(echo.HeaderXRequestID))
		_ = c.JSON(r.status, r)
	}
	e.Use(middleware.RequestID(), middleware.BodyLimit("256K"))
	e.PATCH("/projects/:projectID", echoUpdate,
		echojwt.WithConfig(echojwt.Config{
			ContextKey:     echoCaller,
			ParseTokenFunc: func(_ echo.Context, token string) (any, error) { return tokens.parse(token) },
			ErrorHandler: func(c echo.Context, _ error) error {
				c.Response().Header().Set(echo.HeaderWWWAuthenticate, "Bearer")
				return errUnauthenticated
			},
		}),
		func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				if !echoCallerOf(c).CanEdit() {
					return errForbidden
				}
				return next(c)
			}
		},
		middleware.RateLimiterWithConfig(middleware.RateLimiterConfig{
			IdentifierExtractor: func(c echo.Context) (string, error) { return echoCallerOf(c).ID, nil },
			DenyHandler:         func(echo.Context, string, error) error { return errRateLimited },
			Store: middleware.NewRateLimiterMemoryStoreWithConfig(middleware.RateLimiterMemoryStoreConfig{
				Rate: rate.Limit(limit.perSecond()), Burst: limit.N, ExpiresIn: limit.Per}),
		}))
	return e
}

func echoUpdate(c echo.Context) error {
	project, ok := findProject(c.Param("projectID"), echoCallerOf(c))
	if !ok {
		return errNotFound
	}
	var in UpdateProject
	if err := c.Bind(&in); err != nil {
		return err
	}
	if err := c.Validate(in); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, OneProject{project.changed(in)})
}

func echoCallerOf(c echo.Context) Caller {
	caller, _ := c.Get(echoCaller).(Caller)
	return caller
}

// echoRefusal turns echo's own errors into the service's.
func echoRefusal(err error) error {
	if known, ok := errors.AsType[*refusal](err); ok {
		return known
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	own, ok := errors.AsType[*echo.HTTPError](err)
	if !ok {
		return err
	}
	for _, e := range []*refusal{errNotFound, errMediaType, errTooLarge, errBody} {
		if e.status == own.Code {
			return e
		}
	}
	return err
}

// echoJSON is echo's serializer, strict.
type echoJSON struct{}

func (echoJSON) Serialize(c echo.Context, v any, _ string) error {
	return json.NewEncoder(c.Response()).Encode(v)
}

func (echoJSON) Deserialize(c echo.Context, v any) error { return decodeBody(c.Request().Body, v) }

type echoRules struct{ rules *validator.Validate }

func (v echoRules) Validate(in any) error {
	if err := v.rules.Struct(in); err != nil {
		return invalid(err)
	}
	return nil
}
