package hub

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kong/keg"
)

// batchWidth is how many events of one call are worked on at once.
const batchWidth = 64

// Publish is a [keg.Handler]. Under [keg.AckDelivered] it blocks until every
// owed destination has every event, has refused it, or the port's timeout or
// ctx ends: no delivery outlives the call. Under [keg.AckNone] it blocks for
// nothing, and ctx does not matter. Events of one call have no order.
func (p *Port) Publish(ctx context.Context, events ...*keg.Event) keg.Receipts {
	receipts := make(keg.Receipts, len(events))
	if p.ack != keg.AckNone {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	if len(events) == 1 {
		p.publish(ctx, events[0], &receipts[0])
	} else {
		p.publishAll(ctx, events, receipts)
	}
	return receipts
}

// publishAll fills in the receipt of each event, some events at a time.
func (p *Port) publishAll(ctx context.Context, events []*keg.Event, receipts keg.Receipts) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(batchWidth, len(events)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(events)); i = next.Add(1) - 1 {
				p.publish(ctx, events[i], &receipts[i])
			}
		})
	}
	workers.Wait()
}

// publish fills in the receipt of one event.
func (p *Port) publish(ctx context.Context, e *keg.Event, r *keg.Receipt) {
	start := time.Now()
	p.hub.stats.events.Add(1)
	r.ID, r.Ack = e.ID, p.ack
	w := p.enter()
	if w == nil {
		r.Err = &keg.BusyError{Problem: "KEG is closing this entry", After: busyAfter}
		p.hub.observe(Trace{Event: p.forward.strip(e), Receipt: *r, Entry: p.name})
		return
	}
	e, outlets := p.admit(w, e, r)
	if p.ack == keg.AckNone && r.Err == nil && len(outlets) > 0 {
		go p.deliverDetached(e, w, outlets, *r, start)
		return
	}
	defer p.leave(w)
	// A third promise, stored, is kept here: what is owed to outlets is written
	// down instead of being delivered, and delivered from there.
	if r.Err == nil {
		r.Deliveries = p.deliver(ctx, e, outlets)
		r.Err = failure(r.Deliveries)
	}
	p.hub.observe(Trace{Event: e, Receipt: *r, Entry: p.name, Took: time.Since(start)})
}

// admit routes e, notes in r which routes take it, and takes room for its
// deliveries. It returns the event as it travels on. A panic on the way, of a
// route's condition say, is that event's error and nobody else's.
func (p *Port) admit(w *wiring, e *keg.Event, r *keg.Receipt) (stripped *keg.Event, outlets []*outlet) {
	defer func() {
		if fault := recover(); fault != nil {
			caught := caught(fault)
			p.hub.panicked("routing", e.ID, caught)
			stripped, r.Err = p.forward.strip(e), caught
		}
	}()
	r.Routes, outlets = w.owed(e)
	stripped = p.forward.strip(e)
	if len(r.Routes) == 0 {
		p.hub.stats.unmatched.Add(1)
		if w.reject {
			r.Err = &keg.UnroutedError{}
			return stripped, nil
		}
	}
	if r.Err = p.hub.admission.admit(outlets, weight(stripped)); r.Err != nil {
		p.hub.stats.refused.Add(1)
	}
	return stripped, outlets
}

// deliverDetached delivers what nobody waits for, within the port's timeout.
func (p *Port) deliverDetached(e *keg.Event, w *wiring, outlets []*outlet, r keg.Receipt, start time.Time) {
	defer p.leave(w)
	ctx, cancel := context.WithTimeout(p.background, p.timeout)
	defer cancel()
	r.Deliveries = p.deliver(ctx, e, outlets)
	for _, d := range r.Deliveries {
		if d.Err != nil && !d.DeadLettered {
			p.hub.losses.lost(e, d, p.hub.stats.lost.Add(1))
		}
	}
	p.hub.observe(Trace{Event: e, Receipt: r, Entry: p.name, Took: time.Since(start)})
}
