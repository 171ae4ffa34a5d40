// Command chi shows guards on a chi router: a Guard is an http.Handler.
//
// chi sets r.PathValue and r.Pattern since v5.2, which is what ownership and the
// names of limits need. Its pattern does not hold the method, so limits that
// must not be shared by the methods of one path are named. Of an unusually escaped
// path chi takes parameters as they were sent: /notes/%31 names no note here.
package main

import (
	"context"
	"log"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/checklist"
)

// Caller is the session of this example.
type Caller struct{ ID string }

// Subject is the caller's identity.
func (c Caller) Subject() string { return c.ID }

// Note is what callers own.
type Note struct {
	Owner string `json:"-"`
	Text  string `json:"text"`
}

// OwnedBy reports whether a note is the caller's.
func (n *Note) OwnedBy(c Caller) bool { return n.Owner == c.ID }

// EditNote is the body of PUT /notes/{noteID}.
type EditNote struct {
	Text string `json:"text" normalize:"trim" validate:"required,max=200"`
}

var notes = map[string]*Note{"1": {Owner: "ada", Text: "Ada's note"}, "2": {Owner: "bob", Text: "Bob's note"}}

var callers = map[string]Caller{"ada-demo": {ID: "ada"}, "bob-demo": {ID: "bob"}}

func verify(_ context.Context, credential string) (Caller, error) { return callers[credential], nil } // no ID: a 401

func load(_ context.Context, id string) (*Note, error) { return notes[id], nil }

func show(_ context.Context, c *guard.Call[Caller, guard.None, *Note]) (*Note, error) {
	return c.Resource, nil
}

func edit(_ context.Context, c *guard.Call[Caller, EditNote, *Note]) (Note, error) {
	return Note{Text: c.Input.Text}, nil
}

// newRouter returns the routes of this example, and their checklist.
func newRouter(errs *guard.Responder) (http.Handler, checklist.List) {
	users, limits := guard.Bearer(verify), &guard.Limiter{}
	ownNote := guard.Owned("noteID", guard.ParseString, load, (*Note).OwnedBy)
	r, list := chi.NewRouter(), checklist.List{}
	handle := func(method, path string, g guard.Guarded) {
		r.Method(method, path, g)
		list = append(list, guard.Describe(method+" "+path, g))
	}
	handle("GET", "/notes/{noteID}", guard.New(users, guard.NoPayload, ownNote, limits.PerCaller(2, time.Minute).Named("show note"), errs, show))
	handle("PUT", "/notes/{noteID}", guard.New(users, guard.JSON[EditNote], ownNote, limits.PerCaller(4, time.Minute).Named("edit note"), errs, edit))
	return r, list
}

func main() {
	router, _ := newRouter(&guard.Responder{})
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: router, ReadHeaderTimeout: 5 * time.Second}
	log.Println("try: curl -H 'Authorization: Bearer ada-demo' http://127.0.0.1:8080/notes/1")
	log.Fatal(server.ListenAndServe())
}
