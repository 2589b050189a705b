package embedded

import (
	"context"
	"maps"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kong/keg/outbox"
)

// Stats counts what the store holds: the counts are kept with every write, and
// one row of each queue is read for its age.
func (s *Store) Stats(ctx context.Context) (outbox.Stats, error) {
	if err := ctx.Err(); err != nil {
		return outbox.Stats{}, err
	}
	e, err := s.read()
	if err != nil {
		return outbox.Stats{}, err
	}
	defer e.release()
	s.mu.Lock()
	stats := outbox.Stats{Dead: maps.Clone(s.dead), Bytes: s.bytes.Load(), CutTails: s.cuts.Load()}
	var owing []*queue
	for _, q := range s.queues {
		if q.waiting > 0 {
			owing = append(owing, q)
			stats.Queues = append(stats.Queues, outbox.QueueStats{Queue: q.name, Waiting: q.waiting})
		}
	}
	s.mu.Unlock()
	for i, q := range owing {
		oldest := e.oldest(q)
		if oldest.IsZero() { // it ended just now, or cannot be read
			oldest = time.Now()
		}
		stats.Queues[i].Oldest = oldest
	}
	return stats, nil
}

// oldest is when the first delivery of a queue was accepted. Its search begins
// where the last one ended: what ended before is not looked at again.
func (e *engine) oldest(q *queue) time.Time {
	from := q.lowest.Load()
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: deliveryKey(nil, q.id, from), UpperBound: queueKey(nil, rowDelivery, q.id+1)})
	if err != nil {
		return time.Time{}
	}
	defer it.Close()
	if !it.First() {
		return time.Time{}
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return time.Time{}
	}
	r, err := parseRecord(value)
	if err != nil {
		return time.Time{}
	}
	q.lowest.CompareAndSwap(from, sequenceOf(it.Key()))
	return fromNanos(r.accepted)
}
