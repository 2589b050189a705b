package sources

import "sync"

// A gate counts who is inside, lets nobody in once it is closed, and tells when
// the last has left. A WaitGroup alone would let one in behind whoever waits.
type gate struct {
	mutex  sync.Mutex
	closed bool
	inside sync.WaitGroup
}

// enter reports whether the caller may go in; if so, it must leave.
func (g *gate) enter() bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.closed {
		return false
	}
	g.inside.Add(1)
	return true
}

func (g *gate) leave() { g.inside.Done() }

// close lets nobody in from now on, and waits for those inside.
func (g *gate) close() {
	g.mutex.Lock()
	g.closed = true
	g.mutex.Unlock()
	g.inside.Wait()
}
