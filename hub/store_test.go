package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/answer"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
)

// keeping is a hub over a store in a folder, at work.
func keeping(t testing.TB, folder string, o Options) *kit {
	t.Helper()
	store, err := embedded.Open(folder, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the hub's own clean-up
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	o.Store = store
	return newKit(t, o)
}

// until waits for a condition.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for patience := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatal("not in time: " + what)
		}
	}
}

func deadOf(t testing.TB, k *kit) []*keg.DeadLetter {
	t.Helper()
	dead, err := k.Hub.store.DeadLetters(t.Context(), outbox.Filter{}, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return dead
}

func TestWhatIsStoredIsDelivered(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	if err := k.SetTable(all(t, "a", "b")); err != nil {
		t.Fatal(err)
	}
	k.Start()
	p := k.port(t, PortOptions{}) // stored is the default with a store
	var senders sync.WaitGroup
	for s := range 8 {
		senders.Go(func() {
			for i := range 50 {
				r := p.Publish(t.Context(), event(fmt.Sprintf("%d-%d", s, i)))[0]
				if a := answer.Of(keg.Receipts{r}, false); a.Status != 202 || r.Ack != keg.AckStored || len(r.Routes) != 1 || r.Deliveries != nil {
					t.Errorf("%+v: %d", r, a.Status)
				}
			}
		})
	}
	senders.Wait()
	until(t, "both have all", func() bool { return len(k.got("a")) == 400 && len(k.got("b")) == 400 })
	until(t, "all are settled", func() bool { s := k.Stats(); return s.Delivered == 800 })
	if s := k.Stats(); s.Events != 400 || s.Failed != 0 {
		t.Errorf("%+v", s)
	}
}

func TestASendersAnswerDoesNotWaitForADestination(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	release := make(chan struct{})
	k.on("a", func(context.Context, *keg.Event) error { <-release; return nil })
	p := k.port(t, PortOptions{Table: all(t, "a"), Scope: "plugin"})
	k.Start()
	for i := range 10 {
		if r := p.Publish(t.Context(), event(fmt.Sprint(i)))[0]; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if len(k.got("a")) != 0 {
		t.Error("delivered already")
	}
	close(release)
	until(t, "all are there", func() bool { return len(k.got("a")) == 10 })
}

func TestABatchIsStoredWholeAndInOrder(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	table := inOrder(t)
	if err := k.SetTable(table); err != nil {
		t.Fatal(err)
	}
	k.Start()
	p := k.port(t, PortOptions{})
	var events []*keg.Event
	for i := range 200 {
		events = append(events, keyed("k", i))
	}
	for _, r := range p.Publish(t.Context(), events...) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	until(t, "all are there", func() bool { return len(k.got("a")) == 200 })
	for i, e := range k.got("a") {
		if e.ID != fmt.Sprintf("k-%d", i) {
			t.Fatalf("number %d is %s", i, e.ID)
		}
	}
}

func TestAnEventThatIsRefusedInABatchSpoilsNoOther(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	p := k.port(t, PortOptions{Table: parse(t, "routes: [{name: r, match: {type: order.created}, destinations: [{type: fake, address: a}]}]\nunmatched: reject"), Scope: "x"})
	k.Start()
	other := event("2")
	other.Type = "other"
	receipts := p.Publish(t.Context(), event("1"), other, event("3"))
	if _, ok := errors.AsType[*keg.UnroutedError](receipts[1].Err); !ok || receipts[0].Err != nil || receipts[2].Err != nil {
		t.Errorf("%+v", receipts)
	}
	until(t, "two are there", func() bool { return len(k.got("a")) == 2 })
}

func TestWhatWasStoredIsDeliveredAfterARestart(t *testing.T) {
	folder := t.TempDir()
	t.Run("before", func(t *testing.T) {
		k := keeping(t, folder, Options{})
		k.on("a", fails(keg.Unreachable(errDown)))
		if err := k.SetTable(all(t, "a")); err != nil {
			t.Fatal(err)
		}
		k.Start()
		own := k.port(t, PortOptions{Table: all(t, "b"), Scope: "plugin-7"})
		k.on("b", fails(keg.Unreachable(errDown)))
		p := k.port(t, PortOptions{ForwardHeaders: []string{"x-tenant"}})
		for i := range 20 {
			e := event(fmt.Sprint(i))
			e.Headers = keg.Headers{"x-tenant": {"7"}, "authorization": {"Bearer s3cret"}}
			if r := p.Publish(t.Context(), e)[0]; r.Err != nil {
				t.Fatal(r.Err)
			}
			if r := own.Publish(t.Context(), event(fmt.Sprint(i)))[0]; r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	})
	k := keeping(t, folder, Options{})
	if err := k.SetTable(all(t, "a")); err != nil {
		t.Fatal(err)
	}
	k.Start()
	until(t, "all are there", func() bool { return len(k.got("a")) == 20 })
	if h := k.got("a")[0].Headers; h.Get("x-tenant") != "7" || h.Get("authorization") != "" {
		t.Errorf("%v", h)
	}
	if len(k.got("b")) != 0 || len(deadOf(t, k)) != 0 {
		t.Error("what a plugin's own table is owed does not wait for it")
	}
	k.port(t, PortOptions{Table: all(t, "b"), Scope: "plugin-7"}) // Kong has started its instance
	until(t, "the plugin's are there, too", func() bool { return len(k.got("b")) == 20 })
}

func TestAPluginsTableOutlivesItsPort(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	k.Start()
	var down atomic.Bool
	down.Store(true)
	k.on("a", func(context.Context, *keg.Event) error {
		if down.Load() {
			return keg.Unreachable(errDown)
		}
		return nil
	})
	p := k.port(t, PortOptions{Table: all(t, "a"), Scope: "plugin-7"})
	if r := p.Publish(t.Context(), event("1"))[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	down.Store(false)
	until(t, "it is delivered though the port has closed", func() bool { return len(k.got("a")) == 1 })

	next := k.port(t, PortOptions{Table: all(t, "a"), Scope: "plugin-7"})
	until(t, "the table before it has gone", func() bool { return k.opens("a") == 1 })
	if err := next.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.sweepScopes(t.Context(), time.Now().Add(time.Hour))
	until(t, "nothing waits for it: it goes", func() bool { return k.opens("a") == 0 })
}

func TestADuplicateIsStoredOnce(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	p := k.port(t, PortOptions{Table: all(t, "a"), Scope: "x", Dedupe: time.Hour})
	k.Start()
	for i := range 3 {
		r := p.Publish(t.Context(), event("1"))[0]
		if r.Err != nil || r.Duplicate != (i > 0) || answer.Of(keg.Receipts{r}, false).Status != 202 {
			t.Errorf("%d: %+v", i, r)
		}
	}
	receipts := p.Publish(t.Context(), event("2"), event("2"))
	if receipts[0].Duplicate || !receipts[1].Duplicate {
		t.Errorf("%+v", receipts)
	}
	until(t, "each has come", func() bool { return len(k.got("a")) == 2 })
	time.Sleep(20 * time.Millisecond)
	if n := len(k.got("a")); n != 2 {
		t.Errorf("%d came", n)
	}
	if _, err := k.Hub.Open(PortOptions{Ack: keg.AckDelivered, Dedupe: time.Hour}); err == nil || !strings.Contains(err.Error(), "dedupe") {
		t.Errorf("%v", err)
	}
}

func TestAStoreThatTakesNothingIsToldAndTheEventIsTheSenders(t *testing.T) {
	store := &brokenStore{err: &outbox.UnavailableError{Problem: "the disk is full", Err: errors.New("ENOSPC of /dev/sda1")}}
	k := newKit(t, Options{Store: store})
	p := k.port(t, PortOptions{Table: all(t, "a"), Scope: "x"})
	for range 100 {
		r := p.Publish(t.Context(), event("1"))[0]
		a := answer.Of(keg.Receipts{r}, false)
		if a.Status != 503 || a.Headers.Get("Retry-After") == "" || !strings.Contains(string(a.Body), "the disk is full") || strings.Contains(string(a.Body), "sda1") {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	if n := strings.Count(k.log.String(), "ENOSPC"); n != 1 {
		t.Errorf("the log tells it %d times", n)
	}
	if n, bytes := k.dispatcher.Held(); n != 0 || bytes != 0 {
		t.Errorf("%d deliveries and %d bytes are reserved for nothing", n, bytes)
	}
	store.err = context.DeadlineExceeded
	if r := p.Publish(t.Context(), event("1"))[0]; answer.Of(keg.Receipts{r}, false).Status != 504 {
		t.Errorf("%+v", r)
	}
}

// brokenStore fails every Put, as no real store can be asked to.
type brokenStore struct {
	outbox.Store
	err error
}

func (s *brokenStore) Put(context.Context, ...*outbox.Entry) error { return s.err }

func TestADeadLetterGoesThroughTheRoutesOfToday(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	k.on("a", fails(keg.Permanent(errDown)))
	if err := k.SetTable(all(t, "a")); err != nil {
		t.Fatal(err)
	}
	k.Start()
	p := k.port(t, PortOptions{})
	p.Publish(t.Context(), event("1"))
	until(t, "it is dead", func() bool { return len(deadOf(t, k)) == 1 })
	dead := deadOf(t, k)[0]
	if dead.Reason != keg.ReasonRefused || dead.Attempts != 1 {
		t.Errorf("%+v", dead)
	}
	if err := k.SetTable(parse(t, "routes: [{name: other, match: {type: none}, destinations: [{type: fake, address: b}]}]")); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*keg.UnroutedError](k.Republish(t.Context(), dead)); !ok || len(deadOf(t, k)) != 1 {
		t.Error("no route takes it, and it is gone")
	}
	if err := k.SetTable(all(t, "b")); err != nil {
		t.Fatal(err)
	}
	if err := k.Republish(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	until(t, "it takes the new route", func() bool { return len(k.got("b")) == 1 })
	if len(deadOf(t, k)) != 0 {
		t.Error("the dead letter is still there")
	}
}

func TestAbandonedEventsAreKept(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	k.Start()
	p := k.port(t, PortOptions{})
	now := time.Now()
	raw := event("raw")
	raw.Headers = keg.Headers{"authorization": {"Bearer s3cret"}, "keg-source-offset": {"17"}}
	letter := &keg.DeadLetter{Event: raw, Reason: keg.ReasonUndecodable, Error: "orders 3 offset 17: no JSON", Accepted: now, Died: now}
	if err := p.Abandon(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	if dead := deadOf(t, k); len(dead) != 1 || dead[0].Reason != keg.ReasonUndecodable || !strings.Contains(dead[0].Error, "offset 17") || dead[0].Event.ID != "raw" ||
		dead[0].Event.Headers.Get("keg-source-offset") != "17" || dead[0].Event.Headers.Get("authorization") != "" {
		t.Errorf("%+v", dead)
	}
	without := newKit(t, Options{})
	if err := without.port(t, PortOptions{}).Abandon(t.Context(), letter); err != nil || !strings.Contains(without.log.String(), "offset 17") {
		t.Errorf("%v, log %q", err, without.log.String())
	}
}

func TestTheTableChangesUnderWhatWaits(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	k.on("a", fails(keg.Unreachable(errDown)))
	if err := k.SetTable(all(t, "a")); err != nil {
		t.Fatal(err)
	}
	k.Start()
	p := k.port(t, PortOptions{})
	p.Publish(t.Context(), event("1"))
	if err := k.SetTable(all(t, "a", "b")); err != nil { // the destination stays
		t.Fatal(err)
	}
	k.on("a", nil)
	until(t, "it goes by the new table", func() bool { return len(k.got("a")) == 1 })
	k.on("a", fails(keg.Unreachable(errDown)))
	p.Publish(t.Context(), event("2"))
	if err := k.SetTable(all(t, "b")); err != nil { // and now it does not
		t.Fatal(err)
	}
	until(t, "what it was owed is a dead letter", func() bool { return len(deadOf(t, k)) == 1 })
	if dead := deadOf(t, k)[0]; dead.Reason != keg.ReasonNoDestination || dead.Event.ID != "2" {
		t.Errorf("%+v", dead)
	}
}
