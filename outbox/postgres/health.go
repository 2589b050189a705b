package postgres

import (
	"sync"

	"github.com/kong/keg/outbox"
)

// health is whether the database is there, as far as is known. While it is not,
// nothing is tried but by the node's own heartbeat, so that a sender hears at
// once.
type health struct {
	mutex   sync.Mutex
	problem *outbox.UnavailableError
	down    chan struct{} // closed while there is a problem
}

// check returns the problem, or nil, and a channel that is closed when there is one.
func (h *health) check() (*outbox.UnavailableError, <-chan struct{}) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.down == nil {
		h.down = make(chan struct{})
	}
	return h.problem, h.down
}

// set notes a problem, or with nil that there is none, and reports whether that
// is news.
func (h *health) set(problem *outbox.UnavailableError) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	news := (h.problem == nil) != (problem == nil)
	h.problem = problem
	switch {
	case h.down == nil, news && problem == nil:
		h.down = make(chan struct{})
	}
	if news && problem != nil {
		close(h.down)
	}
	return news
}
