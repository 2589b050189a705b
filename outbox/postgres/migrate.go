package postgres

import (
	"context"
	_ "embed"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
)

// schemaError: the database is there, and cannot be this store's.
type schemaError struct{ problem string }

func (e *schemaError) Error() string { return e.problem }

//go:embed schema.sql
var version1 string

// migrations bring the schema from one version to the next: the first one from
// nothing to version 1. A released one is never changed.
var migrations = []string{version1}

// oldest is the oldest PostgreSQL that has all that the statements use.
const oldest = 120000

// migrate brings the schema to this program's version, all of it or nothing,
// while other nodes wait.
func migrate(ctx context.Context, c *pgx.Conn, o Options) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		var server int
		var encoding string
		if err := tx.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding')`).Scan(&server, &encoding); err != nil {
			return err
		}
		if server < oldest {
			return &schemaError{fmt.Sprintf("the database is of PostgreSQL %s: KEG needs %d or later", c.PgConn().ParameterStatus("server_version"), oldest/10000)}
		}
		if encoding != "UTF8" {
			return &schemaError{fmt.Sprintf("the database's encoding is %s, which cannot hold every text: create it with ENCODING 'UTF8'", encoding)}
		}
		lock := fnv.New64a()
		fmt.Fprint(lock, "keg migrations ", o.Schema)
		// Migrating takes another node longer than a lock may take otherwise.
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '60s'`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lock.Sum64())); err != nil {
			return err
		}
		version, err := currentVersion(ctx, tx, o.Schema)
		if err != nil {
			return err
		}
		if version > len(migrations) {
			return &schemaError{fmt.Sprintf("the schema %s is of version %d, and this KEG knows versions up to %d: run the KEG that made it or a later one, or name another schema",
				o.Schema, version, len(migrations))}
		}
		for ; version < len(migrations); version++ {
			if _, err := tx.Exec(ctx, migrations[version]); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO migrations (version) VALUES ($1)`, version+1); err != nil {
				return err
			}
		}
		return warnUnsafe(ctx, tx, o)
	})
}

// currentVersion is the schema's, 0 where it is new; it makes the schema and
// refuses one that is somebody else's.
func currentVersion(ctx context.Context, tx pgx.Tx, schema string) (int, error) {
	var there, known, empty bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
		EXISTS (SELECT FROM pg_class WHERE relname = 'migrations' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)),
		NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1))`, schema).
		Scan(&there, &known, &empty)
	switch {
	case err != nil:
		return 0, err
	case known:
		var version int
		var mine bool
		if err := tx.QueryRow(ctx, `SELECT obj_description('migrations'::regclass) IS NOT DISTINCT FROM 'KEG'`).Scan(&mine); err != nil {
			return 0, err
		}
		if !mine {
			return 0, foreign(schema)
		}
		err := tx.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM migrations`).Scan(&version)
		return version, err
	case there && !empty:
		return 0, foreign(schema)
	case !there:
		if _, err := tx.Exec(ctx, `CREATE SCHEMA `+pgx.Identifier{schema}.Sanitize()); err != nil {
			return 0, err
		}
	}
	_, err = tx.Exec(ctx, `CREATE TABLE migrations (version int PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());
		COMMENT ON TABLE migrations IS 'KEG'`)
	return 0, err
}

func foreign(schema string) error {
	return &schemaError{fmt.Sprintf("the schema %s holds tables that are not KEG's: name another by ?schema=… in the URL", schema)}
}

// warnUnsafe tells of a server that says yes and may lose it.
func warnUnsafe(ctx context.Context, tx pgx.Tx, o Options) error {
	for _, setting := range []string{"fsync", "full_page_writes"} {
		var value string
		if err := tx.QueryRow(ctx, `SELECT current_setting($1)`, setting).Scan(&value); err != nil {
			return err
		}
		if value != "on" {
			o.Log.Warn("the outbox's database does not outlive a power failure", "setting", setting, "value", value)
		}
	}
	return nil
}
