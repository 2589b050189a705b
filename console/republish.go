package console

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

const (
	// republishers are how many dead letters are published at once: a store syncs
	// for many at the price of one.
	republishers = 16
	// patience is how long one is tried where the hub has no room.
	patience = time.Minute
)

// throughRoutes publishes the selected dead letters again. Those whose events
// have the same key keep their order, since a route may be ordered by it.
func (k *Kept) throughRoutes(ctx context.Context, s Selection, report func(Progress)) (Progress, error) {
	p := Progress{Total: k.total(ctx, s)}
	report(p)
	for part, err := range k.selected(ctx, s, &p) {
		if err != nil {
			return p, err
		}
		if err := k.republishAll(ctx, part, &p); err != nil {
			return p, err
		}
		report(p)
	}
	return p, nil
}

// selected yields the selected dead letters. Of ids, those that are not there
// are counted as left.
func (k *Kept) selected(ctx context.Context, s Selection, p *Progress) func(func([]*keg.DeadLetter, error) bool) {
	if len(s.IDs) == 0 {
		return k.parts(ctx, now(s.Filter), "", s.Limit)
	}
	return func(yield func([]*keg.DeadLetter, error) bool) {
		for _, id := range unique(s.IDs) {
			d, err := k.Store.DeadLetter(ctx, id)
			if errors.Is(err, outbox.ErrNotFound) {
				p.Left++
				continue
			}
			if !yield([]*keg.DeadLetter{d}, err) || err != nil {
				return
			}
		}
	}
}

// republishAll returns an error where it makes no sense to go on.
func (k *Kept) republishAll(ctx context.Context, part []*keg.DeadLetter, p *Progress) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	seed := maphash.MakeSeed()
	lanes := make([][]*keg.DeadLetter, republishers)
	for _, d := range part {
		key := ""
		if d.Event != nil {
			key = d.Event.OrderKey()
		}
		lane := maphash.String(seed, key) % republishers
		lanes[lane] = append(lanes[lane], d)
	}
	var mu sync.Mutex // guards p
	var all sync.WaitGroup
	for _, lane := range lanes {
		all.Go(func() {
			for _, d := range lane {
				if ctx.Err() != nil {
					return
				}
				err := k.republish(ctx, d)
				mu.Lock()
				switch {
				case err == nil:
					p.Done++
				case ctx.Err() != nil: // it was cut short, and is where it was
				case is[*outbox.UnavailableError](err):
					stop(err)
				default:
					p.fail(d.ID, err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// republish publishes one, and waits where the hub has no room now.
func (k *Kept) republish(ctx context.Context, d *keg.DeadLetter) error {
	for until := time.Now().Add(patience); ; {
		err := k.Republish(ctx, d)
		busy, ok := errors.AsType[*keg.BusyError](err)
		if !ok {
			return err
		}
		if err := k.Store.Check(); err != nil {
			return &outbox.UnavailableError{Problem: "the store takes nothing", Err: err}
		}
		if time.Now().After(until) {
			return busy
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(busy.After, 10*time.Millisecond)):
		}
	}
}
