package embedded

import (
	"runtime"
	"time"
)

// crowd is the writers who come again as soon as they are answered, as the
// committer has last seen them.
type crowd struct {
	size   int // the most who were answered or waited lately
	misses int // how often in a row it was waited for in vain
	skip   int // how often it is not waited for
	timer  *time.Timer
}

const (
	smallCrowd = 8 // is not worth waiting for
	// comesWithin is what senders take who have other work to do between two Puts,
	// and processors to share for it.
	comesWithin = time.Millisecond
)

// saw notes how many were answered together, or came meanwhile.
func (c *crowd) saw(n int) { c.size = max(n, c.size*15/16) }

// await gives most of a crowd its time to come. The rest are on their way while
// these are synced: a sync of all would leave the processors nothing to do. The
// committer sleeps meanwhile, for one that is awake takes a processor that those
// who are to come could use. Where it does not pay, as with writers who come when
// they like, it is tried ever less.
func (c *crowd) await(b *inbox) {
	runtime.Gosched()
	if c.size < smallCrowd {
		return
	}
	if c.skip > 0 {
		c.skip--
		return
	}
	if c.gather(b, c.size*3/4) {
		c.misses = 0
		return
	}
	c.misses = min(c.misses+1, 6)
	c.skip = 1 << c.misses
}

// gather waits until n wait, and reports whether they came in time.
func (c *crowd) gather(b *inbox, n int) (came bool) {
	if b.expect(n) {
		return true
	}
	if c.timer == nil {
		c.timer = time.NewTimer(comesWithin)
	} else {
		c.timer.Reset(comesWithin)
	}
	select {
	case <-b.come:
		c.timer.Stop()
		return true
	case <-c.timer.C:
		return b.expect(n)
	}
}
