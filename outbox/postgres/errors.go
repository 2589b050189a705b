package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kong/keg/outbox"
)

// mask takes a password out of a text that should not hold it anyway.
func mask(text, password string) string {
	if password == "" {
		return text
	}
	return strings.ReplaceAll(text, password, "***")
}

// serverError is what the server itself said, or nil.
func serverError(err error) *pgconn.PgError {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer
	}
	return nil
}

// undone reports whether the server said that it has done nothing: an error
// within a session that goes on. A session that was ended, by a FATAL or a cut
// connection, may have committed before.
func undone(err error) bool {
	answer := serverError(err)
	return answer != nil && severity(answer) == "ERROR"
}

func severity(answer *pgconn.PgError) string {
	if answer.SeverityUnlocalized != "" {
		return answer.SeverityUnlocalized
	}
	return answer.Severity
}

// unsent reports whether the server cannot have done anything, because it was
// not reached.
func unsent(err error) bool {
	var connecting *pgconn.ConnectError
	var before *unsentError
	return errors.As(err, &connecting) || errors.As(err, &before) || errors.Is(err, errNoConnection) || pgconn.SafeToRetry(err)
}

// unsentError: what failed came before anything that matters was sent.
type unsentError struct{ error }

func (e *unsentError) Unwrap() error { return e.error }

// lost reports whether err ended the connection, or kept there from being one.
func lost(err error) bool { return err != nil && !undone(err) }

// errNoConnection: all of the pool's are in use.
var errNoConnection = errors.New("every connection to the database is in use")

// passing are the answers after which the same again may do.
var passing = map[string]bool{
	"40001": true, // serialization_failure
	"40P01": true, // deadlock_detected
	"55P03": true, // lock_not_available
}

// problems tells in words what the server's codes mean to a store that runs.
var problems = map[string]string{
	"53100": "the database's disk is full",
	"53200": "the database is out of memory",
	"53300": "the database takes no more connections",
	"25006": "the database is read-only",
	"55P03": "the database waits for a lock",
	"57014": "the database takes too long",
	"57P03": "the database is starting or stopping",
	"57P01": "the database is stopping",
	"42501": "the database refuses its rights to the user",
	"28P01": "the database refuses the user's password",
	"28000": "the database refuses the user",
	"3D000": "the database does not exist",
	"42P01": "tables of the outbox are missing in the database",
}

// unavailable wraps what a database operation returned. ctx's own end stays
// what it is.
func unavailable(ctx context.Context, err error) error {
	var already *outbox.UnavailableError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &already):
		return already
	case ctx.Err() != nil:
		return fmt.Errorf("the database has not answered: %w", context.Cause(ctx))
	}
	problem := "the database cannot be reached"
	if answer := serverError(err); answer != nil {
		problem = problems[answer.Code]
		if problem == "" {
			problem = "the database has failed"
		}
	} else if errors.Is(err, errNoConnection) {
		return &outbox.UnavailableError{Problem: errNoConnection.Error()}
	} else if errors.Is(err, context.DeadlineExceeded) {
		problem = "the database does not answer"
	}
	return &outbox.UnavailableError{Problem: problem, Err: err}
}
