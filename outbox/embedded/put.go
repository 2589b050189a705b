package embedded

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kong/keg/outbox"
)

// request is one Put on its way.
type request struct {
	entries []*outbox.Entry
	// events holds the encoded events one after another; ends says where each
	// ends.
	events []byte
	ends   []int
	done   chan error
	held   []*held
	// state is who was first: the answer, or the caller who left.
	state atomic.Int32
	// answers are set by the committer and copied to the entries by the caller,
	// who alone writes to them.
	duplicate []bool
	owed      []*outbox.Delivery
}

const (
	answered = iota + 1
	left
)

var requests = sync.Pool{New: func() any { return &request{done: make(chan error, 1)} }}

// Put stores entries; see [outbox.Store].
func (s *Store) Put(ctx context.Context, entries ...*outbox.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	for _, e := range entries {
		e.Duplicate = false
		for _, o := range e.Owed {
			o.Held = nil
		}
	}
	if len(entries) == 0 {
		return nil
	}
	r := requests.Get().(*request)
	r.fill(entries)
	if !s.inbox.add(r) {
		return errClosed
	}
	answered, err := s.await(ctx, r)
	if !answered {
		return err
	}
	if err == nil {
		r.answer()
	}
	r.release()
	return err
}

// await waits for the answer to a request, or until ctx ends, which it looks at
// when the answer has kept it waiting for a while.
func (s *Store) await(ctx context.Context, r *request) (answered bool, err error) {
	if at, ok := ctx.Deadline(); !ok || time.Until(at) > 2*aWhile {
		select {
		case err := <-r.done:
			return true, err
		case <-s.patience.ends():
		}
	}
	select {
	case err := <-r.done:
		return true, err
	case <-ctx.Done():
		if r.state.CompareAndSwap(0, left) {
			return false, ctx.Err()
		}
		return true, <-r.done // the answer was first
	}
}

// fill encodes the entries on their writer's goroutine.
func (r *request) fill(entries []*outbox.Entry) {
	r.entries = entries
	r.state.Store(0)
	r.events, r.ends, r.duplicate, r.owed, r.held = r.events[:0], r.ends[:0], r.duplicate[:0], r.owed[:0], r.held[:0]
	for _, e := range entries {
		if len(e.Owed) > 0 {
			r.events = outbox.AppendEvent(r.events, e.Event)
		}
		r.ends = append(r.ends, len(r.events))
	}
}

// event is the i-th entry's, encoded.
func (r *request) event(i int) []byte {
	if i == 0 {
		return r.events[:r.ends[0]]
	}
	return r.events[r.ends[i-1]:r.ends[i]]
}

// answer tells the caller's entries what became of them.
func (r *request) answer() {
	at := 0
	for i, e := range r.entries {
		e.Duplicate = r.duplicate[i]
		for _, o := range e.Owed {
			o.Held = r.owed[at]
			at++
		}
	}
}

// release keeps the request's room for another one.
func (r *request) release() {
	clear(r.owed)
	clear(r.held)
	r.entries = nil
	if cap(r.events) <= 1<<20 {
		requests.Put(r)
	}
}

// giveBack ends the holds of a Put whose caller has gone.
func (s *Store) giveBack(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range r.held {
		if s.held[h.seq] == h {
			s.release(h)
		}
	}
	s.signal()
}
