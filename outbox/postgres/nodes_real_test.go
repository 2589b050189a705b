//go:build real

package postgres

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

func TestANodeThatLostItsLeaseSettlesNothingOfOthers(t *testing.T) {
	raw := newSchema(t)
	// The first one's own heartbeat is too slow for a test; the others' is not.
	a := opened(t, raw, Options{Lease: time.Hour, Node: "a"})
	b := opened(t, raw, Options{Lease: 200 * time.Millisecond, Node: "b"})
	keyed := entry("k1", true)
	keyed.Owed[0].Key = "k"
	next := entry("k2", true)
	next.Owed[0].Key = "k"
	entries := []*outbox.Entry{entry(1, true), entry(2, true), entry(3, true), entry(4, true), keyed, next}
	if err := a.Put(ctxOf(t), entries...); err != nil {
		t.Fatal(err)
	}
	execute(t, raw, "UPDATE nodes SET expires = now() - interval '1 minute' WHERE name = 'a'")
	var got []*outbox.Delivery
	eventually(t, "taken over", func() bool { got = append(got, claim(t, b)...); return len(got) == 5 })
	held := func(i int) *outbox.Delivery { return entries[i].Owed[0].Held }
	then := &outbox.Entry{Event: entry("then", false).Event, Owed: []*outbox.Owed{{Queue: theQueue}}}
	if err := a.Settle(ctxOf(t),
		&outbox.Settlement{Delivery: held(0), Outcome: outbox.Done},
		&outbox.Settlement{Delivery: held(1), Outcome: outbox.Dead, Reason: keg.ReasonRefused, Then: then},
		&outbox.Settlement{Delivery: held(2), Outcome: outbox.Again, At: time.Now()},
		&outbox.Settlement{Delivery: held(3), Outcome: outbox.Return},
		&outbox.Settlement{Delivery: held(4), Outcome: outbox.Done}); err != nil {
		t.Fatal(err)
	}
	if n := query[int](t, raw, "SELECT count(*) FROM deliveries"); n != 6 {
		t.Errorf("%d deliveries are left of 6", n)
	}
	if n := query[int](t, raw, "SELECT count(*) FROM deliveries WHERE holder > 0"); n != 5 {
		t.Errorf("b holds %d, not 5", n)
	}
	if n := query[int](t, raw, "SELECT count(*) FROM dead"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	a.wake() // as its heartbeat would
	old := a.node.Load()
	eventually(t, "another node", func() bool { return a.node.Load() != old })
	// What a takes now it may settle, also that which it held under its old id.
	for _, d := range got {
		settleOne(t, b, d, outbox.Return)
	}
	mine := claim(t, a)
	if len(mine) != 5 {
		t.Fatalf("a was handed out %d", len(mine))
	}
	settleOne(t, a, held(0), outbox.Done) // the old hold, though the delivery is its own again
	if n := query[int](t, raw, "SELECT count(*) FROM deliveries"); n != 6 {
		t.Errorf("a hold of before the lease was lost has ended a new one")
	}
	for _, d := range mine {
		settleOne(t, a, d, outbox.Done)
	}
	if last := claim(t, a); len(last) != 1 || last[0].Event.ID != "k2" {
		t.Errorf("the key's next: %v", last)
	}
}

func TestAHoldEndsOnce(t *testing.T) {
	s := opened(t, newSchema(t), Options{})
	e := entry(1, true)
	if err := s.Put(ctxOf(t), e); err != nil {
		t.Fatal(err)
	}
	first := e.Owed[0].Held
	settleOne(t, s, first, outbox.Return)
	second := claim(t, s)
	settleOne(t, s, first, outbox.Done) // a Settle that is repeated, its answer having been lost
	settleOne(t, s, second[0], outbox.Return)
	if third := claim(t, s); len(third) != 1 {
		t.Fatal("a hold that had ended has ended another one")
	}
}

func TestAfterAnOutageTheLivingAreNotTakenOver(t *testing.T) {
	raw := newSchema(t)
	p, through := newProxy(t, raw)
	const lease = 2 * time.Second
	a, b := opened(t, through, Options{Lease: lease, Node: "a"}), opened(t, through, Options{Lease: lease, Node: "b"})
	for _, s := range []*Store{a, b} {
		if err := s.Put(ctxOf(t), entry(s.name, true)); err != nil {
			t.Fatal(err)
		}
	}
	p.mutex.Lock()
	p.closed = true
	p.mutex.Unlock()
	p.cutAll()
	eventually(t, "both leases have run out", func() bool {
		return query[int](t, raw, "SELECT count(*) FROM nodes WHERE expires < now()") == 2
	})
	p.admit()
	eventually(t, "both are back", func() bool { return a.Check() == nil && b.Check() == nil })
	for end := time.Now().Add(3 * lease); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, s := range []*Store{a, b} {
			if claimed, err := s.Claim(ctxOf(t), theQueue, 10, math.MaxInt64); err == nil && len(claimed) > 0 {
				t.Fatalf("%s was handed out what %s holds", s.name, claimed[0].Event.ID)
			}
		}
	}
}

func TestWhatCannotBeReadIsADeadLetter(t *testing.T) {
	raw := newSchema(t)
	s := opened(t, raw, Options{})
	if err := s.Put(ctxOf(t), entry(1, false), entry(2, false), entry(3, false)); err != nil {
		t.Fatal(err)
	}
	execute(t, raw, `UPDATE events SET data = '\xffffff' WHERE id = (SELECT min(id) + 1 FROM events)`)
	if claimed := claim(t, s); len(claimed) != 2 {
		t.Fatalf("%d of the 2 good ones", len(claimed))
	}
	dead, err := s.DeadLetters(ctxOf(t), outbox.Filter{}, "", 10)
	if err != nil || len(dead) != 1 || dead[0].Reason != keg.ReasonInternal || string(dead[0].Event.Data) != "\xff\xff\xff" {
		t.Fatal(dead, err)
	}
	stats, err := s.Stats(ctxOf(t))
	if err != nil || stats.CutTails != 1 {
		t.Error("it is not counted:", stats.CutTails, err)
	}
}

func TestWhatWasSeenLongAgoIsForgotten(t *testing.T) {
	raw := newSchema(t)
	s := opened(t, raw, Options{Lease: 500 * time.Millisecond})
	var entries []*outbox.Entry
	for i := range 100 {
		e := entry(i, false)
		if e.Dedupe = time.Millisecond; i == 0 {
			e.Dedupe = time.Hour
		}
		entries = append(entries, e)
	}
	if err := s.Put(ctxOf(t), entries...); err != nil {
		t.Fatal(err)
	}
	eventually(t, "swept", func() bool { return query[int](t, raw, "SELECT count(*) FROM dedupe") == 1 })
}

func TestADeliveryOfAnotherStoreIsRefused(t *testing.T) {
	s := opened(t, newSchema(t), Options{})
	err := s.Settle(ctxOf(t), &outbox.Settlement{Delivery: &outbox.Delivery{ID: "1", Handle: 7}})
	if err == nil || errors.As(err, new(*outbox.UnavailableError)) {
		t.Fatal(err)
	}
}
