package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// mostEntries of one group: an event's id is the group's number and the event's
// place in it, which has 16 bits.
const mostEntries = 1 << 16

// row is an entry as it is stored. It shares nothing with the caller.
type row struct {
	data     []byte
	bytes    int32 // of the event's own data
	hash     []byte
	window   time.Duration
	beside   bool
	replaces int64
	owed     []owedRow
	dead     []deadRow
}

type owedRow struct {
	n         int16
	queue     int32
	hold      bool
	lane, key []byte
}

type deadRow struct {
	queue                       int32
	lane, key                   []byte
	reason, problem             string
	status, attempts            int32
	first, last, accepted, died *time.Time
}

// put is one call of Put on its way to a writer.
type put struct {
	rows  []row
	bytes int
	stamp int64
	done  chan *placed // of one; receives once
	state atomic.Int32
}

// The states of a put: either side may end it, and the other one sees that.
const (
	underway int32 = iota
	answered
	abandoned
)

// placed is where a put's entries are now.
type placed struct {
	err        error
	base       int64 // the id of its first event
	node       int64 // 0 where the node has lost its lease
	accepted   time.Time
	duplicates []bool
	unheld     map[place]bool
}

// place is a delivery's, in its put.
type place struct {
	entry int
	n     int16
}

// Put implements [outbox.Store].
func (s *Store) Put(ctx context.Context, entries ...*outbox.Entry) error {
	for _, e := range entries {
		e.Duplicate = false
		for _, o := range e.Owed {
			o.Held = nil
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	problem, down := s.health.check()
	if problem != nil {
		return problem
	}
	rows, err := s.rowsOf(ctx, entries)
	if err != nil {
		return err
	}
	p := &put{rows: rows, stamp: s.stamp.Add(1), done: make(chan *placed, 1)}
	for i := range rows {
		p.bytes += len(rows[i].data)
	}
	select {
	case s.puts <- p:
	case <-ctx.Done():
		return fmt.Errorf("nothing was stored: %w", context.Cause(ctx))
	case <-down:
		if problem, _ = s.health.check(); problem == nil {
			problem = &outbox.UnavailableError{Problem: "the database was away"}
		}
		return problem
	}
	var at *placed
	select {
	case at = <-p.done:
	case <-ctx.Done():
		if p.state.CompareAndSwap(underway, abandoned) {
			return fmt.Errorf("the database has not answered: %w", context.Cause(ctx))
		}
		at = <-p.done
	}
	if at.err != nil {
		return at.err
	}
	s.hand(entries, p, at)
	return nil
}

// hand fills in what the caller holds now.
func (s *Store) hand(entries []*outbox.Entry, p *put, at *placed) {
	for i, e := range entries {
		if e.Duplicate = at.duplicates[i]; e.Duplicate {
			continue
		}
		sole := len(p.rows[i].owed) == 1
		for _, o := range p.rows[i].owed {
			if !o.hold || at.node == 0 || at.unheld[place{i, o.n}] {
				continue
			}
			owed := e.Owed[o.n]
			id := at.base + int64(i)
			owed.Held = &outbox.Delivery{ID: deliveryID(id, o.n), Queue: owed.Queue, Key: owed.Key, Event: e.Event, Accepted: at.accepted,
				Handle: &handle{node: at.node, stamp: p.stamp, event: id, n: o.n, queue: o.queue, lane: o.lane, sole: sole}}
		}
	}
}

// rowsOf encodes entries, in the caller's goroutine.
func (s *Store) rowsOf(ctx context.Context, entries []*outbox.Entry) ([]row, error) {
	if len(entries) > mostEntries {
		return nil, fmt.Errorf("%d events are too many for one step: at most %d", len(entries), mostEntries)
	}
	rows := make([]row, len(entries))
	for i, e := range entries {
		r := &rows[i]
		r.data, r.bytes = outbox.AppendEvent(nil, e.Event), int32(len(e.Event.Data))
		if e.Dedupe > 0 && !e.Beside {
			r.hash, r.window = hashOf(e.Event.Source, e.Event.ID), e.Dedupe
		}
		r.beside = e.Beside && i > 0
		if e.Replaces != "" {
			if at, ok := parseDeadID(e.Replaces); ok {
				r.replaces = at.id
			}
		}
		if len(e.Owed) > 1<<15 {
			return nil, errors.New("an event is owed to more than 32768 destinations")
		}
		for n, o := range e.Owed {
			queue, err := s.queueID(ctx, o.Queue)
			if err != nil {
				return nil, err
			}
			owed := owedRow{n: int16(n), queue: queue, hold: o.Hold}
			if o.Key != "" {
				owed.lane, owed.key = hashOf(o.Key), []byte(o.Key)
			}
			if o.Dead == nil {
				r.owed = append(r.owed, owed)
				continue
			}
			r.dead = append(r.dead, deadOf(o.Dead, &owed))
		}
	}
	return rows, nil
}

func deadOf(d *keg.DeadLetter, o *owedRow) deadRow {
	return deadRow{queue: o.queue, lane: o.lane, key: o.key, reason: text(string(d.Reason)), problem: text(d.Error),
		status: int32(d.Status), attempts: int32(d.Attempts),
		first: moment(d.First), last: moment(d.Last), accepted: moment(d.Accepted), died: moment(d.Died)}
}

// moment is NULL where t is zero.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// zeroOr is moment's way back.
func zeroOr(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// held reports whether all that p asked to hold is held.
func (p *put) held(at *placed) bool {
	for i := range p.rows {
		if at.duplicates[i] {
			continue
		}
		if slices.ContainsFunc(p.rows[i].owed, func(o owedRow) bool { return !o.hold || at.node == 0 || at.unheld[place{i, o.n}] }) {
			return false
		}
	}
	return true
}
