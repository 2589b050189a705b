package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kong/keg"
	"github.com/kong/keg/attempt"
	"github.com/kong/keg/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("answered 500")

func always(err error) func(context.Context, *keg.Event) error {
	return func(context.Context, *keg.Event) error { return err }
}

func TestEveryDeliveryIsMadeOnce(t *testing.T) {
	for name, o := range map[string]outbox.DispatcherOptions{
		"from memory":                        {},
		"memory has room for few":            {MaxHeld: 20},
		"memory has room for a few bytes":    {MaxHeldBytes: 2000},
		"the store holds all but one a lane": {MaxHeld: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, o)
			qa, a := r.outlet("a")
			qb, b := r.outlet("b")
			r.Start()
			r.putMany(2000, qa, qb)
			r.empty()
			once(t, a.taken(), 2000)
			once(t, b.taken(), 2000)
			if len(r.dead()) != 0 {
				t.Errorf("%d dead letters", len(r.dead()))
			}
		})
	}
}

func TestWhatWaitedBeforeTheStartGoes(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{MaxHeld: 100})
	q, o := r.outlet("a")
	r.putMany(3000, q)
	r.Start()
	r.empty()
	once(t, o.taken(), 3000)
}

// A store that was just opened knows not yet when what it has is due. It finds
// out by the first Claim, and the dispatcher must not look away then.
func TestWhatIsDueSoonAfterAStoreWasOpenedGoesThen(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q, o := r.outlet("a")
	owed := &outbox.Owed{Queue: q, Hold: true}
	if err := r.store.Put(t.Context(), &outbox.Entry{Event: &keg.Event{ID: "1", Source: "shop", Type: "t"}, Owed: []*outbox.Owed{owed}}); err != nil {
		t.Fatal(err)
	}
	due := time.Now().Add(time.Second)
	if err := r.store.Settle(t.Context(), &outbox.Settlement{Delivery: owed.Held, Outcome: outbox.Again, At: due}); err != nil {
		t.Fatal(err)
	}
	r.close()
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	r.open()
	r.options.Store = r.store
	r.Dispatcher = outbox.NewDispatcher(r.options)
	r.Start()
	for len(o.taken()) == 0 {
		if late := time.Since(due); late > 10*time.Second {
			t.Fatalf("it is %v late", late)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestMemoryIsBoundedWhateverWaits(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{MaxHeld: 200})
	stop := make(chan struct{})
	var queues []outbox.Queue
	for i := range 5 {
		q, o := r.outlet(fmt.Sprint("dead", i))
		o.on(func(ctx context.Context, _ *keg.Event) error { <-stop; return nil })
		queues = append(queues, q)
	}
	r.Start()
	r.putMany(500, queues...)
	most := int64(0)
	for range 100 {
		n, _ := r.Held()
		most = max(most, n)
		time.Sleep(time.Millisecond)
	}
	if most > 200 {
		t.Errorf("%d deliveries are held", most)
	}
	close(stop)
	r.empty()
}

func TestASlowDestinationSlowsNoOther(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{MaxHeld: 100})
	slow, s := r.outlet("slow")
	fast, f := r.outlet("fast")
	release := make(chan struct{})
	s.on(func(context.Context, *keg.Event) error { <-release; return nil })
	r.Start()
	r.putMany(1000, slow, fast)
	r.until("the fast one has all", func() bool { return len(f.taken()) == 1000 })
	if n := len(s.taken()); n != 0 {
		t.Errorf("the slow one has %d", n)
	}
	close(release)
	r.empty()
	once(t, s.taken(), 1000)
}

func TestNoMoreAttemptsAtOnceThanTheDestinationTakes(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q, o := r.outlet("a")
	o.width = 7
	o.on(func(context.Context, *keg.Event) error { time.Sleep(time.Millisecond); return nil })
	r.Start()
	r.putMany(500, q)
	r.empty()
	if _, most := o.attempts(); most != 7 {
		t.Errorf("%d attempts at once", most)
	}
}

func TestAnOutageSpendsNoAttempts(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{MaxHeld: 50})
	q, o := r.outlet("a")
	other, well := r.outlet("b")
	o.on(always(keg.Unreachable(errors.New("connection refused"))))
	r.Start()
	r.putMany(300, q, other)
	r.until("the other destination has all", func() bool { return len(well.taken()) == 300 })
	r.until("the breaker opens", func() bool { return o.breaker.Status().State != attempt.Closed })
	before, _ := o.attempts()
	time.Sleep(700 * time.Millisecond)
	if after, _ := o.attempts(); after-before > 4 {
		t.Errorf("%d attempts in 0.7 s at a destination that is away", after-before)
	}
	if len(r.dead()) != 0 {
		t.Errorf("an outage made %d dead letters", len(r.dead()))
	}
	o.on(nil)
	r.empty()
	once(t, o.taken(), 300)
	if len(r.dead()) != 0 {
		t.Errorf("an outage made %d dead letters", len(r.dead()))
	}
}

func TestAPoisonEventHoldsUpNoOther(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q, o := r.outlet("a")
	o.timeout = 20 * time.Millisecond
	o.on(func(ctx context.Context, e *keg.Event) error { // the destination dies of one event
		if e.ID == "7" {
			time.Sleep(20 * time.Millisecond)
			return context.DeadlineExceeded
		}
		return nil
	})
	r.Start()
	r.putMany(200, q)
	others := 199
	r.until("it is given up", func() bool { // alone, it could not be told from an outage
		r.put(fmt.Sprint("other", others), "", q)
		others++
		return len(r.dead()) == 1
	})
	r.empty()
	if got := o.taken(); len(got) != others {
		t.Errorf("%d of %d were taken", len(got), others)
	}
	if dead := r.dead(); len(dead) != 1 || dead[0].Event.ID != "7" || dead[0].Reason != keg.ReasonExhausted {
		t.Errorf("%+v", dead)
	}
}

func TestHowADeliveryIsGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		err      error
		reason   keg.Reason
		attempts int
	}{
		"attempts are spent":     {errDown, keg.ReasonExhausted, 3},
		"it is refused for good": {keg.Permanent(errors.New("answered 403\r\nX: 1")), keg.ReasonRefused, 1},
		"it is too large":        {keg.Permanent(&keg.TooLargeError{What: "record", Limit: 1, Unit: "bytes"}), keg.ReasonTooLarge, 1},
		"the destination asks for patience, and does not get it for ever": {keg.RetryAfter(errDown, time.Millisecond), keg.ReasonExhausted, 3},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, outbox.DispatcherOptions{})
			q, o := r.outlet("a")
			grave, g := r.outlet("grave")
			o.grave = grave
			o.on(always(test.err))
			r.Start()
			began := time.Now()
			r.put("1", "", q)
			r.empty()
			dead := r.dead()
			if len(dead) != 1 {
				t.Fatalf("%d dead letters", len(dead))
			}
			d := dead[0]
			if d.Reason != test.reason || d.Attempts != test.attempts || d.Event.ID != "1" || d.Route != "r" || d.Destination != "a" ||
				strings.ContainsAny(d.Error, "\r\n") || d.First.Before(began.Add(-time.Millisecond)) || d.Last.Before(d.First) || d.Died.Before(d.Last.Add(-time.Millisecond)) {
				t.Errorf("%+v", d)
			}
			if all, _ := o.attempts(); all != test.attempts {
				t.Errorf("%d attempts", all)
			}
			if got := g.taken(); !slices.Equal(got, []string{"1"}) {
				t.Errorf("the dead-letter destination has %v", got)
			}
		})
	}
}

func TestADeadLetterThatItsDestinationRefusesStaysInTheStore(t *testing.T) {
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
	if dead := r.dead(); len(dead) != 1 || dead[0].Destination != "a" {
		t.Errorf("%+v", dead)
	}
	if !strings.Contains(r.log.String(), "the grave is full") {
		t.Error("nobody is told")
	}
	r.until("both are told of as given up", func() bool { return outcomes.dead.Load() == 2 })
	if n := outcomes.done.Load(); n != 0 {
		t.Errorf("%d count as delivered", n)
	}
}

func TestAnOldDeliveryExpires(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q, o := r.outlet("a")
	o.retry.MaxAge = 300 * time.Millisecond
	o.on(always(keg.Unreachable(errors.New("no such host"))))
	r.Start()
	r.putMany(50, q)
	r.empty()
	dead := r.dead()
	if len(dead) != 50 {
		t.Fatalf("%d dead letters", len(dead))
	}
	told := false
	for _, d := range dead {
		if d.Reason != keg.ReasonExpired || d.Attempts != 0 {
			t.Errorf("%+v", d)
		}
		told = told || strings.Contains(d.Error, "no such host")
	}
	if !told {
		t.Errorf("no dead letter tells why: %s", dead[0].Error)
	}
}

func TestADestinationThatAsksForAPauseGetsIt(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q, o := r.outlet("a")
	o.width = 1
	var mu sync.Mutex
	var until time.Time
	early := 0
	o.on(func(context.Context, *keg.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if until.IsZero() {
			until = time.Now().Add(300 * time.Millisecond)
			return keg.RetryAfter(errors.New("answered 429"), 300*time.Millisecond)
		}
		if time.Now().Before(until.Add(-5 * time.Millisecond)) {
			early++
		}
		return nil
	})
	r.Start()
	r.putMany(20, q)
	r.empty()
	once(t, o.taken(), 20)
	if early > 0 {
		t.Errorf("%d attempts came too early", early)
	}
}

func TestDeliveriesOfAKeyKeepTheirOrder(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{MaxHeld: 64})
	q, o := r.outlet("a")
	failed := map[string]int{}
	var mu sync.Mutex
	o.retry.MaxAttempts = 1000
	o.on(func(_ context.Context, e *keg.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if failed[e.ID]++; failed[e.ID] < 3 && rand.N(10) == 0 {
			return errDown
		}
		return nil
	})
	r.Start()
	const keys, each = 20, 60
	var senders sync.WaitGroup
	for k := range keys {
		senders.Go(func() {
			for n := range each {
				r.put(fmt.Sprintf("%d/%d", k, n), fmt.Sprint("key", k), q)
			}
		})
	}
	senders.Wait()
	r.empty()
	next := map[int]int{}
	for _, id := range o.taken() {
		var k, n int
		if _, err := fmt.Sscanf(id, "%d/%d", &k, &n); err != nil {
			t.Fatal(err)
		}
		if n != next[k] {
			t.Fatalf("of key %d came %d instead of %d", k, n, next[k])
		}
		next[k]++
	}
	for k := range keys {
		if next[k] != each {
			t.Errorf("of key %d came %d", k, next[k])
		}
	}
}

func TestAFailingKeyHoldsBackItselfAlone(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q, o := r.outlet("a")
	o.retry = keg.Retry{MaxAttempts: 100_000, Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond}
	o.on(func(_ context.Context, e *keg.Event) error {
		if strings.HasPrefix(e.ID, "bad") {
			return errDown
		}
		return nil
	})
	r.Start()
	for n := range 20 {
		r.put(fmt.Sprint("bad", n), "bad", q)
		r.put(fmt.Sprint("good", n), "good", q)
	}
	r.until("the good key has all", func() bool { return len(o.taken()) == 20 })
	o.on(nil)
	r.empty()
	var bad []string
	for _, id := range o.taken() {
		if strings.HasPrefix(id, "bad") {
			bad = append(bad, id)
		}
	}
	for n := range 20 {
		if bad[n] != fmt.Sprint("bad", n) {
			t.Fatalf("%v", bad)
		}
	}
}

func TestWhatIsOwedToATableThatWasNotSeenWaits(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	r.unseen = true
	q := outbox.Queue{Scope: "plugin-7", Route: "r", Destination: "a"}
	r.Start()
	r.putMany(50, q)
	time.Sleep(100 * time.Millisecond)
	if len(r.dead()) != 0 {
		t.Fatalf("%d dead letters", len(r.dead()))
	}
	o := newOutlet("fake://a")
	r.mu.Lock()
	r.outlets[q] = o
	r.mu.Unlock()
	r.Wake()
	r.empty()
	once(t, o.taken(), 50)
}

func TestWhatWaitsForATableThatNobodyBringsExpires(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	r.unseen = true
	q := outbox.Queue{Scope: "plugin-7", Route: "r", Destination: "a"}
	r.putMany(30, q)
	r.UnseenAge(time.Nanosecond)
	r.Start()
	r.empty()
	if dead := r.dead(); len(dead) != 30 || dead[0].Reason != keg.ReasonNoDestination || dead[0].Attempts != 0 {
		t.Fatalf("%d dead letters, %+v", len(dead), dead)
	}
}

func TestWhatIsOwedToADestinationThatIsNoMoreBecomesDeadLetters(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q := outbox.Queue{Route: "r", Destination: "a"}
	r.putMany(50, q)
	r.Start()
	r.empty()
	dead := r.dead()
	if len(dead) != 50 || dead[0].Reason != keg.ReasonNoDestination || dead[0].Destination != "a" {
		t.Fatalf("%d dead letters, %+v", len(dead), dead)
	}
}

func TestADispatcherThatStopsLeavesTheRestToTheNext(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	r := newRig(t, outbox.DispatcherOptions{MaxHeld: 50})
	q, o := r.outlet("a")
	o.on(func(ctx context.Context, _ *keg.Event) error {
		select {
		case <-time.After(time.Millisecond):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	r.Start()
	for round := range 10 {
		for i := range 100 {
			r.put(fmt.Sprint(100*round+i), "", q)
		}
		time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
		r.again()
	}
	r.empty()
	once(t, o.taken(), 1000) // a stop in order delivers nothing twice
}

func TestAStopDoesNotWaitForADestinationThatHangs(t *testing.T) {
	r := newRig(t, outbox.DispatcherOptions{})
	q, o := r.outlet("a")
	o.on(func(ctx context.Context, _ *keg.Event) error { <-ctx.Done(); return ctx.Err() })
	r.Start()
	r.putMany(40, q)
	r.until("it hangs", func() bool { n, _ := o.attempts(); return n >= 16 })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := r.Dispatcher.Close(ctx); err == nil || !strings.Contains(err.Error(), "stay in the store") {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	o.on(nil)
	r.Dispatcher = outbox.NewDispatcher(r.options)
	r.Start()
	r.empty()
	once(t, o.taken(), 40)
}
