package hub

import (
	"cmp"
	"slices"

	"github.com/kong/keg/attempt"
	"github.com/kong/keg/outbox"
)

// Destination is how one that the tables in use name fares.
type Destination struct {
	// Label is free of secrets.
	Label string
	attempt.Status
	// Gone tells that it has said that it wants nothing more.
	Gone bool
	// Queues are those whose deliveries go there.
	Queues []outbox.Queue
}

// Destinations lists those of all tables in use, each once, by label.
func (h *Hub) Destinations() []Destination {
	h.mu.Lock()
	defer h.mu.Unlock()
	byLane, seen := map[*lane]*Destination{}, map[outbox.Queue]bool{}
	for w := range h.wirings {
		for _, o := range w.outlets {
			d := byLane[o.lane]
			if d == nil {
				d = &Destination{Label: o.lane.label, Status: o.lane.breaker.Status(), Gone: o.lane.gone.Load()}
				byLane[o.lane] = d
			}
			if !seen[o.queue] { // by the tables of several instances
				seen[o.queue] = true
				d.Queues = append(d.Queues, o.queue)
			}
		}
	}
	all := make([]Destination, 0, len(byLane))
	for _, d := range byLane {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b Destination) int { return cmp.Compare(a.Label, b.Label) })
	return all
}

// WhenErrors counts, by route, how often a `when` of the node's table has ended
// in an error.
func (h *Hub) WhenErrors() map[string]uint64 {
	errors := map[string]uint64{}
	for _, r := range h.node.Load().table.Routes() {
		errors[r.Name] = r.WhenErrors()
	}
	return errors
}
