package sinks

import (
	"context"
	"errors"
	"testing"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
)

// Package sinktest cannot be asked: it looks for what has arrived.
func TestDiscardTakesEverythingAtNoCost(t *testing.T) {
	for text, name := range map[string]string{
		"{type: discard}":                               "discard:",
		"{type: discard, address: noise}":               "discard:noise",
		"{type: discard, name: bench, format: raw}":     "bench",
		"{type: discard, headers: {x: y}, timeout: 1s}": "discard:",
	} {
		table, err := router.Parse("routes.yaml", []byte("routes: [{name: r, match: {}, final: true, destinations: ["+text+"]}]"), router.Options{Types: Types()})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		d := table.Routes()[0].Destinations[0]
		if d.Name != name || !d.Settings.Acknowledges() {
			t.Errorf("%s is named %q", text, d.Name)
		}
		pool := newPool(t)
		sink := openSink(t, pool, d)
		e := webhook("1")
		if n := testing.AllocsPerRun(100, func() {
			if err := sink.Send(context.Background(), e); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := sink.Send(ctx, e); !errors.Is(err, context.Canceled) || keg.IsPermanent(err) || keg.IsUnreachable(err) {
			t.Errorf("after the end of the context: %v", err)
		}
		if pool.Clients() != 0 {
			t.Error("a client is open")
		}
	}
}
