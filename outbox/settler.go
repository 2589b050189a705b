package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// settleAtOnce bounds one call of Settle.
	settleAtOnce = 2000
	// settleRetry is the wait after a store could not settle; it doubles up to
	// settleRetryMost.
	settleRetry     = 50 * time.Millisecond
	settleRetryMost = 5 * time.Second
)

// settler tells the store how deliveries went: what came while it was busy with
// the last batch is the next one. What it cannot tell it keeps, and tries again;
// what a stop leaves untold is delivered a second time.
type settler struct {
	dispatcher *Dispatcher
	wake       chan struct{}
	done       chan struct{}
	ctx        context.Context
	stop       context.CancelFunc

	mu      sync.Mutex
	pending []settling
	closed  bool
}

// settling is a settlement on its way, and the destination's label.
type settling struct {
	*Settlement
	label string
}

func (s *settler) init(d *Dispatcher) {
	s.dispatcher, s.wake, s.done = d, make(chan struct{}, 1), make(chan struct{})
	s.ctx, s.stop = context.WithCancel(context.Background())
	go s.run()
}

// add takes a settlement in. It does not block. After close it is dropped: the
// hold ends with the process.
func (s *settler) add(label string, settlement *Settlement) {
	s.mu.Lock()
	if !s.closed {
		s.pending = append(s.pending, settling{settlement, label})
	}
	s.mu.Unlock()
	signal(s.wake)
}

func (s *settler) run() {
	defer close(s.done)
	var spare []settling
	for range s.wake {
		for {
			s.mu.Lock()
			batch := s.pending
			s.pending, spare = spare[:0], nil
			closed := s.closed
			s.mu.Unlock()
			if len(batch) == 0 {
				spare = batch
				if closed {
					return
				}
				break
			}
			for rest := batch; len(rest) > 0; {
				n := min(len(rest), settleAtOnce)
				if !s.settle(rest[:n]) {
					return
				}
				rest = rest[n:]
			}
			clear(batch)
			spare = batch
			if cap(spare) > 4*settleAtOnce {
				spare = nil
			}
		}
	}
}

// settle tells the store of a batch, until it has heard; false where the settler
// has to end first.
func (s *settler) settle(batch []settling) bool {
	d := s.dispatcher
	settlements := make([]*Settlement, len(batch))
	for i := range batch {
		settlements[i] = batch[i].Settlement
	}
	for wait, failures := settleRetry, 0; ; wait, failures = min(2*wait, settleRetryMost), failures+1 {
		err := d.store.Settle(s.ctx, settlements...)
		if err == nil {
			if failures > 0 {
				d.log.Info("deliveries can be settled again")
			}
			break
		}
		if s.ctx.Err() != nil {
			return false
		}
		if failures == 0 {
			d.log.Error("deliveries cannot be settled; what they are is tried again, and a stop before that would deliver them twice",
				"deliveries", len(batch), "error", err)
		}
		select {
		case <-s.ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
	more := false
	for i := range batch {
		x := batch[i].Delivery
		if l := d.known(x.Queue); l != nil {
			d.budget.free(&l.share, x.Event.Weight())
			more = more || l.more.Load()
		}
		if d.observer != nil {
			d.observer.Settled(x.Queue, batch[i].label, batch[i].Outcome, batch[i].Reason, time.Since(x.Accepted))
		}
	}
	if more {
		signal(d.hungry)
	}
	return true
}

// close settles what is pending, until ctx ends.
func (s *settler) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	signal(s.wake)
	select {
	case <-s.done:
	case <-ctx.Done():
		select { // what is quick is still told
		case <-s.done:
		case <-time.After(cutGrace):
		}
	}
	s.stop()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.pending); n > 0 {
		return fmt.Errorf("%d deliveries could not be settled and will be delivered a second time: %w", n, errNotSettled)
	}
	return nil
}

var errNotSettled = errors.New("the store did not take it in time")
