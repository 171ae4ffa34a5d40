package rawid

import (
	"context"
	"net/http"

	"example.com/service/app"
	"github.com/go-chi/chi/v5"
	"github.com/routeguard/guard"
)

type Project struct{ ID, OwnerID string }

func load(context.Context, string) (*Project, error)           { return nil, guard.ErrNotFound }
func loadOf(context.Context, string, string) (*Project, error) { return nil, guard.ErrNotFound }
func loadTask(context.Context, string) (*Project, error)       { return nil, guard.ErrNotFound }
func owns(p *Project, u app.User) bool                         { return p.OwnerID == u.ID }

type ByID struct {
	ProjectID string `path:"projectID"`
	Format    string `path:"format"`
	Name      string `json:"name"`
	CatalogID string `json:"catalogId"`
}

func routes() {
	users := guard.Bearer(app.Verify)
	admins := guard.FirstOf(guard.Only(users, app.User.IsAdmin))
	own := guard.Owned("projectID", guard.ParseString, load, owns)
	mux := guard.NewMux(app.Errs)
	mux.Handle("GET /a/{projectID}", guard.New(users, guard.NoPayload, guard.NoResource, app.Slow, app.Errs, raw))
	mux.Handle("GET /b/{projectID}/{taskID}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, child))
	mux.Handle("GET /c/{projectID}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, owned))
	mux.Handle("GET /d/{projectID}/{format}", guard.New(users, guard.JSON[ByID], guard.NoResource, app.Slow, app.Errs, byInput))
	mux.Handle("GET /e/{projectID}/{format}", guard.New(admins, guard.JSON[ByID], guard.NoResource, app.Slow, app.Errs, byAdmin))
	mux.Handle("GET /f/{projectID}/{format}", guard.New(users, guard.JSON[ByID], guard.NoResource, app.Slow, app.Errs, narrowed))
	mux.Handle("GET /g/{id}", guard.Wrap(users, guard.NoPayload, guard.NoResource, app.Slow, app.Errs, http.HandlerFunc(wrapped)))
	mux.Handle("GET /h/{id}", guard.Wrap(admins, guard.NoPayload, guard.NoResource, app.Slow, app.Errs, http.HandlerFunc(wrappedByAdmin)))
	mux.Handle("GET /i/{slug}", guard.Wrap(guard.Anyone, guard.NoPayload, guard.NoResource, app.Slow, app.Errs, http.HandlerFunc(public)))
	mux.Handle("GET /j/{projectID}/{taskID}", guard.New(users, guard.NoPayload,
		guard.Within(own, "taskID", guard.ParseString, loadOfParent), app.Slow, app.Errs, both))
}

func loadOfParent(context.Context, *Project, string) (*Project, error) { return nil, guard.ErrNotFound }

func raw(ctx context.Context, c *guard.Call[app.User, guard.None, guard.None]) (*Project, error) {
	id := c.Request.PathValue("projectID") // want `a path value read past the guard`
	return load(ctx, id)
}

func rawByChi(ctx context.Context, c *guard.Call[app.User, guard.None, guard.None]) (*Project, error) {
	r := c.Request
	return load(ctx, chi.URLParam(r, "projectID")) // want `a path value read past the guard`
}

func child(ctx context.Context, c *guard.Call[app.User, guard.None, *Project]) (*Project, error) {
	return loadTask(ctx, c.Request.PathValue("taskID")) // want `{taskID} read past the guard, which authorized another parameter`
}

func owned(ctx context.Context, c *guard.Call[app.User, guard.None, *Project]) (*Project, error) {
	return load(ctx, c.Request.PathValue("projectID"))
}

func both(ctx context.Context, c *guard.Call[app.User, guard.None, *Project]) (*Project, error) {
	return load(ctx, c.Request.PathValue("taskID"))
}

func byInput(ctx context.Context, c *guard.Call[app.User, ByID, guard.None]) (*Project, error) {
	if _, err := load(ctx, c.Input.Format); err != nil {
		return nil, err
	}
	if _, err := load(ctx, c.Input.CatalogID); err != nil {
		return nil, err
	}
	id := c.Input.ProjectID
	if _, err := load(ctx, id); err != nil { // want `Input.ProjectID names a resource`
		return nil, err
	}
	return load(ctx, c.Input.ProjectID) // want `Input.ProjectID names a resource that nobody authorized`
}

func byAdmin(ctx context.Context, c *guard.Call[app.User, ByID, guard.None]) (*Project, error) {
	return load(ctx, c.Input.ProjectID)
}

func narrowed(ctx context.Context, c *guard.Call[app.User, ByID, guard.None]) (*Project, error) {
	caller := c.Caller.ID
	return loadOf(ctx, c.Input.ProjectID, caller)
}

func wrapped(_ http.ResponseWriter, r *http.Request) {
	_, _ = load(r.Context(), r.PathValue("id")) // want `a path value read in a wrapped handler`
}

func wrappedByAdmin(_ http.ResponseWriter, r *http.Request) {
	_, _ = load(r.Context(), r.PathValue("id"))
}

func public(_ http.ResponseWriter, r *http.Request) {
	_, _ = load(r.Context(), r.PathValue("slug"))
}

func notGuarded(_ http.ResponseWriter, r *http.Request) {
	_, _ = load(r.Context(), r.PathValue("id"))
}
