// Command gin shows guards on a gin router: guarded is the whole bridge.
//
// gin answers unknown paths and methods by itself, and its own recovery swallows the panic by which a guard cuts off a
// response that failed halfway. Guards recover for themselves: leave gin.Recovery to the routes without one.
// Keep UseRawPath and UseEscapedPath off: parameters are then cut out of the decoded path, and an encoded slash ends one.
package main

import (
	"context"
	"log"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/routeguard/guard"
)

// guarded hands gin's parameters and route to a guard, which looks for them where http.ServeMux puts them.
func guarded(g guard.Guarded) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Request.Pattern = c.Request.Method + " " + c.FullPath() // in the log, and of unnamed limits
		for _, p := range c.Params {
			c.Request.SetPathValue(p.Key, p.Value)
		}
		g.ServeHTTP(c.Writer, c.Request)
	}
}

type Caller struct{ ID string }

func (c Caller) Subject() string { return c.ID }

type Note struct {
	Owner string `json:"-"`
	Text  string `json:"text"`
}

func (n *Note) OwnedBy(c Caller) bool { return n.Owner == c.ID }

type EditNote struct {
	Text string `json:"text" normalize:"trim" validate:"required,max=200"`
}

var notes = map[string]*Note{"1": {"ada", "Ada's note"}, "2": {"bob", "Bob's note"}, "ä b": {"ada", "Ada's other note"}}

func verify(_ context.Context, credential string) (Caller, error) {
	if credential == "ada-demo" {
		return Caller{ID: "ada"}, nil
	}
	return Caller{}, guard.ErrNoSession
}

func load(_ context.Context, id string) (*Note, error) { return notes[id], nil }

func show(_ context.Context, c *guard.Call[Caller, guard.None, *Note]) (*Note, error) {
	return c.Resource, nil
}

func edit(_ context.Context, c *guard.Call[Caller, EditNote, *Note]) (Note, error) {
	return Note{Text: c.Input.Text}, nil
}

func newRouter(errs *guard.Responder) *gin.Engine {
	callers, limits := guard.Bearer(verify), &guard.Limiter{}
	ownNote := guard.Owned("noteID", guard.ParseString, load, (*Note).OwnedBy)
	perCaller := limits.PerCaller(8, time.Minute)
	r := gin.New()
	r.GET("/notes/:noteID", guarded(guard.New(callers, guard.NoPayload, ownNote, perCaller, errs, show)))
	r.PUT("/notes/:noteID", guarded(guard.New(callers, guard.JSON[EditNote], ownNote, perCaller, errs, edit)))
	return r
}

func main() {
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: newRouter(&guard.Responder{}), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
