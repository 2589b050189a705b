package embedded

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// settling is one settlement on its way into a batch.
type settling struct {
	*outbox.Settlement
	h     *held
	event []byte // encoded, where it needs a row of its own
	then  []byte
	after record // what the row says then, for those that wait for a time
	timed bool   // it gets a row by time
}

// Settle ends holds, in one batch, which is not synced; see [outbox.Store].
// What is not held (any more) it passes over.
func (s *Store) Settle(ctx context.Context, settlements ...*outbox.Settlement) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	all := make([]settling, 0, len(settlements))
	for _, one := range settlements {
		if h, ok := one.Delivery.Handle.(*held); ok {
			all = append(all, prepare(one, h))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == nil {
		return s.why()
	}
	batch := s.engine.db.NewBatch()
	w := &settler{writer: writer{s: s, batch: batch, tally: s.tally(), now: time.Now().UnixNano()}}
	valid := all[:0]
	var err error
	for _, one := range all {
		if s.held[one.h.seq] != one.h || one.h.settling {
			continue
		}
		one.h.settling = true
		valid = append(valid, one)
		if err == nil {
			err = w.settle(&valid[len(valid)-1])
		}
	}
	for _, one := range valid {
		one.h.settling = false
	}
	if err == nil {
		err = w.finish()
	}
	if err == nil && !batch.Empty() {
		err = s.engine.apply(batch, false)
	}
	if err != nil {
		s.engine.fence.fail(err) // sequences and queues may be ahead of what is on disk
		return unavailable(err)
	}
	w.tally.take()
	_ = batch.Close()
	more := false
	for i := range valid {
		more = s.free(&valid[i]) || more
	}
	if more {
		s.signal()
	}
	s.tell()
	return nil
}

// prepare encodes what a settlement needs, without the mutex.
func prepare(one *outbox.Settlement, h *held) settling {
	p := settling{Settlement: one, h: h}
	switch one.Outcome {
	case outbox.Dead:
		p.event = outbox.AppendEvent(nil, one.Delivery.Event)
		if one.Then != nil {
			p.then = outbox.AppendEvent(nil, one.Then.Event)
		}
	case outbox.Again, outbox.Return:
		p.timed = one.Outcome == outbox.Again || !h.record.tells(one.Delivery)
		if !p.timed {
			break
		}
		p.after = h.record
		p.after.listen(one.Delivery)
		p.after.due = nanos(one.At)
		if one.Outcome == outbox.Return || one.At.IsZero() {
			p.after.due = time.Now().UnixNano()
		}
		p.after.flags |= flagRewritten
		if h.record.flags&flagInline != 0 { // from now on the event is not written again
			p.event = outbox.AppendEvent(nil, one.Delivery.Event)
			p.after.flags &^= flagInline
			p.after.event = h.seq
		}
	}
	return p
}

// settler adds settlements to a batch.
type settler struct {
	writer
	refs map[uint64]int64 // of shared events, as this batch leaves them
}

func (w *settler) settle(p *settling) error {
	if p.h.lost {
		return nil
	}
	switch p.Outcome {
	case outbox.Dead:
		if err := w.die(p); err != nil {
			return err
		}
		return w.remove(p.h)
	case outbox.Done:
		return w.remove(p.h)
	}
	if !p.timed {
		return nil
	}
	h := p.h
	if p.event != nil {
		if err := w.event(h.seq, p.event, 1); err != nil {
			return err
		}
	}
	if h.record.flags&flagRewritten == 0 || h.record.due != p.after.due {
		if err := w.forgetTime(h); err != nil {
			return err
		}
		w.key = timeKey(w.key[:0], h.q.id, p.after.due, h.seq)
		if err := w.batch.Set(w.key, nil, nil); err != nil {
			return err
		}
	}
	if h.record.flags&(flagKeyed|flagRewritten) == flagKeyed {
		w.tally.of(h.q).timed++
	}
	w.key = deliveryKey(w.key[:0], h.q.id, h.seq)
	return w.row(w.key, &p.after)
}

func (w *settler) forgetTime(h *held) error {
	if h.record.flags&flagRewritten == 0 {
		return nil
	}
	w.key = timeKey(w.key[:0], h.q.id, h.record.due, h.seq)
	return w.batch.Delete(w.key, nil)
}

// die adds the dead letter, and what is owed then.
func (w *settler) die(p *settling) error {
	d := p.Delivery
	err := w.dead(d.Queue, d.Key, &keg.DeadLetter{Reason: p.Reason, Error: d.LastError, Status: d.Status, Attempts: d.Attempts,
		First: d.First, Last: d.Last, Accepted: d.Accepted, Died: fromNanos(w.now)}, p.event)
	if err != nil || p.Then == nil {
		return err
	}
	return w.entry(nil, p.Then, p.then)
}

// remove takes a delivery's rows away, and its event's with the last delivery.
// A row that was written once is removed by a single delete, which vanishes as
// soon as the two meet.
func (w *settler) remove(h *held) error {
	w.tally.of(h.q).waiting--
	w.key = deliveryKey(w.key[:0], h.q.id, h.seq)
	remove := w.batch.SingleDelete
	if h.record.flags&flagRewritten != 0 {
		remove = w.batch.Delete
		if h.record.flags&flagKeyed != 0 {
			w.tally.of(h.q).timed--
		}
	}
	if err := remove(w.key, nil); err != nil {
		return err
	}
	if err := w.forgetTime(h); err != nil {
		return err
	}
	if h.record.flags&flagKeyed != 0 {
		w.key = lineKey(w.key[:0], h.q.id, h.key, h.seq)
		if err := w.batch.SingleDelete(w.key, nil); err != nil {
			return err
		}
	}
	if h.record.flags&flagInline != 0 {
		return nil
	}
	return w.unshare(&h.record)
}

// unshare counts one delivery of an event less.
func (w *settler) unshare(r *record) error {
	left := int64(0)
	if r.flags&flagShared != 0 {
		count, known := w.refs[r.event]
		if !known {
			value, err := w.s.engine.get(sequenceKey(nil, rowRefs, r.event))
			if err != nil {
				return w.s.noteUnreadable("the count of an event's deliveries", err) // the event stays for ever
			}
			in := reader{b: value}
			count = int64(in.uvarint())
		}
		left = max(count-1, 0)
		if w.refs == nil {
			w.refs = map[uint64]int64{}
		}
		w.refs[r.event] = left
	}
	if left > 0 {
		w.key = sequenceKey(w.key[:0], rowRefs, r.event)
		return w.batch.Set(w.key, binary.AppendUvarint(nil, uint64(left)), nil)
	}
	if r.flags&flagShared != 0 {
		if err := w.batch.Delete(sequenceKey(nil, rowRefs, r.event), nil); err != nil {
			return err
		}
	}
	return w.batch.Delete(sequenceKey(nil, rowEvent, r.event), nil)
}

func (w *settler) finish() error { return w.tally.write(w.batch) }

// free ends a hold in memory, when the batch is written, and reports whether there
// may be more to claim for it.
func (s *Store) free(p *settling) bool {
	h, q := p.h, p.h.q
	if p.Outcome == outbox.Return && !p.timed && !h.lost {
		s.release(h)
		return true
	}
	delete(s.held, h.seq)
	keyed := h.record.flags&flagKeyed != 0
	switch {
	case h.lost:
	case p.timed:
		q.wait(place{p.after.due, h.seq})
		if keyed {
			delete(q.busy, h.key)
		}
		return true
	}
	if !keyed {
		return false
	}
	l := q.busy[h.key]
	if l == nil || l.head != h.seq {
		return false
	}
	if !l.behind {
		delete(q.busy, h.key)
		return false
	}
	next, err := s.engine.head(q.id, h.key, h.seq+1)
	if err != nil {
		_ = s.noteUnreadable("the line behind a key", err)
		next = 0
	}
	if next == 0 || next >= q.next { // the position will come to it
		delete(q.busy, h.key)
		return true
	}
	l.head = next
	q.offer(next)
	return true
}
