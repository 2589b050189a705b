package outbox

import (
	"context"
	"time"

	"github.com/kong/keg"
)

const (
	// claimAtOnce is how much of a queue is held at most for its workers to come.
	claimAtOnce = 1000
	// feedAgain bounds the wait between two looks at the store, whatever it says.
	feedAgain = 30 * time.Second
	// feedRetry is the wait after a look that failed.
	feedRetry = 500 * time.Millisecond
)

// feed claims what the store has and memory has room for, until ctx ends.
func (d *Dispatcher) feed(ctx context.Context) {
	defer close(d.feeding)
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-d.store.Changed():
		case <-d.hungry:
		}
		wait, err := d.round(ctx)
		switch {
		case err == nil && failing:
			d.log.Info("stored deliveries can be claimed again")
		case err != nil && !failing && ctx.Err() == nil:
			d.log.Error("stored deliveries cannot be claimed; they wait in the store", "error", err)
		}
		failing = err != nil
		timer.Reset(wait)
	}
}

// round goes through the queues that have something, until memory or they have
// no more, and returns when to look again.
func (d *Dispatcher) round(ctx context.Context) (time.Duration, error) {
	for {
		queues, again, err := d.store.Ready(ctx)
		if err != nil {
			return feedRetry, err
		}
		progress := false
		ready := make(map[Queue]bool, len(queues))
		for _, q := range queues {
			ready[q] = true
			some, err := d.fill(ctx, q)
			if err != nil {
				return feedRetry, err
			}
			progress = progress || some
		}
		d.mu.RLock()
		for q, l := range d.lanes {
			if !ready[q] {
				l.more.Store(false)
			}
		}
		d.mu.RUnlock()
		if progress {
			continue
		}
		if again.IsZero() {
			return feedAgain, nil
		}
		return min(max(time.Until(again), time.Millisecond), feedAgain), nil
	}
}

// fill claims what a lane has room for, and reports whether there was any.
func (d *Dispatcher) fill(ctx context.Context, q Queue) (bool, error) {
	out, standing := d.outlets.Outlet(q)
	switch standing {
	case Unseen:
		return false, nil
	case Here:
		out.Leave()
	}
	l := d.lane(q)
	if l == nil {
		return false, nil
	}
	n, bytes := l.room()
	if n <= 0 {
		l.more.Store(true)
		return false, nil
	}
	claimed, err := d.store.Claim(ctx, q, int(n), bytes)
	if err != nil {
		return false, err
	}
	for _, x := range claimed {
		d.budget.force(&l.share, x.Event.Weight())
		if standing == Gone {
			d.die(x, nil, keg.ReasonNoDestination, errGone)
		} else {
			l.push(x)
		}
	}
	l.more.Store(len(claimed) > 0)
	return len(claimed) > 0, nil
}

// room is how many more deliveries the lane may hold, and bytes.
func (l *lane) room() (count, bytes int64) {
	l.mu.Lock()
	waiting := int64(l.buffer.len())
	l.mu.Unlock()
	if waiting >= claimAtOnce {
		return 0, 0
	}
	return l.dispatcher.budget.room(&l.share, claimAtOnce-waiting)
}

// known returns the lane of a queue, nil where there is none.
func (d *Dispatcher) known(q Queue) *lane {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.lanes[q]
}
