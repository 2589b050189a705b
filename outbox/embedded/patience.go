package embedded

import (
	"sync"
	"time"
)

// aWhile is longer than nearly all Puts take, and short for whoever gives up.
const aWhile = 10 * time.Millisecond

// patience tells all those who wait that they have done so for a while, by one
// timer for all of them: to wait on a context's own channel costs each of them a
// timer, and a place among its parent's children.
type patience struct {
	mu         sync.Mutex
	young, old chan struct{} // old is closed by the next tick, young by the one after
}

// ends returns a channel that is closed in one to two whiles.
func (p *patience) ends() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.young == nil {
		p.young = make(chan struct{})
		if p.old == nil {
			time.AfterFunc(aWhile, p.tick)
		}
	}
	return p.young
}

func (p *patience) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.old != nil {
		close(p.old)
	}
	p.old, p.young = p.young, nil
	if p.old != nil {
		time.AfterFunc(aWhile, p.tick)
	}
}
