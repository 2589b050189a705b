package hub

import (
	"context"
	"sync"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// turns keep the order of events that share a key on their way to an ordered
// destination, where nothing is stored: each waits until the one before it has
// been delivered or given up.
type turns struct {
	mu   sync.Mutex
	last map[turnKey]*turn
}

type turnKey struct {
	queue outbox.Queue
	key   string
}

// turn is one event's place. A nil turn waits for nobody.
type turn struct {
	of     *turns
	key    turnKey
	before <-chan struct{} // nil: nobody is before it
	ended  chan struct{}
}

// take gives e the next place at each outlet that keeps an order; the others get
// none.
func (t *turns) take(e *keg.Event, legs []leg) []*turn {
	var all []*turn
	for i, o := range legs {
		if !o.ordered {
			continue
		}
		if all == nil {
			all = make([]*turn, len(legs))
		}
		all[i] = t.next(turnKey{o.queue, e.OrderKey()})
	}
	return all
}

func (t *turns) next(key turnKey) *turn {
	mine := &turn{of: t, key: key, ended: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = map[turnKey]*turn{}
	}
	if before := t.last[key]; before != nil {
		mine.before = before.ended
	}
	t.last[key] = mine
	return mine
}

// await blocks until it is the event's turn, or ctx ends.
func (m *turn) await(ctx context.Context) {
	if m == nil || m.before == nil {
		return
	}
	select {
	case <-m.before:
		m.before = nil
	case <-ctx.Done():
	}
}

// end lets the next one go, though not before those before this one have ended.
func (m *turn) end() {
	switch {
	case m == nil:
	case m.before == nil:
		m.pass()
	default: // it gave up waiting
		go func() {
			<-m.before
			m.pass()
		}()
	}
}

func (m *turn) pass() {
	m.of.mu.Lock()
	if m.of.last[m.key] == m {
		delete(m.of.last, m.key)
	}
	m.of.mu.Unlock()
	close(m.ended)
}
