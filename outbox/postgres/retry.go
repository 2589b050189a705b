package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// repeat runs work with a connection, again where the server says that the same
// may do now, or where the connection was lost. So work is something that does
// no harm when it is done twice. The error is what a caller of the store hears.
func (s *Store) repeat(ctx context.Context, work func(*pgx.Conn) error) error {
	return s.try(ctx, work, func(err error) bool { return lost(err) })
}

// try is repeat for work of which it says itself whether it may be done again;
// after a passing answer it always may.
func (s *Store) try(ctx context.Context, work func(*pgx.Conn) error, again func(error) bool) error {
	for attempt := 1; ; attempt++ {
		c, err := s.acquire(ctx)
		if err == nil {
			err = work(c.Conn())
			c.Release()
		}
		if err == nil {
			return nil
		}
		answer := serverError(err)
		mayPass := answer != nil && passing[answer.Code] && undone(err)
		if lost(err) {
			s.wake() // it tells whether the database is away
		}
		if attempt == 3 || ctx.Err() != nil || errors.Is(err, errNoConnection) || !mayPass && !again(err) {
			return unavailable(ctx, err)
		}
	}
}
