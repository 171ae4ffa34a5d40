// Command echo shows guards on an echo router (v5), whose WrapHandler is the bridge.
//
// It hands over the parameters and the path, but not the method: limits that the methods of one path must not share are
// named. Of an unusually escaped path, echo passes parameters on as they were sent, unless UnescapePathParamValues is set;
// one id would have two spellings. echo answers unknown paths and methods by itself.
package main

import (
	"context"
	"log"
	"net/http"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/routeguard/guard"
)

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

func newRouter(errs *guard.Responder) *echo.Echo {
	callers, limits := guard.Bearer(verify), &guard.Limiter{}
	ownNote := guard.Owned("noteID", guard.ParseString, load, (*Note).OwnedBy)
	perCaller := limits.PerCaller(9, time.Minute)

	// Without AllowOverwritingRoute, a route that is registered twice panics instead of losing its first guard.
	e := echo.NewWithConfig(echo.Config{Router: echo.NewRouter(echo.RouterConfig{UnescapePathParamValues: true})})
	e.GET("/notes/:noteID", echo.WrapHandler(
		guard.New(callers, guard.NoPayload, ownNote, perCaller.Named("show note"), errs, show)))
	e.PUT("/notes/:noteID", echo.WrapHandler(
		guard.New(callers, guard.JSON[EditNote], ownNote, perCaller.Named("edit note"), errs, edit)))
	return e
}

func main() {
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: newRouter(&guard.Responder{}), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
