package hub

import (
	"context"
	"errors"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// Keeps reports whether the hub has a store, so that a port may promise
// [keg.AckStored].
func (h *Hub) Keeps() bool { return h.store != nil }

// store keeps the events of one call, all of those that can be or none, and
// fills in their receipts. What there is room for in memory is under way when it
// returns.
func (p *Port) store(ctx context.Context, w *wiring, events []*keg.Event, receipts keg.Receipts, start time.Time) {
	h := p.hub
	entries := make([]*outbox.Entry, 0, len(events))
	of := make([]int, 0, len(events)) // which event an entry is
	travelling := make([]*keg.Event, len(events))
	for i, e := range events {
		r := &receipts[i]
		h.stats.events.Add(1)
		r.ID, r.Ack = e.ID, keg.AckStored
		var legs []leg
		travelling[i], legs = p.route(w, e, r)
		if r.Err != nil {
			continue
		}
		entries = appendEntries(entries, travelling[i], legs, p.dedupe)
		for len(of) < len(entries) {
			of = append(of, i)
		}
	}
	if len(entries) > 0 {
		err := h.put(ctx, entries)
		for n, entry := range entries {
			receipts[of[n]].Err = err
			if err == nil && entry.Duplicate {
				receipts[of[n]].Duplicate = true
			}
		}
	}
	for i := range events {
		if _, busy := errors.AsType[*keg.BusyError](receipts[i].Err); busy {
			h.stats.refused.Add(1)
		}
		h.observe(Trace{Event: travelling[i], Receipt: receipts[i], Entry: p.name, Took: time.Since(start)})
	}
}

// parcel is an entry that owes one delivery, as most do, in one piece of memory.
type parcel struct {
	entry outbox.Entry
	owed  outbox.Owed
	list  [1]*outbox.Owed
}

func newParcel(e *keg.Event, l leg) *parcel {
	p := &parcel{owed: owedTo(e, l)}
	p.list[0] = &p.owed
	p.entry.Event, p.entry.Owed = l.of(e), p.list[:]
	return p
}

func owedTo(e *keg.Event, l leg) outbox.Owed {
	o := outbox.Owed{Queue: l.queue, Dead: l.dead}
	if l.ordered {
		o.Key = e.OrderKey()
	}
	return o
}

// appendEntries appends an event with what is owed of it, and beside it what else
// goes its own way: a story for a dead-letter destination.
func appendEntries(entries []*outbox.Entry, e *keg.Event, legs []leg, dedupe time.Duration) []*outbox.Entry {
	switch {
	case len(legs) == 0:
		return entries
	case len(legs) == 1 && legs[0].event == nil:
		p := newParcel(e, legs[0])
		p.entry.Dedupe = dedupe
		return append(entries, &p.entry)
	}
	entry := &outbox.Entry{Event: e, Dedupe: dedupe, Owed: make([]*outbox.Owed, 0, len(legs))}
	entries = append(entries, entry)
	for _, l := range legs {
		if l.event != nil {
			story := newParcel(e, l)
			story.entry.Beside = true
			entries = append(entries, &story.entry)
			continue
		}
		o := owedTo(e, l)
		entry.Owed = append(entry.Owed, &o)
	}
	return entries
}

// put stores entries and hands on what they owe. Its error is the sender's.
func (h *Hub) put(ctx context.Context, entries []*outbox.Entry) error {
	var few [4]outbox.Room
	rooms := few[:0]
	for _, entry := range entries {
		for _, o := range entry.Owed {
			if o.Dead != nil {
				continue
			}
			room, ok := h.dispatcher.Reserve(o.Queue, entry.Event)
			if o.Hold = ok; ok {
				rooms = append(rooms, room)
			}
		}
	}
	err := h.store.Put(ctx, entries...)
	for _, entry := range entries {
		for _, o := range entry.Owed {
			switch {
			case o.Hold && o.Held != nil:
				rooms[0].Hand(o.Held)
				rooms = rooms[1:]
			case o.Hold:
				rooms[0].Free()
				rooms = rooms[1:]
			case o.Dead != nil && err == nil && !entry.Duplicate:
				h.died(o.Dead.Reason)
			}
		}
	}
	return h.storeError(err)
}

// storeError is what a sender hears of a store's error; the log hears the cause.
func (h *Hub) storeError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	h.refusals.Do(func() { h.log.Error("events cannot be stored, and senders are told to come back", "error", err) })
	busy := &keg.BusyError{Problem: "events cannot be stored now", After: storeAfter}
	unavailable, ok := errors.AsType[*outbox.UnavailableError](err)
	if !ok {
		return busy
	}
	busy.Problem += ": " + unavailable.Problem
	return &unstoredError{busy, unavailable}
}

// unstoredError is what a sender hears, and, for whoever counts, why.
type unstoredError struct {
	*keg.BusyError
	cause *outbox.UnavailableError
}

func (e *unstoredError) Unwrap() []error { return []error{e.BusyError, e.cause} }

// storeAfter is what a sender is told to wait when the store takes nothing.
const storeAfter = 2 * time.Second
