// Package rows has what the recipes need of database/sql, and what it leaves to its users.
package rows

import (
	"context"
	"database/sql"

	"github.com/routeguard/guard"
)

// One returns guard.ErrNotFound where a statement has changed no row.
//
// It takes what ExecContext returns. Its condition names the owner as well as the id, so that a row that has changed hands
// or has gone since the guard loaded it is not found.
func One(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return guard.ErrNotFound
	}
	return err
}

// InTx runs f in a transaction, and commits it only where f returns nil.
func InTx(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit; ends the transaction on an error and on a panic
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// All scans every row of a query. It returns an empty slice, not nil, where there is none.
func All[V any](rows *sql.Rows, err error, fields func(*V) []any) ([]V, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []V{}
	for rows.Next() {
		var v V
		if err := rows.Scan(fields(&v)...); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
