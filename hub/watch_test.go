package hub

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/outbox"
)

func TestAHubThatIsClosedDoesNotStart(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	if err := k.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.Start() // the leak test would tell
}

func TestAFaultOfWhoeverWatchesIsNobodyElses(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{Watch: faultyWatch{}})
	if err := k.SetTable(parse(t, withSchema("dead_letter", grave))); err != nil {
		t.Fatal(err)
	}
	k.Start()
	broken := event("2")
	broken.Data = []byte(`{"n":"x"}`)
	for _, ack := range []keg.Ack{keg.AckStored, keg.AckDelivered} {
		p := k.port(t, PortOptions{Ack: ack})
		for _, r := range p.Publish(t.Context(), event("1"), broken) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	}
	until(t, "all is delivered", func() bool { return len(k.got("a")) == 2 && len(k.got("b")) == 4 && len(k.got("grave")) == 2 })
	until(t, "all is settled", func() bool { n, _ := k.dispatcher.Held(); return n == 0 })
	if s := k.Stats(); s.Panics == 0 || s.DeadLettered != 2 {
		t.Errorf("%+v", s)
	}
}

type faultyWatch struct{}

func (faultyWatch) Attempted(outbox.Queue, string, *keg.Event, time.Duration, error) { panic("a bug") }
func (faultyWatch) Settled(outbox.Queue, string, outbox.Outcome, keg.Reason, time.Duration) {
	panic("a bug")
}
func (faultyWatch) Died(keg.Reason) { panic("a bug") }

func TestWhatIsCountedIsWhatHappened(t *testing.T) {
	k := keeping(t, t.TempDir(), Options{})
	k.on("a", fails(keg.Permanent(errDown)))
	k.on("grave", fails(keg.Permanent(errDown)))
	if err := k.SetTable(parse(t, withSchema("dead_letter", grave))); err != nil {
		t.Fatal(err)
	}
	k.Start()
	p := k.port(t, PortOptions{Dedupe: time.Hour})
	if r := p.Publish(t.Context(), event("1"))[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	until(t, "the destination and the grave have refused it, and the other route's has it", func() bool {
		n, _ := k.dispatcher.Held()
		return n == 0 && k.Stats().Failed == 2 && len(k.got("b")) == 1
	})
	if s := k.Stats(); s.Delivered != 1 || s.DeadLettered != 1 {
		t.Errorf("%+v", s)
	}
	broken := event("2")
	broken.Data = []byte(`{"n":"x"}`)
	for range 3 {
		if r := p.Publish(t.Context(), broken)[0]; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if s := k.Stats(); s.DeadLettered != 2 {
		t.Errorf("duplicates count: %+v", s)
	}
}

func TestEveryEventOfABatchThatTheStoreRefusesIsCounted(t *testing.T) {
	k := newKit(t, Options{Store: &brokenStore{err: &outbox.UnavailableError{Problem: "the disk is full"}}})
	p := k.port(t, PortOptions{Table: all(t, "a"), Scope: "x"})
	r := p.Publish(context.Background(), event("1"), event("2"), event("3"))[0]
	if s := k.Stats(); s.Refused != 3 {
		t.Errorf("%+v", s)
	}
	if _, ok := errors.AsType[*outbox.UnavailableError](r.Err); !ok {
		t.Errorf("nobody can count why: %v", r.Err)
	}
}
