package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// deadID names a dead letter by its place among all of them, so that a page
// begins after one that is gone by now.
type deadID struct {
	died int64 // microseconds since 1970
	id   int64
}

func (d deadID) String() string {
	return strconv.FormatInt(d.died, 10) + "-" + strconv.FormatInt(d.id, 10)
}

func parseDeadID(s string) (deadID, bool) {
	cut := strings.LastIndexByte(s, '-')
	if cut < 0 {
		return deadID{}, false
	}
	died, err := strconv.ParseInt(s[:cut], 10, 64)
	if err != nil {
		return deadID{}, false
	}
	id, err := strconv.ParseInt(s[cut+1:], 10, 64)
	return deadID{died, id}, err == nil && id > 0 && deadID{died, id}.String() == s
}

// numbersOf are the rows of those ids that could be some.
func numbersOf(ids []string) []int64 {
	numbers := []int64{}
	for _, id := range ids {
		if d, ok := parseDeadID(id); ok {
			numbers = append(numbers, d.id)
		}
	}
	return numbers
}

const selectDead = `SELECT x.id, q.route, q.destination, x.reason, x.error, x.status, x.attempts, x.first, x.last, x.accepted, x.died, x.data
FROM dead x JOIN queues q ON q.id = x.queue WHERE `

// DeadLetters implements [outbox.Store].
func (s *Store) DeadLetters(ctx context.Context, f outbox.Filter, after string, limit int) ([]*keg.DeadLetter, error) {
	var conditions []string
	var args []any
	where := func(condition string, values ...any) {
		for _, value := range values {
			args = append(args, value)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		conditions = append(conditions, condition)
	}
	where("true")
	if after != "" {
		at, ok := parseDeadID(after)
		if !ok {
			return nil, fmt.Errorf("%q: %w", after, outbox.ErrNotFound)
		}
		where("(x.died, x.id) > (?, ?)", time.UnixMicro(at.died), at.id)
	}
	if f.Route != "" {
		where("x.queue IN (SELECT id FROM queues WHERE route = ?)", text(f.Route))
	}
	if f.Destination != "" {
		where("x.queue IN (SELECT id FROM queues WHERE destination = ?)", text(f.Destination))
	}
	if f.Reason != "" {
		where("x.reason = ?", text(string(f.Reason)))
	}
	if !f.Since.IsZero() {
		where("x.died >= ?", f.Since)
	}
	if !f.Until.IsZero() {
		where("x.died < ?", f.Until)
	}
	if limit <= 0 {
		return nil, nil
	}
	args = append(args, limit)
	sql := selectDead + strings.Join(conditions, " AND ") + " ORDER BY x.died, x.id LIMIT $" + strconv.Itoa(len(args))
	return s.deadLetters(ctx, sql, args...)
}

func (s *Store) deadLetters(ctx context.Context, sql string, args ...any) ([]*keg.DeadLetter, error) {
	var all []*keg.DeadLetter
	err := s.repeat(ctx, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scanDead)
		return err
	})
	return all, err
}

func scanDead(row pgx.CollectableRow) (*keg.DeadLetter, error) {
	d := &keg.DeadLetter{}
	var id int64
	var first, last, accepted *time.Time
	var data []byte
	if err := row.Scan(&id, &d.Route, &d.Destination, &d.Reason, &d.Error, &d.Status, &d.Attempts, &first, &last, &accepted, &d.Died, &data); err != nil {
		return nil, err
	}
	d.ID = deadID{d.Died.UnixMicro(), id}.String()
	d.First, d.Last, d.Accepted = zeroOr(first), zeroOr(last), zeroOr(accepted)
	var err error
	if d.Event, err = outbox.ParseEvent(data); err != nil {
		d.Event = &keg.Event{Data: data} // the bytes, for whoever can read them
	}
	return d, nil
}

// DeadLetter implements [outbox.Store].
func (s *Store) DeadLetter(ctx context.Context, id string) (*keg.DeadLetter, error) {
	at, ok := parseDeadID(id)
	if !ok {
		return nil, outbox.ErrNotFound
	}
	all, err := s.deadLetters(ctx, selectDead+`x.id = $1 AND x.died = $2`, at.id, time.UnixMicro(at.died))
	if err == nil && len(all) == 0 {
		err = outbox.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// replayed is how many dead letters one transaction replays.
const replayed = 1000

const (
	keyedOf = `SELECT DISTINCT queue FROM dead WHERE id = ANY($1) AND lane IS NOT NULL`

	replay = `
WITH w AS MATERIALIZED (SELECT nextval('groups') << 16 AS base),
gone AS (DELETE FROM dead x USING queues q WHERE x.id = ANY($1) AND q.id = x.queue AND q.destination <> ''
	RETURNING x.id, x.died, x.queue, x.lane, x.key, x.bytes, x.data),
line AS MATERIALIZED (SELECT *, row_number() OVER (ORDER BY died, id) - 1 AS i, row_number() OVER (PARTITION BY queue, lane ORDER BY died, id) AS of_lane FROM gone),
e AS (INSERT INTO events (id, owed, data) SELECT w.base + i, 1, data FROM w, line)
INSERT INTO deliveries (event, n, queue, bytes, holder, stamp, lane, key, accepted)
SELECT w.base + i, 0, queue, bytes,
	CASE WHEN lane IS NOT NULL AND (of_lane > 1 OR EXISTS (SELECT FROM deliveries d WHERE d.queue = line.queue AND d.lane = line.lane)) THEN -2 ELSE 0 END,
	0, lane, key, now()
FROM w, line`
)

// Replay implements [outbox.Store]. Many are replayed in several steps.
func (s *Store) Replay(ctx context.Context, ids ...string) (int, error) {
	return s.inSteps(ctx, ids, func(c *pgx.Conn, numbers []int64) (count int64, err error) {
		err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, keyedOf, numbers)
			if err != nil {
				return err
			}
			keyed, err := pgx.CollectRows(rows, pgx.RowTo[int32])
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, lockQueues, keyed); err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, replay, numbers)
			count = tag.RowsAffected()
			return err
		})
		if err == nil && count > 0 {
			s.changed()
		}
		return count, err
	})
}

// Drop implements [outbox.Store]. Many are dropped in several steps.
func (s *Store) Drop(ctx context.Context, ids ...string) (int, error) {
	return s.inSteps(ctx, ids, func(c *pgx.Conn, numbers []int64) (int64, error) {
		tag, err := c.Exec(ctx, `DELETE FROM dead WHERE id = ANY($1)`, numbers)
		return tag.RowsAffected(), err
	})
}

// inSteps does work with so many ids at a time, and counts. Where a connection
// is lost, what the step has done is not known, and not counted.
func (s *Store) inSteps(ctx context.Context, ids []string, work func(*pgx.Conn, []int64) (int64, error)) (int, error) {
	total := 0
	for numbers := numbersOf(ids); len(numbers) > 0; numbers = numbers[min(replayed, len(numbers)):] {
		step := numbers[:min(replayed, len(numbers))]
		err := s.try(ctx, func(c *pgx.Conn) error {
			count, err := work(c, step)
			if err == nil {
				total += int(count)
			}
			return err
		}, func(error) bool { return false })
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
