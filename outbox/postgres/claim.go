package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// handle is a hold: the node and the call that it came of, and the row.
type handle struct {
	node, stamp int64
	event       int64
	n           int16
	queue       int32
	lane        []byte // nil without a key
	sole        bool   // the event is owed to nobody else
}

func deliveryID(event int64, n int16) string {
	return strconv.FormatInt(event, 16) + "-" + strconv.Itoa(int(n))
}

// pollTime is how long a Put on another node may go unnoticed.
const pollTime = time.Second

// Each step of the recursions is one look into an index.
const readySQL = `
WITH RECURSIVE ready(queue) AS (
	(SELECT queue FROM deliveries WHERE holder = 0 ORDER BY queue LIMIT 1)
	UNION ALL
	SELECT next.queue FROM ready, LATERAL (SELECT queue FROM deliveries WHERE holder = 0 AND queue > ready.queue ORDER BY queue LIMIT 1) AS next
), waiting(queue, due) AS (
	(SELECT queue, due FROM deliveries WHERE holder = -1 ORDER BY queue, due LIMIT 1)
	UNION ALL
	SELECT next.queue, next.due FROM waiting,
		LATERAL (SELECT queue, due FROM deliveries WHERE holder = -1 AND queue > waiting.queue ORDER BY queue, due LIMIT 1) AS next
)
SELECT queue, 0::float8 FROM ready UNION ALL SELECT queue, extract(epoch FROM due - now())::float8 FROM waiting`

// Ready implements [outbox.Store]. What other nodes put is seen within a second.
func (s *Store) Ready(ctx context.Context) ([]outbox.Queue, time.Time, error) {
	var ids []int32
	wait := pollTime
	var queues []outbox.Queue
	err := s.repeat(ctx, func(c *pgx.Conn) error {
		ids, queues = nil, nil
		rows, err := c.Query(ctx, readySQL)
		if err != nil {
			return err
		}
		known := make(map[int32]bool)
		var id int32
		var seconds float64
		if _, err = pgx.ForEachRow(rows, []any{&id, &seconds}, func() error {
			if seconds > 0 {
				wait = min(wait, time.Duration(min(seconds, 1)*float64(time.Second))+time.Millisecond)
			} else if !known[id] {
				known[id] = true
				ids = append(ids, id)
			}
			return nil
		}); err != nil {
			return err
		}
		if err := s.queuesOf(ctx, c, ids); err != nil {
			return err
		}
		for _, id := range ids {
			if q, ok := s.queues.queue(id); ok {
				queues = append(queues, q)
			}
		}
		return nil
	})
	return queues, time.Now().Add(wait), err
}

// Rows that another node is about to take are passed over. The oldest come
// first, those that were due later among them.
const claimSQL = `
WITH me AS MATERIALIZED (SELECT id FROM nodes WHERE id = $1 FOR KEY SHARE),
fresh AS MATERIALIZED (SELECT event, n, bytes FROM deliveries WHERE holder = 0 AND queue = $2
	ORDER BY event, n LIMIT $3 FOR UPDATE SKIP LOCKED),
late AS MATERIALIZED (SELECT event, n, bytes FROM deliveries WHERE holder = -1 AND queue = $2 AND due <= now()
	ORDER BY due LIMIT $3 FOR UPDATE SKIP LOCKED),
line AS (SELECT event, n, bytes, row_number() OVER w AS place, sum(bytes) OVER w AS total
	FROM (SELECT * FROM fresh UNION ALL SELECT * FROM late) AS candidates WINDOW w AS (ORDER BY event, n ROWS UNBOUNDED PRECEDING)),
taken AS (UPDATE deliveries d SET holder = me.id, stamp = $5, due = NULL FROM line, me
	WHERE d.event = line.event AND d.n = line.n AND line.place <= $3 AND (line.total - line.bytes < $4 OR line.place = 1)
	RETURNING d.*)
SELECT t.event, t.n, t.lane, t.key, t.accepted, t.attempts, t.first, t.last, t.error, t.status, e.owed, e.data
FROM taken t JOIN events e ON e.id = t.event ORDER BY t.event, t.n`

// Claim implements [outbox.Store].
func (s *Store) Claim(ctx context.Context, q outbox.Queue, n int, maxBytes int64) ([]*outbox.Delivery, error) {
	if n <= 0 {
		return nil, nil
	}
	queue, err := s.queueID(ctx, q)
	if err != nil {
		return nil, err
	}
	var claimed, broken []*outbox.Delivery
	sent := false
	stamp := s.stamp.Add(1)
	err = s.try(ctx, func(c *pgx.Conn) error {
		claimed, broken, sent = nil, nil, true
		node := s.node.Load()
		rows, err := c.Query(ctx, claimSQL, node, queue, n, maxBytes, stamp)
		if err != nil {
			return err
		}
		events := make(map[int64]*keg.Event)
		for rows.Next() {
			h := &handle{node: node, stamp: stamp, queue: queue}
			d := &outbox.Delivery{Queue: q, Handle: h}
			var owed int16
			var key, data []byte
			var first, last *time.Time
			if err := rows.Scan(&h.event, &h.n, &h.lane, &key, &d.Accepted, &d.Attempts, &first, &last, &d.LastError, &d.Status, &owed, &data); err != nil {
				return err
			}
			d.ID, d.Key, d.First, d.Last, h.sole = deliveryID(h.event, h.n), string(key), zeroOr(first), zeroOr(last), owed == 1
			if d.Event = events[h.event]; d.Event == nil {
				if d.Event, err = outbox.ParseEvent(data); err != nil {
					d.LastError = err.Error()
					broken = append(broken, d)
					continue
				}
				events[h.event] = d.Event
			}
			claimed = append(claimed, d)
		}
		return rows.Err()
	}, func(error) bool { return false })
	if err != nil {
		if sent { // what it may have handed out is freed
			s.doubts.add(stamp)
			s.wake()
		}
		return nil, err
	}
	s.bury(ctx, broken)
	return claimed, nil
}

// bury makes dead letters of deliveries whose event cannot be read.
func (s *Store) bury(ctx context.Context, broken []*outbox.Delivery) {
	if len(broken) == 0 {
		return
	}
	settlements := make([]*outbox.Settlement, len(broken))
	for i, d := range broken {
		settlements[i] = &outbox.Settlement{Delivery: d, Outcome: outbox.Dead, Reason: keg.ReasonInternal}
	}
	s.unreadable.Add(int64(len(broken)))
	s.log.Error("events in the outbox's database cannot be read, and are dead letters now", "count", len(broken), "problem", broken[0].LastError)
	if err := s.Settle(ctx, settlements...); err != nil {
		s.log.Warn("they stay held until this process ends", "error", err)
	}
}
