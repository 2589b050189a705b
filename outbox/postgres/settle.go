package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kong/keg/outbox"
)

// farthest bounds how far away a delivery may be due.
const farthest = 100 * 365 * 24 * time.Hour

// settling are settlements as the arrays that the statements unnest.
type settling struct {
	node int64

	done struct {
		event []int64
		n     []int16
		stamp []int64
	}
	later, dead struct { // with their stories
		event       []int64
		n           []int16
		stamp       []int64
		holder      []int64
		delay       []float64
		attempts    []int32
		first, last []*time.Time
		problem     []string
		status      []int32
		reason      []string
	}
	shared      []int64 // events owed to others, too, that may have lost their last
	keyedQueues []int32 // whose lines get shorter, or longer
	lineQueue   []int32 // the lines themselves
	lineLane    [][]byte
	ready       bool // something may have got ready

	then map[place64]*put
}

// place64 is a delivery's in the store.
type place64 struct {
	event int64
	n     int16
}

// Settle implements [outbox.Store]: one round trip, or three where something is
// owed then. What others have taken over meanwhile it leaves to them.
func (s *Store) Settle(ctx context.Context, settlements ...*outbox.Settlement) error {
	all := &settling{node: s.node.Load()}
	for _, settlement := range settlements {
		h, ok := settlement.Delivery.Handle.(*handle)
		if !ok {
			return errors.New("a delivery of another store cannot be settled here")
		}
		if settlement.Then != nil {
			for _, o := range settlement.Then.Owed {
				o.Held = nil
			}
		}
		if h.node != all.node {
			continue // lost with the lease
		}
		if err := s.addSettlement(ctx, all, h, settlement); err != nil {
			return err
		}
	}
	if len(all.done.event)+len(all.later.event)+len(all.dead.event) == 0 {
		return nil
	}
	// Done twice, it does nothing the second time: the holds are gone.
	err := s.repeat(ctx, func(c *pgx.Conn) error { return s.settle(ctx, c, all) })
	if err == nil && all.ready {
		s.changed()
	}
	return err
}

func (s *Store) addSettlement(ctx context.Context, all *settling, h *handle, settlement *outbox.Settlement) error {
	d := settlement.Delivery
	into := &all.later
	switch settlement.Outcome {
	case outbox.Done:
		all.done.event = append(all.done.event, h.event)
		all.done.n = append(all.done.n, h.n)
		all.done.stamp = append(all.done.stamp, h.stamp)
	case outbox.Again, outbox.Return:
		all.ready = true
	case outbox.Dead:
		into = &all.dead
	default:
		return errors.New("a settlement has an outcome that does not exist")
	}
	if settlement.Outcome == outbox.Done || settlement.Outcome == outbox.Dead {
		if !h.sole {
			all.shared = append(all.shared, h.event)
		}
		if h.lane != nil {
			all.ready = true
			all.keyedQueues = append(all.keyedQueues, h.queue)
			all.lineQueue = append(all.lineQueue, h.queue)
			all.lineLane = append(all.lineLane, h.lane)
		}
	}
	if settlement.Outcome == outbox.Done {
		return nil
	}
	holder, delay := int64(0), time.Duration(0)
	if settlement.Outcome == outbox.Again {
		holder, delay = -1, min(max(time.Until(settlement.At), -time.Hour), farthest)
	}
	into.event = append(into.event, h.event)
	into.n = append(into.n, h.n)
	into.stamp = append(into.stamp, h.stamp)
	into.holder = append(into.holder, holder)
	into.delay = append(into.delay, microseconds(delay))
	into.attempts = append(into.attempts, int32(d.Attempts))
	into.first = append(into.first, moment(d.First))
	into.last = append(into.last, moment(d.Last))
	into.problem = append(into.problem, text(d.LastError))
	into.status = append(into.status, int32(d.Status))
	into.reason = append(into.reason, text(string(settlement.Reason)))
	if settlement.Then == nil {
		return nil
	}
	rows, err := s.rowsOf(ctx, []*outbox.Entry{settlement.Then})
	if err != nil {
		return err
	}
	for i := range rows[0].owed {
		o := &rows[0].owed[i]
		o.hold = false
		if o.lane != nil {
			all.keyedQueues = append(all.keyedQueues, o.queue)
		}
	}
	if all.then == nil {
		all.then = make(map[place64]*put)
	}
	all.then[place64{h.event, h.n}] = &put{rows: rows}
	all.ready = true
	return nil
}

const (
	lockNode   = `SELECT FROM nodes WHERE id = $1 FOR KEY SHARE`
	lockEvents = `SELECT FROM events WHERE id = ANY($1) ORDER BY id FOR UPDATE`

	settleDone = `
WITH gone AS (DELETE FROM deliveries d USING unnest($2::int8[], $3::int2[], $4::int8[]) AS s(event, n, stamp)
	WHERE d.event = s.event AND d.n = s.n AND d.holder = $1 AND d.stamp = s.stamp RETURNING d.event)
DELETE FROM events e USING gone WHERE e.id = gone.event AND e.owed = 1`

	settleLater = `
UPDATE deliveries d SET holder = s.holder, due = CASE WHEN s.holder = -1 THEN now() + s.delay * interval '1 microsecond' END,
	attempts = s.attempts, first = s.first, last = s.last, error = s.error, status = s.status
FROM unnest($2::int8[], $3::int2[], $4::int8[], $5::int8[], $6::float8[], $7::int4[], $8::timestamptz[], $9::timestamptz[], $10::text[], $11::int4[])
	AS s(event, n, stamp, holder, delay, attempts, first, last, error, status)
WHERE d.event = s.event AND d.n = s.n AND d.holder = $1 AND d.stamp = s.stamp`

	// A dead letter has a copy of its event, so that the hot tables are rid of it.
	settleDead = `
WITH gone AS (DELETE FROM deliveries d
	USING unnest($2::int8[], $3::int2[], $4::int8[], $5::int4[], $6::timestamptz[], $7::timestamptz[], $8::text[], $9::int4[], $10::text[])
		AS s(event, n, stamp, attempts, first, last, error, status, reason)
	WHERE d.event = s.event AND d.n = s.n AND d.holder = $1 AND d.stamp = s.stamp
	RETURNING d.event, d.n, d.queue, d.lane, d.key, d.bytes, d.accepted, s.attempts, s.first, s.last, s.error, s.status, s.reason),
buried AS (INSERT INTO dead (queue, reason, lane, key, error, status, attempts, first, last, accepted, died, bytes, data)
	SELECT g.queue, g.reason, g.lane, g.key, g.error, g.status, g.attempts, g.first, g.last, g.accepted, now(), g.bytes, e.data
	FROM gone g JOIN events e ON e.id = g.event ORDER BY g.event, g.n),
removed AS (DELETE FROM events e USING gone WHERE e.id = gone.event AND e.owed = 1)
SELECT event, n FROM gone`

	// The first of a line that has no head becomes it.
	promote = `
UPDATE deliveries d SET holder = 0
FROM (SELECT DISTINCT queue, lane FROM unnest($1::int4[], $2::bytea[]) AS k(queue, lane)) AS line,
	LATERAL (SELECT event, n, holder FROM deliveries x WHERE x.queue = line.queue AND x.lane = line.lane ORDER BY event, n LIMIT 1) AS head
WHERE d.event = head.event AND d.n = head.n AND head.holder = -2`

	// With the events' rows locked, whoever ends the last delivery sees that it is.
	removeShared = `
DELETE FROM events e WHERE e.id = ANY($1) AND NOT EXISTS (SELECT FROM deliveries d WHERE d.event = e.id)`
)

// settle is one transaction.
func (s *Store) settle(ctx context.Context, c *pgx.Conn, all *settling) error {
	batch := &pgx.Batch{}
	var died []place64
	all.queue(batch, &died)
	if all.then == nil {
		return c.SendBatch(ctx, batch).Close()
	}
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		g := &group{}
		for _, place := range died {
			if then := all.then[place]; then != nil {
				g.add(then)
			}
		}
		seen := g.dedupe()
		duplicates := []int32{}
		if len(seen.hashes) > 0 {
			var err error
			if duplicates, err = seen.check(ctx, tx); err != nil {
				return err
			}
		}
		batch := &pgx.Batch{}
		g.columns(duplicates).queue(batch, insertAlone, &outcome{}, 0, 0, []int32{}, all.node)
		return tx.SendBatch(ctx, batch).Close()
	})
}

func (all *settling) queue(batch *pgx.Batch, died *[]place64) {
	batch.Queue(lockNode, all.node)
	if len(all.keyedQueues) > 0 {
		batch.Queue(lockQueues, all.keyedQueues)
	}
	if len(all.shared) > 0 {
		batch.Queue(lockEvents, all.shared)
	}
	if d := &all.done; len(d.event) > 0 {
		batch.Queue(settleDone, all.node, d.event, d.n, d.stamp)
	}
	if l := &all.later; len(l.event) > 0 {
		batch.Queue(settleLater, all.node, l.event, l.n, l.stamp, l.holder, l.delay, l.attempts, l.first, l.last, l.problem, l.status)
	}
	if d := &all.dead; len(d.event) > 0 {
		batch.Queue(settleDead, all.node, d.event, d.n, d.stamp, d.attempts, d.first, d.last, d.problem, d.status, d.reason).Query(func(rows pgx.Rows) error {
			var place place64
			_, err := pgx.ForEachRow(rows, []any{&place.event, &place.n}, func() error {
				*died = append(*died, place)
				return nil
			})
			return err
		})
	}
	if len(all.lineQueue) > 0 {
		batch.Queue(promote, all.lineQueue, all.lineLane)
	}
	if len(all.shared) > 0 {
		batch.Queue(removeShared, all.shared)
	}
}
