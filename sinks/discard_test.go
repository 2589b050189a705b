package sinks

import (
	"testing"

	"github.com/kong/keg"
)

func TestDiscardTakesEverything(t *testing.T) {
	pool := newPool(t)
	sink := openSink(t, pool, &keg.Destination{Type: "discard", Settings: &Discard{}})
	if err := sink.Send(t.Context(), testEvent("1")); err != nil {
		t.Error(err)
	}
	if n := pool.Clients(); n != 0 {
		t.Errorf("it holds %d clients", n)
	}
}
