package outbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/attempt"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
	"github.com/kong/keg/test/logtest"
)

// outlet is a destination that does what a test tells it.
type outlet struct {
	label   string
	retry   keg.Retry
	timeout time.Duration
	width   int
	breaker attempt.Breaker
	grave   outbox.Queue // its dead-letter destination; zero for none

	mu   sync.Mutex
	send func(ctx context.Context, e *keg.Event) error // nil: takes everything
	got  []string                                      // ids, as they were taken
	now  int                                           // attempts under way
	most int                                           // at once
	all  int                                           // attempts
}

func newOutlet(label string) *outlet {
	return &outlet{label: label, width: 16, timeout: time.Minute,
		retry: keg.Retry{MaxAttempts: 3, Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, MaxAge: time.Hour}}
}

func (o *outlet) Label() string             { return o.label }
func (o *outlet) Retry() keg.Retry          { return o.retry }
func (o *outlet) Timeout() time.Duration    { return o.timeout }
func (o *outlet) Width() int                { return o.width }
func (o *outlet) Breaker() *attempt.Breaker { return &o.breaker }
func (o *outlet) IsFault(error) bool        { return false }
func (o *outlet) Leave()                    {}

func (o *outlet) Bury(dead *keg.DeadLetter) *outbox.Entry {
	if o.grave == (outbox.Queue{}) {
		return nil
	}
	e := *dead.Event
	e.Headers = keg.Headers{"keg-dlq-reason": {string(dead.Reason)}}
	return &outbox.Entry{Event: &e, Owed: []*outbox.Owed{{Queue: o.grave}}}
}

func (o *outlet) Attempt(ctx context.Context, e *keg.Event) error {
	o.mu.Lock()
	o.now++
	o.all++
	o.most = max(o.most, o.now)
	send := o.send
	o.mu.Unlock()
	var err error
	if send != nil {
		err = send(ctx, e)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now--
	if err == nil {
		o.got = append(o.got, e.ID)
	}
	return err
}

// on tells the outlet what to do.
func (o *outlet) on(send func(ctx context.Context, e *keg.Event) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.send = send
}

func (o *outlet) taken() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.got...)
}

func (o *outlet) attempts() (all, most int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all, o.most
}

// rig is a dispatcher over a real store, and outlets by their queue.
type rig struct {
	*outbox.Dispatcher
	t       *testing.T
	folder  string // the store's
	store   outbox.Store
	log     logtest.Log
	options outbox.DispatcherOptions

	mu      sync.Mutex
	outlets map[outbox.Queue]*outlet
	unseen  bool
}

func newRig(t *testing.T, o outbox.DispatcherOptions) *rig {
	t.Helper()
	r := &rig{t: t, folder: t.TempDir(), outlets: map[outbox.Queue]*outlet{}}
	r.open()
	o.Store, o.Outlets, o.Log = r.store, r, r.log.Logger()
	r.options = o
	r.Dispatcher = outbox.NewDispatcher(o)
	t.Cleanup(func() {
		r.close()
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

// open opens the store.
func (r *rig) open() {
	r.t.Helper()
	store, err := embedded.Open(r.folder, embedded.Options{Log: r.log.Logger()})
	if err != nil {
		r.t.Fatal(err)
	}
	r.store = store
}

func (r *rig) close() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.Dispatcher.Close(ctx); err != nil {
		r.t.Error(err)
	}
}

// again closes the dispatcher, and starts another over the same store.
func (r *rig) again() {
	r.t.Helper()
	r.close()
	r.Dispatcher = outbox.NewDispatcher(r.options)
	r.Start()
}

// Outlet implements [outbox.Outlets].
func (r *rig) Outlet(q outbox.Queue) (outbox.Outlet, outbox.Standing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.outlets[q]
	switch {
	case o != nil:
		return o, outbox.Here
	case r.unseen:
		return nil, outbox.Unseen
	}
	return nil, outbox.Gone
}

// outlet adds one for a queue of that name.
func (r *rig) outlet(name string) (outbox.Queue, *outlet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := outbox.Queue{Route: "r", Destination: name}
	o := newOutlet("fake://" + name)
	r.outlets[q] = o
	return q, o
}

// put stores an event and hands on what it owes, as the hub does.
func (r *rig) put(id, key string, queues ...outbox.Queue) {
	r.t.Helper()
	e := &keg.Event{ID: id, Source: "shop", Type: "order.created", Data: []byte(`{"n":1}`)}
	entry := &outbox.Entry{Event: e}
	for _, q := range queues {
		entry.Owed = append(entry.Owed, &outbox.Owed{Queue: q, Key: key})
	}
	r.keep(entry)
}

// keep stores what is owed, and hands it on.
func (r *rig) keep(entry *outbox.Entry) {
	r.t.Helper()
	rooms := map[*outbox.Owed]outbox.Room{}
	for _, o := range entry.Owed {
		rooms[o], o.Hold = r.Reserve(o.Queue, entry.Event)
	}
	if err := r.store.Put(context.Background(), entry); err != nil {
		r.t.Error(err)
	}
	for _, o := range entry.Owed {
		switch {
		case o.Held != nil:
			rooms[o].Hand(o.Held)
		case o.Hold:
			rooms[o].Free()
		}
	}
}

// putMany stores n events from several senders at once.
func (r *rig) putMany(n int, queues ...outbox.Queue) {
	r.t.Helper()
	var senders sync.WaitGroup
	for s := range 8 {
		senders.Go(func() {
			for i := s; i < n; i += 8 {
				r.put(fmt.Sprint(i), "", queues...)
			}
		})
	}
	senders.Wait()
}

// until waits for a condition.
func (r *rig) until(what string, holds func() bool) {
	r.t.Helper()
	for patience := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(patience) {
			r.t.Fatalf("not in time: %s\n%s", what, r.log.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// empty waits until nothing is owed and nothing held any more.
func (r *rig) empty() {
	r.t.Helper()
	r.until("nothing is owed any more", func() bool {
		if n, _ := r.Held(); n != 0 {
			return false
		}
		stats, err := r.store.Stats(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		for _, q := range stats.Queues {
			if q.Waiting > 0 {
				return false
			}
		}
		return true
	})
	if n, bytes := r.Held(); n != 0 || bytes != 0 {
		r.t.Errorf("%d deliveries and %d bytes are still held", n, bytes)
	}
}

// dead are the dead letters.
func (r *rig) dead() []*keg.DeadLetter {
	r.t.Helper()
	all, err := r.store.DeadLetters(r.t.Context(), outbox.Filter{}, "", 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// once checks that each of n events was taken, and none twice.
func once(t *testing.T, got []string, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, id := range got {
		seen[id]++
		if seen[id] > 1 {
			t.Errorf("%s came %d times", id, seen[id])
		}
	}
	for i := range n {
		if seen[fmt.Sprint(i)] == 0 {
			t.Errorf("%d never came", i)
		}
	}
}
