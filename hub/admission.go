package hub

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/attempt"
)

// busyAfter is what a sender is told to wait when too much is in flight. It is
// a guess: nobody knows when a dead destination will come back, but room made
// by live ones is there within a second.
const busyAfter = time.Second

// admission bounds the deliveries in flight, and the bytes of their events. A
// destination may hold no more of either than what is still free, so one that
// is dead takes half at most, two a third each, and the others always find
// room. Counts are taken without a lock and may refuse a few too early when
// many come at once; they never admit too many.
type admission struct {
	maxDeliveries, maxBytes int64
	deliveries, bytes       atomic.Int64
}

// lane is the part of what is in flight that one destination holds, shared by
// all routes and ports that send there.
type lane struct {
	deliveries, bytes atomic.Int64
	breaker           attempt.Breaker
	gone              atomic.Bool // it has said that it wants nothing more
	label             string
	users             int // legs; guarded by Hub.mu
}

// admit takes room for an event of that size at each of legs, or at none of
// them; then it returns a [*keg.BusyError].
func (a *admission) admit(legs []leg, size int64) error {
	for i, o := range legs {
		if problem := a.take(o.outlet, size); problem != "" {
			for _, taken := range legs[:i] {
				a.free(taken.lane, size)
			}
			return &keg.BusyError{Problem: problem, After: busyAfter}
		}
	}
	return nil
}

// take returns why there is no room, or "". What would be alone in flight is
// admitted whatever its size: waiting would not make it smaller.
func (a *admission) take(o *outlet, size int64) string {
	deliveries, bytes := a.deliveries.Add(1), a.bytes.Add(size)
	here, bytesHere := o.lane.deliveries.Add(1), o.lane.bytes.Add(size)
	// Free is what was free before this one came.
	free, freeBytes := a.maxDeliveries-deliveries+1, a.maxBytes-bytes+size
	switch {
	case free < 1, freeBytes < size && deliveries > 1:
		a.free(o.lane, size)
		return "too much is in flight"
	case here > 1 && (here > free || bytesHere > freeBytes):
		a.free(o.lane, size)
		return fmt.Sprintf("too much is in flight to %s", o.destination.Name)
	}
	return ""
}

// free gives back what one delivery had taken.
func (a *admission) free(l *lane, size int64) {
	a.deliveries.Add(-1)
	a.bytes.Add(-size)
	l.deliveries.Add(-1)
	l.bytes.Add(-size)
}
