package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/kong/keg"
)

const (
	// unseenAge is the max_age of what is owed to a table that nobody brings, and
	// that says none itself: a plugin's that was deleted, say.
	unseenAge = 24 * time.Hour
	// unseenAgain is how often the oldest of it are looked at.
	unseenAgain = time.Hour
)

// unseenQueues is what the feeder knows of queues whose table was not seen.
type unseenQueues struct {
	age    time.Duration
	looked map[Queue]time.Time
}

// expireUnseen makes dead letters of what has waited too long for a table that
// was not seen. All the rest goes back, and waits. Only the feeder calls it.
func (d *Dispatcher) expireUnseen(ctx context.Context, l *lane) error {
	if time.Since(d.unseen.looked[l.queue]) < unseenAgain {
		return nil
	}
	d.unseen.looked[l.queue] = time.Now()
	for {
		claimed, err := d.store.Claim(ctx, l.queue, claimAtOnce, d.budget.maxBytes/2)
		if err != nil || len(claimed) == 0 {
			return err
		}
		young := false
		for _, x := range claimed {
			d.budget.force(&l.share, x.Event.Weight())
			if time.Since(x.Accepted) > d.unseen.age {
				d.die(l, x, nil, keg.ReasonNoDestination, fmt.Errorf("its route table has not been seen for %v", d.unseen.age))
				continue
			}
			young = true
			l.giveBack(x)
		}
		if young { // what comes after it is younger still
			return nil
		}
	}
}
