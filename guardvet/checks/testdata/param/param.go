package param

import (
	"context"
	"net/http"

	"example.com/service/app"
	"github.com/go-chi/chi/v5"
	"github.com/routeguard/guard"
)

type Project struct{ ID, OwnerID string }

func load(context.Context, string) (*Project, error)            { return nil, guard.ErrNotFound }
func child(context.Context, *Project, string) (*Project, error) { return nil, guard.ErrNotFound }
func may(context.Context, app.User, string) (*Project, error)   { return nil, guard.ErrNotFound }
func owns(p *Project, u app.User) bool                          { return p.OwnerID == u.ID }
func show(_ context.Context, c *guard.Call[app.User, guard.None, *Project]) (*Project, error) {
	return c.Resource, nil
}
func export(context.Context, *guard.Call[app.User, Export, *Project]) (guard.None, error) {
	return guard.None{}, nil
}

type Export struct {
	Format string `path:"format"`
}

const prefix = "/projects/{projectID}"

func routes(where string) {
	users := guard.Bearer(app.Verify)
	own := guard.Owned("projectID", guard.ParseString, load, owns)
	task := guard.Within(own, "taskID", guard.ParseString, child)
	mux := guard.NewMux(app.Errs)
	mux.Handle("GET "+prefix, guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, show))
	mux.Handle("GET /x/{projectID...}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, show))
	mux.Handle("GET "+prefix+"/{taskID}", guard.New(users, guard.NoPayload, task, app.Slow, app.Errs, show))
	mux.Handle("GET "+prefix+"/as/{format}", guard.New(users, guard.Query[Export], own, app.Slow, app.Errs, export))
	mux.Handle(where, guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, show))
	mux.Handle("GET /some/{id}", guard.New(users, guard.NoPayload, guard.Owned(where, guard.ParseString, load, owns), app.Slow, app.Errs, show))

	mux.Handle("GET /projects/{id}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, show))          // want `the pattern "GET /projects/{id}" has no {projectID}`
	mux.Handle("GET "+prefix+"/tasks/{id}", guard.New(users, guard.NoPayload, task, app.Slow, app.Errs, show))  // want `has no {taskID}`
	mux.Handle("GET "+prefix+"/format", guard.New(users, guard.Query[Export], own, app.Slow, app.Errs, export)) // want `has no {format}`

	g := guard.New(users, guard.NoPayload, guard.Authorize("userID", guard.ParseString, may), app.Slow, app.Errs, show)
	http.Handle("/users/{userID}", g)
	http.Handle("/users/{id}", g)              // want `has no {userID}`
	http.HandleFunc("/user/{id}", g.ServeHTTP) // want `has no {userID}`

	r := chi.NewRouter()
	r.Route("/{userID}", func(r chi.Router) { r.Get("/", g.ServeHTTP) })
}
