package hub

import (
	"context"
	"errors"

	"github.com/kong/keg"
)

// Republish sends a dead letter's event through the node's routes of today, and
// removes the dead letter in the step that stores what is owed then. It blocks
// until that is done. On an error the dead letter is as it was: where no route
// takes the event that is a [*keg.UnroutedError].
func (h *Hub) Republish(ctx context.Context, dead *keg.DeadLetter) error {
	if h.store == nil {
		return errNoStore
	}
	w := h.node.Load()
	for !w.enter() {
		next := h.node.Load()
		if next == w {
			return errClosed
		}
		w = next
	}
	defer w.leave()
	names, legs, err := w.owed(dead.Event, dead.Event, true)
	switch {
	case err != nil:
		return err
	case len(names) == 0 && w.reject, len(legs) == 0:
		return &keg.UnroutedError{}
	}
	entries := entriesOf(dead.Event, legs, 0)
	entries[0].Replaces = dead.ID
	return h.put(ctx, entries)
}

var errNoStore = errors.New("this node keeps nothing: set KEG_PERSISTENCE_ENABLE=true")
