package server

import (
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// instance is one that was started. Its uses are counted: the table's own, and
// one for each event that runs in it. It is closed after the last.
type instance struct {
	Instance
	plugin   *Plugin
	id       int32
	started  time.Time
	handlers map[Phase]handler
	uses     atomic.Int32
	lastUse  atomic.Int64 // Unix nanoseconds, by now
	leaving  bool         // Kong has closed it; the table's mu
}

// instances is the table of what is running, by id.
type instances struct {
	log *slog.Logger

	mu   sync.RWMutex
	byID map[int32]*instance
	next int32
	// leaving are those that Kong has closed, the first one first.
	leaving []*instance
	linger  time.Duration
}

// maxLeaving bounds those that Kong has closed and that are kept for events which
// may still be on their way.
const maxLeaving = 1000

// newInstances begins the ids at a random place: Kong's workers may still know
// those of the process before this one, and such an id must be unknown here
// rather than name another configuration.
func newInstances(log *slog.Logger, linger time.Duration) *instances {
	return &instances{log: log, linger: linger, byID: make(map[int32]*instance), next: 1 + rand.Int32N(1<<30)}
}

var errNoIDs = errors.New("every instance id has been used; restart the plugin server")

// add gives an instance an id that no other has had and takes it in.
func (t *instances) add(in *instance) error {
	in.uses.Store(1)
	in.lastUse.Store(now().UnixNano())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next == math.MaxInt32 {
		return errNoIDs
	}
	in.id = t.next
	t.next++
	t.byID[in.id] = in
	return nil
}

// acquire returns the instance of an id, nil where there is none, and keeps it
// from being closed until it is dropped.
func (t *instances) acquire(id int32) *instance {
	t.mu.RLock()
	defer t.mu.RUnlock()
	in := t.byID[id]
	if in != nil {
		in.uses.Add(1)
	}
	return in
}

// drop ends one use, and closes the instance after the last.
func (t *instances) drop(in *instance) {
	if in.uses.Add(-1) > 0 {
		return
	}
	if err := guarded(in.Close); err != nil {
		t.log.Error("closing an instance", "plugin", in.plugin.Name, "instance", in.id, "error", err)
	}
}

// leave takes an instance out of the table that Kong has closed, and reports
// whether it was there. It does so after a while: Kong says on another connection
// that an instance is closed than on the one that an event came by before, and
// which of the two is read first is chance. An event that found no instance would
// make Kong forget all of the plugin's, in all workers, and leave them behind.
func (t *instances) leave(id int32) (*instance, bool) {
	t.mu.Lock()
	in := t.byID[id]
	if in == nil || in.leaving {
		t.mu.Unlock()
		return nil, false
	}
	in.leaving = true
	t.leaving = append(t.leaving, in)
	var first *instance
	if len(t.leaving) > maxLeaving {
		first = t.leaving[0]
	}
	t.mu.Unlock()
	if first != nil {
		t.remove(first)
	}
	time.AfterFunc(t.linger, func() { t.remove(in) })
	return in, true
}

// remove takes an instance out of the table, if it is there still. Its events go
// on.
func (t *instances) remove(in *instance) {
	t.mu.Lock()
	there := t.byID[in.id] == in
	if there {
		delete(t.byID, in.id)
	}
	if i := slices.Index(t.leaving, in); i >= 0 {
		t.leaving = slices.Delete(t.leaving, i, i+1)
	}
	t.mu.Unlock()
	if there {
		t.drop(in)
	}
}

// removeIdle removes those whose last event ended before a time. A worker that
// Kong replaces never closes its instances.
func (t *instances) removeIdle(before time.Time) int {
	var old []*instance
	t.mu.Lock()
	for id, in := range t.byID {
		if in.uses.Load() == 1 && in.lastUse.Load() < before.UnixNano() {
			delete(t.byID, id)
			old = append(old, in)
		}
	}
	t.mu.Unlock()
	for _, in := range old {
		t.drop(in)
	}
	return len(old)
}

// removeAll empties the table.
func (t *instances) removeAll() {
	t.mu.Lock()
	all := t.byID
	t.byID, t.leaving = make(map[int32]*instance), nil
	t.mu.Unlock()
	for _, in := range all {
		t.drop(in)
	}
}
