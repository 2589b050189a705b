package plugins_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/hub"
	"github.com/kong/keg/plugins"
)

// Kong's worker waits for the close in the middle of a request; what its
// log phases have left behind is published all the same.
func TestClosingAnEventLogWaitsForNobody(t *testing.T) {
	store := newAway(t)
	k := newKongOver(t, plugins.Options{}, hub.Options{Store: store})
	id, _ := k.startOf(t, "event-log", `{"__plugin_id":"p-1",`+all("a")+`}`)
	store.gone.Store(true)
	for i := range 10 {
		k.logs(t, id, entry(fmt.Sprint(i)))
	}
	k.close(t, id) // would not return if it waited for the store
	if s := k.room.Stats(); s.Entries != 10 {
		t.Errorf("%+v", s)
	}
	store.gone.Store(false)
	until(t, "what was left", func() bool { return len(k.sinks.got("a")) == 10 })
	if s := k.room.Stats(); s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

// Under ack none, deliveries outlive their instance by its timeout at most, and
// its sinks close then.
func TestClosingAnEventLogReleasesItsSinks(t *testing.T) {
	k := newKong(t, plugins.Options{})
	k.sinks.on("a", hangs)
	id, _ := k.startOf(t, "event-log", `{"timeout":50,`+all("a")+`}`)
	for i := range 10 {
		k.logs(t, id, entry(fmt.Sprint(i)))
	}
	k.close(t, id)
	until(t, "the sinks to close", func() bool { return k.sinks.opened() == 0 })
	if s := k.hub.Stats(); s.Lost != 10 || s.InFlight != 0 {
		t.Errorf("%+v", s)
	}
}

// Kong renews every instance at every change of its configuration.
func TestManyEventLogsComeAndGo(t *testing.T) {
	k := newKong(t, plugins.Options{})
	k.sinks.on("a", func(context.Context, *keg.Event) error { time.Sleep(time.Millisecond); return nil })
	const workers, each = 4, 50
	var renewing sync.WaitGroup
	for w := range workers {
		renewing.Go(func() {
			for i := range each {
				id, ok := k.startOf(t, "event-log", `{`+all("a")+`}`)
				if !ok {
					t.Errorf("not started: %s", k.log)
					return
				}
				k.logs(t, id, entry(fmt.Sprintf("%d-%d", w, i)))
				k.close(t, id)
			}
		})
	}
	renewing.Wait()
	until(t, "the sinks to close", func() bool { return k.sinks.opened() == 0 })
	if n, s := len(k.sinks.got("a")), k.room.Stats(); n != workers*each || s.Dropped != 0 || s.Entries != 0 {
		t.Errorf("%d of %d arrived, %+v", n, workers*each, s)
	}
}
