package embedded

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// writer adds entries to a batch, under the store's mutex.
type writer struct {
	s     *Store
	batch *pebble.Batch
	tally *tally
	group *group // nil outside a Put
	now   int64
	marks map[digest]bool // of this batch
	key   []byte
	value []byte
}

// entry adds one entry. r is nil outside a Put, where nothing is held.
func (w *writer) entry(r *request, e *outbox.Entry, event []byte) error {
	duplicate := e.Beside && r != nil && len(r.duplicate) > 0 && r.duplicate[len(r.duplicate)-1]
	if e.Dedupe > 0 && !e.Beside {
		var err error
		if duplicate, err = w.mark(e); err != nil {
			return err
		}
	}
	if r != nil {
		r.duplicate = append(r.duplicate, duplicate)
	}
	if duplicate {
		if r != nil {
			r.owed = append(r.owed, make([]*outbox.Delivery, len(e.Owed))...)
		}
		return nil
	}
	if e.Replaces != "" {
		if err := w.replace(e.Replaces); err != nil {
			return err
		}
	}
	alive := 0
	for _, o := range e.Owed {
		if o.Dead == nil {
			alive++
		}
	}
	shared := uint64(0)
	for _, o := range e.Owed {
		var d *outbox.Delivery
		var err error
		if o.Dead != nil {
			err = w.deadOnArrival(o, event)
		} else {
			d, err = w.owed(r, e, o, event, alive, &shared)
		}
		if err != nil {
			return err
		}
		if r != nil {
			r.owed = append(r.owed, d)
		}
	}
	return nil
}

// owed adds a delivery. The first of several adds their event's row, too.
func (w *writer) owed(r *request, e *outbox.Entry, o *outbox.Owed, event []byte, alive int, shared *uint64) (*outbox.Delivery, error) {
	s := w.s
	q, err := s.queue(w.batch, o.Queue)
	if err != nil {
		return nil, err
	}
	seq, err := s.take(w.batch)
	if err != nil {
		return nil, err
	}
	rec := record{accepted: w.now, key: o.Key}
	if alive == 1 {
		rec.flags, rec.inline = flagInline, event
	} else {
		rec.flags = flagShared
		if *shared == 0 {
			*shared = seq
			if err := w.event(seq, event, alive); err != nil {
				return nil, err
			}
		}
		rec.event = *shared
	}
	var key digest
	if o.Key != "" {
		rec.flags |= flagKeyed
		key = digestOf(o.Key)
	}
	hold := r != nil && o.Hold && q.idle(w.now)
	if rec.flags&flagKeyed != 0 && hold {
		hold = s.headless(q, key)
		// Within this batch the key's line is not on disk yet, but whatever is in
		// it is busy, or was not held and has made the queue wait.
	}
	w.key = deliveryKey(w.key[:0], q.id, seq)
	if err := w.row(w.key, &rec); err != nil {
		return nil, err
	}
	if rec.flags&flagKeyed != 0 {
		w.key = lineKey(w.key[:0], q.id, key, seq)
		if err := w.batch.Set(w.key, nil, nil); err != nil {
			return nil, err
		}
	}
	w.tally.of(q).waiting++
	if !hold {
		q.unheld, s.fresh = seq, true
		return nil, nil
	}
	q.next = seq + 1
	rec.inline = nil
	h := &held{seq: seq, q: q, record: rec, key: key}
	h.delivery = rec.delivery(deliveryID(seq), q.name, e.Event)
	h.delivery.Handle = h
	s.hold(h)
	r.held = append(r.held, h)
	return h.delivery, nil
}

// row sets a delivery's row without building it elsewhere first.
func (w *writer) row(key []byte, rec *record) error {
	inline := rec.inline
	rec.inline = nil
	w.value = rec.append(w.value[:0])
	op := w.batch.SetDeferred(len(key), len(w.value)+len(inline))
	copy(op.Key, key)
	copy(op.Value[copy(op.Value, w.value):], inline)
	rec.inline = inline
	return op.Finish()
}

// event adds an event's row, with how many deliveries share it.
func (w *writer) event(seq uint64, event []byte, count int) error {
	if err := w.batch.Set(sequenceKey(nil, rowEvent, seq), event, nil); err != nil || count < 2 {
		return err
	}
	return w.batch.Set(sequenceKey(nil, rowRefs, seq), binary.AppendUvarint(nil, uint64(count)), nil)
}

func (w *writer) deadOnArrival(o *outbox.Owed, event []byte) error {
	letter := *o.Dead
	now := fromNanos(w.now)
	if letter.Died.IsZero() {
		letter.Died = now
	}
	if letter.Accepted.IsZero() {
		letter.Accepted = now
	}
	return w.dead(o.Queue, o.Key, &letter, event)
}

// dead adds a dead letter.
func (w *writer) dead(q outbox.Queue, key string, letter *keg.DeadLetter, event []byte) error {
	seq, err := w.s.take(w.batch)
	if err != nil {
		return err
	}
	w.key = deadKey(w.key[:0], nanos(letter.Died), seq)
	w.value = appendDead(w.value[:0], q, key, letter, event)
	w.tally.died(letter.Reason, 1)
	return w.batch.Set(w.key, w.value, nil)
}

// replace removes the dead letter that an entry stands for from now on.
func (w *writer) replace(id string) error {
	key, ok := parseDeadID(id)
	if !ok {
		return nil
	}
	value, err := w.s.engine.get(key)
	if err != nil || value == nil {
		return w.s.noteUnreadable("a dead letter", err)
	}
	d, err := parseDead(value)
	if err != nil {
		return w.s.noteUnreadable("a dead letter", err)
	}
	w.tally.died(d.letter.Reason, -1)
	if w.group != nil {
		w.group.restores = append(w.group.restores, row{key, value})
	}
	return w.batch.Delete(key, nil)
}

func deliveryID(seq uint64) string { return strconv.FormatUint(seq, 10) }

// mark reports whether the entry's event was stored within its window, and
// notes that it is stored now.
func (w *writer) mark(e *outbox.Entry) (duplicate bool, err error) {
	d := digestOf(e.Event.Source, e.Event.ID)
	if w.marks[d] {
		return true, nil
	}
	w.key = markKey(w.key[:0], d)
	value, err := w.s.engine.get(w.key)
	if err != nil {
		w.s.noteUnreadable("a dedupe mark", err) // the event is rather kept twice than not at all
	}
	if len(value) == 8 && int64(binary.BigEndian.Uint64(value)) > w.now {
		return true, nil
	}
	if w.marks == nil {
		w.marks = map[digest]bool{}
	}
	w.marks[d] = true
	window := int64(min(e.Dedupe, 100*365*24*time.Hour))
	expiry := w.now + window
	if err := w.batch.Set(w.key, binary.BigEndian.AppendUint64(nil, uint64(expiry)), nil); err != nil {
		return false, err
	}
	return false, w.batch.Set(expiryKey(nil, expiry, d), nil, nil)
}

// headless reports whether nothing of the key is in line.
func (s *Store) headless(q *queue, key digest) bool {
	if q.busy[key] != nil {
		return false
	}
	if q.timed == 0 {
		return true
	}
	seq, err := s.engine.head(q.id, key, 0)
	return seq == 0 && err == nil
}

// get reads one row; nil where there is none. The caller owns the value.
func (e *engine) get(key []byte) ([]byte, error) {
	value, closer, err := e.db.Get(key)
	if err == pebble.ErrNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append(make([]byte, 0, len(value)), value...), nil
}

// head is the first of a key's line from a sequence on; 0 where there is none.
func (e *engine) head(queue uint32, key digest, from uint64) (uint64, error) {
	lower := lineKey(nil, queue, key, from)
	upper := append(lineKey(nil, queue, key, 1<<64-1), 0)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.First() {
		return 0, it.Error()
	}
	return binary.BigEndian.Uint64(it.Key()[len(lower)-8:]), nil
}
