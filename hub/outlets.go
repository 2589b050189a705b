package hub

import "github.com/kong/keg/outbox"

// Outlet finds what a stored delivery is owed to today. It is an
// [outbox.Outlets].
func (h *Hub) Outlet(q outbox.Queue) (outbox.Outlet, outbox.Standing) {
	for {
		w := h.node.Load()
		if q.Scope != "" {
			if w = h.scopes.of(q.Scope); w == nil {
				return nil, outbox.Unseen
			}
		} else if !h.set.Load() {
			return nil, outbox.Unseen
		}
		o := w.byQueue[q]
		switch {
		case o == nil:
			return nil, outbox.Gone
		case w.enter():
			return o, outbox.Here
		case w == h.node.Load() || w == h.scopes.of(q.Scope): // shut for good
			return nil, outbox.Unseen
		}
	}
}

// wake tells the dispatcher that a table has come.
func (h *Hub) wake() {
	if h.dispatcher != nil {
		h.dispatcher.Wake()
	}
}

var _ outbox.Outlets = (*Hub)(nil)
