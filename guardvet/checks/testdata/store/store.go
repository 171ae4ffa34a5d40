// Package store has the statements of package sqlowner's routes.
package store

import (
	"context"
	"database/sql"
)

type Project struct {
	ID      string
	OwnerID string
	Team    string `db:"group_name"`
}

type Store struct{ DB *sql.DB }

func (s *Store) Project(ctx context.Context, id string) (*Project, error) {
	const columns = `id, owner_id`
	var p Project
	return &p, s.DB.QueryRowContext(ctx, `SELECT `+columns+` FROM projects WHERE id = ?`, id).Scan(&p.ID, &p.OwnerID)
}

func (s *Store) Rename(ctx context.Context, id, owner, name string) error {
	const query = `UPDATE projects SET name = ? WHERE id = ? AND owner_id = ?`
	return s.exec(ctx, query, name, id, owner)
}

func (s *Store) RenameAny(ctx context.Context, id, name string) error {
	const query = `UPDATE projects SET name = ?, owner_id = owner_id WHERE id = ? RETURNING id, owner_id`
	return s.exec(ctx, query, name, id)
}

func (s *Store) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.DB.ExecContext(ctx, query, args...)
	return err
}
