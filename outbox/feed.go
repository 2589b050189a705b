package outbox

import (
	"context"
	"errors"
	"fmt"
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
	// sweepLanes is how often lanes that hold nothing are removed.
	sweepLanes = time.Minute
)

// feed claims what the store has and memory has room for, until ctx ends.
func (d *Dispatcher) feed(ctx context.Context) {
	defer close(d.feeding)
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing, swept := false, time.Now()
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
		if time.Since(swept) >= sweepLanes {
			d.sweep()
			swept = time.Now()
		}
		timer.Reset(wait)
	}
}

// round goes through the queues that have something, until memory or they have
// no more, and returns when to look again. A queue that cannot be read holds up no
// other.
func (d *Dispatcher) round(ctx context.Context) (time.Duration, error) {
	for asked := false; ; {
		queues, again, err := d.store.Ready(ctx)
		if err != nil {
			return feedRetry, err
		}
		var errs []error
		progress, mistaken := false, false
		ready := make(map[Queue]bool, len(queues))
		for _, q := range queues {
			ready[q] = true
			claimed, err := d.fill(ctx, q)
			if _, away := errors.AsType[*UnavailableError](err); away || ctx.Err() != nil {
				return feedRetry, err
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%q of route %q: %w", q.Destination, q.Route, err))
			}
			progress, mistaken = progress || claimed > 0, mistaken || claimed == 0
		}
		d.mu.RLock()
		for q, l := range d.lanes {
			if !ready[q] {
				l.more.Store(false)
			}
		}
		d.mu.RUnlock()
		if len(errs) > 0 {
			return feedRetry, errors.Join(errs...)
		}
		if progress || mistaken && !asked {
			// A store that took something for due, as one may that was just opened,
			// has found out by the Claim when it is, and tells when asked again.
			asked = !progress
			continue
		}
		if again.IsZero() {
			return feedAgain, nil
		}
		return min(max(time.Until(again), time.Millisecond), feedAgain), nil
	}
}

// fill claims what a lane has room for, and returns how much that was; -1 where
// the store was not asked.
func (d *Dispatcher) fill(ctx context.Context, q Queue) (int, error) {
	out, standing := d.outlets.Outlet(q)
	switch standing {
	case Here:
		out.Leave()
	}
	l := d.lane(q)
	if l == nil {
		return -1, nil
	}
	if standing == Unseen {
		return -1, d.expireUnseen(ctx, l)
	}
	l.more.Store(true) // before looking for room, so that whoever makes some from now on says so
	n, bytes := l.room()
	if n <= 0 {
		return -1, nil
	}
	claimed, err := d.store.Claim(ctx, q, int(n), bytes)
	if err != nil {
		return -1, err
	}
	for _, x := range claimed {
		d.budget.force(&l.share, x.Event.Weight())
		if standing == Gone {
			d.die(l, x, nil, keg.ReasonNoDestination, errGone)
		} else {
			l.push(x)
		}
	}
	l.more.Store(len(claimed) > 0)
	return len(claimed), nil
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
