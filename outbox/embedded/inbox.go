package embedded

import "sync"

// inbox is where Puts wait for the committer.
type inbox struct {
	mu      sync.Mutex
	waiting []*request
	spare   []*request
	closed  bool
	wake    chan struct{} // something waits, or nothing comes any more
	enough  int           // come tells of so many; 0: of none
	come    chan struct{}
}

func newInbox() *inbox {
	return &inbox{wake: make(chan struct{}, 1), come: make(chan struct{}, 1)}
}

func (b *inbox) add(r *request) bool {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	b.waiting = append(b.waiting, r)
	first := len(b.waiting) == 1
	if len(b.waiting) == b.enough {
		signal(b.come) // under the mutex: never for what is expected next
	}
	b.mu.Unlock()
	if first {
		signal(b.wake)
	}
	return true
}

// expect makes come tell when n wait, and reports whether they do already.
func (b *inbox) expect(n int) (here bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.come: // what was expected before
	default:
	}
	b.enough = n
	return len(b.waiting) >= n
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

// signal wakes whoever listens, once.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
