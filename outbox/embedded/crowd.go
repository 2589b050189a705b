package embedded

import (
	"runtime"
	"time"
)

// crowd is the writers who come again as soon as they are answered, as the
// committer has last seen them.
type crowd struct {
	size   int // the most who were answered or waited lately
	misses int // how much more often they were thought to be idle and were not
	skip   int // how often they are not thought so
	timer  *time.Timer
}

const (
	smallCrowd = 8 // is not worth waiting for
	// idleComeWithin is what writers take who have nothing to do between two Puts:
	// less than a sync takes.
	idleComeWithin = 150 * time.Microsecond
	// busyComeWithin is what those take who have, and processors to share for it.
	busyComeWithin = time.Millisecond
)

// saw notes how many were answered together, or came meanwhile.
func (c *crowd) saw(n int) { c.size = max(n, c.size*15/16) }

// await gives a crowd its time to come, and reports whether it is busy. Idle
// writers come nearly all at once, and one sync serves all of them. Busy ones come
// in halves: one half is at work while the other is synced, where a sync of all
// would leave the processors nothing to do. The committer sleeps meanwhile, for
// one that is awake takes a processor that those who are to come could use.
func (c *crowd) await(b *inbox) (busy bool) {
	runtime.Gosched()
	if c.size < smallCrowd {
		return false
	}
	if c.skip == 0 {
		if c.gather(b, c.size*7/8, idleComeWithin) {
			c.misses = max(c.misses-1, 0) // it may have been chance
			return false
		}
		if c.misses = min(c.misses+1, 6); c.misses == 1 {
			return false // this, too
		}
		c.skip = 1 << c.misses
	}
	c.skip--
	c.gather(b, c.size/2, busyComeWithin)
	return true
}

// gather waits until n wait, for so long at most, and reports whether they do.
func (c *crowd) gather(b *inbox, n int, within time.Duration) bool {
	if b.expect(n) {
		return true
	}
	if c.timer == nil {
		c.timer = time.NewTimer(within)
	} else {
		c.timer.Reset(within)
	}
	select {
	case <-b.come:
		c.timer.Stop()
		return true
	case <-c.timer.C:
		return b.expect(n)
	}
}
