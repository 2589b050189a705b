//go:build real

package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg/outbox"
)

// ledger is what the workers of a fault know of each event.
type ledger struct {
	mutex  sync.Mutex
	stored map[string]bool            // acknowledged
	asked  map[string]bool            // put, with whatever answer
	came   map[string]map[string]bool // by event: the ids of deliveries that were handed out
	ended  map[string]bool            // settled, acknowledged
	next   int
}

func newLedger() *ledger {
	return &ledger{stored: map[string]bool{}, asked: map[string]bool{}, came: map[string]map[string]bool{}, ended: map[string]bool{}}
}

// produce puts events until ctx ends, and never the same one twice.
func (l *ledger) produce(ctx context.Context, t *testing.T, s *Store) {
	for ctx.Err() == nil {
		l.mutex.Lock()
		l.next++
		number := l.next
		id := fmt.Sprint(number)
		l.asked[id] = true
		l.mutex.Unlock()
		e := entry(id, number%2 == 0)
		if number%5 == 0 {
			e.Owed[0].Key = fmt.Sprint(number % 7)
		}
		bounded, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		began := time.Now()
		err := s.Put(bounded, e)
		if took := time.Since(began); took > 21*time.Second {
			t.Errorf("a Put of 20 s took %v", took)
		}
		cancel()
		if err != nil {
			time.Sleep(20 * time.Millisecond) // as a sender would
			continue
		}
		l.mutex.Lock()
		l.stored[id] = true
		l.mutex.Unlock()
		if d := e.Owed[0].Held; d != nil {
			l.consume(s, d)
		}
	}
}

// consume settles what was handed out. An error leaves it to be handed out again.
func (l *ledger) consume(s *Store, all ...*outbox.Delivery) {
	var settlements []*outbox.Settlement
	l.mutex.Lock()
	for _, d := range all {
		if l.came[d.Event.ID] == nil {
			l.came[d.Event.ID] = map[string]bool{}
		}
		l.came[d.Event.ID][d.ID] = true
		settlements = append(settlements, &outbox.Settlement{Delivery: d})
	}
	l.mutex.Unlock()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err := s.Settle(ctx, settlements...)
		cancel()
		if err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, d := range all {
		l.ended[d.Event.ID] = true
	}
}

// claim hands out and settles until ctx ends.
func (l *ledger) claim(ctx context.Context, s *Store) {
	for ctx.Err() == nil {
		claimed, err := s.Claim(ctx, theQueue, 50, math.MaxInt64)
		if err != nil || len(claimed) == 0 {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		l.consume(s, claimed...)
	}
}

// check waits until everything that was acknowledged has ended, and looks for
// what was doubled.
func (l *ledger) check(t *testing.T, raw string, s *Store) {
	t.Helper()
	eventually(t, "the store is well", func() bool { return s.Check() == nil })
	eventually(t, "nothing is left", func() bool {
		if claimed, err := s.Claim(ctxOf(t), theQueue, 100, math.MaxInt64); err == nil {
			l.consume(s, claimed...)
		}
		return query[int](t, raw, "SELECT count(*) FROM deliveries") == 0
	})
	if n := query[int](t, raw, "SELECT count(*) FROM events"); n != 0 {
		t.Errorf("%d events are left without a delivery", n)
	}
	for id := range l.stored {
		if !l.ended[id] {
			t.Errorf("event %s was acknowledged, and is lost", id)
		}
	}
	for id, deliveries := range l.came {
		if len(deliveries) > 1 || !l.asked[id] {
			t.Errorf("event %s is there as %v", id, deliveries)
		}
	}
	t.Logf("%d events asked, %d acknowledged, %d delivered", len(l.asked), len(l.stored), len(l.ended))
	if len(l.stored) < 10 {
		t.Error("too few to tell anything")
	}
}

// under runs a load on stores while fault does its worst.
func (l *ledger) under(t *testing.T, stores []*Store, fault func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	for _, s := range stores {
		for range 6 {
			working.Go(func() { l.produce(ctx, t, s) })
		}
		working.Go(func() { l.claim(ctx, s) })
	}
	fault()
	cancel()
	working.Wait()
}

func TestTheDatabaseMayStopAndDieUnderLoad(t *testing.T) {
	raw := newSchema(t)
	s := opened(t, raw, Options{})
	l := newLedger()
	l.under(t, []*Store{s}, func() {
		for _, action := range []string{"stop", "kill", "stop", "kill"} {
			time.Sleep(700 * time.Millisecond)
			control(t, action)
			eventually(t, "Check tells", func() bool { return s.Check() != nil })
			began := time.Now()
			if err := s.Put(ctxOf(t), entry("refused", false)); err == nil || !errors.As(err, new(*outbox.UnavailableError)) {
				t.Errorf("a Put while the database is away: %v", err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("the refusal took %v", took)
			}
			control(t, "start")
			eventually(t, "well again", func() bool { return s.Check() == nil })
		}
		time.Sleep(500 * time.Millisecond)
	})
	l.check(t, raw, s)
}

func TestADatabaseThatHangsHoldsUpNobodyForever(t *testing.T) {
	raw := newSchema(t)
	s := opened(t, raw, Options{Lease: 4 * time.Second})
	l := newLedger()
	l.under(t, []*Store{s}, func() {
		time.Sleep(500 * time.Millisecond)
		control(t, "pause")
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := s.Put(ctx, entry("hung", true)); err == nil {
			t.Error("a database that hangs took it")
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("a Put of 0.5 s took %v", took)
		}
		eventually(t, "Check tells", func() bool { return s.Check() != nil })
		control(t, "resume")
		eventually(t, "well again", func() bool { return s.Check() == nil })
		time.Sleep(500 * time.Millisecond)
	})
	l.asked["hung"] = true // it may be there, or not
	l.check(t, raw, s)
}

func TestOneOfTwoNodesDiesUnderLoad(t *testing.T) {
	raw := newSchema(t)
	const lease = time.Second
	a := open(t, raw, Options{Lease: lease, Node: "a"})
	b := opened(t, raw, Options{Lease: lease, Node: "b"})
	l := newLedger()
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { l.claim(ctx, b) })
	for i := range 200 {
		e := entry(i, true)
		e.Owed[0].Key = fmt.Sprint(i % 50)
		if err := a.Put(ctxOf(t), e); err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(i)
		l.mutex.Lock()
		l.asked[id], l.stored[id] = true, true
		l.mutex.Unlock()
	}
	if _, err := a.Claim(ctxOf(t), theQueue, 20, math.MaxInt64); err != nil {
		t.Fatal(err)
	}
	a.kill()
	l.check(t, raw, b)
	cancel()
	working.Wait()
	if n := query[int](t, raw, "SELECT count(*) FROM nodes"); n != 1 {
		t.Errorf("%d nodes are left", n)
	}
}
