package outboxtest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

var loadTests = map[string]func(*home){
	"many goroutines at once: each delivery is handed out once, and none is lost": func(t *home) { load(t, t.open()) },
}

// ledger is what the workers of a load know.
type ledger struct {
	t     *home
	left  atomic.Int64 // deliveries that have not ended
	dead  atomic.Int64
	mutex sync.Mutex
	held  map[string]bool // by delivery id
	keys  map[string]bool // keys with a held one
	next  map[string]int  // by key: the number whose turn it is
	ended map[string]bool // by event id and queue
}

// take notes that d was handed out.
func (l *ledger) take(d *outbox.Delivery) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	name := d.Event.ID + " " + d.Queue.Destination
	if l.held[d.ID] {
		l.t.Errorf("%s is handed out while it is held", name)
	}
	if l.ended[name] {
		l.t.Errorf("%s is handed out after its end", name)
	}
	l.held[d.ID] = true
	if d.Key == "" {
		return
	}
	key := d.Key + d.Queue.Destination
	if l.keys[key] {
		l.t.Errorf("two of key %q are held at once", key)
	}
	l.keys[key] = true
	if want := fmt.Sprint(d.Key, "/", l.next[key]); d.Event.ID != want {
		l.t.Errorf("of key %q came %s, where %s was due", key, d.Event.ID, want)
	}
}

// release notes that d's hold is about to end.
func (l *ledger) release(d *outbox.Delivery, last bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.held, d.ID)
	key := d.Key + d.Queue.Destination
	delete(l.keys, key)
	if last {
		l.ended[d.Event.ID+" "+d.Queue.Destination] = true
		l.next[key]++
	}
}

// load runs producers and consumers on stores that share their data.
func load(t *home, nodes ...*node) {
	const producers, each, consumers = 8, 60, 3
	l := &ledger{t: t, held: map[string]bool{}, keys: map[string]bool{}, next: map[string]int{}, ended: map[string]bool{}}
	l.left.Store(producers * each * 2)
	done := make(chan struct{})
	var working sync.WaitGroup
	for p := range producers {
		working.Go(func() { l.produce(nodes[p%len(nodes)], p, each, t.source(uint64(p)), done) })
	}
	for _, s := range nodes {
		work := make(chan outbox.Queue)
		for c := range consumers {
			working.Go(func() {
				random := t.source(uint64(1000 + c))
				for q := range work {
					l.consume(s, s.claimUpTo(q, 1+random.IntN(20), 1<<20), random, done)
				}
			})
		}
		working.Go(func() { listen(s, work, done) })
	}
	select {
	case <-done:
	case <-time.After(4 * patience):
		t.Errorf("%d deliveries are left, and nobody is told of them", l.left.Load())
		close(done)
	}
	working.Wait()
	if !t.Failed() {
		t.check("dead", int64(len(nodes[0].dead(outbox.Filter{}))), l.dead.Load())
		nodes[0].claimed(queue)
		nodes[0].claimed(other)
	}
}

// listen is the one listener of a store: it trusts Ready and Changed alone.
func listen(s *node, work chan<- outbox.Queue, done <-chan struct{}) {
	defer close(work)
	for {
		queues, again, err := s.Ready(s.t.ctx())
		if err != nil {
			s.t.Errorf("Ready: %v", err)
			return
		}
		for _, q := range queues {
			select {
			case work <- q:
			case <-done:
				return
			}
		}
		if len(queues) > 0 {
			continue
		}
		wait := time.Hour
		if !again.IsZero() {
			wait = time.Until(again)
		}
		timer := time.NewTimer(wait)
		select {
		case <-s.Changed():
		case <-timer.C:
		case <-done:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// produce puts events of its own key, of no key, and of both kinds in one Put.
func (l *ledger) produce(s *node, p, each int, random *rand.Rand, done chan struct{}) {
	key := fmt.Sprint("p", p)
	for i := range each {
		e := &outbox.Entry{Event: event(fmt.Sprint(key, "/", i)), Owed: []*outbox.Owed{
			{Queue: queue, Hold: random.IntN(2) == 0}, {Queue: other, Key: key, Hold: random.IntN(2) == 0}}}
		if err := s.Put(s.t.ctx(), e); err != nil {
			s.t.Errorf("Put: %v", err)
			return
		}
		for _, o := range e.Owed {
			if o.Held != nil {
				l.consume(s, []*outbox.Delivery{o.Held}, random, done)
			}
		}
	}
}

// consume ends what it is given, one way or another.
func (l *ledger) consume(s *node, deliveries []*outbox.Delivery, random *rand.Rand, done chan struct{}) {
	for _, d := range deliveries {
		l.take(d)
	}
	for _, d := range deliveries {
		settlement := &outbox.Settlement{Delivery: d}
		last := true
		switch n := random.IntN(10); {
		case n == 0:
			settlement.Outcome, last = outbox.Return, false
		case n == 1:
			settlement.Outcome, last = outbox.Again, false
			settlement.At = time.Now().Add(time.Duration(random.IntN(20)-5) * time.Millisecond)
		case n == 2:
			settlement.Outcome, settlement.Reason = outbox.Dead, keg.ReasonRefused
			l.dead.Add(1)
		}
		l.release(d, last)
		if err := s.Settle(s.t.ctx(), settlement); err != nil {
			s.t.Errorf("Settle: %v", err)
		}
		if last && l.left.Add(-1) == 0 {
			close(done)
		}
	}
}
