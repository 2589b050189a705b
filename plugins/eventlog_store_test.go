package plugins_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
	"github.com/kong/keg/plugins"
)

// away is a store that takes nothing while it is told to.
type away struct {
	outbox.Store
	gone atomic.Bool
	puts atomic.Int64
}

func (s *away) Put(ctx context.Context, entries ...*outbox.Entry) error {
	s.puts.Add(1)
	if s.gone.Load() {
		return &outbox.UnavailableError{Problem: "the disk is full"}
	}
	return s.Store.Put(ctx, entries...)
}

func newAway(t *testing.T) *away {
	t.Helper()
	s, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &away{Store: s}
}

// With a store, entries are stored unless something else is said: what a
// destination does not take now is not lost.
func TestLogEventsAreStored(t *testing.T) {
	store := newAway(t)
	k := newKongOver(t, plugins.Options{}, hub.Options{Store: store})
	var fails atomic.Bool
	fails.Store(true)
	k.sinks.on("a", func(context.Context, *keg.Event) error {
		if fails.Load() {
			return keg.Unreachable(fmt.Errorf("connection refused"))
		}
		return nil
	})
	id, ok := k.startOf(t, "event-log", `{"__plugin_id":"p-1",`+all("a")+`}`)
	if !ok {
		t.Fatal(k.log)
	}
	const sent = 500
	for i := range sent {
		k.logs(t, id, entry(fmt.Sprint(i)))
	}
	until(t, "all to be stored", func() bool { return k.room.Stats().Entries == 0 })
	if puts := store.puts.Load(); puts > sent {
		t.Errorf("%d puts", puts)
	}
	fails.Store(false)
	until(t, "all to arrive", func() bool { return len(k.sinks.got("a")) == sent })
	if s := k.room.Stats(); s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

// While the store is away entries wait for it, no phase does, and nothing is
// lost when it is back.
func TestLogEventsWaitForTheStore(t *testing.T) {
	store := newAway(t)
	k := newKongOver(t, plugins.Options{}, hub.Options{Store: store})
	id, _ := k.startOf(t, "event-log", `{"__plugin_id":"p-1",`+all("a")+`}`)
	store.gone.Store(true)
	const sent = 200
	for i := range sent {
		k.logs(t, id, entry(fmt.Sprint(i)))
	}
	until(t, "an attempt", func() bool { return store.puts.Load() > 0 })
	if s := k.room.Stats(); s.Entries != sent || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	store.gone.Store(false)
	until(t, "all to arrive", func() bool { return len(k.sinks.got("a")) == sent })
	seen := map[string]bool{}
	for _, e := range k.sinks.got("a") {
		seen[e.ID] = true
	}
	if len(seen) != sent {
		t.Errorf("%d of %d", len(seen), sent)
	}
}

// A node that stops while its store is away drops what waits, and says so.
func TestStoppingDoesNotWaitForTheStore(t *testing.T) {
	store := newAway(t)
	k := newKongOver(t, plugins.Options{}, hub.Options{Store: store})
	id, _ := k.startOf(t, "event-log", `{"__plugin_id":"p-1",`+all("a")+`}`)
	store.gone.Store(true)
	for i := range 10 {
		k.logs(t, id, entry(fmt.Sprint(i)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := k.room.Close(ctx); err == nil {
		t.Error("all is well, it said")
	}
	until(t, "what waited to be dropped", func() bool { return k.room.Stats() == plugins.LogRoomStats{Dropped: 10} })
}
