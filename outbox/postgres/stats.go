package postgres

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

const (
	// quick is what counting may cost for every call of Stats to count anew.
	quick = 20 * time.Millisecond
	// share: beyond it, counting takes one part in so many of one connection's time.
	share = 20
	// firstCount is how long a call of Stats waits for the first count.
	firstCount = 2 * time.Second
)

// counts are the last ones, and who is counting.
type counts struct {
	mutex    sync.Mutex
	stats    outbox.Stats
	at       time.Time // zero: never
	cost     time.Duration
	err      error
	counting chan struct{} // closed when the count that is under way ends; nil: none is
}

// Stats implements [outbox.Store]. A small backlog is counted anew. Counting a
// large one (by an index alone) takes time in proportion to it, and then answers
// are as old as twenty times that at most; the first count, after a start, is
// waited for for two seconds, and until it is done nothing is said of queues
// and dead letters.
func (s *Store) Stats(ctx context.Context) (outbox.Stats, error) {
	c := &s.counts
	c.mutex.Lock()
	counting := c.counting
	if counting == nil && (c.at.IsZero() || c.cost < quick || time.Since(c.at) > share*c.cost) {
		counting = make(chan struct{})
		c.counting = counting
		s.working.Go(func() { s.recount(counting) })
	}
	wait := counting != nil && (c.at.IsZero() || c.cost < quick)
	c.mutex.Unlock()
	if wait {
		select {
		case <-counting:
		case <-time.After(firstCount):
		case <-ctx.Done():
			return outbox.Stats{}, context.Cause(ctx)
		}
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	stats := c.stats
	stats.Queues, stats.Dead = slices.Clone(stats.Queues), maps.Clone(stats.Dead)
	stats.CutTails = s.unreadable.Load()
	if c.counting == nil && c.err != nil {
		return stats, unavailable(ctx, c.err)
	}
	return stats, nil
}

func (s *Store) recount(done chan struct{}) {
	began := time.Now()
	stats, err := s.count(s.background)
	c := &s.counts
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.err = err; err == nil {
		c.stats, c.at, c.cost = stats, time.Now(), time.Since(began)
	}
	c.counting = nil
	close(done)
}

const (
	// The lowest event of a queue is the oldest that is owed.
	countQueues = `
SELECT c.queue, c.waiting, (SELECT d.accepted FROM deliveries d WHERE d.event = c.oldest ORDER BY d.n LIMIT 1)
FROM (SELECT queue, count(*) AS waiting, min(event) AS oldest FROM deliveries GROUP BY queue) AS c`
	countDead  = `SELECT reason, count(*) FROM dead GROUP BY reason`
	countBytes = `SELECT sum(pg_total_relation_size(c))::int8 FROM unnest(ARRAY['events', 'deliveries', 'dead', 'dedupe', 'queues', 'nodes', 'writers']::regclass[]) AS c`
)

func (s *Store) count(ctx context.Context) (outbox.Stats, error) {
	stats := outbox.Stats{Dead: make(map[keg.Reason]int64)}
	err := s.repeat(ctx, func(c *pgx.Conn) error {
		stats.Queues = nil
		clear(stats.Dead)
		return pgx.BeginTxFunc(ctx, c, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = '10min'`); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, countQueues)
			if err != nil {
				return err
			}
			var ids []int32
			var id int32
			var waiting int64
			var oldest *time.Time
			var queues []outbox.QueueStats
			if _, err := pgx.ForEachRow(rows, []any{&id, &waiting, &oldest}, func() error {
				ids = append(ids, id)
				queues = append(queues, outbox.QueueStats{Waiting: waiting, Oldest: zeroOr(oldest)})
				return nil
			}); err != nil {
				return err
			}
			if err := s.queuesOf(ctx, c, ids); err != nil {
				return err
			}
			for i, id := range ids {
				queues[i].Queue, _ = s.queues.queue(id)
			}
			stats.Queues = queues
			var reason keg.Reason
			if rows, err = tx.Query(ctx, countDead); err != nil {
				return err
			}
			if _, err := pgx.ForEachRow(rows, []any{&reason, &waiting}, func() error { stats.Dead[reason] = waiting; return nil }); err != nil {
				return err
			}
			return tx.QueryRow(ctx, countBytes).Scan(&stats.Bytes)
		})
	})
	return stats, err
}
