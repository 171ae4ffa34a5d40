package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Who can see a project besides its owner.
const (
	VisibilityPrivate = "private" // nobody
	VisibilityTeam    = "team"    // everybody, through SearchTeamProjects
)

// MaxPage is the largest number of rows that a method returns at once.
const MaxPage = 50

// Project is a row of projects.
type Project struct {
	ID         uuid.UUID
	OwnerID    string
	Name       string
	Summary    string
	Visibility string // VisibilityPrivate or VisibilityTeam
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// NewProject is what the owner decides about a new project.
type NewProject struct {
	Name       string
	Summary    string
	Visibility string
}

// ProjectChanges is what an update changes. A nil field stays as it is.
type ProjectChanges struct {
	Name       *string
	Summary    *string
	Visibility *string
}

const (
	projectColumns = `id, owner_id, name, summary, visibility, created_at, updated_at`

	selectOwnedAfter = `SELECT ` + projectColumns + ` FROM projects
		WHERE owner_id = ? AND (created_at, id) < (?, ?)
		ORDER BY created_at DESC, id DESC LIMIT ?`

	// instr instead of LIKE: it has no wildcards, so % and _ stand for themselves without escaping.
	selectTeamMatching = `SELECT ` + projectColumns + ` FROM projects
		WHERE visibility = '` + VisibilityTeam + `' AND (instr(name_folded, ?1) > 0 OR instr(summary_folded, ?1) > 0)
		ORDER BY created_at DESC, id DESC LIMIT ?2`
)

// Project loads a project by id, whoever owns it.
//
// The caller compares OwnerID before it shows or changes anything; guard.Owned does.
func (s *Store) Project(ctx context.Context, id uuid.UUID) (*Project, error) {
	const query = `SELECT ` + projectColumns + ` FROM projects WHERE id = ?`
	p, err := scanProject(s.read.QueryRowContext(ctx, query, id))
	if err != nil {
		return nil, fmt.Errorf("load project %s: %w", id, err)
	}
	return p, nil
}

// Projects returns a page of the owner's projects, newest first, and the cursor of the next page.
//
// The cursor is empty after the last page. An empty cursor asks for the first page; one that this method did not make
// is ErrBadCursor. limit is held between 1 and MaxPage.
//
// A page continues after the last row that the caller saw, so projects that are added or deleted between two calls
// neither repeat nor hide others. A cursor says where to go on, never whose rows to show.
func (s *Store) Projects(ctx context.Context, ownerID string, limit int, cursor string) ([]*Project, string, error) {
	after, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	limit = holdLimit(limit)
	// One row more than asked for tells whether there is a next page.
	page, err := s.selectProjects(ctx, selectOwnedAfter, ownerID, after.createdAt, after.id, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list projects of %q: %w", ownerID, err)
	}
	if len(page) <= limit {
		return page, "", nil
	}
	page = page[:limit]
	return page, positionOf(page[limit-1]).cursor(), nil
}

// CreateProject adds a project for the owner, who must exist, and returns it with its new id, a UUIDv7.
func (s *Store) CreateProject(ctx context.Context, ownerID string, p NewProject) (*Project, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("create project: %w", err)
	}
	const query = `INSERT INTO projects
		(id, owner_id, name, summary, visibility, name_folded, summary_folded, created_at, updated_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) RETURNING ` + projectColumns
	created, err := s.writeProject(ctx, query,
		id, ownerID, p.Name, p.Summary, p.Visibility, fold(p.Name), fold(p.Summary), toMicros(s.now()))
	if err != nil {
		return nil, fmt.Errorf("create project for %q: %w", ownerID, err)
	}
	return created, nil
}

// UpdateProject changes the owner's project and returns it as it now is.
//
// The owner is part of the WHERE clause although the route has checked it: the row may have changed hands since.
func (s *Store) UpdateProject(ctx context.Context, id uuid.UUID, ownerID string, c ProjectChanges) (*Project, error) {
	const query = `UPDATE projects SET
		name = coalesce(?3, name), name_folded = coalesce(?4, name_folded),
		summary = coalesce(?5, summary), summary_folded = coalesce(?6, summary_folded),
		visibility = coalesce(?7, visibility), updated_at = ?8
		WHERE id = ?1 AND owner_id = ?2 RETURNING ` + projectColumns
	updated, err := s.writeProject(ctx, query,
		id, ownerID, c.Name, foldOptional(c.Name), c.Summary, foldOptional(c.Summary), c.Visibility, toMicros(s.now()))
	if err != nil {
		return nil, fmt.Errorf("update project %s: %w", id, err)
	}
	return updated, nil
}

// DeleteProject deletes the owner's project.
func (s *Store) DeleteProject(ctx context.Context, id uuid.UUID, ownerID string) error {
	if err := s.execOne(ctx, `DELETE FROM projects WHERE id = ? AND owner_id = ?`, id, ownerID); err != nil {
		return fmt.Errorf("delete project %s: %w", id, err)
	}
	return nil
}

// SearchTeamProjects returns the newest team projects whose name or summary contains q.
//
// Case does not count, in any script; accents do; no character is a wildcard. An empty q finds nothing. limit is held
// between 1 and MaxPage.
func (s *Store) SearchTeamProjects(ctx context.Context, q string, limit int) ([]*Project, error) {
	if q == "" {
		return []*Project{}, nil
	}
	found, err := s.selectProjects(ctx, selectTeamMatching, fold(q), holdLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("search team projects: %w", err)
	}
	return found, nil
}

// writeProject runs a statement that returns the one row it wrote.
func (s *Store) writeProject(ctx context.Context, query string, args ...any) (p *Project, err error) {
	err = inTx(ctx, s.write, func(tx *sql.Tx) error {
		p, err = scanProject(tx.QueryRowContext(ctx, query, args...))
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (s *Store) selectProjects(ctx context.Context, query string, args ...any) ([]*Project, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	projects := []*Project{}
	for rows.Next() {
		p, err := scanProject(rows)
		if err != nil {
			return nil, err
		}
		projects = append(projects, p)
	}
	return projects, rows.Err()
}

// scanProject reads projectColumns from a *sql.Row or *sql.Rows.
func scanProject(row interface{ Scan(...any) error }) (*Project, error) {
	var p Project
	var created, updated int64
	if err := row.Scan(&p.ID, &p.OwnerID, &p.Name, &p.Summary, &p.Visibility, &created, &updated); err != nil {
		return nil, missing(err)
	}
	p.CreatedAt, p.UpdatedAt = fromMicros(created), fromMicros(updated)
	return &p, nil
}

func holdLimit(n int) int { return min(max(n, 1), MaxPage) }
