package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// freed is how many deliveries of a dead node one transaction frees, and
	// swept how many rows one statement removes.
	freed = 5000
	swept = 5000
)

// microseconds is a duration as a parameter of `$1::float8 * interval '1 microsecond'`.
func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// register makes this process a node, under an id that no other ever had.
func (s *Store) register(ctx context.Context, c *pgx.Conn) error {
	var id int64
	err := c.QueryRow(ctx, `INSERT INTO nodes (name, expires) VALUES ($1, now() + $2::float8 * interval '1 microsecond') RETURNING id`,
		text(s.name), microseconds(s.lease)).Scan(&id)
	if err == nil {
		s.node.Store(id)
	}
	return err
}

// keeper keeps the node alive, by a connection of its own: the pool's may all
// be in use.
type keeper struct {
	*Store
	c     *pgx.Conn
	nodes map[int64]sighting // the others, in this unbroken contact
}

// sighting is a node's lease as it was first seen, and when that was.
type sighting struct {
	expires, since time.Time
}

// keep runs until ctx ends. The connection is its own.
func (s *Store) keep(ctx context.Context, c *pgx.Conn) {
	k := &keeper{Store: s, c: c}
	defer k.disconnect()
	for {
		wait := s.lease / 5
		if problem, _ := s.health.check(); problem != nil {
			wait = min(wait, 250*time.Millisecond)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.poke:
			select { // whoever is away is not asked without end
			case <-ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		case <-time.After(wait):
		}
		k.turn(ctx)
	}
}

func (k *keeper) disconnect() {
	if k.c != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = k.c.Close(ctx)
		k.c = nil
	}
}

// turn is one heartbeat, and what is to be done besides.
func (k *keeper) turn(ctx context.Context) {
	alive := k.c != nil
	err := k.bounded(ctx, k.beat)
	if alive && lost(err) && !errors.Is(err, context.DeadlineExceeded) {
		k.disconnect() // which may be all that is wrong
		err = k.bounded(ctx, k.beat)
	}
	if err != nil {
		k.disconnect()
		if ctx.Err() != nil {
			return
		}
		k.nodes = nil
		k.down(err)
		return
	}
	if k.health.set(nil) {
		k.log.Info("the outbox's database is back")
		k.changed()
	}
	for name, work := range map[string]func(context.Context) error{
		"free what was handed out to nobody": k.freeDoubts, "take over a dead node": k.takeOver, "sweep": k.sweep,
	} {
		if k.c == nil {
			return // lost on the way: the next turn tells
		}
		if err := k.bounded(ctx, work); err != nil && ctx.Err() == nil {
			k.log.Warn("the outbox could not "+name, "error", unavailable(context.Background(), err))
			if lost(err) {
				k.disconnect()
				k.wake()
			}
		}
	}
}

// bounded gives work half of a lease at most, so that there is time for another
// heartbeat within it.
func (k *keeper) bounded(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, max(k.lease/2, time.Second))
	defer cancel()
	return work(ctx)
}

// beat renews the lease. A node that finds itself taken over goes on as another
// one, and what it held is no longer its own.
func (k *keeper) beat(ctx context.Context) error {
	if k.c == nil {
		c, err := pgx.ConnectConfig(ctx, k.pool.Config().ConnConfig)
		if err != nil {
			return err
		}
		k.c = c
	}
	tag, err := k.c.Exec(ctx, `UPDATE nodes SET expires = now() + $2::float8 * interval '1 microsecond' WHERE id = $1`, k.node.Load(), microseconds(k.lease))
	if err != nil || tag.RowsAffected() > 0 {
		return err
	}
	k.log.Warn("this node was silent for longer than its lease: others have what it held, and may deliver it a second time", "lease", k.lease)
	return k.register(ctx, k.c)
}

// takeOver frees what nodes held whose lease has run out, by the database's
// clock and by this node's own: it must have seen, for as long as a lease is,
// that they do not renew it. So a clock that is set forward makes nobody dead,
// nor does an outage of the database, after which all leases have run out.
func (k *keeper) takeOver(ctx context.Context) error {
	suspects, err := k.look(ctx)
	for _, id := range suspects {
		if err == nil {
			err = k.takeOverFrom(ctx, id)
		}
	}
	return err
}

// look returns the nodes that are dead by this node's clock.
func (k *keeper) look(ctx context.Context) (suspects []int64, err error) {
	rows, err := k.c.Query(ctx, `SELECT id, expires FROM nodes WHERE id <> $1`, k.node.Load())
	if err != nil {
		return nil, err
	}
	nodes := make(map[int64]sighting)
	var id int64
	var expires time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &expires}, func() error {
		seen, ok := k.nodes[id]
		if !ok || !seen.expires.Equal(expires) {
			seen = sighting{expires, time.Now()}
		}
		nodes[id] = seen
		if time.Since(seen.since) >= k.lease {
			suspects = append(suspects, id)
		}
		return nil
	})
	k.nodes = nodes
	return suspects, err
}

// takeOverFrom frees what a node held, if its lease has run out by the
// database's clock, too.
func (k *keeper) takeOverFrom(ctx context.Context, dead int64) error {
	for total := int64(0); ; {
		var name string
		var count int64
		err := pgx.BeginFunc(ctx, k.c, func(tx pgx.Tx) error {
			if err := tx.QueryRow(ctx, `SELECT name FROM nodes WHERE id = $1 AND expires < now() FOR UPDATE SKIP LOCKED`, dead).Scan(&name); err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, `UPDATE deliveries SET holder = 0 WHERE (event, n) IN (SELECT event, n FROM deliveries WHERE holder = $1 LIMIT $2)`, dead, freed)
			if count = tag.RowsAffected(); err != nil || count == freed {
				return err
			}
			_, err = tx.Exec(ctx, `DELETE FROM nodes WHERE id = $1`, dead)
			return err
		})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil // it lives, or another node is at it
		case err != nil:
			return err
		}
		k.changed()
		if total += count; count < freed {
			k.log.Warn("a node of the outbox was silent for longer than its lease: what it held is free", "node", name, "deliveries", total)
			return nil
		}
	}
}

// sweep removes what was seen too long ago to be a duplicate's first, and the
// writers of processes that did not say good-bye.
func (k *keeper) sweep(ctx context.Context) error {
	for range 20 {
		tag, err := k.c.Exec(ctx, `DELETE FROM dedupe WHERE hash IN (
			SELECT hash FROM dedupe WHERE until < now() ORDER BY until LIMIT $1 FOR UPDATE SKIP LOCKED)`, swept)
		if err != nil {
			return err
		}
		if tag.RowsAffected() < swept {
			break
		}
	}
	_, err := k.c.Exec(ctx, `DELETE FROM writers WHERE at < now() - interval '1 day'`)
	return err
}

// leave gives back all that this node holds.
func (s *Store) leave(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		node := s.node.Load()
		if _, err := tx.Exec(ctx, `SELECT FROM nodes WHERE id = $1 FOR UPDATE`, node); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE deliveries SET holder = 0 WHERE holder = $1`, node); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM nodes WHERE id = $1`, node)
		return err
	})
}
