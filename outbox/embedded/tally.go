package embedded

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// tally gathers what a batch changes of the counts, so that they are written
// with it and become true with it.
type tally struct {
	s      *Store
	queues map[*queue]*change
	dead   map[keg.Reason]int64
}

type change struct{ waiting, timed int64 }

func (s *Store) tally() *tally { return &tally{s: s, queues: map[*queue]*change{}} }

func (t *tally) of(q *queue) *change {
	c := t.queues[q]
	if c == nil {
		c = &change{}
		t.queues[q] = c
	}
	return c
}

func (t *tally) died(reason keg.Reason, n int64) {
	if t.dead == nil {
		t.dead = map[keg.Reason]int64{}
	}
	t.dead[reason] += n
}

// write adds the rows of the new counts to a batch.
func (t *tally) write(batch *pebble.Batch) error {
	var key, value []byte
	for q, c := range t.queues {
		key = queueKey(key[:0], rowCount, q.id)
		value = binary.AppendVarint(value[:0], max(q.waiting+c.waiting, 0))
		value = binary.AppendVarint(value, max(q.timed+c.timed, 0))
		if err := batch.Set(key, value, nil); err != nil {
			return err
		}
	}
	for reason, n := range t.dead {
		value = binary.AppendVarint(value[:0], max(t.s.dead[reason]+n, 0))
		if err := batch.Set(reasonKey(key[:0], string(reason)), value, nil); err != nil {
			return err
		}
	}
	return nil
}

// take makes the counts true in memory, once the batch is written.
func (t *tally) take() {
	for q, c := range t.queues {
		q.waiting, q.timed = max(q.waiting+c.waiting, 0), max(q.timed+c.timed, 0)
	}
	for reason, n := range t.dead {
		t.s.dead[reason] = max(t.s.dead[reason]+n, 0)
	}
}

// queue finds a queue, or names a new one, for good once the batch is written:
// the row is written again with every batch until then, which only the first
// needs.
func (s *Store) queue(batch *pebble.Batch, name outbox.Queue) (*queue, error) {
	if q := s.queues[name]; q != nil {
		return q, nil
	}
	s.lastQueue++
	q := &queue{id: s.lastQueue, name: name}
	q.rewind(s.seq)
	s.queues[name] = q
	return q, batch.Set(queueKey(nil, rowQueue, q.id), appendQueue(nil, name), nil)
}

// reservation is how many sequences are taken at once.
const reservation = 1 << 20

// take gives the next sequence. Those that were reserved and not given when the
// process ends are never given: a sequence is one delivery's for ever.
func (s *Store) take(batch *pebble.Batch) (uint64, error) {
	s.seq++
	if s.seq <= s.reserved {
		return s.seq, nil
	}
	s.reserved = s.seq + reservation
	return s.seq, batch.Set([]byte{rowSequence}, binary.BigEndian.AppendUint64(nil, s.reserved), nil)
}
