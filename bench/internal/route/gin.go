package route

import (
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/binding"
	"github.com/go-playground/validator/v10"
	"github.com/google/uuid"
)

const (
	ginRequestID = "requestID"
	ginCaller    = "caller"
)

// ginSettings are gin's package-level ones: its binder refuses unknown fields, and
// its validator reads the tags that the others read.
var ginSettings = sync.OnceFunc(func() {
	gin.SetMode(gin.ReleaseMode)
	gin.EnableJsonDecoderDisallowUnknownFields()
	if v, ok := binding.Validator.Engine().(*validator.Validate); ok {
		v.SetTagName("validate")
		v.RegisterTagNameFunc(jsonName)
	}
})

// newGin is the route with gin: its router, contexts, binder and renderer.
func newGin(limit Limit) http.Handler {
	ginSettings()
	tokens, limits := newTokenParser(), newLimiters(limit)

	e := gin.New()
	e.Use(func(c *gin.Context) {
		id := uuid.NewString()
		c.Set(ginRequestID, id)
		c.Header("X-Request-ID", id)
	})
	e.PATCH("/projects/:projectID", func(c *gin.Context) {
		caller, err := tokens.caller(c.Request)
		if err != nil {
			c.Header("WWW-Authenticate", "Bearer")
			ginRefuse(c, errUnauthenticated)
			return
		}
		if !caller.CanEdit() {
			ginRefuse(c, errForbidden)
			return
		}
		c.Set(ginCaller, caller)
	}, func(c *gin.Context) {
		if !limits.allow(ginCallerOf(c).ID) {
			ginRefuse(c, errRateLimited)
		}
	}, ginUpdate)
	return e
}

func ginUpdate(c *gin.Context) {
	project, ok := findProject(c.Param("projectID"), ginCallerOf(c))
	if !ok {
		ginRefuse(c, errNotFound)
		return
	}
	if c.ContentType() != gin.MIMEJSON {
		ginRefuse(c, errMediaType)
		return
	}
	if c.Request.ContentLength > maxBody {
		ginRefuse(c, errTooLarge)
		return
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
	var in UpdateProject
	if err := c.ShouldBindJSON(&in); err != nil {
		e := invalid(err)
		if e == errInternal { // no rule was broken: it could not be decoded
			ginRefuse(c, decodeError(err))
			return
		}
		ginRefuse(c, e)
		return
	}
	c.JSON(http.StatusOK, OneProject{project.changed(in)})
}

func ginCallerOf(c *gin.Context) Caller {
	caller, _ := c.MustGet(ginCaller).(Caller)
	return caller
}

func ginRefuse(c *gin.Context, err error) {
	e := as(err, c.GetString(ginRequestID))
	c.AbortWithStatusJSON(e.status, e)
}
