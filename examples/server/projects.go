package main

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/routeguard/guard"
	"github.com/routeguard/guard/examples/server/store"
)

type ProjectView struct {
	ID         uuid.UUID `json:"id"`
	Name       string    `json:"name"`
	Summary    string    `json:"summary"`
	Visibility string    `json:"visibility"`
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
}

func view(p *store.Project) ProjectView {
	return ProjectView{ID: p.ID, Name: p.Name, Summary: p.Summary, Visibility: p.Visibility, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt}
}

func views(projects []*store.Project) []ProjectView {
	all := make([]ProjectView, len(projects))
	for i, p := range projects {
		all[i] = view(p)
	}
	return all
}

type OneProject struct {
	Project ProjectView `json:"project"`
}

func ownedBy(p *store.Project, s *Session) bool { return p.OwnerID == s.User.ID }

type ListProjects struct {
	Limit  int     `query:"limit"  default:"20" validate:"min=1,max=50"`
	Cursor *string `query:"cursor" validate:"omitnil,max=100"`
}

var errCursor = guard.Invalid("query/cursor", "cursor", "must be a cursor of an earlier page")

type ProjectPage struct {
	Projects []ProjectView `json:"projects"`
	Next     *string       `json:"next"`
}

func (a *app) listProjects(ctx context.Context, c *guard.Call[*Session, ListProjects, guard.None]) (ProjectPage, error) {
	cursor := "" // of the first page
	if sent := c.Input.Cursor; sent != nil {
		if cursor = *sent; cursor == "" {
			return ProjectPage{}, errCursor
		}
	}
	projects, next, err := a.store.Projects(ctx, c.Caller.User.ID, c.Input.Limit, cursor)
	if errors.Is(err, store.ErrBadCursor) {
		return ProjectPage{}, errCursor
	}
	if err != nil {
		return ProjectPage{}, err
	}
	page := ProjectPage{Projects: views(projects)}
	if next != "" {
		page.Next = &next
	}
	return page, nil
}

type CreateProject struct {
	Name       string `json:"name"       normalize:"trim" validate:"required,min=3,max=80,single_line"`
	Summary    string `json:"summary"    normalize:"trim" validate:"required,min=20,max=300"`
	Visibility string `json:"visibility" validate:"required,oneof=private team"`
}

func (a *app) createProject(ctx context.Context, c *guard.Call[*Session, CreateProject, guard.None]) (guard.Reply[OneProject], error) {
	p, err := a.store.CreateProject(ctx, c.Caller.User.ID, store.NewProject(c.Input))
	if err != nil {
		return guard.Reply[OneProject]{}, err
	}
	return guard.Created("/projects/"+p.ID.String(), OneProject{view(p)}), nil
}

func (a *app) project(_ context.Context, c *guard.Call[*Session, guard.None, *store.Project]) (OneProject, error) {
	return OneProject{view(c.Resource)}, nil
}

type UpdateProject struct {
	Name       *string `json:"name"       normalize:"trim" validate:"omitnil,min=3,max=80,single_line"`
	Summary    *string `json:"summary"    normalize:"trim" validate:"omitnil,min=20,max=300"`
	Visibility *string `json:"visibility" validate:"omitnil,oneof=private team"`
}

// Validate refuses a change that changes nothing.
func (u UpdateProject) Validate(context.Context) error {
	if u == (UpdateProject{}) {
		return guard.Invalid("", "required", "must have at least one of name, summary and visibility")
	}
	return nil
}

func (a *app) updateProject(ctx context.Context, c *guard.Call[*Session, UpdateProject, *store.Project]) (OneProject, error) {
	p, err := a.store.UpdateProject(ctx, c.Resource.ID, c.Caller.User.ID, store.ProjectChanges(c.Input))
	if err != nil {
		return OneProject{}, err
	}
	return OneProject{view(p)}, nil
}

func (a *app) deleteProject(ctx context.Context, c *guard.Call[*Session, guard.None, *store.Project]) (guard.None, error) {
	return guard.None{}, a.store.DeleteProject(ctx, c.Resource.ID, c.Caller.User.ID)
}

// Each mutation drops the cached searches before its response is written: whoever has read the response never finds
// what was there before.

func (a *app) afterCreate(context.Context, *guard.Call[*Session, CreateProject, guard.None], guard.Reply[OneProject]) error {
	a.searches.drop()
	return nil
}

func (a *app) afterUpdate(context.Context, *guard.Call[*Session, UpdateProject, *store.Project], OneProject) error {
	a.searches.drop()
	return nil
}

func (a *app) afterDelete(context.Context, *guard.Call[*Session, guard.None, *store.Project], guard.None) error {
	a.searches.drop()
	return nil
}
