package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

// stressFor is how long the stress test makes trouble; KEG_STRESS=10m makes it
// longer, and KEG_STRESS_SEED repeats the choices of a run.
const stressFor = 4 * time.Second

// TestWhateverHappensEachDeliveryEndsAsTheContractSays puts deliveries under way
// while destinations fail in every way they have, tables change, dispatchers are
// replaced and the store refuses work; then it lets all get well and counts.
func TestWhateverHappensEachDeliveryEndsAsTheContractSays(t *testing.T) {
	length, seed := stressFor, rand.Uint64()
	if text := os.Getenv("KEG_STRESS"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	if text := os.Getenv("KEG_STRESS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { stress(t, seed, min(time.Until(end), stressFor)) })
	}
}

// stressed is one run.
type stressed struct {
	*rig
	random *shared
	queues []outbox.Queue
	ledger ledger
	faults atomic.Bool // the world is bad
	store  *faulty     // over the rig's
	abrupt bool        // some stops are
	stops  int         // that were
	inUse  sync.RWMutex
}

// shared is a random source for many goroutines.
type shared struct {
	mu sync.Mutex
	*rand.Rand
}

func (s *shared) n(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.IntN(n)
}

var errOfTheTest = errors.New("an error that the test has put in")

func stress(t *testing.T, seed uint64, length time.Duration) {
	s := &stressed{random: &shared{Rand: rand.New(rand.NewPCG(seed, 1))}}
	s.ledger.owed, s.ledger.inOrder = map[string]*account{}, map[string]int{}
	s.rig = newRig(t, outbox.DispatcherOptions{MaxHeld: 1 + s.random.n(200), MaxHeldBytes: int64(1000 + s.random.n(100_000))})
	s.faults.Store(true)
	s.abrupt = s.random.n(2) == 0
	s.store = &faulty{
		settle: func([]*outbox.Settlement) error { return s.sometimes(10) },
		claim:  func(outbox.Queue) error { return s.sometimes(20) },
	}
	s.over(s.store)
	for i := range 5 {
		s.destination(i)
	}
	s.Start()

	stop := make(chan struct{})
	var troubles, senders sync.WaitGroup
	for _, trouble := range []func(){s.swap, s.restart} {
		troubles.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(s.random.n(200)) * time.Millisecond):
					trouble()
				}
			}
		})
	}
	puts := 0
	var mu sync.Mutex
	for sender := range 4 {
		senders.Go(func() {
			for n := 0; ; n++ {
				if n == 1000 { // enough to be drained soon
					<-stop
				}
				select {
				case <-stop:
					mu.Lock()
					defer mu.Unlock()
					puts += n
					return
				default:
				}
				s.owe(fmt.Sprintf("%d/%d", sender, n), sender, n)
				if s.random.n(5) == 0 {
					time.Sleep(time.Duration(s.random.n(5)) * time.Millisecond)
				}
			}
		})
	}
	time.Sleep(length)
	close(stop)
	senders.Wait()
	troubles.Wait()
	s.faults.Store(false)
	defer s.tell()
	for before := int64(-1); ; { // as long as it goes on, however slow the machine
		now := s.waiting()
		if now == 0 || now == before {
			break
		}
		before = now
		patience := time.Now().Add(30 * time.Second)
		for s.waiting() == now && time.Now().Before(patience) {
			time.Sleep(5 * time.Millisecond)
		}
	}
	s.empty()
	s.count()
	t.Logf("%d events", puts)
}

// sometimes is an error, in one of n cases while there is trouble.
func (s *stressed) sometimes(n int) error {
	if !s.faults.Load() || s.random.n(n) > 0 {
		return nil
	}
	return errOfTheTest
}

// destination adds one. Even ones are ordered, and keys of theirs are whose sender
// it was.
func (s *stressed) destination(i int) {
	q, o := s.outlet(fmt.Sprint("d", i))
	s.queues = append(s.queues, q)
	o.width = 1 + s.random.n(20)
	o.timeout = 20 * time.Millisecond
	o.retry = keg.Retry{MaxAttempts: 1 + s.random.n(5), Backoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond, MaxAge: time.Hour}
	if i == 1 {
		o.retry.MaxAge = time.Second
	}
	var down atomic.Int64 // until when
	o.on(func(ctx context.Context, e *keg.Event) error {
		if !s.faults.Load() {
			s.took(q, e)
			return nil
		}
		if time.Now().UnixNano() < down.Load() {
			return keg.Unreachable(errOfTheTest)
		}
		switch s.random.n(60) {
		case 0:
			down.Store(time.Now().Add(time.Duration(s.random.n(300)) * time.Millisecond).UnixNano())
			return keg.Unreachable(errOfTheTest)
		case 1, 2, 3:
			return errDown
		case 4:
			return keg.RetryAfter(errDown, time.Duration(s.random.n(50))*time.Millisecond)
		case 5:
			s.ledger.mu.Lock()
			s.ledger.of(q.Destination, e.ID).refused = true
			s.ledger.mu.Unlock()
			return keg.Permanent(errDown)
		case 6, 7: // it hangs
			limit := time.NewTimer(o.timeout)
			defer limit.Stop()
			select {
			case <-limit.C:
				return context.DeadlineExceeded
			case <-ctx.Done():
				return ctx.Err()
			}
		case 8: // it takes the event, and its answer is lost
			s.took(q, e)
			s.ledger.mu.Lock()
			s.ledger.of(q.Destination, e.ID).unknown++
			s.ledger.mu.Unlock()
			return errDown
		case 9:
			return keg.Unreachable(errOfTheTest)
		}
		time.Sleep(time.Duration(s.random.n(300)) * time.Microsecond)
		s.took(q, e)
		return nil
	})
}

// took notes what a destination has.
func (s *stressed) took(q outbox.Queue, e *keg.Event) {
	var sender, n int
	if _, err := fmt.Sscanf(e.ID, "%d/%d", &sender, &n); err != nil {
		panic(err)
	}
	l := &s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(q.Destination, e.ID).taken++
	if !ordered(q) {
		return
	}
	key := fmt.Sprint(q.Destination, sender)
	if last := l.inOrder[key]; n < last {
		l.wrong("%s took %s after number %d", q.Destination, e.ID, last)
	}
	l.inOrder[key] = max(l.inOrder[key], n)
}

func ordered(q outbox.Queue) bool { return q.Destination != "d1" && q.Destination != "d3" }

// owe stores an event for some destinations, as the hub does.
func (s *stressed) owe(id string, sender, n int) {
	s.inUse.RLock()
	defer s.inUse.RUnlock()
	e := &keg.Event{ID: id, Source: "shop", Type: "order.created", Data: make([]byte, s.random.n(2000))}
	entry := &outbox.Entry{Event: e}
	for _, q := range s.queues {
		if s.random.n(3) == 0 {
			continue
		}
		o := &outbox.Owed{Queue: q}
		if ordered(q) {
			o.Key = fmt.Sprint("sender", sender)
		}
		entry.Owed = append(entry.Owed, o)
		s.ledger.mu.Lock()
		s.ledger.of(q.Destination, id)
		s.ledger.mu.Unlock()
	}
	s.keep(entry)
}

// swap takes a destination away for a while. The table with d3 is known without it;
// those of the others have not been seen then.
func (s *stressed) swap() {
	s.mu.Lock()
	q := s.queues[s.random.n(len(s.queues))]
	o := s.outlets[q]
	s.unseen = q.Destination != "d3"
	delete(s.outlets, q)
	s.mu.Unlock()
	time.Sleep(time.Duration(s.random.n(30)) * time.Millisecond)
	s.mu.Lock()
	s.outlets[q] = o
	s.mu.Unlock()
	s.inUse.RLock()
	defer s.inUse.RUnlock()
	s.Wake()
}

// restart replaces the dispatcher: in order, in which case the store hears of
// everything in the end, or without giving it time, and the store after it.
func (s *stressed) restart() {
	s.inUse.Lock()
	defer s.inUse.Unlock()
	if !s.abrupt || s.random.n(2) == 0 {
		s.again()
		return
	}
	s.stops++
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Dispatcher.Close(ctx) // tells what it could not settle
	if err := s.rig.store.Close(); err != nil {
		s.t.Error(err)
	}
	s.rig.open()
	s.store.Store = s.rig.store
	s.Dispatcher = outbox.NewDispatcher(s.options)
	s.Start()
}
