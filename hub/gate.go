package hub

import "sync"

// gate counts who is inside and lets nobody in once it is shut, so that what it
// guards can be closed after the last one has left. The zero gate is open.
type gate struct {
	mu     sync.Mutex
	inside int
	empty  chan struct{} // made by shut
}

// enter reports whether the caller is inside, and must leave.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty != nil {
		return false
	}
	g.inside++
	return true
}

// enterAgain lets in one more, on behalf of a caller that is inside.
func (g *gate) enterAgain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside++
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.empty != nil {
		close(g.empty)
	}
}

// shut returns a channel that is closed once nobody is inside, the same one at
// every call.
func (g *gate) shut() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty == nil {
		g.empty = make(chan struct{})
		if g.inside == 0 {
			close(g.empty)
		}
	}
	return g.empty
}
