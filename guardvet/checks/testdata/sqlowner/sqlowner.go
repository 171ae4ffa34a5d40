package sqlowner

import (
	"context"
	"database/sql"
	"strings"

	"example.com/service/app"
	"example.com/service/store"
	"github.com/routeguard/guard"
)

type call = guard.Call[app.User, guard.None, *store.Project]

type service struct {
	store *store.Store
	db    *sql.DB
}

func ownedBy(p *store.Project, u app.User) bool { return p != nil && p.OwnerID == u.ID }

func ofTeam(p *store.Project, u app.User) bool { return p.Team == u.Role }

func ownedOrAdmin(p *store.Project, u app.User) bool { return u.IsAdmin() || p.OwnerID == u.ID }

func (s *service) twoTables(ctx context.Context, id string) (*store.Project, error) {
	_ = s.db.QueryRowContext(ctx, `SELECT id FROM audits WHERE id = ?`, id)
	return s.store.Project(ctx, id)
}

func (s *service) routes() {
	users := guard.Bearer(app.Verify)
	own := guard.Owned("id", guard.ParseString, s.store.Project, ownedBy)
	team := guard.Owned("id", guard.ParseString, s.store.Project, ofTeam)
	shared := guard.Owned("id", guard.ParseString, s.store.Project, ownedOrAdmin)
	unclear := guard.Owned("id", guard.ParseString, s.twoTables, ownedBy)
	allowed := guard.Authorize("id", guard.ParseString, s.allowed)
	child := guard.Within(allowed, "child", guard.ParseString, s.child)
	mux := guard.NewMux(app.Errs)
	mux.Handle("PUT /a/{id}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, s.rename))
	mux.Handle("PUT /b/{id}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, s.renameAny)) // want `the UPDATE of projects at store/store.go:\d+ does not repeat the owner`
	mux.Handle("PUT /c/{id}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, s.remove))
	mux.Handle("PUT /d/{id}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, guard.After(s.indirect, s.hook)))
	mux.Handle("PUT /e/{id}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, s.unjudged))
	mux.Handle("PUT /f/{id}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, s.locked))
	mux.Handle("PUT /k/{id}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs, s.either))
	mux.Handle("PUT /g/{id}", guard.New(users, guard.NoPayload, team, app.Slow, app.Errs, s.ofTeam))
	mux.Handle("PUT /h/{id}", guard.New(users, guard.NoPayload, shared, app.Slow, app.Errs, s.byAdmin))
	mux.Handle("PUT /i/{id}", guard.New(users, guard.NoPayload, unclear, app.Slow, app.Errs, s.byAdmin))
	mux.Handle("PUT /j/{id}", guard.New(users, guard.NoPayload, own, app.Slow, app.Errs,
		func(ctx context.Context, c *call) (guard.None, error) {
			return s.exec(ctx, `DELETE FROM projects`) // want `this DELETE of projects has no WHERE`
		}))
	mux.Handle("PUT /l/{id}", guard.New(users, guard.NoPayload, allowed, app.Slow, app.Errs, s.toAll))
	mux.Handle("PUT /m/{id}/{child}", guard.New(users, guard.NoPayload, child, app.Slow, app.Errs, s.byAdmin))
	mux.Handle("PUT /n/{id}/{child}", guard.New(users, guard.NoPayload, child, app.Slow, app.Errs, s.toAllChildren))
}

func (s *service) rename(ctx context.Context, c *call) (guard.None, error) {
	return guard.None{}, s.store.Rename(ctx, c.Resource.ID, c.Caller.ID, "new")
}

func (s *service) renameAny(ctx context.Context, c *call) (guard.None, error) {
	return guard.None{}, s.store.RenameAny(ctx, c.Resource.ID, "new")
}

func (s *service) remove(ctx context.Context, c *call) (guard.None, error) {
	if _, err := s.exec(ctx, `DELETE FROM "projects" WHERE id = $1 AND OwnerID = $2`, c.Resource.ID, c.Caller.ID); err != nil {
		return guard.None{}, err
	}
	return s.exec(ctx, `delete from public.projects /* owner_id */ where id = $1 -- owner_id`, c.Resource.ID) // want `this DELETE of projects`
}

func (s *service) indirect(ctx context.Context, c *call) (guard.None, error) {
	return s.below(ctx, c.Resource.ID)
}

func (s *service) below(ctx context.Context, id string) (guard.None, error) {
	return s.exec(ctx, `UPDATE projects SET a = 'owner_id' WHERE id = ?`, id) // want `this UPDATE of projects`
}

func (s *service) hook(ctx context.Context, c *call, _ guard.None) error {
	_, err := s.exec(ctx, `UPDATE projects SET seen = 1 WHERE id = ?`, c.Resource.ID)
	return err
}

func (s *service) unjudged(ctx context.Context, c *call) (guard.None, error) {
	for _, query := range []string{`DELETE FROM projects WHERE id = ?`} {
		_, _ = s.exec(ctx, query, c.Resource.ID)
	}
	var query strings.Builder
	query.WriteString(`UPDATE projects SET a = 1`)
	query.WriteString(` WHERE id = ? AND owner_id = ?`)
	_, _ = s.exec(ctx, query.String(), c.Resource.ID, c.Caller.ID)
	_, _ = s.exec(ctx, `DELETE FROM tasks WHERE project_id = ?`, c.Resource.ID)
	_, _ = s.exec(ctx, `UPDATE projects SET a = 1 WHERE id = ? AND version = ?`, c.Resource.ID, 1)
	return s.exec(ctx, `UPDATE projects SET a = 1 WHERE id IN (SELECT id FROM mine WHERE u = ?)`, c.Caller.ID)
}

func (s *service) locked(ctx context.Context, c *call) (guard.None, error) {
	_ = s.db.QueryRowContext(ctx, `SELECT id FROM projects WHERE id = ? AND owner_id = ? FOR UPDATE`, c.Resource.ID, c.Caller.ID)
	return s.exec(ctx, `DELETE FROM projects WHERE id = ?`, c.Resource.ID)
}

func (s *service) ofTeam(ctx context.Context, c *call) (guard.None, error) {
	_, _ = s.exec(ctx, `DELETE FROM projects WHERE id = ? AND group_name = ?`, c.Resource.ID, c.Caller.Role)
	return s.exec(ctx, `DELETE FROM projects WHERE id = ? AND name = ?`, c.Resource.ID, "x") // want `this DELETE of projects`
}

func (s *service) either(ctx context.Context, c *call) (guard.None, error) {
	_, _ = s.exec(ctx, `UPDATE projects SET a = 1 WHERE id = ? AND (owner_id = ?) AND (a = 1 OR a = 2)`, c.Resource.ID, c.Caller.ID)
	_, _ = s.exec(ctx, `UPDATE projects SET a = 1 WHERE id = ? OR owner_id = ?`, c.Resource.ID, c.Caller.ID)               // want `this UPDATE of projects`
	return s.exec(ctx, `DELETE FROM projects WHERE id = ? AND ((owner_id = ?) OR shared = 1)`, c.Resource.ID, c.Caller.ID) // want `this DELETE of projects`
}

func (s *service) allowed(ctx context.Context, _ app.User, id string) (*store.Project, error) {
	return s.twoTables(ctx, id)
}

func (s *service) child(ctx context.Context, _ *store.Project, id string) (*store.Project, error) {
	return s.store.Project(ctx, id)
}

func (s *service) toAll(ctx context.Context, c *call) (guard.None, error) {
	_, _ = s.exec(ctx, `UPDATE settings SET b = 1`)
	_, _ = s.exec(ctx, `UPDATE projects SET b = 1 WHERE id = ?`, c.Resource.ID)
	_, _ = s.exec(ctx, `UPDATE audits SET b = 1`)                // want `this UPDATE of audits has no WHERE: it changes the rows of everybody`
	return s.exec(ctx, `UPDATE projects SET b = 1 RETURNING id`) // want `this UPDATE of projects has no WHERE`
}

func (s *service) toAllChildren(ctx context.Context, c *call) (guard.None, error) {
	return s.exec(ctx, `DELETE FROM projects`) // want `this DELETE of projects has no WHERE`
}

func (s *service) byAdmin(ctx context.Context, c *call) (guard.None, error) {
	return s.exec(ctx, `UPDATE projects SET b = 2 WHERE id = ?`, c.Resource.ID)
}

func (s *service) exec(ctx context.Context, query string, args ...any) (guard.None, error) {
	_, err := s.db.ExecContext(ctx, query, args...)
	return guard.None{}, err
}
