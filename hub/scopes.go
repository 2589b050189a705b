package hub

import (
	"context"
	"sync"
	"time"
)

// scopes are the tables that plugins bring, by their scope: the latest of each.
// A table outlives its port, since what is stored may be owed to it still: Kong
// closes an instance when its configuration changes, and starts the next one at
// its first request.
type scopes struct {
	mu     sync.RWMutex
	latest map[string]*wiring
	open   map[string]int        // ports; each worker of Kong has its own
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
		s.latest, s.open, s.left = map[string]*wiring{}, map[string]int{}, map[*wiring]time.Time{}
	}
	s.open[w.scope]++
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
	if w.scope == "" {
		return false
	}
	if s.open[w.scope]--; s.open[w.scope] == 0 {
		delete(s.open, w.scope)
	}
	if s.latest[w.scope] != w {
		return false
	}
	if w.hub.store == nil {
		delete(s.latest, w.scope)
		return false
	}
	s.left[w] = time.Now()
	return true
}

// drop retires the tables whose ports closed before some time, where no other
// port of the scope is open and nothing waits.
func (s *scopes) drop(before time.Time, waiting func(scope string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w, closed := range s.left {
		if closed.Before(before) && s.open[w.scope] == 0 && !waiting(w.scope) {
			delete(s.left, w)
			delete(s.latest, w.scope)
			w.retire()
		}
	}
}

// any reports whether there is a table whose port has closed.
func (s *scopes) any() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.left) > 0
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
