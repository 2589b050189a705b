package main

import (
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/console"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/sources"
)

// tell is what the console is told of the node.
func (n *node) tell() *console.Node {
	told := &console.Node{
		Version:      release(),
		Phase:        func() console.Phase { return n.phase.Load().(console.Phase) },
		Hub:          n.hub.Stats,
		Destinations: n.destinations,
		Sources:      n.sourceStates,
		WhenErrors:   n.hub.WhenErrors,
		Background: func() console.Background {
			s := n.logRoom.Stats()
			return console.Background{Waiting: s.Entries, Lost: s.Dropped}
		},
	}
	if n.store != nil {
		told.Store = n.store
		told.Republish = n.hub.Republish
	}
	if n.routes != nil {
		told.Routes = n.routesState
	}
	return told
}

func (n *node) destinations() []console.Destination {
	all := n.hub.Destinations()
	told := make([]console.Destination, len(all))
	for i, d := range all {
		told[i] = console.Destination{
			Label: d.Label, Breaker: console.Breaker(d.State), Since: d.Since, Error: outbox.OneLine(d.Error), Queues: d.Queues,
		}
		if d.Gone {
			told[i].Error = "it has said that it is gone, and gets nothing more until its routes are loaded again"
		}
	}
	return told
}

// sourceStates are the sources'. One that only listens is up while it runs.
func (n *node) sourceStates() []console.Source {
	told := make([]console.Source, len(n.sources))
	for i, s := range n.sources {
		told[i] = console.Source{Name: s.Name, Up: true}
		if r, ok := s.Source.(sources.Reporter); ok {
			state := r.Status()
			told[i].Up, told[i].Since, told[i].Error = state.Up, state.Since, outbox.OneLine(state.Error)
		}
	}
	return told
}

func (n *node) routesState() console.Routes {
	s := n.routes.routes()
	told := console.Routes{
		File: s.File, Routes: s.Routes, Loaded: s.LoadedAt, SHA256: s.SHA256, Reloads: s.Reloads, Failures: s.Failures, Failed: s.FailedAt,
	}
	if s.LastError != nil {
		told.Error = outbox.OneLine(s.LastError.Error())
	}
	return told
}

// nodeWatch passes what the hub tells of attempts on to the metrics, and those at
// stored deliveries to whoever shows them.
type nodeWatch struct {
	*console.Metrics
	persist bool
	show    func(label string, e *keg.Event, took time.Duration, err error)
}

// Attempted is of [outbox.Observer].
func (w nodeWatch) Attempted(q outbox.Queue, label string, e *keg.Event, took time.Duration, err error) {
	w.Metrics.Attempted(q, label, took, err)
	if w.show != nil && w.persist {
		w.show(label, e, took, err)
	}
}
