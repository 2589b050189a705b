package postgres

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Options are what a URL does not say. The zero value is good.
type Options struct {
	// Schema is where the store's tables are, "keg" by default. A parameter
	// `schema` of the URL comes first.
	Schema string
	// Node is what people know this node by; the host's name and the process id
	// by default.
	Node string
	// Lease is how long a node may be silent before others take over what it
	// holds; 15 s by default.
	Lease time.Duration
	// Patience is how long Open waits for a database that cannot be reached; 10 s
	// by default.
	Patience time.Duration
	// Log gets what nobody else is told of; slog.Default by default.
	Log *slog.Logger
}

func (o *Options) setDefaults() {
	if o.Schema == "" {
		o.Schema = "keg"
	}
	if o.Node == "" {
		host, _ := os.Hostname()
		o.Node = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if o.Lease <= 0 {
		o.Lease = 15 * time.Second
	}
	if o.Patience <= 0 {
		o.Patience = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

// schemaName is what needs no quotes anywhere.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// defaultParameters hold for every session, where the URL does not say otherwise.
var defaultParameters = map[string]string{
	"application_name":                    "keg",
	"statement_timeout":                   "10s",
	"lock_timeout":                        "3s",
	"idle_in_transaction_session_timeout": "10s",
	// A client that has vanished must not keep its locks.
	"tcp_keepalives_idle":     "10",
	"tcp_keepalives_interval": "5",
	"tcp_keepalives_count":    "3",
}

// ownParameters hold for every session, whatever the URL says.
//
// Which plan is good does not depend on how large a table is now: each
// statement goes by an index to the rows that it names. Statistics of tables
// that fill and empty by the minute would tell the planner otherwise. And so a
// statement is planned once: planning it costs more than a group of Puts does.
var ownParameters = map[string]string{
	"default_transaction_isolation":   "read committed",
	"plan_cache_mode":                 "force_generic_plan",
	"enable_seqscan":                  "off",
	"enable_hashjoin":                 "off",
	"enable_mergejoin":                "off",
	"jit":                             "off",
	"max_parallel_workers_per_gather": "0",
}

// durable are the values of synchronous_commit under which an answer outlives a
// power failure.
var durable = map[string]bool{"on": true, "local": true, "remote_write": true, "remote_apply": true}

// parse reads a URL as pgx does, and sets o.Schema. Its errors hold no secret.
func parse(raw string, o *Options) (*pgxpool.Config, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("the URL of the database is not of the form postgres://user:password@host:5432/database; special characters of a password are written as %XX")
	}
	query := u.Query()
	if schema := query.Get("schema"); schema != "" {
		o.Schema = schema
	}
	query.Del("schema")
	u.RawQuery = query.Encode()
	if !schemaName.MatchString(o.Schema) || len(o.Schema) > 2 && o.Schema[:3] == "pg_" {
		return nil, fmt.Errorf("schema %q: a schema's name is made of a to z, 0 to 9 and _, and does not begin with a digit or pg_", o.Schema)
	}
	config, err := pgxpool.ParseConfig(u.String())
	if err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			err = cause // without the URL
		}
		password, _ := u.User.Password()
		return nil, fmt.Errorf("the URL of the database cannot be used: %s", mask(err.Error(), password))
	}
	parameters := config.ConnConfig.RuntimeParams
	for name, value := range defaultParameters {
		if _, given := parameters[name]; !given {
			parameters[name] = value
		}
	}
	for name, value := range ownParameters {
		parameters[name] = value
	}
	parameters["search_path"] = o.Schema
	if value, given := parameters["synchronous_commit"]; !given {
		parameters["synchronous_commit"] = "on"
	} else if !durable[value] {
		return nil, fmt.Errorf("synchronous_commit=%s in the URL of the database: what KEG has acknowledged would not outlive a power failure; leave it out", value)
	}
	if !query.Has("pool_max_conns") {
		config.MaxConns = 8
	}
	if !query.Has("connect_timeout") {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	return config, nil
}
