package embedded

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kong/keg/outbox"
)

// claim is one Claim at work.
type claim struct {
	s        *Store
	e        *engine
	q        *queue
	n        int
	maxBytes int64
	got      []*outbox.Delivery
	bytes    int64
	now      int64
}

func (c *claim) full() bool { return len(c.got) >= c.n || c.bytes >= c.maxBytes && len(c.got) > 0 }

// Claim hands out deliveries of a queue: those that came back, then those whose
// time has come, then the ones from the position on; see [outbox.Store].
func (s *Store) Claim(ctx context.Context, name outbox.Queue, n int, maxBytes int64) ([]*outbox.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	q := s.queues[name]
	s.mu.Unlock()
	if q == nil {
		_, err := s.settled()
		return nil, err
	}
	q.claiming.Lock()
	defer q.claiming.Unlock()
	e, err := s.read()
	if err != nil {
		return nil, err
	}
	defer e.release()
	c := &claim{s: s, e: e, q: q, n: n, maxBytes: maxBytes, now: time.Now().UnixNano()}
	for _, part := range []func(context.Context) error{c.returned, c.timed, c.fresh} {
		if c.full() {
			break
		}
		if err := part(ctx); err != nil {
			if len(c.got) > 0 {
				break // the next Claim meets it again
			}
			return nil, err
		}
	}
	return c.got, nil
}

// settled returns the engine there is, or why there is none.
func (s *Store) settled() (*engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == nil {
		return nil, s.why()
	}
	return s.engine, nil
}

// returned takes what is in ready.
func (c *claim) returned(ctx context.Context) error {
	for !c.full() && ctx.Err() == nil {
		c.s.mu.Lock()
		if c.s.engine != c.e || len(c.q.ready) == 0 {
			c.s.mu.Unlock()
			break
		}
		seq := c.q.ready[0]
		c.q.ready = c.q.ready[1:]
		c.s.mu.Unlock()
		value, err := c.e.get(deliveryKey(nil, c.q.id, seq))
		if err == nil && value != nil {
			c.take(seq, value)
			continue
		}
		if err != nil && !damaged(err) {
			c.s.mu.Lock()
			if c.s.engine == c.e {
				c.q.offer(seq)
			}
			c.s.mu.Unlock()
			return c.e.trouble(err)
		}
		c.s.setAside(c.e, c.q, seq, "a delivery", err)
	}
	return ctx.Err()
}

// fresh takes deliveries from the queue's position on.
func (c *claim) fresh(ctx context.Context) error {
	s, q := c.s, c.q
	s.mu.Lock()
	known, next := s.known(), q.next
	nothing := next > min(known, q.unheld)
	s.mu.Unlock()
	if nothing {
		return nil
	}
	it, err := c.e.db.NewIter(&pebble.IterOptions{LowerBound: deliveryKey(nil, q.id, next), UpperBound: deliveryKey(nil, q.id, known+1)})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ; ok = it.Next() {
		if !ok {
			break
		}
		if c.full() || ctx.Err() != nil {
			return ctx.Err()
		}
		seq := binary.BigEndian.Uint64(it.Key()[5:])
		value, err := it.ValueAndErr()
		if err != nil {
			break
		}
		next = seq + 1
		if !c.passes(seq, value) {
			continue
		}
		c.take(seq, append(make([]byte, 0, len(value)), value...))
	}
	if err := it.Error(); err != nil {
		if !damaged(err) {
			return c.e.trouble(err)
		}
		return s.skip(c.e, q, next, known, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == c.e {
		q.next = max(q.next, known+1)
	}
	return nil
}

// passes moves the position over one delivery, and reports whether it may be
// taken.
func (c *claim) passes(seq uint64, value []byte) bool {
	s, q := c.s, c.q
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine != c.e || seq < q.next {
		return false
	}
	q.next = seq + 1
	if s.held[seq] != nil {
		return false
	}
	r, err := parseRecord(value)
	if err != nil {
		return true // take sets it aside
	}
	if r.flags&flagRewritten != 0 {
		return false // it waits for a time
	}
	if seq <= q.verify {
		if now, err := c.e.get(deliveryKey(nil, q.id, seq)); err != nil || now == nil {
			return false
		}
	}
	if r.flags&flagKeyed == 0 {
		return true
	}
	key := digestOf(r.key)
	if l := q.busy[key]; l != nil {
		l.behind = l.behind || l.head != seq
		return false
	}
	if q.timed > 0 {
		if head, err := c.e.head(q.id, key, 0); err != nil || head != seq {
			return false
		}
	}
	q.busy[key] = &inLine{head: seq}
	return true
}

// take hands a delivery out. The value is the caller's to give away.
func (c *claim) take(seq uint64, value []byte) {
	r, err := parseRecord(value)
	if err != nil {
		c.s.setAside(c.e, c.q, seq, "a delivery", err)
		return
	}
	event := r.inline
	if r.flags&flagInline == 0 {
		if event, err = c.e.get(sequenceKey(nil, rowEvent, r.event)); err == nil && event == nil {
			err = errRecord
		}
	}
	var parsed, problem = outbox.ParseEvent(event)
	if err == nil {
		err = problem
	}
	if err != nil {
		c.s.setAside(c.e, c.q, seq, "an event", err)
		return
	}
	r.inline = nil
	h := &held{seq: seq, q: c.q, record: r}
	if r.flags&flagKeyed != 0 {
		h.key = digestOf(r.key)
	}
	h.delivery = r.delivery(deliveryID(seq), c.q.name, parsed)
	h.delivery.Handle = h
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.engine != c.e {
		return // it is being opened again, and will be met again
	}
	c.s.hold(h)
	if l := c.q.busy[h.key]; l != nil && r.flags&flagRewritten != 0 && r.flags&flagKeyed != 0 {
		l.behind = true
	}
	c.got = append(c.got, h.delivery)
	c.bytes += int64(len(parsed.Data))
}
