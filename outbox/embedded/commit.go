package embedded

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kong/keg/outbox"
)

// group is what one batch stores, and one sync makes safe.
type group struct {
	engine   *engine
	batch    *pebble.Batch
	requests []*request
	err      error
	// before is the last sequence given before the group.
	before uint64
	// repr is what the batch wrote; restores are the rows that it deleted.
	repr     []byte
	restores []row
}

type row struct{ key, value []byte }

// groupBytes is what a batch holds of events at most, unless one Put alone has
// more.
const groupBytes = 1 << 20

// commit is the committer: it gathers the Puts that wait into one batch, waits
// for its sync, answers, and lets those who come again do so before it gathers the
// next, as many as [crowd] says.
func (s *Store) commit() {
	var writers crowd
	for more := true; more; {
		_, more = <-s.inbox.wake
		for s.pressure.Load() && s.problem.Load() == nil && more {
			time.Sleep(5 * time.Millisecond)
		}
		busy := writers.await(s.inbox)
		taken, open := s.inbox.take()
		more = more && open
		for len(taken) > 0 {
			n, bytes := 0, 0
			for n < len(taken) && (n == 0 || bytes+len(taken[n].events) <= groupBytes) {
				bytes += len(taken[n].events)
				n++
			}
			s.acknowledge(s.store(taken[:n], bytes, busy))
			taken = taken[n:]
			writers.saw(n + s.inbox.len())
		}
	}
}

// store writes requests to the log in one batch. busy says that there is other work
// meanwhile.
func (s *Store) store(requests []*request, bytes int, busy bool) *group {
	g := &group{requests: requests}
	s.mu.Lock()
	defer s.mu.Unlock()
	g.before = s.seq
	s.flying = g
	if s.engine == nil {
		g.err = s.why()
		return g
	}
	g.engine = s.engine
	g.engine.fence.logs.busy.Store(busy)
	g.batch = s.engine.db.NewBatchWithSize(bytes + 100*len(requests) + 200)
	w := &writer{s: s, batch: g.batch, tally: s.tally(), group: g, now: time.Now().UnixNano()}
	for _, r := range requests {
		if r.state.Load() == left {
			continue
		}
		for i, e := range r.entries {
			if g.err = w.entry(r, e, r.event(i)); g.err != nil {
				s.engine.fence.fail(g.err) // what is in memory is ahead of what is on disk
				return g
			}
		}
	}
	if g.err = w.tally.write(g.batch); g.err == nil {
		g.repr = g.batch.Repr()
		g.err = g.engine.apply(g.batch, true)
	}
	if g.err == nil {
		w.tally.take()
	} else {
		g.engine.fence.fail(g.err)
	}
	return g
}

// acknowledge waits for a group's sync, and answers.
func (s *Store) acknowledge(g *group) {
	if g.err == nil {
		if g.err = g.batch.SyncWait(); g.err != nil {
			g.engine.fence.fail(g.err)
		}
		if g.err == nil {
			g.err = g.engine.fence.may() // it may have been synced to nowhere
		}
	}
	s.mu.Lock()
	s.flying = nil
	if g.err != nil {
		s.failed(g)
	}
	s.tell()
	s.mu.Unlock()
	if g.err == nil {
		_ = g.batch.Close()
	}
	for _, r := range g.requests {
		if r.state.CompareAndSwap(0, answered) {
			r.done <- g.err
		} else if g.err == nil {
			s.giveBack(r)
		}
	}
}

// failed takes a group out of what is known; its rows, if they are on disk, go
// when the store is opened again.
func (s *Store) failed(g *group) {
	for _, r := range g.requests {
		for _, h := range r.held {
			delete(s.held, h.seq)
		}
	}
	if g.repr != nil {
		s.undo = append(s.undo, g)
	}
	var known *outbox.UnavailableError
	if !errors.As(g.err, &known) {
		g.err = unavailable(g.err)
		if problem := s.problem.Load(); problem != nil {
			g.err = problem
		}
	}
}
