package sources

import "sync"

// byteBudget bounds bytes that wait. One taker may go beyond it, where it is
// empty, so that nothing is too large to pass.
type byteBudget struct {
	mu   sync.Mutex
	max  int
	used int
	free chan struct{} // closed when some come back while a taker waits
}

func newByteBudget(most int) *byteBudget { return &byteBudget{max: most} }

// take blocks until there is room for n, or until stop is closed, which it
// reports by false.
func (b *byteBudget) take(n int, stop <-chan struct{}) bool {
	for {
		b.mu.Lock()
		if b.used == 0 || b.used+n <= b.max {
			b.used += n
			b.mu.Unlock()
			return true
		}
		if b.free == nil {
			b.free = make(chan struct{})
		}
		free := b.free
		b.mu.Unlock()
		select {
		case <-free:
		case <-stop:
			return false
		}
	}
}

func (b *byteBudget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.free != nil {
		close(b.free)
		b.free = nil
	}
}
