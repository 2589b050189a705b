package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/kong/keg/outbox"
)

var _ outbox.Store = (*Store)(nil)

// Store is an [outbox.Store]. Its zero value is of no use; see [Open].
type Store struct {
	pool   *pgxpool.Pool
	log    *slog.Logger
	lease  time.Duration
	name   string
	health health

	queues  queueIDs
	puts    chan *put
	changes chan struct{}

	// node is this store's row of table nodes, and stamp numbers what it hands
	// out under that id.
	node   atomic.Int64
	stamp  atomic.Int64
	doubts doubts
	poke   chan struct{} // wakes the keeper

	counts     counts
	unreadable atomic.Int64

	background context.Context // until Close
	stop       context.CancelFunc
	working    sync.WaitGroup
}

// writers is how many groups of Puts may be committing at once: while one waits
// for the disk the other is filled.
const writers = 2

// Open opens the outbox in the database at url, postgres://…, which is read as
// pgx reads it, TLS and all; its parameter `schema` names the schema. It makes
// or migrates the tables. Several nodes may open one database at once.
//
// A database that cannot be reached is tried for Options.Patience, and then is an
// [*outbox.UnavailableError], as whoever supervises the process is to start it
// again. Everything
// else that keeps the store from working is an error at once, which names the
// remedy and no secret.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	o.setDefaults()
	config, err := parse(url, &o)
	if err != nil {
		return nil, err
	}
	s := &Store{log: o.Log, lease: o.Lease, name: o.Node,
		puts: make(chan *put), changes: make(chan struct{}, 1), poke: make(chan struct{}, 1)}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("the URL of the database cannot be used: %w", err)
	}
	connection, err := s.prepare(ctx, config.ConnConfig, o)
	if err != nil {
		s.pool.Close()
		return nil, err
	}
	s.background, s.stop = context.WithCancel(context.Background())
	s.working.Go(func() { s.keep(s.background, connection) })
	for range writers {
		s.working.Go(func() { (&writer{Store: s}).run(s.background) })
	}
	return s, nil
}

// prepare connects, brings the schema to this version, and makes this process a
// node. The connection is the keeper's from then on.
func (s *Store) prepare(ctx context.Context, config *pgx.ConnConfig, o Options) (*pgx.Conn, error) {
	deadline := time.Now().Add(o.Patience)
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		connection, err := pgx.ConnectConfig(ctx, config)
		if err == nil {
			if err = migrate(ctx, connection, o); err == nil {
				err = s.register(ctx, connection)
			}
			if err == nil {
				return connection, nil
			}
			_ = connection.Close(context.WithoutCancel(ctx))
		}
		if fatal := refusal(err, config); fatal != nil {
			return nil, fatal
		}
		if !time.Now().Add(wait).Before(deadline) || ctx.Err() != nil {
			return nil, &outbox.UnavailableError{
				Problem: fmt.Sprintf("the database %s at %s:%d cannot be reached; see whether it runs, and whether the URL is right", config.Database, config.Host, config.Port),
				Err:     errors.New(mask(lastLine(err), config.Password)),
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// lastLine is the gist of what pgx says of all the addresses that it tried.
func lastLine(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// refusal tells of what waiting does not mend, with its remedy; nil of the rest.
func refusal(err error, config *pgx.ConnConfig) error {
	var wrong *schemaError
	if errors.As(err, &wrong) {
		return wrong
	}
	answer := serverError(err)
	if answer == nil {
		return nil
	}
	where := fmt.Sprintf("the database %s at %s:%d", config.Database, config.Host, config.Port)
	said := fmt.Sprintf("%s (%s)", mask(answer.Message, config.Password), answer.Code)
	switch answer.Code {
	case "28P01", "28000":
		return fmt.Errorf("%s refuses the user %s: check the user and the password in the URL, and pg_hba.conf: %s", where, config.User, said)
	case "3D000":
		return fmt.Errorf("%s does not exist: CREATE DATABASE %s, or name another in the URL: %s", where, config.Database, said)
	case "42501":
		schema := config.RuntimeParams["search_path"]
		return fmt.Errorf("the user %s has no rights to make the outbox's tables in %s: CREATE SCHEMA %s AUTHORIZATION %s: %s",
			config.User, where, schema, config.User, said)
	case "25006":
		return fmt.Errorf("%s is read-only, as a standby is: name the primary, or several hosts with target_session_attrs=read-write: %s", where, said)
	}
	switch {
	case answer.Code[:2] == "53", answer.Code[:2] == "57", answer.Code[:2] == "08", passing[answer.Code]:
		return nil // too many connections, starting, stopping, another node is at it
	}
	return fmt.Errorf("%s cannot be used: %s", where, said)
}

// Changed implements [outbox.Store].
func (s *Store) Changed() <-chan struct{} { return s.changes }

func (s *Store) changed() {
	select {
	case s.changes <- struct{}{}:
	default:
	}
}

// Check implements [outbox.Store].
func (s *Store) Check() error {
	if problem, _ := s.health.check(); problem != nil {
		return problem
	}
	return nil
}

// Close implements [outbox.Store]. A database that is away does not hold it up
// for longer than five seconds; what was held is then free after the lease.
func (s *Store) Close() error {
	s.stop()
	s.working.Wait()
	defer s.pool.Close()
	if problem, _ := s.health.check(); problem != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.leave(ctx); err != nil && !lost(err) {
		return unavailable(ctx, err)
	}
	return nil
}

// acquire takes a connection from the pool, for which it waits a bounded time.
func (s *Store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if problem, _ := s.health.check(); problem != nil {
		return nil, problem
	}
	return s.connection(ctx)
}

// acquireTime bounds the wait for a connection.
const acquireTime = 5 * time.Second

func (s *Store) connection(ctx context.Context) (*pgxpool.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, acquireTime)
	defer cancel()
	c, err := s.pool.Acquire(bounded)
	var connecting *pgconn.ConnectError
	if err != nil && ctx.Err() == nil && bounded.Err() != nil && !errors.As(err, &connecting) {
		err = errNoConnection
	}
	return c, err
}

// down notes that the database is away.
func (s *Store) down(err error) *outbox.UnavailableError {
	problem, _ := unavailable(context.Background(), err).(*outbox.UnavailableError)
	if s.health.set(problem) {
		s.log.Warn("the outbox's database is away", "error", err)
	}
	s.pool.Reset() // connections of before are of no use after
	return problem
}

// fail is down, for others than the keeper, which then sees for itself.
func (s *Store) fail(err error) *outbox.UnavailableError {
	problem := s.down(err)
	s.wake()
	return problem
}

// wake lets the keeper look at once.
func (s *Store) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}
