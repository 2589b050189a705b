package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/kong/keg/outbox"
)

// queueIDs are the rows of table queues that this node has seen. A row is never
// changed or removed: there are as many as there ever were destinations.
type queueIDs struct {
	mutex  sync.RWMutex
	ids    map[outbox.Queue]int32
	queues map[int32]outbox.Queue
}

func (q *queueIDs) id(queue outbox.Queue) (int32, bool) {
	q.mutex.RLock()
	defer q.mutex.RUnlock()
	id, ok := q.ids[queue]
	return id, ok
}

func (q *queueIDs) queue(id int32) (outbox.Queue, bool) {
	q.mutex.RLock()
	defer q.mutex.RUnlock()
	queue, ok := q.queues[id]
	return queue, ok
}

func (q *queueIDs) learn(id int32, queue outbox.Queue) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.ids == nil {
		q.ids, q.queues = make(map[outbox.Queue]int32), make(map[int32]outbox.Queue)
	}
	q.ids[queue], q.queues[id] = id, queue
}

// hashOf is a hash of strings that are not run together.
func hashOf(parts ...string) []byte {
	h := sha256.New()
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:16]
}

// text is s as PostgreSQL can hold it.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// queueID returns the id of a queue, and gives it one where it has none.
func (s *Store) queueID(ctx context.Context, queue outbox.Queue) (int32, error) {
	id, ok := s.queues.id(queue)
	if ok {
		return id, nil
	}
	kind := "delivery"
	if queue.DeadLetter {
		kind = "dead letter"
	}
	hash := hashOf(queue.Scope, queue.Route, queue.Destination, kind)
	err := s.repeat(ctx, func(c *pgx.Conn) error {
		// A row that another node commits meanwhile is not seen by the SELECT, but
		// by the next one.
		err := pgx.ErrNoRows
		for range 3 {
			err = c.QueryRow(ctx, `WITH fresh AS (
				INSERT INTO queues (hash, scope, route, destination, dead_letter) SELECT $1::bytea, $2, $3, $4, $5
				WHERE NOT EXISTS (SELECT FROM queues WHERE hash = $1) ON CONFLICT DO NOTHING RETURNING id)
				SELECT id FROM fresh UNION ALL SELECT id FROM queues WHERE hash = $1 LIMIT 1`,
				hash, text(queue.Scope), text(queue.Route), text(queue.Destination), queue.DeadLetter).Scan(&id)
			if err != pgx.ErrNoRows {
				break
			}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	s.queues.learn(id, queue)
	return id, nil
}

// queuesOf looks up those ids that are not known yet.
func (s *Store) queuesOf(ctx context.Context, c *pgx.Conn, ids []int32) error {
	var unknown []int32
	for _, id := range ids {
		if _, ok := s.queues.queue(id); !ok {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	rows, err := c.Query(ctx, `SELECT id, scope, route, destination, dead_letter FROM queues WHERE id = ANY($1)`, unknown)
	if err != nil {
		return err
	}
	var id int32
	var q outbox.Queue
	_, err = pgx.ForEachRow(rows, []any{&id, &q.Scope, &q.Route, &q.Destination, &q.DeadLetter}, func() error {
		s.queues.learn(id, q)
		return nil
	})
	return err
}
