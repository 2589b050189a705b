package embedded

import (
	"context"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// timed takes those that waited for a time which has come.
func (c *claim) timed(ctx context.Context) error {
	s, q := c.s, c.q
	s.mu.Lock()
	from := q.from
	q.inserted = nowhere
	due := q.nextDue <= c.now
	s.mu.Unlock()
	if !due {
		return nil
	}
	it, err := c.e.db.NewIter(&pebble.IterOptions{LowerBound: timeKey(nil, q.id, from.due, from.seq), UpperBound: queueKey(nil, rowTime, q.id+1)})
	if err != nil {
		return err
	}
	defer it.Close()
	next := nowhere
	for ok := it.First(); ok; ok = it.Next() {
		var at place
		at.due, at.seq = parseTimeKey(it.Key())
		if at.due > c.now || c.full() || ctx.Err() != nil {
			next = at
			break
		}
		s.mu.Lock()
		taken := s.held[at.seq] != nil
		s.mu.Unlock()
		if taken {
			continue
		}
		// The row is read as it is now, for the iterator may show what has ended
		// since, or waits for another time.
		value, err := c.e.get(deliveryKey(nil, q.id, at.seq))
		if err != nil {
			if !damaged(err) {
				return c.e.trouble(err)
			}
			s.setAside(c.e, q, at.seq, "a delivery", err)
			continue
		}
		if value == nil {
			continue
		}
		if r, err := parseRecord(value); err == nil && r.due == at.due {
			if s.isReady(q, at.seq) {
				continue
			}
			c.take(at.seq, value)
		}
	}
	if err := it.Error(); err != nil {
		if !damaged(err) {
			return c.e.trouble(err)
		}
		// An index row that cannot be read is not worth a delivery: the rows
		// themselves are read from the start again.
		s.reread(c.e, q, err)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine != c.e {
		return nil
	}
	q.from, q.nextDue = next, next.due
	if q.inserted.before(next) {
		q.from, q.nextDue = q.inserted, q.inserted.due
	}
	if next == nowhere && q.inserted == nowhere {
		q.from = place{math.MaxInt64, math.MaxUint64}
	}
	return nil
}

func (s *Store) isReady(q *queue, seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range q.ready {
		if other == seq {
			return true
		}
	}
	return false
}
