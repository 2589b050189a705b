package outbox_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/attempt"
	"github.com/kong/keg/outbox"
)

// faulty is a store that fails as a test tells it.
type faulty struct {
	outbox.Store
	settle  func(settlements []*outbox.Settlement) error
	claim   func(q outbox.Queue) error
	changed chan struct{} // nil: the store's own
}

func (f *faulty) Settle(ctx context.Context, settlements ...*outbox.Settlement) error {
	if f.settle != nil {
		if err := f.settle(settlements); err != nil {
			return err
		}
	}
	return f.Store.Settle(ctx, settlements...)
}

func (f *faulty) Claim(ctx context.Context, q outbox.Queue, n int, maxBytes int64) ([]*outbox.Delivery, error) {
	if f.claim != nil {
		if err := f.claim(q); err != nil {
			return nil, err
		}
	}
	return f.Store.Claim(ctx, q, n, maxBytes)
}

func (f *faulty) Changed() <-chan struct{} {
	if f.changed != nil {
		return f.changed
	}
	return f.Store.Changed()
}

// over puts a store that may fail between the dispatcher and its store.
func (r *rig) over(f *faulty) {
	r.t.Helper()
	r.close()
	f.Store = r.store
	r.options.Store = f
	r.Dispatcher = outbox.NewDispatcher(r.options)
}

func TestASlowFirstAttemptHoldsUpNoOther(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q, o := r.outlet("a")
	release := make(chan struct{})
	var first atomic.Bool
	o.on(func(context.Context, *keg.Event) error {
		if first.CompareAndSwap(false, true) {
			<-release
		}
		return nil
	})
	r.Start()
	r.mu.Lock() // no worker learns of the outlet before all are there
	r.putMany(50, q)
	r.mu.Unlock()
	r.until("the others are delivered", func() bool { return len(o.taken()) == 49 })
	close(release)
	r.empty()
}

func TestAStoreThatTellsOfNoSettlementIsReadAsRoomIsMade(t *testing.T) {
	for range 10 {
		r := newRig(t, outbox.DispatcherOptions{MaxHeld: 3})
		r.over(&faulty{changed: make(chan struct{})})
		qa, a := r.outlet("a")
		qb, b := r.outlet("b")
		r.putMany(200, qa, qb)
		r.Start()
		r.empty()
		once(t, a.taken(), 200)
		once(t, b.taken(), 200)
	}
}

func TestASettlementThatTheStoreCannotBearHoldsUpNoOther(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	var well atomic.Bool
	r.over(&faulty{settle: func(settlements []*outbox.Settlement) error {
		for _, s := range settlements {
			if s.Delivery.Event.ID == "7" && !well.Load() {
				return errors.New("value out of range")
			}
		}
		return nil
	}})
	q, o := r.outlet("a")
	r.Start()
	r.putMany(100, q)
	r.until("all the others are settled", func() bool { n, _ := r.Held(); return n == 1 })
	well.Store(true)
	r.empty()
	once(t, o.taken(), 100)
	if n := strings.Count(r.log.String(), "value out of range"); n == 0 || n > 5 {
		t.Errorf("the log tells it %d times", n)
	}
}

func TestAStopTellsWhatComesASecondTime(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	var away atomic.Bool
	away.Store(true)
	r.over(&faulty{settle: func([]*outbox.Settlement) error {
		if away.Load() {
			return &outbox.UnavailableError{Problem: "the disk is full"}
		}
		return nil
	}})
	q, o := r.outlet("a")
	r.Start()
	r.putMany(10, q)
	r.until("all are delivered", func() bool { return len(o.taken()) == 10 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Dispatcher.Close(ctx); err == nil || !strings.Contains(err.Error(), "10 deliveries could not be settled") {
		t.Errorf("%v", err)
	}
	away.Store(false)
	r.Dispatcher = outbox.NewDispatcher(r.options) // for the rig to close
}

func TestWhatCannotBeReachedWhileTheRestCanIsNotTriedWithoutAPause(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q, o := r.outlet("a")
	o.retry.Backoff = 20 * time.Millisecond
	var attempts, well atomic.Int64
	o.on(func(_ context.Context, e *keg.Event) error {
		if e.ID == "bad" && well.Load() == 0 {
			attempts.Add(1)
			return keg.Unreachable(errors.New("the partition has no leader"))
		}
		return nil
	})
	r.Start()
	r.put("bad", "", q)
	rounds := 0
	for began := time.Now(); time.Since(began) < 500*time.Millisecond; {
		r.putMany(8, q)
		r.until("the others have gone", func() bool { return len(o.taken()) == 8*(rounds+1) })
		rounds++
		if state := o.breaker.Status().State; state != attempt.Closed {
			t.Fatalf("one delivery made the breaker %s", state)
		}
	}
	if n := attempts.Load(); n < 2 || n > 50 {
		t.Errorf("%d attempts in half a second", n)
	}
	well.Store(1)
	r.empty()
	if len(r.dead()) != 0 {
		t.Error("an outage made a dead letter")
	}
}

func TestAQueueThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	var queues []outbox.Queue
	var outlets []*outlet
	for _, name := range []string{"a", "b", "c", "d"} {
		q, o := r.outlet(name)
		queues, outlets = append(queues, q), append(outlets, o)
	}
	var well atomic.Bool
	r.over(&faulty{claim: func(q outbox.Queue) error {
		if q == queues[1] && !well.Load() {
			return errors.New("checksum mismatch")
		}
		return nil
	}})
	r.putMany(1500, queues...)
	r.Start()
	for i, o := range outlets {
		if i != 1 {
			r.until("the others have all", func() bool { return len(o.taken()) == 1500 })
		}
	}
	well.Store(true)
	r.empty()
	once(t, outlets[1].taken(), 1500)
}

func TestARefusedDeadLetterIsNotCountedAsDelivered(t *testing.T) {
	var outcomes watch
	r := newRig(t, outbox.DispatcherOptions{Observer: &outcomes})
	q, o := r.outlet("a")
	o.on(always(keg.Permanent(errDown)))
	o.grave = outbox.Queue{Route: "r", Destination: "grave", DeadLetter: true}
	g := newOutlet("fake://grave")
	g.on(always(keg.Permanent(errors.New("the grave is full"))))
	r.outlets[o.grave] = g
	r.Start()
	r.put("1", "", q)
	r.empty()
	r.until("both are told of", func() bool { return outcomes.dead.Load() == 2 })
	if n := outcomes.done.Load(); n != 0 {
		t.Errorf("%d count as delivered", n)
	}
}

type watch struct{ done, dead atomic.Int64 }

func (*watch) Attempted(outbox.Queue, string, *keg.Event, time.Duration, error) {}

func (w *watch) Settled(_ outbox.Queue, _ string, o outbox.Outcome, _ keg.Reason, _ time.Duration) {
	switch o {
	case outbox.Done:
		w.done.Add(1)
	case outbox.Dead:
		w.dead.Add(1)
	}
}

// A destination that takes so many in a while, and refuses the rest with
// Retry-After, is not run against with all that waits until it is dead letters.
func TestADestinationThatTakesSoManyInAWhileIsNotRunAgainst(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q, o := r.outlet("a")
	o.width = 256
	const window = 100 * time.Millisecond
	var mu sync.Mutex
	var until time.Time
	left := 0
	o.on(func(context.Context, *keg.Event) error {
		time.Sleep(time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.After(until) {
			until, left = now.Add(window), 20
		}
		if left == 0 {
			return keg.RetryAfter(errors.New("answered 429"), time.Until(until))
		}
		left--
		return nil
	})
	r.putMany(400, q)
	r.Start()
	r.empty()
	// The first 256 are on their way before it asks for anything.
	if n := len(r.dead()); n > 100 {
		t.Errorf("%d of 400 are dead letters", n)
	}
}
