package hub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kong/keg"
)

// deliver sends e to all legs at once, to each in its turn where there are
// turns, and waits for all of them. The room that was taken at each is given
// back as its delivery ends.
func (p *Port) deliver(ctx context.Context, e *keg.Event, legs []leg, turns []*turn) []keg.Delivery {
	if len(legs) == 0 {
		return nil
	}
	deliveries := make([]keg.Delivery, len(legs))
	size := e.Weight()
	turnAt := func(i int) *turn {
		if turns == nil {
			return nil
		}
		return turns[i]
	}
	if len(legs) > 1 {
		var others sync.WaitGroup
		defer others.Wait()
		for i, o := range legs[1:] {
			others.Go(func() { deliveries[i+1] = p.deliverTo(ctx, o.of(e), size, o.outlet, turnAt(i+1)) })
		}
	}
	deliveries[0] = p.deliverTo(ctx, legs[0].of(e), size, legs[0].outlet, turnAt(0)) // on the caller's own goroutine
	return deliveries
}

// deliverTo is one delivery, to its end.
func (p *Port) deliverTo(ctx context.Context, e *keg.Event, size int64, o *outlet, turn *turn) keg.Delivery {
	start := time.Now()
	turn.await(ctx)
	out := try(ctx, o, e)
	turn.end()
	p.hub.admission.free(o.lane, size)
	d := keg.Delivery{
		Route: o.route, Destination: o.destination,
		Attempts: out.attempts, Took: time.Since(start), Err: out.err,
	}
	stats := &p.hub.stats
	stats.attempts.Add(int64(out.attempts))
	if out.err == nil {
		stats.delivered.Add(1)
		if o.queue.DeadLetter { // the event broke the route's schema
			p.hub.died(keg.ReasonSchema)
		}
		return d
	}
	stats.failed.Add(1)
	if fault, ok := errors.AsType[*PanicError](out.err); ok {
		p.hub.panicked(place(o.route, o.destination), e.ID, fault)
	}
	if o.deadLetter != nil && p.buries(out) {
		d.DeadLettered = p.bury(ctx, e, o, out)
	}
	return d
}

// failure is the error of a receipt whose deliveries did not all end well.
func failure(deliveries []keg.Delivery) error {
	var errs []error
	for _, d := range deliveries {
		if d.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d.Destination.Name, d.Err))
		}
	}
	return errors.Join(errs...)
}
