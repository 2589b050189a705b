package outbox

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/kong/keg"
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
// the last batch is the next one. What it cannot tell it keeps, and tries again in
// smaller batches, so that one which the store cannot bear holds up no other; what
// a stop leaves untold is delivered a second time. It keeps no more than is held:
// room is given back when the store has heard.
type settler struct {
	dispatcher *Dispatcher
	wake       chan struct{}
	done       chan struct{}
	ctx        context.Context
	stop       context.CancelFunc
	failures   rate.Sometimes // as they are logged

	mu      sync.Mutex
	pending []settling
	closed  bool
}

// settling is a settlement on its way, and what the observer is told of it.
type settling struct {
	*Settlement
	lane  *lane // whose room the delivery takes
	label string
	// refused is why a dead letter was not taken by its destination, "" otherwise:
	// the store is told that it is done with.
	refused keg.Reason
}

func (s *settler) init(d *Dispatcher) {
	s.dispatcher, s.wake, s.done = d, make(chan struct{}, 1), make(chan struct{})
	s.failures = rate.Sometimes{First: 1, Interval: 10 * time.Second}
	s.ctx, s.stop = context.WithCancel(context.Background())
	go s.run()
}

// enqueue takes a settlement in. It does not block. After close it is dropped: the
// hold ends with the process.
func (s *settler) enqueue(one settling) {
	s.mu.Lock()
	if !s.closed {
		s.pending = append(s.pending, one)
	}
	s.mu.Unlock()
	signal(s.wake)
}

// take moves up to n of what is pending to batch. It blocks until there is some,
// and returns none when the settler is closed and has no more.
func (s *settler) take(batch []settling, n int) []settling {
	for {
		s.mu.Lock()
		if len(s.pending) <= n {
			batch, s.pending = s.pending, batch[:0]
		} else {
			batch = append(batch[:0], s.pending[:n]...)
			clear(s.pending[:n])
			s.pending = s.pending[n:]
		}
		closed := s.closed
		s.mu.Unlock()
		if len(batch) > 0 || closed {
			return batch
		}
		<-s.wake
		runtime.Gosched() // whoever is about to settle more does so first
	}
}

// putBack takes in again what could not be told, behind the rest.
func (s *settler) putBack(batch []settling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, batch...)
}

func (s *settler) run() {
	defer close(s.done)
	batch, settlements := []settling(nil), []*Settlement(nil)
	atOnce, wait := settleAtOnce, settleRetry
	for {
		clear(batch)
		if cap(batch) > 4*settleAtOnce {
			batch = nil
		}
		if batch = s.take(batch, atOnce); len(batch) == 0 {
			return
		}
		settlements = settlements[:0]
		for i := range batch {
			settlements = append(settlements, batch[i].Settlement)
		}
		err := s.dispatcher.store.Settle(s.ctx, settlements...)
		clear(settlements)
		if err == nil {
			s.settled(batch)
			atOnce, wait = min(2*atOnce, settleAtOnce), settleRetry
			continue
		}
		s.putBack(batch)
		s.failures.Do(func() {
			s.dispatcher.log.Error("deliveries cannot be settled; it is tried again, and a stop before that would deliver them twice",
				"deliveries", len(batch), "error", err)
		})
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(wait):
		}
		atOnce, wait = max(len(batch)/2, 1), min(2*wait, settleRetryMost)
	}
}

// settled tells the observer of what the store has heard of, and then gives back
// its room.
func (s *settler) settled(batch []settling) {
	d := s.dispatcher
	more := false
	for i := range batch {
		x := batch[i].Delivery
		if d.observer != nil {
			outcome, reason := batch[i].Outcome, batch[i].Reason
			if batch[i].refused != "" {
				outcome, reason = Dead, batch[i].refused
			}
			d.observer.Settled(x.Queue, batch[i].label, outcome, reason, time.Since(x.Accepted))
		}
		more = batch[i].lane.free(x.Event.Weight()) || more
	}
	if more {
		signal(d.hungry)
	}
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
