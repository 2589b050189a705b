package embedded

import (
	"runtime"
	"sync"
	"time"
)

// inbox is where Puts wait for the committer.
type inbox struct {
	mu      sync.Mutex
	waiting []*request
	spare   []*request
	closed  bool
	wake    chan struct{}
}

func (b *inbox) add(r *request) bool {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	b.waiting = append(b.waiting, r)
	first := len(b.waiting) == 1
	b.mu.Unlock()
	if first {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take takes all that waits, and tells whether more may come. What it returned
// before is used again.
func (b *inbox) take() ([]*request, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.waiting
	clear(b.spare)
	b.waiting, b.spare = b.spare[:0], taken
	return taken, !b.closed
}

func (b *inbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.wake)
	}
}

// crowd is the writers who come again as soon as they are answered, as the
// committer has last seen them.
type crowd struct {
	size   int // those who were answered, and those who waited meanwhile
	misses int // how often in a row it was waited for in vain
	skip   int // how often it is not waited for
}

const (
	smallCrowd = 8 // is not worth waiting for
	// comesWithin is less than a sync takes.
	comesWithin = 100 * time.Microsecond
)

// await gives a crowd its time to come, or most of it. Where that does not pay,
// as with writers who come when they like, it is tried ever less.
func (c *crowd) await(b *inbox) {
	runtime.Gosched()
	if c.size < smallCrowd {
		return
	}
	if c.skip > 0 {
		c.skip--
		return
	}
	for began := time.Now(); b.len() < c.size; runtime.Gosched() {
		if time.Since(began) < comesWithin {
			continue
		}
		if b.len() < c.size*3/4 {
			c.misses = min(c.misses+1, 6)
			c.skip = 1 << c.misses
			return
		}
		break
	}
	c.misses = 0
}
