package hub

import (
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// Watch is told of every attempt, of stored deliveries that are settled, and of
// what died otherwise: it was abandoned, stored as dead, or sent to a dead-letter
// destination before its sender was answered.
type Watch interface {
	outbox.Observer
	Died(reason keg.Reason)
}

// died counts a dead letter that was no stored delivery before.
func (h *Hub) died(reason keg.Reason) {
	h.stats.deadLettered.Add(1)
	if h.watch != nil {
		h.watch.Died(reason)
	}
}

// fencedWatch is a watch whose faults are not the delivery's.
type fencedWatch struct {
	hub   *Hub
	watch Watch
}

func (w fencedWatch) Attempted(q outbox.Queue, label string, e *keg.Event, took time.Duration, err error) {
	defer w.hub.fence("watch", e.ID)
	w.watch.Attempted(q, label, e, took, err)
}

func (w fencedWatch) Settled(q outbox.Queue, label string, outcome outbox.Outcome, reason keg.Reason, age time.Duration) {
	defer w.hub.fence("watch", "")
	w.watch.Settled(q, label, outcome, reason, age)
}

func (w fencedWatch) Died(reason keg.Reason) {
	defer w.hub.fence("watch", "")
	w.watch.Died(reason)
}

// fence, deferred, keeps a fault of whoever watches from going further.
func (h *Hub) fence(where, id string) {
	if p := recover(); p != nil {
		h.panicked(where, id, caught(p))
	}
}

// dispatchWatch counts what the dispatcher does, and passes it on.
func (h *Hub) dispatchWatch() outbox.Observer { return storedWatch{h} }

type storedWatch struct{ hub *Hub }

func (w storedWatch) Attempted(q outbox.Queue, label string, e *keg.Event, took time.Duration, err error) {
	w.hub.stats.attempts.Add(1)
	if w.hub.watch != nil {
		w.hub.watch.Attempted(q, label, e, took, err)
	}
}

func (w storedWatch) Settled(q outbox.Queue, label string, outcome outbox.Outcome, reason keg.Reason, age time.Duration) {
	switch outcome {
	case outbox.Done:
		w.hub.stats.delivered.Add(1)
	case outbox.Dead:
		w.hub.stats.failed.Add(1)
		if !q.DeadLetter { // that one was counted when it died
			w.hub.stats.deadLettered.Add(1)
		}
	}
	if w.hub.watch != nil {
		w.hub.watch.Settled(q, label, outcome, reason, age)
	}
}
