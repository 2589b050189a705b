package hub

import (
	"context"
	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

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

// scopes are the tables that plugins bring, by their scope: the latest of each.
// A table outlives its port, since what is stored may be owed to it still: Kong
// closes an instance when its configuration changes, and starts the next one at
// its first request.
type scopes struct {
	mu     sync.RWMutex
	latest map[string]*wiring
	left   map[*wiring]time.Time // whose ports are closed, and when
}

func (s *scopes) of(scope string) *wiring {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.latest[scope]
}

// put makes w its scope's latest, and retires the one before it if its port has
// closed already.
func (s *scopes) put(w *wiring) {
	if w.scope == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil {
		s.latest, s.left = map[string]*wiring{}, map[*wiring]time.Time{}
	}
	before := s.latest[w.scope]
	s.latest[w.scope] = w
	if _, closed := s.left[before]; closed {
		delete(s.left, before)
		before.retire()
	}
}

// keep reports whether w stays open though its port has closed.
func (s *scopes) keep(w *wiring) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.hub.store == nil || s.latest[w.scope] != w {
		if s.latest[w.scope] == w {
			delete(s.latest, w.scope)
		}
		return false
	}
	s.left[w] = time.Now()
	return true
}

// drop retires the tables whose ports closed before some time, and of which
// nothing waits.
func (s *scopes) drop(before time.Time, waiting func(scope string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w, closed := range s.left {
		if closed.Before(before) && !waiting(w.scope) {
			delete(s.left, w)
			delete(s.latest, w.scope)
			w.retire()
		}
	}
}

// scopeIdle is how long a plugin's table stays after its port has closed, though
// nothing waits for it.
const scopeIdle = time.Minute

// sweepScopes retires the tables whose ports closed before some time and for
// which nothing waits in the store.
func (h *Hub) sweepScopes(ctx context.Context, before time.Time) {
	if !h.scopes.any() {
		return
	}
	stats, err := h.store.Stats(ctx)
	if err != nil {
		return // another time
	}
	waits := map[string]bool{}
	for _, q := range stats.Queues {
		waits[q.Queue.Scope] = waits[q.Queue.Scope] || q.Waiting > 0
	}
	h.scopes.drop(before, func(scope string) bool { return waits[scope] })
}

// sweep does so every now and then, until ctx ends.
func (h *Hub) sweep(ctx context.Context) {
	tick := time.NewTicker(scopeIdle / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.sweepScopes(ctx, time.Now().Add(-scopeIdle))
		}
	}
}

// any reports whether there is a table whose port has closed.
func (s *scopes) any() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.left) > 0
}

// Watch is told of every attempt, of stored deliveries that are settled, and of
// what died otherwise: it was abandoned, stored as dead, or sent to a dead-letter
// destination before its sender was answered.
type Watch interface {
	outbox.Observer
	Died(reason keg.Reason)
}

// died counts a dead letter that was no stored delivery before.
func (h *Hub) died(d *keg.DeadLetter) {
	h.stats.deadLettered.Add(1)
	if h.watch != nil {
		h.watch.Died(d.Reason)
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
