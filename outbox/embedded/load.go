package embedded

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kong/keg"
)

// load reads what is known without the backlog, takes back what was never
// acknowledged, and makes both durable. It is called with the mutex.
func (s *Store) load(e *engine, again bool) error {
	for _, q := range s.queues {
		q.waiting, q.timed = 0, 0
	}
	byID := map[uint32]*queue{}
	s.dead = map[keg.Reason]int64{}
	for _, q := range s.queues {
		byID[q.id] = q
	}
	err := e.each([]byte{rowQueue}, func(key, value []byte) error {
		in := reader{b: value}
		name, id := in.queue(), binary.BigEndian.Uint32(key[1:])
		if in.err != nil || byID[id] != nil {
			return in.err
		}
		byID[id] = &queue{id: id, name: name}
		s.queues[name] = byID[id]
		s.lastQueue = max(s.lastQueue, id)
		return nil
	})
	if err == nil {
		err = e.each([]byte{rowCount}, func(key, value []byte) error {
			in := reader{b: value}
			if q := byID[binary.BigEndian.Uint32(key[1:])]; q != nil {
				q.waiting, q.timed = in.varint(), in.varint()
			}
			return in.err
		})
	}
	if err == nil {
		err = e.each([]byte{rowDeadSum}, func(key, value []byte) error {
			in := reader{b: value}
			s.dead[keg.Reason(key[1:])] = in.varint()
			return in.err
		})
	}
	if err != nil {
		return err
	}
	value, err := e.get([]byte{rowSequence})
	if err != nil {
		return err
	}
	if len(value) == 8 {
		s.seq = max(s.seq, binary.BigEndian.Uint64(value))
	}
	if err := s.settleIn(e, byID); err != nil {
		return err
	}
	for _, q := range s.queues {
		q.rewind(s.seq)
		if again {
			q.verify = s.seq
		}
	}
	return s.refresh(e)
}

// settleIn writes the first batch of an engine: what it may not know of, and
// what it must forget.
func (s *Store) settleIn(e *engine, byID map[uint32]*queue) error {
	batch := e.db.NewBatch()
	t := s.tally()
	for name, q := range s.queues {
		if err := batch.Set(queueKey(nil, rowQueue, q.id), appendQueue(nil, name), nil); err != nil {
			return err
		}
	}
	s.reserved = s.seq + reservation
	if err := batch.Set([]byte{rowSequence}, binary.BigEndian.AppendUint64(nil, s.reserved), nil); err != nil {
		return err
	}
	for _, g := range s.undo {
		if err := g.takeBack(e, batch, t, byID); err != nil {
			return err
		}
	}
	if err := t.write(batch); err != nil {
		return err
	}
	if err := e.apply(batch, true); err != nil {
		return err
	}
	if err := batch.SyncWait(); err != nil {
		e.fence.fail(err)
		return err
	}
	if err := e.fence.may(); err != nil {
		return err
	}
	t.take()
	s.undo = nil
	return batch.Close()
}

// takeBack removes the rows of a group that was not acknowledged, if they are
// there, and puts back what it had deleted.
func (g *group) takeBack(e *engine, batch *pebble.Batch, t *tally, byID map[uint32]*queue) error {
	var written pebble.Batch
	if err := written.SetRepr(g.repr); err != nil {
		return err
	}
	for in := written.Reader(); ; {
		kind, key, _, ok, err := in.Next()
		if err != nil || !ok {
			break
		}
		if kind != pebble.InternalKeyKindSet {
			continue
		}
		switch key[0] {
		case rowCount, rowDeadSum, rowQueue, rowSequence:
			continue
		}
		value, err := e.get(key)
		if err != nil {
			return err
		}
		if value == nil {
			continue
		}
		switch key[0] {
		case rowDelivery:
			if q := byID[binary.BigEndian.Uint32(key[1:])]; q != nil {
				t.of(q).waiting--
			}
		case rowDead:
			if d, err := parseDead(value); err == nil {
				t.died(d.letter.Reason, -1)
			}
		}
		if err := batch.Delete(append([]byte(nil), key...), nil); err != nil {
			return err
		}
	}
	for _, r := range g.restores {
		value, err := e.get(r.key)
		if err != nil || value != nil {
			continue
		}
		if d, err := parseDead(r.value); err == nil {
			t.died(d.letter.Reason, 1)
		}
		if err := batch.Set(r.key, r.value, nil); err != nil {
			return err
		}
	}
	return nil
}

// refresh looks up what is held: its rows may be as they were before the last
// writes, or gone with them.
func (s *Store) refresh(e *engine) error {
	for _, h := range s.held {
		value, err := e.get(deliveryKey(nil, h.q.id, h.seq))
		if err != nil {
			return err
		}
		if h.lost = value == nil; h.lost {
			continue
		}
		r, err := parseRecord(value)
		if err != nil {
			return err
		}
		r.inline = nil
		h.record = r
		if r.flags&flagKeyed != 0 {
			h.q.busy[h.key] = &inLine{head: h.seq, behind: true}
		}
	}
	return nil
}

// each reads all rows of a kind, of which there are few.
func (e *engine) each(prefix []byte, row func(key, value []byte) error) error {
	upper := []byte{prefix[0] + 1}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upper})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = row(it.Key(), value)
		}
		if err != nil {
			return err
		}
	}
	return it.Error()
}
