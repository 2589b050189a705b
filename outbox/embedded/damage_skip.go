package embedded

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// skip moves a queue's position over deliveries that lie in an unreadable part
// of a file, from one sequence on, and cuts them out of the store, so that
// nothing meets that part again.
func (s *Store) skip(e *engine, q *queue, from, last uint64, problem error) error {
	readable := func(seq uint64) bool {
		it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: deliveryKey(nil, q.id, seq), UpperBound: queueKey(nil, rowDelivery, q.id+1)})
		if err != nil {
			return false
		}
		defer it.Close()
		if it.First() {
			_, err = it.ValueAndErr()
		}
		return err == nil && it.Error() == nil
	}
	// The first step that can be read again, then the smallest.
	step, low := uint64(1), from
	for from+step <= last && !readable(from+step) {
		low = from + step
		step *= 2
	}
	high := min(from+step, last+1)
	for low+1 < high {
		if middle := low + (high-low)/2; readable(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	s.cuts.Add(1)
	s.log.Error("a part of the event store cannot be read; its deliveries are set aside", "route", q.name.Route, "destination", q.name.Destination,
		"from", deliveryID(from), "to", deliveryID(high-1), "problem", line(problem.Error()))
	s.keepDamaged(e)
	s.cutOut(e, deliveryKey(nil, q.id, from), deliveryKey(nil, q.id, high))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == e {
		s.recount(e, q, from, high)
		q.next = max(q.next, high)
		s.signal()
	}
	return nil
}

// recount counts a queue's deliveries, and takes those of a span that was cut
// out from the lines behind their keys. It reads the queue whole: damage is rare,
// and a key that waits for what is gone would wait for ever.
func (s *Store) recount(e *engine, q *queue, from, to uint64) {
	batch := e.db.NewBatch()
	t := s.tally()
	waiting := int64(0)
	for _, kind := range []byte{rowDelivery, rowKey} {
		it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: queueKey(nil, kind, q.id), UpperBound: queueKey(nil, kind, q.id+1)})
		if err != nil {
			return
		}
		for ok := it.First(); ok; ok = it.Next() {
			key := it.Key()
			seq := binary.BigEndian.Uint64(key[len(key)-8:])
			if kind == rowDelivery {
				waiting++
			} else if seq >= from && seq < to {
				_ = batch.Delete(append([]byte(nil), key...), nil)
			}
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			return // there is more damage, which will be met and counted
		}
	}
	t.of(q).waiting = waiting - q.waiting
	if err := t.write(batch); err == nil && e.apply(batch, false) == nil {
		t.take()
	}
}

// cutOut removes a span, from the files themselves where Pebble can.
func (s *Store) cutOut(e *engine, lower, upper []byte) {
	err := e.db.Excise(context.Background(), pebble.KeyRange{Start: lower, End: upper})
	if err == nil {
		return
	}
	s.log.Warn("an unreadable part of the event store could not be cut out, and stays", "problem", line(err.Error()))
}

// reread makes a queue's index by time anew from its deliveries, after a part of
// the index was found unreadable.
func (s *Store) reread(e *engine, q *queue, problem error) {
	s.cuts.Add(1)
	s.log.Error("an index of the event store cannot be read, and is made anew", "route", q.name.Route, "destination", q.name.Destination,
		"problem", line(problem.Error()))
	s.keepDamaged(e)
	s.cutOut(e, queueKey(nil, rowTime, q.id), queueKey(nil, rowTime, q.id+1))
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: queueKey(nil, rowDelivery, q.id), UpperBound: queueKey(nil, rowDelivery, q.id+1)})
	if err != nil {
		return
	}
	defer it.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine != e {
		return
	}
	batch := e.db.NewBatch()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			break
		}
		if r, err := parseRecord(value); err == nil && r.flags&flagRewritten != 0 {
			if err := batch.Set(timeKey(nil, q.id, r.due, sequenceOf(it.Key())), nil, nil); err != nil {
				break
			}
		}
	}
	if !batch.Empty() {
		if err := e.apply(batch, false); err != nil {
			return
		}
	}
	q.from, q.nextDue = place{-1 << 63, 0}, -1<<63
	s.signal()
}
