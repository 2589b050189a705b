package hub

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kong/keg"
)

// maxHops is how often an event may come in to a KEG. Three or four in a row are
// a design; this many are a circle.
const maxHops = 16

// batchWidth is how many events of one call are worked on at once.
const batchWidth = 64

// Publish is a [keg.Handler]. Under [keg.AckDelivered] it blocks until every
// owed destination has every event, has refused it, or the port's timeout or
// ctx ends: no delivery outlives the call. Under [keg.AckStored] it blocks until
// the events are stored, all of them or none. Under [keg.AckNone] it blocks for
// nothing, and ctx does not matter. Events of one call keep their order on
// ordered routes, and have none on others.
func (p *Port) Publish(ctx context.Context, events ...*keg.Event) keg.Receipts {
	receipts := make(keg.Receipts, len(events))
	start := time.Now()
	if p.ack != keg.AckNone {
		limit := endingAt(ctx, start.Add(p.timeout))
		defer limit.end()
		ctx = limit
	}
	w := p.enter()
	if w == nil {
		p.shut(events, receipts)
		return receipts
	}
	defer p.leave(w)
	switch {
	case p.ack == keg.AckStored:
		p.store(ctx, w, events, receipts, start)
	case len(events) == 1:
		p.begin(w, events[0], &receipts[0], start).finish(ctx)
	case w.ordered:
		p.publishInOrder(ctx, w, events, receipts, start)
	default:
		atOnce(len(events), func(i int) { p.begin(w, events[i], &receipts[i], start).finish(ctx) })
	}
	return receipts
}

// publishInOrder takes the events' turns in their order, before the first waits
// for its own.
func (p *Port) publishInOrder(ctx context.Context, w *wiring, events []*keg.Event, receipts keg.Receipts, start time.Time) {
	passages := make([]passage, len(events))
	for i, e := range events {
		passages[i] = p.begin(w, e, &receipts[i], start)
	}
	atOnce(len(events), func(i int) { passages[i].finish(ctx) })
}

// atOnce does n things, batchWidth at a time, begun in their order.
func atOnce(n int, do func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(batchWidth, n) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	workers.Wait()
}

// shut answers for a port that takes nothing any more.
func (p *Port) shut(events []*keg.Event, receipts keg.Receipts) {
	for i, e := range events {
		p.hub.stats.events.Add(1)
		receipts[i] = keg.Receipt{ID: e.ID, Ack: p.ack, Err: &keg.BusyError{Problem: "KEG is closing this entry", After: busyAfter}}
		p.hub.observe(Trace{Event: p.forward.strip(e), Receipt: receipts[i], Entry: p.name})
	}
}

// passage is one event on its way through a port that keeps nothing.
type passage struct {
	port    *Port
	wiring  *wiring
	event   *keg.Event
	legs    []leg
	turns   []*turn // beside legs; nil where no route is ordered
	receipt *keg.Receipt
	start   time.Time
}

// begin routes one event, and takes its turns. It blocks for nothing.
func (p *Port) begin(w *wiring, e *keg.Event, r *keg.Receipt, start time.Time) passage {
	x := passage{port: p, wiring: w, receipt: r, start: start}
	p.hub.stats.events.Add(1)
	r.ID, r.Ack = e.ID, p.ack
	x.event, x.legs = p.admit(w, e, r)
	if w.ordered && r.Err == nil {
		x.turns = p.hub.turns.take(x.event, x.legs)
	}
	return x
}

// finish delivers, and fills in the receipt.
func (x passage) finish(ctx context.Context) {
	p, r := x.port, x.receipt
	if p.ack == keg.AckNone && r.Err == nil && len(x.legs) > 0 {
		p.inside.enterAgain()
		x.wiring.enterAgain()
		receipt := *r // the caller's own is its own
		x.receipt = &receipt
		go x.deliverDetached()
		return
	}
	if r.Err == nil {
		r.Deliveries = p.deliver(ctx, x.event, x.legs, x.turns)
		r.Err = failure(r.Deliveries)
	}
	p.hub.observe(Trace{Event: x.event, Receipt: *r, Entry: p.name, Took: time.Since(x.start)})
}

// admit routes e and takes room for its deliveries.
func (p *Port) admit(w *wiring, e *keg.Event, r *keg.Receipt) (stripped *keg.Event, legs []leg) {
	stripped, legs = p.route(w, e, r)
	if r.Err != nil {
		return stripped, nil
	}
	if r.Err = p.hub.admission.admit(legs, stripped.Weight()); r.Err != nil {
		p.hub.stats.refused.Add(1)
		return stripped, nil
	}
	return stripped, legs
}

// route notes in r which routes take e. It returns the event as it travels on. A
// panic on the way, of a route's condition say, is that event's error and nobody
// else's.
func (p *Port) route(w *wiring, e *keg.Event, r *keg.Receipt) (stripped *keg.Event, legs []leg) {
	defer func() {
		if fault := recover(); fault != nil {
			caught := caught(fault)
			p.hub.panicked("routing", e.ID, caught)
			stripped, r.Err = p.forward.strip(e), caught
		}
	}()
	if hops := keg.Hops(e); hops > maxHops {
		r.Err = &keg.LoopError{Hops: hops}
		return p.forward.strip(e), nil
	}
	stripped = p.forward.strip(e)
	if r.Routes, legs, r.Err = w.owed(e, stripped, p.ack == keg.AckStored); r.Err != nil {
		return stripped, nil
	}
	if len(r.Routes) == 0 {
		p.hub.stats.unmatched.Add(1)
		if w.reject {
			r.Err = &keg.UnroutedError{}
			return stripped, nil
		}
	}
	return stripped, legs
}

// deliverDetached delivers what nobody waits for, within the port's timeout.
func (x passage) deliverDetached() {
	p, r := x.port, x.receipt
	defer p.leave(x.wiring)
	ctx := endingAt(p.background, time.Now().Add(p.timeout))
	defer ctx.end()
	r.Deliveries = p.deliver(ctx, x.event, x.legs, x.turns)
	for _, d := range r.Deliveries {
		if d.Err != nil && !d.DeadLettered {
			p.hub.losses.lost(x.event, d, p.hub.stats.lost.Add(1))
		}
	}
	p.hub.observe(Trace{Event: x.event, Receipt: *r, Entry: p.name, Took: time.Since(x.start)})
}
